"""A road to the server that can go silent, as for a phone in a tunnel: nothing passes, and nobody is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Tunnel:
    """A TCP proxy on a port of its own. While it is silent it still accepts, as no more than the kernel would.

    When it ends, every other connection goes on where it was, as TCP does when its packets arrive again. The others
    are over: the client sees the end (its address has changed), the server sees nothing at all.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._passable = threading.Event()
        self._passable.set()
        self._lock = threading.Lock()
        self._roads: list[_Road] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> int:
        """How many connections it has caught."""
        self._passable.clear()
        with self._lock:
            self._roads = [road for road in self._roads if not road.is_over]
            return len(self._roads)

    def end_silence(self) -> None:
        with self._lock:
            for road in self._roads[::2]:
                road.lose()
        self._passable.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._passable.set()
        with self._lock:
            for road in self._roads:
                road.cut()

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    near, _ = self._listener.accept()
                except OSError:  # closed
                    return
                threading.Thread(target=self._lay, args=(near,), daemon=True).start()

    def _lay(self, near: socket.socket) -> None:
        self._passable.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        road = _Road(near, far, self._passable)
        with self._lock:
            self._roads.append(road)
        road.carry()


class _Road:
    def __init__(self, near: socket.socket, far: socket.socket, passable: threading.Event) -> None:
        self._near, self._far = near, far
        self._passable = passable
        self._is_lost = False
        self._over = threading.Event()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def carry(self) -> None:
        """Both ways, until both ends are cut."""
        back = threading.Thread(target=self._carry, args=(self._far, self._near), daemon=True)
        back.start()
        self._carry(self._near, self._far)
        back.join()
        for end in (self._near, self._far):
            end.close()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._passable.wait()
                if self._is_lost:
                    break
                sink.sendall(data)
        if self._is_lost:
            self._over.wait()
        self.cut()

    def lose(self) -> None:
        """For the client it is over. The server's end stays, and nobody reads it."""
        self._is_lost = True
        with suppress(OSError):  # the client was quicker
            self._near.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        self._over.set()
        for end in (self._near, self._far):
            with suppress(OSError):  # closed already
                end.shutdown(socket.SHUT_RDWR)

"""A server that says exactly what a test lets it say, over a WebSocket, over polling and over REST."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

OPENED = '0{"sid":"s1","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
CONNECTED = '40{"sid":"c1"}'


def frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, size]) + payload
    if size < 65536:
        return bytes([0x80 | opcode, 126]) + struct.pack("!H", size) + payload
    return bytes([0x80 | opcode, 127]) + struct.pack("!Q", size) + payload


class Peer:
    """One connection, after its request line and headers; ``request`` is the line, ``body`` what came with it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")
        self.request = self._file.readline().decode().strip()
        headers: dict[str, str] = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        self.body = self._file.read(int(headers.get("content-length", 0))).decode()

    def answer(self, status: int, body: str) -> None:
        data = body.encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        self.sock.sendall(head.encode() + data)

    def upgrade(self) -> None:
        self.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    def say(self, *packets: str, opcode: int = 1) -> None:
        self.sock.sendall(b"".join(frame(opcode, packet.encode()) for packet in packets))

    def hear(self) -> tuple[int, str]:
        first, second = self._file.read(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", self._file.read(2))
        key, data = self._file.read(4), self._file.read(size)
        return first & 15, bytes(byte ^ key[i % 4] for i, byte in enumerate(data)).decode()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self.sock.close()


@contextmanager
def serving(talk: Callable[[Peer], None]) -> Iterator[str]:
    """Its URL. ``talk`` has each connection in a thread of its own, and closes it by returning."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def serve(sock: socket.socket) -> None:
            with sock, suppress(OSError, ValueError):
                peer = Peer(sock)
                try:
                    talk(peer)
                finally:
                    peer.close()

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
            for thread in threads:
                thread.join(10)


def acknowledge(peer: Peer, answers: dict[str, Any]) -> None:
    """Answer each event as told, by its name; those without an answer stay unanswered. Until the client is gone."""
    peer.upgrade()
    peer.say(OPENED)
    while True:
        opcode, packet = peer.hear()
        if opcode != 1:
            return
        if packet.startswith("40"):
            peer.say(CONNECTED)
            continue
        number, _, body = packet[2:].partition("[")
        name = json.loads("[" + body)[0]
        if name in answers:
            peer.say(f"43{number}" + json.dumps([answers[name]]))


def refusal(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": "", "details": {}}}

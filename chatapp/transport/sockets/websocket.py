"""The server's side of one WebSocket (RFC 6455), after its handshake.

Frames are unmasked by one big-integer XOR (gevent-websocket loops over bytes in Python: a message of 10 MB would
stall every client for seconds) and written with one system call where the kernel takes them, from whichever greenlet
has something to say. What the kernel does not take waits in a bounded queue; a client that does not read is closed
before it can hurt others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

import gevent
from gevent import get_hub

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0

NORMAL, PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG = 1000, 1002, 1007, 1009

BACKLOG_MAX_BYTES = 4 * 1024 * 1024
"""What may wait for one client. A broadcast's bytes are shared by all that wait for it."""

GOODBYE_SECONDS = 3.0
"""How long a client may take to answer a close before its connection is cut."""

READ_BYTES = 65536
FRAMES_PER_WRITE = 64
"""Buffers in one ``sendmsg``; Linux takes up to 1,024 (IOV_MAX)."""


_DUE: list[WebSocket] = []
"""Those that have something to write at the end of this turn; there is one event loop in a process."""


def _write_due() -> None:
    due = _DUE[:]
    _DUE.clear()
    for websocket in due:
        websocket.write_turn()


class ProtocolViolation(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def frame(opcode: int, payload: bytes) -> bytes:
    """An unmasked, unfragmented frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def message_frame(message: str | bytes) -> bytes:
    return frame(TEXT, message.encode()) if isinstance(message, str) else frame(BINARY, bytes(message))


class WebSocket:
    """``read`` gives at most so many bytes, or none at the end; ``sock`` is a gevent socket."""

    def __init__(self, sock: Any, read: Callable[[int], bytes], *, max_message_bytes: int) -> None:
        self._sock = sock
        self._kernel = sock._sock  # the non-blocking socket beneath: a gevent send would switch greenlets
        self._read = read
        self._max_message_bytes = max_message_bytes
        self._received = bytearray()
        self._turn: list[bytes] | None = None
        self._backlog: deque[bytes | memoryview] = deque()
        self._backlog_bytes = 0
        self._watcher: Any = None
        self._deadline: Any = None
        self.is_closed = False

    # ------------------------------------------------------------ writing
    def send(self, message: str | bytes) -> None:
        self.write_turn()  # nothing overtakes
        self.write(message_frame(message))

    def write_soon(self, frame: bytes) -> None:
        """Put a frame on its way at the end of this turn of the event loop: what a client is told in one turn leaves
        in one system call."""
        if self._turn is not None:
            self._turn.append(frame)
        elif not self.is_closed:
            self._turn = [frame]
            if not _DUE:
                get_hub().loop.run_callback(_write_due)
            _DUE.append(self)

    def write_turn(self) -> None:
        """Write what ``write_soon`` has collected."""
        frames, self._turn = self._turn, None
        if frames:
            self.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def write(self, data: bytes) -> None:
        """Put whole frames on their way. Never blocks, never switches greenlets, never raises."""
        if self.is_closed:
            return
        if not self._backlog:
            try:
                sent = self._kernel.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return
            if sent == len(data):
                return
            self._wait_to_write(memoryview(data)[sent:])
        else:
            self._wait_to_write(data)

    def close(self, code: int = NORMAL) -> None:
        """Say goodbye after everything that waits; the reader ends when the client answers or is gone."""
        if self.is_closed:
            return
        self.write_turn()
        self.write(frame(CLOSE, code.to_bytes(2, "big")))
        self.is_closed = True
        if not self._backlog:
            self._end_writing()

    def abort(self) -> None:
        """The connection is over, whatever waits."""
        self.is_closed = True
        self._turn = None
        self._backlog.clear()
        self._backlog_bytes = 0
        self._stop_watching()
        if self._deadline is not None:
            self._deadline.kill(block=False)
        self._shutdown(SHUT_RDWR)

    def _wait_to_write(self, data: bytes | memoryview) -> None:
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        if self._backlog_bytes > BACKLOG_MAX_BYTES:
            self.abort()
        elif self._watcher is None:
            self._watcher = get_hub().loop.io(self._sock.fileno(), 2)
            self._watcher.start(self._write_backlog)

    def _write_backlog(self) -> None:
        """The kernel has room again; runs in the hub."""
        try:
            while self._backlog:
                waiting = [self._backlog[i] for i in range(min(len(self._backlog), FRAMES_PER_WRITE))]
                self._forget_written(self._kernel.sendmsg(waiting))
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self._stop_watching()
        if self.is_closed:
            self._end_writing()

    def _forget_written(self, sent: int) -> None:
        self._backlog_bytes -= sent
        while sent:
            first = self._backlog.popleft()
            if sent < len(first):
                self._backlog.appendleft(memoryview(first)[sent:])
                return
            sent -= len(first)

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def _end_writing(self) -> None:
        """What the client sends meanwhile is still read: to cut it off could lose it our close."""
        self._shutdown(SHUT_WR)
        self._deadline = gevent.spawn_later(GOODBYE_SECONDS, self.abort)

    def _shutdown(self, how: int) -> None:
        with suppress(OSError):  # the client was quicker
            self._sock.shutdown(how)  # of both sides: also wakes the greenlet that reads

    # ------------------------------------------------------------ reading
    def receive(self) -> str | bytes | None:
        """The next whole message; None when the connection is over, for whatever reason."""
        try:
            return self._next_message()
        except ProtocolViolation as violation:
            self.close(violation.code)
        except OSError:
            self.abort()
        return None

    def _next_message(self) -> str | bytes | None:
        kind, parts, size = CONTINUATION, [], 0
        while True:
            received = self._next_frame(self._max_message_bytes - size)
            if received is None:
                self.abort()
                return None
            opcode, is_last, payload = received
            if opcode >= CLOSE:
                if not self._control(opcode, payload):
                    return None
                continue
            if (opcode == CONTINUATION) != bool(kind):
                raise ProtocolViolation(PROTOCOL_ERROR)
            kind = kind or opcode
            parts.append(payload)
            size += len(payload)
            if is_last:
                return _decoded(kind, parts[0] if len(parts) == 1 else b"".join(parts))

    def _control(self, opcode: int, payload: bytes) -> bool:
        """False when it ends the connection."""
        if opcode == PING:
            self.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self.close(_close_code(payload))
            return False
        return True

    def _next_frame(self, max_bytes: int) -> tuple[int, bool, bytes] | None:
        if not self._fill(2):
            return None
        first, second = self._received[0], self._received[1]
        opcode, size, head = first & 15, second & 127, 2
        if first & 0x70 or not second & 0x80 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolViolation(PROTOCOL_ERROR)
        if opcode >= CLOSE and (size > 125 or not first & 0x80):
            raise ProtocolViolation(PROTOCOL_ERROR)
        if size > 125:
            head += 2 if size == 126 else 8
            if not self._fill(head):
                return None
            size = int.from_bytes(self._received[2:head], "big")
        if size > max_bytes:
            raise ProtocolViolation(TOO_BIG)
        end = head + 4 + size
        if not self._fill(end):
            return None
        mask, payload = self._received[head : head + 4], self._received[head + 4 : end]
        del self._received[:end]
        return opcode, bool(first & 0x80), _unmasked(payload, mask)

    def _fill(self, size: int) -> bool:
        """Read until so many bytes are there; False when the client ends before."""
        while len(self._received) < size:
            data = self._read(READ_BYTES)
            if not data:
                return False
            self._received += data
        return True


def _unmasked(payload: bytearray, mask: bytearray) -> bytes:
    size = len(payload)
    if not size:
        return b""
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _decoded(kind: int, data: bytes) -> str | bytes:
    if kind == BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise ProtocolViolation(INVALID_TEXT) from exc


def _close_code(payload: bytes) -> int:
    """What to answer a client's goodbye with: its own code, or a reproach when that is none."""
    if not payload:
        return NORMAL
    if len(payload) == 1:
        return PROTOCOL_ERROR
    code = int.from_bytes(payload[:2], "big")
    defined = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    return code if defined or 3000 <= code <= 4999 else PROTOCOL_ERROR

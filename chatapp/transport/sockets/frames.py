"""WebSocket frames (RFC 6455), without any input or output: ours are built, a client's are taken apart.

A payload is unmasked by one big-integer XOR: gevent-websocket loops over bytes in Python, and a message of 10 MB would
stall every client for seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))

NORMAL, PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG = 1000, 1002, 1007, 1009


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


@dataclass(frozen=True, slots=True)
class Ping:
    payload: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The client's goodbye, or what it did wrong: the code to answer with."""

    code: int


Received = str | bytes | Ping | End


class Violation(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FrameReader:
    """Of one connection. After an ``End`` nothing more is read."""

    __slots__ = ("_has_ended", "_kind", "_max_message_bytes", "_needed", "_parts", "_rest", "_size")

    def __init__(self, *, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._rest: bytes | bytearray = b""
        """The beginning of a frame; a bytearray once it takes several reads."""
        self._needed = 2
        """So many bytes must be there before another look makes sense."""
        self._kind = CONTINUATION
        self._parts: list[bytes] = []
        self._size = 0
        self._has_ended = False

    def feed(self, data: bytes | bytearray) -> list[Received]:
        """What is complete with these bytes, in the order sent: messages, pings that want an answer, the end."""
        found: list[Received] = []
        if self._has_ended:
            return found
        if self._rest:
            if not isinstance(self._rest, bytearray):
                self._rest = bytearray(self._rest)
            self._rest += data
            if len(self._rest) < self._needed:
                return found
            data = self._rest
        try:
            at = self._read_frames(data, found)
        except Violation as violation:
            self._end(found, violation.code)
        else:
            self._rest = data[at:] if at < len(data) else b""
        return found

    def _read_frames(self, data: bytes | bytearray, found: list[Received]) -> int:
        """Where the first frame begins that is not complete."""
        at, end = 0, len(data)
        while not self._has_ended:
            if end - at < 2:
                self._needed = 2
                break
            first, second = data[at], data[at + 1]
            opcode, size, head = first & 15, second & 127, 6
            if first & 0x70 or not second & 0x80 or opcode not in OPCODES:
                raise Violation(PROTOCOL_ERROR)
            if opcode >= CLOSE and (size > 125 or not first & 0x80):
                raise Violation(PROTOCOL_ERROR)
            if size > 125:
                head = 8 if size == 126 else 14
                if end - at < head - 4:
                    self._needed = head - 4
                    break
                size = int.from_bytes(data[at + 2 : at + head - 4], "big")
            if opcode < CLOSE and size > self._max_message_bytes - self._size:
                raise Violation(TOO_BIG)
            start = at + head
            at_next = start + size
            if at_next > end:
                self._needed = at_next - at
                break
            payload = _unmasked(data[start:at_next], data[start - 4 : start]) if size else b""
            at = at_next
            if opcode < CLOSE:
                self._take(opcode, payload, found, is_last=bool(first & 0x80))
            elif opcode == PING:
                found.append(Ping(payload))
            elif opcode == CLOSE:
                self._end(found, _close_code(payload))
        return at

    def _take(self, opcode: int, payload: bytes, found: list[Received], *, is_last: bool) -> None:
        if (opcode == CONTINUATION) != bool(self._kind):
            raise Violation(PROTOCOL_ERROR)
        if is_last and opcode:
            found.append(_decoded(opcode, payload))
            return
        self._kind = self._kind or opcode
        self._parts.append(payload)
        self._size += len(payload)
        if is_last:
            kind, parts = self._kind, self._parts
            self._kind, self._parts, self._size = CONTINUATION, [], 0
            found.append(_decoded(kind, b"".join(parts)))

    def _end(self, found: list[Received], code: int) -> None:
        self._has_ended = True
        self._rest, self._parts = b"", []
        found.append(End(code))


def _unmasked(payload: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _decoded(kind: int, data: bytes) -> str | bytes:
    if kind == BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise Violation(INVALID_TEXT) from exc


def _close_code(payload: bytes) -> int:
    """What to answer a client's goodbye with: its own code, or a reproach when that is none."""
    if not payload:
        return NORMAL
    if len(payload) == 1:
        return PROTOCOL_ERROR
    code = int.from_bytes(payload[:2], "big")
    defined = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    return code if defined or 3000 <= code <= 4999 else PROTOCOL_ERROR

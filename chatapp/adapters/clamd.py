"""Malware found by clamd, over its INSTREAM command (clamd(8)).

A scan is one connection: ``zINSTREAM\\0``, then pieces, each behind its length in four bytes, then a length of zero.
The answer is one line that ends with NUL. All but ``OK`` for all that was sent is a refusal: an error, silence, half an
answer.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from urllib.parse import urlsplit

from gevent import Timeout, socket

from chatapp.domain.errors import ScannerUnavailable, TooLarge

PIECE_BYTES = 64 * 1024
"""Read from the staging folder between two waits for the socket: some 20 µs from the page cache."""

SCAN_SECONDS = 60.0
"""For all of it. clamd's own limit for one file (MaxScanTime) is two minutes; whoever uploads has gone by then."""

ANSWER_MAX_BYTES = 4096
CLEAN = b"stream: OK"
FOUND = re.compile(rb"stream: (.+) FOUND")
TOO_LARGE = b"INSTREAM size limit exceeded"
"""More than StreamMaxLength."""

NOT_SCANNED_WHOLE = "Heuristics.Limits.Exceeded"
"""With AlertExceedsMax: more than MaxFileSize or MaxScanSize, or nested too deep."""


class ClamdScanner:
    def __init__(self, url: str) -> None:
        """``tcp://host:port`` or ``unix:///path``; asked when there is something to scan, and not before."""
        self._url = urlsplit(url)

    def scan(self, path: Path) -> str | None:
        try:
            with Timeout(SCAN_SECONDS, TimeoutError("no answer")), self._connect() as connection:
                answer = _ask(connection, path)
        except OSError as exc:
            raise ScannerUnavailable(engine="clamd", reason=str(exc)) from exc
        return _verdict(answer)

    def _connect(self) -> socket.socket:
        if self._url.scheme == "tcp":
            return socket.create_connection((self._url.hostname, self._url.port))
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._url.path)
        except BaseException:
            connection.close()
            raise
        return connection


def _ask(connection: socket.socket, path: Path) -> bytes:
    """Raises OSError."""
    try:
        _send(connection, path)
    except (BrokenPipeError, ConnectionResetError):  # it does not read on when it has seen enough, and says why
        answer = _receive(connection)
        if answer.startswith(CLEAN):
            raise
        return answer
    return _receive(connection)


def _send(connection: socket.socket, path: Path) -> None:
    connection.sendall(b"zINSTREAM\0")
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            connection.sendall(struct.pack(">I", len(piece)) + piece)
    connection.sendall(struct.pack(">I", 0))


def _receive(connection: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < ANSWER_MAX_BYTES:
        piece = connection.recv(ANSWER_MAX_BYTES)
        if not piece:
            break
        answer += piece
    return answer


def _verdict(answer: bytes) -> str | None:
    line, end, _ = answer.partition(b"\0")
    if end and line == CLEAN:
        return None
    if line.startswith(TOO_LARGE):
        raise TooLarge(reason="scanner")
    found = FOUND.fullmatch(line)
    if found is None:
        raise ScannerUnavailable(engine="clamd", reason=line.decode(errors="replace") or "no answer")
    name = found.group(1).decode(errors="replace")
    if name.startswith(NOT_SCANNED_WHOLE):
        raise TooLarge(reason="scanner")
    return name

"""ClamdScanner against a real clamd, and against answers that no clamd should give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import gevent
import pytest
from gevent.server import StreamServer
from gevent.socket import socket

from chatapp.adapters import clamd
from chatapp.adapters.clamd import PIECE_BYTES, ClamdScanner
from chatapp.domain.errors import ScannerUnavailable, TooLarge
from tests.contracts.builders import together
from tests.engines.clamd import FILE_MAX_BYTES, FOUND_AS, MALWARE, STREAM_MAX_BYTES, ClamdEngine, running_clamd


@pytest.fixture(scope="module")
def clamd_engine() -> Iterator[ClamdEngine]:
    with running_clamd() as engine:
        yield engine


@pytest.fixture
def scanner(clamd_engine: ClamdEngine) -> ClamdScanner:
    return ClamdScanner(clamd_engine.url)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"Acta de la reunion\n")
    return path


# ---------------------------------------------------------------- a real one
@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 10 * PIECE_BYTES])
def test_what_holds_no_malware_is_clean(scanner: ClamdScanner, upload: Path, size: int) -> None:
    upload.write_bytes(b"a" * size)
    assert scanner.scan(upload) is None


@pytest.mark.parametrize("before", [0, PIECE_BYTES - 10, 10 * PIECE_BYTES])
def test_malware_is_found_wherever_it_stands(scanner: ClamdScanner, upload: Path, before: int) -> None:
    upload.write_bytes(b"a" * before + MALWARE + b"a" * 1000)
    assert scanner.scan(upload) == FOUND_AS


@pytest.mark.parametrize("size", [FILE_MAX_BYTES + 1, STREAM_MAX_BYTES + 1, 5 * STREAM_MAX_BYTES])
def test_what_it_does_not_look_at_whole_is_too_large(scanner: ClamdScanner, upload: Path, size: int) -> None:
    upload.write_bytes(b"a" * size + MALWARE)
    with pytest.raises(TooLarge) as refused:
        scanner.scan(upload)
    assert refused.value.details == {"reason": "scanner"}


def test_many_files_at_once(scanner: ClamdScanner, tmp_path: Path) -> None:
    paths = [tmp_path / f"upload-{number}" for number in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(b"a" * 100_000 + (MALWARE if number % 2 else b""))
    found = together(partial(scanner.scan, path) for path in paths)
    assert found == [FOUND_AS if number % 2 else None for number in range(20)]


def test_who_is_down_has_not_said_that_it_is_clean_and_who_comes_back_says_so(
    clamd_engine: ClamdEngine, scanner: ClamdScanner, upload: Path
) -> None:
    clamd_engine.stop()
    with pytest.raises(ScannerUnavailable):
        scanner.scan(upload)
    clamd_engine.start()
    assert scanner.scan(upload) is None


def test_who_does_not_answer_is_waited_for_so_long_and_others_go_on_meanwhile(
    clamd_engine: ClamdEngine, scanner: ClamdScanner, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamd, "SCAN_SECONDS", 0.3)
    turns = 0

    def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0.01)

    busy = gevent.spawn(others)
    clamd_engine.freeze()
    try:
        with pytest.raises(ScannerUnavailable):
            scanner.scan(upload)
    finally:
        clamd_engine.thaw()
        busy.kill()
    assert turns > 5


# ---------------------------------------------------------------- one that is broken
@contextmanager
def answering(answer: bytes, *, reads: bool = True) -> Iterator[ClamdScanner]:
    """Over TCP. One that does not read closes the connection at once."""

    def serve(connection: socket, _address: object) -> None:
        while reads and not connection.recv(65536).endswith(bytes(4)):
            pass
        connection.sendall(answer)

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    try:
        yield ClamdScanner(f"tcp://127.0.0.1:{server.server_port}")
    finally:
        server.stop()


@pytest.mark.parametrize("answer", [b"stream: OK\0", b"stream: X FOUND\0"])
def test_tcp_will_do_too(upload: Path, answer: bytes) -> None:
    with answering(answer) as scanner:
        assert scanner.scan(upload) == (None if b"OK" in answer else "X")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"stream: OKAY\0",
        b"OK\0",
        b"\0",
        b"stream: FOUND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"x" * 100_000,
    ],
    ids=lambda answer: answer[:20],
)
def test_an_answer_that_does_not_say_clean_is_a_refusal(upload: Path, answer: bytes) -> None:
    with answering(answer) as scanner, pytest.raises(ScannerUnavailable):
        scanner.scan(upload)


def test_who_calls_clean_what_it_has_not_read_is_not_believed(upload: Path) -> None:
    with upload.open("ab") as file:
        file.truncate(32 * 1024 * 1024)  # more than the kernel takes over
    with answering(b"stream: OK\0", reads=False) as scanner, pytest.raises(ScannerUnavailable):
        scanner.scan(upload)


def test_a_port_where_nobody_listens_is_a_scanner_that_is_down(upload: Path) -> None:
    with answering(b"") as scanner:
        pass
    with pytest.raises(ScannerUnavailable):
        scanner.scan(upload)

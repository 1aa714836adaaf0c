"""More than a request may have is refused while it is read, and the memory it took is given back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chatapp.transport.http import BODY_MAX_BYTES
from chatapp.transport.worker import HEAD_MAX_BYTES
from tests.e2e.server import Server, running
from tests.e2e.wire import PATIENCE

MEMORY_BYTES = 150 * 1024 * 1024
"""What a worker may take more after all that is sent here, which is more than a gigabyte."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("limits") / "server", FILE_UPLOAD_MAX_SIZE="1000000") as started:
        before = memory(started)
        yield started
        assert "Traceback" not in started.log()
        assert memory(started) - before < MEMORY_BYTES
        assert [path for path in (started.folder / "uploads").rglob("*") if path.is_file()] == []


def memory(server: Server) -> int:
    (pid,) = server.workers()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def ask(server: Server, *pieces: bytes) -> tuple[int, bytes]:
    """Status and body. Who is refused may not be able to send all."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        answer = b""
        with suppress(ConnectionError):
            while more := connection.recv(65536):
                answer += more
                head, end, body = answer.partition(b"\r\n\r\n")
                if end and len(body) >= length_of(head):
                    break
    return int(answer.split(b" ", 2)[1]), body


def length_of(head: bytes) -> int:
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return int(lines[b"content-length"])


def chunks(body: bytes, size: int = 65536) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


JSON = b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ANA = json.dumps({"id": "ana", "name": "Ana", "email": "ana@example.com"}).encode()


def code(body: bytes) -> str:
    found: str = json.loads(body)["code"]
    return found


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_a_body_in_chunks_is_read_like_any_other(server: Server, size: int) -> None:
    status, _ = ask(server, JSON, CHUNKED, *chunks(ANA, size))
    assert status in (200, 201)


@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_chunks_may_not_add_up_to_too_much(server: Server, size: int) -> None:
    status, body = ask(server, JSON, CHUNKED, *chunks(b" " * (BODY_MAX_BYTES + 1), size))
    assert (status, code(body)) == (413, "too_large")


def test_one_chunk_may_not_announce_too_much(server: Server) -> None:
    status, body = ask(server, JSON, CHUNKED, b"7fffffff\r\n", b" " * (BODY_MAX_BYTES + 1))
    assert (status, code(body)) == (413, "too_large")


def test_who_announces_too_much_is_refused_before_it_is_sent(server: Server) -> None:
    status, body = ask(server, JSON, b"Content-Length: 99999999999\r\n\r\n")
    assert (status, code(body)) == (413, "too_large")


def test_deep_json_is_malformed(server: Server) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        depth = (BODY_MAX_BYTES - 10) // (len(opening) + len(closing))
        body = opening * depth + b"1" + closing * depth
        status, answer = ask(server, JSON, f"Content-Length: {len(body)}\r\n\r\n".encode(), body)
        assert (status, code(answer)) == (400, "malformed_payload")


UPLOAD = b"POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"


def part(disposition: str, data: bytes = b"x") -> bytes:
    return f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + b"\r\n"


FORMS = {
    "a million empty parts": b"--b\r\n\r\n\r\n" * 1_000_000,
    "a hundred thousand fields": b"".join(part(f'name="f{number}"') for number in range(100_000)),
    "a hundred thousand files": b"".join(part(f'name="file"; filename="{n}"') for n in range(100_000)),
    "a huge field": part('name="content"', b"x" * 1_500_000),
    "a huge name": part(f'name="{"n" * 1_500_000}"'),
    "a part's headers without end": b"--b\r\n" + b"X-More: x\r\n" * 150_000,
    "a million boundaries": b"--b\r\n" * 1_000_000,
    "a preamble without end": b"x" * 30_000_000,
    "a file that is too large": part('name="file"; filename="a.txt"', b"x" * 30_000_000),
}


@pytest.mark.parametrize("framed", ["by its length", "in chunks"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_form_takes_more_than_it_may(server: Server, form: bytes, framed: str) -> None:
    form += b"--b--\r\n"
    pieces = [f"Content-Length: {len(form)}\r\n\r\n".encode(), form] if framed == "by its length" else []
    status, body = ask(server, UPLOAD, *(pieces or [CHUNKED, *chunks(form)]))
    assert status in (400, 413)
    assert code(body) in ("bad_request", "invalid_data", "too_large")


HEADS = {
    "too many": (b"".join(b"X-%d: x\r\n" % number for number in range(200)), 400),
    "too long": (b"X-Long: " + b"x" * 200_000 + b"\r\n", 431),
    "too much": (b"".join(b"X-%d: " % number + b"x" * 2_000 + b"\r\n" for number in range(90)), 431),
    "without end": (b"X-More: x\r\n" * 1_000_000, 431),
    "folded without end": (b"X-More: x\r\n" + b" x\r\n" * 1_000_000, 431),
}


@pytest.mark.parametrize(("headers", "status"), HEADS.values(), ids=HEADS)
def test_no_head_takes_more_than_it_may(server: Server, headers: bytes, status: int) -> None:
    answered, _ = ask(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", headers, b"\r\n")
    assert answered in {status, 400, 431} if status == 431 else answered == status
    assert server.get("/healthz").status_code == 200


def test_a_large_head_that_is_none_too_large_is_read(server: Server) -> None:
    headers = b"".join(b"X-%d: " % number + b"x" * 1_000 + b"\r\n" for number in range(50))
    assert len(headers) < HEAD_MAX_BYTES
    status, _ = ask(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", headers, b"\r\n")
    assert status == 200

"""One POST to endpoints that behave, and to those that do not."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatapp.adapters import webhook_sender
from chatapp.adapters.standard_webhooks import StandardKeys, headers_of, verify_with
from chatapp.adapters.webhook_sender import HttpSender, _seconds
from chatapp.domain.happenings import EventType
from chatapp.domain.webhooks import Endpoint, LoggedEvent
from tests.engines.tls import tls_in_front_of
from tests.fakes import START

ROOT = Path(__file__).parents[2]

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[str, list[bytes]]]:
    """A server of one connection at a time that says what it is told to say; what it was sent, in whole requests."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                requests.append(read_request(connection))
                with suppress(OSError):  # who asked has hung up
                    serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < size:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(*parts: bytes) -> Serve:
    return lambda connection: connection.sendall(b"".join(parts))


def post(url: str, *, allow: bool = True, seconds: float = 20, **env: str) -> dict[str, Any]:
    """Of a process of its own."""
    words = [url, "allow" if allow else "public", str(seconds)]
    command = [sys.executable, "-m", "tests.adapters.webhook_sender_run", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_what_is_posted_is_the_body_as_it_is_with_the_standards_headers() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as (url, requests):
        assert post(f"{url}/hook?a=1")["status"] == 200
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=1 HTTP/1.1"
    assert body == b'{"event":"webhook.test"}'
    names = [line.partition(":")[0].lower() for line in lines[1:]]
    assert sorted(names) == sorted(set(names))
    assert {"webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent"} <= set(names)


def test_a_redirect_is_not_followed() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (elsewhere, followed):
        location = f"Location: {elsewhere}/\r\n".encode()
        for status in (301, 302, 303, 307, 308):
            answer = f"HTTP/1.1 {status} Moved\r\n".encode() + location + b"Content-Length: 0\r\n\r\n"
            with serving(saying(answer)) as (url, _):
                assert post(url)["status"] == status
        assert followed == []


def test_no_proxy_of_the_environment_is_asked() -> None:
    with (
        serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (proxy, asked),
        serving(saying(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")) as (url, _),
    ):
        answer = post(url, HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy, no_proxy="")
    assert (answer["status"], asked) == (201, [])


def test_an_answer_that_trickles_is_given_up() -> None:
    """Each byte comes soon enough; all of them never would."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n")
        while True:
            connection.sendall(b"X-Slow: 1\r\n")
            time.sleep(0.2)

    with serving(trickle) as (url, _):
        answer = post(url, seconds=1.5)
    assert answer["status"] is None
    assert "no whole answer" in answer["error"]
    assert 1400 <= answer["duration_ms"] < 6000


def test_an_endpoint_that_says_nothing_is_given_up() -> None:
    with serving(lambda connection: time.sleep(10)) as (url, _):
        answer = post(url, seconds=1.5)
    assert (answer["status"], answer["duration_ms"] < 6000) == (None, True)


def test_of_an_endless_answer_only_a_little_is_read() -> None:
    sent = 0

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 65536)

    with serving(pour) as (url, _):
        answer = post(url)
    assert answer["status"] == 200
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "said",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n"],
    ids=["nothing", "nonsense", "no status", "too many headers"],
)
def test_what_is_no_http_is_a_failure_with_a_reason(said: bytes) -> None:
    with serving(saying(said)) as (url, _):
        answer = post(url)
    assert answer["status"] is None
    assert answer["error"]
    assert len(answer["error"]) <= 200


def test_where_nobody_listens_is_a_failure() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        answer = post(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
    assert answer["status"] is None
    assert "refused" in answer["error"].lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_reset_before_it_is_connected_is_a_failure(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    def reset(*_: Any, **__: Any) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr(webhook_sender, "connect", reset)
    endpoint = Endpoint("1", f"{scheme}://hook.example", "", (), (StandardKeys().new(),), START, START)
    event = LoggedEvent("evt_1", EventType.TEST, "test", START, "{}")
    answer = HttpSender(allow_private=True).post(endpoint, event, now=START)
    assert answer.status is None
    assert "reset by peer" in (answer.error or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_goes_to_a_private_address(scheme: str, host: str) -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as (url, requests):
        port = url.rpartition(":")[2]
        answer = post(f"{scheme}://{host}:{port}/", allow=False)
    assert (answer["status"], answer["error"], requests) == (None, "the address is not public", [])


def test_a_certificate_must_be_trusted_and_be_the_hosts(tmp_path: Path) -> None:
    with serving(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as (url, requests):
        behind = int(url.rpartition(":")[2])
        with tls_in_front_of(behind, tmp_path, address="127.0.0.1") as port:
            certificate = str(tmp_path / "self-signed.pem")
            stranger = post(f"https://127.0.0.1:{port}/")
            assert (stranger["status"], "CERTIFICATE_VERIFY_FAILED" in stranger["error"]) == (None, True)
            assert requests == []
            known = post(f"https://127.0.0.1:{port}/", SSL_CERT_FILE=certificate)
            assert (known["status"], known["error"]) == (204, None)
        with tls_in_front_of(behind, tmp_path) as port:
            other = post(f"https://127.0.0.1:{port}/", SSL_CERT_FILE=certificate)
            assert (other["status"], "not valid for" in other["error"]) == (None, True), other
    assert len(requests) == 1


# ---------------------------------------------------------------- without sending
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.com/hook?a=b", None),
        ("https://8.8.8.8/", None),
        ("http://example.com/", "https_only"),
        ("https://127.0.0.1/", "address_not_public"),
        ("https://2130706433/", "address_not_public"),
        ("https://0x7f.1/", "address_not_public"),
        ("https://[::1]/", "address_not_public"),
        ("https://[::ffff:10.0.0.1]:8443/", "address_not_public"),
        ("https://169.254.169.254/latest", "address_not_public"),
        ("https://ana:secret@example.com/", "invalid"),
        ("https://example.com/#part", "invalid"),
        ("ftp://example.com/", "invalid"),
        ("file:///etc/passwd", "invalid"),
        ("https://", "invalid"),
        ("https:///path", "invalid"),
        ("nonsense", "invalid"),
        ("https://exa mple.com/", "invalid"),
        ("https://[::1/", "invalid"),
    ],
)
def test_what_nothing_would_ever_be_sent_to_is_said_at_once(url: str, said: str | None) -> None:
    assert HttpSender(allow_private=False).objection(url) == said


def test_private_addresses_are_fine_where_they_are_allowed() -> None:
    sender = HttpSender(allow_private=True)
    assert sender.objection("http://127.0.0.1:3000/") is None
    assert sender.objection("ftp://127.0.0.1/") == "invalid"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 24 * 3600),
        ("Mon, 27 Jan 2025 10:05:00 GMT", 300),
        ("Mon, 27 Jan 2025 09:05:00 GMT", 0),
        ("Fri, 27 Jan 2125 10:05:00 GMT", 24 * 3600),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_and_bounded(header: str | None, seconds: int | None) -> None:
    assert _seconds(header, START) == (None if seconds is None else timedelta(seconds=seconds))


def test_both_kinds_of_signatures_are_made_with_every_pair_of_keys_that_is_good() -> None:
    now = datetime.now(UTC)
    old, gone, new = (StandardKeys().new() for _ in range(3))
    keys = (
        new,
        replace(old, expires_at=now + timedelta(hours=1)),
        replace(gone, expires_at=now - timedelta(seconds=1)),
    )
    endpoint = Endpoint("1", "https://example.com", "", (), keys, now, now)
    event = LoggedEvent("evt_1", EventType.TEST, "test", now, "ñ")
    headers = headers_of(endpoint, event, now)
    signatures = [part.split(",") for part in headers["webhook-signature"].split(" ")]
    assert [version for version, _ in signatures] == ["v1", "v1a", "v1", "v1a"]
    for good in (new, old):
        for key in (good.secret, good.public_key):
            assert verify_with(key)(headers, "ñ".encode()) is None
            assert verify_with(key)(headers, b"n") == "No matching signature found"
            assert verify_with(key)({}, "ñ".encode()) == "Missing required headers"
    for key in (gone.secret, gone.public_key):
        assert verify_with(key)(headers, "ñ".encode()) == "No matching signature found"
    for seconds in (301, -301):
        late = headers_of(endpoint, event, now + timedelta(seconds=seconds))
        assert "timestamp too" in (verify_with(new.secret)(late, "ñ".encode()) or "")
        assert "timestamp too" in (verify_with(new.public_key)(late, "ñ".encode()) or "")
    assert verify_with(new.public_key)(headers | {"webhook-signature": "v1a,!!! v1a,AAAA v2,x"}, b"x") is not None


@pytest.mark.parametrize("key", ["", "whsec_", "whsec_!!!", "whpk_AAAA", "whsk_AAAA", "secret"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whose texts are not ours
        verify_with(key)

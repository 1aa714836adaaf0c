"""The exchange of requests with a server that answers as told, over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, HTTPClientError, SSLError

from chatapp.adapters.dynamodb_store import http
from chatapp.adapters.dynamodb_store.connection import Connection
from chatapp.adapters.dynamodb_store.http import HttpServer
from tests.engines.tls import self_signed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Scripted:
    """Each connection is given the answers of its script, one for each request, and is closed after the last."""

    def __init__(self, *scripts: list[bytes], tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = threading.Semaphore(0)
        """Released for each connection that the server has closed."""
        self._tls = tls
        self._thread = threading.Thread(target=self._serve, args=(scripts,), daemon=True)
        self._thread.start()

    def _serve(self, scripts: tuple[list[bytes], ...]) -> None:
        for script in scripts:
            try:
                connection = self._listener.accept()[0]
                self.connections += 1
                with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as opened:
                    for answer in script:
                        self.requests.append(_request(opened))
                        opened.sendall(answer)
            except OSError:  # the client refused the certificate, or the test is over
                pass
            self.closed.release()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def _request(opened: socket.socket) -> bytes:
    told = b""
    while b"\r\n\r\n" not in told or len(told.partition(b"\r\n\r\n")[2]) < _length(told):
        block = opened.recv(65_536)
        if not block:
            raise OSError("the client has gone")
        told += block
    return told


def _length(told: bytes) -> int:
    found = [line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(found[0].split(b":")[1]) if found else 0


@contextmanager
def scripted(*scripts: list[bytes], tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    server = Scripted(*scripts, tls=tls)
    try:
        yield server
    finally:
        server.stop()


def client_of(server: Scripted) -> HttpServer:
    return HttpServer(f"http://127.0.0.1:{server.port}/", ca_file="", connect_timeout=1.0, read_timeout=0.5, kept=2)


def post(client: HttpServer, body: bytes = b"{}") -> tuple[int, bytes]:
    return client.post({"X-Amz-Target": "Query"}, body)


def test_requests_follow_each_other_over_one_connection() -> None:
    with scripted([OK, OK, OK]) as server:
        client = client_of(server)
        assert [post(client, b"[%d]" % number) for number in range(3)] == [(200, b"{}")] * 3
        assert server.connections == 1
        head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Amz-Target: Query\r\nContent-Length: 3" % server.port
        assert server.requests[1] == head + b"\r\n\r\n[1]"
        client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nsorry",
        b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nso\r\n3\r\nrry\r\n0\r\n\r\n",
    ],
)
def test_an_answer_is_whole_whatever_way_it_comes(answer: bytes) -> None:
    with scripted([answer, OK]) as server:
        client = client_of(server)
        assert post(client) == (400, b"sorry")
        assert post(client) == (200, b"{}")
        assert server.connections == 1
        client.close()


def test_a_server_that_wants_no_more_of_a_connection_gets_another() -> None:
    last = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with scripted([last, OK], [OK]) as server:
        client = client_of(server)
        assert [post(client), post(client)] == [(200, b"{}")] * 2
        assert server.connections == 2
        client.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-", b"SSH-2.0-OpenSSH\r\n"],
)
def test_no_whole_answer_may_have_been_carried_out(answer: bytes) -> None:
    with scripted([answer], [OK]) as server:
        client = client_of(server)
        with pytest.raises(HTTPClientError):
            post(client)
        assert post(client) == (200, b"{}")
        client.close()


def test_silence_ends_after_the_time_for_reading() -> None:
    with scripted([b"HTTP/1.1 200 OK\r\n", OK], [OK]) as server:
        client = client_of(server)
        with pytest.raises(HTTPClientError, match="timed out"):
            post(client)
        assert post(client) == (200, b"{}"), "a late answer is nobody else's"
        client.close()


def test_one_that_was_closed_meanwhile_takes_no_other_along() -> None:
    with scripted([OK], [OK]) as server:
        client = client_of(server)
        post(client)
        assert server.closed.acquire(timeout=5)
        with pytest.raises(HTTPClientError):
            post(client)
        assert post(client) == (200, b"{}")
        client.close()


def test_what_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(http, "monotonic", lambda: now)
    with scripted([OK], [OK, OK]) as server:
        client = client_of(server)
        post(client)
        assert server.closed.acquire(timeout=5)
        now += http.IDLE_SECONDS + 1
        assert [post(client), post(client)] == [(200, b"{}")] * 2
        assert server.connections == 2
        client.close()


def test_nobody_there_has_not_been_asked() -> None:
    with scripted() as server:
        port = server.port
    client = HttpServer(f"http://127.0.0.1:{port}/", ca_file="", connect_timeout=1.0, read_timeout=0.5, kept=2)
    with pytest.raises(EndpointConnectionError):
        post(client)


def test_who_takes_no_connection_has_not_been_asked() -> None:
    """A full queue of connections that nobody accepts."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        client = HttpServer(
            "http://{}:{}/".format(*listener.getsockname()), ca_file="", connect_timeout=0.3, read_timeout=0.5, kept=2
        )
        with pytest.raises(ConnectTimeoutError):
            post(client)
        for one in waiting:
            one.close()


@pytest.mark.parametrize(("address", "trusted"), [("127.0.0.1", True), ("192.0.2.1", True), ("127.0.0.1", False)])
def test_only_whom_its_certificate_names_is_asked(tmp_path: Path, address: str, trusted: bool) -> None:
    (tmp_path / "other").mkdir()
    certificate, other = self_signed(tmp_path, address), self_signed(tmp_path / "other", address)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with scripted([OK, OK], tls=tls) as server:
        client = HttpServer(
            f"https://127.0.0.1:{server.port}/",
            ca_file=str(certificate if trusted else other),
            connect_timeout=1.0,
            read_timeout=0.5,
            kept=2,
        )
        if trusted and address == "127.0.0.1":
            assert [post(client), post(client)] == [(200, b"{}")] * 2
        else:
            with pytest.raises(SSLError, match="certificate verify failed"):
                post(client)
            assert server.requests == []
        client.close()


def test_the_environments_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted([OK]) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        connection = Connection(
            endpoint="http://dynamodb.invalid:8000", region="us-east-1", access_key="a", secret_key="b"
        )
        assert connection.ask("ListTables", {}, orjson.loads) == {}
        assert proxy.requests[0].startswith(b"POST http://dynamodb.invalid:8000/ HTTP/1.1\r\n")
        connection.close()

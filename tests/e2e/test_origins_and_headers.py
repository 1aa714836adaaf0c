"""Who may ask from a browser, by REST, by polling and by WebSocket, and what every answer tells browsers to forbid."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.e2e.server import Server, running
from tests.e2e.wire import PATIENCE, RawWebSocket, clients, log_lines, make_conversation, save_users
from tests.transport.test_origins import REFUSED

LISTED = "https://app.example.com"
TOKEN = "SECRETO-8141"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {"SOCKET_CORS_ORIGIN": f"{LISTED},http://localhost:8080", "TRUSTED_PROXIES": "1"}
    folder = tmp_path_factory.mktemp("origins") / "server"
    with running(folder, NODE_ENV="production", AUTH_ALLOW_OPEN="yes", **env) as started:
        save_users(started.url, "ana", "luis")
        yield started
        assert TOKEN not in started.log()
        assert "Traceback" not in started.log()


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("trusting") / "server") as started:
        yield started


# ---------------------------------------------------------------- three ways in
Answer = tuple[int, dict[str, str]]


def by_rest(server: Server, headers: dict[str, str]) -> Answer:
    answer = server.get("/api/users", headers=headers)
    return answer.status_code, lowered(answer)


def by_polling(server: Server, headers: dict[str, str]) -> Answer:
    answer = server.get("/socket.io/?EIO=4&transport=polling", headers=headers)
    return answer.status_code, lowered(answer)


def by_websocket(server: Server, headers: dict[str, str]) -> Answer:
    websocket = RawWebSocket(server.url, "/socket.io/?EIO=4&transport=websocket", **headers)
    websocket.close()
    lines = [line.partition(": ") for line in websocket.head.split("\r\n")[1:]]
    return websocket.status, {name: value for name, _, value in lines}


def lowered(answer: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


WAYS = [by_rest, by_polling, by_websocket]
OK = {by_rest: 200, by_polling: 200, by_websocket: 101}
OWN = "<its own>"

ADMITTED = [LISTED, "http://localhost:8080", OWN, None, ""]


def origin_header(server: Server, origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {"Origin": server.url if origin == OWN else origin}


@pytest.mark.parametrize("origin", ADMITTED)
@pytest.mark.parametrize("way", WAYS)
def test_who_is_on_the_list_or_no_page_gets_in(
    server: Server, way: Callable[[Server, dict[str, str]], Answer], origin: str | None
) -> None:
    given = origin_header(server, origin)
    status, headers = way(server, given)
    assert status == OK[way]
    if way is by_websocket:
        return  # a page is not told: it has a WebSocket or none
    assert "origin" in headers["vary"].lower()
    assert headers.get("access-control-allow-origin") == (given.get("Origin") or None)
    assert headers.get("access-control-allow-credentials") == ("true" if given.get("Origin") else None)


@pytest.mark.parametrize("origin", REFUSED)
@pytest.mark.parametrize("way", WAYS)
def test_no_other_page_gets_in(server: Server, way: Callable[[Server, dict[str, str]], Answer], origin: str) -> None:
    status, headers = way(server, {"Origin": origin})
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert "access-control-allow-credentials" not in headers
    assert "upgrade" not in headers
    assert "origin" in headers["vary"].lower()
    assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("origin", ["null", "https://evil.com", LISTED, None])
@pytest.mark.parametrize("way", WAYS)
def test_a_star_lets_every_page_in_and_none_with_credentials(
    trusting: Server, way: Callable[[Server, dict[str, str]], Answer], origin: str | None
) -> None:
    status, headers = way(trusting, origin_header(trusting, origin))
    assert status == OK[way]
    if way is not by_websocket:
        assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


def test_a_refused_page_is_told_in_our_shape_and_logged_once(server: Server) -> None:
    for path in ("/api/users", "/socket.io/?EIO=4&transport=polling"):
        before = len(server.log())
        answer = server.get(path, headers={"Origin": "https://evil.com", "X-Request-Id": "mine-7"})
        error = answer.json()
        assert (error["statusCode"], error["code"], error["requestId"]) == (403, "origin_not_allowed", "mine-7")
        assert answer.headers["X-Request-Id"] == "mine-7"
        (line,) = [line for line in log_lines(server.log()[before:]) if line.get("request_id") == "mine-7"]
        assert (line["event"], line["code"], line["status"]) == ("request refused", "origin_not_allowed", 403)


@pytest.mark.parametrize("path", ["/api/users", "/api/messages/x", "/socket.io/?EIO=4&transport=polling", "/nothing"])
def test_a_preflight_says_what_may_be_asked_and_is_kept(server: Server, path: str) -> None:
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    answer = requests.options(server.url + path, headers={"Origin": LISTED, **asked}, timeout=PATIENCE)
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization"
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600
    refused = requests.options(server.url + path, headers={"Origin": "https://evil.com", **asked}, timeout=PATIENCE)
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_a_page_reads_errors_and_the_headers_it_needs(server: Server) -> None:
    answer = server.get("/api/users/nobody", headers={"Origin": LISTED})
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("Link", "Retry-After", "X-Request-Id", "Content-Disposition", "ETag"))


# ---------------------------------------------------------------- tokens in URLs
@pytest.mark.parametrize(
    "parameter", ["token", "access_token", "auth", "TOKEN", "api_key", "jwt", "to%6ben", "authorization"]
)
@pytest.mark.parametrize(
    "way", ["/api/users?{}", "/socket.io/?EIO=4&transport=polling&{}", "/uploads/x?a=1&{}", "/?{}"]
)
def test_a_token_in_a_url_is_refused_and_not_repeated(server: Server, way: str, parameter: str) -> None:
    answer = server.get(way.format(f"{parameter}={TOKEN}"))
    error = answer.json()
    assert (answer.status_code, error["code"]) == (400, "token_in_url")
    assert TOKEN not in answer.text
    assert TOKEN not in str(answer.headers)


def test_a_websocket_with_a_token_in_its_url_is_refused(server: Server) -> None:
    websocket = RawWebSocket(server.url, f"/socket.io/?EIO=4&transport=websocket&token={TOKEN}")
    assert websocket.status == 400
    assert "upgrade" not in websocket.head
    websocket.close()


def test_signatures_and_searches_are_no_tokens(server: Server) -> None:
    for query in ("q=token", "q=auth%3D1", "filial=token&limit=1"):
        assert server.get(f"/api/users?{query}").status_code == 200
    assert server.get("/uploads/x?sig=abc&ex=1").json()["code"] != "token_in_url"


# ---------------------------------------------------------------- headers on every answer
def file_url(server: Server) -> str:
    conversation = make_conversation(server.url, "ana", "luis")
    uploaded = server.post(
        "/api/upload", data={"conversationId": conversation, "senderId": "ana"}, files={"file": ("a.txt", b"hola")}
    )
    url: str = uploaded.json()["fileUrl"]
    return url


ALWAYS = ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")


def has_them(headers: Any) -> None:
    for name in ALWAYS:
        assert headers.get(name), name
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] in ("same-origin", "cross-origin")
    assert "Server" not in headers
    assert "X-Powered-By" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/api/users", 200),
        ("HEAD", "/api/users", 200),
        ("OPTIONS", "/api/users", 200),
        ("PUT", "/api/users", 405),
        ("POST", "/api/users", 415),
        ("GET", "/api/users/nobody", 404),
        ("GET", "/api/users?limit=x", 400),
        ("GET", "/nothing", 404),
        ("GET", "/api/docs", 308),
        ("GET", "/api/docs/", 200),
        ("GET", "/api/docs/swagger-ui.css", 200),
        ("GET", "/api/openapi.json", 200),
        ("GET", "/uploads/none", 404),
        ("GET", "/api/users?token=x", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling", 200),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=none", 400),
        ("GET", "/socket.io/?EIO=3&transport=polling", 400),
        ("PUT", "/socket.io/?EIO=4&transport=polling", 405),
    ],
)
def test_every_answer_has_the_headers(server: Server, method: str, path: str, status: int) -> None:
    answer = requests.request(method, server.url + path, timeout=PATIENCE, allow_redirects=False)
    assert answer.status_code == status
    has_them(answer.headers)


def test_downloads_may_stand_in_other_pages_and_do_nothing(server: Server) -> None:
    url = file_url(server)
    for answer in (server.get(url), server.get(url, headers={"Range": "bytes=1-2"}), server.get("/uploads/none")):
        has_them(answer.headers)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "script-src" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (
            b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nz\r\n",
            400,
        ),
        (
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n\r\n",
            400,
        ),
    ],
)
def test_answers_below_the_application_have_the_headers(server: Server, request_bytes: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, _ = answer.decode().partition("\r\n\r\n")
    assert int(head.split(" ")[1]) == status
    has_them(requests.structures.CaseInsensitiveDict(line.split(": ", 1) for line in head.split("\r\n")[1:]))


# ---------------------------------------------------------------- TLS
def test_production_asks_for_tls_for_ever_when_it_came_over_tls(server: Server) -> None:
    for path in ("/healthz", "/nothing", "/socket.io/?EIO=4&transport=polling"):
        over_tls = server.get(path, headers={"X-Forwarded-Proto": "https"})
        assert over_tls.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Strict-Transport-Security" not in server.get(path).headers
        assert "Strict-Transport-Security" not in server.get(path, headers={"X-Forwarded-Proto": "http"}).headers


def test_without_production_or_a_trusted_proxy_nobody_is_told_so(trusting: Server) -> None:
    answer = trusting.get("/healthz", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in answer.headers


def test_socket_clients_without_origin_work_as_ever(server: Server) -> None:
    for transport in ("polling", "websocket"):
        with clients(server.url, "ana", transport=transport) as (ana,):
            ana.ok("user_status", {"userId": "ana", "status": "away"})

"""A real server is given every kind of secret in every place, and repeats none, in its log or in an answer."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.e2e.server import Server, free_port, running
from tests.e2e.wire import (
    PATIENCE,
    Client,
    Gone,
    RawWebSocket,
    Refused,
    clients,
    log_lines,
    make_conversation,
    save_users,
)
from tests.engines.redis import RedisEngine

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2VjcmV0LXNpZ25hdHVyZQ"
API_KEY = "ck_" + "Ab-_" * 10 + "xyz"
SIGNATURE = "firma-6f1c9a0b7d"
REDIS_PASSWORD = "redis/p@ss:3392"
AWS_SECRET = "aws-secret/9920+key"

QUERY = "busqueda-5527"
"""No secret, but nobody's business either."""

TOKENS = (JWT, API_KEY)
SECRETS = (*TOKENS, SIGNATURE, REDIS_PASSWORD, AWS_SECRET)


def forms(secret: str) -> set[str]:
    """As it may be written somewhere."""
    encoded = base64.b64encode(f"ana:{secret}".encode()).decode()
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], encoded}


def leaked(text: str) -> list[str]:
    return [form for secret in SECRETS for form in forms(secret) if form in text]


class Conversation:
    """Everything that the server has answered."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answers: list[str] = []

    def ask(self, method: str, path: str, **kwargs: Any) -> int:
        answer = requests.request(method, self.server.url + path, timeout=PATIENCE, allow_redirects=False, **kwargs)
        self.answers.append(f"{answer.headers}\n{answer.text}")
        return answer.status_code

    def raw(self, request: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while more := connection.recv(65536):
                    self.answers.append(more.decode("latin-1"))

    def connect(self, transport: str, auth: Any, raw: str | None = None, **headers: str) -> None:
        client = Client(self.server.url, transport, connect=False, headers=headers)
        try:
            client.send("40" + (json.dumps(auth) if raw is None else raw))
            client.connected()
            for event in ("user_join", "send_message", "no_such_event"):
                client.call(event, {"userId": {"token": auth}, "token": auth})
            client.emit("send_message", auth)
            client.expect("error")
        except (Refused, Gone) as exc:
            self.answers.append(repr(getattr(exc, "data", exc)))
        finally:
            client.close()
            self.answers += [str(packet) for packet in client.packets]


@pytest.fixture(scope="module", params=["json", "text"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its Redis goes while it runs, and its bucket was never there: engines fail too."""
    redis = RedisEngine(free_port(), password=REDIS_PASSWORD)
    redis.start()
    env = {
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": request.param,
        "REDIS_URL": f"redis://:{quote(REDIS_PASSWORD, safe='')}@127.0.0.1:{redis.port}/0",
        "RATE_LIMIT_ENABLED": "on",
        "RATE_LIMIT_CONNECTIONS": "off",
        "FILE_STORAGE_TYPE": "s3",
        "FILE_STORAGE_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    }
    try:
        with running(tmp_path_factory.mktemp("secrets") / "server", **env) as started:
            save_users(started.url, "ana", "luis")
            yield started
            redis.stop()
            with clients(started.url, "ana") as (ana,):
                ana.call("user_status", {"userId": "ana", "status": "busy"})
            wait_for(started, "the bus is away")
            assert leaked(started.get("/readyz").text) == []
        assert leaked(started.log()) == []
        assert "SCAN-ME" in started.log(), "that somebody asked is logged"
        assert QUERY not in started.log(), "and not what for"
        if request.param == "json":
            assert {line["logger"].partition(".")[0] for line in log_lines(started.log())} == {"chatapp"}
    finally:
        redis.stop()


def wait_for(server: Server, event: str) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while event not in server.log():
        assert time.monotonic() < give_up_at, server.log()[-3000:]
        time.sleep(0.05)


@pytest.fixture
def said(server: Server) -> Iterator[Conversation]:
    conversation = Conversation(server)
    yield conversation
    assert conversation.answers
    assert leaked("\n".join(conversation.answers)) == []
    assert leaked(server.log()) == []


@pytest.mark.parametrize("token", TOKENS)
def test_by_authorization(said: Conversation, token: str) -> None:
    basic = base64.b64encode(f"ana:{token}".encode()).decode()
    for value in (f"Bearer {token}", f"ApiKey {token}", f"Basic {basic}", token, f"Bearer {token}, Bearer x"):
        headers = {"Authorization": value, "Cookie": f"session={token}", "X-Api-Key": token}
        said.ask("GET", f"/api/users?q={QUERY}", headers={**headers, "X-Request-Id": "SCAN-ME"})
        said.ask("GET", "/api/users/nobody", headers=headers)
        said.ask("GET", "/api/users?limit=x", headers=headers)
        said.ask("PUT", "/api/users", headers=headers)
        said.ask("POST", "/api/users", data=b"{", headers={**headers, "Content-Type": "application/json"})
        said.ask("POST", "/api/users", data=b" " * 2_000_000, headers={**headers, "Content-Type": "application/json"})
        said.ask("GET", "/readyz", headers=headers)
        said.ask("GET", "/socket.io/?EIO=4&transport=polling", headers=headers)
        said.ask("GET", "/socket.io/?EIO=3&transport=polling", headers=headers)
        said.ask("GET", "/api/users", headers={**headers, "X-Request-Id": f"x {token}"})


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_by_the_handshake_and_by_events(said: Conversation, transport: str, token: str) -> None:
    for auth in ({"token": token}, {"userId": "ana", "token": token}, {"userId": {"token": token}}, token, [token]):
        said.connect(transport, auth, Authorization=f"Bearer {token}")
    said.connect(transport, token, raw=f'{{"token":"{token}"')


@pytest.mark.parametrize("secret", [*TOKENS, SIGNATURE])
def test_by_a_query(said: Conversation, secret: str) -> None:
    for name in ("token", "access_token", "auth"):
        assert said.ask("GET", f"/api/users?{name}={secret}") == 400
        assert said.ask("GET", f"/socket.io/?EIO=4&transport=polling&{name}={secret}") == 400
    for path in ("/uploads/none", "/api/files/none"):
        assert said.ask("GET", f"{path}?exp=1&sig={secret}") >= 400
    assert said.ask("GET", f"/socket.io/?EIO=4&transport=polling&sid=none&sig={secret}") == 400
    websocket = RawWebSocket(said.server.url, f"/socket.io/?EIO=4&transport=websocket&token={secret}")
    websocket.close()
    said.answers.append(websocket.head)


@pytest.mark.parametrize("token", TOKENS)
def test_by_what_is_no_http(said: Conversation, token: str) -> None:
    credentials = f"Authorization: Bearer {token}\r\n".encode()
    for head in (
        b"rubbish %s\r\n\r\n" % token.encode(),
        b"GET /api/users HTTP/9.9\r\n" + credentials + b"\r\n",
        b"GET /api/users?token=" + token.encode() + b" HTTP/1.1\r\nHost x\r\n" + credentials + b"\r\n",
        b"POST /api/users HTTP/1.1\r\nHost: x\r\n" + credentials + b"Content-Length: x\r\n\r\n",
        b"POST /api/users HTTP/1.1\r\nHost: x\r\n" + credentials + b"Transfer-Encoding: chunked\r\n\r\nz\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + credentials * 150 + b"\r\n",
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n" + credentials + b"\r\n",
    ):
        said.raw(head)


def test_by_an_engine_that_is_down(said: Conversation) -> None:
    conversation = make_conversation(said.server.url, "ana", "luis")
    form = {"conversationId": conversation, "senderId": "ana"}
    status = said.ask("POST", "/api/upload", data=form, files={"file": ("a.txt", b"hola")})
    assert status == 503
    assert said.ask("GET", "/readyz") == 503
    (line,) = [line for line in said.server.log().splitlines() if "engine failed" in line][-1:]
    assert re.search("s3", line), "the operator learns which"


def test_by_a_start_that_fails(tmp_path: Path) -> None:
    env = {
        "DYNAMODB_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "REDIS_URL": f"redis://:{quote(REDIS_PASSWORD, safe='')}@127.0.0.1:{free_port()}/0",
        "LOG_LEVEL": "debug",
    }
    server = Server(tmp_path / "server", **env)
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert "store_unavailable" in server.log()
    assert leaked(server.log()) == []

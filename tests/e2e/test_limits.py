"""The limits of the contract, over every way of sending; whoever is limited is told so, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.server import Server, running
from tests.e2e.wire import Client, Refused, clients, make_conversation, save_users, text_message

ON = {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_CONNECTIONS": "1000/minute"}
TEXT_FILE = {"file": ("nota.txt", b"hola", "text/plain")}
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The document's own limits, but for connections."""
    with running(tmp_path_factory.mktemp("limits") / "server", **ON) as started:
        yield started


class Talk:
    """Two users nobody else has, and their conversation: a bucket of their own."""

    count = 0

    def __init__(self, server: Server) -> None:
        Talk.count += 1
        self.server = server
        self.sender, self.reader = f"sender{Talk.count}", f"reader{Talk.count}"
        save_users(server.url, self.sender, self.reader)
        self.conversation = make_conversation(server.url, self.sender, self.reader)

    def message(self, content: str = "hola", **more: Any) -> dict[str, Any]:
        return text_message(self.conversation, self.sender, content, **more)

    def upload(self) -> requests.Response:
        form = {"senderId": self.sender, "conversationId": self.conversation}
        return self.server.post("/api/upload", data=form, files=TEXT_FILE)


@pytest.fixture
def talk(server: Server) -> Talk:
    return Talk(server)


def assert_limited(answer: dict[str, Any], limit: str) -> int:
    """How long to wait, in ms."""
    assert answer["ok"] is False
    error = answer["error"]
    assert error["code"] == "rate_limited"
    assert error["details"]["limit"] == limit
    wait: int = error["retryAfterMs"]
    assert error["details"]["retryAfterMs"] == wait
    assert isinstance(wait, int)
    return wait


def test_ten_messages_a_minute_over_every_way_of_sending(talk: Talk) -> None:
    with clients(talk.server.url, talk.sender) as (client,):
        first = client.ok("send_message", talk.message())
        for number in range(4):
            client.ok("send_message", talk.message(f"mensaje {number}"))
        for number in range(3):
            client.ok("send_reply", talk.message(f"respuesta {number}", replyTo=first["id"]))
        for _ in range(2):
            assert talk.upload().status_code == 201
        assert 50_000 < assert_limited(client.call("send_message", talk.message()), "messages") <= MINUTE_MS
        assert_limited(client.call("send_reply", talk.message(replyTo=first["id"])), "messages")
        assert client.expect("reply_error")["code"] == "rate_limited"
        answer = talk.upload()
        assert answer.status_code == 429
        assert 50 < int(answer.headers["Retry-After"]) <= 60
        assert (answer.json()["code"], answer.json()["details"]["limit"]) == ("rate_limited", "messages")
        stored = talk.server.get(f"/api/messages/{talk.conversation}").json()
        assert len(stored) == 10


def test_a_limited_socket_stays_open_and_hears_of_it_without_acknowledgement(talk: Talk) -> None:
    with clients(talk.server.url, talk.sender, talk.reader) as (client, reader):
        for _ in range(10):
            client.ok("send_message", talk.message())
        client.emit("send_message", talk.message())
        error = client.expect("error")
        assert (error["event"], error["code"]) == ("send_message", "rate_limited")
        assert 0 < error["retryAfterMs"] <= MINUTE_MS
        client.ok("join_room", {"conversationId": talk.conversation, "userId": talk.sender})
        client.ok("user_status", {"userId": talk.sender, "status": "away"})
        answered = reader.ok("send_message", text_message(talk.conversation, talk.reader))  # has a bucket of their own
        assert client.expect("message_received")["id"] == answered["id"]


def test_all_sockets_of_a_user_take_from_one_bucket(talk: Talk) -> None:
    with (
        clients(talk.server.url, talk.sender, transport="polling") as (first,),
        clients(talk.server.url, talk.sender) as (second,),
    ):
        for client in (first, second) * 5:
            client.ok("send_message", talk.message())
        assert_limited(first.call("send_message", talk.message()), "messages")
        assert_limited(second.call("send_message", talk.message()), "messages")


def test_reading_and_typing_and_refusals_of_the_form_never_count(talk: Talk) -> None:
    with clients(talk.server.url, talk.sender) as (client,):
        client.ok("join_room", {"conversationId": talk.conversation, "userId": talk.sender})
        about = {"conversationId": talk.conversation, "userId": talk.sender}
        for _ in range(30):
            client.ok("mark_messages_as_read", about)
            client.ok("typing_start", about)
            assert client.call("send_message", {"content": 7})["error"]["code"] == "invalid_data"
        for _ in range(10):
            client.ok("send_message", talk.message())
        assert_limited(client.call("send_message", talk.message()), "messages")
        for _ in range(30):
            client.ok("mark_messages_as_read", about)


def test_five_files_a_minute(talk: Talk) -> None:
    for _ in range(5):
        assert talk.upload().status_code == 201
    answer = talk.upload()
    assert answer.status_code == 429
    assert answer.json()["details"]["limit"] == "files"
    assert 50 < int(answer.headers["Retry-After"]) <= 60
    with clients(talk.server.url, talk.sender) as (client,):
        client.ok("send_message", talk.message())  # messages have another bucket


def test_files_that_are_only_stored_count_by_address(tmp_path: Path) -> None:
    with running(tmp_path / "server", **ON) as server:
        for _ in range(5):
            assert server.post("/api/upload", files=TEXT_FILE).status_code == 201
        assert server.post("/api/upload", files=TEXT_FILE).status_code == 429


def test_a_limit_frees_up_after_the_told_wait(tmp_path: Path) -> None:
    with running(tmp_path / "server", RATE_LIMIT_ENABLED="on", RATE_LIMIT_MESSAGES="2/second") as server:
        talk = Talk(server)
        with clients(server.url, talk.sender) as (client,):
            sent, waits = 0, []
            while sent < 6:
                answer = client.call("send_message", talk.message())
                if answer["ok"]:
                    sent += 1
                    continue
                waits.append(assert_limited(answer, "messages"))
                assert 0 < waits[-1] <= 1000
                time.sleep(waits[-1] / 1000)  # what the server asked for: no luck in it
                client.ok("send_message", talk.message())  # and then there is room
                sent += 1
            assert waits


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Three connections a minute for each address; one proxy stands in front."""
    env = {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_CONNECTIONS": "3/minute", "TRUSTED_PROXIES": "1"}
    with running(tmp_path_factory.mktemp("limits") / "narrow", **env) as started:
        yield started


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_too_many_connections_are_refused_and_the_others_live_on(narrow: Server, transport: str) -> None:
    address = {"X-Forwarded-For": f"198.51.100.{len(transport)}"}
    opened = [Client(narrow.url, transport, headers=address) for _ in range(3)]
    try:
        for _ in range(2):
            late = Client(narrow.url, transport, headers=address, connect=False)
            with pytest.raises(Refused) as refused:
                late.connect()
            late.close()
            told = refused.value.data
            assert told["message"] == "Demasiadas peticiones, espere"
            assert told["data"]["code"] == "rate_limited"
            assert 0 < told["data"]["retryAfterMs"] <= MINUTE_MS
        for number, client in enumerate(opened):
            user = {"userId": f"{transport}{number}", "name": "N", "email": "n@example.com"}
            assert client.ok("user_join", user)["id"] == f"{transport}{number}"
        elsewhere = Client(narrow.url, transport, headers={"X-Forwarded-For": "203.0.113." + str(len(transport))})
        elsewhere.close()
    finally:
        for client in opened:
            client.close()


def test_the_address_is_the_one_the_trusted_proxy_saw(narrow: Server) -> None:
    for number in range(3):  # what a client writes itself stands further left, and does not count
        Client(narrow.url, headers={"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.7"}).close()
    late = Client(narrow.url, headers={"X-Forwarded-For": "10.0.0.99, 192.0.2.7"}, connect=False)
    with pytest.raises(Refused):
        late.connect()
    late.close()
    Client(narrow.url, headers={"X-Forwarded-For": "192.0.2.7, 192.0.2.8"}).close()


def test_without_trusted_proxies_the_header_is_the_client_s_own_word(tmp_path: Path) -> None:
    env = {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_CONNECTIONS": "2/minute"}
    with running(tmp_path / "server", **env) as server:
        for number in range(2):
            Client(server.url, headers={"X-Forwarded-For": f"192.0.2.{number}"}).close()
        late = Client(server.url, headers={"X-Forwarded-For": "192.0.2.99"}, connect=False)
        with pytest.raises(Refused):
            late.connect()
        late.close()
        assert server.get("/healthz").status_code == 200


def test_off_means_no_limits_at_all(tmp_path: Path) -> None:
    with running(tmp_path / "server", RATE_LIMIT_ENABLED="off", RATE_LIMIT_CONNECTIONS="1/minute") as server:
        talk = Talk(server)
        for _ in range(3):
            with clients(server.url, talk.sender) as (client,):
                for _ in range(11):
                    client.ok("send_message", talk.message())
        for _ in range(6):
            assert talk.upload().status_code == 201

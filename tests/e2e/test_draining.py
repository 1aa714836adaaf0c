"""How a worker that stops parts with its clients: told beforehand, one after the other, and until then all goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import requests

from chatapp.transport.sockets.draining import CLOSINGS_PER_SECOND, NOTICE_SECONDS
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_process import wait_until_received
from tests.e2e.wire import PATIENCE, Client, clients, joined, make_conversation, save_users, text_message
from tests.engines.redis import running_redis

WEBSOCKETS, POLLING = 60, 20
LATE_SECONDS = 1.5
"""What a busy machine may add to a closing."""
QUICK_SECONDS = 6.0
"""A stop that waits for an open request takes 20."""


def told(client: Client) -> float:
    """In how many seconds its socket will be closed."""
    return float(client.expect("server_draining")["reconnectInMs"]) / 1000


@contextmanager
def opened(server: Server, count: int, transport: str) -> Iterator[list[Client]]:
    made: list[Client] = []
    try:
        for _ in range(count):
            made.append(Client(server.url, transport))
        yield made
    finally:
        for client in made:
            client.close()


def test_each_socket_is_told_when_it_will_be_closed_and_works_until_then(tmp_path: Path) -> None:
    server = Server(tmp_path / "server").start()
    save_users(server.url, "ana", "luis")
    conversation = make_conversation(server.url, "ana", "luis")
    with opened(server, WEBSOCKETS, "websocket") as websockets, opened(server, POLLING, "polling") as polling:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        moments = {client: told(client) for client in (*websockets, *polling)}
        ana, luis = (max(group, key=lambda client: moments[client]) for group in (websockets, polling))
        for client, user_id in ((ana, "ana"), (luis, "luis")):
            client.ok("user_join", {"userId": user_id, "name": user_id, "email": f"{user_id}@example.com"})
            client.ok("join_room", {"conversationId": conversation, "userId": user_id})
        sent = [
            client.ok("send_message", text_message(conversation, user_id, user_id))
            for client, user_id in ((luis, "luis"), (ana, "ana"))
        ]
        for client in (ana, luis):
            assert [client.expect("message_received")["id"] for _ in sent] == [message["id"] for message in sent]
        with pytest.raises(requests.ConnectionError):
            server.get("/healthz")
        for client in sorted(moments, key=lambda client: moments[client]):
            client.wait_until_ended()
            took = time.monotonic() - began
            assert moments[client] <= took < moments[client] + LATE_SECONDS
            assert "41" not in client.packets, "the stock client does not come back after a DISCONNECT"
            assert ("1" in client.packets) == (client in polling)
        assert server.process.wait(PATIENCE) == 0
    spread = len(moments) / CLOSINGS_PER_SECOND
    quarters = [int((moment - NOTICE_SECONDS) / spread * 4) for moment in moments.values()]
    assert sorted(set(quarters)) == [0, 1, 2, 3]
    assert all(quarters.count(quarter) >= len(moments) / 8 for quarter in range(4)), quarters
    with running(server.folder) as again:
        assert again.get(f"/api/messages/{conversation}").json() == sent
    assert "Traceback" not in server.log()


def handshake(connection: requests.Session, server: Server) -> int:
    return connection.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE).status_code


def test_a_stopping_worker_takes_no_new_session_on_an_old_connection(tmp_path: Path) -> None:
    server = Server(tmp_path / "server").start()
    with opened(server, 100, "websocket") as websockets, opened(server, 1, "polling") as (polling,):
        server.process.send_signal(signal.SIGTERM)
        told(websockets[0])
        told(polling)
        assert handshake(polling.transport._telling, server) == 503
        with pytest.raises(requests.ConnectionError):
            handshake(polling.transport._telling, server)
        assert server.process.wait(PATIENCE) == 0


# ---------------------------------------------------------------- in a hurry
@contextmanager
def begun(server: Server, *, body: bytes, sent: int) -> Iterator[socket.socket]:
    """A request of which the server has read no more than so much."""
    head = (
        f"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + body[:sent])
        wait_until_received(connection)
        yield connection


PERSON = json.dumps({"id": "ana", "name": "Ana", "email": "ana@example.com"}).encode()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT], ids=lambda number: number.name)
def test_a_second_signal_ends_quickly(tmp_path: Path, second: signal.Signals) -> None:
    server = Server(tmp_path / "server").start()
    with begun(server, body=PERSON, sent=10) as never_ends, closing(Client(server.url)) as client:
        server.process.send_signal(signal.SIGTERM)
        client.wait_until_ended()
        time.sleep(1.1 if second is signal.SIGTERM else 0)  # sooner it would be the first one, told twice
        assert server.process.poll() is None, "it waits for the request"
        began = time.monotonic()
        assert server.stop(second) == 0
        assert time.monotonic() - began < QUICK_SECONDS
        assert never_ends.recv(4096) == b""
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
def test_sigint_and_sigquit_part_with_all_at_once(tmp_path: Path, first: signal.Signals) -> None:
    server = Server(tmp_path / "server").start()
    with opened(server, 50, "websocket") as all_:
        began = time.monotonic()
        server.process.send_signal(first)
        assert [told(client) for client in all_] == [0] * len(all_)
        for client in all_:
            client.wait_until_ended()
        assert server.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < QUICK_SECONDS


def test_a_stop_that_every_process_is_told_is_one(tmp_path: Path) -> None:
    """Heroku and honcho signal the master and its workers, and the master passes it on."""
    server = Server(tmp_path / "server").start()
    with begun(server, body=PERSON, sent=10) as connection, closing(Client(server.url)) as client:
        began = time.monotonic()
        for pid in (*server.workers(), server.process.pid):
            os.kill(pid, signal.SIGTERM)
        due = told(client)
        client.wait_until_ended()
        assert time.monotonic() - began >= due > 0
        connection.sendall(PERSON[10:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        assert server.process.wait(PATIENCE) == 0


# ---------------------------------------------------------------- one of several
def owner(client: Client) -> int:
    return int(str(client.sid).partition(".")[0], 16)


def test_a_retired_worker_s_polling_clients_go_on_through_its_sibling(tmp_path: Path) -> None:
    """Each request on a connection of its own: the sibling takes it and hands it over until the session ends."""
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(free_port()))
        server = stack.enter_context(running(tmp_path / "server", WEB_CONCURRENCY="2", REDIS_URL=redis.url))
        save_users(server.url, "ana", "luis")
        conversation = make_conversation(server.url, "ana", "luis")
        polling: list[Client] = []
        while len(polling) < 60 or len({owner(client) for client in polling}) < 2:
            polling.append(joined(server.url, "ana", "polling", headers={"Connection": "close"}))
            stack.callback(polling[-1].close)
        idle = stack.enter_context(opened(server, 240, "websocket"))  # to drain for longer than a second
        began = time.monotonic()
        server.process.send_signal(signal.SIGTTOU)
        give_up_at = time.monotonic() + PATIENCE
        while not (
            moved := [client for client in polling if any(name == "server_draining" for name, _ in client.seen)]
        ):
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        (retired,) = {owner(client) for client in moved}
        last = max((client for client in polling if owner(client) == retired), key=told)
        sent = last.ok("send_message", text_message(conversation, "ana"))
        for client in (client for client in polling if owner(client) == retired):
            client.wait_until_ended()
            assert client.packets[-1] == "1"
        moments = {client: told(client) for client in idle if owner(client) == retired}
        for client in sorted(moments, key=lambda client: moments[client]):
            client.wait_until_ended()
            assert time.monotonic() - began >= moments[client], "the master said it again, and somebody hurried"
        assert max(moments.values()) > 1
        with clients(server.url, "luis", transport="polling") as (luis,):
            assert owner(luis) != retired
            assert luis.expect("unread_message_private")["messageId"] == sent["id"]
        for client in (client for client in polling if owner(client) != retired):
            client.ok("user_status", {"userId": "ana", "status": "away"})
            assert all(name != "server_draining" for name, _ in client.seen)
        while retired in server.workers():
            assert time.monotonic() < give_up_at + PATIENCE
            time.sleep(0.05)
    assert "Traceback" not in server.log()

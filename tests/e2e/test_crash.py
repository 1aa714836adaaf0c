"""An acknowledged message survives ``kill -9``, once, in order; a retry after it never doubles one."""

from __future__ import annotations

import os
import queue
import resource
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server, running
from tests.e2e.wire import (
    PATIENCE,
    Client,
    Gone,
    clients,
    joined,
    log_lines,
    make_conversation,
    save_users,
    text_message,
)

SENDERS = ("ana", "luis", "eva")
BURST = 150
"""Messages of one sender in one round, more than are answered before the kill."""


class Burst:
    """One client that sends without waiting, and notes what was acknowledged and as what."""

    def __init__(self, url: str, sender: str, conversations: list[str], round_: int) -> None:
        self.sender = sender
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self._client = joined(url, sender, "polling" if sender == "eva" else "websocket")
        self.messages = [
            text_message(
                conversations[number % len(conversations)],
                sender,
                f"{round_}/{sender}/{number}",
                clientMessageId=f"{sender}-{round_}-{number}",
            )
            for number in range(BURST)
        ]
        self._thread = threading.Thread(target=self._send, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _send(self) -> None:
        waiting: list[tuple[str, queue.SimpleQueue[Any]]] = []
        try:
            for message in self.messages:
                waiting.append((message["clientMessageId"], self._client.begin("send_message", message)))
                self._collect(waiting)
        except Gone:
            pass
        while not self._client.ended.wait(0.005):
            self._collect(waiting)
        self._collect(waiting)

    def _collect(self, waiting: list[tuple[str, queue.SimpleQueue[Any]]]) -> None:
        while waiting:
            key, arrived = waiting[0]
            try:
                answer = arrived.get_nowait()
            except queue.Empty:
                return
            waiting.pop(0)
            if not isinstance(answer, Exception):
                assert answer["ok"], answer
                self.acknowledged[key] = answer["data"]

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._client.close()


def history(server: Server, conversation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = server.get(f"/api/messages/{conversation}?limit=500&after={len(found)}").json()
        if not page:
            return found
        found += page


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.005)


def check_stored(server: Server, conversations: list[str], bursts: list[Burst]) -> None:
    stored: dict[str, dict[str, Any]] = {}
    for conversation in conversations:
        messages = history(server, conversation)
        assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
        for message in messages:
            assert message["clientMessageId"] not in stored, "stored twice"
            stored[message["clientMessageId"]] = message
        for burst in bursts:
            of_one = [
                m["content"]
                for m in messages
                if m["senderId"] == burst.sender
                and m["clientMessageId"] in {sent["clientMessageId"] for sent in burst.messages}
            ]
            assert of_one == sorted(of_one, key=lambda content: int(content.rpartition("/")[2])), "out of order"
    for burst in bursts:
        for key, acknowledged in burst.acknowledged.items():
            assert stored[key] == acknowledged


@pytest.mark.parametrize("after", [0, 30, 200])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, after: int) -> None:
    server = Server(tmp_path / "server")
    server.start()
    try:
        save_users(server.url, *SENDERS)
        private = make_conversation(server.url, "ana", "luis")
        group = make_conversation(server.url, "ana", "luis", "eva", group=True)
        everything: list[Burst] = []
        for round_ in range(2):
            bursts = [
                Burst(server.url, sender, [group] if sender == "eva" else [private, group], round_)
                for sender in SENDERS
            ]
            everything += bursts
            for burst in bursts:
                burst.start()
            wait_for(partial(enough, bursts, after), f"{after} acknowledged")
            server.kill()
            for burst in bursts:
                burst.end()
            server.start()
            check_stored(server, [private, group], everything)
            retry_all(server, bursts)
            check_stored(server, [private, group], everything)
        total = sum(len(history(server, conversation)) for conversation in (private, group))
        assert total == 2 * BURST * len(SENDERS)
    finally:
        server.stop()


def enough(bursts: list[Burst], count: int) -> bool:
    return sum(len(burst.acknowledged) for burst in bursts) >= count


def retry_all(server: Server, bursts: list[Burst]) -> None:
    """Every send again with its key, acknowledged before or not."""
    for burst in bursts:
        with clients(server.url, burst.sender) as (client,):
            waiting = [(message, client.begin("send_message", message)) for message in burst.messages]
            for message, arrived in waiting:
                answer = arrived.get(timeout=PATIENCE)
                assert answer["ok"], answer
                before = burst.acknowledged.setdefault(message["clientMessageId"], answer["data"])
                assert answer["data"] == before


def test_a_worker_that_dies_is_replaced_and_clients_go_on(tmp_path: Path) -> None:
    with running(tmp_path / "server") as server:
        save_users(server.url, "ana", "luis")
        conversation = make_conversation(server.url, "ana", "luis")
        with clients(server.url, "ana") as (client,):
            first = client.ok("send_message", text_message(conversation, "ana", "antes"))
            (worker,) = server.workers()
            os.kill(worker, signal.SIGKILL)
            client.wait_until_ended()
        wait_for(lambda: [pid for pid in server.workers() if pid != worker] != [], "a new worker")
        with clients(server.url, "ana", "luis") as (ana, luis):
            luis.ok("join_room", {"conversationId": conversation, "userId": "luis"})
            second = ana.ok("send_message", text_message(conversation, "ana", "después"))
            luis.expect("message_received", lambda message: message["id"] == second["id"])
        assert [message["id"] for message in history(server, conversation)] == [first["id"], second["id"]]


def test_a_full_disk_refuses_messages_and_loses_none(tmp_path: Path) -> None:
    """RLIMIT_FSIZE is the disk: SQLite's write past it fails as on a full one."""
    with running(tmp_path / "server") as server:
        save_users(server.url, "ana", "luis")
        conversation = make_conversation(server.url, "ana", "luis")
        (worker,) = server.workers()
        with clients(server.url, "ana", "luis") as (ana, luis):
            luis.ok("join_room", {"conversationId": conversation, "userId": "luis"})
            stored = [ana.ok("send_message", text_message(conversation, "ana", "cabe"))]
            before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
            room = max(path.stat().st_size for path in server.folder.glob("chat.db*"))
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (room + 8192, before[1]))
            refused = fill(ana, conversation, stored)
            assert refused["code"] == "store_unavailable"
            assert refused["details"] == {}
            answer = server.post("/api/users", json={"name": "x" * 200, "email": "nueva@example.com"})
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert "sqlite" not in answer.text.lower()
            assert [message["id"] for message in history(server, conversation)] == [sent["id"] for sent in stored]
            resource.prlimit(worker, resource.RLIMIT_FSIZE, before)
            stored.append(ana.ok("send_message", text_message(conversation, "ana", "cabe otra vez")))
            for sent in stored:
                luis.expect("message_received", lambda message, sent=sent: message["id"] == sent["id"])  # type: ignore[misc]
        assert [message["seq"] for message in history(server, conversation)] == list(range(1, len(stored) + 1))
        assert "Traceback" not in server.log()
        failed = [line for line in log_lines(server.log()) if line.get("code") == "store_unavailable"]
        assert {line["event"] for line in failed} == {"event refused", "request"}
    (refusal,) = [line for line in failed if line["event"] == "event refused"]
    assert refusal["level"] == "error"
    assert refusal["cause"].startswith("OperationalError")


def fill(client: Client, conversation: str, stored: list[dict[str, Any]]) -> dict[str, Any]:
    """Send until one is refused; the error."""
    for _ in range(50):
        answer = client.call("send_message", text_message(conversation, "ana", "x" * 4000))
        if not answer["ok"]:
            error: dict[str, Any] = answer["error"]
            return error
        stored.append(answer["data"])
    raise AssertionError("the disk never filled")


def test_a_store_that_cannot_be_opened_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "chat.db").write_bytes(b"this is no database" * 1000)
    server = Server(tmp_path / "server")
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert server.process.wait(PATIENCE) != 0
    assert "chat.db" in server.log()
    assert "Traceback" not in server.log()

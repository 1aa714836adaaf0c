"""Connection state recovery over real workers: the stock client loses its network and comes back to any of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.e2e.clients_run import CLIENTS
from tests.e2e.server import Server, running
from tests.e2e.test_cluster import until, until_ready, worker_of
from tests.e2e.wire import PATIENCE, Client, clients, joined, log_lines, make_conversation, person, text_message
from tests.engines.redis import RedisEngine

WORKERS = 3
SHORT_SECONDS = 1


@pytest.fixture(scope="module")
def cluster(engine: RedisEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cluster") / "server"
    with running(folder, WEB_CONCURRENCY=str(WORKERS), REDIS_URL=engine.url) as server:
        until(lambda: len(server.workers()) == WORKERS, "all workers run")
        until_ready(server)
        yield server


class Wanderer:
    def __init__(self, process: subprocess.Popen[str], server: Server) -> None:
        self._process = process
        self._server = server
        self._connections = 0
        self.id = ""

    def order(self, *words: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        outcome = json.loads(self._process.stdout.readline())
        assert "failed" not in outcome, f"{outcome['failed']}\n\nthe server's log ends:\n{self._server.log()[-3000:]}"
        return outcome["done"]

    def connect(self) -> bool:
        """Whether it was recovered."""
        outcome = self.order("connect")
        assert not outcome["recovered"] or outcome["id"] == self.id
        self.id = outcome["id"]
        return bool(outcome["recovered"])

    def ok(self, event: str, payload: Any) -> Any:
        answer = self.order("ask", event, payload)
        assert answer["ok"], answer
        return answer["data"]

    def messages(self) -> list[str]:
        return [body["content"] for name, body in self.order("heard") if name == "message_received"]

    def connections(self) -> list[int]:
        """The workers that it was connected to under its present id, in order."""
        lines = log_lines(self._server.log())
        return [int(line["process"]) for line in lines if line.get("connection_id") == self.id and _connects(line)]


def _connects(line: dict[str, Any]) -> bool:
    return bool(line["event"] == "connected")


@contextmanager
def wanderer(server: Server, user_id: str, transport: str = "default") -> Iterator[Wanderer]:
    """Connected and joined."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env |= {"BASE_URL": server.url, "TRANSPORT": transport}
    with subprocess.Popen(
        ["node", "wanderer.mjs"], cwd=CLIENTS, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            client = Wanderer(process, server)
            assert client.connect() is False
            client.ok("user_join", person(user_id))
            yield client
            assert process.stdin is not None
            process.stdin.write('["stop"]\n')
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def room(server: Server, client: Wanderer, sender: str, user_id: str) -> str:
    conversation = make_conversation(server.url, sender, user_id, group=True)
    client.ok("join_room", {"conversationId": conversation, "userId": user_id})
    client.order("heard")
    return conversation


# ---------------------------------------------------------------- over several workers
@pytest.mark.parametrize("transport", ["websocket", "polling", "default"])
def test_it_goes_on_at_whichever_worker_it_comes_to(cluster: Server, transport: str) -> None:
    """Somebody writes all the time, and everything arrives once and in order."""
    ana, bea = f"ana-{transport}", f"bea-{transport}"
    with clients(cluster.url, ana) as [sender], wanderer(cluster, bea, transport) as client:
        conversation = room(cluster, client, ana, bea)
        stop = threading.Event()
        sent: list[str] = []

        def write() -> None:
            while not stop.is_set():
                sender.ok("send_message", text_message(conversation, ana, f"message {len(sent)}"))
                sent.append(f"message {len(sent)}")
                stop.wait(0.005)

        writing = threading.Thread(target=write)
        writing.start()
        heard: list[str] = []
        try:
            moves = rounds = 0
            while moves < 6:
                rounds += 1
                assert rounds < 60, "the kernel does not spread connections"
                client.order("lose")
                before = len(sent)
                until(lambda before=before: len(sent) > before + 2, "something is missed")
                assert client.connect(), f"not recovered in round {rounds}"
                heard += client.messages()
                until(lambda rounds=rounds: len(client.connections()) == rounds + 1, "it is in the log")
                one, other = client.connections()[-2:]
                moves += one != other
        finally:
            stop.set()
            writing.join()
        until(lambda: _all_heard(client, heard, sent), "everything is heard")
        assert heard == sent


def _all_heard(client: Wanderer, heard: list[str], sent: list[str]) -> bool:
    heard += client.messages()
    return len(heard) >= len(sent)


def test_everything_else_arrives_there_too(cluster: Server) -> None:
    with clients(cluster.url, "ana-all") as [ana], wanderer(cluster, "bea-all") as client:
        conversation = room(cluster, client, "ana-all", "bea-all")
        other = make_conversation(cluster.url, "ana-all", "bea-all", group=True)
        until(lambda: "group_created" in [name for name, _ in client.order("heard")], "the group is known")
        while True:
            client.order("lose")
            message = ana.ok("send_message", text_message(conversation, "ana-all", "one"))
            ana.ok("edit_message", {"messageId": message["id"], "newContent": "two", "userId": "ana-all"})
            ana.ok("typing_start", {"conversationId": conversation, "userId": "ana-all"})
            ana.ok("typing_stop", {"conversationId": conversation, "userId": "ana-all"})
            ana.ok("send_message", text_message(other, "ana-all", "elsewhere"))
            assert client.connect()
            heard = client.order("heard")
            assert [name for name, _ in heard] == [
                "message_received",
                "message_edited",
                "typing_indicator",
                "typing_indicator",
                "unread_message_group",
            ]
            until(lambda: len(client.connections()) >= 2, "it is in the log")
            one, last = client.connections()[-2:]
            if one != last:
                break


def elsewhere(server: Server, user_id: str, process: int) -> Client:
    """A client on another worker than this one."""
    while True:
        client = joined(server.url, user_id)
        if worker_of(server, client) != process:
            return client
        client.close()


def test_with_its_worker_killed_it_begins_anew(cluster: Server) -> None:
    with wanderer(cluster, "bea-killed") as client:
        old, owner = client.id, client.connections()[-1]
        ana = elsewhere(cluster, "ana-killed", owner)
        conversation = room(cluster, client, "ana-killed", "bea-killed")
        client.order("lose")
        os.kill(owner, signal.SIGKILL)
        ana.ok("send_message", text_message(conversation, "ana-killed", "missed"))
        assert client.connect() is False
        assert client.id != old
        client.ok("user_join", person("bea-killed"))
        client.ok("join_room", {"conversationId": conversation, "userId": "bea-killed"})
        client.order("heard")
        ana.ok("send_message", text_message(conversation, "ana-killed", "heard"))
        until(lambda: client.messages() == ["heard"], "the new session hears")
        ana.close()
    until(lambda: len(cluster.workers()) == WORKERS, "the killed worker is replaced")
    until_ready(cluster)


def test_after_redis_was_away_it_begins_anew(cluster: Server, engine: RedisEngine) -> None:
    """Nobody can know what its worker has not heard meanwhile."""
    with wanderer(cluster, "bea-redis") as client:
        client.order("lose")
        engine.stop()
        engine.start()
        until_ready(cluster, 60)
        assert client.connect() is False

        def goes_on() -> bool:
            client.ok("user_join", person("bea-redis"))
            client.order("lose")
            return client.connect()

        until(goes_on, "the workers have heard of each other again, and sessions go on", 10)


# ---------------------------------------------------------------- settings
def test_after_the_time_it_begins_anew(tmp_path: Path) -> None:
    with (
        running(tmp_path, CONNECTION_STATE_RECOVERY_SECONDS=str(SHORT_SECONDS)) as server,
        wanderer(server, "bea") as client,
    ):
        client.order("lose")
        assert client.connect() is True
        client.order("lose")
        time.sleep(SHORT_SECONDS + 0.2)  # the time itself
        assert client.connect() is False


def test_it_is_not_offered_when_it_is_switched_off(tmp_path: Path) -> None:
    with running(tmp_path, CONNECTION_STATE_RECOVERY_SECONDS="0") as server, wanderer(server, "bea") as client:
        client.order("lose")
        assert client.order("connect") | {"id": ""} == {"id": "", "recovered": False, "offered": False}


# ---------------------------------------------------------------- the other stock client
def test_the_python_client_gets_events_with_one_argument(tmp_path: Path) -> None:
    heard: list[tuple[Any, ...]] = []
    arrived = threading.Event()

    def take(*arguments: Any) -> None:
        heard.append(arguments)
        arrived.set()

    with running(tmp_path) as server, clients(server.url, "ana") as [ana]:
        snake = socketio.Client(reconnection=False)
        snake.on("message_received", take)
        snake.connect(server.url, transports=["polling"])
        try:
            snake.call("user_join", person("snake"))
            conversation = make_conversation(server.url, "ana", "snake", group=True)
            snake.call("join_room", {"conversationId": conversation, "userId": "snake"})
            ana.ok("send_message", text_message(conversation, "ana", "hello"))
            assert arrived.wait(PATIENCE)
        finally:
            snake.disconnect()
    assert [len(arguments) for arguments in heard] == [1]

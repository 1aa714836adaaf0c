"""Several workers behind one port, over a real Redis: one answer, and what the bus loses the store gives."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatapp.transport.sockets.draining import CLOSINGS_PER_SECOND
from tests.e2e.server import Server, running
from tests.e2e.wire import (
    PATIENCE,
    Client,
    Gone,
    Refused,
    joined,
    log_lines,
    make_conversation,
    save_users,
    text_message,
)
from tests.engines.redis import RedisEngine

WORKERS = 3
GRACE_SECONDS = 0.3
DRAIN_SECONDS = 25.0
LISTENERS, IDLE = 30, 60
OFFLINE_SECONDS = 30.0
"""A killed worker's users are offline within this."""


@pytest.fixture(scope="module")
def cluster(engine: RedisEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cluster") / "server"
    env = {"WEB_CONCURRENCY": str(WORKERS), "REDIS_URL": engine.url, "PRESENCE_GRACE_SECONDS": str(GRACE_SECONDS)}
    with running(folder, **env) as server:
        until(lambda: len(server.workers()) == WORKERS, "all workers run")
        until_ready(server)
        yield server


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.02)


def until_ready(server: Server, seconds: float = PATIENCE) -> None:
    """Every worker says so: as many good answers in a row as make it unlikely that one was not asked."""
    good = 0

    def ready() -> bool:
        nonlocal good
        good = good + 1 if server.get("/readyz").status_code == 200 else 0
        return good >= 8 * WORKERS

    until(ready, "every worker is ready", seconds)


def all_answer(server: Server, workers: int) -> bool:
    """Each new session says by whom."""
    found = set()
    for _ in range(6 * workers):
        session = server.get("/socket.io/?EIO=4&transport=polling").text
        found.add(int(json.loads(session[1:])["sid"].partition(".")[0], 16))
    return len(found) == workers


def worker_of(server: Server, client: Client) -> int:
    lines = [line for line in log_lines(server.log()) if line.get("connection_id") == client.sid]
    return int(lines[0]["process"])


@contextmanager
def spread(server: Server, *user_ids: str) -> Iterator[dict[int, list[Client]]]:
    """Clients by worker: for each user as many as it takes to have one on every worker."""
    found: defaultdict[int, list[Client]] = defaultdict(list)
    opened: list[Client] = []
    try:
        for user_id in user_ids:
            mine: dict[int, Client] = {}
            while len(mine) < WORKERS:
                opened.append(joined(server.url, user_id))
                assert len(opened) < 60 * len(user_ids), "the kernel does not spread connections"
                mine.setdefault(worker_of(server, opened[-1]), opened[-1])
            for pid, client in mine.items():
                found[pid].append(client)
        yield found
    finally:
        for client in opened:
            client.close()


@contextmanager
def one_each(server: Server, *user_ids: str) -> Iterator[list[Client]]:
    """A client for each user, no two neighbours on the same worker."""
    opened: list[Client] = []
    try:
        last = tries = 0
        for user_id in user_ids:
            while True:
                client = joined(server.url, user_id)
                pid = worker_of(server, client)
                tries += 1
                assert tries < 60 * len(user_ids), "the kernel does not spread connections"
                if pid != last:
                    break
                client.close()
            last = pid
            opened.append(client)
        yield opened
    finally:
        for client in opened:
            client.close()


def room(server: Server, members: tuple[str, ...], clients: list[Client]) -> str:
    conversation = make_conversation(server.url, members[0], *members[1:], group=True)
    for user_id, client in zip(members, clients, strict=False):
        client.ok("join_room", {"conversationId": conversation, "userId": user_id})
    return conversation


def sequence(client: Client, conversation: str) -> list[int]:
    return [
        arguments[0]["seq"]
        for name, arguments in client.seen
        if name == "message_received" and arguments[0]["conversationId"] == conversation
    ]


def names(test: str, count: int) -> tuple[str, ...]:
    return tuple(f"{test}-{number}" for number in range(count))


# ---------------------------------------------------------------- the same answers as one worker
def test_everybody_sees_one_order_whoever_sends_where(cluster: Server) -> None:
    people = names("order", 6)
    with one_each(cluster, *people) as clients:
        conversation = room(cluster, people, clients)

        def send(user_id: str, client: Client) -> None:
            for number in range(20):
                client.ok("send_message", text_message(conversation, user_id, f"{number}"))

        threads = [threading.Thread(target=send, args=pair) for pair in zip(people, clients, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        everything = list(range(1, 20 * len(people) + 1))
        for client in clients:
            until(lambda client=client: len(sequence(client, conversation)) >= len(everything), "all arrived")  # type: ignore[misc]
            assert sequence(client, conversation) == everything


def test_unread_reaches_other_workers_and_stops_where_the_room_is_open(cluster: Server) -> None:
    save_users(cluster.url, "unread-ana", "unread-bea")
    conversation = make_conversation(cluster.url, "unread-ana", "unread-bea")
    with one_each(cluster, "unread-ana", "unread-bea", "unread-bea") as (ana, bea, bea_too):
        ana.ok("send_message", text_message(conversation, "unread-ana", "uno"))
        for client in (bea, bea_too):
            assert client.expect("unread_message_private")["unreadCount"] == 1
        bea.ok("join_room", {"conversationId": conversation, "userId": "unread-bea"})
        bea.ok("mark_messages_as_read", {"conversationId": conversation, "userId": "unread-bea"})
        bea_too.expect("messages_marked_as_read")
        assert ana.expect("read_receipt")["lastReadSeq"] == 1
        ana.ok("send_message", text_message(conversation, "unread-ana", "dos"))
        assert bea.expect("message_received")["seq"] == 2
        bea.ok("leave_room", {"conversationId": conversation, "userId": "unread-bea"})
        ana.ok("send_message", text_message(conversation, "unread-ana", "tres"))
        # Had "dos" been told as unread, its notice would have come before this one.
        assert bea_too.expect("unread_message_private")["unreadCount"] == 2


def test_presence_is_one_over_all_workers(cluster: Server) -> None:
    with one_each(cluster, "watcher", "tabs", "tabs", "tabs") as (watcher, *tabs):
        watcher.expect("user_connected", lambda said: said["userId"] == "tabs")
        tabs[0].close()
        tabs[1].close()
        tabs[2].ok("user_status", {"userId": "tabs", "status": "away"})
        watcher.expect("user_status_update", lambda said: said["userId"] == "tabs" and said["status"] == "away")
        users = {user["id"]: user for user in cluster.get("/api/users?limit=1000").json()["users"]}
        assert users["tabs"]["isOnline"]
        assert [name for name, said in watcher.seen if name == "user_connected" and said[0]["userId"] == "tabs"] == [
            "user_connected"
        ]
        tabs[2].close()
        watcher.expect("user_disconnected", lambda said: said["userId"] == "tabs")


def test_members_come_and_go_on_every_worker(cluster: Server) -> None:
    save_users(cluster.url, "g-ana", "g-bea", "g-carlos")
    with one_each(cluster, "g-ana", "g-bea", "g-carlos") as (ana, bea, carlos):
        conversation = room(cluster, ("g-ana", "g-bea"), [ana, bea])
        bea.expect("group_created")
        ana.ok("add_user_to_group", {"conversationId": conversation, "participants": ["g-carlos"]})
        assert carlos.expect("user_added_to_group")["addedUsers"] == ["g-carlos"]
        bea.ok("send_message", text_message(conversation, "g-bea", "hola"))
        assert carlos.expect("unread_message_group")["unreadCount"] == 1
        carlos.ok("join_room", {"conversationId": conversation, "userId": "g-carlos"})
        answer = cluster.delete(f"/api/conversations/{conversation}/participants/g-carlos?removedBy=g-ana")
        assert answer.status_code == 200
        carlos.expect("user_removed_from_group")
        bea.ok("send_message", text_message(conversation, "g-bea", "sin carlos"))
        ana.expect("message_received", lambda said: said["content"] == "sin carlos")
        refused = carlos.call("send_message", text_message(conversation, "g-carlos", "no"))
        assert refused["error"]["code"] == "not_a_participant"
        assert sequence(carlos, conversation) == []


def test_a_new_name_is_shown_whichever_worker_it_was_told(cluster: Server) -> None:
    people = ("name-ana", "name-bea")
    save_users(cluster.url, *people)
    with one_each(cluster, *people) as (ana, bea):
        conversation = room(cluster, people, [ana, bea])
        ana.ok("send_message", text_message(conversation, people[0], "antes"))
        bea.expect("message_received")
        for _ in range(WORKERS * 2):  # on any worker
            cluster.post("/api/users", json={"id": people[0], "name": "Ana Nueva", "email": "a@example.com"})

        def shown() -> bool:
            ana.ok("send_message", text_message(conversation, people[0], "después"))
            return bool(bea.expect("message_received")["sender"]["name"] == "Ana Nueva")

        until(shown, "the new name")


def test_one_bucket_over_all_workers(engine: RedisEngine, tmp_path: Path) -> None:
    env = {
        "WEB_CONCURRENCY": "2",
        "REDIS_URL": engine.url,
        "RATE_LIMIT_ENABLED": "on",
        "RATE_LIMIT_MESSAGES": "4/minute",
        "RATE_LIMIT_CONNECTIONS": "off",  # the kernel may need many to bring one to each worker
    }
    with running(tmp_path / "server", **env) as server:
        until(lambda: len(server.workers()) == 2, "both workers run")
        save_users(server.url, "limit-ana", "limit-bea")
        conversation = make_conversation(server.url, "limit-ana", "limit-bea")
        with one_each(server, "limit-ana", "limit-ana") as tabs:
            answers = [
                tabs[number % 2].call("send_message", text_message(conversation, "limit-ana", "hola"))
                for number in range(5)
            ]
        assert [answer["ok"] for answer in answers] == [True] * 4 + [False]
        assert answers[-1]["error"]["code"] == "rate_limited"


# ---------------------------------------------------------------- faults
class Talk:
    """Somebody who sends all the time, and somebody on another worker who must get it all."""

    def __init__(self, server: Server, test: str) -> None:
        self.people = (f"{test}-ana", f"{test}-bea")
        self._server = server
        self._ending = threading.Event()
        self.sent = 0

    def __enter__(self) -> Talk:
        save_users(self._server.url, *self.people)
        self._both = one_each(self._server, *self.people)
        self.ana, self.bea = self._both.__enter__()
        self.conversation = room(self._server, self.people, [self.ana, self.bea])
        self._thread = threading.Thread(target=self._send)
        self._thread.start()
        return self

    def _send(self) -> None:
        while not self._ending.wait(0.02):
            self.ana.ok("send_message", text_message(self.conversation, self.people[0], str(self.sent)))
            self.sent += 1

    def go_on(self, messages: int = 10) -> None:
        goal = self.sent + messages
        until(lambda: self.sent >= goal, "sends are acknowledged")

    def check(self, seconds: float) -> None:
        """All that was acknowledged has arrived within so many seconds, once, in order."""
        self._ending.set()
        self._thread.join(PATIENCE)
        until(lambda: len(sequence(self.bea, self.conversation)) >= self.sent, "everything arrived", seconds)
        assert sequence(self.bea, self.conversation) == list(range(1, self.sent + 1))
        assert sequence(self.ana, self.conversation) == list(range(1, self.sent + 1))

    def __exit__(self, *error: Any) -> None:
        self._ending.set()
        self._thread.join(PATIENCE)
        self._both.__exit__(*error)


def restart(engine: RedisEngine, talk: Talk) -> None:
    engine.stop()
    talk.go_on()
    engine.start()


def freeze(engine: RedisEngine, talk: Talk) -> None:
    engine.freeze()
    try:
        talk.go_on()
    finally:
        engine.thaw()


def flush(engine: RedisEngine, _: Talk) -> None:
    with engine.client() as client:
        client.flushall()


def kill_pubsub(engine: RedisEngine, _: Talk) -> None:
    with engine.client() as client:
        assert client.client_kill_filter(_type="pubsub") >= WORKERS


@pytest.mark.parametrize("fault", [restart, freeze, flush, kill_pubsub])
def test_no_message_is_lost_doubled_or_out_of_order_when_redis_fails(
    cluster: Server, engine: RedisEngine, fault: Callable[[RedisEngine, Talk], None]
) -> None:
    with Talk(cluster, fault.__name__) as talk:
        talk.go_on()
        fault(engine, talk)
        talk.go_on()
        talk.check(seconds=5)
    until_ready(cluster)


def test_a_deaf_worker_says_that_it_is_not_ready_and_recovers_by_itself(cluster: Server, engine: RedisEngine) -> None:
    engine.freeze()
    try:
        refused: list[dict[str, Any]] = []

        def is_deaf() -> bool:
            answer = cluster.get("/readyz")
            if answer.status_code == 503:
                refused.append(answer.json())
            return bool(refused)

        until(is_deaf, "deaf", 10)
        (answer,) = refused
        assert answer["checks"]["store"] == "ok"
        assert "bus_unavailable" in answer["checks"]["bus"]
    finally:
        engine.thaw()
    until_ready(cluster, 5)


def test_users_of_a_killed_worker_go_offline_and_the_others_stay(cluster: Server) -> None:
    with spread(cluster, "kill-ana") as by_worker, one_each(cluster, "kill-bea") as (bea,):
        home = worker_of(cluster, bea)
        victim = next(pid for pid in by_worker if pid != home)
        doomed = None
        while doomed is None:
            client = joined(cluster.url, "kill-carlos")
            if worker_of(cluster, client) == victim:
                doomed = client
            else:
                client.close()
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        gone: set[str] = set()

        def told() -> bool:
            bea.ok("user_status", {"userId": "kill-bea", "status": "online"})  # a silent connection would time out
            gone.update(said[0]["userId"] for name, said in bea.seen if name == "user_disconnected")
            return "kill-carlos" in gone

        until(told, "the killed worker's user is offline", OFFLINE_SECONDS)
        assert time.monotonic() - began < OFFLINE_SECONDS
        assert "kill-ana" not in gone
        users = {user["id"]: user for user in cluster.get("/api/users?limit=1000").json()["users"]}
        assert users["kill-ana"]["isOnline"]
        doomed.close()
    until(lambda: len(cluster.workers()) == WORKERS, "the worker is replaced")
    until_ready(cluster)


class Persistent:
    """Sends each message until it is acknowledged, over as many connections as that takes."""

    def __init__(self, server: Server, user_id: str, conversation: str) -> None:
        self._server, self._user_id, self._conversation = server, user_id, conversation
        self.acknowledged: dict[str, str] = {}
        self.unannounced = 0
        """Connections that ended without a word before."""
        self.ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client: Client | None = None
        while not self.ending.wait(0.01):
            key = f"{self._user_id}-{len(self.acknowledged)}"
            try:
                client = client or joined(self._server.url, self._user_id)
                message = text_message(self._conversation, self._user_id, key, clientMessageId=key)
                self.acknowledged[key] = client.ok("send_message", message)["id"]
            except (Gone, Refused, OSError):  # the connection ended, or its worker had just begun to stop
                self.unannounced += client is not None and not any(name == "server_draining" for name, _ in client.seen)
                client = client and client.close()  # type: ignore[func-returns-value]
        if client:
            client.close()

    def end(self) -> None:
        self.ending.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_a_rolling_restart_under_load_loses_and_doubles_nothing(cluster: Server) -> None:
    people = names("hup", 3)
    save_users(cluster.url, *people)
    conversation = make_conversation(cluster.url, *people, group=True)
    before = set(cluster.workers())
    senders = [Persistent(cluster, user_id, conversation) for user_id in people]
    listeners = [joined(cluster.url, people[0]) for _ in range(LISTENERS)]
    idle: list[Client] = []
    try:
        for client in listeners:
            client.ok("join_room", {"conversationId": conversation, "userId": people[0]})
        idle += [Client(cluster.url) for _ in range(IDLE)]
        until(lambda: all(len(sender.acknowledged) > 10 for sender in senders), "all send")
        began = time.monotonic()
        cluster.process.send_signal(signal.SIGHUP)
        told = {
            client: client.expect("server_draining", timeout=DRAIN_SECONDS)["reconnectInMs"] / 1000
            for client in (*listeners, *idle)
        }
        for client in sorted(told, key=lambda client: told[client]):
            client.wait_until_ended(DRAIN_SECONDS)
            assert time.monotonic() - began >= told[client]
        assert max(told.values()) - min(told.values()) > len(told) / WORKERS / CLOSINGS_PER_SECOND / 2, "all at once"
        until(lambda: not before & set(cluster.workers()), "every worker is replaced", DRAIN_SECONDS)
        goals = [len(sender.acknowledged) + 10 for sender in senders]
        until(
            lambda: all(len(sender.acknowledged) > goal for sender, goal in zip(senders, goals, strict=True)),
            "all send again",
        )
    finally:
        for sender in senders:
            sender.end()
        for client in (*listeners, *idle):
            client.close()
    assert sum(sender.unannounced for sender in senders) == 0
    for client in listeners:  # until it was closed nothing was missing
        heard = sequence(client, conversation)
        assert heard == list(range(heard[0], heard[0] + len(heard)))
    stored: list[dict[str, Any]] = []
    while page := cluster.get(f"/api/messages/{conversation}?limit=500&after={len(stored)}").json():
        stored += page
    assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1))
    by_key = {message["clientMessageId"]: message["id"] for message in stored}
    assert len(by_key) == len(stored), "stored twice"
    for sender in senders:
        assert sender.acknowledged.items() <= by_key.items()

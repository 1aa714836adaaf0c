"""A send is stored once however often it is repeated: by racing tabs, after cut connections and killed workers.

Three tabs of one user send the same messages, batch by batch, all at once; four such threesomes share the messages of
one conversation. In each batch some tabs lose their connection between writing and the acknowledgement, come back, and
repeat what was not answered.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

import pytest

from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import until, until_ready
from tests.e2e.test_crash import history
from tests.e2e.wire import PATIENCE, Client, Gone, clients, joined, make_conversation, save_users, text_message
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import RedisEngine, running_redis

WORKERS = 3
TABS, THREESOMES = 3, 4
SENDS, BATCH = 1_000, 50
BATCHES = SENDS // BATCH
KILLS = (4, 9, 14)
FLUSHES = (2, 6, 12, 17)
CUTS_OF_ALL = (3, 7, 11, 15, 19)
"""Which of the twenty batches are for what."""

BATCH_SECONDS = 120.0
COME_BACK_SECONDS = 30.0
"""How long a tab tries to get its connection again; a killed worker is replaced in about two."""


@dataclass
class Ground:
    server: Server
    redis: RedisEngine


@pytest.fixture(scope="module", params=["sqlite", "dynamodb"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with running_redis(free_port()) as redis:
        env = {"WEB_CONCURRENCY": str(WORKERS), "REDIS_URL": redis.url}
        engine = DynamoEngine() if request.param == "dynamodb" else None
        if engine:
            env |= {"DYNAMODB_ENDPOINT": engine.endpoint, "DYNAMODB_TABLE_PREFIX": "idempotency-"}
            env |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        try:
            with running(tmp_path_factory.mktemp("idempotency") / "server", **env) as server:
                until(lambda: len(server.workers()) == WORKERS, "all workers run")
                until_ready(server)
                save_users(server.url, "ana", "bea")
                yield Ground(server, redis)
        finally:
            if engine:
                engine.stop()


Waiting = list[tuple[str, queue.SimpleQueue[Any]]]
"""Keys, and where the acknowledgement of each arrives."""

Fault = Callable[[Client, Waiting], None]
"""What happens to a tab that has just written its batch."""


@dataclass(frozen=True)
class Answer:
    """``asked_at`` is when the connection was made over which it came."""

    message: dict[str, Any]
    asked_at: float

    @property
    def is_late(self) -> bool:
        """The message was there before the connection: this answers a repeated send."""
        return datetime.fromisoformat(self.message["timestamp"]).timestamp() < self.asked_at


class Tab:
    """Sends what it is given and repeats what is not answered, as a client with an outbox does."""

    def __init__(self, url: str, user_id: str) -> None:
        self.answers: dict[str, Answer] = {}
        self._url, self._user_id = url, user_id
        self.client = self._connect()

    def send(self, messages: list[dict[str, Any]], fault: Fault | None = None) -> None:
        """Returns when all are answered; ``fault`` happens after they were written for the first time."""
        missing = messages
        give_up_at = time.monotonic() + BATCH_SECONDS
        while missing:
            assert time.monotonic() < give_up_at, f"{len(missing)} messages are not taken"
            waiting = self._write(missing)
            if fault:
                fault(self.client, waiting)
                fault = None
            self._collect(waiting)
            missing = [message for message in messages if message["clientMessageId"] not in self.answers]
            if missing:
                self.client.close()
                self.client = self._connect()

    def _connect(self) -> Client:
        give_up_at = time.monotonic() + COME_BACK_SECONDS
        while True:
            self._connected_at = time.time()
            try:
                return joined(self._url, self._user_id)
            except (Gone, OSError):  # its worker is just dying
                assert time.monotonic() < give_up_at, "the server does not come back"

    def _write(self, messages: list[dict[str, Any]]) -> Waiting:
        """The acknowledgements to wait for, as far as the connection carried."""
        waiting: Waiting = []
        try:
            for message in messages:
                waiting.append((message["clientMessageId"], self.client.begin("send_message", message)))
        except Gone:
            pass
        return waiting

    def _collect(self, waiting: Waiting) -> None:
        for key, arrived in waiting:
            answer = self._arrival(arrived)
            if isinstance(answer, Exception):
                continue
            if not answer["ok"]:  # a busy engine: what was refused is sent again, too
                assert answer["error"]["code"] == "store_unavailable", answer
                continue
            self.answers[key] = Answer(answer["data"], self._connected_at)

    def _arrival(self, arrived: queue.SimpleQueue[Any]) -> Any:
        give_up_at = time.monotonic() + PATIENCE
        while True:
            ended = self.client.ended.is_set()
            try:
                return arrived.get(timeout=0 if ended else 0.05)
            except queue.Empty:
                if ended:
                    return Gone()
                assert time.monotonic() < give_up_at, "no acknowledgement"


class Faults:
    """Which tab meets what in which batch. As a rule one loses its connection when it has written, another when its
    first answer is there, the third none."""

    def __init__(self, ground: Ground) -> None:
        self.killed: list[int] = []
        self._ground = ground
        self._lock = threading.Lock()
        self._together = [threading.Barrier(TABS, timeout=PATIENCE) for _ in range(THREESOMES)]

    def of(self, batch: int, tab: int) -> Fault | None:
        if batch in CUTS_OF_ALL:
            return partial(self._cut_together, self._together[batch % THREESOMES])
        role = (batch + tab) % TABS
        if role == 0:
            return self._kill if batch in KILLS else self._cut
        if role == 1:
            return self._cut_after_an_answer
        return self._flush if batch in FLUSHES else None

    def _cut(self, client: Client, _waiting: Waiting) -> None:
        client.close()

    def _cut_after_an_answer(self, client: Client, waiting: Waiting) -> None:
        self._wait_for_an_answer(client, waiting)
        client.close()

    def _cut_together(self, together: threading.Barrier, client: Client, waiting: Waiting) -> None:
        """What is stored just then is told to nobody who has asked for it."""
        self._wait_for_an_answer(client, waiting)
        together.wait()
        client.close()

    def _wait_for_an_answer(self, client: Client, waiting: Waiting) -> None:
        until(lambda: client.ended.is_set() or not all(arrived.empty() for _, arrived in waiting), "an answer")

    def _kill(self, client: Client, _waiting: Waiting) -> None:
        with self._lock:
            worker = worker_of(self._ground.server, client)
            if worker in self.killed:  # another threesome was quicker
                worker = next(pid for pid in self._ground.server.workers() if pid not in self.killed)
            self.killed.append(worker)
            os.kill(worker, signal.SIGKILL)

    def _flush(self, _client: Client, _waiting: Waiting) -> None:
        with self._ground.redis.client() as redis:
            redis.flushall()


def worker_of(server: Server, client: Client) -> int:
    """By the server's log, in which its master mourns the dead in prose."""
    line = next(line for line in server.log().splitlines() if str(client.sid) in line)
    return int(json.loads(line)["process"])


def race(server: Server, messages: list[dict[str, Any]], faults: Faults) -> list[list[Tab]]:
    """The threesomes and their tabs. Those of one threesome send the same, and begin each batch together."""
    tabs = [[Tab(server.url, "ana") for _ in range(TABS)] for _ in range(THREESOMES)]
    starts = [threading.Barrier(TABS, timeout=60) for _ in range(THREESOMES)]
    failures: list[BaseException] = []

    def run(threesome: int, number: int) -> None:
        try:
            for batch in range(threesome, BATCHES, THREESOMES):
                starts[threesome].wait()
                mine = messages[batch * BATCH : (batch + 1) * BATCH]
                tabs[threesome][number].send(mine, faults.of(batch, number))
        except BaseException as exc:
            failures.append(exc)
            starts[threesome].abort()

    each = [(threesome, number) for threesome in range(THREESOMES) for number in range(TABS)]
    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    for tab in chain(*tabs):
        tab.client.close()
    if failures:
        raise failures[0]
    return tabs


def test_a_thousand_sends_of_three_racing_tabs_are_a_thousand_messages(ground: Ground) -> None:
    server = ground.server
    conversation = make_conversation(server.url, "ana", "bea")
    messages = [
        text_message(conversation, "ana", f"m{number}", clientMessageId=f"k{number}") for number in range(SENDS)
    ]
    faults = Faults(ground)
    tabs = race(server, messages, faults)
    assert len(set(faults.killed)) == len(KILLS)
    stored = history(server, conversation)
    assert [message["seq"] for message in stored] == list(range(1, SENDS + 1))
    by_key = {message["clientMessageId"]: message for message in stored}
    assert by_key.keys() == {message["clientMessageId"] for message in messages}
    lost = 0
    for threesome in tabs:
        answered = threesome[0].answers.keys()
        assert len(answered) == SENDS // THREESOMES
        for tab in threesome:
            assert {key: answer.message for key, answer in tab.answers.items()} == {
                key: by_key[key] for key in answered
            }
        lost += sum(all(tab.answers[key].is_late for tab in threesome) for key in answered)
    assert lost, "nothing was stored and then acknowledged to nobody: the faults came too late or too early"
    with clients(server.url, "ana") as (ana,):
        for message in messages[:: SENDS // 20]:
            assert ana.ok("send_message", message) == by_key[message["clientMessageId"]]


def test_a_key_belongs_to_one_content_and_a_content_to_any_number_of_keys(ground: Ground) -> None:
    server = ground.server
    conversation = make_conversation(server.url, "ana", "bea", group=True)
    with clients(server.url, "ana", "ana") as (one, two):
        first = one.ok("send_message", text_message(conversation, "ana", "same", clientMessageId="k1"))
        second = two.ok("send_message", text_message(conversation, "ana", "same", clientMessageId="k2"))
        assert (first["seq"], second["seq"]) == (1, 2)
        refused = two.call("send_message", text_message(conversation, "ana", "other", clientMessageId="k1"))
        assert refused["error"]["code"] == "idempotency_key_reused"
    assert [message["id"] for message in history(server, conversation)] == [first["id"], second["id"]]

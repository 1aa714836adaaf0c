"""``kill -9`` between a message's commit and its webhook's POST: every event arrives, in order, with one id."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.e2e.dying_points import POINTS
from tests.e2e.receiver import Receiver
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import until
from tests.e2e.wire import PATIENCE, make_conversation, save_users
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import running_redis

MESSAGES = 8
"""In each of two conversations."""

LONG = 120
"""Of a conversation that goes on while workers are killed."""

AT_ONCE = 4
"""Servers: what takes time is waiting for a lease to end."""

RECOVERY_SECONDS = 60.0


class DyingServer(Server):
    """Its worker dies once, at ``point``; gunicorn replaces it."""

    def __init__(self, folder: Path, point: str, **env: str) -> None:
        self.died = folder / "died"
        allowed = {"WEBHOOK_ALLOW_PRIVATE": "yes", "EVENT_LOG": "on"}
        super().__init__(folder, DIE_AT=point, DIED=str(self.died), **allowed, **env)

    def _command(self) -> list[str]:
        return [*super()._command()[:-1], "tests.e2e.dying_app:app"]


def send_until_answered(server: Server, conversation: str, number: int) -> None:
    """As a client does who does not know whether it was stored: again, with the same key."""
    body = {
        "conversationId": conversation,
        "senderId": "ana",
        "content": str(number),
        "clientMessageId": f"{conversation}-{number}",
    }
    give_up_at = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            answer = server.post("/api/messages", json=body)
        except requests.RequestException:  # also half an answer
            assert time.monotonic() < give_up_at, "the server did not come back"
            time.sleep(0.05)
        else:
            assert answer.status_code == 201, answer.text
            return


def survive(folder: Path, point: str, **env: str) -> None:
    receiver = Receiver()
    server = DyingServer(folder, point, **env)
    server.start()
    try:
        save_users(server.url, "ana", "luis")
        conversations = [make_conversation(server.url, "ana", "luis", group=True) for _ in range(2)]
        server.post("/api/webhooks", json={"url": receiver.url, "eventTypes": ["message.sent"]}).raise_for_status()
        for number in range(MESSAGES):
            for conversation in conversations:
                send_until_answered(server, conversation, number)
        receiver.wait_until(server.died.exists, f"it dies when {point}", PATIENCE)
        wanted = {(conversation, str(number)) for conversation in conversations for number in range(MESSAGES)}
        receiver.wait_until(
            lambda: wanted <= {(post.data["conversationId"], post.data["content"]) for post in receiver.posts},
            f"everything, after it died when {point}",
            RECOVERY_SECONDS,
        )
        for conversation in conversations:
            check_order(receiver, conversation)
        bodies = {(post.id, post.body) for post in receiver.posts}
        assert len({id_ for id_, _ in bodies}) == len(bodies) == len(wanted)
    finally:
        server.kill()
        receiver.close()


def check_order(receiver: Receiver, conversation: str) -> None:
    """Who takes each id once has them in their order; and nothing is told again that was followed by something."""
    told = [post.data["seq"] for post in receiver.posts if post.data["conversationId"] == conversation]
    assert list(dict.fromkeys(told)) == list(range(1, MESSAGES + 1))
    assert told == sorted(told)


def in_batches() -> list[tuple[str, ...]]:
    points = tuple(POINTS)
    return [points[start : start + AT_ONCE] for start in range(0, len(points), AT_ONCE)]


@pytest.mark.parametrize("points", in_batches(), ids=lambda points: points[0])
def test_whenever_it_is_killed_everything_arrives_in_order(tmp_path: Path, points: tuple[str, ...]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = [pool.submit(survive, tmp_path / str(number), point) for number, point in enumerate(points)]
        for each in started:
            each.result()


def test_workers_that_are_killed_one_after_the_other_lose_nothing(tmp_path: Path) -> None:
    """Each with what it had begun; the others go on with it."""
    receiver = Receiver()
    receiver.answer = lambda _post: (time.sleep(0.02), (204, {}))[1]
    with running_redis(free_port()) as redis:
        env = {"WEBHOOK_ALLOW_PRIVATE": "yes", "WEB_CONCURRENCY": "3", "REDIS_URL": redis.url}
        with running(tmp_path / "server", **env) as server:
            save_users(server.url, "ana", "luis")
            conversations = [make_conversation(server.url, "ana", "luis", group=True) for _ in range(3)]
            server.post("/api/webhooks", json={"url": receiver.url, "eventTypes": ["message.sent"]}).raise_for_status()
            with ThreadPoolExecutor(3) as pool:
                talks = [pool.submit(talk, server, conversation) for conversation in conversations]
                for count in range(60, 240, 60):
                    receiver.wait_until(lambda count=count: len(receiver.posts) >= count, f"{count}", RECOVERY_SECONDS)  # type: ignore[misc]
                    until(lambda: len(server.workers()) > 0, "a worker runs")
                    os.kill(random.choice(server.workers()), signal.SIGKILL)
                for each in talks:
                    each.result()
            receiver.wait_until(
                lambda: len({post.id for post in receiver.posts}) == 3 * LONG, "everything", RECOVERY_SECONDS
            )
    for conversation in conversations:
        told = [post.data["seq"] for post in receiver.posts if post.data["conversationId"] == conversation]
        assert list(dict.fromkeys(told)) == list(range(1, LONG + 1))
    receiver.close()


def talk(server: Server, conversation: str) -> None:
    for number in range(LONG):
        send_until_answered(server, conversation, number)


@pytest.fixture(scope="module")
def dynamo() -> Iterator[DynamoEngine]:
    engine = DynamoEngine()
    yield engine
    engine.stop()


@pytest.mark.parametrize(
    "point",
    [
        "the message is committed",
        "before anybody is woken",
        "after the lane is claimed",
        "before it is posted",
        "it is posted and not remembered",
    ],
)
def test_over_dynamodb_too(tmp_path: Path, dynamo: DynamoEngine, point: str) -> None:
    survive(
        tmp_path / "server",
        point,
        DYNAMODB_ENDPOINT=dynamo.endpoint,
        DYNAMODB_TABLE_PREFIX=dynamo.new_prefix(),
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )

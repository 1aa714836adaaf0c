"""Redis behind a password and a self-signed certificate, and Redis that Sentinel keeps: two workers, one chat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import one_each, room, sequence, until, until_ready
from tests.e2e.wire import Client, text_message
from tests.engines.redis import running_redis
from tests.engines.sentinel import running_sentinel
from tests.engines.tls import tls_in_front_of

PEOPLE = ("ana", "bea")
LIMIT = 12
FAILOVER_SECONDS = 30.0
"""Sentinel notices after a second, votes, and promotes."""


@contextmanager
def two_workers(folder: Path, redis_url: str) -> Iterator[Server]:
    limits = {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_MESSAGES": f"{LIMIT}/minute"}
    env = {"WEB_CONCURRENCY": "2", "REDIS_URL": redis_url, **limits}
    with running(folder / "server", **env) as server:
        until(lambda: len(server.workers()) == 2, "both workers run")
        until_ready(server)
        yield server


def talk(conversation: str, both: list[Client], *, until_seq: int) -> None:
    """Each says something, and both hear everything."""
    for user_id, client in zip(PEOPLE, both, strict=True):
        client.ok("send_message", text_message(conversation, user_id))
    for client in both:
        until(lambda client=client: sequence(client, conversation) == list(range(1, until_seq + 1)), "all arrived")  # type: ignore[misc]


def test_a_password_and_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    with (
        running_redis(free_port(), password="s3cret") as engine,
        tls_in_front_of(engine.port, tmp_path) as port,
        two_workers(tmp_path, f"rediss://:s3cret@127.0.0.1:{port}/0") as server,
        one_each(server, *PEOPLE) as both,
    ):
        conversation = room(server, PEOPLE, both)
        talk(conversation, both, until_seq=2)
        with engine.client() as client:
            assert list(client.scan_iter("*LIMITS*")), "messages are counted there"
        for _ in range(LIMIT - 1):
            both[0].ok("send_message", text_message(conversation, "ana"))
        refused = both[0].call("send_message", text_message(conversation, "ana"))
        assert refused["error"]["code"] == "rate_limited"


def test_sentinel_puts_another_in_its_place(tmp_path: Path) -> None:
    ports = (free_port(), free_port(), free_port())
    with (
        running_sentinel(ports, tmp_path) as engine,
        two_workers(tmp_path, engine.url) as server,
        one_each(server, *PEOPLE) as both,
    ):
        conversation = room(server, PEOPLE, both)
        talk(conversation, both, until_seq=2)
        engine.master.stop()
        for user_id, client in zip(PEOPLE, both, strict=True):
            client.ok("send_message", text_message(conversation, user_id, "while there is none"))
        with engine.replica.client() as promoted:
            until(lambda: promoted.info("replication")["role"] == "master", "the replica is promoted", FAILOVER_SECONDS)
        for client in both:
            until(lambda client=client: sequence(client, conversation) == [1, 2, 3, 4], "all arrived")  # type: ignore[misc]
        talk(conversation, both, until_seq=6)

"""What ``ports.Jobs`` promises, by huey: in a process alone, and by Redis among several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from chatapp.adapters import huey_jobs
from chatapp.adapters.huey_jobs import HueyJobs, NoJobs
from chatapp.adapters.redis_bus import redis_client
from tests.e2e.server import free_port
from tests.engines.redis import RedisEngine, running_redis

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[RedisEngine]:
    with running_redis(free_port()) as started:
        yield started


@pytest.fixture
def client(engine: RedisEngine) -> Iterator[redis.Redis]:
    client = engine.client()
    client.flushall()
    yield client
    client.close()


def ran(*words: str) -> list[Any]:
    command = [sys.executable, "-m", "tests.adapters.huey_jobs_run", *words]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: list[Any]) -> None:
    *jobs, stopped = found
    when = {(endpoint, lane): seconds for endpoint, lane, seconds in jobs}
    assert set(when) == {("fails", "ñ"), ("now", "lane:1"), ("later", "lane:2"), ("past", "lane:3")}
    assert len(jobs) == len(when)
    assert when["later", "lane:2"] >= 1.0
    assert when["now", "lane:1"] < 1.0
    assert (stopped[0], stopped[2] < 3) == ("stopped", True)


def test_alone_jobs_run_at_once_or_at_their_time() -> None:
    check(ran("memory", "give", "take"))


def test_by_redis_they_do_too(engine: RedisEngine, client: redis.Redis) -> None:
    check(ran(engine.url, "give", "take"))
    assert client.keys("huey.redis*") == []


def test_another_process_does_what_one_has_handed_in(engine: RedisEngine, client: redis.Redis) -> None:
    assert ran(engine.url, "give")[:-1] == []
    stored = client.lrange("huey.redis.chatapp_webhooks", 0, -1)
    assert all(isinstance(json.loads(each), list) for each in stored), "nothing that is unpickled"
    assert {(endpoint, lane) for endpoint, lane, _ in ran(engine.url, "take")[:-1]} == {
        ("fails", "ñ"),
        ("now", "lane:1"),
        ("later", "lane:2"),
        ("past", "lane:3"),
    }


def test_where_nobody_works_them_off_they_do_not_pile_up(
    engine: RedisEngine, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huey_jobs, "QUEUE_MAX", 5)
    jobs = HueyJobs(redis_client(engine.url))
    for number in range(20):
        jobs._enqueue(str(number), "lane", None)
    assert client.llen("huey.redis.chatapp_webhooks") == 5


def test_without_redis_a_job_is_lost_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    jobs = HueyJobs(redis_client(f"redis://127.0.0.1:{free_port()}"))
    jobs._enqueue("1", "lane", None)
    assert "the next sweep finds it" in caplog.text


def test_while_redis_is_away_who_works_says_so_in_a_line() -> None:
    command = [sys.executable, "-m", "tests.adapters.huey_jobs_run", f"redis://127.0.0.1:{free_port()}", "take"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "webhooks' jobs are out of reach" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_leaves_it_to_others_keeps_nothing() -> None:
    jobs = NoJobs()
    jobs.deliver("1", "lane")
    jobs.start(lambda *_: pytest.fail("nobody works here"))
    jobs.stop()

"""The faults of the matrix. Each does it, and says when it began, when it was over, and to whom it happened."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.matrix.crowd import Crowd
from tests.e2e.matrix.figures import Fault
from tests.e2e.matrix.tunnel import Tunnel
from tests.e2e.server import Server
from tests.e2e.test_cluster import until
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import RedisEngine

LONG_SECONDS = 10.0
RESTART_SECONDS = 2.0
"""How long Redis is away when it is restarted."""
RELOAD_SECONDS = 60.0
"""As long as a reload may take on a busy machine: to start four workers, and to stop four."""
LAST_WORD_SECONDS = 1.5
"""So long before a fault ends the writer of a quiet cell says its last: what was lost has no successor to betray it."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is shared by the cells. Without ``dynamo`` the store is SQLite."""

    server: Server
    redis: RedisEngine
    dynamo: DynamoEngine | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A cell when its people talk. ``exposed`` are behind the tunnel, in a process that can sleep."""

    site: Site
    tunnel: Tunnel
    exposed: Crowd
    steady: Crowd
    is_quiet: bool

    @property
    def everybody(self) -> frozenset[str]:
        return frozenset(part.user for crowd in (self.exposed, self.steady) for part in crowd.parts)

    def last(self, seconds: float) -> None:
        """Let the fault last so long."""
        time.sleep(seconds - LAST_WORD_SECONDS)
        if self.is_quiet:
            assert self.steady.ask("say") == []
            self.steady.tell("hush")
        time.sleep(LAST_WORD_SECONDS)

    def lasting(self, begin: Callable[[], object], end: Callable[[], object], seconds: float) -> tuple[float, float]:
        """When the fault began, and when its end began."""
        began = time.monotonic()
        begin()
        try:
            self.last(seconds)
        finally:
            over = time.monotonic()
            end()
        return began, over


Make = Callable[[Scene], Fault]


# ---------------------------------------------------------------- workers
def worker_killed(scene: Scene) -> Fault:
    """With all who are on it. It is over at once: everything that follows is recovery. Busy writers lose theirs; a
    quiet one keeps it, and writes to those who have just lost theirs."""
    workers = {**scene.exposed.ask("where"), **scene.steady.ask("where")}
    writers = {workers[part.user] for part in scene.steady.parts if part.rate}
    victim = next(pid for pid in workers.values() if (pid in writers) is not scene.is_quiet)
    os.kill(victim, signal.SIGKILL)
    now = time.monotonic()
    return Fault(now, now, scene.everybody)


def rolling_restart(scene: Scene) -> Fault:
    """Until every worker is another one. Of this, too, everything is recovery."""
    server = scene.site.server
    before, now = set(server.workers()), time.monotonic()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: not before & set(server.workers()), "every worker is replaced", RELOAD_SECONDS)
    return Fault(now, now, scene.everybody)


# ---------------------------------------------------------------- Redis
def redis_restarted(scene: Scene) -> Fault:
    redis = scene.site.redis
    return Fault(*scene.lasting(redis.stop, redis.start, RESTART_SECONDS), scene.everybody)


def redis_frozen(scene: Scene) -> Fault:
    redis = scene.site.redis
    return Fault(*scene.lasting(redis.freeze, redis.thaw, LONG_SECONDS), scene.everybody)


def redis_flushed(scene: Scene) -> Fault:
    with scene.site.redis.client() as client:
        client.flushall()
    now = time.monotonic()
    return Fault(now, now, scene.everybody)


def pubsub_killed(scene: Scene) -> Fault:
    with scene.site.redis.client() as client:
        assert client.client_kill_filter(_type="pubsub") >= len(scene.site.server.workers())
    now = time.monotonic()
    return Fault(now, now, scene.everybody)


# ---------------------------------------------------------------- the store
def dynamodb_frozen(scene: Scene) -> Fault:
    dynamo = scene.site.dynamo
    assert dynamo is not None
    return Fault(*scene.lasting(dynamo.freeze, dynamo.thaw, LONG_SECONDS), scene.everybody)


# ---------------------------------------------------------------- clients
def network_cut(scene: Scene) -> Fault:
    def cut() -> None:
        assert scene.tunnel.silence() >= len(scene.exposed.parts)

    return Fault(*scene.lasting(cut, scene.tunnel.end_silence, LONG_SECONDS), _exposed(scene))


def client_asleep(scene: Scene) -> Fault:
    return Fault(*scene.lasting(scene.exposed.sleep, scene.exposed.wake, LONG_SECONDS), _exposed(scene))


def _exposed(scene: Scene) -> frozenset[str]:
    return frozenset(part.user for part in scene.exposed.parts)


ENGINES: dict[str, Make] = {
    "Redis restarted": redis_restarted,
    "Redis frozen 10 s": redis_frozen,
    "FLUSHALL": redis_flushed,
    "pubsub killed": pubsub_killed,
}
CLIENTS: dict[str, Make] = {
    "client's network cut 10 s": network_cut,
    "client asleep 10 s": client_asleep,
}
WORKERS_FAULTS: dict[str, Make] = {
    "worker kill -9": worker_killed,
    "rolling restart": rolling_restart,
}
STORES: dict[str, Make] = {
    "DynamoDB frozen 10 s": dynamodb_frozen,
}
FAULTS = ENGINES | CLIENTS | WORKERS_FAULTS | STORES

"""A Redis with a replica, and a Sentinel that puts the replica in its place when it dies."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.engines.redis import BINARY, RedisEngine, running_redis

SERVICE = "chat"
DOWN_AFTER_MS = 1000
READY_SECONDS = 20.0


@dataclass
class SentinelEngine:
    url: str
    master: RedisEngine
    replica: RedisEngine


@contextmanager
def running_sentinel(ports: tuple[int, int, int], folder: Path) -> Iterator[SentinelEngine]:
    """``ports``: of the master, the replica and the Sentinel."""
    master_port, replica_port, port = ports
    copies = ("--dir", str(folder))  # where a replica keeps what it was sent
    with (
        running_redis(master_port, *copies) as master,
        running_redis(replica_port, *copies, "--replicaof", "127.0.0.1", str(master_port)) as replica,
    ):
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master_port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        process = subprocess.Popen(
            [BINARY, configuration, "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_it_knows_the_replica(port)
            yield SentinelEngine(f"redis+sentinel://127.0.0.1:{port}/{SERVICE}", master, replica)
        finally:
            process.kill()
            process.wait(10)


def _wait_until_it_knows_the_replica(port: int) -> None:
    give_up_at = time.monotonic() + READY_SECONDS
    with redis.Redis(port=port, socket_timeout=5) as client:
        while True:
            try:
                if client.execute_command("SENTINEL", "REPLICAS", SERVICE):
                    return
            except redis.RedisError:
                pass  # not started yet
            assert time.monotonic() < give_up_at, "Sentinel knows no replica"
            time.sleep(0.05)

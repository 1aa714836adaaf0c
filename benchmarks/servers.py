"""The servers that are measured, each a process tree on its core, and the engines beside them, on the load's core.

Everything listens on 127.0.0.1, on free ports, and is ended by whoever started it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks.cases import BATCH, MEMORY, PUT
from tests.e2e.server import ROOT, free_port

START_SECONDS, STOP_SECONDS = 60.0, 30.0
PEER_SETTINGS = {MEMORY: {"PERSIST": "0"}, BATCH: {"WRITE": "batch"}, PUT: {"WRITE": "put"}}
AWS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Cores:
    """Those of the server, and the one of the load generator and the engines."""

    server: tuple[int, ...]
    load: int

    @classmethod
    def here(cls, workers: int) -> Cores:
        """One for a worker, as far as there are enough; the last is the load's."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(tuple(usable[: max(1, min(workers, len(usable) - 1))]), usable[-1])


class Engines:
    """Redis and DynamoDB on the load's core, started when first asked for. Both are the tests', so those must be
    installed."""

    def __init__(self) -> None:
        self._core = Cores.here(1).load
        self._stack = ExitStack()
        self._redis_url = self._dynamodb = ""
        self.pids: dict[str, int] = {}
        self._prefixes = 0

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def redis(self) -> dict[str, str]:
        """The settings that choose it."""
        from tests.engines.redis import running_redis  # noqa: PLC0415 - only where the tests' packages are needed

        if not self._redis_url:
            engine = self._stack.enter_context(running_redis(free_port()))
            self._redis_url = engine.url
            self._place("redis", engine._pid())
        return {"REDIS_URL": self._redis_url}

    def dynamodb(self) -> dict[str, str]:
        """The settings that choose it, but for the tables' prefix."""
        from tests.engines.dynamodb import DynamoEngine  # noqa: PLC0415

        if not self._dynamodb:
            engine = DynamoEngine()
            self._stack.callback(engine.stop)
            self._dynamodb = engine.endpoint
            self._place("dynamodb", engine._process.pid)
        return {"DYNAMODB_ENDPOINT": self._dynamodb, **AWS}

    def _place(self, name: str, pid: int) -> None:
        self.pids[name] = pid
        os.sched_setaffinity(pid, {self._core})

    def new_prefix(self) -> str:
        self._prefixes += 1
        return f"bench{self._prefixes}_"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. ``pid`` is the root of its processes."""

    label: str
    url: str
    pid: int


@contextmanager
def ours(
    engines: Engines,
    cores: Cores,
    *,
    engine: str,
    workers: int,
    app: str = "wsgi:app",
    more: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Our server as ``scripts/run`` starts it, limits off; ``more`` are settings besides."""
    settings = {
        "RATE_LIMIT_ENABLED": "off",
        "LOG_LEVEL": "warning",
        "WEB_CONCURRENCY": str(workers),
        "HOST": "127.0.0.1",
    }
    if workers > 1:
        settings |= engines.redis()
    if engine == "dynamodb":
        settings |= engines.dynamodb() | {"DYNAMODB_TABLE_PREFIX": engines.new_prefix()}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings |= {
            "SQLITE_PATH": f"{folder}/chat.db",
            "FILE_STORAGE_LOCAL_PATH": f"{folder}/uploads",
            **(more or {}),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", app]
        with _started(command, ROOT, settings, cores.server) as (process, port):
            yield Running(label_of(engine, workers), f"http://127.0.0.1:{port}", process.pid)


def label_of(engine: str, workers: int) -> str:
    return f"chatapp {engine}" + (f", {workers} workers" if workers > 1 else "")


@contextmanager
def peer(engines: Engines, cores: Cores, folder: Path, variant: str) -> Iterator[Running]:
    """The Node server in ``folder``, in its variant."""
    settings = {
        "NODE_ENV": "production",
        "TABLE_PREFIX": engines.new_prefix(),
        **engines.redis(),
        **PEER_SETTINGS[variant],
    }
    if variant != MEMORY:
        settings |= engines.dynamodb()
    with _started(["node", "server.mjs"], folder, settings, cores.server) as (process, port):
        yield Running(variant, f"http://127.0.0.1:{port}", process.pid)


@contextmanager
def _started(
    command: list[str], folder: Path, settings: dict[str, str], cores: tuple[int, ...]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cores)), *command],
            cwd=folder,
            env={**kept, **settings, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_it_listens(process, port)
            yield process, port
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
        finally:
            _stop(process)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as asking:
                asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if asking.recv(1):
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

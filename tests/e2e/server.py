"""A real server under gunicorn, as ``scripts/run`` starts it, in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 30.0

PASSED_ON = ("PATH", "HOME", "LANG", "COVERAGE_FILE", "COVERAGE_PROCESS_START", "VIRTUAL_ENV")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server:
    """``folder`` holds its database, its uploads and its log; the same folder again is the same server."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------ starting and ending
    def start(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait_until_it_answers()
        return self

    def _command(self) -> list[str]:
        gunicorn = ["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        if "COVERAGE_RUN" in os.environ:  # the suite is being measured: so is the server
            return [sys.executable, "-m", "coverage", "run", "--rcfile", str(ROOT / "pyproject.toml"), "-m", *gunicorn]
        return [sys.executable, "-m", *gunicorn]

    def environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "SQLITE_PATH": str(self.folder / "chat.db"),
            "FILE_STORAGE_LOCAL_PATH": str(self.folder / "uploads"),
            "LOG_FORMAT": "json",
            "RATE_LIMIT_ENABLED": "off",
            **self._env,
        }

    def _wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                requests.get(self.url + "/healthz", timeout=5)
                return
            except (requests.ConnectionError, requests.Timeout):  # a busy machine takes its time
                if self.process.poll() is not None or time.monotonic() > give_up_at:
                    raise AssertionError(f"the server did not start:\n{self.log()}") from None
                time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """``kill -9`` of the whole tree, workers first: nobody gets to say goodbye."""
        for pid in (*self.workers(), self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    # ------------------------------------------------------------ looking
    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    # ------------------------------------------------------------ asking
    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **kwargs)

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=20, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.delete(self.url + path, timeout=20, **kwargs)


@contextmanager
def running(folder: Path, **env: str) -> Iterator[Server]:
    server = Server(folder, **env)
    try:
        yield server.start()
    finally:
        if server._process is not None and server.process.poll() is None:
            server.stop()

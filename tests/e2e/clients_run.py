"""Runs the JavaScript tests against real servers, each pair of file and transport once, and keeps what was recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import sample_files
from tests.e2e.server import Server, running

CLIENTS = Path(__file__).parent / "clients"
TEST_FILES = tuple(sorted(path.name for path in CLIENTS.glob("*.test.mjs")))
TRANSPORTS = ("websocket", "polling", "default")

GRACE_SECONDS = 0.5
UPLOAD_MAX_BYTES = 1024 * 1024
FILE_TIMEOUT_SECONDS = 90.0
"""For one file with one transport; the slowest takes about five seconds."""
TEST_TIMEOUT_SECONDS = 30.0

JWT_SECRET = "the clients' tests sign tokens with this"

MAIN: dict[str, str] = {
    "PRESENCE_GRACE_SECONDS": str(GRACE_SECONDS),
    "FILE_UPLOAD_MAX_SIZE": str(UPLOAD_MAX_BYTES),
}
SPECIAL: dict[str, dict[str, str]] = {
    "draining.test.mjs": {},  # restarts its workers
    "legacy.test.mjs": {"LEGACY_FRONT_END": "on", "SOCKET_PATH": "/ws"},
    "tokens.test.mjs": {"AUTH_MODE": "jwt", "AUTH_JWT_SECRET": JWT_SECRET},
    "webhooks.test.mjs": {
        "AUTH_MODE": "jwt",
        "AUTH_JWT_SECRET": JWT_SECRET,
        "WEBHOOK_ALLOW_PRIVATE": "yes",
        "EVENT_LOG": "on",
    },
    "limits.test.mjs": {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_CONNECTIONS": "12/minute", "TRUSTED_PROXIES": "1"},
}
"""Files whose server is another one than the others'."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    file: str
    transport: str
    status: int
    output: str
    entries: tuple[Entry, ...]

    def of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry["kind"] == kind]


class ClientRuns:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = folder / "files"
        self._files.mkdir()
        sample_files.write_all(self._files)
        self._runs: dict[tuple[str, str], Run] = {}
        self._servers: dict[str, Server] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        self._stack.close()

    def server(self, file: str) -> Server:
        name = file if file in SPECIAL else "main"
        if name not in self._servers:
            env = {**MAIN, **SPECIAL.get(file, {})}
            self._servers[name] = self._stack.enter_context(running(self._folder / name, **env))
        return self._servers[name]

    def servers(self) -> list[Server]:
        return list(self._servers.values())

    def run(self, file: str, transport: str) -> Run:
        """Its result, from the first time it was asked for."""
        if (file, transport) not in self._runs:
            self._runs[file, transport] = self._run(file, transport)
        return self._runs[file, transport]

    def all(self, *, transports: tuple[str, ...] = TRANSPORTS) -> list[Run]:
        return [self.run(file, transport) for transport in transports for file in TEST_FILES]

    def _run(self, file: str, transport: str) -> Run:
        record = self._folder / f"{file}-{transport}.jsonl"
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "BASE_URL": self.server(file).url,
            "SERVER_PID": str(self.server(file).process.pid),
            "TRANSPORT": transport,
            "SOCKET_PATH": SPECIAL.get(file, {}).get("SOCKET_PATH", "/socket.io"),
            "FILES": str(self._files),
            "AUTH_JWT_SECRET": JWT_SECRET,
            "RECORD": str(record),
        }
        status, output = _node(file, env)
        lines = record.read_text().split("\n") if record.exists() else []  # not splitlines: U+2028 may stand in a text
        return Run(file, transport, status, output, tuple(json.loads(line) for line in lines if line))


def _node(file: str, env: dict[str, str]) -> tuple[int, str]:
    """Exit status and output of Node's own test runner, whose processes are a group of their own."""
    timeout = f"--test-timeout={int(TEST_TIMEOUT_SECONDS * 1000)}"
    with subprocess.Popen(
        ["node", "--test", "--test-reporter=spec", timeout, file],
        cwd=CLIENTS,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=FILE_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nkilled after {FILE_TIMEOUT_SECONDS} s"
        return process.returncode, output

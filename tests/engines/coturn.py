"""A real coturn on a free port of this machine, and its own client that asks it for a relay."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.server import free_port

START_SECONDS = 10.0
RELAY_SECONDS = 30.0
"""Its client takes three seconds for a few packets, and gives up at once where it is refused."""


class CoturnEngine:
    def __init__(self, folder: Path, secret: str) -> None:
        self.port = free_port()
        self.url = f"turn:127.0.0.1:{self.port}?transport=udp"
        self._log = folder / "coturn.log"
        here = ("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}")
        quiet = ("--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", f"--pidfile={folder / 'coturn.pid'}")
        trust = ("--use-auth-secret", f"--static-auth-secret={secret}", "--realm=chatapp", "--allow-loopback-peers")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [_program("turnserver"), "-n", *here, *quiet, *trust], cwd=folder, stdout=log, stderr=log
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up_at:
                    self.stop()
                    raise RuntimeError(f"coturn does not start; it says:\n{self._log.read_text()[-3000:]}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def relays(self, username: str, credential: str) -> bool:
        """Whether two who have these credentials reach each other through it."""
        asked = ("-p", str(self.port), "-u", username, "-w", credential, "-y", "-c", "-n", "1", "127.0.0.1")
        done = subprocess.run(
            [_program("turnutils_uclient"), *asked], check=False, capture_output=True, text=True, timeout=RELAY_SECONDS
        )
        said = done.stdout + done.stderr
        assert ("Cannot complete Allocation" in said) != ("Total lost packets 0 " in said), said
        return "Total lost packets 0 " in said


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing. On Debian: apt-get install coturn")
    return found


@contextmanager
def running_coturn(folder: Path, secret: str) -> Iterator[CoturnEngine]:
    engine = CoturnEngine(folder, secret)
    try:
        yield engine
    finally:
        engine.stop()

"""A media server for calls of many, which the official LiveKit client joins: ``tests/web/livekit``, in a process."""

from __future__ import annotations

import json
import selectors
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

PROGRAM = Path(__file__).parents[1] / "livekit" / "server.mjs"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class MediaServer:
    def __init__(self, url: str) -> None:
        self.url = url
        self.http_url = url.replace("ws:", "http:", 1)

    def rooms(self) -> dict[str, dict[str, Any]]:
        """``{room: {identity: {"tracks": [{"source", "kind", "muted"}]}}}``, without empty rooms."""
        answer = requests.get(self.http_url + "/rooms", timeout=10)
        answer.raise_for_status()
        rooms: dict[str, dict[str, Any]] = answer.json()
        return rooms

    def drop(self) -> None:
        """Everybody loses the signalling connection, but not the media. Who is not back in 5 s has left."""
        self._post("/drop")

    def forget(self) -> None:
        """Everybody loses everything, as when the server starts anew: clients come back with a new session."""
        self._post("/forget")

    def _post(self, path: str) -> None:
        requests.post(self.http_url + path, timeout=10).raise_for_status()


@contextmanager
def media_server(key: str, secret: str) -> Iterator[MediaServer]:
    command = ["node", str(PROGRAM), f"--key={key}", f"--secret={secret}"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        try:
            yield MediaServer(_url_when_ready(process))
        finally:
            ended_by_itself = process.poll() is not None
            _end(process)
            log.seek(0)
            if ended_by_itself:
                raise RuntimeError(f"the media server has ended by itself; it says:\n{log.read().decode()[-3000:]}")


def _url_when_ready(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_SECONDS):
            raise RuntimeError(f"the media server is not ready within {START_SECONDS} s")
    line = process.stdout.readline()
    if not line:
        process.wait(STOP_SECONDS)
        raise RuntimeError("the media server does not start")
    url: str = json.loads(line)["url"]
    return url


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise

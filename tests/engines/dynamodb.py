"""A DynamoDB for tests: moto in a process of its own, inside a wrapper that can be nastier than AWS.

    engine = DynamoEngine()             # starts it; 127.0.0.1, a free port
    engine.endpoint                     # for the store
    engine.be(throttle=0.3, lose=0.1)   # from now on; ``engine.be()`` is calm again

The process, and the names of all faults, are in ``nasty_dynamodb.py``.
"""

from __future__ import annotations

import atexit
import json
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chatapp.adapters.dynamodb_store import DynamoStore
from chatapp.ports import Journal
from tests.engines.dynamodb_local import DynamoLocal

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("nasty_dynamodb.py")
START_SECONDS = 60


class DynamoEngine:
    """The engine's process, as its tests hold it. ``log()`` is what was asked of it since ``be`` was last called.

    ``slow``: moto as it comes.
    """

    def __init__(self, *, slow: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", SERVER, *(["--slow"] if slow else [])],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # its end of file ends the engine, however we end
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.stop)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        assert line, "the DynamoDB engine did not start"
        self.endpoint = f"http://127.0.0.1:{int(line)}"
        self._prefixes = 0

    def new_prefix(self) -> str:
        self._prefixes += 1
        return f"t{self._prefixes}-"

    def be(self, *, seed: int = 1, operations: Iterable[str] = (), **faults: float) -> None:
        """``operations`` are those that the faults happen to; all that touch items when none is named."""
        self._control({"seed": seed, "operations": list(operations), "faults": faults})

    def drop(self, prefix: str) -> None:
        """Forget these tables: they cost memory."""
        self._control({"drop": prefix})

    def fill(self, table: str, item: dict[str, Any], *, texts: dict[str, str], number: str, count: int) -> None:
        """Store the item ``count`` times, as numbers 1, 2, 3 …: ``texts`` are replaced by these formats of ``n``
        wherever they occur, and so is each value that is this ``number``."""
        self._control({"fill": {"table": table, "item": item, "texts": texts, "number": number, "count": count}})

    def log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control({"log": True})["log"]
        return found

    def freeze(self) -> None:
        """It accepts calls and does them when it is thawed, whether or not their callers still wait."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        atexit.unregister(self.stop)

    def _control(self, order: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.endpoint}/_engine", json.dumps(order).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def open_dynamo(
    engine: DynamoEngine | DynamoLocal, prefix: str | None = None, journal: Journal | None = None
) -> DynamoStore:
    """A store with tables of its own, or one more on the tables of another."""
    store = DynamoStore(
        endpoint=engine.endpoint,
        region="us-east-1",
        prefix=prefix or engine.new_prefix(),
        access_key="test",
        secret_key="test",
        journal=journal,
    )
    store.create_tables()
    return store

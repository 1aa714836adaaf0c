"""Several processes append to one audit log: the chain never forks, and no record is lost or written twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.audit import Chain
from chatapp.ports import Store
from tests.engines.dynamodb import DynamoEngine, open_dynamo

ROOT = Path(__file__).parents[2]
PROCESSES = 4
RECORDS = 12

CHILD = """
import sys
import gevent
from chatapp.adapters.dynamodb_store import DynamoStore, client, outbox
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.audit import AuditDraft

engine, place, prefix, name, count = sys.argv[1:]
client.PATIENCE_SECONDS = outbox.LONGEST_WAIT_SECONDS = 60.0  # it is asked what is answered, not how soon
if engine == "sqlite":
    store = SqliteStore(place)
else:
    store = DynamoStore(endpoint=place, region="us-east-1", prefix=prefix, access_key="test", secret_key="test")
store.check()
print("ready", flush=True)
sys.stdin.readline()

def append(number):
    store.audit.append(AuditDraft("", name, "user.delete", f"user:{number}", "{}"))

gevent.joinall([gevent.spawn(append, number) for number in range(int(count))], raise_error=True)
store.close()
"""


def append_in_processes(engine: str, place: str, prefix: str = "") -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, engine, place, prefix, f"user:{number}", str(RECORDS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:  # all are there: go
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0] * PROCESSES


def require_one_chain(store: Store) -> None:
    records = store.audit.records(after=None, limit=1000)
    chain = Chain()
    assert chain.follow(records) is None
    assert chain.head == store.audit.head()
    written = Counter((record.actor, record.target) for record in records)
    assert written == Counter((f"user:{p}", f"user:{r}") for p in range(PROCESSES) for r in range(RECORDS))


def test_processes_on_one_file_make_one_chain(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "chat.db")
    append_in_processes("sqlite", str(tmp_path / "chat.db"))
    require_one_chain(store)
    store.close()


@pytest.mark.parametrize("faults", [{}, {"lose": 0.2, "conflict": 0.2, "throttle": 0.1}], ids=["good day", "bad day"])
def test_processes_on_one_table_make_one_chain(faults: dict[str, float]) -> None:
    engine = DynamoEngine()
    store = open_dynamo(engine, "chain-")
    engine.be(**faults)
    append_in_processes("dynamodb", engine.endpoint, "chain-")
    engine.be()
    require_one_chain(store)
    store.close()
    engine.stop()

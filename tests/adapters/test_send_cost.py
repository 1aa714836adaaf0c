"""A send costs the same however much is stored and however large the group is; counted, not timed.

How long it takes is measured by ``benchmarks/send_cost.py``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatapp.adapters.dynamodb_store import DynamoStore, keys
from chatapp.adapters.sqlite_store import SqliteStore
from tests.contracts.builders import draft, failure, group, save_people, say, together
from tests.engines.dynamodb import DynamoEngine, open_dynamo
from tests.engines.volume import Cost, cost_of, fill

STORED = (0, 10_000, 100_000)
MEMBERS = (2, 200, 2_000)


def crowd(count: int) -> list[str]:
    return ["ana", *(f"u{number}" for number in range(1, count))]


# ---------------------------------------------------------------- SQLite
@dataclass
class Steps:
    """What SQLite's virtual machine did: a scan where there was a search shows here at once."""

    instructions: int = 0
    statements: int = 0

    def step(self) -> None:
        self.instructions += 1

    def state(self, _sql: str) -> None:
        self.statements += 1


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "chat.db")
    save_people(store)
    yield store
    store.close()


def sqlite_steps(store: SqliteStore, to: str) -> Steps:
    steps = Steps()

    def watch(on: bool) -> None:
        def work(connection: object) -> None:
            connection.set_progress_handler(steps.step if on else None, 1)  # type: ignore[attr-defined]
            connection.set_trace_callback(steps.state if on else None)  # type: ignore[attr-defined]

        store._database.write(work)

    store.messages.append(draft(to=to, key=f"before {to}"), fingerprint="f")
    watch(True)
    steps.instructions = steps.statements = 0
    assert not store.messages.append(draft(to=to, key=f"counted {to}"), fingerprint="f").duplicate
    counted = Steps(steps.instructions, steps.statements)
    watch(False)
    return counted


def sqlite_fill(store: SqliteStore, to: str, count: int) -> None:
    """Send one message, and put ``count`` like it before it."""

    def begin(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE conversations SET last_seq = ? WHERE id = ?", (count, to))

    def copy(connection: sqlite3.Connection) -> None:
        texts = ("id", "message_id", "client_message_id")
        for table, message_id in (("messages", "id"), ("idempotency_keys", "message_id")):
            columns = [row["name"] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ["n" if c == "seq" else f"'{to}/' || n" if c in texts else c for c in columns]
            connection.execute(
                f"""WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
                    INSERT INTO {table} ({", ".join(columns)})
                    SELECT {", ".join(values)} FROM {table} CROSS JOIN numbers WHERE {message_id} = ? AND n <= ?""",
                (count, template.id, count),
            )

    store._database.write(begin)
    template = store.messages.append(draft(to=to, key=f"template {to}"), fingerprint="f").message
    store._database.write(copy)


def test_sqlite_takes_as_many_steps_for_a_send_whatever_is_stored(sqlite: SqliteStore) -> None:
    found = []
    for stored in STORED:
        to = f"g{stored}"
        sqlite.conversations.create_group(group("ana", "bea", id=to))
        sqlite_fill(sqlite, to, stored)
        history = sqlite.messages.history(to, limit=2)
        assert [message.seq for message in history] == list(range(max(1, stored), stored + 2))
        found.append(sqlite_steps(sqlite, to))
    assert found == [found[0]] * len(STORED)


def test_sqlite_takes_as_many_steps_for_a_send_to_any_number_of_members(sqlite: SqliteStore) -> None:
    found = []
    for members in MEMBERS:
        sqlite.conversations.create_group(group(*crowd(members), id=f"g{members}"))
        found.append(sqlite_steps(sqlite, f"g{members}"))
    assert found == [found[0]] * len(MEMBERS)


def statements_of(store: SqliteStore, calls: list[Callable[[], object]]) -> list[str]:
    """The first words of all that SQLite is told while these calls are made, as one group."""
    told: list[str] = []
    store._database.write(lambda connection: connection.set_trace_callback(told.append))
    told.clear()
    together(calls)
    return [statement.split(maxsplit=1)[0] for statement in told]


SEND = ["SELECT", "INSERT", "INSERT", "UPDATE", "UPDATE"]
"""The conversation with its member, the key, the message, the conversation's newest message, the sender's mark."""


def test_sqlite_is_told_five_statements_for_a_send_and_two_for_its_group(sqlite: SqliteStore) -> None:
    sqlite.conversations.create_group(group("ana", "bea"))
    sends = [lambda n=n: say(sqlite, draft(key=f"k{n}")) for n in range(20)]
    assert statements_of(sqlite, sends) == ["BEGIN", *SEND * 20, "COMMIT"]


def test_sqlite_does_not_begin_a_group_again_for_a_send_it_refuses_or_has_already(sqlite: SqliteStore) -> None:
    sqlite.conversations.create_group(group("ana", "bea"))
    say(sqlite, draft("first", key="first"))
    sends = [
        lambda: say(sqlite, draft(key="before")),
        lambda: failure(lambda: say(sqlite, draft(by="dora"))),
        lambda: failure(lambda: say(sqlite, draft(to="nowhere"))),
        lambda: say(sqlite, draft("first", key="first")),
        lambda: say(sqlite, draft(key="after")),
    ]
    refused, repeated = ["SELECT"], ["SELECT", "INSERT", "SELECT", "SELECT"]
    assert statements_of(sqlite, sends) == ["BEGIN", *SEND, *refused, *refused, *repeated, *SEND, "COMMIT"]


# ---------------------------------------------------------------- DynamoDB
@pytest.fixture(scope="module")
def engine() -> Iterator[DynamoEngine]:
    engine = DynamoEngine()
    yield engine
    engine.stop()


@pytest.fixture
def dynamo(engine: DynamoEngine) -> Iterator[DynamoStore]:
    prefix = engine.new_prefix()
    store = open_dynamo(engine, prefix)
    save_people(store)
    yield store
    store.close()
    engine.drop(prefix)


def dynamo_cost(engine: DynamoEngine, store: DynamoStore, to: str) -> Cost:
    engine.be()
    assert not store.messages.append(draft(to=to, key="counted"), fingerprint="f").duplicate
    return cost_of(engine.log())


def test_dynamodb_is_asked_and_paid_the_same_for_a_send_whatever_is_stored(
    engine: DynamoEngine, dynamo: DynamoStore
) -> None:
    found = []
    for stored in STORED:
        to = f"g{stored:06}"
        dynamo.conversations.create_group(group("ana", "bea", id=to))
        fill(engine, dynamo, draft(to=to, key="template"), stored)
        assert len(dynamo._db.get_many([keys.message(to, 1), keys.message(to, stored + 1)])) == min(2, stored + 1)
        found.append(dynamo_cost(engine, dynamo, to))
    assert found == [found[0]] * len(STORED)
    assert found[0].requests == ("BatchGetItem of 3", "TransactWriteItems of 5")
    assert (found[0].read_units, found[0].write_units) == (3, 10)


def test_dynamodb_is_asked_and_paid_the_same_for_a_send_to_any_number_of_members(
    engine: DynamoEngine, dynamo: DynamoStore
) -> None:
    found = []
    for members in MEMBERS:
        to = f"g{members:04}"
        dynamo.conversations.create_group(group(*crowd(members), id=to))
        fill(engine, dynamo, draft(to=to, key="template"), 0)
        found.append(dynamo_cost(engine, dynamo, to))
    assert found == [found[0]] * len(MEMBERS)
    assert (found[0].read_units, found[0].write_units) == (3, 10)

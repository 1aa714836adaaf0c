"""What a send costs, by how much is stored already and how large the group is.

    .venv/bin/python -m benchmarks.send_cost sqlite
    .venv/bin/python -m benchmarks.send_cost dynamodb

CPU is this process's, in microseconds per send. DynamoDB is played by moto, whose time is not DynamoDB's: what counts
there is what is asked of it, and what AWS would bill.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import gevent

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.system import TimeOrderedIds
from chatapp.domain.commands import SaveUser
from chatapp.domain.models import Conversation, ConversationType, Message, MessageType, Sender
from chatapp.ports import Store
from tests.engines import volume
from tests.engines.dynamodb import DynamoEngine, open_dynamo

IDS = TimeOrderedIds()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 50
MEMBERS, STORED = (2, 200, 2_000), (0, 10_000, 100_000)
ROUNDS = 5
"""Each figure is the least of so many, because others use the machine too; the cases take turns."""


def draft(conversation_id: str) -> Message:
    return Message(
        id=IDS.new(),
        conversation_id=conversation_id,
        seq=0,
        sender=Sender("u0", "Ana", None),
        recipient_id=None,
        content="x" * 100,
        message_type=MessageType.TEXT,
        timestamp=NOW,
        client_message_id=str(uuid.uuid4()),
    )


def send_all(store: Store, conversation_id: str, count: int, *, at_once: int = AT_ONCE) -> None:
    def send() -> None:
        store.messages.append(draft(conversation_id), fingerprint="f")

    for start in range(0, count, at_once):
        gevent.joinall([gevent.spawn(send) for _ in range(min(at_once, count - start))], raise_error=True)


def group(store: Store, members: int) -> str:
    people = tuple(f"u{number}" for number in range(members))
    made = Conversation(str(uuid.uuid4()), ConversationType.GROUP, "G", None, people, "u0", NOW, NOW)
    return store.conversations.create_group(made).id


def measure(store: Store, cases: dict[str, str], sends: int) -> dict[str, tuple[float, float]]:
    """CPU and wall time of one send into each case's conversation, in microseconds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, conversation_id in cases.items():
            wall, cpu = time.perf_counter(), time.process_time()
            send_all(store, conversation_id, sends)
            took = time.process_time() - cpu, time.perf_counter() - wall
            found[name].append((took[0] / sends * 1e6, took[1] / sends * 1e6))
    return {name: (min(cpu for cpu, _ in times), min(wall for _, wall in times)) for name, times in found.items()}


def make_cases(store: Store, fill: Callable[[str, int], None]) -> dict[str, str]:
    cases = {f"group of {members:,}": group(store, members) for members in MEMBERS}
    for stored in STORED:
        conversation_id = group(store, 2)
        fill(conversation_id, stored)
        cases[f"{stored:,} stored"] = conversation_id
    for conversation_id in cases.values():  # a first message makes an empty conversation's head larger
        send_all(store, conversation_id, AT_ONCE)
    return cases


def sqlite_costs() -> dict[str, tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "chat.db")
        save_sender(store)
        cases = make_cases(store, lambda to, count: send_all(store, to, count, at_once=500))
        costs = measure(store, cases, sends=2_000)
        store.close()
        return costs


def sqlite() -> None:
    for name, (cpu, wall) in sqlite_costs().items():
        print(f"{name:>16}: {cpu:6.1f} us CPU {wall:6.1f} us wall")


def dynamodb() -> None:
    engine = DynamoEngine()
    store = open_dynamo(engine)
    save_sender(store)
    cases = make_cases(store, lambda to, count: volume.fill(engine, store, draft(to), count))
    times = measure(store, cases, sends=250)
    for name, conversation_id in cases.items():
        engine.be()
        send_all(store, conversation_id, 1)
        cost = volume.cost_of(engine.log())
        print(
            f"{name:>16}: {times[name][0]:7.1f} us CPU, {len(cost.requests)} requests, {cost.bytes_sent:,} bytes sent, "
            f"{cost.bytes_received:,} received, {cost.read_units} read units, {cost.write_units} write units"
        )
    store.close()
    engine.stop()


def save_sender(store: Store) -> None:
    store.users.save(SaveUser(id="u0", name="Ana", email="ana@example.com"), user_id="u0", now=NOW)


if __name__ == "__main__":
    {"sqlite": sqlite, "dynamodb": dynamodb}[sys.argv[1]]()

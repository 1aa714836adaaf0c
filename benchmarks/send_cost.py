"""What a send costs the embedded store, by how much is stored already and how large the group is.

    .venv/bin/python benchmarks/send_cost.py

Prints CPU and wall time per send, in microseconds, of 2,000 sends that arrive 50 at a time.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import gevent

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.commands import SaveUser
from chatapp.domain.models import Conversation, ConversationType, Message, MessageType, Sender

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SENDS, AT_ONCE = 2_000, 50


def fill(store: SqliteStore, conversation_id: str, count: int) -> None:
    for start in range(0, count, 500):
        send_all(store, conversation_id, min(500, count - start), at_once=500)


def send_all(store: SqliteStore, conversation_id: str, count: int, *, at_once: int) -> None:
    for _ in range(count // at_once):
        gevent.joinall([gevent.spawn(send, store, conversation_id) for _ in range(at_once)], raise_error=True)


def send(store: SqliteStore, conversation_id: str) -> None:
    message = Message(
        id=str(uuid.uuid4()),
        conversation_id=conversation_id,
        seq=0,
        sender=Sender("u0", "Ana", None),
        recipient_id=None,
        content="x" * 100,
        message_type=MessageType.TEXT,
        timestamp=NOW,
        client_message_id=str(uuid.uuid4()),
    )
    store.messages.append(message, fingerprint="f")


def measure(store: SqliteStore, conversation_id: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    send_all(store, conversation_id, SENDS, at_once=AT_ONCE)
    return (time.process_time() - cpu) / SENDS * 1e6, (time.perf_counter() - wall) / SENDS * 1e6


def group(store: SqliteStore, members: int) -> str:
    people = tuple(f"u{number}" for number in range(members))
    made = Conversation(str(uuid.uuid4()), ConversationType.GROUP, "G", None, people, "u0", NOW, NOW)
    return store.conversations.create_group(made).id


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "chat.db")
        for number in range(2_000):
            command = SaveUser(id=f"u{number}", name=f"N{number}", email="n@example.com")
            gevent.spawn(store.users.save, command, user_id=f"u{number}", now=NOW)
        measure(store, group(store, 2))  # warm
        for members in (2, 200, 2_000):
            cpu, wall = measure(store, group(store, members))
            print(f"group of {members:5}: {cpu:6.1f} us CPU {wall:6.1f} us wall")
        conversation_id = group(store, 2)
        for stored in (0, 10_000, 100_000):
            fill(store, conversation_id, stored)
            cpu, wall = measure(store, conversation_id)
            print(f"after {stored:7} more: {cpu:6.1f} us CPU {wall:6.1f} us wall")
        store.close()


if __name__ == "__main__":
    main()

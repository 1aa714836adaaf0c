"""Calls and the leases of workers in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime

from chatapp.adapters.call_codec import decode_call, encode_call
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.rows import to_json
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.calls import Call
from chatapp.domain.errors import InAnotherCall


class SqliteCalls:
    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ calls
    def begin(self, call: Call) -> tuple[Call, bool]:
        return self._database.write(lambda connection: _begin(connection, call))

    def get(self, call_id: str) -> Call | None:
        return self._database.read(lambda connection: _find(connection, "id = ?", call_id))

    def replace(self, call: Call) -> bool:
        return self._database.write(lambda connection: _replace(connection, call))

    def remove(self, call_id: str) -> None:
        self._database.write(lambda c: c.execute("DELETE FROM calls WHERE id = ?", (call_id,)))

    def list_all(self) -> list[Call]:
        rows = self._database.read(lambda c: c.execute("SELECT document FROM calls").fetchall())
        return [decode_call(row["document"]) for row in rows]

    def busy(self, user_ids: Collection[str]) -> dict[str, str]:
        return self._database.read(lambda connection: _busy(connection, user_ids))

    # ------------------------------------------------------------ leases
    def renew(self, worker: str, *, until: datetime) -> None:
        lease = (worker, to_ms(until))
        self._database.write(lambda c: c.execute("REPLACE INTO call_workers (worker, until) VALUES (?, ?)", lease))

    def leases(self) -> dict[str, datetime]:
        rows = self._database.read(lambda c: c.execute("SELECT worker, until FROM call_workers").fetchall())
        return {row["worker"]: from_ms(row["until"]) for row in rows}

    def release(self, worker: str) -> None:
        self._database.write(lambda c: c.execute("DELETE FROM call_workers WHERE worker = ?", (worker,)))


# ---------------------------------------------------------------- inside a transaction
def _begin(connection: sqlite3.Connection, call: Call) -> tuple[Call, bool]:
    """Looks before it writes, so that a refusal leaves nothing to undo."""
    known = _find(connection, "id = ?", call.id) or _find(connection, "conversation_id = ?", call.conversation_id)
    if known is not None:
        return known, False
    _require_free(connection, call)
    connection.execute(
        "INSERT INTO calls (id, conversation_id, version, document) VALUES (?, ?, ?, ?)",
        (call.id, call.conversation_id, call.version, encode_call(call)),
    )
    _take_part(connection, call)
    return call, True


def _replace(connection: sqlite3.Connection, call: Call) -> bool:
    before = (call.id, call.version - 1)
    if connection.execute("SELECT 1 FROM calls WHERE id = ? AND version = ?", before).fetchone() is None:
        return False
    _require_free(connection, call)
    connection.execute(
        "UPDATE calls SET conversation_id = ?, version = ?, document = ? WHERE id = ?",
        (None if call.is_over else call.conversation_id, call.version, encode_call(call), call.id),
    )
    connection.execute("DELETE FROM call_participants WHERE call_id = ?", (call.id,))
    _take_part(connection, call)
    return True


def _find(connection: sqlite3.Connection, where: str, value: str) -> Call | None:
    row = connection.execute(f"SELECT document FROM calls WHERE {where}", (value,)).fetchone()
    return decode_call(row["document"]) if row else None


def _require_free(connection: sqlite3.Connection, call: Call) -> None:
    for user_id, other in _busy(connection, [each.user_id for each in call.participants]).items():
        if other != call.id:
            raise InAnotherCall(callId=other, userId=user_id)


def _take_part(connection: sqlite3.Connection, call: Call) -> None:
    connection.executemany(
        "INSERT INTO call_participants (user_id, call_id) VALUES (?, ?)",
        [(each.user_id, call.id) for each in call.participants],
    )


def _busy(connection: sqlite3.Connection, user_ids: Collection[str]) -> dict[str, str]:
    rows = connection.execute(
        "SELECT user_id, call_id FROM call_participants WHERE user_id IN (SELECT value FROM json_each(?))",
        (to_json(user_ids),),
    )
    return {row["user_id"]: row["call_id"] for row in rows}

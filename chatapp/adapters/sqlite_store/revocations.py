"""Revocations of tokens in SQLite."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.revocations import Revocation

EVERYBODY = ""


class SqliteRevocations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def revoke(self, revocation: Revocation) -> None:
        row = (revocation.user_id or EVERYBODY, to_ms(revocation.before))

        def work(connection: sqlite3.Connection) -> None:
            later = "SELECT 1 FROM revocations WHERE user_id = ? AND before >= ?"
            if connection.execute(later, row).fetchone() is None:
                connection.execute("REPLACE INTO revocations (user_id, before) VALUES (?, ?)", row)

        self._database.write(work)

    def version(self) -> str:
        row = self._database.read(lambda c: c.execute("SELECT max(version) FROM revocations").fetchone())
        return str(row[0])

    def list_all(self) -> list[Revocation]:
        rows = self._database.read(lambda c: c.execute("SELECT user_id, before FROM revocations").fetchall())
        return [Revocation(row["user_id"] or None, from_ms(row["before"])) for row in rows]

    def forget(self, *, until: datetime) -> None:
        self._database.write(lambda c: c.execute("DELETE FROM revocations WHERE before <= ?", (to_ms(until),)))

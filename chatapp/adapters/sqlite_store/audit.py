"""The chain of audit records in SQLite."""

from __future__ import annotations

import sqlite3

from chatapp.adapters.sqlite_store.database import Database
from chatapp.domain.audit import AuditDraft, AuditHead, AuditRecord, link

LOWEST = -(2**63)

TEXTS = ("at", "actor", "action", "target", "details", "previous", "hash")

BYTES = ", ".join(f"CAST({name} AS BLOB) AS {name}" for name in TEXTS)
"""The driver refuses a row with text that is none, and with it all that were asked for."""


class SqliteAudit:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, draft: AuditDraft) -> AuditRecord:
        def work(connection: sqlite3.Connection) -> AuditRecord:
            record = link(draft, _head(connection))
            connection.execute(
                f"INSERT INTO audit_log (seq, {', '.join(TEXTS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [record.seq, *(getattr(record, name) for name in TEXTS)],
            )
            connection.execute("REPLACE INTO audit_head (only, seq, hash) VALUES (1, ?, ?)", (record.seq, record.hash))
            return record

        return self._database.write(work)

    def records(self, *, after: int | None, limit: int) -> list[AuditRecord]:
        condition, values = ("seq > ?", (after, limit)) if after is not None else ("seq >= ?", (LOWEST, limit))
        rows = self._database.read(
            lambda connection: connection.execute(
                f"SELECT seq, {BYTES} FROM audit_log WHERE {condition} ORDER BY seq LIMIT ?", values
            ).fetchall()
        )
        return [_to_record(row) for row in rows]

    def head(self) -> AuditHead:
        return self._database.read(_head)


def _head(connection: sqlite3.Connection) -> AuditHead:
    row = connection.execute("SELECT seq, hash FROM audit_head").fetchone()
    return AuditHead(row["seq"], row["hash"]) if row else AuditHead()


def _to_record(row: sqlite3.Row) -> AuditRecord:
    return AuditRecord(seq=row["seq"], **{name: _text(row[name]) for name in TEXTS})


def _text(value: bytes | None) -> str:
    return value.decode(errors="replace") if value is not None else ""

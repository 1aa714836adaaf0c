"""API keys in SQLite."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.rows import to_json
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import Conflict
from chatapp.domain.models import Scope


class SqliteApiKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: ApiKey) -> None:
        row = (key.id, key.name, to_json(sorted(key.scopes)), key.digest, to_ms(key.created_at))

        def work(connection: sqlite3.Connection) -> None:
            if _find(connection, key.id) is not None:
                raise Conflict(keyId=key.id)
            connection.execute(
                "INSERT INTO api_keys (id, name, scopes, digest, created_at) VALUES (?, ?, ?, ?, ?)", row
            )

        self._database.write(work)

    def get(self, key_id: str) -> ApiKey | None:
        return self._database.read(lambda connection: _find(connection, key_id))

    def list_all(self) -> list[ApiKey]:
        rows = self._database.read(lambda c: c.execute("SELECT * FROM api_keys ORDER BY number").fetchall())
        return [_to_key(row) for row in rows]

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey | None:
        def work(connection: sqlite3.Connection) -> ApiKey | None:
            connection.execute(
                "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (to_ms(now), key_id)
            )
            return _find(connection, key_id)

        return self._database.write(work)

    def touch(self, key: ApiKey, *, used_at: datetime) -> None:
        before = to_ms(key.last_used_at) if key.last_used_at else None
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND last_used_at IS ?",
                (to_ms(used_at), key.id, before),
            )
        )


def _find(connection: sqlite3.Connection, key_id: str) -> ApiKey | None:
    row = connection.execute("SELECT * FROM api_keys WHERE id = ?", (key_id,)).fetchone()
    return _to_key(row) if row else None


def _to_key(row: sqlite3.Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        scopes=frozenset(map(Scope, json.loads(row["scopes"]))),
        created_at=from_ms(row["created_at"]),
        digest=row["digest"],
        last_used_at=from_ms(row["last_used_at"]),
        revoked_at=from_ms(row["revoked_at"]),
    )

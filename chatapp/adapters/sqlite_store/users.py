"""User profiles in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime

from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.events import log
from chatapp.adapters.sqlite_store.rows import to_json, to_user
from chatapp.adapters.times import to_ms
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import UserNotFound
from chatapp.domain.happenings import user_created
from chatapp.domain.models import User
from chatapp.domain.text import sort_key
from chatapp.ports import Journal

LIVE = "SELECT * FROM users WHERE deleted_at IS NULL"


class SqliteUsers:
    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    def save(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, bool]:
        return self._database.write(
            lambda connection: save_and_log(connection, self._journal, command, user_id, to_ms(now))
        )

    def get(self, user_id: str) -> User | None:
        return self.get_many([user_id]).get(user_id)

    def get_many(self, user_ids: Collection[str]) -> dict[str, User]:
        if not user_ids:
            return {}
        ids = to_json(user_ids)
        rows = self._database.read(
            lambda connection: connection.execute(
                f"{LIVE} AND id IN (SELECT value FROM json_each(?))", (ids,)
            ).fetchall()
        )
        return {row["id"]: to_user(row) for row in rows}

    def list_by_name(
        self,
        *,
        limit: int,
        after: tuple[str, str] | None = None,
        q: str | None = None,
        filial: str | None = None,
        visible_to: Collection[str] | None = None,
    ) -> list[User]:
        sql = LIVE
        values: list[str] = []
        if after:
            sql += " AND (sort_name, id) > (?, ?)"
            values += after
        if q:
            sql += " AND (instr(sort_name, ?) OR instr(lower(email), ?))"
            values += [sort_key(q), q.lower()]
        if filial:
            sql += " AND EXISTS (SELECT 1 FROM json_each(filials) WHERE value = ?)"
            values += [filial]
        if visible_to is not None:
            sql += " AND (filials = '[]' OR EXISTS (SELECT 1 FROM json_each(filials) WHERE value IN"
            sql += " (SELECT value FROM json_each(?))))"
            values += [to_json(list(visible_to))]
        sql += " ORDER BY sort_name, id LIMIT ?"
        rows = self._database.read(lambda connection: connection.execute(sql, (*values, limit)).fetchall())
        return [to_user(row) for row in rows]

    def set_avatar(self, user_id: str, avatar: str | None, *, now: datetime) -> str | None:
        def work(connection: sqlite3.Connection) -> str | None:
            before: str | None = _require(connection, user_id)["avatar"]
            connection.execute(
                "UPDATE users SET avatar = ?, updated_at = ? WHERE id = ?", (avatar, to_ms(now), user_id)
            )
            return before

        return self._database.write(work)

    def touch(self, user_id: str, *, last_seen: datetime) -> None:
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE users SET last_seen = ? WHERE id = ?", (to_ms(last_seen), user_id)
            )
        )

    def delete(self, user_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _require(connection, user_id)
            connection.execute(
                "UPDATE users SET deleted_at = unixepoch() * 1000, avatar = NULL, email = '' WHERE id = ?", (user_id,)
            )

        self._database.write(work)


def _require(connection: sqlite3.Connection, user_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(f"{LIVE} AND id = ?", (user_id,)).fetchone()
    if row is None:
        raise UserNotFound(userId=user_id)
    return row


def save_and_log(
    connection: sqlite3.Connection, journal: Journal, command: SaveUser, user_id: str, now: int
) -> tuple[User, bool]:
    """Inside a transaction; ``now`` is in milliseconds."""
    user, created = _save(connection, command, user_id, now)
    if created and journal.is_on():
        log(connection, journal.entries(user_created(user)))
    return user, created


def _save(connection: sqlite3.Connection, command: SaveUser, user_id: str, now: int) -> tuple[User, bool]:
    before = connection.execute(f"{LIVE} AND id = ?", (user_id,)).fetchone()
    profile = {
        "id": user_id,
        "name": command.name,
        "sort_name": sort_key(command.name),
        "email": command.email,
        "roles": before["roles"] if before and command.roles is None else to_json(command.roles or ()),
        "filials": before["filials"] if before and command.filials is None else to_json(command.filials or ()),
        "avatar": before["avatar"] if before and command.keep_avatar else command.avatar,
        "created_at": before["created_at"] if before else now,
        "updated_at": now,
        "last_seen": before["last_seen"] if before else now,
    }
    if before and all(before[key] == value for key, value in profile.items() if key != "updated_at"):
        return to_user(before), False  # a login that changes nothing writes nothing
    connection.execute(
        """INSERT INTO users (id, name, sort_name, email, roles, filials, avatar, created_at, updated_at, last_seen)
           VALUES (:id, :name, :sort_name, :email, :roles, :filials, :avatar, :created_at, :updated_at, :last_seen)
           ON CONFLICT (id) DO UPDATE SET name = :name, sort_name = :sort_name, email = :email, roles = :roles,
               filials = :filials, avatar = :avatar, created_at = :created_at, updated_at = :updated_at,
               last_seen = :last_seen, deleted_at = NULL""",
        profile,
    )
    return to_user(connection.execute(f"{LIVE} AND id = ?", (user_id,)).fetchone()), before is None

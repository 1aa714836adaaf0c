"""Webhook endpoints, their lanes and their tries in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.events import in_lane, last_number
from chatapp.adapters.times import from_ms, to_ms
from chatapp.adapters.webhook_codec import from_delivery, from_endpoint, to_delivery, to_endpoint
from chatapp.domain.models import Page
from chatapp.domain.webhooks import REPLAY, Backlog, Claim, Delivery, Endpoint, Lane

THEIRS = "endpoint_id = ? AND lane = ? AND owner = ?"


class SqliteWebhooks:
    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ endpoints
    def version(self) -> str:
        row = self._database.read(lambda c: c.execute("SELECT version FROM webhooks_version").fetchone())
        return str(row["version"]) if row else ""

    def list_all(self) -> list[Endpoint]:
        rows = self._database.read(lambda c: c.execute("SELECT * FROM webhook_endpoints ORDER BY number").fetchall())
        return [_to_endpoint(row) for row in rows]

    def get(self, endpoint_id: str) -> Endpoint | None:
        return self._database.read(lambda connection: _find(connection, endpoint_id))

    def add(self, endpoint: Endpoint) -> Endpoint:
        def work(connection: sqlite3.Connection) -> Endpoint:
            stored = replace(endpoint, since=make_cursor(last_number(connection)))
            connection.execute(
                "INSERT INTO webhook_endpoints (id, body) VALUES (?, ?)", (stored.id, from_endpoint(stored))
            )
            _touch(connection)
            return stored

        return self._database.write(work)

    def change(self, endpoint_id: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        def work(connection: sqlite3.Connection) -> Endpoint | None:
            before = _find(connection, endpoint_id)
            if before is None:
                return None
            after = change(before)
            if after != before:
                connection.execute(
                    "UPDATE webhook_endpoints SET body = ? WHERE id = ?", (from_endpoint(after), endpoint_id)
                )
                _touch(connection)
            return after

        return self._database.write(work)

    def note_success(self, endpoint_id: str, *, at: datetime) -> None:
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE webhook_endpoints SET last_success_at = ? WHERE id = ?", (to_ms(at), endpoint_id)
            )
        )

    def remove(self, endpoint_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            gone = connection.execute("DELETE FROM webhook_endpoints WHERE id = ?", (endpoint_id,)).rowcount > 0
            connection.execute("DELETE FROM webhook_lanes WHERE endpoint_id = ?", (endpoint_id,))
            connection.execute("DELETE FROM webhook_deliveries WHERE endpoint_id = ?", (endpoint_id,))
            _touch(connection)
            return gone

        return self._database.write(work)

    # ------------------------------------------------------------ lanes
    def swept(self, endpoint_id: str) -> str | None:
        row = self._database.read(
            lambda c: c.execute("SELECT swept FROM webhook_endpoints WHERE id = ?", (endpoint_id,)).fetchone()
        )
        return row["swept"] if row else None

    def set_swept(self, endpoint_id: str, cursor: str) -> None:
        self._database.write(
            lambda c: c.execute("UPDATE webhook_endpoints SET swept = ? WHERE id = ?", (cursor, endpoint_id))
        )

    def lane(self, endpoint: Endpoint, lane: str) -> Lane:
        row = self._database.read(lambda connection: _lane(connection, endpoint.id, lane))
        return _to_lane(row) if row else Lane(endpoint.id, lane, str(_start(endpoint, lane)))

    def claim(self, endpoint: Endpoint, lane: str, *, owner: str, now: datetime, until: datetime) -> Lane | Claim:
        def work(connection: sqlite3.Connection) -> Lane | Claim:
            row = _begin(connection, endpoint, lane)
            if row["owner"] not in (None, owner) and row["leased_until"] > to_ms(now):
                return Claim.BUSY
            if row["due_at"] is not None and row["due_at"] > to_ms(now):
                return Claim.PARKED
            due_at = to_ms(now) if row["due_at"] is None else row["due_at"]
            connection.execute(
                "UPDATE webhook_lanes SET owner = ?, leased_until = ?, due_at = ? WHERE endpoint_id = ? AND lane = ?",
                (owner, to_ms(until), due_at, endpoint.id, lane),
            )
            return replace(_to_lane(row), due_at=from_ms(due_at))

        return self._database.write(work)

    def extend(self, lane: Lane, *, owner: str, until: datetime) -> bool:
        values = (to_ms(until), lane.endpoint_id, lane.name, owner)
        return self._database.write(
            lambda c: c.execute(f"UPDATE webhook_lanes SET leased_until = ? WHERE {THEIRS}", values).rowcount > 0
        )

    def settle(self, lane: Lane, *, owner: str, until: datetime | None, delivery: Delivery | None) -> bool:
        kept = (owner, to_ms(until)) if until else (None, 0)
        values = (*kept, *_from_lane(lane), lane.endpoint_id, lane.name, owner)

        def work(connection: sqlite3.Connection) -> bool:
            settled = connection.execute(
                f"""UPDATE webhook_lanes SET owner = ?, leased_until = ?, position = ?, attempts = ?, due_at = ?,
                    failing_since = ? WHERE {THEIRS}""",
                values,
            )
            if settled.rowcount and delivery:
                _insert_delivery(connection, delivery)
            return settled.rowcount > 0

        return self._database.write(work)

    def rest(self, lane: Lane, *, owner: str) -> bool:
        position = int(lane.position)

        def work(connection: sqlite3.Connection) -> bool:
            if in_lane(connection, lane.name, position, 1):
                return False
            rested = connection.execute(
                f"""UPDATE webhook_lanes SET owner = NULL, leased_until = 0, position = ?, attempts = 0, due_at = NULL,
                    failing_since = NULL WHERE {THEIRS}""",
                (position, lane.endpoint_id, lane.name, owner),
            )
            return rested.rowcount > 0

        return self._database.write(work)

    def make_due(self, endpoint: Endpoint, lane: str, *, position: str, now: datetime) -> None:
        """Nearly always it was told long ago, and there is nothing to write."""
        row = self._database.read(lambda connection: _lane(connection, endpoint.id, lane))
        if row is not None and (row["due_at"] is not None or row["position"] >= int(position)):
            return

        def work(connection: sqlite3.Connection) -> None:
            _begin(connection, endpoint, lane)
            connection.execute(
                """UPDATE webhook_lanes SET due_at = ?
                   WHERE endpoint_id = ? AND lane = ? AND due_at IS NULL AND position < ?""",
                (to_ms(now), endpoint.id, lane, int(position)),
            )

        self._database.write(work)

    def due(self, endpoint_id: str, *, by: datetime, limit: int) -> list[tuple[str, datetime]]:
        rows = self._database.read(
            lambda connection: connection.execute(
                """SELECT lane, max(due_at, leased_until) AS free_at FROM webhook_lanes
                   WHERE endpoint_id = ? AND due_at <= ? ORDER BY due_at LIMIT ?""",
                (endpoint_id, to_ms(by), limit),
            ).fetchall()
        )
        return [(row["lane"], from_ms(row["free_at"])) for row in rows if row["free_at"] <= to_ms(by)]

    def backlog(self, endpoint_id: str) -> Backlog:
        row = self._database.read(
            lambda connection: connection.execute(
                """SELECT count(*) AS lanes, min(coalesce(failing_since, due_at)) AS oldest
                   FROM webhook_lanes WHERE endpoint_id = ? AND due_at IS NOT NULL""",
                (endpoint_id,),
            ).fetchone()
        )
        return Backlog(row["lanes"], from_ms(row["oldest"]))

    # ------------------------------------------------------------ tries
    def deliveries(self, endpoint_id: str, *, limit: int, cursor: str | None = None) -> Page[Delivery]:
        (before,) = (2**63 - 1,) if cursor is None else read_cursor(cursor, int)
        rows = self._database.read(
            lambda connection: connection.execute(
                """SELECT number, body FROM webhook_deliveries WHERE endpoint_id = ? AND number < ?
                   ORDER BY number DESC LIMIT ?""",
                (endpoint_id, before, limit + 1),
            ).fetchall()
        )
        page = [to_delivery(row["body"]) for row in rows[:limit]]
        return Page(page, make_cursor(rows[limit - 1]["number"]) if len(rows) > limit else None)

    def add_delivery(self, delivery: Delivery) -> None:
        self._database.write(lambda connection: _insert_delivery(connection, delivery))

    def forget_deliveries(self, *, until: datetime) -> None:
        self._database.write(lambda c: c.execute("DELETE FROM webhook_deliveries WHERE at < ?", (to_ms(until),)))


# ---------------------------------------------------------------- inside a transaction
def _touch(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO webhooks_version VALUES (1, 1) ON CONFLICT (only) DO UPDATE SET version = version + 1"
    )


def _find(connection: sqlite3.Connection, endpoint_id: str) -> Endpoint | None:
    row = connection.execute("SELECT * FROM webhook_endpoints WHERE id = ?", (endpoint_id,)).fetchone()
    return _to_endpoint(row) if row else None


def _begin(connection: sqlite3.Connection, endpoint: Endpoint, lane: str) -> sqlite3.Row:
    """The lane, which is there afterwards."""
    row = _lane(connection, endpoint.id, lane)
    if row is None:
        new = (endpoint.id, lane, _start(endpoint, lane))
        sql = "INSERT INTO webhook_lanes (endpoint_id, lane, position) VALUES (?, ?, ?) RETURNING *"
        (row,) = connection.execute(sql, new).fetchall()
    return row


def _start(endpoint: Endpoint, lane: str) -> int:
    (since,) = read_cursor(endpoint.since, int)
    return 0 if lane.startswith(REPLAY) else int(since)


def _lane(connection: sqlite3.Connection, endpoint_id: str, lane: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM webhook_lanes WHERE endpoint_id = ? AND lane = ?", (endpoint_id, lane)
    ).fetchone()
    return row


def _insert_delivery(connection: sqlite3.Connection, delivery: Delivery) -> None:
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, at, body) VALUES (?, ?, ?)",
        (delivery.endpoint_id, to_ms(delivery.at), from_delivery(delivery)),
    )


def _to_endpoint(row: sqlite3.Row) -> Endpoint:
    return replace(to_endpoint(row["body"]), last_success_at=from_ms(row["last_success_at"]))


def _to_lane(row: sqlite3.Row) -> Lane:
    return Lane(
        endpoint_id=row["endpoint_id"],
        name=row["lane"],
        position=str(row["position"]),
        attempts=row["attempts"],
        due_at=from_ms(row["due_at"]),
        failing_since=from_ms(row["failing_since"]),
    )


def _from_lane(lane: Lane) -> tuple[int, int, int | None, int | None]:
    return int(lane.position), lane.attempts, to_ms(lane.due_at), to_ms(lane.failing_since)

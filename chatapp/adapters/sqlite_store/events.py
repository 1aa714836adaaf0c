"""The event log in SQLite. One writer at a time gives the numbers, so their order is that of the commits: who has read
up to a number has missed none before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.rows import to_json
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.happenings import EventType, Happening
from chatapp.domain.webhooks import EventPage, LoggedEvent
from chatapp.ports import Journal

COLUMNS = "e.number, e.id, e.type, e.lane, e.at, e.body"


class SqliteEvents:
    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    def append(self, happening: Happening) -> str | None:
        if not self._journal.is_on():
            return None
        entries = self._journal.entries(happening)
        self._database.write(lambda connection: log(connection, entries))
        return happening.lane

    def end(self) -> str:
        return make_cursor(self._database.read(last_number))

    def page(self, *, after: str | None, limit: int) -> EventPage:
        (number,) = (0,) if after is None else read_cursor(after, int)
        found = self._select("WHERE e.number > ? ORDER BY e.number LIMIT ?", number, limit + 1)
        events = tuple(found[:limit])
        cursor = make_cursor(int(events[-1].position) if events else number)
        return EventPage(events, cursor, len(found) > limit)

    def find(self, event_ids: Collection[str]) -> list[LoggedEvent]:
        wanted = to_json(event_ids)
        return self._select("WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.number", wanted)

    def between(self, first: datetime, last: datetime, *, limit: int) -> list[LoggedEvent]:
        """By time as far as the index has it, and so without sorting all there are."""
        condition = "WHERE e.at BETWEEN ? AND ? ORDER BY e.at, e.number LIMIT ?"
        found = self._select(condition, to_ms(first), to_ms(last), limit)
        return sorted(found, key=lambda event: int(event.position))

    def in_lane(self, lane: str, *, after: str, limit: int) -> list[LoggedEvent]:
        return self._database.read(lambda connection: in_lane(connection, lane, int(after or 0), limit))

    def copy_to_lane(self, lane: str, events: Sequence[LoggedEvent]) -> str:
        rows = [(lane, position, int(event.position)) for position, event in enumerate(events, start=1)]
        self._database.write(
            lambda connection: connection.executemany("INSERT INTO replayed_events VALUES (?, ?, ?)", rows)
        )
        return str(len(rows))

    def forget(self, *, until: datetime, limit: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            old = "SELECT number FROM events WHERE at < ? ORDER BY at LIMIT ?"
            gone = connection.execute(f"DELETE FROM events WHERE number IN ({old})", (to_ms(until), limit)).rowcount
            connection.execute("DELETE FROM replayed_events WHERE number NOT IN (SELECT number FROM events)")
            return gone

        return self._database.write(work)

    def _select(self, condition: str, *values: object) -> list[LoggedEvent]:
        rows = self._database.read(
            lambda connection: connection.execute(f"SELECT {COLUMNS} FROM events e {condition}", values).fetchall()
        )
        return [_to_event(row) for row in rows]


# ---------------------------------------------------------------- inside a transaction
def log(connection: sqlite3.Connection, entries: Iterable[LoggedEvent]) -> None:
    for entry in entries:
        connection.execute(
            "INSERT INTO events (id, type, lane, at, body) VALUES (?, ?, ?, ?, ?)",
            (entry.id, entry.type.value, entry.lane, to_ms(entry.at), entry.body),
        )


def last_number(connection: sqlite3.Connection) -> int:
    """Of all there have ever been."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row["seq"]) if row else 0


def in_lane(connection: sqlite3.Connection, lane: str, after: int, limit: int) -> list[LoggedEvent]:
    """A lane of events that are told again has places of its own."""
    rows = connection.execute(
        f"""SELECT {COLUMNS} FROM events e WHERE e.lane = ?1 AND e.number > ?2
            UNION ALL
            SELECT r.position, e.id, e.type, r.lane, e.at, e.body
            FROM replayed_events r JOIN events e ON e.number = r.number WHERE r.lane = ?1 AND r.position > ?2
            ORDER BY 1 LIMIT ?3""",
        (lane, after, limit),
    )
    return [_to_event(row) for row in rows]


def _to_event(row: sqlite3.Row) -> LoggedEvent:
    number, id_, kind, lane, at, body = row
    return LoggedEvent(id_, EventType(kind), lane, from_ms(at), body, str(number))

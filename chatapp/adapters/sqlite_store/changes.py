"""The log of durable changes: what is no message takes its ``rev`` here, and everything is read from here.

A message and a read mark know their own ``rev``; the table ``changes`` has what is neither. All of it runs inside the
caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from operator import attrgetter

from chatapp.adapters.sqlite_store.rows import MESSAGE_COLUMNS, to_message
from chatapp.adapters.times import from_ms
from chatapp.domain.changes import (
    Change,
    Changes,
    DetailsChanged,
    MarkMoved,
    MembersAction,
    MembersChanged,
    MessageAppended,
    MessageRetracted,
    MessageRevised,
    MessagesRemoved,
)


# ---------------------------------------------------------------- writing
def take_rev(connection: sqlite3.Connection, conversation_id: str) -> int:
    """For a change that is kept elsewhere."""
    rev: int = connection.execute(
        "UPDATE conversations SET other_changes = other_changes + 1 WHERE id = ? RETURNING rev", (conversation_id,)
    ).fetchone()[0]
    return rev


def record(connection: sqlite3.Connection, conversation_id: str, kind: str, **facts: str | int | None) -> int:
    """``facts`` are columns of ``changes``. Returns the change's ``rev``."""
    rev = take_rev(connection, conversation_id)
    row = {"conversation_id": conversation_id, "rev": rev, "kind": kind, **facts}
    connection.execute(
        f"INSERT INTO changes ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
    )
    return rev


def record_purge(connection: sqlite3.Connection, conversation_id: str, *, through_seq: int, through_rev: int) -> None:
    """Also forgets what had been done to those messages, which nobody can be shown any more."""
    connection.execute(
        "DELETE FROM changes WHERE conversation_id = ? AND kind IN ('edit', 'delete') AND seq <= ?",
        (conversation_id, through_seq),
    )
    connection.execute("UPDATE conversations SET purged_rev = ? WHERE id = ?", (through_rev, conversation_id))
    record(connection, conversation_id, "purge", seq=through_seq)


# ---------------------------------------------------------------- reading
def read_changes(connection: sqlite3.Connection, head: sqlite3.Row, since: int, limit: int) -> Changes:
    """``head`` is the conversation, read in the same transaction."""
    never_been = since > head["rev"]
    if never_been:
        since = 0
    sources = [read(connection, head, since, limit + 1) for read in (_messages, _marks, _others)]
    found = list(islice(merge(*sources, key=attrgetter("rev")), limit + 1))
    items, more = tuple(found[:limit]), len(found) > limit
    truncated = never_been or since < head["purged_rev"]
    return Changes(items[-1].rev if more else head["rev"], items, more, truncated)


def _messages(connection: sqlite3.Connection, head: sqlite3.Row, since: int, limit: int) -> Iterator[Change]:
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} WHERE m.conversation_id = ? AND m.seq >= ? ORDER BY m.seq LIMIT ?",
        (head["id"], _first_seq_after(connection, head, since), limit),
    )
    return (MessageAppended(row["rev"], to_message(row)) for row in rows)


def _first_seq_after(connection: sqlite3.Connection, head: sqlite3.Row, since: int) -> int:
    """The ``seq`` of the first message whose ``rev`` is above ``since``.

    A message's rev grows with its seq, so that it is found by halving and a send need not keep an index of revs.
    """

    def rev_of(seq: int) -> int:
        row = connection.execute(
            "SELECT rev FROM messages WHERE conversation_id = ? AND seq = ?", (head["id"], seq)
        ).fetchone()
        return row["rev"] if row else 0  # purged: older than all that are there

    # There are at most as many newer messages as newer changes, and no seq is above its rev.
    candidates = range(max(1, head["last_seq"] - (head["rev"] - since) + 1), min(since, head["last_seq"]) + 1)
    return candidates.start + bisect_right(candidates, since, key=rev_of)


def _marks(connection: sqlite3.Connection, head: sqlite3.Row, since: int, limit: int) -> Iterator[Change]:
    rows = connection.execute(
        """SELECT user_id, last_read_seq, last_read_at, read_rev FROM participants
           WHERE conversation_id = ? AND read_rev > ? ORDER BY read_rev LIMIT ?""",
        (head["id"], since, limit),
    )
    return (
        MarkMoved(row["read_rev"], row["user_id"], row["last_read_seq"], from_ms(row["last_read_at"])) for row in rows
    )


def _others(connection: sqlite3.Connection, head: sqlite3.Row, since: int, limit: int) -> Iterator[Change]:
    rows = connection.execute(
        "SELECT * FROM changes WHERE conversation_id = ? AND rev > ? ORDER BY rev LIMIT ?", (head["id"], since, limit)
    )
    return (_to_change(connection, row) for row in rows)


def _to_change(connection: sqlite3.Connection, row: sqlite3.Row) -> Change:
    rev, kind = row["rev"], row["kind"]
    if kind == "purge":
        return MessagesRemoved(rev, row["seq"])
    if kind in ("edit", "delete"):
        revised = MessageRevised if kind == "edit" else MessageRetracted
        return revised(rev, to_message(_message(connection, row)))
    by, at = row["changed_by"], from_ms(row["changed_at"])
    if kind == "details":
        return DetailsChanged(rev, row["name"], row["description"], by, at)
    user_ids = tuple(json.loads(row["user_ids"]))
    return MembersChanged(rev, MembersAction(kind), user_ids, by, at, row["new_owner_id"])


def _message(connection: sqlite3.Connection, change: sqlite3.Row) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} WHERE m.conversation_id = ? AND m.seq = ?",
        (change["conversation_id"], change["seq"]),
    ).fetchone()
    return row

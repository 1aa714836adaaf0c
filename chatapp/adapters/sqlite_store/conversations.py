"""Conversations, participants and read marks in SQLite."""

from __future__ import annotations

import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.sqlite_store.changes import read_changes, record, take_rev
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.events import log
from chatapp.adapters.sqlite_store.rows import to_attachment, to_conversation, to_entry, to_json
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.changes import Changes, MembersAction
from chatapp.domain.errors import ConversationNotFound, NotAGroup, NotAParticipant
from chatapp.domain.happenings import conversation_created, message_read, participants_changed
from chatapp.domain.models import Conversation, InboxEntry, Page
from chatapp.ports import Deleted, Departure, Journal, ReadMark

ENTRY = """
    SELECT c.*, p.user_id, p.joined_at, p.last_read_seq, p.last_read_at
    FROM participants p JOIN conversations c ON c.id = p.conversation_id
"""


class SqliteConversations:
    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    # ------------------------------------------------------------ making
    def create_group(self, conversation: Conversation) -> Conversation:
        self._database.write(lambda connection: self._insert(connection, conversation, pair=None))
        return conversation

    def open_private(self, conversation: Conversation) -> tuple[Conversation, bool]:
        pair = to_json(sorted(conversation.participants))

        def work(connection: sqlite3.Connection) -> tuple[Conversation, bool]:
            row = connection.execute("SELECT id FROM conversations WHERE pair = ?", (pair,)).fetchone()
            if row is None:
                self._insert(connection, conversation, pair=pair)
            return _require(connection, row["id"] if row else conversation.id), row is None

        return self._database.write(work)

    def _insert(self, connection: sqlite3.Connection, conversation: Conversation, *, pair: str | None) -> None:
        _insert(connection, conversation, pair=pair)
        log(connection, self._journal.entries(conversation_created(conversation)))

    # ------------------------------------------------------------ reading
    def get(self, conversation_id: str) -> Conversation | None:
        def work(connection: sqlite3.Connection) -> Conversation | None:
            row = _find(connection, conversation_id)
            return to_conversation(row, _participants(connection, conversation_id)) if row else None

        return self._database.read(work)

    def entry(self, conversation_id: str, user_id: str) -> InboxEntry:
        return to_entry(self._database.read(lambda connection: _require_entry(connection, conversation_id, user_id)))

    def members(self, conversation: Conversation) -> list[InboxEntry]:
        def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(
                f"{ENTRY} WHERE p.conversation_id = ? ORDER BY p.number", (conversation.id,)
            ).fetchall()

        return [to_entry(row) for row in self._database.read(work)]

    def inbox(self, user_id: str) -> list[InboxEntry]:
        def work(connection: sqlite3.Connection) -> list[InboxEntry]:
            members: defaultdict[str, list[str]] = defaultdict(list)
            for row in connection.execute(
                """SELECT conversation_id, user_id FROM participants WHERE conversation_id IN
                   (SELECT conversation_id FROM participants WHERE user_id = ?) ORDER BY number""",
                (user_id,),
            ):
                members[row["conversation_id"]].append(row["user_id"])
            rows = connection.execute(f"{ENTRY} WHERE p.user_id = ? ORDER BY c.active_at DESC, c.id", (user_id,))
            return [to_entry(row, members[row["id"]]) for row in rows]

        return self._database.read(work)

    def marks(self, user_id: str) -> list[InboxEntry]:
        return [to_entry(row) for row in self._database.read(lambda connection: read_marks(connection, user_id))]

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Conversation]:
        (after,) = ("",) if cursor is None else read_cursor(cursor, str)

        def work(connection: sqlite3.Connection) -> Page[Conversation]:
            rows = connection.execute(
                "SELECT * FROM conversations WHERE id > ? ORDER BY id LIMIT ?", (after, limit + 1)
            ).fetchall()
            page = [to_conversation(row, _participants(connection, row["id"])) for row in rows[:limit]]
            return Page(page, make_cursor(page[-1].id) if len(rows) > limit else None)

        return self._database.read(work)

    # ------------------------------------------------------------ members
    def add_participants(
        self, conversation_id: str, user_ids: Sequence[str], *, by: str, now: datetime
    ) -> tuple[Conversation, tuple[str, ...]]:
        def work(connection: sqlite3.Connection) -> tuple[Conversation, tuple[str, ...]]:
            group = _require_group(connection, conversation_id)
            added = tuple(dict.fromkeys(user_id for user_id in user_ids if user_id not in group.participants))
            if added:
                _insert_participants(connection, group, added, to_ms(now))
                _set_updated(connection, conversation_id, now)
                record(
                    connection,
                    conversation_id,
                    MembersAction.ADD,
                    user_ids=to_json(added),
                    changed_by=by,
                    changed_at=to_ms(now),
                )
            after = _require(connection, conversation_id)
            if added:
                told = participants_changed(after, MembersAction.ADD, added, by=by, at=now)
                log(connection, self._journal.entries(told))
            return after, added

        return self._database.write(work)

    def remove_participant(self, conversation_id: str, user_id: str, *, by: str, now: datetime) -> Departure:
        def work(connection: sqlite3.Connection) -> Departure:
            departure = _remove(connection, conversation_id, user_id, by, now)
            told = participants_changed(departure.conversation, MembersAction.REMOVE, [user_id], by=by, at=now)
            log(connection, self._journal.entries(told))
            return departure

        return self._database.write(work)

    def set_details(
        self, conversation_id: str, *, name: str, description: str | None, by: str, now: datetime
    ) -> tuple[Conversation, bool]:
        def work(connection: sqlite3.Connection) -> tuple[Conversation, bool]:
            group = _require_group(connection, conversation_id)
            if (group.name, group.description) == (name, description):
                return group, False
            connection.execute(
                "UPDATE conversations SET name = ?, description = ? WHERE id = ?", (name, description, conversation_id)
            )
            _set_updated(connection, conversation_id, now)
            record(
                connection,
                conversation_id,
                "details",
                name=name,
                description=description,
                changed_by=by,
                changed_at=to_ms(now),
            )
            return _require(connection, conversation_id), True

        return self._database.write(work)

    def mark_read(self, conversation_id: str, user_id: str, *, now: datetime) -> ReadMark:
        def read(connection: sqlite3.Connection) -> sqlite3.Row:
            return _require_entry(connection, conversation_id, user_id)

        def write(connection: sqlite3.Connection) -> ReadMark:
            row = _require_entry(connection, conversation_id, user_id)
            if _is_read(row):  # by the same user's other device, since we looked
                return _unmoved(row)
            rev = take_rev(connection, conversation_id)
            connection.execute(
                """UPDATE participants SET last_read_seq = ?, last_read_at = ?, read_rev = ?
                   WHERE conversation_id = ? AND user_id = ?""",
                (row["last_seq"], to_ms(now), rev, conversation_id, user_id),
            )
            if self._journal.is_on():
                told = message_read(conversation_id, user_id, last_read_seq=row["last_seq"], at=now)
                log(connection, self._journal.entries(told))
            return ReadMark(True, row["last_seq"], now, rev)

        # Clients ask every second while a chat is open: nearly always there is nothing to write.
        row = self._database.read(read)
        return _unmoved(row) if _is_read(row) else self._database.write(write)

    def delete(self, conversation_id: str) -> Deleted:
        return self._database.write(lambda connection: _delete(connection, _require(connection, conversation_id)))

    # ------------------------------------------------------------ the past
    def changes(self, conversation_id: str, *, since: int, limit: int, user_id: str | None = None) -> Changes:
        def work(connection: sqlite3.Connection) -> Changes:
            if user_id is not None:
                _require_entry(connection, conversation_id, user_id)
            return read_changes(connection, _require_row(connection, conversation_id), since, limit)

        return self._database.read(work)


# ---------------------------------------------------------------- inside a transaction
def read_marks(connection: sqlite3.Connection, user_id: str) -> list[sqlite3.Row]:
    """Entries, without participants."""
    return connection.execute(f"{ENTRY} WHERE p.user_id = ?", (user_id,)).fetchall()


def _find(connection: sqlite3.Connection, conversation_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM conversations WHERE id = ?", (conversation_id,)
    ).fetchone()
    return row


def _participants(connection: sqlite3.Connection, conversation_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT user_id FROM participants WHERE conversation_id = ? ORDER BY number", (conversation_id,)
    )
    return [row["user_id"] for row in rows]


def _require_row(connection: sqlite3.Connection, conversation_id: str) -> sqlite3.Row:
    row = _find(connection, conversation_id)
    if row is None:
        raise ConversationNotFound(conversationId=conversation_id)
    return row


def _require(connection: sqlite3.Connection, conversation_id: str) -> Conversation:
    row = _require_row(connection, conversation_id)
    return to_conversation(row, _participants(connection, conversation_id))


def _require_group(connection: sqlite3.Connection, conversation_id: str) -> Conversation:
    conversation = _require(connection, conversation_id)
    if not conversation.is_group:
        raise NotAGroup(conversationId=conversation_id)
    return conversation


def _require_entry(connection: sqlite3.Connection, conversation_id: str, user_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        f"{ENTRY} WHERE p.conversation_id = ? AND p.user_id = ?", (conversation_id, user_id)
    ).fetchone()
    if row is not None:
        return row
    _require_row(connection, conversation_id)
    raise NotAParticipant(conversationId=conversation_id, userId=user_id)


def _is_read(row: sqlite3.Row) -> bool:
    return bool(row["last_read_seq"] == row["last_seq"])


def _unmoved(row: sqlite3.Row) -> ReadMark:
    return ReadMark(False, row["last_seq"], from_ms(row["last_read_at"]) or from_ms(row["joined_at"]))


def _insert(connection: sqlite3.Connection, conversation: Conversation, *, pair: str | None) -> None:
    created = to_ms(conversation.created_at)
    connection.execute(
        """INSERT INTO conversations (id, type, name, description, pair, created_by, created_at, updated_at, active_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            conversation.id,
            conversation.type.value,
            conversation.name,
            conversation.description,
            pair,
            conversation.created_by,
            created,
            created,
            created,
        ),
    )
    _insert_participants(connection, conversation, conversation.participants, created)


def _insert_participants(
    connection: sqlite3.Connection, conversation: Conversation, user_ids: Iterable[str], joined_at: int
) -> None:
    connection.executemany(
        "INSERT INTO participants (id, conversation_id, user_id, joined_at, last_read_seq) VALUES (?, ?, ?, ?, ?)",
        [(str(uuid.uuid4()), conversation.id, user_id, joined_at, conversation.last_seq) for user_id in user_ids],
    )


def _set_updated(connection: sqlite3.Connection, conversation_id: str, now: datetime) -> None:
    connection.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (to_ms(now), conversation_id))


def _remove(connection: sqlite3.Connection, conversation_id: str, user_id: str, by: str, now: datetime) -> Departure:
    group = _require_group(connection, conversation_id)
    if user_id not in group.participants:
        raise NotAParticipant(conversationId=conversation_id, userId=user_id)
    remaining = [member for member in group.participants if member != user_id]
    if not remaining:
        return Departure(replace(group, participants=()), None, _delete(connection, group))
    connection.execute("DELETE FROM participants WHERE conversation_id = ? AND user_id = ?", (conversation_id, user_id))
    new_owner = remaining[0] if group.created_by == user_id else None
    if new_owner:
        connection.execute("UPDATE conversations SET created_by = ? WHERE id = ?", (new_owner, conversation_id))
    _set_updated(connection, conversation_id, now)
    record(
        connection,
        conversation_id,
        MembersAction.REMOVE,
        user_ids=to_json([user_id]),
        new_owner_id=new_owner,
        changed_by=by,
        changed_at=to_ms(now),
    )
    return Departure(_require(connection, conversation_id), new_owner, None)


def _delete(connection: sqlite3.Connection, conversation: Conversation) -> Deleted:
    count: int = connection.execute(
        "SELECT count(*) FROM messages WHERE conversation_id = ?", (conversation.id,)
    ).fetchone()[0]
    rows = connection.execute(
        """SELECT * FROM messages m WHERE conversation_id = ? AND file_url IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM messages o WHERE o.file_url = m.file_url AND o.conversation_id <> m.conversation_id)""",
        (conversation.id,),
    ).fetchall()
    connection.execute("DELETE FROM conversations WHERE id = ?", (conversation.id,))
    attachments = {attachment.url: attachment for attachment in map(to_attachment, rows) if attachment}
    return Deleted(conversation, count, tuple(attachments.values()))

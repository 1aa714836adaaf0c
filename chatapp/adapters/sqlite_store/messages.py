"""Messages, their numbering and their idempotency keys in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from chatapp.adapters.call_codec import encode_summary
from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.sqlite_store.changes import record, record_purge
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.events import log
from chatapp.adapters.sqlite_store.rows import (
    MESSAGE_COLUMNS,
    to_attachment,
    to_conversation,
    to_head,
    to_members,
    to_message,
)
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.errors import (
    ConversationNotFound,
    IdempotencyKeyReused,
    InvalidData,
    MessageDeletedAlready,
    MessageNotFound,
    NotAParticipant,
)
from chatapp.domain.happenings import Happening, message_deleted, message_edited, message_sent
from chatapp.domain.models import Attachment, Conversation, Message, Page
from chatapp.domain.text import last_message
from chatapp.ports import Appended, Deleted, Journal, Retracted

SHOWS_FILE = """
    SELECT 1 FROM messages m JOIN participants p ON p.conversation_id = m.conversation_id AND p.user_id = ?
    WHERE m.file_url = ? LIMIT 1
"""


class SqliteMessages:
    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    # ------------------------------------------------------------ writing
    def append(self, draft: Message, *, fingerprint: str, along: Sequence[Happening] = ()) -> Appended:
        def work(connection: sqlite3.Connection) -> Appended:
            appended = _append(connection, draft, fingerprint)
            if self._journal.is_on() and not appended.duplicate:
                log(connection, self._journal.entries(*along, message_sent(appended.message)))
            return appended

        return self._database.write(work)

    def find_repeated(self, draft: Message, *, fingerprint: str) -> Message | None:
        def work(connection: sqlite3.Connection) -> Message | None:
            head = _head(connection, draft)
            return _earlier(connection, to_conversation(head), draft, fingerprint) if head else None

        return self._database.read(work)

    def edit(self, message_id: str, *, content: str, preview: str, now: datetime) -> tuple[Message, int]:
        def work(connection: sqlite3.Connection) -> tuple[Message, int]:
            if _require(connection, message_id).is_deleted:
                raise MessageDeletedAlready(messageId=message_id)
            connection.execute(
                "UPDATE messages SET content = ?, edited_at = ? WHERE id = ?", (content, to_ms(now), message_id)
            )
            connection.execute("UPDATE conversations SET last_preview = ? WHERE last_id = ?", (preview, message_id))
            message = _require(connection, message_id)
            log(connection, self._journal.entries(message_edited(message)))
            return message, record(connection, message.conversation_id, "edit", seq=message.seq)

        return self._database.write(work)

    def delete(self, message_id: str) -> Retracted:
        def work(connection: sqlite3.Connection) -> Retracted:
            before = _require(connection, message_id)
            if before.is_deleted:
                return Retracted(before, Deleted(None, 0, ()), 0)
            connection.execute(
                """UPDATE messages SET is_deleted = 1, content = '', file_url = NULL, file_name = NULL,
                   file_size = NULL, file_type = NULL, thumbnail_url = NULL, call = NULL WHERE id = ?""",
                (message_id,),
            )
            connection.execute("UPDATE messages SET reply_preview = '' WHERE reply_to = ?", (message_id,))
            connection.execute("UPDATE conversations SET last_preview = '' WHERE last_id = ?", (message_id,))
            orphans = _orphans(connection, [before.attachment] if before.attachment else [])
            rev = record(connection, before.conversation_id, "delete", seq=before.seq)
            log(connection, self._journal.entries(message_deleted(before)))
            return Retracted(_require(connection, message_id), Deleted(None, 1, orphans), rev)

        return self._database.write(work)

    def purge(self, *, limit: int) -> Deleted:
        return self._database.write(lambda connection: _purge(connection, limit))

    # ------------------------------------------------------------ reading
    def get(self, message_id: str) -> Message | None:
        return self._database.read(lambda connection: _find(connection, message_id))

    def history(
        self, conversation_id: str, *, limit: int, before: int | None = None, after: int | None = None
    ) -> list[Message]:
        sql, values = f"SELECT {MESSAGE_COLUMNS} WHERE m.conversation_id = ?", [conversation_id]
        bounds: list[int] = []
        for bound, operator in ((before, "<"), (after, ">")):
            if bound is not None:
                sql += f" AND m.seq {operator} ?"
                bounds.append(bound)
        order = "ASC" if after is not None else "DESC"
        messages = self._select(f"{sql} ORDER BY m.seq {order} LIMIT ?", *values, *bounds, limit)
        return messages if order == "ASC" else messages[::-1]

    def replies(self, message_id: str) -> list[Message]:
        return self._select(f"SELECT {MESSAGE_COLUMNS} WHERE m.reply_to = ? ORDER BY m.seq", message_id)

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Message]:
        conversation_id, seq = ("", 0) if cursor is None else read_cursor(cursor, str, int)
        rows = self._select(
            f"""SELECT {MESSAGE_COLUMNS} WHERE (m.conversation_id, m.seq) > (?, ?)
                ORDER BY m.conversation_id, m.seq LIMIT ?""",
            conversation_id,
            seq,
            limit + 1,
        )
        page = rows[:limit]
        more = len(rows) > limit
        return Page(page, make_cursor(page[-1].conversation_id, page[-1].seq) if more else None)

    def refers_to_file(self, url: str) -> bool:
        return self._database.read(lambda connection: _refers_to_file(connection, url))

    def shows_file(self, urls: Collection[str], *, user_id: str) -> bool:
        return self._database.read(lambda connection: any(_shows_file(connection, url, user_id) for url in urls))

    def _select(self, sql: str, *values: object) -> list[Message]:
        rows = self._database.read(lambda connection: connection.execute(sql, values).fetchall())
        return [to_message(row) for row in rows]


# ---------------------------------------------------------------- inside a transaction
def _find(connection: sqlite3.Connection, message_id: str) -> Message | None:
    row = connection.execute(f"SELECT {MESSAGE_COLUMNS} WHERE m.id = ?", (message_id,)).fetchone()
    return to_message(row) if row else None


def _require(connection: sqlite3.Connection, message_id: str) -> Message:
    message = _find(connection, message_id)
    if message is None:
        raise MessageNotFound(messageId=message_id)
    return message


def _append(connection: sqlite3.Connection, draft: Message, fingerprint: str) -> Appended:
    """Looks before it writes, so that a refusal leaves nothing to undo."""
    row = _require_sender(connection, draft)
    members = to_members(row["pair"])
    other = next((user_id for user_id in members if user_id != draft.sender_id), None)
    message = _numbered(draft, seq=row["last_seq"] + 1, rev=row["rev"] + 1, recipient_id=other)
    at = to_ms(message.timestamp)
    is_astray = other is not None and draft.recipient_id not in (None, other)
    if is_astray or not _take_key(connection, message, fingerprint, at):
        head = to_conversation(row)
        if earlier := _earlier(connection, head, draft, fingerprint):
            return Appended(earlier, head, duplicate=True)
        raise InvalidData({"recipientId": ["not_in_conversation"]})
    last = last_message(message)
    _insert(connection, message, at)
    connection.execute(
        """UPDATE conversations SET last_seq = ?, last_id = ?, last_sender_id = ?, last_preview = ?, last_at = ?,
               active_at = ? WHERE rowid = ?""",
        (message.seq, last.id, last.sender_id, last.preview, at, at, row["head_number"]),
    )
    connection.execute(
        "UPDATE participants SET last_read_seq = ?, last_read_at = ? WHERE number = ?", (message.seq, at, row["number"])
    )
    return Appended(message, to_head(row, members, message.seq, message.rev, last), duplicate=False)


def _require_sender(connection: sqlite3.Connection, draft: Message) -> sqlite3.Row:
    row = _head(connection, draft)
    if row is None:
        raise ConversationNotFound(conversationId=draft.conversation_id)
    if row["number"] is None:
        raise NotAParticipant(conversationId=draft.conversation_id, userId=draft.sender_id)
    return row


def _head(connection: sqlite3.Connection, draft: Message) -> sqlite3.Row | None:
    """The conversation; ``number`` is the sender's when they are a participant."""
    row: sqlite3.Row | None = connection.execute(
        """SELECT c.*, c.rowid AS head_number, p.number FROM conversations c
           LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = ? WHERE c.id = ?""",
        (draft.sender_id, draft.conversation_id),
    ).fetchone()
    return row


def _numbered(draft: Message, *, seq: int, rev: int, recipient_id: str | None) -> Message:
    """``dataclasses.replace`` takes four times as long, and every send waits for it."""
    return Message(
        id=draft.id,
        conversation_id=draft.conversation_id,
        seq=seq,
        sender=draft.sender,
        recipient_id=recipient_id,
        content=draft.content,
        message_type=draft.message_type,
        timestamp=draft.timestamp,
        attachment=draft.attachment,
        reply_to=draft.reply_to,
        reply_preview=draft.reply_preview,
        client_message_id=draft.client_message_id,
        rev=rev,
        call=draft.call,
    )


def _take_key(connection: sqlite3.Connection, message: Message, fingerprint: str, at: int) -> bool:
    """False when it is taken. Without a key there is none to take."""
    if message.client_message_id is None:
        return True
    taken = connection.execute(
        "INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            message.sender_id,
            message.conversation_id,
            message.client_message_id,
            fingerprint,
            message.id,
            message.seq,
            at,
        ),
    )
    return taken.rowcount > 0


def _earlier(connection: sqlite3.Connection, head: Conversation, draft: Message, fingerprint: str) -> Message | None:
    key = connection.execute(
        "SELECT * FROM idempotency_keys WHERE sender_id = ? AND conversation_id = ? AND client_message_id = ?",
        (draft.sender_id, draft.conversation_id, draft.client_message_id),
    ).fetchone()  # without an id there is no such key: NULL equals nothing
    if key is None:
        return None
    if key["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused(clientMessageId=draft.client_message_id, messageId=key["message_id"])
    purged = replace(
        draft,
        id=key["message_id"],
        seq=key["seq"],
        timestamp=from_ms(key["timestamp"]),
        recipient_id=head.other_than(draft.sender_id),
        content="",
        attachment=None,
        call=None,
        is_deleted=True,
    )
    return _find(connection, key["message_id"]) or purged


def _insert(connection: sqlite3.Connection, message: Message, at: int) -> None:
    connection.execute(
        """INSERT INTO messages (conversation_id, seq, id, sender_id, recipient_id, content, message_type, file_url,
               file_name, file_size, file_type, thumbnail_url, reply_to, reply_preview, timestamp, client_message_id,
               other_changes, call)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            message.conversation_id,
            message.seq,
            message.id,
            message.sender_id,
            message.recipient_id,
            message.content,
            message.message_type.value,
            message.file_url,
            message.file_name,
            message.file_size,
            message.file_type,
            message.thumbnail_url,
            message.reply_to,
            message.reply_preview,
            at,
            message.client_message_id,
            message.rev - message.seq,
            encode_summary(message.call),
        ),
    )


def _refers_to_file(connection: sqlite3.Connection, url: str) -> bool:
    return connection.execute("SELECT 1 FROM messages WHERE file_url = ?", (url,)).fetchone() is not None


def _shows_file(connection: sqlite3.Connection, url: str, user_id: str) -> bool:
    return connection.execute(SHOWS_FILE, (user_id, url)).fetchone() is not None


def _orphans(connection: sqlite3.Connection, attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The files that no message refers to any more."""
    by_url = {attachment.url: attachment for attachment in attachments}
    return tuple(attachment for url, attachment in by_url.items() if not _refers_to_file(connection, url))


def _purge(connection: sqlite3.Connection, limit: int) -> Deleted:
    rows = connection.execute("SELECT * FROM messages ORDER BY conversation_id, seq LIMIT ?", (limit,)).fetchall()
    connection.executemany(
        "DELETE FROM messages WHERE conversation_id = ? AND seq = ?",
        [(row["conversation_id"], row["seq"]) for row in rows],
    )
    newest = {row["conversation_id"]: (row["seq"], row["rev"]) for row in rows}
    for conversation_id, (seq, rev) in newest.items():
        connection.execute(
            "UPDATE participants SET last_read_seq = max(last_read_seq, ?) WHERE conversation_id = ?",
            (seq, conversation_id),
        )
        connection.execute(
            """UPDATE conversations SET last_id = NULL, last_sender_id = NULL, last_preview = NULL, last_at = NULL
               WHERE id = ? AND last_seq = ?""",
            (conversation_id, seq),
        )
        record_purge(connection, conversation_id, through_seq=seq, through_rev=rev)
    attachments = [attachment for row in rows if (attachment := to_attachment(row))]
    return Deleted(None, len(rows), _orphans(connection, attachments))

"""Rows into models and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from chatapp.adapters.call_codec import decode_summary
from chatapp.adapters.making import make_message
from chatapp.adapters.times import from_ms
from chatapp.domain.models import (
    Attachment,
    Conversation,
    ConversationType,
    InboxEntry,
    LastMessage,
    Message,
    MessageType,
    Sender,
    User,
)

MESSAGE_COLUMNS = """
    m.conversation_id, m.seq, m.id, m.sender_id, m.recipient_id, m.content, m.message_type, m.file_url, m.file_name,
    m.file_size, m.file_type, m.thumbnail_url, m.reply_to, m.reply_preview, m.timestamp, m.edited_at, m.is_deleted,
    m.client_message_id, m.rev, m.call, u.name AS sender_name, u.avatar AS sender_avatar
    FROM messages m LEFT JOIN users u ON u.id = m.sender_id
"""
"""Every message is read with its sender beside it."""


_sender = lru_cache(1024)(Sender)
"""A history is of a few people, and a frozen dataclass takes three times as long to make as to find."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)

CONVERSATION_TYPES = {kind.value: kind for kind in ConversationType}
MESSAGE_TYPES = {kind.value: kind for kind in MessageType}
"""An Enum takes five times as long to find its member."""


def to_json(values: Iterable[str]) -> str:
    return _ENCODER.encode(list(values))


def to_user(row: sqlite3.Row) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        roles=tuple(json.loads(row["roles"])),
        filials=tuple(json.loads(row["filials"])),
        avatar=row["avatar"],
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        last_seen=from_ms(row["last_seen"]),
    )


def to_members(pair: str | None) -> tuple[str, ...]:
    """Of a private conversation; a group's are rows of their own."""
    return tuple(orjson.loads(pair)) if pair else ()


def to_conversation(row: sqlite3.Row, participants: Iterable[str] | None = None) -> Conversation:
    """Without ``participants`` a group's are left empty; a private one's stand in its own row."""
    last = None
    if row["last_id"] is not None:
        last = LastMessage(row["last_id"], row["last_sender_id"], row["last_preview"], from_ms(row["last_at"]))
    members = to_members(row["pair"]) if participants is None else tuple(participants)
    return to_head(row, members, row["last_seq"], row["rev"], last)


def to_head(
    row: sqlite3.Row, participants: tuple[str, ...], last_seq: int, rev: int, last: LastMessage | None
) -> Conversation:
    """The conversation with another newest message than the row's."""
    return Conversation(
        id=row["id"],
        type=CONVERSATION_TYPES[row["type"]],
        name=row["name"],
        description=row["description"],
        participants=participants,
        created_by=row["created_by"],
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        last_seq=last_seq,
        last=last,
        rev=rev,
    )


def to_entry(row: sqlite3.Row, participants: Iterable[str] | None = None) -> InboxEntry:
    return InboxEntry(
        conversation=to_conversation(row, participants),
        user_id=row["user_id"],
        joined_at=from_ms(row["joined_at"]),
        last_read_seq=row["last_read_seq"],
        last_read_at=from_ms(row["last_read_at"]),
    )


def to_attachment(row: sqlite3.Row) -> Attachment | None:
    if row["file_url"] is None:
        return None
    return Attachment(row["file_url"], row["file_name"], row["file_size"], row["file_type"], row["thumbnail_url"])


def to_message(row: Iterable[Any]) -> Message:
    """Of ``MESSAGE_COLUMNS``, in their order: by name each of them is searched for again, fifty times for a history."""
    (
        conversation_id,
        seq,
        id_,
        sender_id,
        recipient_id,
        content,
        message_type,
        file_url,
        file_name,
        file_size,
        file_type,
        thumbnail_url,
        reply_to,
        reply_preview,
        timestamp,
        edited_at,
        is_deleted,
        client_message_id,
        rev,
        call,
        sender_name,
        sender_avatar,
    ) = row
    attachment = None
    if file_url is not None:
        attachment = Attachment(file_url, file_name, file_size, file_type, thumbnail_url)
    return make_message(  # by position too, which takes a quarter less than by name
        id_,
        conversation_id,
        seq,
        _sender(sender_id, sender_name or "", sender_avatar),
        recipient_id,
        content,
        MESSAGE_TYPES[message_type],
        from_ms(timestamp),
        attachment,
        reply_to,
        reply_preview,
        edited_at is not None,
        from_ms(edited_at),
        bool(is_deleted),
        client_message_id,
        rev,
        decode_summary(call),
    )

"""What a company's backend is told of: by webhooks, and when it reads the event log.

``docs/webhooks.md`` tells integrators. Happenings of one lane are told in the order in which they were stored; lanes
do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chatapp.domain.changes import MembersAction
from chatapp.domain.models import Attachment, Conversation, Message, User


class EventType(StrEnum):
    """``user.created``, ``conversation.created``, ``message.sent`` and ``file.uploaded`` are the API document's."""

    USER_CREATED = "user.created"
    CONVERSATION_CREATED = "conversation.created"
    PARTICIPANTS_CHANGED = "conversation.participants_changed"
    MESSAGE_SENT = "message.sent"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_READ = "message.read"
    FILE_UPLOADED = "file.uploaded"
    CALL_ENDED = "call.ended"
    TEST = "webhook.test"
    """Sent by hand, to one endpoint; nobody asks for it."""


TOLD = tuple(kind for kind in EventType if kind is not EventType.TEST)
"""What an endpoint may ask for."""


@dataclass(frozen=True, slots=True)
class Happening:
    """``data`` is what the schema of this type dumps (``protocol/event_bodies.py``)."""

    type: EventType
    lane: str
    data: Any


def conversation_lane(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


def user_lane(user_id: str) -> str:
    return f"user:{user_id}"


def user_created(user: User) -> Happening:
    return Happening(EventType.USER_CREATED, user_lane(user.id), user)


def conversation_created(conversation: Conversation) -> Happening:
    return Happening(EventType.CONVERSATION_CREATED, conversation_lane(conversation.id), conversation)


def participants_changed(
    conversation: Conversation, action: MembersAction, user_ids: Sequence[str], *, by: str, at: datetime
) -> Happening:
    """``conversation`` is the group afterwards, with its participants."""
    data = {
        "conversation_id": conversation.id,
        "conversation_name": conversation.name or "",
        "participants": conversation.participants,
        "participant_count": len(conversation.participants),
        "updated_at": at,
        "action": action.value,
        "affected_users": tuple(user_ids),
        "updated_by": by,
    }
    return Happening(EventType.PARTICIPANTS_CHANGED, conversation_lane(conversation.id), data)


def message_sent(message: Message) -> Happening:
    return Happening(EventType.MESSAGE_SENT, conversation_lane(message.conversation_id), message)


def message_edited(message: Message) -> Happening:
    return Happening(EventType.MESSAGE_EDITED, conversation_lane(message.conversation_id), message)


def message_deleted(message: Message) -> Happening:
    """``message`` is the tombstone."""
    data = {"message_id": message.id, "conversation_id": message.conversation_id, "seq": message.seq}
    return Happening(EventType.MESSAGE_DELETED, conversation_lane(message.conversation_id), data)


def message_read(conversation_id: str, user_id: str, *, last_read_seq: int, at: datetime) -> Happening:
    data = {
        "conversation_id": conversation_id,
        "user_id": user_id,
        "timestamp": at,
        "last_read_seq": last_read_seq,
    }
    return Happening(EventType.MESSAGE_READ, conversation_lane(conversation_id), data)


def file_uploaded(file: Attachment, uploader_id: str | None, message: Message | None = None) -> Happening:
    """``message`` carries the file into a conversation, and then they are told one after the other."""
    data = {
        "file_url": file.url,
        "file_name": file.name,
        "file_size": file.size,
        "file_type": file.type,
        "thumbnail_url": file.thumbnail_url,
        "message_id": message.id if message else None,
        "conversation_id": message.conversation_id if message else None,
        "sender_id": message.sender_id if message else uploader_id,
        "timestamp": message.timestamp if message else None,
        "is_reply": message.is_reply if message else False,
        "reply_to": message.reply_to if message else None,
    }
    lane = conversation_lane(message.conversation_id) if message else f"file:{file.url}"
    return Happening(EventType.FILE_UPLOADED, lane, data)


def call_ended(
    *,
    call_id: str,
    conversation_id: str,
    started_by: str,
    participants: Sequence[str],
    reason: str,
    started_at: datetime,
    ended_at: datetime,
    duration_ms: int,
) -> Happening:
    """Stored along with the call's message it is told in the conversation's order (``MessageStore.append``)."""
    data = {
        "call_id": call_id,
        "conversation_id": conversation_id,
        "started_by": started_by,
        "participants": tuple(participants),
        "reason": reason,
        "started_at": started_at,
        "ended_at": ended_at,
        "duration_ms": duration_ms,
    }
    return Happening(EventType.CALL_ENDED, conversation_lane(conversation_id), data)

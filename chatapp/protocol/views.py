"""Things on their way out with something beside them: a mapping that a wider schema dumps."""

from __future__ import annotations

from typing import Any

from chatapp.domain.models import Conversation, InboxEntry, Message
from chatapp.protocol.schemas import ConversationSchema, MessageSchema

CONVERSATION_FIELDS = tuple(ConversationSchema().fields)
MESSAGE_FIELDS = tuple(MessageSchema().fields)


def conversation_view(conversation: Conversation, **beside: Any) -> dict[str, Any]:
    return {**{name: getattr(conversation, name) for name in CONVERSATION_FIELDS}, **beside}


def inbox_view(entry: InboxEntry) -> dict[str, Any]:
    """What ``InboxEntrySchema`` dumps: the conversation, and what this participant has read of it."""
    return conversation_view(
        entry.conversation,
        unread_count=entry.unread_count,
        last_read_at=entry.last_read_at,
        last_read_seq=entry.last_read_seq,
    )


def message_view(message: Message, **beside: Any) -> dict[str, Any]:
    return {**{name: getattr(message, name) for name in MESSAGE_FIELDS}, **beside}

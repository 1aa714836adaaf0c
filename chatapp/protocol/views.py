"""Things on their way out with something beside them: a mapping that a wider schema dumps."""

from __future__ import annotations

from typing import Any

from chatapp.domain.models import Conversation, Message
from chatapp.protocol.schemas import ConversationSchema, MessageSchema

CONVERSATION_FIELDS = tuple(ConversationSchema().fields)
MESSAGE_FIELDS = tuple(MessageSchema().fields)


def conversation_view(conversation: Conversation, **beside: Any) -> dict[str, Any]:
    return {**{name: getattr(conversation, name) for name in CONVERSATION_FIELDS}, **beside}


def message_view(message: Message, **beside: Any) -> dict[str, Any]:
    return {**{name: getattr(message, name) for name in MESSAGE_FIELDS}, **beside}

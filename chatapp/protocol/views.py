"""Things on their way out with something beside them: a mapping that a wider schema dumps."""

from __future__ import annotations

from typing import Any

from chatapp.domain import changes
from chatapp.domain.changes import Change, Changes
from chatapp.domain.models import Conversation, InboxEntry, Message
from chatapp.protocol.schemas import ChangeSchema, ConversationSchema, MessageSchema

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


def changes_view(conversation_id: str, found: Changes, **beside: Any) -> dict[str, Any]:
    """What ``ChangesSchema`` dumps."""
    return {
        "conversation_id": conversation_id,
        "rev": found.rev,
        "changes": [change_view(change) for change in found.items],
        "has_more": found.more,
        "truncated": found.truncated,
        **beside,
    }


NOTHING_ELSE = dict.fromkeys(name for name in ChangeSchema().fields if name not in ("rev", "type"))
"""The fields of the other types."""


def change_view(change: Change) -> dict[str, Any]:
    kind, shown = _shown(change)
    return {**NOTHING_ELSE, "rev": change.rev, "type": kind, **shown}


def _shown(change: Change) -> tuple[str, dict[str, Any]]:
    said: tuple[str, dict[str, Any]]
    match change:
        case changes.MessageAppended(message=message):
            said = "message", {"message": message}
        case changes.MessageRevised(message=message):
            said = "edit", {"message": message}
        case changes.MessageRetracted(message=message):
            said = "delete", {"message": message}
        case changes.MarkMoved(_, user_id, last_read_seq, at):
            said = "read", {"read": {"user_id": user_id, "last_read_seq": last_read_seq, "timestamp": at}}
        case changes.MembersChanged(_, action, user_ids, by, at, new_owner_id):
            members = {"action": action, "user_ids": user_ids, "by": by, "new_owner_id": new_owner_id, "timestamp": at}
            said = "members", {"members": members}
        case changes.DetailsChanged(_, name, description, by, at):
            said = "details", {"details": {"name": name, "description": description, "by": by, "timestamp": at}}
        case changes.MessagesRemoved(through_seq=through_seq):
            said = "purge", {"through_seq": through_seq}
        case _:
            raise TypeError(f"no change that clients are told of: {change!r}")
    return said

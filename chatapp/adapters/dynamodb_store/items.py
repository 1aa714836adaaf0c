"""Items into models and back. Times are integer milliseconds since the epoch; what is None is absent."""

from __future__ import annotations

from collections.abc import Iterable

from chatapp.adapters.call_codec import decode_summary, encode_summary
from chatapp.adapters.dynamodb_store.actions import Item
from chatapp.adapters.making import make_message
from chatapp.adapters.times import from_ms, to_ms
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

MESSAGE_TYPES = {kind.value: kind for kind in MessageType}
"""An Enum takes five times as long to find its member."""


# ---------------------------------------------------------------- users
def to_user(item: Item) -> User:
    return User(
        id=item["id"],
        name=item["name"],
        email=item["email"],
        roles=tuple(item["roles"]),
        filials=tuple(item["filials"]),
        avatar=item.get("avatar"),
        created_at=from_ms(item["created_at"]),
        updated_at=from_ms(item["updated_at"]),
        last_seen=from_ms(item["last_seen"]),
    )


def to_sender(user_id: str, item: Item | None) -> Sender:
    """Also of a deleted user, whose item stays for this."""
    return Sender(user_id, item["name"], item.get("avatar")) if item else Sender(user_id, "", None)


# ---------------------------------------------------------------- conversations
def from_conversation(conversation: Conversation) -> Item:
    """The head. Only a private conversation has its participants in it."""
    return {
        "id": conversation.id,
        "type": conversation.type.value,
        "name": conversation.name,
        "description": conversation.description,
        "pair": None if conversation.is_group else list(conversation.participants),
        "created_by": conversation.created_by,
        "created_at": to_ms(conversation.created_at),
        "updated_at": to_ms(conversation.updated_at),
        "active_at": to_ms(conversation.created_at),
        "last_seq": 0,
        "changes": 0,
        "purged_seq": 0,
        "swept_seq": 0,
        "revision": 1,
    }


def rev_of_head(head: Item) -> int:
    """``changes`` counts those that are not messages. Heads from before there were revs have none."""
    rev: int = head["last_seq"] + head.get("changes", 0)
    return rev


def rev_of_message(item: Item) -> int:
    """Messages from before there were revs came before all other changes."""
    seq: int = item["seq"]
    rev: int = item.get("rev", seq)
    return rev


def from_last(last: LastMessage | None) -> Item:
    if last is None:
        return {"last_id": None, "last_sender_id": None, "last_preview": None, "last_at": None}
    return {
        "last_id": last.id,
        "last_sender_id": last.sender_id,
        "last_preview": last.preview,
        "last_at": to_ms(last.at),
    }


def to_conversation(head: Item, participants: Iterable[str] = ()) -> Conversation:
    last = None
    if "last_id" in head:
        last = LastMessage(head["last_id"], head["last_sender_id"], head["last_preview"], from_ms(head["last_at"]))
    return Conversation(
        id=head["id"],
        type=ConversationType(head["type"]),
        name=head.get("name"),
        description=head.get("description"),
        participants=tuple(head.get("pair") or participants),
        created_by=head["created_by"],
        created_at=from_ms(head["created_at"]),
        updated_at=from_ms(head["updated_at"]),
        last_seq=head["last_seq"],
        last=last,
        rev=rev_of_head(head),
    )


def read_up_to(head: Item, member: Item) -> int:
    """What was purged counts as read, without a write for each member."""
    seq: int = max(member["last_read_seq"], head["purged_seq"])
    return seq


def to_entry(head: Item, member: Item, participants: Iterable[str] = ()) -> InboxEntry:
    return InboxEntry(
        conversation=to_conversation(head, participants),
        user_id=member["user_id"],
        joined_at=from_ms(member["joined_at"]),
        last_read_seq=read_up_to(head, member),
        last_read_at=from_ms(member.get("last_read_at")),
    )


# ---------------------------------------------------------------- messages
def from_message(message: Message) -> Item:
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "seq": message.seq,
        "rev": message.rev,
        "sender_id": message.sender_id,
        "recipient_id": message.recipient_id,
        "content": message.content,
        "message_type": message.message_type.value,
        "file_url": message.file_url,
        "file_name": message.file_name,
        "file_size": message.file_size,
        "file_type": message.file_type,
        "thumbnail_url": message.thumbnail_url,
        "reply_to": message.reply_to,
        "reply_preview": message.reply_preview,
        "timestamp": to_ms(message.timestamp),
        "is_deleted": False,
        "client_message_id": message.client_message_id,
        "call": encode_summary(message.call),
    }


def to_attachment(item: Item) -> Attachment | None:
    if "file_url" not in item:
        return None
    return Attachment(
        item["file_url"],
        item.get("file_name"),
        item.get("file_size"),
        item.get("file_type"),
        item.get("thumbnail_url"),
    )


def to_message(item: Item, sender: Sender) -> Message:
    edited_at = from_ms(item.get("edited_at"))
    return make_message(  # by position, which takes a quarter less than by name, fifty times for a history
        item["id"],
        item["conversation_id"],
        item["seq"],
        sender,
        item.get("recipient_id"),
        item["content"],
        MESSAGE_TYPES[item["message_type"]],
        from_ms(item["timestamp"]),
        to_attachment(item),
        item.get("reply_to"),
        item.get("reply_preview"),
        edited_at is not None,
        edited_at,
        item["is_deleted"],
        item.get("client_message_id"),
        rev_of_message(item),
        decode_summary(item.get("call")),
    )

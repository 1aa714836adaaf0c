"""What is remembered of a conversation's past, in the order it happened. ``docs/protocol.md`` tells clients of it.

``rev`` numbers every durable change of a conversation: 1, 2, 3 … A change shows what it changed as it is now, so that
a client may take one twice, and of several read marks of one user only the latest is kept: there ``rev`` has holes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chatapp.domain.models import Message


class MembersAction(StrEnum):
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    rev: int


@dataclass(frozen=True, slots=True)
class MessageAppended(Change):
    message: Message


@dataclass(frozen=True, slots=True)
class MessageRevised(Change):
    """An own text was corrected."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageRetracted(Change):
    """``message`` is the tombstone; replies that quote it have lost their preview."""

    message: Message


@dataclass(frozen=True, slots=True)
class MarkMoved(Change):
    """Somebody has read up to here. Whoever sends a message has read up to it, without a change of its own."""

    user_id: str
    last_read_seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MembersChanged(Change):
    """One who left names himself in ``by``; when he was the owner, ``new_owner_id`` is now."""

    action: MembersAction
    user_ids: tuple[str, ...]
    by: str
    at: datetime
    new_owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class DetailsChanged(Change):
    name: str | None
    description: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MessagesRemoved(Change):
    """All messages up to ``through_seq`` are gone for good, and count as read."""

    through_seq: int


@dataclass(frozen=True, slots=True)
class Changes:
    """``items`` are the changes after the one asked for, by ``rev``; with them one knows all up to ``rev``.

    ``more``: there are further ones. ``truncated``: some of those asked for are gone for good (their messages were
    purged), or the ``rev`` asked for has never been; then ``items`` begin with the oldest there is, and whoever asked
    should forget what they know of the conversation.
    """

    rev: int
    items: tuple[Change, ...]
    more: bool = False
    truncated: bool = False

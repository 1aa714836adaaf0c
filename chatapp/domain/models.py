"""The nouns. All are frozen; change one with ``dataclasses.replace``. All times are aware and UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Generic, TypeVar

from chatapp.domain.calls import CallSummary
from chatapp.domain.identity import Identity

T = TypeVar("T")


class Status(StrEnum):
    """What a user shows to others. ``away`` and ``busy`` count as online."""

    ONLINE = "online"
    OFFLINE = "offline"
    AWAY = "away"
    BUSY = "busy"


class ConversationType(StrEnum):
    PRIVATE = "private"
    GROUP = "group"


class MessageType(StrEnum):
    TEXT = "text"
    FILE = "file"
    AUDIO = "audio"
    CALL = "call"
    """Written by the server alone, when a call is over."""


class Scope(StrEnum):
    """What an API key is good for. ``admin`` is good for everything."""

    USERS_WRITE = "users:write"
    MESSAGES_SEND = "messages:send"
    WEBHOOKS_MANAGE = "webhooks:manage"
    ADMIN = "admin"


class Standing(Enum):
    """How far an actor is believed."""

    OPERATOR = "operator"
    """Who runs commands on the server's own machine."""
    TRUSTED = "trusted"
    """Everybody in open mode: is whoever they say, and may do all that does not need a name."""
    USER = "user"
    """By their token; may do what is theirs."""
    ADMIN = "admin"
    """A user whose token has an administrator's role."""
    KEY = "key"
    """The company's backend by an API key: acts for whomever it names, within the key's scopes."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. ``user_id`` is in whose name; None for the operator, and for calls that name nobody.

    ``identity`` is what a user's token says, ``key_id`` the API key's.
    """

    user_id: str | None = None
    standing: Standing = Standing.TRUSTED
    scopes: frozenset[Scope] = frozenset()
    identity: Identity | None = None
    key_id: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether all of the chat is theirs to see and to change."""
        return self.standing in (Standing.OPERATOR, Standing.TRUSTED, Standing.ADMIN) or Scope.ADMIN in self.scopes


OPERATOR = Actor(standing=Standing.OPERATOR)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    email: str
    roles: tuple[str, ...]
    filials: tuple[str, ...]
    avatar: str | None
    created_at: datetime
    updated_at: datetime
    last_seen: datetime
    is_active: bool = True
    status: Status = Status.OFFLINE

    @property
    def is_online(self) -> bool:
        return self.status is not Status.OFFLINE


@dataclass(frozen=True, slots=True)
class Sender:
    """The part of a user that travels with each of their messages."""

    id: str
    name: str
    avatar: str | None


@dataclass(frozen=True, slots=True)
class LastMessage:
    """What a conversation remembers of its newest message, for lists and notices."""

    id: str
    sender_id: str
    preview: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    type: ConversationType
    name: str | None
    description: str | None
    participants: tuple[str, ...]
    """User ids, longest-standing first. Empty where only the head of the conversation was read."""
    created_by: str
    created_at: datetime
    updated_at: datetime
    last_seq: int = 0
    last: LastMessage | None = None
    rev: int = 0
    """Number of the newest durable change: see ``chatapp.domain.changes``."""

    @property
    def is_group(self) -> bool:
        return self.type is ConversationType.GROUP

    @property
    def last_message(self) -> str | None:
        return self.last.preview if self.last else None

    @property
    def last_message_at(self) -> datetime | None:
        return self.last.at if self.last else None

    def other_than(self, user_id: str) -> str | None:
        """The other side of a private conversation; None in a group."""
        if self.is_group:
            return None
        return next((p for p in self.participants if p != user_id), None)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A conversation as one of its participants sees it."""

    conversation: Conversation
    user_id: str
    joined_at: datetime
    last_read_seq: int
    last_read_at: datetime | None

    @property
    def unread_count(self) -> int:
        return max(0, self.conversation.last_seq - self.last_read_seq)


@dataclass(frozen=True, slots=True)
class Attachment:
    """The file of a message. ``size`` is in bytes."""

    url: str
    name: str | None = None
    size: int | None = None
    type: str | None = None
    thumbnail_url: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    conversation_id: str
    seq: int
    sender: Sender
    recipient_id: str | None
    content: str
    message_type: MessageType
    timestamp: datetime
    attachment: Attachment | None = None
    reply_to: str | None = None
    reply_preview: str | None = None
    is_edited: bool = False
    edited_at: datetime | None = None
    is_deleted: bool = False
    client_message_id: str | None = None
    rev: int = 0
    """The conversation's ``rev`` with which it was sent."""
    call: CallSummary | None = None

    @property
    def sender_id(self) -> str:
        return self.sender.id

    @property
    def is_reply(self) -> bool:
        return self.reply_to is not None

    @property
    def created_at(self) -> datetime:
        return self.timestamp

    # The wire shows an attachment as flat fields, null when there is none.
    @property
    def file_url(self) -> str | None:
        return self.attachment.url if self.attachment else None

    @property
    def file_name(self) -> str | None:
        return self.attachment.name if self.attachment else None

    @property
    def file_size(self) -> int | None:
        return self.attachment.size if self.attachment else None

    @property
    def file_type(self) -> str | None:
        return self.attachment.type if self.attachment else None

    @property
    def thumbnail_url(self) -> str | None:
        return self.attachment.thumbnail_url if self.attachment else None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at rest. ``name`` is ours and safe in a URL; ``original_name`` is what the uploader called it."""

    name: str
    original_name: str
    media_type: str
    size: int
    created_at: datetime
    uploader_id: str | None = None
    thumbnail_name: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a longer list; ``next_cursor`` is None on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None

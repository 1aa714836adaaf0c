"""What a client may ask for, in the imperative. Made by the schemas, obeyed by the services.

``actor_id`` is who the client says it is (``userId``, ``senderId``, ``createdBy`` … on the wire). Who the actor
really is the transport decides; services take ``actor=`` and never look at the claim.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chatapp.domain.calls import CallKind, Media
from chatapp.domain.happenings import EventType
from chatapp.domain.models import Attachment, MessageType, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    actor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinChat(Command):
    """``roles`` and ``filials`` of None keep the ones the user has."""

    name: str
    email: str
    roles: tuple[str, ...] | None = None
    filials: tuple[str, ...] | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveChat(Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken(Command):
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus(Command):
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveUser(Command):
    """Create a user, or update the one with this id."""

    id: str | None
    name: str
    email: str
    roles: tuple[str, ...] | None = None
    filials: tuple[str, ...] | None = None
    avatar: str | None = None
    keep_avatar: bool = False
    """True when the request did not mention the avatar at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRoom(Command):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRoom(Command):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage(Command):
    conversation_id: str
    content: str = ""
    message_type: MessageType = MessageType.TEXT
    recipient_id: str | None = None
    attachment: Attachment | None = None
    reply_to: str | None = None
    client_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReply(SendMessage):
    """A SendMessage with ``reply_to``; its sender also gets ``reply_sent_success``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMessage(Command):
    message_id: str
    new_content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMessage(Command):
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTyping(Command):
    conversation_id: str
    user_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTyping(Command):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAsRead(Command):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateConversation(Command):
    """``actor_id`` becomes the creator."""

    participants: tuple[str, ...]
    is_group: bool = True
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddParticipants(Command):
    conversation_id: str
    participants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveParticipant(Command):
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveGroup(Command):
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateGroup(Command):
    """A ``name`` of None stays as it is."""

    conversation_id: str = ""
    name: str | None = None
    description: str | None = None
    keep_description: bool = False
    """True when the request did not mention the description at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFile(Command):
    """Where an uploaded file goes. Without ``conversation_id`` it is only stored."""

    conversation_id: str | None = None
    reply_to: str | None = None
    content: str | None = None
    client_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsers(Command):
    q: str | None = None
    filial: str | None = None
    visible_to: frozenset[str] | None = None
    """Only users of these branches, or of none."""
    limit: int = 500
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Command):
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHistory(Command):
    """``before`` and ``after`` are ``seq`` numbers, both exclusive. Neither: the newest page."""

    conversation_id: str = field(default="")
    limit: int = 100
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadChanges(Command):
    """Changes with a higher ``rev`` than ``since``."""

    conversation_id: str
    since: int
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(Command):
    """What a client knows of its conversations: id and ``rev`` of each."""

    conversations: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeTokens(Command):
    """Tokens issued before ``before`` (None: before now) to this user, or to everybody, are worth nothing any more."""

    user_id: str | None = None
    before: datetime | None = None


# ---------------------------------------------------------------- calls
@dataclass(frozen=True, slots=True, kw_only=True)
class StartCall(Command):
    """Or join the one there is. ``device_id`` of None: the connection itself is the device."""

    conversation_id: str
    client_call_id: str
    media: CallKind
    device_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptCall(Command):
    """Answer, join later, or come back with the same device."""

    call_id: str
    device_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineCall(Command):
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSignal(Command):
    """``signal`` is what WebRTC gives: ``{"description": …}`` or ``{"candidate": …}``, in our spelling of names. It
    holds people's addresses: not for logs."""

    call_id: str
    to: str
    signal: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowMedia(Command):
    call_id: str
    media: Media


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp(Command):
    call_id: str


# ---------------------------------------------------------------- webhooks
@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWebhook(Command):
    """``event_types`` is empty for all."""

    url: str
    description: str = ""
    event_types: tuple[EventType, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWebhook(Command):
    """What is None stays."""

    webhook_id: str = ""
    url: str | None = None
    description: str | None = None
    event_types: tuple[EventType, ...] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEvents(Command):
    """These, or all from ``first`` to ``last``, both included."""

    webhook_id: str = ""
    event_ids: tuple[str, ...] | None = None
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents(Command):
    after: str | None = None
    limit: int = 100

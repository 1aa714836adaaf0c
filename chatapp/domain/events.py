"""What happened, in the past tense. Services publish these; ``protocol/outgoing.py`` turns them into wire events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chatapp.domain.calls import Answer, Call, Leaving, Participant
from chatapp.domain.models import Conversation, LastMessage, Message, Sender, Status, User


@dataclass(frozen=True, slots=True)
class Event:
    pass


# Presence
@dataclass(frozen=True, slots=True)
class UserConnected(Event):
    """``visible_to``: the branches whose people may know, here and below; None: everyone."""

    user: User
    visible_to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class UserDisconnected(Event):
    user_id: str
    last_seen: datetime
    visible_to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class UserStatusChanged(Event):
    """``by_absence`` is True when nobody has said so: the user's last socket is gone."""

    user_id: str
    status: Status
    last_seen: datetime
    by_absence: bool = field(default=False, compare=False)
    visible_to: tuple[str, ...] | None = None


# Rooms
@dataclass(frozen=True, slots=True)
class RoomJoined(Event):
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class RoomLeft(Event):
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class TypingChanged(Event):
    conversation_id: str
    user_id: str
    user_name: str
    is_typing: bool


# Durable changes
@dataclass(frozen=True, slots=True)
class DurableEvent(Event):
    """The store remembers it: whoever misses it can ask for it."""

    @property
    def place(self) -> tuple[str, int]:
        """The conversation, and the ``rev`` that this change has there."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class MessageSent(DurableEvent):
    """``conversation`` is the head after it, from which those outside the room are told."""

    message: Message
    conversation: Conversation | None = field(default=None, compare=False)

    @property
    def place(self) -> tuple[str, int]:
        return self.message.conversation_id, self.message.rev


@dataclass(frozen=True, slots=True)
class MessageEdited(DurableEvent):
    message: Message
    rev: int

    @property
    def place(self) -> tuple[str, int]:
        return self.message.conversation_id, self.rev


@dataclass(frozen=True, slots=True)
class MessageDeleted(DurableEvent):
    message_id: str
    conversation_id: str
    seq: int
    rev: int

    @property
    def place(self) -> tuple[str, int]:
        return self.conversation_id, self.rev


@dataclass(frozen=True, slots=True)
class MessagesRead(DurableEvent):
    """``others``: the other participants who are told of it; each worker knows its own."""

    conversation_id: str
    user_id: str
    timestamp: datetime
    last_read_seq: int
    rev: int
    others: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, int]:
        return self.conversation_id, self.rev


@dataclass(frozen=True, slots=True)
class GroupChanged(DurableEvent):
    """``conversation`` is the group as it is afterwards."""

    conversation: Conversation

    @property
    def place(self) -> tuple[str, int]:
        return self.conversation.id, self.conversation.rev


@dataclass(frozen=True, slots=True)
class GroupUpdated(GroupChanged):
    """It has another name or description."""

    updated_by: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class UsersAddedToGroup(GroupChanged):
    added_users: tuple[str, ...]
    added_by: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class UserRemovedFromGroup(GroupChanged):
    user: Sender
    removed_by: str
    removed_by_name: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class UserLeftGroup(GroupChanged):
    """``new_owner`` is set when the creator left. The last one takes the group along: then nothing remembers it."""

    user: Sender
    left_by: str
    timestamp: datetime
    new_owner: Sender | None
    group_deleted: bool
    deleted_messages_count: int


# Notices
@dataclass(frozen=True, slots=True)
class MessageUnread(Event):
    """A message that one participant did not see arrive; for one socket where the user has just joined with it."""

    user_id: str
    conversation: Conversation
    last: LastMessage
    sender: Sender
    unread_count: int
    socket_id: str | None = None


# Groups
@dataclass(frozen=True, slots=True)
class GroupCreated(Event):
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class GroupDeleted(Event):
    conversation: Conversation
    deleted_messages_count: int
    timestamp: datetime


# Calls
@dataclass(frozen=True, slots=True)
class CallChanged(Event):
    """``call`` is as it is afterwards."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallRang(CallChanged):
    """For the devices of these users; for one socket where the user has just joined with it."""

    conversation: Conversation
    caller: Sender
    user_ids: tuple[str, ...]
    socket_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallAccepted(CallChanged):
    """``participant`` is the first to answer."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class CallAnsweredElsewhere(Event):
    """For the user's other devices than ``socket_id``."""

    call_id: str
    conversation_id: str
    user_id: str
    answer: Answer
    socket_id: str


@dataclass(frozen=True, slots=True)
class CallParticipantJoined(CallChanged):
    participant: Participant


@dataclass(frozen=True, slots=True)
class CallParticipantLeft(CallChanged):
    participant: Participant
    why: Leaving


@dataclass(frozen=True, slots=True)
class CallMediaChanged(CallChanged):
    participant: Participant


@dataclass(frozen=True, slots=True)
class CallSignalled(Event):
    """``seq`` grows from one signal of ``sender_id`` to this participant to the next."""

    call_id: str
    sender_id: str
    to_id: str
    to_user_id: str
    seq: int
    signal: dict[str, Any] = field(repr=False)
    """Holds people's addresses: not for logs."""


@dataclass(frozen=True, slots=True)
class CallEnded(CallChanged):
    """For all members of the conversation."""

    user_ids: tuple[str, ...]


# ---------------------------------------------------------------- between workers, never told to clients
@dataclass(frozen=True, slots=True)
class WorkerEvent(Event):
    pass


@dataclass(frozen=True, slots=True)
class UserArrived(WorkerEvent):
    """The user has a socket on this worker. ``changes`` counts the changes of their status: the higher is later."""

    user_id: str
    status: Status
    changes: int


@dataclass(frozen=True, slots=True)
class UserDeparted(WorkerEvent):
    """The user has no socket on this worker any more."""

    user_id: str


@dataclass(frozen=True, slots=True)
class StatusShown(WorkerEvent):
    user_id: str
    status: Status
    changes: int


@dataclass(frozen=True, slots=True)
class ViewerEntered(WorkerEvent):
    """The user has a socket in the room on this worker."""

    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class ViewerLeft(WorkerEvent):
    conversation_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class WorkerBeat(WorkerEvent):
    """This worker lives; told every second."""


@dataclass(frozen=True, slots=True)
class WorkerLeft(WorkerEvent):
    """This worker ends, and has told everything it had to tell."""


@dataclass(frozen=True, slots=True)
class WorkerReported(WorkerEvent):
    """Everybody who has a socket on this worker, in place of all that was said of it before.

    ``statuses``: user → status and how often it has changed. ``asks`` is True when the others shall report too.
    """

    statuses: dict[str, tuple[Status, int]]
    asks: bool


@dataclass(frozen=True, slots=True)
class PrivateOpened(WorkerEvent):
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class ConversationClosed(WorkerEvent):
    """The conversation is gone; nobody hears it any more."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class ProfileChanged(WorkerEvent):
    user_id: str


@dataclass(frozen=True, slots=True)
class UserDeleted(WorkerEvent):
    user_id: str


@dataclass(frozen=True, slots=True)
class TokensRevoked(WorkerEvent):
    """Tokens issued before ``before``: of this user, of everybody where it is None."""

    user_id: str | None
    before: datetime


@dataclass(frozen=True, slots=True)
class MessagesPurged(WorkerEvent):
    pass


@dataclass(frozen=True, slots=True)
class ResyncNeeded(WorkerEvent):
    """More was lost than the bus could hold: everybody asks the store."""


# Signals of calls on their way: services/calls/signals.py
@dataclass(frozen=True, slots=True)
class SignalPassed(WorkerEvent):
    signal: CallSignalled


@dataclass(frozen=True, slots=True)
class SignalsWanted(WorkerEvent):
    """The participant is connected to the worker that asks, and may have missed some of those still held.
    ``connections`` is as ``Participant`` has it."""

    call_id: str
    participant_id: str
    user_id: str
    connections: int


@dataclass(frozen=True, slots=True)
class SignalsHeld(WorkerEvent):
    """All that is held of what ``sender_id`` has sent to this participant, in order."""

    sender_id: str
    to_id: str
    signals: tuple[CallSignalled, ...]


# Sessions whose clients come back to another worker: services/sessions.py
@dataclass(frozen=True, slots=True)
class SessionSought(WorkerEvent):
    """A client has come to the worker ``asker`` and would go on with its session, after the packet ``offset``."""

    request: str
    asker: str
    pid: str
    offset: str | None


@dataclass(frozen=True, slots=True)
class SessionFound(WorkerEvent):
    request: str
    socket_id: str
    user_id: str | None
    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionClaimed(WorkerEvent):
    """The asker hears by now what is told in these ``rooms``; of the session's others its user is no member any more.

    ``told``: conversation → the last ``rev`` that the asker will not tell itself.
    """

    request: str
    asker: str
    pid: str
    offset: str | None
    rooms: tuple[str, ...]
    told: dict[str, int]


@dataclass(frozen=True, slots=True)
class SessionHandedOver(WorkerEvent):
    """It is the asker's now. ``packets`` are what it has missed, ``told`` the last ``rev`` that these know of."""

    request: str
    packets: tuple[str, ...]
    told: dict[str, int]


@dataclass(frozen=True, slots=True)
class SessionRefused(WorkerEvent):
    """There is no such session here; ``moved_to`` has got it."""

    request: str
    moved_to: str | None = None

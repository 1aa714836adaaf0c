"""What the other workers do, followed here: who is online where, who is a member, what has been read.

Services change this worker's state themselves and relay the event; here the same event changes the state of a worker
that only heard of it, and is told to its sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Protocol

from chatapp.domain.errors import Unavailable
from chatapp.domain.events import (
    CallChanged,
    ConversationClosed,
    DurableEvent,
    Event,
    GroupCreated,
    MessagesPurged,
    PrivateOpened,
    ProfileChanged,
    ResyncNeeded,
    SignalPassed,
    SignalsHeld,
    SignalsWanted,
    TokensRevoked,
    UserDeleted,
    UserDisconnected,
    UserLeftGroup,
    WorkerBeat,
    WorkerEvent,
)
from chatapp.domain.models import InboxEntry
from chatapp.domain.rooms import EVERYONE, user_room
from chatapp.ports import Bus, EventPublisher, Rooms, Scheduler
from chatapp.services.audience import Audience
from chatapp.services.calls.hearing import CallHearing
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.messages import MessageService
from chatapp.services.presence import PresenceService
from chatapp.services.profiles import Profiles
from chatapp.services.revocations import RevocationService
from chatapp.services.sessions import NoSessions, Sessions

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
RETRY_SECONDS = 1.0


class WorkersPresence(Protocol):
    """Presence that knows of other workers."""

    def hear(self, origin: str, event: Event) -> Collection[str]: ...

    def lapse(self) -> Collection[str]: ...

    def fell_silent(self) -> bool: ...

    def recovered(self) -> None: ...

    def forget(self, user_id: str) -> None: ...

    def viewers_here(self) -> Collection[tuple[str, str]]:
        """Conversations that sockets of this worker have open, and for whom."""


class Replica:
    def __init__(
        self,
        bus: Bus,
        workers: WorkersPresence,
        audience: Audience,
        profiles: Profiles,
        deliveries: Deliveries,
        rooms: Rooms,
        publisher: EventPublisher,
        conversations: ConversationService,
        messages: MessageService,
        presence: PresenceService,
        revocations: RevocationService,
        calls: CallHearing,
        *,
        scheduler: Scheduler,
        sessions: Sessions | None = None,
    ) -> None:
        self._bus = bus
        self._workers = workers
        self._audience = audience
        self._profiles = profiles
        self._deliveries = deliveries
        self._rooms = rooms
        self._publisher = publisher
        self._conversations = conversations
        self._messages = messages
        self._presence = presence
        self._revocations = revocations
        self._calls = calls
        self._scheduler = scheduler
        self._sessions = sessions or NoSessions()

    def start(self) -> None:
        self._bus.start(self.receive, recovered=self.recovered)
        self._beat()

    def _beat(self) -> None:
        self._scheduler.call_later(BEAT_SECONDS, self._beat)
        self._bus.publish([EVERYONE], WorkerBeat())
        if self._workers.fell_silent():
            self._scheduler.call_later(0, self._deliveries.resync)
        self._presence.lost(self._workers.lapse())

    def recovered(self) -> None:
        self._workers.recovered()
        self._sessions.forget_all()
        self._scheduler.call_later(0, self._deliveries.resync)
        self._scheduler.call_later(0, self._refresh)
        self._calls.recovered()

    def _refresh(self) -> None:
        """Who is a member of what, and what they have read, may have changed without our hearing it."""
        try:
            found = self._messages.refresh_audience()
            strangers = [pair for pair in self._workers.viewers_here() if not self._audience.counts(*pair)]
            for conversation_id, user_id in (*found.gone, *strangers):
                self._conversations.recheck(conversation_id, user_id)
            for entry in found.unknown:
                self._introduce(entry)
        except Unavailable as exc:
            log.warning("asking who is where failed, trying again: %s", exc)
            self._scheduler.call_later(RETRY_SECONDS, self._refresh)

    def _introduce(self, entry: InboxEntry) -> None:
        """A conversation that its participant has not been told of."""
        conversation = self._conversations.get(entry.conversation.id)
        if conversation.is_group:
            self._publisher.deliver(GroupCreated(conversation), rooms=(user_room(entry.user_id),))
        if notice := self._presence.notice(entry):
            self._publisher.deliver(notice)

    def receive(self, room: str, origin: str, event: Event) -> None:
        """Never waits."""
        if isinstance(event, WorkerEvent):
            self._obey(event)
            self._sessions.receive(origin, event)
            self._presence.lost(self._workers.hear(origin, event))
        elif isinstance(event, UserLeftGroup) and event.group_deleted:  # the store remembers nothing of it
            self._publisher.deliver(event, rooms=(room,))
        elif isinstance(event, DurableEvent):
            self._deliveries.offer(event)
        else:
            self._follow(room, event)
            self._publisher.deliver(event, rooms=(room,))
            if isinstance(event, CallChanged):
                self._calls.follow(room, event)

    def _obey(self, event: WorkerEvent) -> None:
        match event:
            case PrivateOpened(conversation):
                for user_id in conversation.participants:
                    self._audience.add(conversation, user_id, conversation.last_seq)
            case ConversationClosed(conversation_id):
                self._conversations.close(conversation_id)
            case ProfileChanged(user_id):
                self._profiles.forget(user_id)
            case UserDeleted(user_id):
                self._rooms.disconnect(user_id)
            case TokensRevoked():
                self._revocations.hear(event)
            case MessagesPurged():
                self._scheduler.call_later(0, self._refresh)
            case SignalPassed() | SignalsWanted() | SignalsHeld():
                self._calls.hear(event)
            case ResyncNeeded():
                self._scheduler.call_later(0, self._deliveries.resync)

    def _follow(self, room: str, event: Event) -> None:
        match event:
            case GroupCreated(group):
                for user_id in group.participants:
                    if room == user_room(user_id):
                        self._audience.add(group, user_id, group.last_seq)
            case UserDisconnected(user_id):
                self._presence.stay_away(user_id)

"""Durable changes in the order of their ``rev``, whichever worker they come from and whatever the bus has lost.

Of each conversation that somebody here listens to, this knows the last ``rev`` that was told. A change that is next is
told at once; one that is further on waits a moment for those before it, and then the store is asked for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chatapp.domain.errors import ConversationNotFound, Unavailable
from chatapp.domain.events import DurableEvent
from chatapp.domain.happenings import conversation_lane
from chatapp.ports import EventPublisher, Scheduler, Timer
from chatapp.services.replay import Replay
from chatapp.services.webhook_outbox import Wake, wake_nobody

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.1
"""Two workers that change something at once publish in either order, a few milliseconds apart."""

RETRY_SECONDS = 1.0

Tell = Callable[[DurableEvent], None]


@dataclass(slots=True)
class _Conversation:
    rev: int
    waiting: dict[int, DurableEvent] = field(default_factory=dict)
    timer: Timer | None = None


@dataclass(slots=True)
class _Held:
    """What is heard of a conversation while somebody asks how far it has come."""

    askers: int = 0
    events: list[DurableEvent] = field(default_factory=list)


class Deliveries:
    def __init__(
        self,
        replay: Replay,
        tell: Tell,
        publisher: EventPublisher,
        *,
        scheduler: Scheduler,
        wake: Wake = wake_nobody,
    ) -> None:
        """``wake`` has webhooks told of what is announced."""
        self._wake = wake
        self._replay = replay
        self._tell = tell
        self._publisher = publisher
        self._scheduler = scheduler
        self._followed: dict[str, _Conversation] = {}
        self._held: dict[str, _Held] = {}

    def begin(self, conversation_id: str, rev: int) -> None:
        """Everything up to ``rev`` is known to whoever listens here."""
        self._followed.setdefault(conversation_id, _Conversation(rev))

    @contextmanager
    def holding(self, conversation_ids: Collection[str]) -> Iterator[None]:
        """Ask the store inside it how far these conversations have come, and ``begin`` before anything else waits.

        What is heard of them meanwhile is told after that: told at once it would be told again, should the store's
        answer be older.
        """
        for conversation_id in conversation_ids:
            self._held.setdefault(conversation_id, _Held()).askers += 1
        try:
            yield
        finally:
            for conversation_id in conversation_ids:
                held = self._held[conversation_id]
                held.askers -= 1
                if held.askers == 0:
                    del self._held[conversation_id]
                    for event in held.events:
                        self.offer(event)

    def follows(self, conversation_id: str) -> bool:
        return conversation_id in self._followed

    def told(self, conversation_id: str) -> int | None:
        """The last ``rev`` told here; None when the conversation is not followed."""
        followed = self._followed.get(conversation_id)
        return followed.rev if followed else None

    def end(self, conversation_id: str) -> None:
        followed = self._followed.pop(conversation_id, None)
        if followed and followed.timer:
            followed.timer.cancel()

    def announce(self, event: DurableEvent, *, rooms: Collection[str] | None = None) -> None:
        """This worker has just stored it: for the other workers that listen to these rooms, and for our own sockets.

        Never waits; nor may the caller since it was stored, or a later change would overtake this one.
        """
        self._publisher.relay(event, rooms=rooms)
        self.offer(event)
        self._wake(conversation_lane(event.place[0]))

    def offer(self, event: DurableEvent) -> None:
        """Tell it now, or when it is its turn, or when it is no longer held; never twice. Never waits."""
        conversation_id, rev = event.place
        followed = self._followed.get(conversation_id)
        if followed is None:
            held = self._held.get(conversation_id)
            if held:
                held.events.append(event)
            else:
                self._tell(event)
            return
        if rev <= followed.rev:
            return
        followed.waiting[rev] = event
        self._tell_what_is_next(followed)
        self._wait_for_the_rest(conversation_id, followed)

    def resync(self) -> None:
        """Anything may have been missed, in any conversation."""
        for conversation_id in list(self._followed):
            self.catch_up(conversation_id)

    def catch_up(self, conversation_id: str) -> None:
        """Ask the store for what came after the last one told. Waits."""
        followed = self._followed.get(conversation_id)
        if followed is None:
            return
        followed.timer = None
        asked_for = set(followed.waiting)
        try:
            while self._tell_from_store(conversation_id, followed):
                pass
        except Unavailable as exc:
            log.warning("catching up with %s failed, trying again: %s", conversation_id, exc)
            followed.timer = self._scheduler.call_later(RETRY_SECONDS, self.catch_up, conversation_id)
            return
        for rev in asked_for.intersection(followed.waiting):
            del followed.waiting[rev]  # of a conversation that is gone: the store would have known
        self._wait_for_the_rest(conversation_id, followed)

    def _tell_from_store(self, conversation_id: str, followed: _Conversation) -> bool:
        """True when there may be more."""
        try:
            page = self._replay.after(conversation_id, followed.rev)
        except ConversationNotFound:
            return False
        if self._followed.get(conversation_id) is not followed:  # it has ended meanwhile
            return False
        for event in page.events:
            rev = event.place[1]
            if rev > followed.rev:  # else the bus was quicker
                followed.rev = rev
                self._tell(followed.waiting.pop(rev, event))
        followed.rev = max(page.rev, followed.rev)
        for rev in [rev for rev in followed.waiting if rev <= followed.rev]:  # a later one stands for it, or a purge
            del followed.waiting[rev]
        self._tell_what_is_next(followed)
        return page.more

    def _wait_for_the_rest(self, conversation_id: str, followed: _Conversation) -> None:
        if followed.waiting and followed.timer is None:
            followed.timer = self._scheduler.call_later(PATIENCE_SECONDS, self.catch_up, conversation_id)

    def _tell_what_is_next(self, followed: _Conversation) -> None:
        while event := followed.waiting.pop(followed.rev + 1, None):
            followed.rev += 1
            self._tell(event)
        if not followed.waiting and followed.timer:
            followed.timer.cancel()
            followed.timer = None

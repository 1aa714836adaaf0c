"""Whose devices ring for a call: of all who could answer, also those that come while it rings."""

from __future__ import annotations

import logging

from chatapp.domain.calls import Call
from chatapp.domain.errors import Unavailable
from chatapp.domain.events import CallRang
from chatapp.domain.models import Conversation
from chatapp.ports import Clock, EventPublisher, Scheduler, Store
from chatapp.services.audience import Audience
from chatapp.services.calls.ledger import Ledger
from chatapp.services.profiles import Profiles

log = logging.getLogger(__name__)


class Ringing:
    def __init__(
        self,
        store: Store,
        audience: Audience,
        profiles: Profiles,
        publisher: EventPublisher,
        ledger: Ledger,
        *,
        clock: Clock,
        scheduler: Scheduler,
    ) -> None:
        self._store = store
        self._audience = audience
        self._profiles = profiles
        self._publisher = publisher
        self._ledger = ledger
        self._clock = clock
        self._scheduler = scheduler

    def ring(self, call: Call, conversation: Conversation) -> bool:
        """All the others, but those who are in a call; False when nobody is left of them. Raises StoreUnavailable."""
        others = [user_id for user_id in conversation.participants if user_id != call.started_by]
        busy = self._store.calls.busy(others)
        free = tuple(user_id for user_id in others if user_id not in busy)
        if others and not free:
            return False
        self._publisher.publish(CallRang(call, conversation, self._profiles.find(call.started_by), free))
        return True

    def ring_late(self, user_id: str, socket_id: str) -> None:
        """The socket has just joined the chat: what rings for its user rings there too. Never waits."""
        for call in self._ledger.going_on():
            is_called = user_id not in (*call.took_part, *call.declined)
            is_member = self._audience.counts(call.conversation_id, user_id)
            if is_called and is_member and self._clock.now() < call.rings_until:
                self._scheduler.call_later(0, self._ring_one, call, user_id, socket_id)

    def _ring_one(self, call: Call, user_id: str, socket_id: str) -> None:
        try:
            conversation = self._store.conversations.get(call.conversation_id)
        except Unavailable as exc:
            log.info("call %s does not ring for one who comes late: %s", call.id, exc)
            return
        if conversation is not None:
            caller = self._profiles.find(call.started_by)
            self._publisher.deliver(CallRang(call, conversation, caller, (user_id,), socket_id))

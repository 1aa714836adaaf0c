"""Which rooms this worker listens to on the bus: those of its users, and of the conversations they are in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from chatapp.domain.models import Conversation
from chatapp.domain.rooms import EVERYONE, conversation_room, user_room
from chatapp.ports import Bus, Clock, Scheduler
from chatapp.services.audience import Audience
from chatapp.services.deliveries import Deliveries

IDLE_SECONDS = 60.0
"""How long a room is listened to after the last one here has left it; who reloads a page comes back sooner."""


class Here(Protocol):
    """What of presence is on this worker."""

    def is_here(self, user_id: str) -> bool: ...

    def is_viewed_here(self, conversation_id: str) -> bool: ...


class Following:
    """With one process alone there is nothing to follow: see ``NotFollowing``."""

    def __init__(
        self, bus: Bus, audience: Audience, here: Here, deliveries: Deliveries, *, clock: Clock, scheduler: Scheduler
    ) -> None:
        self._bus = bus
        self._audience = audience
        self._here = here
        self._deliveries = deliveries
        self._clock = clock
        self._scheduler = scheduler
        self._users: dict[str, float] = {}  # user → when they were last needed
        self._conversations: dict[str, float] = {}
        audience.on_new_conversation = self._soon

    def start(self) -> None:
        self._bus.subscribe([EVERYONE])
        self._scheduler.call_later(IDLE_SECONDS, self._sweep_forever)

    def user(self, user_id: str) -> None:
        """Waits until what is for this user is heard."""
        self._users[user_id] = self._now()
        self._bus.subscribe([user_room(user_id)])

    def conversations(self, heads: Callable[[], Iterable[Conversation]]) -> None:
        """Waits until these conversations are heard. ``heads`` asks the store, again when it was too early."""
        unknown = {head.id for head in heads() if not self._touch(head.id)}
        if not unknown:
            return
        self._bus.subscribe([conversation_room(conversation_id) for conversation_id in unknown])
        with self._deliveries.holding(unknown):
            for head in heads():  # what was sent before we listened is in here, what is sent from now on is heard
                if head.id in unknown:
                    self._deliveries.begin(head.id, head.rev)

    def _touch(self, conversation_id: str) -> bool:
        """False while it is not followed, also when somebody else is just about to."""
        self._conversations[conversation_id] = self._now()
        return self._deliveries.follows(conversation_id)

    def _soon(self, conversation: Conversation) -> None:
        """Somebody here has just become a member; who tells us so cannot wait."""
        if not self._touch(conversation.id):
            self._deliveries.begin(conversation.id, conversation.rev)
            self._scheduler.call_later(0, self._listen, conversation.id)

    def _listen(self, conversation_id: str) -> None:
        self._bus.subscribe([conversation_room(conversation_id)])
        self._deliveries.catch_up(conversation_id)

    # ------------------------------------------------------------ letting go
    def _sweep_forever(self) -> None:
        self._scheduler.call_later(IDLE_SECONDS, self._sweep_forever)
        self.sweep()

    def sweep(self) -> None:
        """Stop listening to what nobody here has needed for ``IDLE_SECONDS``."""
        now = self._now()
        for user_id in self._users:
            if self._here.is_here(user_id):
                self._users[user_id] = now
        for conversation_id in self._conversations:
            if self._audience.members(conversation_id) or self._here.is_viewed_here(conversation_id):
                self._conversations[conversation_id] = now
        users = [user_id for user_id, needed in self._users.items() if now - needed >= IDLE_SECONDS]
        conversations = [id_ for id_, needed in self._conversations.items() if now - needed >= IDLE_SECONDS]
        for user_id in users:
            del self._users[user_id]
            self._audience.dismiss(user_id)  # what becomes of their conversations is not heard here any more
        for conversation_id in conversations:
            del self._conversations[conversation_id]
            self._deliveries.end(conversation_id)
        self._bus.unsubscribe([*map(user_room, users), *map(conversation_room, conversations)])

    def _now(self) -> float:
        return self._clock.now().timestamp()


class Follows(Protocol):
    def user(self, user_id: str) -> None: ...

    def conversations(self, heads: Callable[[], Iterable[Conversation]]) -> None: ...


class NotFollowing:
    """One process alone hears everything it does."""

    def user(self, user_id: str) -> None: ...

    def conversations(self, heads: Callable[[], Iterable[Conversation]]) -> None: ...

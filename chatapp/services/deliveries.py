"""Messages in the order of their ``seq``, whichever worker they come from and whatever the bus has lost.

Of each conversation that somebody here listens to, this knows the last ``seq`` that was told. A message that is next
is told at once; one that is further on waits a moment for those before it, and then the store is asked for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from chatapp.domain.errors import Unavailable
from chatapp.domain.events import MessageSent
from chatapp.ports import Scheduler, Store, Timer

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.1
"""Two workers that send at once publish in either order, a few milliseconds apart."""

RETRY_SECONDS = 1.0
PAGE = 500

Tell = Callable[[MessageSent], None]


@dataclass(slots=True)
class _Conversation:
    last_seq: int
    waiting: dict[int, MessageSent] = field(default_factory=dict)
    timer: Timer | None = None


class Deliveries:
    def __init__(self, store: Store, tell: Tell, *, scheduler: Scheduler) -> None:
        self._messages = store.messages
        self._conversations = store.conversations
        self._tell = tell
        self._scheduler = scheduler
        self._followed: dict[str, _Conversation] = {}

    def begin(self, conversation_id: str, last_seq: int) -> None:
        """Everything up to ``last_seq`` is known to whoever listens here."""
        self._followed.setdefault(conversation_id, _Conversation(last_seq))

    def follows(self, conversation_id: str) -> bool:
        return conversation_id in self._followed

    def told(self, conversation_id: str) -> int | None:
        """The last ``seq`` told here; None when the conversation is not followed."""
        followed = self._followed.get(conversation_id)
        return followed.last_seq if followed else None

    def end(self, conversation_id: str) -> None:
        followed = self._followed.pop(conversation_id, None)
        if followed and followed.timer:
            followed.timer.cancel()

    def offer(self, event: MessageSent) -> None:
        """Tell it now, or when it is its turn; never twice. Never waits."""
        followed = self._followed.get(event.message.conversation_id)
        if followed is None:
            self._tell(event)
            return
        if event.message.seq <= followed.last_seq:
            return
        followed.waiting[event.message.seq] = event
        self._tell_what_is_next(followed)
        self._wait_for_the_rest(event.message.conversation_id, followed)

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
        try:
            while True:
                asked_for = sorted(followed.waiting)
                if not self._tell_from_store(conversation_id, followed):
                    break
        except Unavailable as exc:
            log.warning("catching up with %s failed, trying again: %s", conversation_id, exc)
            followed.timer = self._scheduler.call_later(RETRY_SECONDS, self.catch_up, conversation_id)
            return
        # Purged messages leave holes that nothing will fill. Of what came while the store answered it may know nothing.
        for seq in asked_for:
            if seq in followed.waiting:
                followed.last_seq = seq - 1
                self._tell_what_is_next(followed)
        self._wait_for_the_rest(conversation_id, followed)

    def _tell_from_store(self, conversation_id: str, followed: _Conversation) -> bool:
        """True when there may be more."""
        found = self._messages.history(conversation_id, limit=PAGE, after=followed.last_seq)
        head = self._conversations.get(conversation_id) if found else None
        if self._followed.get(conversation_id) is not followed:  # it has ended meanwhile
            return False
        for message in found:
            if message.seq > followed.last_seq:  # else the bus was quicker
                followed.waiting.pop(message.seq, None)
                followed.last_seq = message.seq
                self._tell(MessageSent(message, head))
        for seq in [seq for seq in followed.waiting if seq <= followed.last_seq]:  # purged, on its way to us
            del followed.waiting[seq]
        self._tell_what_is_next(followed)
        return len(found) == PAGE

    def _wait_for_the_rest(self, conversation_id: str, followed: _Conversation) -> None:
        if followed.waiting and followed.timer is None:
            followed.timer = self._scheduler.call_later(PATIENCE_SECONDS, self.catch_up, conversation_id)

    def _tell_what_is_next(self, followed: _Conversation) -> None:
        while event := followed.waiting.pop(followed.last_seq + 1, None):
            followed.last_seq += 1
            self._tell(event)
        if not followed.waiting and followed.timer:
            followed.timer.cancel()
            followed.timer = None

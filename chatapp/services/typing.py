"""Who is writing. An indicator ends by itself, and is told once however often it is renewed."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.domain.commands import StartTyping, StopTyping
from chatapp.domain.events import TypingChanged
from chatapp.domain.models import Actor, Standing
from chatapp.ports import EventPublisher, Presence, Scheduler, Store, Timer
from chatapp.services.actors import require_name
from chatapp.services.profiles import Profiles

TIMEOUT_SECONDS = 3.0
"""The document: three seconds without a ``typing_start``."""


@dataclass(slots=True)
class _Writing:
    user_name: str
    socket_id: str
    timer: Timer


class TypingService:
    def __init__(
        self, store: Store, presence: Presence, profiles: Profiles, publisher: EventPublisher, *, scheduler: Scheduler
    ) -> None:
        self._conversations = store.conversations
        self._presence = presence
        self._profiles = profiles
        self._publisher = publisher
        self._scheduler = scheduler
        self._writing: dict[tuple[str, str], _Writing] = {}

    def start(self, command: StartTyping, *, actor: Actor, socket_id: str) -> None:
        """What the client says of the name is believed in open mode alone: others are shown it.

        Raises NotIdentified, ConversationNotFound, NotAParticipant.
        """
        user_id = self._require_writer(command.conversation_id, actor)
        said = command.user_name if actor.standing is Standing.TRUSTED else None
        name = said or self._profiles.find(user_id).name
        key = (command.conversation_id, user_id)
        known = self._writing.get(key)  # from here on nothing waits
        if known:
            known.timer.cancel()
        timer = self._scheduler.call_later(TIMEOUT_SECONDS, self._end, key)
        self._writing[key] = _Writing(name, socket_id, timer)
        if not known:
            self._publisher.publish(TypingChanged(*key, name, is_typing=True))

    def stop(self, command: StopTyping, *, actor: Actor) -> None:
        """Raises NotIdentified, ConversationNotFound, NotAParticipant."""
        self._end((command.conversation_id, self._require_writer(command.conversation_id, actor)))

    def stop_all(self, socket_id: str) -> None:
        """This socket is gone: what was being written there, for whomever, is not any more."""
        for key in [key for key, writing in self._writing.items() if writing.socket_id == socket_id]:
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        writing = self._writing.pop(key, None)
        if writing:
            writing.timer.cancel()
            self._publisher.publish(TypingChanged(*key, writing.user_name, is_typing=False))

    def _require_writer(self, conversation_id: str, actor: Actor) -> str:
        user_id = require_name(actor)
        if user_id not in self._presence.viewers(conversation_id):  # who is in the room was let in as a member
            self._conversations.entry(conversation_id, user_id)
        return user_id

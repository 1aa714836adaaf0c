"""What a call leaves behind: one message in its conversation.

It is the starter's message and goes the way of all messages. It counts as unread for who was not in the call: whoever
took part, and had read everything before, has read it too.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from chatapp.domain.calls import Call, CallEnd, CallSummary
from chatapp.domain.commands import MarkAsRead
from chatapp.domain.errors import ChatError, ConversationNotFound, NotAParticipant, Unavailable
from chatapp.domain.events import MessageSent
from chatapp.domain.happenings import Happening, call_ended
from chatapp.domain.models import Actor, Message, MessageType, Standing
from chatapp.domain.text import call_text
from chatapp.ports import Appended, Clock, Ids, Store
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.profiles import Profiles

log = logging.getLogger(__name__)


class Closing:
    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        deliveries: Deliveries,
        conversations: ConversationService,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._deliveries = deliveries
        self._conversations = conversations
        self._clock = clock
        self._ids = ids

    def message_of(self, call: Call) -> Message | None:
        """What a call by this id has left, which is over then. Raises StoreUnavailable."""
        draft = self._draft(call, call.started_by, CallEnd.FAILED)
        return self._store.messages.find_repeated(draft, fingerprint=call.id)

    def close(self, call: Call) -> None:
        """Write the message of a call that is over. Again is harmless, and until it has succeeded the sweeper tries it
        again."""
        try:
            sent = self._append(call)
            if sent is not None and not sent.duplicate:
                self._deliveries.announce(MessageSent(sent.message, sent.conversation))
                self._read(call, sent.message)
            self._store.calls.replace(replace(call, is_closed=True, version=call.version + 1))
        except Unavailable as exc:
            log.warning("the message of call %s was not written yet: %s", call.id, exc)

    def _append(self, call: Call) -> Appended | None:
        """By who is still there of those in the call, the starter first; None when there is nobody to tell."""
        for sender_id in dict.fromkeys((call.started_by, *call.took_part)):
            try:
                draft = self._draft(call, sender_id, call.end or CallEnd.FAILED)
                return self._store.messages.append(draft, fingerprint=call.id, along=(_ended(call),))
            except NotAParticipant:
                continue
            except ConversationNotFound:
                break
        return None

    def _draft(self, call: Call, sender_id: str, end: CallEnd) -> Message:
        return Message(
            id=self._ids.new(),
            conversation_id=call.conversation_id,
            seq=0,
            sender=self._profiles.find(sender_id),
            recipient_id=None,
            content=call_text(call.kind, end, call.duration_ms),
            message_type=MessageType.CALL,
            timestamp=self._clock.now(),
            client_message_id=call.id,
            call=CallSummary(call.id, end, call.duration_ms, call.kind, call.took_part),
        )

    def _read(self, call: Call, message: Message) -> None:
        for user_id in call.took_part:
            if user_id == message.sender_id:
                continue
            try:
                entry = self._store.conversations.entry(call.conversation_id, user_id)
                if entry.last_read_seq == message.seq - 1 == entry.conversation.last_seq - 1:
                    command = MarkAsRead(conversation_id=call.conversation_id)
                    self._conversations.mark_as_read(command, actor=Actor(user_id, Standing.USER))
            except ChatError as exc:  # they have left, or count one more than they need
                log.info("call %s was not marked as read: %s", call.id, exc)


def _ended(call: Call) -> Happening:
    return call_ended(
        call_id=call.id,
        conversation_id=call.conversation_id,
        started_by=call.started_by,
        participants=call.took_part,
        reason=call.end or CallEnd.FAILED,
        started_at=call.started_at,
        ended_at=call.ended_at or call.started_at,
        duration_ms=call.duration_ms,
    )

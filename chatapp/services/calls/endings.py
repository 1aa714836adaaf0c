"""How participants leave a call, and how it ends: once, whoever asks for it, and told to everybody."""

from __future__ import annotations

import logging
from functools import partial

from chatapp.domain import calls
from chatapp.domain.calls import Call, CallEnd, CallState, Leaving, Participant
from chatapp.domain.errors import ChatError, NotInCall, Unavailable
from chatapp.domain.events import CallEnded, CallParticipantLeft
from chatapp.ports import Clock, ConversationStore, EventPublisher
from chatapp.services.calls.closing import Closing
from chatapp.services.calls.ledger import Ledger, Step
from chatapp.services.calls.seats import Seats

log = logging.getLogger(__name__)


class Endings:
    def __init__(
        self,
        conversations: ConversationStore,
        publisher: EventPublisher,
        ledger: Ledger,
        seats: Seats,
        closing: Closing,
        *,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._publisher = publisher
        self._ledger = ledger
        self._seats = seats
        self._closing = closing
        self._clock = clock

    # ------------------------------------------------------------ one leaves
    def leave(self, call_id: str, participant_id: str, why: Leaving, *, connections: int | None = None) -> None:
        """``connections``: only if they have not come back since. Raises CallNotFound, NotInCall."""

        def step(call: Call) -> Call:
            if connections not in (None, call.require(participant_id).connections):
                raise NotInCall(callId=call.id)
            return calls.left(call, participant_id, why, now=self._clock.now())

        before, after = self._ledger.change(call_id, step)
        if after.is_over:
            self._tell_end(after)
        else:
            self.tell_left(after, before.require(participant_id), why)

    def expel(self, call_id: str, participant_id: str) -> None:
        """They may not be in it any more. Never raises."""
        try:
            self.leave(call_id, participant_id, Leaving.REMOVED)
        except ChatError as exc:
            log.info("nobody had to leave call %s: %s", call_id, exc)

    def drop(self, call_id: str, participant: Participant) -> None:
        """They have not come back. Never raises."""
        try:
            self.leave(call_id, participant.id, Leaving.LOST, connections=participant.connections)
        except ChatError as exc:
            log.info("nobody was dropped from call %s: %s", call_id, exc)

    def tell_left(self, call: Call, gone: Participant, why: Leaving) -> None:
        self._publisher.publish(CallParticipantLeft(call, gone, why))
        self._seats.leave(gone)

    # ------------------------------------------------------------ the call ends
    def busy(self, call_id: str) -> Call:
        """Nobody is there who could answer. Raises CallNotFound."""
        return self.step(call_id, partial(self._unanswered, end=CallEnd.BUSY))

    def stop_ringing(self, call_id: str) -> None:
        """Nobody has answered in time. Never raises."""
        try:
            self.step(call_id, partial(self._unanswered, end=CallEnd.MISSED))
        except ChatError as exc:
            log.info("call %s does not end: %s", call_id, exc)

    def step(self, call_id: str, step: Step) -> Call:
        """The call after the step, told to everybody when it is over by it. Raises what the step does, CallNotFound."""
        before, after = self._ledger.change(call_id, step)
        if after.is_over and not before.is_over:
            self._tell_end(after)
        return after

    def _unanswered(self, call: Call, end: CallEnd) -> Call:
        return calls.ended(call, end, now=self._clock.now()) if call.state is CallState.RINGING else call

    def _tell_end(self, call: Call) -> None:
        log.info("call %s ends: %s after %d ms", call.id, call.end, call.duration_ms)
        user_ids = dict.fromkeys((*self._members(call), *call.took_part))
        self._publisher.publish(CallEnded(call, tuple(user_ids)))
        self._seats.empty(call.id)
        self._closing.close(call)

    def _members(self, call: Call) -> tuple[str, ...]:
        """It has ended, whether or not the store says who is to be told."""
        try:
            conversation = self._conversations.get(call.conversation_id)
        except Unavailable as exc:
            log.warning("who is to hear that call %s has ended was not read: %s", call.id, exc)
            return ()
        return conversation.participants if conversation else ()

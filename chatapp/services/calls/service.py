"""Calls as their participants see them: start, answer, decline, signal, hang up, and what a lost connection means.

The store decides: every change of a call is a conditional write of the whole call, so that two workers never make two
calls, two answers or two ends of it, with Redis or without. The bus only tells sooner what the store knows.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from chatapp.domain import calls
from chatapp.domain.calls import Answer, Call, CallEnd, CallState, Device, Leaving, Participant
from chatapp.domain.commands import AcceptCall, DeclineCall, HangUp, SendSignal, ShowMedia, StartCall
from chatapp.domain.errors import (
    CallNotFound,
    CallOver,
    ChatError,
    NotAParticipant,
    NotIdentified,
    NotInCall,
    Unavailable,
)
from chatapp.domain.events import (
    CallAccepted,
    CallAnsweredElsewhere,
    CallChanged,
    CallEnded,
    CallMediaChanged,
    CallParticipantJoined,
    CallParticipantLeft,
    CallRang,
    SignalPassed,
    SignalsHeld,
    SignalsWanted,
)
from chatapp.domain.models import Actor, Conversation, Scope
from chatapp.ports import Clock, EventPublisher, Ids, MediaServer, Rooms, Scheduler, Store
from chatapp.services.actors import require_name, require_scope
from chatapp.services.audience import Audience
from chatapp.services.calls.closing import Closing
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.leases import Leases
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.signals import Signals
from chatapp.services.profiles import Profiles

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

CALL_IDS = uuid.UUID("5b1f4f0e-2f0d-5c55-9a3c-6f6d1c0f8f3a")
"""A call's id is made of who started it, where, and of their ``clientCallId``: said twice, it is the same call."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``max_participants`` of a call from peer to peer. ``uses_server``: always, not only for conversations of more."""

    ring_seconds: float
    max_participants: int
    uses_server: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """``participant`` is the asking device; None where the call is over already. ``media_server``: URL and token."""

    call: Call
    participant: Participant | None
    ice_servers: list[dict[str, Any]]
    media_server: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _Seat:
    """What a socket of this worker is in a call. ``connections``: of the participant, when it came."""

    call_id: str
    participant_id: str
    user_id: str
    connections: int


class CallService:
    def __init__(
        self,
        store: Store,
        audience: Audience,
        profiles: Profiles,
        rooms: Rooms,
        publisher: EventPublisher,
        ledger: Ledger,
        leases: Leases,
        signals: Signals,
        closing: Closing,
        ice_servers: IceServers,
        media_server: MediaServer | None,
        *,
        speaks_for: Callable[[str], str | None],
        rules: Rules,
        clock: Clock,
        ids: Ids,
        scheduler: Scheduler,
    ) -> None:
        """``speaks_for`` says which user a socket has joined the chat as."""
        self._store = store
        self._conversations = store.conversations
        self._audience = audience
        self._profiles = profiles
        self._rooms = rooms
        self._publisher = publisher
        self._ledger = ledger
        self._leases = leases
        self._signals = signals
        self._closing = closing
        self._ice_servers = ice_servers
        self._media_server = media_server
        self._speaks_for = speaks_for
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._scheduler = scheduler
        self._seats: dict[str, _Seat] = {}  # by socket

    # ------------------------------------------------------------ coming in
    def start(self, command: StartCall, *, actor: Actor, socket_id: str) -> Joined:
        """Call the others; or join the call that the conversation has, also when it has begun in the same moment.

        Raises NotIdentified, ConversationNotFound, NotAParticipant, InAnotherCall, AnsweredElsewhere, CallFull, and
        CallOver for a repetition of what is over.
        """
        user_id = self._require_joined(actor, socket_id)
        conversation = self._require_conversation(command.conversation_id, user_id)
        device = self._device(user_id, command.device_id, socket_id)
        draft = self._draft(command, conversation, device)
        if self._closing.is_closed(draft):
            raise CallOver(callId=draft.id, reason=None)
        self._leases.take()
        call, is_new = self._ledger.begin(draft)
        if not is_new:
            return self._join(call.id, device, socket_id)
        log.info("call %s begins in conversation %s", call.id, conversation.id)
        return self._ring(call, conversation, device, socket_id)

    def _draft(self, command: StartCall, conversation: Conversation, device: Device) -> Call:
        now = self._clock.now()
        key = f"{conversation.id}\0{device.user_id}\0{command.client_call_id}"
        uses_server = self._media_server is not None and (
            self._rules.uses_server or len(conversation.participants) > self._rules.max_participants
        )
        nobody = Call(
            id=str(uuid.uuid5(CALL_IDS, key)),
            conversation_id=conversation.id,
            started_by=device.user_id,
            kind=command.media,
            started_at=now,
            rings_until=now + timedelta(seconds=self._rules.ring_seconds),
            participants=(),
            max_participants=None if uses_server else self._rules.max_participants,
            uses_server=uses_server,
        )
        return calls.admitted(nobody, device, now=now)

    def _ring(self, call: Call, conversation: Conversation, device: Device, socket_id: str) -> Joined:
        others = [user_id for user_id in conversation.participants if user_id != device.user_id]
        busy = self._store.calls.busy(others)
        free = tuple(user_id for user_id in others if user_id not in busy)
        self._connect(call, call.require(device.participant_id), socket_id)
        if others and not free:
            return self._joined(self._end(call.id, partial(self._over, end=CallEnd.BUSY)), device)
        self._publisher.publish(CallRang(call, conversation, self._profiles.find(device.user_id), free))
        self._scheduler.call_later(self._rules.ring_seconds, self.stop_ringing, call.id)
        return self._joined(call, device)

    def accept(self, command: AcceptCall, *, actor: Actor, socket_id: str) -> Joined:
        """Answer; or join a call that is going on; or come back to it with the same device.

        Raises NotIdentified, CallNotFound, NotAParticipant, InAnotherCall, AnsweredElsewhere, CallFull, CallOver.
        """
        user_id = self._require_joined(actor, socket_id)
        self._require_member(self._ledger.get(command.call_id), user_id)
        self._leases.take()
        return self._join(command.call_id, self._device(user_id, command.device_id, socket_id), socket_id)

    def _join(self, call_id: str, device: Device, socket_id: str) -> Joined:
        before, after = self._ledger.change(call_id, partial(calls.admitted, device=device, now=self._clock.now()))
        me = self._of_user(after, device.user_id)
        for gone in before.participants:
            if after.find(gone.id) is None:
                self._tell_left(after, gone, Leaving.REPLACED)
        self._connect(after, me, socket_id)
        if before.find(me.id) is None:
            if before.state is CallState.RINGING and after.state is CallState.ONGOING:
                self._publisher.publish(CallAccepted(after, me))
            self._publisher.publish(
                CallParticipantJoined(after, me),
                CallAnsweredElsewhere(after.id, after.conversation_id, me.user_id, Answer.ACCEPTED, socket_id),
            )
        return self._joined(after, device)

    def decline(self, command: DeclineCall, *, actor: Actor, socket_id: str) -> None:
        """Raises NotIdentified, CallNotFound, NotAParticipant, CallOver."""
        user_id = require_name(actor)
        call = self._ledger.get(command.call_id)
        conversation = self._require_conversation(call.conversation_id, user_id)
        if call.of_user(user_id) is not None:
            return
        everybody = frozenset(conversation.participants)
        decline = partial(calls.declined, user_id=user_id, everybody=everybody, now=self._clock.now())
        call = self._end(call.id, decline)
        if not call.is_over:
            answer = CallAnsweredElsewhere(call.id, call.conversation_id, user_id, Answer.DECLINED, socket_id)
            self._publisher.publish(answer)

    # ------------------------------------------------------------ in a call
    def signal(self, command: SendSignal, *, actor: Actor, socket_id: str) -> int:
        """The signal's number. Raises NotIdentified, CallNotFound, NotAParticipant, NotInCall."""
        seat = self._require_seat(command.call_id, actor, socket_id)
        call = self._ledger.seen(command.call_id) or self._ledger.get(command.call_id)
        if call.find(command.to) is None or call.find(seat.participant_id) is None:
            call = self._ledger.get(command.call_id)  # they have come in just now
        sender, to = call.require(seat.participant_id), call.require(command.to)
        if to.id == sender.id:
            raise NotInCall(callId=call.id)
        return self._signals.send(call.id, sender, to, command.signal)

    def show(self, command: ShowMedia, *, actor: Actor, socket_id: str) -> None:
        """Raises NotIdentified, CallNotFound, NotAParticipant, NotInCall."""
        seat = self._require_seat(command.call_id, actor, socket_id)
        show = partial(calls.showing, participant_id=seat.participant_id, media=command.media)
        before, after = self._ledger.change(command.call_id, show)
        if after != before:
            self._publisher.publish(CallMediaChanged(after, after.require(seat.participant_id)))

    def hang_up(self, command: HangUp, *, actor: Actor, socket_id: str) -> None:
        """Raises NotIdentified, CallNotFound, NotAParticipant, NotInCall."""
        seat = self._require_seat(command.call_id, actor, socket_id)
        self._leave(seat.call_id, seat.participant_id, Leaving.HANGUP)

    # ------------------------------------------------------------ connections that come and go
    def disconnect(self, socket_id: str) -> None:
        """The socket is gone; its participant has ``HOLD_SECONDS`` to come back. Never waits."""
        seat = self._seats.pop(socket_id, None)
        if seat is not None:
            self._signals.disconnect(seat.participant_id)
            self._scheduler.call_later(0, self._lose, seat)

    def _lose(self, seat: _Seat) -> None:
        lose = partial(
            calls.lost, participant_id=seat.participant_id, connections=seat.connections, now=self._clock.now()
        )
        try:
            self._ledger.change(seat.call_id, lose)
        except (CallNotFound, NotInCall):
            pass  # it has left, or is connected again
        except Unavailable as exc:
            log.warning("that a participant of call %s is lost was not stored yet: %s", seat.call_id, exc)
            self._scheduler.call_later(RETRY_SECONDS, self._lose, seat)

    def resume(self, socket_id: str, participant_id: str, user_id: str) -> None:
        """The connection is back, with all it has heard. Never waits."""
        self._rooms.take_part(socket_id, participant_id, user_id)
        self._scheduler.call_later(0, self._resume, socket_id, participant_id, user_id)

    def _resume(self, socket_id: str, participant_id: str, user_id: str) -> None:
        try:
            call_id = self._store.calls.busy([user_id]).get(user_id)
            known = self._ledger.get(call_id).find(participant_id) if call_id else None
            if call_id and known and self._speaks_for(socket_id) == user_id:
                self._leases.take()
                self._join(call_id, self._device(user_id, known.device_id, socket_id), socket_id)
        except ChatError as exc:
            log.info("a participant does not come back: %s", exc)

    def forsake(self, socket_id: str) -> None:
        """The socket is nobody's any more: whoever was in a call with it leaves. Never waits."""
        seat = self._seats.pop(socket_id, None)
        if seat is not None:
            self._scheduler.call_later(0, self._expel, seat)

    def expel(self, conversation_id: str, user_id: str | None = None) -> None:
        """The user, or everybody, is no member of the conversation any more. Each worker says so of its own. Never
        waits."""
        for seat in tuple(self._seats.values()):
            call = self._ledger.seen(seat.call_id)
            if call and call.conversation_id == conversation_id and user_id in (None, seat.user_id):
                self._scheduler.call_later(0, self._expel, seat)

    def _expel(self, seat: _Seat) -> None:
        try:
            self._leave(seat.call_id, seat.participant_id, Leaving.REMOVED)
        except ChatError as exc:
            log.info("nobody had to leave call %s: %s", seat.call_id, exc)

    # ------------------------------------------------------------ ends
    def stop_ringing(self, call_id: str) -> None:
        """Nobody has answered in time. Never raises."""
        self._try(call_id, partial(self._over, end=CallEnd.MISSED))

    def drop(self, call_id: str, participant: Participant) -> None:
        """It has not come back. Never raises."""
        try:
            self._leave(call_id, participant.id, Leaving.LOST, connections=participant.connections)
        except ChatError as exc:
            log.info("nobody was dropped from call %s: %s", call_id, exc)

    def _over(self, call: Call, end: CallEnd) -> Call:
        """What nobody has answered."""
        return calls.ended(call, end, now=self._clock.now()) if call.state is CallState.RINGING else call

    def _try(self, call_id: str, step: Callable[[Call], Call]) -> None:
        try:
            self._end(call_id, step)
        except ChatError as exc:
            log.info("call %s does not end: %s", call_id, exc)

    def _leave(self, call_id: str, participant_id: str, why: Leaving, *, connections: int | None = None) -> None:
        def leave(call: Call) -> Call:
            if connections not in (None, call.require(participant_id).connections):
                raise NotInCall(callId=call.id)  # it is back
            return calls.left(call, participant_id, why, now=self._clock.now())

        before, after = self._ledger.change(call_id, leave)
        gone = before.require(participant_id)
        if after.is_over:
            self._tell_end(after)
        else:
            self._tell_left(after, gone, why)

    def _end(self, call_id: str, step: Callable[[Call], Call]) -> Call:
        """The call after the step, told to everybody when it is over by it."""
        before, after = self._ledger.change(call_id, step)
        if after.is_over and not before.is_over:
            self._tell_end(after)
        return after

    def _tell_end(self, call: Call) -> None:
        log.info("call %s ends: %s after %d ms", call.id, call.end, call.duration_ms)
        conversation = self._conversations.get(call.conversation_id)
        members = conversation.participants if conversation else ()
        self._publisher.publish(CallEnded(call, tuple(dict.fromkeys((*members, *call.took_part)))))
        self._let_go(call.id)
        self._closing.close(call)

    def _tell_left(self, call: Call, gone: Participant, why: Leaving) -> None:
        self._publisher.publish(CallParticipantLeft(call, gone, why))
        self._part(gone)

    def close(self) -> None:
        """Nobody is connected here any more; who was in a call comes back to another worker, or does not."""
        try:
            self._leases.release()
        except Unavailable as exc:
            log.warning("the lease of this worker was not released: %s", exc)

    # ------------------------------------------------------------ seats
    @property
    def is_needed(self) -> bool:
        """Whether somebody is in a call through this worker."""
        return bool(self._seats)

    def _connect(self, call: Call, participant: Participant, socket_id: str) -> None:
        """From here on nothing waits: what is told meanwhile is told to the participant."""
        self._part(participant, forget=False)
        seat = _Seat(call.id, participant.id, participant.user_id, participant.connections)
        self._seats[socket_id] = seat
        self._rooms.take_part(socket_id, participant.id, participant.user_id)
        others = [each for each in call.participants if each.id != participant.id]
        self._signals.connect(call.id, participant, others)

    def _part(self, participant: Participant, *, forget: bool = True) -> None:
        """No socket here is this participant's any more."""
        for socket_id in [id_ for id_, seat in self._seats.items() if seat.participant_id == participant.id]:
            del self._seats[socket_id]
        self._rooms.part(participant.id, participant.user_id)
        if forget:
            self._signals.forget([participant.id])
        else:
            self._signals.disconnect(participant.id)

    def _let_go(self, call_id: str) -> None:
        for socket_id, seat in [item for item in self._seats.items() if item[1].call_id == call_id]:
            del self._seats[socket_id]
            self._rooms.part(seat.participant_id, seat.user_id)
            self._signals.forget([seat.participant_id])

    def _require_seat(self, call_id: str, actor: Actor, socket_id: str) -> _Seat:
        user_id = require_name(actor)
        seat = self._seats.get(socket_id)
        if seat is not None and seat.call_id == call_id and seat.user_id == user_id:
            return seat
        self._require_member(self._ledger.get(call_id), user_id)
        raise NotInCall(callId=call_id)

    # ------------------------------------------------------------ the other workers
    def follow(self, event: CallChanged) -> None:
        """Another worker has changed a call, and told it. Never waits."""
        self._ledger.see(event.call)
        match event:
            case CallEnded(call):
                self._let_go(call.id)
            case CallParticipantLeft(_, participant):
                self._part(participant)

    def hear(self, event: SignalPassed | SignalsWanted | SignalsHeld) -> None:
        """Never waits."""
        if isinstance(event, SignalsWanted):  # so it is connected there
            for socket_id in [id_ for id_, seat in self._seats.items() if seat.participant_id == event.participant_id]:
                del self._seats[socket_id]
                self._rooms.part(event.participant_id, event.user_id)
                self._signals.disconnect(event.participant_id)
        self._signals.hear(event)

    def recovered(self) -> None:
        """The bus may have lost something: those connected here ask for what is held for them. Never waits."""
        for seat in self._seats.values():
            call = self._ledger.seen(seat.call_id)
            if call and (me := call.find(seat.participant_id)):
                self._signals.ask(call.id, me, [each for each in call.participants if each.id != me.id])

    def ring_late(self, user_id: str, socket_id: str) -> None:
        """The socket has just joined the chat: what rings for its user rings there too. Never waits."""
        for call in self._ledger.going_on():
            is_called = user_id not in (*call.took_part, *call.declined)
            is_member = self._audience.counts(call.conversation_id, user_id)
            if is_called and is_member and self._clock.now() < call.rings_until:
                self._scheduler.call_later(0, self._ring_one, call, user_id, socket_id)

    def _ring_one(self, call: Call, user_id: str, socket_id: str) -> None:
        try:
            conversation = self._conversations.get(call.conversation_id)
        except Unavailable as exc:
            log.info("call %s does not ring for one who comes late: %s", call.id, exc)
            return
        if conversation is not None:
            caller = self._profiles.find(call.started_by)
            self._publisher.deliver(CallRang(call, conversation, caller, (user_id,), socket_id))

    # ------------------------------------------------------------ helpers
    def _device(self, user_id: str, device_id: str | None, socket_id: str) -> Device:
        return Device(
            user_id=user_id,
            device_id=device_id or socket_id,
            participant_id=self._ids.new(),
            worker=self._leases.worker,
        )

    def _joined(self, call: Call, device: Device) -> Joined:
        me = call.of_user(device.user_id)
        server = None
        if me is not None and call.uses_server and self._media_server is not None:
            server = self._media_server.admit(call, me, name=self._profiles.find(me.user_id).name)
        return Joined(call, me, self._ice_servers.of(device.user_id), server)

    def _of_user(self, call: Call, user_id: str) -> Participant:
        found = call.of_user(user_id)
        if found is None:
            raise NotInCall(callId=call.id)
        return found

    def _require_joined(self, actor: Actor, socket_id: str) -> str:
        """A device is called through the user's rooms; a socket that has not joined the chat hears nothing there."""
        require_scope(actor, Scope.MESSAGES_SEND)
        user_id = require_name(actor)
        if self._speaks_for(socket_id) != user_id:
            raise NotIdentified
        return user_id

    def _require_conversation(self, conversation_id: str, user_id: str) -> Conversation:
        """With its participants. Raises ConversationNotFound, NotAParticipant."""
        self._conversations.entry(conversation_id, user_id)
        conversation = self._conversations.get(conversation_id)
        if conversation is None or user_id not in conversation.participants:
            raise NotAParticipant(conversationId=conversation_id, userId=user_id)
        return conversation

    def _require_member(self, call: Call, user_id: str) -> None:
        """Raises NotAParticipant."""
        self._conversations.entry(call.conversation_id, user_id)

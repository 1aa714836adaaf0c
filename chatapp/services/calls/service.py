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
from chatapp.domain.calls import Answer, Call, CallState, Device, Leaving, Participant
from chatapp.domain.commands import AcceptCall, DeclineCall, HangUp, SendSignal, ShowMedia, StartCall
from chatapp.domain.errors import (
    CallNotFound,
    CallOver,
    ChatError,
    IdentityMismatch,
    NotAParticipant,
    NotIdentified,
    NotInCall,
    Unavailable,
)
from chatapp.domain.events import (
    CallAccepted,
    CallAnsweredElsewhere,
    CallMediaChanged,
    CallParticipantJoined,
)
from chatapp.domain.models import Actor, Conversation, Scope
from chatapp.ports import Clock, EventPublisher, Ids, MediaServer, Rooms, Scheduler, Store
from chatapp.services.actors import require_name, require_scope
from chatapp.services.calls.closing import Closing
from chatapp.services.calls.endings import Endings
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.leases import Leases
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.ringing import Ringing
from chatapp.services.calls.seats import Seat, Seats
from chatapp.services.calls.signals import Signals
from chatapp.services.profiles import Profiles

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

SERVER_MAX_PARTICIPANTS = 90
"""Of a call through a media server. At its end each of them is free again in one transaction, and DynamoDB takes 100
actions in one (TransactWriteItems)."""

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


class CallService:
    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        rooms: Rooms,
        publisher: EventPublisher,
        ledger: Ledger,
        leases: Leases,
        signals: Signals,
        seats: Seats,
        ringing: Ringing,
        endings: Endings,
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
        self._profiles = profiles
        self._rooms = rooms
        self._publisher = publisher
        self._ledger = ledger
        self._leases = leases
        self._signals = signals
        self._seats = seats
        self._ringing = ringing
        self._endings = endings
        self._closing = closing
        self._ice_servers = ice_servers
        self._media_server = media_server
        self._speaks_for = speaks_for
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._scheduler = scheduler
        self._returning: dict[str, tuple[str, str]] = {}  # socket → participant, user

    # ------------------------------------------------------------ coming in
    def start(self, command: StartCall, *, actor: Actor, socket_id: str) -> Joined:
        """Call the others; or join the call that the conversation has, also when it has begun in the same moment.

        Raises NotIdentified, IdentityMismatch, ConversationNotFound, NotAParticipant, InAnotherCall, CallFull,
        AnsweredElsewhere, and CallOver for a repetition of what is over.
        """
        user_id = self._require_joined(actor, socket_id)
        conversation = self._require_conversation(command.conversation_id, user_id)
        device = self._device(user_id, command.device_id, socket_id)
        draft = self._draft(command, conversation, device)
        if past := self._closing.message_of(draft):
            raise CallOver(callId=draft.id, reason=past.call.state if past.call else None)
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
            max_participants=SERVER_MAX_PARTICIPANTS if uses_server else self._rules.max_participants,
            uses_server=uses_server,
        )
        return calls.admitted(nobody, device, now=now)

    def _ring(self, call: Call, conversation: Conversation, device: Device, socket_id: str) -> Joined:
        self._connect(call, call.require(device.participant_id), socket_id)
        if not self._ringing.ring(call, conversation):
            return self._joined(self._endings.busy(call.id), device)
        self._scheduler.call_later(self._rules.ring_seconds, self._endings.stop_ringing, call.id)
        return self._joined(call, device)

    def _connect(self, call: Call, participant: Participant, socket_id: str) -> None:
        self._seats.take(socket_id, call, participant)
        if self._speaks_for(socket_id) != participant.user_id:  # it has closed while the store was asked
            self.disconnect(socket_id)

    def accept(self, command: AcceptCall, *, actor: Actor, socket_id: str) -> Joined:
        """Answer; or join a call that is going on; or come back to it with the same device.

        Raises NotIdentified, IdentityMismatch, CallNotFound, NotAParticipant, InAnotherCall, CallFull, CallOver,
        AnsweredElsewhere.
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
                self._endings.tell_left(after, gone, Leaving.REPLACED)
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
        call = self._endings.step(call.id, decline)
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
        self._endings.leave(seat.call_id, seat.participant_id, Leaving.HANGUP)

    # ------------------------------------------------------------ connections that come and go
    def disconnect(self, socket_id: str) -> None:
        """The socket is gone; its participant has ``HOLD_SECONDS`` to come back. Never waits."""
        self._returning.pop(socket_id, None)
        seat = self._seats.lose(socket_id)
        if seat is not None:
            self._scheduler.call_later(0, self._lose, seat)

    def _lose(self, seat: Seat) -> None:
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
        self._returning[socket_id] = (participant_id, user_id)
        self._scheduler.call_later(0, self._resume, socket_id)

    def _resume(self, socket_id: str) -> None:
        """Again is harmless: who has something to say at once does not wait for their turn."""
        if socket_id not in self._returning:
            return
        participant_id, user_id = self._returning[socket_id]
        try:
            call_id = self._store.calls.busy([user_id]).get(user_id)
            known = self._ledger.get(call_id).find(participant_id) if call_id else None
            if call_id and known and self._speaks_for(socket_id) == user_id:
                self._leases.take()
                self._join(call_id, self._device(user_id, known.device_id, socket_id), socket_id)
        except ChatError as exc:
            log.info("a participant does not come back: %s", exc)
        finally:
            self._returning.pop(socket_id, None)

    def forsake(self, socket_id: str) -> None:
        """The socket is nobody's any more: whoever was in a call with it leaves. Never waits."""
        seat = self._seats.lose(socket_id)
        if seat is not None:
            self._scheduler.call_later(0, self._endings.expel, seat.call_id, seat.participant_id)

    def expel(self, conversation_id: str, user_id: str | None = None) -> None:
        """The user, or everybody, is no member of the conversation any more. Each worker says so of its own. Never
        waits."""
        for seat in self._seats.all().values():
            call = self._ledger.seen(seat.call_id)
            if call and call.conversation_id == conversation_id and user_id in (None, seat.user_id):
                self._scheduler.call_later(0, self._endings.expel, seat.call_id, seat.participant_id)

    def ring_late(self, user_id: str, socket_id: str) -> None:
        """The socket has just joined the chat: what rings for its user rings there too. Never waits."""
        self._ringing.ring_late(user_id, socket_id)

    def close(self) -> None:
        """Nobody is connected here any more; who was in a call comes back to another worker, or does not."""
        try:
            self._leases.release()
        except Unavailable as exc:
            log.warning("the lease of this worker was not released: %s", exc)

    # ------------------------------------------------------------ helpers
    def _require_seat(self, call_id: str, actor: Actor, socket_id: str) -> Seat:
        user_id = require_name(actor)
        self._resume(socket_id)
        seat = self._seats.of(socket_id)
        if seat is not None and seat.call_id == call_id and seat.user_id == user_id:
            return seat
        self._require_member(self._ledger.get(call_id), user_id)
        raise NotInCall(callId=call_id)

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
        joined_as = self._speaks_for(socket_id)
        if joined_as is None:
            raise NotIdentified
        if joined_as != user_id:
            raise IdentityMismatch(userId=user_id)
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

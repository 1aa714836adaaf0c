"""What other workers do with calls, followed here; and what they have done without its being heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from chatapp.domain.calls import Call, Leaving
from chatapp.domain.events import (
    CallChanged,
    CallEnded,
    CallParticipantLeft,
    SignalPassed,
    SignalsHeld,
    SignalsWanted,
)
from chatapp.domain.rooms import user_room
from chatapp.ports import EventPublisher
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.seats import Seat, Seats
from chatapp.services.calls.signals import Signals


class CallHearing:
    """Nothing here waits."""

    def __init__(self, publisher: EventPublisher, ledger: Ledger, seats: Seats, signals: Signals) -> None:
        self._publisher = publisher
        self._ledger = ledger
        self._seats = seats
        self._signals = signals

    def follow(self, room: str, event: CallChanged) -> None:
        """Another worker has changed a call, and those here who are in this room have been told."""
        self._ledger.see(event.call)
        match event:
            case CallEnded(call):
                self._seats.empty(call.id)
            case CallParticipantLeft(_, participant) if room == user_room(participant.user_id):
                self._seats.leave(participant)  # in another room's turn they would not hear it themselves

    def hear(self, event: SignalPassed | SignalsWanted | SignalsHeld) -> None:
        if isinstance(event, SignalsWanted):  # so it is connected there
            for socket_id, seat in self._seats.all().items():
                if seat.participant_id == event.participant_id and seat.connections < event.connections:
                    self._seats.stand_up(socket_id)
        self._signals.hear(event)

    def recovered(self) -> None:
        """The bus may have lost something: those connected here ask for what is held for them."""
        for seat in self._seats.all().values():
            call = self._ledger.seen(seat.call_id)
            me = call.find(seat.participant_id) if call else None
            if call and me and me.connections == seat.connections:  # else they have gone elsewhere meanwhile
                self._signals.ask(call.id, me, [each for each in call.participants if each.id != me.id])

    def reconcile(self, found: Collection[Call], seats: Mapping[str, Seat]) -> None:
        """``found`` are all calls as the store has them, ``seats`` those that there were when it was asked. To be
        called before the ledger sees them: of what has changed meanwhile nobody here may have heard."""
        known = {call.id: call for call in found}
        for socket_id, seat in seats.items():
            if self._seats.of(socket_id) is seat:
                self._compare(socket_id, seat, known.get(seat.call_id))

    def _compare(self, socket_id: str, seat: Seat, call: Call | None) -> None:
        me = call.find(seat.participant_id) if call else None
        if me is not None and me.connections == seat.connections:
            return
        before = self._ledger.seen(seat.call_id)
        was = before.find(seat.participant_id) if before else None
        if call is not None and call.is_over:
            self._publisher.deliver(CallEnded(call, call.took_part))
        elif call is not None and me is None and was is not None:
            self._publisher.deliver(CallParticipantLeft(call, was, Leaving.LOST))
        self._seats.stand_up(socket_id)

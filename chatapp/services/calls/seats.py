"""Which sockets of this worker are in which call, as whom."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.domain.calls import Call, Participant
from chatapp.ports import Rooms
from chatapp.services.calls.signals import Signals


@dataclass(frozen=True, slots=True)
class Seat:
    """What a socket is in a call. ``connections``: of the participant, when it came."""

    call_id: str
    participant_id: str
    user_id: str
    connections: int


class Seats:
    """Nothing here waits."""

    def __init__(self, rooms: Rooms, signals: Signals) -> None:
        self._rooms = rooms
        self._signals = signals
        self._seats: dict[str, Seat] = {}  # by socket

    def all(self) -> dict[str, Seat]:
        """By socket, as of now."""
        return dict(self._seats)

    def of(self, socket_id: str) -> Seat | None:
        return self._seats.get(socket_id)

    def take(self, socket_id: str, call: Call, participant: Participant) -> None:
        """From here on what is for the participant is told to this socket, and to no other."""
        self._clear(participant.id)
        self._rooms.part(participant.id, participant.user_id)
        self._seats[socket_id] = Seat(call.id, participant.id, participant.user_id, participant.connections)
        self._rooms.take_part(socket_id, participant.id, participant.user_id)
        others = [each for each in call.participants if each.id != participant.id]
        self._signals.connect(call.id, participant, others)

    def lose(self, socket_id: str) -> Seat | None:
        """The socket is gone. Its rooms stay as they are: a lost connection may be in them."""
        seat = self._seats.pop(socket_id, None)
        if seat is not None:
            self._signals.disconnect(seat.participant_id)
        return seat

    def stand_up(self, socket_id: str) -> None:
        """The socket is this participant's no more; they are with another, or out."""
        seat = self.lose(socket_id)
        if seat is not None:
            self._rooms.part(seat.participant_id, seat.user_id)

    def leave(self, participant: Participant) -> None:
        """They are out of the call."""
        self._clear(participant.id)
        self._rooms.part(participant.id, participant.user_id)
        self._signals.forget(participant.id)

    def empty(self, call_id: str) -> None:
        """The call is over."""
        for socket_id, seat in self.all().items():
            if seat.call_id == call_id:
                self.stand_up(socket_id)
        self._signals.forget_call(call_id)

    def _clear(self, participant_id: str) -> None:
        self._signals.disconnect(participant_id)
        for socket_id in [id_ for id_, seat in self._seats.items() if seat.participant_id == participant_id]:
            del self._seats[socket_id]

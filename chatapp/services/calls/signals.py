"""Signals from one participant of a call to another: in order, and held for who is just coming back.

The worker of the sender numbers them and holds each for ``HOLD_SECONDS``; the worker of the recipient tells them. Who
connects again asks all workers for what is held, and until the sender's has answered, newer signals wait. So one may be
told twice, to a client that knows by its number, and none is told before an earlier one. Nothing of it is stored: an
SDP holds addresses of people.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from chatapp.domain.calls import Participant
from chatapp.domain.events import CallSignalled, SignalPassed, SignalsHeld, SignalsWanted
from chatapp.domain.rooms import user_room
from chatapp.ports import EventPublisher, Scheduler

HOLD_SECONDS = 30.0
"""As long as a participant without a connection stays in the call."""

HELD_MAX = 1000
HELD_MAX_CHARS = 512 * 1024
"""Of one participant for another; the oldest make room. Over the bus they go as one publication."""

ANSWER_SECONDS = 2.0
"""How long newer signals wait for those that another worker may hold."""

CONNECTION = 1 << 32
"""Numbers begin anew with each connection of the sender, above all earlier ones. They fit in a JavaScript number for
two million connections."""


@dataclass(slots=True)
class _Outbox:
    """Of one participant for another."""

    call_id: str
    last: int = 0
    held: deque[tuple[float, CallSignalled]] = field(default_factory=deque)
    chars: int = 0


@dataclass(slots=True)
class _Inbox:
    """Of a participant connected here. ``awaited``: whose held signals have not come yet."""

    call_id: str
    told: dict[str, int] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    waiting: list[CallSignalled] = field(default_factory=list)


class Signals:
    def __init__(self, publisher: EventPublisher, *, scheduler: Scheduler, now: Callable[[], float]) -> None:
        """``now`` in seconds; it never goes back."""
        self._publisher = publisher
        self._scheduler = scheduler
        self._now = now
        self._outboxes: dict[tuple[str, str], _Outbox] = {}
        self._inboxes: dict[str, _Inbox] = {}

    # ------------------------------------------------------------ connections
    def connect(self, call_id: str, participant: Participant, others: Collection[Participant]) -> None:
        """The participant is connected here from now on. Never waits."""
        inbox = self._inboxes[participant.id] = _Inbox(call_id)
        if participant.connections == 1:
            return
        inbox.awaited = {other.id for other in others if other.id not in self._inboxes}
        for (_, to_id), outbox in tuple(self._outboxes.items()):
            if to_id == participant.id:
                self._tell_all(inbox, self._held(outbox))
        self.ask(call_id, participant, others)
        if inbox.awaited:
            self._scheduler.call_later(ANSWER_SECONDS, self._wait_no_longer, participant.id, inbox)

    def disconnect(self, participant_id: str) -> None:
        """What it has sent is held on."""
        self._inboxes.pop(participant_id, None)

    def is_here(self, participant_id: str) -> bool:
        return participant_id in self._inboxes

    # ------------------------------------------------------------ sending
    def send(self, call_id: str, sender: Participant, to: Participant, signal: dict[str, Any]) -> int:
        """Its number. Never waits."""
        outbox = self._outboxes.setdefault((sender.id, to.id), _Outbox(call_id))
        outbox.last = max(outbox.last, sender.connections * CONNECTION) + 1
        event = CallSignalled(call_id, sender.id, to.id, to.user_id, outbox.last, signal)
        self._hold(outbox, event)
        if to.id in self._inboxes:
            self._take(event)
        else:
            self._publisher.deliver(event)  # a lost connection that may be taken up again hears it too
            self._publisher.relay(SignalPassed(event), rooms=[user_room(to.user_id)])
        return outbox.last

    def _hold(self, outbox: _Outbox, event: CallSignalled) -> None:
        outbox.held.append((self._now(), event))
        outbox.chars += _size(event)
        while len(outbox.held) > HELD_MAX or outbox.chars > HELD_MAX_CHARS:
            self._drop_oldest(outbox)

    def _held(self, outbox: _Outbox) -> list[CallSignalled]:
        while outbox.held and self._now() - outbox.held[0][0] >= HOLD_SECONDS:
            self._drop_oldest(outbox)
        return [event for _, event in outbox.held]

    def _drop_oldest(self, outbox: _Outbox) -> None:
        _, event = outbox.held.popleft()
        outbox.chars -= _size(event)

    # ------------------------------------------------------------ the other workers
    def hear(self, event: SignalPassed | SignalsWanted | SignalsHeld) -> None:
        """Never waits."""
        match event:
            case SignalPassed(signal):
                self._take(signal)
            case SignalsWanted():
                self._answer(event)
            case SignalsHeld(sender_id, to_id, signals):
                inbox = self._inboxes.get(to_id)
                if inbox is not None:
                    self._tell_all(inbox, signals)
                    inbox.awaited.discard(sender_id)
                    self._tell_waiting(inbox)

    def _answer(self, wanted: SignalsWanted) -> None:
        """Also for those here who have sent nothing: so that nobody waits for it."""
        senders = {id_ for id_, inbox in self._inboxes.items() if inbox.call_id == wanted.call_id}
        senders |= {sender_id for sender_id, to_id in self._outboxes if to_id == wanted.participant_id}
        for sender_id in senders - {wanted.participant_id}:
            outbox = self._outboxes.get((sender_id, wanted.participant_id))
            held = tuple(self._held(outbox)) if outbox else ()
            answer = SignalsHeld(sender_id, wanted.participant_id, held)
            self._publisher.relay(answer, rooms=[user_room(wanted.user_id)])

    def ask(self, call_id: str, participant: Participant, others: Collection[Participant]) -> None:
        """The other workers for what they hold for this participant, who is connected here; also the one where they
        were connected before, so that it lets go."""
        wanted = SignalsWanted(call_id, participant.id, participant.user_id, participant.connections)
        self._publisher.relay(wanted, rooms=[user_room(each.user_id) for each in (participant, *others)])

    # ------------------------------------------------------------ telling
    def _take(self, event: CallSignalled) -> None:
        inbox = self._inboxes.get(event.to_id)
        if inbox is None:
            self._publisher.deliver(event)
        elif event.sender_id in inbox.awaited:
            inbox.waiting.append(event)
        else:
            self._tell(inbox, event)

    def _tell_all(self, inbox: _Inbox, events: Iterable[CallSignalled]) -> None:
        for event in events:
            self._tell(inbox, event)

    def _tell(self, inbox: _Inbox, event: CallSignalled) -> None:
        if event.seq > inbox.told.get(event.sender_id, 0):  # else the bus has brought it twice
            inbox.told[event.sender_id] = event.seq
            self._publisher.deliver(event)

    def _tell_waiting(self, inbox: _Inbox) -> None:
        waiting, inbox.waiting = inbox.waiting, []
        for event in waiting:
            if event.sender_id in inbox.awaited:
                inbox.waiting.append(event)
            else:
                self._tell(inbox, event)

    def _wait_no_longer(self, participant_id: str, inbox: _Inbox) -> None:
        if self._inboxes.get(participant_id) is inbox:
            inbox.awaited.clear()
            self._tell_waiting(inbox)

    # ------------------------------------------------------------ forgetting
    def forget(self, participant_id: str) -> None:
        """They are in the call no more."""
        self._drop(lambda pair, _: participant_id in pair)

    def forget_call(self, call_id: str) -> None:
        """It is over."""
        self._drop(lambda _, outbox: outbox.call_id == call_id)

    def sweep(self) -> None:
        """Hold nothing longer than it may be held, also of who sends no more. Where that was elsewhere, they begin anew
        with higher numbers."""
        self._drop(lambda pair, outbox: not self._held(outbox) and pair[0] not in self._inboxes)

    def _drop(self, is_dropped: Callable[[tuple[str, str], _Outbox], bool]) -> None:
        self._outboxes = {pair: outbox for pair, outbox in self._outboxes.items() if not is_dropped(pair, outbox)}

    @property
    def held(self) -> int:
        """How many signals are held here."""
        return sum(len(outbox.held) for outbox in self._outboxes.values())


def _size(event: CallSignalled) -> int:
    described, candidate = event.signal.get("description"), event.signal.get("candidate")
    return 200 + len((described or {}).get("sdp", "")) + len((candidate or {}).get("candidate", ""))

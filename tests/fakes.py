"""Time, ids, timers, events and rooms that a test holds in its hand. Each obeys its port in ``chatapp/ports.py``."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from chatapp.adapters.event_codec import decode, encode
from chatapp.domain.errors import BusUnavailable
from chatapp.domain.events import Event

EventType = TypeVar("EventType", bound=Event)

START = datetime(2025, 1, 27, 10, 0, tzinfo=UTC)
"""The moment of the document's examples."""


class FakeClock:
    """Stands still until ``advance``. Like the real one it shows whole milliseconds."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now.replace(microsecond=self._now.microsecond // 1000 * 1000)

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"time does not go back, got {seconds}")
        self._now += timedelta(seconds=seconds)


class SequentialIds:
    """00000000-0000-4000-8000-000000000001, then …2, …: they sort in the order they were given."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"


class ManualTimer:
    def __init__(self, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self._action = action
        self._args = args
        self.pending = True

    def cancel(self) -> None:
        self.pending = False

    def fire(self) -> None:
        """At most once, and not when it was cancelled."""
        if self.pending:
            self.pending = False
            self._action(*self._args)


class ManualScheduler:
    """Runs what is due when ``advance`` moves its clock: earliest first, with the clock at the moment it was due.

    Give it the clock of the test, and move time by ``scheduler.advance``. ``clock.advance`` alone fires nothing;
    what it jumped over runs at the next ``scheduler.advance``.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self._due: list[tuple[datetime, int, ManualTimer]] = []
        self._numbers = itertools.count()

    def call_later(self, seconds: float, action: Callable[..., object], *args: object) -> ManualTimer:
        timer = ManualTimer(action, args)
        heapq.heappush(self._due, (self.clock.now() + timedelta(seconds=seconds), next(self._numbers), timer))
        return timer

    def advance(self, seconds: float) -> None:
        end = self.clock.now() + timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= end:
            at, _, timer = heapq.heappop(self._due)
            self._move_to(at)
            timer.fire()
        self._move_to(end)

    @property
    def pending(self) -> int:
        """Timers that would still run."""
        return sum(timer.pending for _, _, timer in self._due)

    def _move_to(self, at: datetime) -> None:
        self.clock.advance(max(0.0, (at - self.clock.now()).total_seconds()))


class RecordingPublisher:
    """``events`` holds everything told here, in order, and ``relayed`` what went to other workers, with its rooms."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.relayed: list[tuple[Event, Collection[str] | None]] = []

    def publish(self, *events: Event) -> None:
        for event in events:
            self.deliver(event)
            self.relay(event)

    def deliver(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        self.events.append(event)

    def relay(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        self.relayed.append((event, rooms))

    def of(self, kind: type[EventType]) -> list[EventType]:
        """The events of this class, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def clear(self) -> None:
        self.events.clear()


class RecordingRooms:
    """Who hears what, and every ``calls`` that changed it as ``(method, *arguments)``."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.disconnected: list[str] = []
        self.parts: dict[str, tuple[str, ...]] = {}
        self.devices: dict[str, set[str]] = {}
        """Participant of a call → sockets."""
        self._users: dict[str, str] = {}  # socket → user
        self._rooms: defaultdict[str, set[str]] = defaultdict(set)  # conversation → sockets

    # ------------------------------------------------------------ the port
    def admit(self, socket_id: str, user_id: str, *, parts: Collection[str] = ()) -> None:
        self.calls.append(("admit", socket_id, user_id))
        self._users[socket_id] = user_id
        self.set_parts(socket_id, parts)

    def set_parts(self, socket_id: str, parts: Collection[str]) -> None:
        if socket_id in self._users:
            self.parts[socket_id] = tuple(parts)

    def dismiss(self, socket_id: str, user_id: str) -> None:
        self.calls.append(("dismiss", socket_id, user_id))
        self._users.pop(socket_id, None)
        for sockets in self._rooms.values():
            sockets.discard(socket_id)

    def enter(self, socket_id: str, conversation_id: str) -> None:
        self.calls.append(("enter", socket_id, conversation_id))
        self._rooms[conversation_id].add(socket_id)

    def leave(self, socket_id: str, conversation_id: str) -> None:
        self.calls.append(("leave", socket_id, conversation_id))
        self._rooms[conversation_id].discard(socket_id)

    def evict(self, user_id: str, conversation_id: str) -> None:
        self.calls.append(("evict", user_id, conversation_id))
        self._rooms[conversation_id] -= self.sockets_of(user_id)

    def close(self, conversation_id: str) -> None:
        self.calls.append(("close", conversation_id))
        self._rooms.pop(conversation_id, None)

    def disconnect(self, user_id: str) -> None:
        self.calls.append(("disconnect", user_id))
        self.disconnected.append(user_id)

    def take_part(self, socket_id: str, participant_id: str, user_id: str) -> None:
        self.devices.setdefault(participant_id, set()).add(socket_id)

    def part(self, participant_id: str, user_id: str) -> None:
        self.devices.pop(participant_id, None)

    # ------------------------------------------------------------ for tests
    def sockets_of(self, user_id: str) -> set[str]:
        return {socket_id for socket_id, owner in self._users.items() if owner == user_id}

    def hears(self, socket_id: str, conversation_id: str) -> bool:
        return socket_id in self._rooms.get(conversation_id, ())


class JoinedBuses:
    """Buses of one process. What is published is delivered at once, in one order for all, as Redis does it.

    ``held()`` keeps everything on its way. Events go as the bytes of the real bus.
    """

    def __init__(self) -> None:
        self._buses: list[FakeBus] = []
        self._on_the_way: deque[tuple[FakeBus, str, bytes]] = deque()
        self._is_held = False

    def bus(self, worker_id: str) -> FakeBus:
        bus = FakeBus(worker_id, self)
        self._buses.append(bus)
        return bus

    def remove(self, bus: FakeBus) -> None:
        self._buses.remove(bus)

    def carry(self, sender: FakeBus, room: str, payload: bytes) -> None:
        self._on_the_way.append((sender, room, payload))
        if not self._is_held:
            self._deliver()

    @contextmanager
    def held(self) -> Iterator[None]:
        self._is_held = True
        try:
            yield
        finally:
            self._deliver()

    def _deliver(self) -> None:
        self._is_held = True  # what is answered meanwhile comes after what is on its way
        try:
            while self._on_the_way:
                sender, room, payload = self._on_the_way.popleft()
                for bus in tuple(self._buses):
                    if bus is not sender:
                        bus.hear(room, payload)
        finally:
            self._is_held = False


class FakeBus:
    """One worker's bus: deaf and dumb between ``cut`` and ``join``, and gone after ``kill``."""

    is_alone = False

    def __init__(self, worker_id: str, joined: JoinedBuses | None = None) -> None:
        self.worker_id = worker_id
        self.hears = True
        self.rooms: set[str] = set()
        self.published: list[tuple[str, Event]] = []
        """Room and event, in order."""
        self._joined = joined or JoinedBuses()
        self._outbox: list[tuple[str, bytes]] = []
        self._receive: Callable[[str, str, Event], None] = lambda *_: None
        self._recovered: Callable[[], None] = lambda: None

    # ------------------------------------------------------------ the port
    def start(self, receive: Callable[[str, str, Event], None], *, recovered: Callable[[], None]) -> None:
        self._receive, self._recovered = receive, recovered
        recovered()

    def subscribe(self, rooms: Collection[str]) -> None:
        if not self.rooms.issuperset(rooms):
            self.confirm(rooms)
        self.rooms.update(rooms)

    def confirm(self, rooms: Collection[str]) -> None:
        """A place for tests to wait at, before anything is heard."""

    def unsubscribe(self, rooms: Collection[str]) -> None:
        self.rooms.difference_update(rooms)

    def publish(self, rooms: Collection[str], event: Event) -> None:
        payload = encode(event, origin=self.worker_id)
        for room in rooms:
            self.published.append((room, event))
            self._outbox.append((room, payload))
        self._send()

    def check(self) -> None:
        if not self.hears:
            raise BusUnavailable(engine="fake")

    def close(self) -> None:
        self.kill()

    # ------------------------------------------------------------ for tests
    def cut(self) -> None:
        self.hears = False

    def join(self) -> None:
        """What was said meanwhile arrives late; what others said meanwhile is lost here."""
        if not self.hears:
            self.hears = True
            self._send()
            self._recovered()

    def kill(self) -> None:
        self.hears = False
        self._outbox.clear()
        self._joined.remove(self)

    def hear(self, room: str, payload: bytes) -> None:
        if self.hears and room in self.rooms:
            self._receive(room, *decode(payload))

    def _send(self) -> None:
        while self.hears and self._outbox:
            self._joined.carry(self, *self._outbox.pop(0))

"""Time, ids, timers, events and rooms that a test holds in its hand. Each obeys its port in ``chatapp/ports.py``."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TypeVar

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
        self._users: dict[str, str] = {}  # socket → user
        self._rooms: defaultdict[str, set[str]] = defaultdict(set)  # conversation → sockets

    # ------------------------------------------------------------ the port
    def admit(self, socket_id: str, user_id: str) -> None:
        self.calls.append(("admit", socket_id, user_id))
        self._users[socket_id] = user_id

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

    # ------------------------------------------------------------ for tests
    def sockets_of(self, user_id: str) -> set[str]:
        return {socket_id for socket_id, owner in self._users.items() if owner == user_id}

    def hears(self, socket_id: str, conversation_id: str) -> bool:
        return socket_id in self._rooms.get(conversation_id, ())

"""Presence over several workers: each keeps its own sockets, and what the others say of theirs.

Nothing is asked of an engine, so that nothing waits: workers tell each other over the bus who arrives and departs,
and report in full when one of them starts or was deaf. A worker that is not heard for ``LEASE_SECONDS`` is dead, and
so its users' sockets are gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.domain.events import (
    Event,
    StatusShown,
    UserArrived,
    UserDeparted,
    ViewerEntered,
    ViewerLeft,
    WorkerReported,
)
from chatapp.domain.models import Status
from chatapp.domain.rooms import EVERYONE, conversation_room, user_room
from chatapp.ports import Bus

LEASE_SECONDS = 10.0
"""Ten beats. Issue of several workers: a killed worker's users are offline within 30 s."""


@dataclass(slots=True)
class _Worker:
    """What another worker says of itself."""

    heard_at: float
    users: set[str] = field(default_factory=set)
    viewers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # conversation → users


class SharedPresence:
    def __init__(self, bus: Bus, *, now: Callable[[], float]) -> None:
        """``now`` is monotonic, in seconds."""
        self._bus = bus
        self._now = now
        self._here = MemoryPresence()  # its statuses are everybody's
        self._workers: dict[str, _Worker] = {}
        self._heard_since = now()

    # ------------------------------------------------------------ the port
    def add(self, user_id: str, socket_id: str) -> bool:
        first = self._here.add(user_id, socket_id)
        if first:
            self._bus.publish([EVERYONE], UserArrived(user_id, self._here.statuses([user_id])[user_id]))
        return first and not self._is_elsewhere(user_id)

    def remove(self, user_id: str, socket_id: str) -> bool:
        for conversation_id, viewer_id in self._here.entered(socket_id):
            self.leave(conversation_id, viewer_id, socket_id)
        last = self._here.remove(user_id, socket_id)
        if last:
            self._bus.publish([EVERYONE], UserDeparted(user_id))
        return last and not self._is_elsewhere(user_id)

    def has_sockets(self, user_id: str) -> bool:
        return self._here.has_sockets(user_id) or self._is_elsewhere(user_id)

    def set_status(self, user_id: str, status: Status) -> None:
        self._here.set_status(user_id, status)
        self._bus.publish([EVERYONE], StatusShown(user_id, status))

    def forget(self, user_id: str) -> None:
        self._here.forget(user_id)

    def statuses(self, user_ids: Collection[str]) -> Mapping[str, Status]:
        return self._here.statuses(user_ids)

    def online(self) -> Collection[str]:
        return self._here.online()

    def enter(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        first = self._here.enter(conversation_id, user_id, socket_id)
        if first:
            self._bus.publish([conversation_room(conversation_id)], ViewerEntered(conversation_id, user_id))
        return first and not self._views_elsewhere(conversation_id, user_id)

    def leave(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        last = self._here.leave(conversation_id, user_id, socket_id)
        if last:
            self._bus.publish([conversation_room(conversation_id)], ViewerLeft(conversation_id, user_id))
        return last and not self._views_elsewhere(conversation_id, user_id)

    def viewers(self, conversation_id: str) -> Collection[str]:
        here = self._here.viewers(conversation_id)
        elsewhere = [
            worker.viewers[conversation_id] for worker in self._workers.values() if conversation_id in worker.viewers
        ]
        return set(here).union(*elsewhere) if elsewhere else here

    def evict(self, conversation_id: str, user_id: str) -> None:
        """Here; the other workers hear of the same departure."""
        if user_id in self._here.viewers(conversation_id):
            self._here.evict(conversation_id, user_id)
            self._bus.publish([conversation_room(conversation_id)], ViewerLeft(conversation_id, user_id))
        for worker in self._workers.values():
            worker.viewers[conversation_id].discard(user_id)

    # ------------------------------------------------------------ the other workers
    def is_here(self, user_id: str) -> bool:
        """Whether a socket of this worker speaks for the user."""
        return self._here.has_sockets(user_id) or bool(self._here.viewing(user_id))

    def is_viewed_here(self, conversation_id: str) -> bool:
        return bool(self._here.viewers(conversation_id))

    def report(self, *, asks: bool) -> None:
        """Tell the others everything."""
        self._bus.publish([EVERYONE], WorkerReported(dict(self._here.statuses(self._here.users())), asks))

    def recovered(self) -> None:
        """We were deaf: nobody is dead for not having been heard, and everybody says again what they know."""
        self._heard_since = self._now()
        self.report(asks=True)

    def hear(self, origin: str, event: Event) -> Collection[str]:
        """What another worker says. Ids of the users who by it have no socket anywhere any more."""
        worker = self._workers.setdefault(origin, _Worker(self._now()))
        worker.heard_at = self._now()
        match event:
            case UserArrived(user_id, status):
                worker.users.add(user_id)
                self._learn({user_id: status})
            case UserDeparted(user_id):
                worker.users.discard(user_id)
                return self._without_sockets([user_id])
            case StatusShown(user_id, status):
                self._here.set_status(user_id, status)
            case ViewerEntered(conversation_id, user_id):
                worker.viewers[conversation_id].add(user_id)
            case ViewerLeft(conversation_id, user_id):
                worker.viewers[conversation_id].discard(user_id)
                if not worker.viewers[conversation_id]:
                    del worker.viewers[conversation_id]
            case WorkerReported(statuses, asks):
                return self._take_report(worker, statuses, asks=asks)
        return ()

    def lapse(self) -> Collection[str]:
        """Take the dead workers out. Ids of the users who by it have no socket anywhere any more.

        Who is deaf judges nobody.
        """
        now = self._now()
        if not self._bus.hears or now - self._heard_since < LEASE_SECONDS:
            return ()
        dead = [origin for origin, worker in self._workers.items() if now - worker.heard_at >= LEASE_SECONDS]
        gone = [user_id for origin in dead for user_id in self._workers.pop(origin).users]
        return self._without_sockets(gone)

    def _take_report(self, worker: _Worker, statuses: Mapping[str, Status], *, asks: bool) -> Collection[str]:
        before, worker.users = worker.users, set(statuses)
        worker.viewers.clear()
        self._learn(statuses)
        if asks:
            self.report(asks=False)
        return self._without_sockets(before - worker.users)

    def _learn(self, statuses: Mapping[str, Status]) -> None:
        """Somebody is elsewhere; when they are here too, the other worker must know what they have open here."""
        known = self._here.statuses(statuses.keys())
        for user_id, status in statuses.items():
            if known[user_id] is Status.OFFLINE:
                self._here.set_status(user_id, status)
            if self._here.has_sockets(user_id):
                for conversation_id in self._here.viewing(user_id):
                    self._bus.publish([user_room(user_id)], ViewerEntered(conversation_id, user_id))

    def _without_sockets(self, user_ids: Collection[str]) -> Collection[str]:
        return [user_id for user_id in user_ids if not self.has_sockets(user_id)]

    def _is_elsewhere(self, user_id: str) -> bool:
        return any(user_id in worker.users for worker in self._workers.values())

    def _views_elsewhere(self, conversation_id: str, user_id: str) -> bool:
        return any(user_id in worker.viewers.get(conversation_id, ()) for worker in self._workers.values())

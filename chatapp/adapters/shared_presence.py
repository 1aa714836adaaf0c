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
    WorkerLeft,
    WorkerReported,
)
from chatapp.domain.models import Status
from chatapp.domain.rooms import EVERYONE, conversation_room, user_room
from chatapp.ports import Bus

LEASE_SECONDS = 10.0
"""Ten beats. docs/reliability.md: a killed worker's users are offline within 30 s."""

SILENCE_SECONDS = 3.0
"""Three beats: it may be dead, and have stored something without telling it."""

Shown = tuple[Status, int]
"""A status, and how often it has changed."""


@dataclass(slots=True)
class _Worker:
    """What another worker says of itself."""

    heard_at: float
    is_silent: bool = False
    users: set[str] = field(default_factory=set)
    viewers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # conversation → users

    def view_ended(self, conversation_id: str, user_id: str) -> None:
        if user_id in self.viewers.get(conversation_id, ()):
            self.viewers[conversation_id].discard(user_id)
            if not self.viewers[conversation_id]:
                del self.viewers[conversation_id]

    def forget_views_of(self, user_id: str) -> None:
        for conversation_id in [id_ for id_, viewers in self.viewers.items() if user_id in viewers]:
            self.view_ended(conversation_id, user_id)


class SharedPresence:
    def __init__(self, bus: Bus, *, now: Callable[[], float]) -> None:
        """``now`` is monotonic, in seconds."""
        self._bus = bus
        self._now = now
        self._here = MemoryPresence()  # its statuses are everybody's
        self._changes: dict[str, int] = {}  # user → how often their status has changed; the higher is later
        self._workers: dict[str, _Worker] = {}
        self._heard_since = now()

    # ------------------------------------------------------------ the port
    def add(self, user_id: str, socket_id: str) -> bool:
        first = self._here.add(user_id, socket_id)
        if first:
            for worker in self._workers.values():  # what we have heard without listening for them may be old
                worker.forget_views_of(user_id)
            self._bus.publish([EVERYONE], UserArrived(user_id, *self._shown(user_id)))
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
        self._changes[user_id] = self._changes.get(user_id, 0) + 1
        self._bus.publish([EVERYONE], StatusShown(user_id, *self._shown(user_id)))

    def forget(self, user_id: str) -> None:
        self._here.forget(user_id)
        self._changes.pop(user_id, None)

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
            worker.view_ended(conversation_id, user_id)

    # ------------------------------------------------------------ the other workers
    def is_here(self, user_id: str) -> bool:
        """Whether a socket of this worker speaks for the user."""
        return self._here.has_sockets(user_id) or bool(self._here.viewing(user_id))

    def is_viewed_here(self, conversation_id: str) -> bool:
        return bool(self._here.viewers(conversation_id))

    def viewers_here(self) -> Collection[tuple[str, str]]:
        """Conversations that sockets of this worker have open, and for whom."""
        return self._here.pairs()

    def report(self, *, asks: bool) -> None:
        """Tell the others everything."""
        shown = {user_id: self._shown(user_id) for user_id in self._here.users()}
        self._bus.publish([EVERYONE], WorkerReported(shown, asks))

    def recovered(self) -> None:
        """We were deaf: nobody is dead for not having been heard, and everybody says again what they know."""
        self._heard_since = self._now()
        self.report(asks=True)

    def hear(self, origin: str, event: Event) -> Collection[str]:
        """What another worker says. Ids of the users who by it have no socket anywhere any more."""
        if origin not in self._workers and not isinstance(event, WorkerReported):
            self.report(asks=True)  # it was taken for dead, or we missed its beginning: what else did it say?
        worker = self._workers.setdefault(origin, _Worker(self._now()))
        worker.heard_at, worker.is_silent = self._now(), False
        match event:
            case UserArrived(user_id, status, changes):
                worker.users.add(user_id)
                self._learn({user_id: (status, changes)})
            case UserDeparted(user_id):
                worker.users.discard(user_id)
                return self._without_sockets([user_id])
            case StatusShown(user_id, status, changes):
                if self._here.knows(user_id):  # else nobody would ever forget it again
                    self._learn_status(user_id, status, changes)
            case ViewerEntered(conversation_id, user_id):
                worker.viewers[conversation_id].add(user_id)
            case ViewerLeft(conversation_id, user_id):
                worker.view_ended(conversation_id, user_id)
            case WorkerLeft():
                del self._workers[origin]
                return self._without_sockets(worker.users)
            case WorkerReported(statuses, asks):
                return self._take_report(worker, statuses, asks=asks)
        return ()

    def fell_silent(self) -> bool:
        """Whether another worker has missed some beats, for the first time since it was heard."""
        now = self._now()
        silent = [
            worker
            for worker in self._workers.values()
            if not worker.is_silent and now - worker.heard_at >= SILENCE_SECONDS
        ]
        for worker in silent:
            worker.is_silent = True
        return bool(silent)

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

    def _take_report(self, worker: _Worker, statuses: Mapping[str, Shown], *, asks: bool) -> Collection[str]:
        before, worker.users = worker.users, set(statuses)
        worker.viewers.clear()
        if asks:  # before we tell what is open here: a report takes the place of all that
            self.report(asks=False)
        self._learn(statuses)
        return self._without_sockets(before - worker.users)

    def _learn(self, statuses: Mapping[str, Shown]) -> None:
        """Somebody is elsewhere; when they are here too, the other worker must know what they have open here."""
        for user_id, (status, changes) in statuses.items():
            self._learn_status(user_id, status, changes)
            if self._shown(user_id) != (status, changes):  # the other worker has missed a change
                self._bus.publish([EVERYONE], StatusShown(user_id, *self._shown(user_id)))
            if self._here.has_sockets(user_id):
                for conversation_id in self._here.viewing(user_id):
                    self._bus.publish([user_room(user_id)], ViewerEntered(conversation_id, user_id))

    def _learn_status(self, user_id: str, status: Status, changes: int) -> None:
        """The later one holds. Of two that were shown at once, every worker takes the same."""
        known, known_changes = self._shown(user_id)
        if not self._here.knows(user_id) or (changes, status) > (known_changes, known):
            self._here.set_status(user_id, status)
            self._changes[user_id] = changes

    def _shown(self, user_id: str) -> Shown:
        return self._here.statuses([user_id])[user_id], self._changes.get(user_id, 0)

    def _without_sockets(self, user_ids: Collection[str]) -> Collection[str]:
        return [user_id for user_id in user_ids if not self.has_sockets(user_id)]

    def _is_elsewhere(self, user_id: str) -> bool:
        return any(user_id in worker.users for worker in self._workers.values())

    def _views_elsewhere(self, conversation_id: str, user_id: str) -> bool:
        return any(user_id in worker.viewers.get(conversation_id, ()) for worker in self._workers.values())

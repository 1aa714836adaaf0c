"""Which workers live, as far as calls need to know: a participant's connection is as alive as its worker."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatapp.ports import CallStore, Clock

LEASE = timedelta(seconds=15)
"""Three sweeps: a store that is away for a moment ends no call."""

RENEWED_BEFORE = timedelta(seconds=10)
"""A lease that is good for longer is not renewed."""

FORGOTTEN_AFTER = timedelta(minutes=5)
"""Of a dead worker: nobody of its is in any call any more."""


class Leases:
    def __init__(self, store: CallStore, worker: str, *, clock: Clock) -> None:
        """``worker`` names this process and no later one: whoever starts anew holds no connection of before."""
        self.worker = worker
        self._store = store
        self._clock = clock
        self._until: datetime | None = None

    def take(self) -> None:
        """Before a participant is connected here. Raises StoreUnavailable."""
        now = self._clock.now()
        if self._until is None or self._until - now < RENEWED_BEFORE:
            self._store.renew(self.worker, until=now + LEASE)
            self._until = now + LEASE

    def release(self) -> None:
        """Nobody is connected here any more. Raises StoreUnavailable."""
        if self._until is not None:
            self._until = None
            self._store.release(self.worker)

    def ends(self) -> dict[str, datetime]:
        """Until when each worker lives at least; those long dead are forgotten. Raises StoreUnavailable."""
        leases = self._store.leases()
        latest = self._clock.now() - FORGOTTEN_AFTER
        for worker in [worker for worker, until in leases.items() if until < latest]:
            self._store.release(worker)
        return leases

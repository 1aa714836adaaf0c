"""Workers that have been forked and do not serve yet, known to their master and to all its workers.

gunicorn's reload forks the new workers and stops the old ones in the same moment, seconds before the new ones have
read the application: nobody would answer meanwhile. So who is to stop waits for those who are on their way.
"""

from __future__ import annotations

import os
import time
from mmap import mmap

from gevent.event import Event

PATIENCE_SECONDS = 15.0
"""Of gunicorn's ``graceful_timeout`` of 20 s, so that what was begun can be finished. Where a worker has died on its
way, whoever is to stop in that moment waits so long."""

LOOK_SECONDS = 0.05
PLACES = 1024
"""More than the workers that are forked while an older one lives."""


class Newcomers:
    """``age`` is gunicorn's running number of a worker."""

    def __init__(self) -> None:
        """In the master: what is written into it is seen by all who are forked afterwards."""
        self._places = mmap(-1, PLACES)

    def expect(self, age: int) -> None:
        self._places[age % PLACES] = 1

    def welcome(self, age: int) -> None:
        self._places[age % PLACES] = 0

    @property
    def are_awaited(self) -> bool:
        return any(self._places[:])

    def wait(self, hurry: Event) -> None:
        """Until all serve or somebody is in a ``hurry``, and at most ``PATIENCE_SECONDS``."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.are_awaited and time.monotonic() < give_up_at and not hurry.wait(LOOK_SECONDS):
            pass


_newcomers: dict[int, Newcomers] = {}
"""One for each master, by its process id."""


def newcomers() -> Newcomers:
    """Those of this master. To be called in the master."""
    return _newcomers.setdefault(os.getpid(), Newcomers())

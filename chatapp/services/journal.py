"""Whether what happens is written down for the company's backend, and how: asked by the stores in every transaction.

Nobody pays for what nobody reads: a worker writes down nothing while no endpoint is enabled. That it knows without
asking the store, for as long as what it heard last is no older than ``LEASE_SECONDS``; after that it writes down
everything until it hears again. So once an endpoint has been stored for ``LEASE_SECONDS``, nothing that happens
anywhere is missed (``WebhookService.create``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from chatapp.domain.happenings import Happening
from chatapp.domain.webhooks import LoggedEvent
from chatapp.ports import Clock, Ids

LEASE_SECONDS = 2.0

Render = Callable[[Happening, datetime], str]


class Journal:
    def __init__(self, render: Render, *, clock: Clock, ids: Ids, now: Callable[[], float], always: bool) -> None:
        """``now`` is in seconds and never goes back. ``always``: whether or not anybody wants to know."""
        self._render = render
        self._clock = clock
        self._ids = ids
        self._now = now
        self._always = always
        self._is_wanted = True
        self._believed_until = 0.0

    @property
    def is_wanted(self) -> bool:
        """As it was heard last."""
        return self._is_wanted

    def hear(self, *, is_wanted: bool, asked_at: float) -> None:
        """What the store answered to who asked it then."""
        self._is_wanted = is_wanted
        self._believed_until = asked_at + LEASE_SECONDS

    def is_on(self) -> bool:
        return self._always or self._is_wanted or self._now() >= self._believed_until

    def entries(self, *happenings: Happening) -> list[LoggedEvent]:
        return [self.entry(happening) for happening in happenings] if self.is_on() else []

    def now(self) -> datetime:
        return self._clock.now()

    def entry(self, happening: Happening) -> LoggedEvent:
        """Also while it is off."""
        at = self._clock.now()
        id_ = f"evt_{self._ids.new().replace('-', '')}"
        return LoggedEvent(id_, happening.type, happening.lane, at, self._render(happening, at))


class NoJournal:
    """For who opens a store without serving a chat."""

    def is_on(self) -> bool:
        return False

    def entries(self, *_happenings: Happening) -> list[LoggedEvent]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

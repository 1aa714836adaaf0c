"""What keeps webhooks going whatever gets lost: a job, a wake-up, a process.

The log is looked through for lanes in which something is new, and the lanes for those that are due. In the usual run
of things both have been taken care of already. Every process that delivers does so; twice is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from chatapp.domain.errors import Unavailable
from chatapp.domain.webhooks import Endpoint, EventPage
from chatapp.ports import Clock, Jobs, Scheduler, Store
from chatapp.services.webhook_registry import WebhookRegistry

log = logging.getLogger(__name__)

PAGE = 500

DUE_AT_ONCE = 1000
"""Lanes of one endpoint that are looked after from one sweep to the next."""

PRUNE_SECONDS = 3600.0


class WebhookSweeper:
    def __init__(
        self,
        store: Store,
        registry: WebhookRegistry,
        jobs: Jobs,
        deliver: Callable[[str, str], None],
        *,
        clock: Clock,
        scheduler: Scheduler,
        every_seconds: float,
        keep: timedelta,
    ) -> None:
        """``keep``: events and tries that are older are dropped."""
        self._store = store
        self._registry = registry
        self._jobs = jobs
        self._deliver = deliver
        self._clock = clock
        self._scheduler = scheduler
        self._every = every_seconds
        self._keep = keep

        self._is_at_work = False
        self._is_stopped = False

    def start(self) -> None:
        """Begins to work when there is an endpoint. Until then it costs nothing."""
        self._registry.on_change = self._look
        self._look()
        self._scheduler.call_later(PRUNE_SECONDS, self._prune)

    def stop(self) -> None:
        """Finish what was begun. May be called twice."""
        self._is_stopped = True
        self._registry.stop()
        self._jobs.stop()

    def _look(self) -> None:
        if self._is_stopped or not self._registry.enabled():
            return
        if self._is_at_work:
            self._scheduler.call_later(0, self._sweep_once)
            return
        self._is_at_work = True
        self._jobs.start(self._deliver)
        self._scheduler.call_later(0, self._run)

    def sweep(self) -> None:
        """Raises StoreUnavailable."""
        for endpoint in self._registry.enabled():
            self._find_new(endpoint)
            self._find_due(endpoint)

    def _find_new(self, endpoint: Endpoint) -> None:
        webhooks, more = self._store.webhooks, True
        cursor = webhooks.swept(endpoint.id) or endpoint.since
        while more:
            page = self._store.events.page(after=cursor, limit=PAGE)
            for lane, position in _latest(page, endpoint).items():
                webhooks.make_due(endpoint, lane, position=position, now=self._clock.now())
            if page.cursor != cursor:
                webhooks.set_swept(endpoint.id, page.cursor)
            cursor, more = page.cursor, page.more

    def _find_due(self, endpoint: Endpoint) -> None:
        now = self._clock.now()
        soon = now + timedelta(seconds=self._every)
        for lane, at in self._store.webhooks.due(endpoint.id, by=soon, limit=DUE_AT_ONCE):
            self._jobs.deliver(endpoint.id, lane, at=at if at > now else None)

    def _run(self) -> None:
        if not self._is_stopped:
            self._sweep_once()
            self._scheduler.call_later(self._every, self._run)

    def _sweep_once(self) -> None:
        try:
            self.sweep()
        except Unavailable as exc:
            log.warning("webhooks were not looked after: %s", exc)

    def _prune(self) -> None:
        """What is waited for may go too: a month is many times longer than anything is tried."""
        if self._is_stopped:
            return
        self._scheduler.call_later(PRUNE_SECONDS, self._prune)
        until = self._clock.now() - self._keep
        try:
            while self._store.events.forget(until=until, limit=PAGE) == PAGE:
                pass
            self._store.webhooks.forget_deliveries(until=until)
        except Unavailable as exc:
            log.warning("old events were not cleaned up: %s", exc)


def _latest(page: EventPage, endpoint: Endpoint) -> dict[str, str]:
    """Lane → the position of its last event that the endpoint wants."""
    return {event.lane: event.position for event in page.events if endpoint.wants(event.type)}

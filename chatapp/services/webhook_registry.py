"""Which endpoints there are, known on every worker without asking, and no older than a second or so."""

from __future__ import annotations

import logging
from collections.abc import Callable

from chatapp.domain.errors import Unavailable
from chatapp.domain.webhooks import Endpoint
from chatapp.ports import Scheduler, WebhookStore
from chatapp.services.journal import Journal

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""The journal believes what it heard for twice as long."""


class WebhookRegistry:
    def __init__(
        self, store: WebhookStore, journal: Journal, *, scheduler: Scheduler, now: Callable[[], float]
    ) -> None:
        """``now`` is in seconds and never goes back."""
        self._store = store
        self._journal = journal
        self._scheduler = scheduler
        self._now = now
        self._endpoints: dict[str, Endpoint] = {}
        self._version: str | None = None
        self._is_blind = False
        self._is_stopped = False
        self.on_change: Callable[[], object] = lambda: None
        """Called when this worker learns that endpoints have changed; it must not wait."""

    def start(self) -> None:
        """Returns when it knows all there are. Raises StoreUnavailable."""
        self.refresh()
        self._scheduler.call_later(POLL_SECONDS, self._poll)

    def enabled(self) -> list[Endpoint]:
        """Never waits."""
        return [endpoint for endpoint in self._endpoints.values() if endpoint.is_enabled]

    def refresh(self) -> None:
        """Raises StoreUnavailable."""
        asked_at = self._now()
        version = self._store.version()
        if version != self._version:
            self._endpoints = {endpoint.id: endpoint for endpoint in self._store.list_all()}
            self._version = version  # asked for before: perhaps they are newer, then they are asked for again
            self.on_change()
        self._journal.hear(is_wanted=bool(self.enabled()), asked_at=asked_at)

    def stop(self) -> None:
        self._is_stopped = True

    def _poll(self) -> None:
        if self._is_stopped:
            return
        self._scheduler.call_later(POLL_SECONDS, self._poll)
        try:
            self.refresh()
        except Unavailable as exc:
            if not self._is_blind:
                log.warning("whether webhooks have changed is not known until the store is back: %s", exc)
            self._is_blind = True
        else:
            self._is_blind = False

"""How the rest of the chat has the company's backend told of something.

What a store writes it has written into the event log by itself, in the same transaction; it only remains to wake who
delivers. What no store writes is published.
"""

from __future__ import annotations

from collections.abc import Callable

from chatapp.domain.happenings import Happening
from chatapp.ports import EventLog, Jobs
from chatapp.services.webhook_registry import WebhookRegistry

Wake = Callable[[str], None]
"""Of a lane. Never waits; what it misses, the next sweep finds."""

Publish = Callable[[Happening], None]
"""Stored on return."""


class WebhookOutbox:
    def __init__(self, events: EventLog, registry: WebhookRegistry, jobs: Jobs) -> None:
        self._events = events
        self._registry = registry
        self._jobs = jobs

    def publish(self, happening: Happening) -> None:
        """Durable on return, as far as anybody wants to know. Raises StoreUnavailable."""
        lane = self._events.append(happening)
        if lane is not None:
            self.wake(lane)

    def wake(self, lane: str) -> None:
        for endpoint in self._registry.enabled():
            self._jobs.deliver(endpoint.id, lane)


def wake_nobody(_lane: str) -> None:
    """Where no webhooks are served."""


def publish_nothing(_happening: Happening) -> None:
    """As above."""

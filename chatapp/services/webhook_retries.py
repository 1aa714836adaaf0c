"""When a webhook is tried again, and when it no longer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from chatapp.domain.webhooks import Answer, Lane, LoggedEvent

PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each try, as Standard Webhooks proposes: ten of them within some 76 hours."""

JITTER = 0.1
"""A pause is longer or shorter by up to so much of it, so that not all come back to a recovered endpoint at once."""

MAX_TRIES = len(PAUSES)


def past(lane: Lane, event: LoggedEvent) -> Lane:
    """Done with this event; it stays due, for the next."""
    return replace(lane, position=event.position, attempts=0, failing_since=None)


def after_failure(lane: Lane, answer: Answer, now: datetime, chance: Callable[[], float]) -> Lane:
    """``chance`` is from 0 to 1. Only while ``has_tries_left``."""
    pause = PAUSES[lane.attempts + 1] * (1 + JITTER * (2 * chance() - 1))
    wait = max(pause, answer.retry_after or timedelta(0))
    since = lane.failing_since or now
    return replace(lane, attempts=lane.attempts + 1, failing_since=since, due_at=now + wait)


def has_tries_left(lane: Lane) -> bool:
    """After the one that has just failed."""
    return lane.attempts + 1 < MAX_TRIES


def start_again(lane: Lane, now: datetime) -> Lane:
    """With the same event, as if it had never been tried."""
    return replace(lane, attempts=0, failing_since=None, due_at=now)

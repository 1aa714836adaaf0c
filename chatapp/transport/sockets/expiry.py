"""The end of each connection's token: announced a minute ahead, and then enforced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chatapp.ports import Clock, Scheduler, Timer

WARNING = timedelta(seconds=60)
"""Time enough for a client to ask its backend for another token."""


class TokenExpiry:
    def __init__(
        self,
        scheduler: Scheduler,
        clock: Clock,
        *,
        warn: Callable[[str, timedelta], object],
        end: Callable[[str], object],
    ) -> None:
        """``warn`` gets a socket and how long its token is still good; ``end`` a socket whose token is not any more."""
        self._scheduler = scheduler
        self._clock = clock
        self._warn = warn
        self._end = end
        self._timers: dict[str, Timer] = {}

    def watch(self, socket_id: str, expires_at: datetime) -> None:
        """In place of what was watched for this socket."""
        self.forget(socket_id)
        self._wait(socket_id, expires_at - WARNING, self._announce, expires_at)

    def forget(self, socket_id: str) -> None:
        timer = self._timers.pop(socket_id, None)
        if timer:
            timer.cancel()

    def _announce(self, socket_id: str, expires_at: datetime) -> None:
        self._wait(socket_id, expires_at, self._expire)
        self._warn(socket_id, max(timedelta(), expires_at - self._clock.now()))

    def _expire(self, socket_id: str) -> None:
        self._timers.pop(socket_id, None)
        self._end(socket_id)

    def _wait(self, socket_id: str, until: datetime, then: Callable[..., object], *args: object) -> None:
        seconds = max(0.0, (until - self._clock.now()).total_seconds())
        self._timers[socket_id] = self._scheduler.call_later(seconds, self._due, socket_id, then, args)

    def _due(self, socket_id: str, then: Callable[..., object], args: tuple[object, ...]) -> None:
        if socket_id in self._timers:  # else it was forgotten in the moment it became due
            then(socket_id, *args)

"""Time, ids and timers as the machine gives them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import gevent

from chatapp.ports import Timer


class SystemClock:
    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class RandomIds:
    def new(self) -> str:
        return str(uuid.uuid4())


class GeventScheduler:
    def call_later(self, seconds: float, action: Callable[..., object], *args: object) -> Timer:
        return _GreenletTimer(seconds, action, args)


class _GreenletTimer:
    def __init__(self, seconds: float, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self._begun = False
        self._greenlet = gevent.spawn_later(seconds, self._run, action, args)

    def cancel(self) -> None:
        if not self._begun:  # an action may cancel its own timer; it must not be killed half way
            self._greenlet.kill(block=False)

    def _run(self, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self._begun = True
        action(*args)

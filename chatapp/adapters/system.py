"""Time, ids and timers as the machine gives them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import gevent
from gevent import get_hub

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
        return _LoopTimer(seconds, action, args)


class _LoopTimer:
    """A greenlet only once it is due: of a thousand who leave, most come back before."""

    def __init__(self, seconds: float, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self._timer = get_hub().loop.timer(seconds)
        self._timer.start(self._fire, action, args)

    def cancel(self) -> None:
        """An action may cancel its own timer, which has done its work then."""
        self._timer.close()

    def _fire(self, action: Callable[..., object], args: tuple[object, ...]) -> None:
        self._timer.close()
        gevent.spawn(action, *args)

"""Time, ids and timers as the machine gives them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import gevent
from gevent import get_hub

from chatapp.ports import Timer


class SystemClock:
    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class TimeOrderedIds:
    """UUIDs of version 7 (RFC 9562): milliseconds, then 72 random bits.

    Ids that are made together lie together in an index, so that a commit of many messages writes one page of it and
    not one for each. The standard library takes twice as long for a UUID.
    """

    def new(self) -> str:
        at, chance = f"{time.time_ns() // 1_000_000:012x}", os.urandom(9).hex()
        return f"{at[:8]}-{at[8:]}-7{chance[:3]}-8{chance[3:6]}-{chance[6:]}"


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

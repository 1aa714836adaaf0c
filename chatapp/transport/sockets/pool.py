"""Greenlets that handle what clients send: one is busy only while something is being handled.

A greenlet for each connection would cost some 20 kB for as long as its client says nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub, getcurrent

log = logging.getLogger(__name__)

MAX_IDLE = 256
"""Greenlets that are kept for the next task; about 5 MB."""

Task = Callable[[], object]


class GreenletPool:
    """As many as there are tasks at a time. They have no order among each other."""

    def __init__(self) -> None:
        self._idle: list[Any] = []  # greenlets

    def run(self, task: Task) -> None:
        """Begin it at once, and return when it waits or is done. To be called in the hub only, as its callbacks are."""
        if self._idle:
            self._idle.pop().switch(task)
        else:
            greenlet = gevent.Greenlet(self._work, task)
            greenlet.start()

    def _work(self, task: Task) -> None:
        hub = get_hub()
        while True:
            try:
                task()
            except Exception:
                log.exception("a task failed")
            if len(self._idle) >= MAX_IDLE:
                return
            self._idle.append(getcurrent())
            task = hub.switch()

"""Engine.IO's pings to all clients, by one greenlet."""

from __future__ import annotations

import logging
import time
from typing import Protocol

import gevent
from gevent.event import Event

log = logging.getLogger(__name__)


class Beating(Protocol):
    def beat(self) -> None: ...


class Heartbeat:
    """``interval`` in seconds, from when a client's next ping is expected to when it is sent."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._due: dict[Beating, float] = {}  # in the order they are due, because the interval is one for all
        self._somebody = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def expect(self, client: Beating) -> None:
        """Its ``beat`` is called when it is due, once."""
        self._due.pop(client, None)
        self._due[client] = time.monotonic() + self._interval
        self._somebody.set()
        if self._greenlet is None:  # not before: a fork would not have it
            self._greenlet = gevent.spawn(self._beat_forever)

    def forget(self, client: Beating) -> None:
        self._due.pop(client, None)

    def _beat_forever(self) -> None:
        while True:
            if not self._due:
                self._somebody.clear()
                self._somebody.wait()
            client, due = next(iter(self._due.items()))
            wait = due - time.monotonic()
            if wait > 0:
                gevent.sleep(wait)
                continue
            del self._due[client]
            try:
                client.beat()
            except Exception:
                log.exception("a ping failed")

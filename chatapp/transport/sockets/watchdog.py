"""Closes transports that were opened and never sent a CONNECT: the library would keep them for ever."""

from __future__ import annotations

import time

import gevent
import socketio

from chatapp.transport.sockets.rooms import NAMESPACE

CONNECT_TIMEOUT_SECONDS = 45.0
"""socket.io's own ``connectTimeout``."""

ROUND_SECONDS = 5.0


class Watchdog:
    def __init__(self, server: socketio.Server) -> None:
        self._server = server
        self._strangers: dict[str, float] = {}  # transport → when it was first seen without a connection

    def start(self) -> None:
        gevent.spawn(self._watch)

    def look(self, now: float) -> None:
        """One round; ``now`` is in monotonic seconds."""
        connected = self._server.manager.sid_from_eio_sid
        strangers = [sid for sid in self._server.eio.sockets if connected(sid, NAMESPACE) is None]
        self._strangers = {sid: self._strangers.get(sid, now) for sid in strangers}
        for sid, since in self._strangers.items():
            if now - since >= CONNECT_TIMEOUT_SECONDS:
                self._server.eio.disconnect(sid)

    def _watch(self) -> None:
        while True:
            gevent.sleep(ROUND_SECONDS)
            self.look(time.monotonic())

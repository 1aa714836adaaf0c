"""Domain events on their way to sockets: each is dumped once for every row it goes through."""

from __future__ import annotations

import logging
from typing import Any

import socketio

from chatapp.domain.events import Event
from chatapp.protocol.outgoing import Outgoing, rows_by_event
from chatapp.transport.sockets.rooms import NAMESPACE, SocketRooms

log = logging.getLogger(__name__)


class SocketPublisher:
    def __init__(self, server: socketio.Server, rooms: SocketRooms) -> None:
        self._server = server
        self._rooms = rooms
        self._rows = rows_by_event()

    def publish(self, *events: Event) -> None:
        for event in events:
            for row in self._rows[type(event)]:
                if row.when(event):
                    self._emit(row, event)

    def _emit(self, row: Outgoing[Any], event: Event) -> None:
        audience = row.audience(event)
        if not audience.rooms:
            return
        try:
            self._server.emit(
                row.name,
                row.schema.dump(row.body(event)),
                to=list(audience.rooms),
                skip_sid=self._rooms.sockets_of(audience.except_user) if audience.except_user else None,
                namespace=NAMESPACE,
            )
        except Exception:  # what happened has happened; a client that missed it catches up by seq
            log.exception("publishing %s failed", row.name)

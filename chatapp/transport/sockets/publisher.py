"""Domain events on their way to sockets: each is dumped once for every row it goes through."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

import socketio

from chatapp.domain.events import Event
from chatapp.domain.rooms import EVERYONE, channel_of
from chatapp.ports import Bus
from chatapp.protocol.outgoing import Audience, Outgoing, rows_by_event
from chatapp.transport.sockets.rooms import NAMESPACE, SocketRooms

log = logging.getLogger(__name__)


class SocketPublisher:
    def __init__(self, server: socketio.Server, rooms: SocketRooms, bus: Bus) -> None:
        self._server = server
        self._rooms = rooms
        self._bus = bus
        self._rows = rows_by_event()

    def publish(self, *events: Event) -> None:
        for event in events:
            self.deliver(event)
            self.relay(event)

    def deliver(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        for row in self._rows_of(event):
            audience = row.audience(event)
            self._emit(row, event, audience, _within(audience.rooms, rooms))

    def relay(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        if self._bus.is_alone:
            return
        if rooms is None:
            told = (room for row in self._rows_of(event) for room in row.audience(event).rooms)
            rooms = dict.fromkeys(map(channel_of, told))
        self._bus.publish(rooms, event)

    def _rows_of(self, event: Event) -> list[Outgoing[Any]]:
        return [row for row in self._rows.get(type(event), ()) if row.when(event)]

    def _emit(self, row: Outgoing[Any], event: Event, audience: Audience, rooms: Collection[str]) -> None:
        if not rooms:
            return
        try:
            self._server.manager.emit(
                row.name,
                row.schema.dump(row.body(event)),
                namespace=NAMESPACE,
                room=rooms,
                skip_sid=self._skipped(audience),
                gathers=row.gathers and rooms == (EVERYONE,),
            )
        except Exception:  # what happened has happened; a client that missed it catches up by seq
            log.exception("publishing %s failed", row.name)

    def _skipped(self, audience: Audience) -> list[str]:
        skipped = self._rooms.sockets_of(audience.except_user) if audience.except_user else []
        if audience.except_socket:
            skipped = [*skipped, audience.except_socket]
        if audience.except_lost_in or audience.except_lost_of:
            skipped = skipped + self._rooms.lost(audience.except_lost_in, audience.except_lost_of)
        return skipped


def _within(told: tuple[str, ...], rooms: Collection[str] | None) -> tuple[str, ...]:
    """Of the rooms in which it is told those that are meant; parts of everyone are meant with everyone."""
    return told if rooms is None else tuple(room for room in told if channel_of(room) in rooms)

"""Rooms and broadcasts: each packet is serialised once and framed once, and the same bytes go to every socket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import socketio
from engineio import packet as engine_packet
from socketio import packet

from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.frames import message_frame
from chatapp.transport.sockets.packet_log import PacketLog


class FanoutManager(socketio.Manager):
    """The library's manager, which knows who is in which room; this one also knows in which rooms who is.

    What sockets that count hear goes into the log, and what is told in rooms that the log awaits.
    """

    def __init__(self, log: PacketLog) -> None:
        super().__init__()
        self._log = log
        self._entered: defaultdict[str, dict[str | None, int]] = defaultdict(dict)  # socket → rooms, and since when

    # ------------------------------------------------------------ rooms
    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._entered[sid].setdefault(room, self._log.number)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        super().basic_leave_room(sid, namespace, room)
        rooms = self._entered.get(sid)
        if rooms is not None:
            rooms.pop(room, None)
            if not rooms:
                del self._entered[sid]

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        """The library looks through all rooms there are; this through the socket's own."""
        for room in tuple(self._entered.get(sid, ())):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            waiting = pending.get(namespace, [])
            if sid in waiting:
                waiting.remove(sid)
                if not waiting:
                    del pending[namespace]

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        return [room for room in self._entered.get(sid, ()) if room is not None]

    def entered(self, sid: str) -> dict[str, int]:
        """The socket's rooms, each with the number of the newest packet when it came in."""
        return {room: number for room, number in self._entered.get(sid, {}).items() if room is not None}

    def backdate(self, sid: str, rooms: Mapping[str, int]) -> None:
        """The socket has been in these rooms since then, as far as it is in them."""
        entered = self._entered[sid]
        entered.update({room: number for room, number in rooms.items() if room in entered})

    def register(self, sid: str, namespace: str, eio_sid: str) -> None:
        """The transport's client is connected, by this id."""
        for room in (None, sid):
            self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

    # ------------------------------------------------------------ broadcasts
    def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: str | Collection[str] | None = None,
        skip_sid: str | Collection[str] | None = None,
        callback: Any = None,
        to: str | Collection[str] | None = None,
        **_: Any,
    ) -> None:
        """Whether the clients acknowledge is never asked: ``callback`` is not supported."""
        assert callback is None, "a broadcast has no acknowledgement"
        rooms = to or room
        participants = self._participants(namespace, rooms)
        is_awaited = self._log.is_awaited(rooms)
        if not participants and not is_awaited:
            return
        encoded = self.server.packet_class(packet.EVENT, namespace=namespace, data=[event, data]).encode()
        skipped = {skip_sid} if isinstance(skip_sid, str) else set(skip_sid or ())
        number = self._log.record(rooms, skipped, encoded) if is_awaited else None
        plain = numbered = None
        sockets = self.server.eio.sockets
        for sid, eio_sid in participants:
            if sid in skipped:
                continue
            socket = sockets.get(eio_sid)
            if socket is None or socket.closed:
                continue
            if socket.sent is None:
                plain = plain or _framed(encoded)
                engine, frame = plain
            else:
                if numbered is None:
                    number = number or self._log.record(rooms, skipped, encoded)
                    numbered = _framed(self._log.stamped(encoded, number))
                socket.sent = number
                engine, frame = numbered
            websocket = socket.websocket if isinstance(socket, DirectSocket) else None
            if websocket is not None:
                websocket.write_soon(frame)
            else:
                socket.send(engine)  # it polls

    def tell_again(self, socket: DirectSocket, packets: Iterable[tuple[int, str]]) -> None:
        """Packets out of the log, for this socket alone."""
        for number, text in packets:
            socket.sent = number
            socket.send(engine_packet.Packet(engine_packet.MESSAGE, self._log.stamped(text, number)))

    def _participants(self, namespace: str, room: str | Collection[str] | None) -> Iterable[tuple[str, str]]:
        """A copy: sending may close a socket, which leaves its rooms."""
        rooms = self.rooms.get(namespace, {})
        if room is None or isinstance(room, str):
            return list(rooms[room].items()) if room in rooms else ()
        found: dict[str, str] = {}
        for each in room:
            if each in rooms:
                found.update(rooms[each])
        return list(found.items())


def _framed(text: str) -> tuple[engine_packet.Packet, bytes]:
    """For who polls, and for WebSockets."""
    engine = engine_packet.Packet(engine_packet.MESSAGE, text)
    return engine, message_frame(engine.encode())

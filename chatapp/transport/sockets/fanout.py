"""Rooms and broadcasts: each packet is serialised once and framed once, and the same bytes go to every socket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import socketio
from engineio import packet as engine_packet
from socketio import packet

from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Scheduler, Timer
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.frames import message_frame
from chatapp.transport.sockets.gathering import Gathering, Told
from chatapp.transport.sockets.packet_log import PacketLog
from chatapp.transport.sockets.rooms import NAMESPACE
from chatapp.transport.sockets.websocket import WebSocket, write_soon_to_all

GATHER_SECONDS = 0.05
"""How long presence waits for more of it, once there was some: nobody sees it later, and a storm of 1,000 arrivals is
20 writes to each socket instead of 1,000."""

GATHER_MAX_CHARS = 128 * 1024
"""It waits no longer when there is so much of it: a socket's backlog is bounded (``BACKLOG_MAX_BYTES``)."""

AUDIENCE_KEPT = 32
"""Of a room with so many in it or more it is kept who they are, until one comes or goes."""


class FanoutManager(socketio.Manager):
    """The library's manager, which knows who is in which room; this one also knows in which rooms who is.

    What sockets that count hear goes into the log, and what is told in rooms that the log awaits. Broadcasts to
    everyone may be gathered; each socket still hears all in the order told.
    """

    def __init__(self, log: PacketLog, scheduler: Scheduler) -> None:
        super().__init__()
        self._log = log
        self._scheduler = scheduler
        self._gathering = Gathering(log)
        self._window: Timer | None = None
        self._audiences: dict[str | None, list[DirectSocket]] = {}
        self._entered: defaultdict[str, dict[str | None, int]] = defaultdict(dict)  # socket → rooms, and since when

    # ------------------------------------------------------------ rooms
    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """The library looks up by transport in the room of all, None, alone; the two-way map that it makes of each room
        takes more than twice a dictionary's memory."""
        if room is None:
            super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        else:
            connected = self.rooms[namespace]
            connected.setdefault(room, {})[sid] = eio_sid or connected[None][sid]
        self._audiences.pop(room, None)
        rooms = self._entered[sid]
        if room not in rooms:
            rooms[room] = self._log.number
            if room == EVERYONE:
                self._gathering.enter(sid)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        if room == EVERYONE:
            self.settle(sid)
        super().basic_leave_room(sid, namespace, room)
        self._audiences.pop(room, None)
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

    def pre_disconnect(self, sid: str, namespace: str) -> Any:
        """Before anybody asks what the socket was sent last."""
        self.settle(sid)
        return super().pre_disconnect(sid, namespace)

    def get_participants(self, namespace: str, room: str | Collection[str] | None) -> Iterable[tuple[str, str]]:
        return self._participants(namespace, room)

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
        *,
        gathers: bool = False,
        **_: Any,
    ) -> None:
        """Whether the clients acknowledge is never asked: ``callback`` is not supported. What ``gathers`` is for
        everyone, and may wait ``GATHER_SECONDS`` for more of it."""
        assert callback is None, "a broadcast has no acknowledgement"
        rooms = to or room
        is_awaited = self._log.is_awaited(rooms)
        skipped = {skip_sid} if isinstance(skip_sid, str) else set(skip_sid or ())
        if gathers:
            hearers = self.rooms.get(namespace, {}).get(EVERYONE, {})
            if hearers or is_awaited:
                encoded = self._encoded(namespace, event, data)
                is_counted = is_awaited or any(self._counts(eio_sid) for eio_sid in hearers.values())
                self._gather(Told(self._log.record(rooms, skipped, encoded) if is_counted else 0, encoded, skipped))
            return
        if self._gathering:  # nothing overtakes
            for sid, _transport in self._participants(namespace, rooms):
                if sid not in skipped:
                    self.settle(sid)
        audience = self._audience(namespace, rooms, skipped)
        if not audience and not is_awaited:
            return
        encoded = self._encoded(namespace, event, data)
        is_counted = is_awaited or any(socket.sent is not None for socket in audience)
        self._send_to_all(audience, encoded, self._log.record(rooms, skipped, encoded) if is_counted else 0)

    def _encoded(self, namespace: str, event: str, data: Any) -> str:
        text: str = self.server.packet_class(packet.EVENT, namespace=namespace, data=[event, data]).encode()
        return text

    def _send_to_all(self, audience: list[DirectSocket], text: str, number: int) -> None:
        """The same bytes to all, and the same with the number to those that count. What a broadcast to a full room
        costs is what stands in this loop."""
        plain: list[WebSocket] = []
        counting: list[WebSocket] = []
        polling: list[DirectSocket] = []
        for socket in audience:
            websocket = socket.websocket
            if websocket is None:
                polling.append(socket)
            elif socket.sent is None:
                plain.append(websocket)
            else:
                socket.sent = number
                counting.append(websocket)
        if plain:
            write_soon_to_all(plain, message_frame(f"4{text}"))
        if counting:
            write_soon_to_all(counting, message_frame(f"4{self._log.stamped(text, number)}"))
        for socket in polling:
            if not socket.closed:
                is_counting = socket.sent is not None
                if is_counting:
                    socket.sent = number
                shown = self._log.stamped(text, number) if is_counting else text
                socket.send(engine_packet.Packet(engine_packet.MESSAGE, shown))

    # ------------------------------------------------------------ who hears
    def _audience(self, namespace: str, rooms: str | Collection[str] | None, skipped: set[str]) -> list[DirectSocket]:
        if rooms is None or (not isinstance(rooms, str) and len(rooms) != 1):
            return self._sockets(self._participants(namespace, rooms), skipped)
        room = rooms if isinstance(rooms, str) else next(iter(rooms))
        known = self._audiences.get(room)
        if known is None:
            known = self._sockets(self._participants(namespace, room), set())
            if len(known) >= AUDIENCE_KEPT:
                self._audiences[room] = known
        if not skipped:
            return known
        unwanted = {self.eio_sid_from_sid(sid, namespace) for sid in skipped}
        return [socket for socket in known if socket.sid not in unwanted]

    def _sockets(self, participants: Iterable[tuple[str, str]], skipped: set[str]) -> list[DirectSocket]:
        sockets = self.server.eio.sockets
        return [sockets[eio_sid] for sid, eio_sid in participants if sid not in skipped and eio_sid in sockets]

    # ------------------------------------------------------------ what is gathered
    def settle(self, sid: str) -> None:
        """Send this socket what was gathered for it: something else is about to be, or it parts."""
        if self._gathering and sid in self.rooms.get(NAMESPACE, {}).get(EVERYONE, ()):
            self._send_gathered(sid, self.rooms[NAMESPACE][EVERYONE][sid])

    def settle_all(self) -> None:
        """Send everybody what was gathered for them."""
        if not self._gathering:
            return
        for sid, eio_sid in self._participants(NAMESPACE, EVERYONE):
            self._send_gathered(sid, eio_sid)
        self._gathering.clear()

    def _gather(self, told: Told) -> None:
        self._gathering.add(told)
        if self._gathering.size > GATHER_MAX_CHARS:
            self.settle_all()
        elif self._window is None:  # it was calm: only what is told in the same moment leaves together
            self._window = self._scheduler.call_later(0, self._end_window)

    def _counts(self, eio_sid: str) -> bool:
        """Nearly always the first of them does, or none."""
        socket = self.server.eio.sockets.get(eio_sid)
        return socket is not None and socket.sent is not None

    def _end_window(self) -> None:
        self._window = self._scheduler.call_later(GATHER_SECONDS, self._end_window) if self._gathering else None
        self.settle_all()

    def _send_gathered(self, sid: str, eio_sid: str) -> None:
        socket = self.server.eio.sockets.get(eio_sid)
        if socket is None or socket.closed:
            return
        websocket = socket.websocket
        is_stamped = socket.sent is not None
        if websocket is None:
            packets, last = self._gathering.take_packets(sid, stamped=is_stamped)
            for engine in packets:
                if not socket.closed:  # the library looks at each packet whether the client still answers
                    socket.send(engine)
        else:
            due = self._gathering.take(sid, stamped=is_stamped)
            if due is None:
                return
            frames, last = due
            websocket.write_soon(frames)
        if is_stamped and last:
            socket.sent = last

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

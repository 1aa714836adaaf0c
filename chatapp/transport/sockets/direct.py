"""Engine.IO sockets that write to their WebSocket themselves, with no queue and no writer greenlet in between.

python-engineio gives each client a queue and a greenlet that empties it: two switches for each packet to each client.
Here a packet is handed to the WebSocket in the greenlet that has it. While a client still polls, all is as the
library does it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import engineio
import socketio
from engineio import packet
from engineio.exceptions import EngineIOError, SocketIsClosedError, UnknownPacketError
from socketio.packet import EVENT

from chatapp.domain.errors import TooSlow
from chatapp.transport.sockets.frames import message_frame
from chatapp.transport.sockets.heartbeat import Heartbeat
from chatapp.transport.sockets.packets import Call, ChatPacket, ack
from chatapp.transport.sockets.websocket import WebSocket

PROBE, PROBED, UPGRADE = "2probe", "3probe", "5"


class DirectSocket(engineio.socket.Socket):
    """``websocket`` is set once the client has one, and the library's queue is empty from then on. ``sent`` is the
    last number in the packet log that was sent; None where the client has no use for numbers. ``on_event`` is called
    with what the client says through its WebSocket once it is connected, and returns the acknowledgement, or None where
    there is none: the library would pass it through seven hands."""

    websocket: WebSocket | None = None
    sent: int | None = None
    on_event: Callable[[Call], Any] | None = None
    heartbeat: Heartbeat | None = None
    no_queue: Any = None
    last_ping: float | None
    connected: bool
    upgraded: bool
    closing: bool
    closed: bool

    def send(self, pkt: packet.Packet) -> None:
        if self.websocket is None:
            super().send(pkt)
        elif self.closed:
            raise SocketIsClosedError
        else:
            self.websocket.write_soon(message_frame(pkt.encode()))

    def receive(self, pkt: packet.Packet) -> None:
        """Engine.IO's goodbye ends the transport, as the loss of it does. Who leaves for good has said so before, in
        Socket.IO; to the library both are the same."""
        if pkt.packet_type == packet.CLOSE:
            self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        else:
            super().receive(pkt)

    def handle_post_request(self, environ: Any) -> Any:
        """Of what the client is too slow to say the library would tell it that it was heard."""
        try:
            return super().handle_post_request(environ)
        except TooSlow as exc:
            raise EngineIOError from exc

    def schedule_ping(self) -> None:
        """The library starts a greenlet for each ping of each client."""
        if self.last_ping and self.heartbeat:
            self.last_ping = None
            self.heartbeat.expect(self)

    def beat(self) -> None:
        self.last_ping = time.time()
        self.send(packet.Packet(packet.PING))

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        if self.heartbeat:
            self.heartbeat.forget(self)
        if self.websocket is None:
            super().close(wait=wait, abort=abort, reason=reason)
        elif not self.closed and not self.closing:
            self.closing = True
            reason = reason or self.server.reason.SERVER_DISCONNECT
            self.server._trigger_event("disconnect", self.sid, reason, run_async=False)
            if not abort:
                self.websocket.write_soon(message_frame(packet.Packet(packet.CLOSE).encode()))
            self.closed = True
            self.websocket.close()

    def _websocket_handler(self, transport: Any) -> list[bytes]:
        """Until the client has a WebSocket that lives by itself."""
        if self.connected:
            if not self._upgrade(transport):
                return []
        else:
            self.connected = self.upgraded = True
        self._flush_queue(transport.websocket)
        if self.closed:  # while it was being upgraded
            transport.close()
            return []
        self.websocket = transport.websocket
        self.queue = self.no_queue  # its own takes 2.5 kB, for nothing from now on
        transport.listen(self._receive, self._end)
        return []

    def _upgrade(self, transport: Any) -> bool:
        """From polling; what is sent meanwhile waits in the queue."""
        self.upgrading = True
        try:
            if transport.wait() != PROBE:
                return False
            transport.send(PROBED)
            self.queue.put(packet.Packet(packet.NOOP))  # ends the poll that waits
            self.upgraded = transport.wait() == UPGRADE
            return self.upgraded
        finally:
            self.upgrading = False

    def _flush_queue(self, websocket: WebSocket) -> None:
        while not self.queue.empty():
            waiting = self.queue.get(block=False)
            self.queue.task_done()
            if waiting is not None:
                websocket.write_soon(message_frame(waiting.encode()))

    def _receive(self, received: str | bytes) -> None:
        if self.closed:
            return
        try:
            if self.on_event is not None and isinstance(received, str) and received.startswith("42"):
                self._hear(received[1:], self.on_event)
            else:
                self.receive(packet.Packet(encoded_packet=received))
        except UnknownPacketError:
            pass
        except Exception as exc:
            if not isinstance(exc, SocketIsClosedError):
                self.server.logger.exception("receive error")
            self._end()

    def _hear(self, text: str, on_event: Callable[[Call], Any]) -> None:
        event = ChatPacket(encoded_packet=text)
        if event.packet_type != EVENT or event.namespace is not None:
            self.receive(packet.Packet(packet.MESSAGE, text))
            return
        answer = on_event(event.data[0])
        if event.id is not None and answer is not None and self.websocket is not None:
            self.websocket.write_soon(message_frame(f"4{ack(event.id, answer)}"))

    def _end(self) -> None:
        self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        self.server.sockets.pop(self.sid, None)


def use_direct_sockets(server: socketio.Server) -> None:
    """The library makes plain sockets and has no setting for it; the first thing it does with one is ``connect``."""
    connected: Callable[[str, Any], Any] = server.eio.handlers["connect"]
    heartbeat = Heartbeat(server.eio.ping_interval)
    no_queue = server.eio.create_queue()

    def connect(sid: str, environ: Any) -> Any:
        socket = server.eio.sockets[sid]
        socket.__class__ = DirectSocket
        socket.heartbeat = heartbeat
        socket.no_queue = no_queue
        return connected(sid, environ)

    server.eio.on("connect", connect)

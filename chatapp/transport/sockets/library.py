"""Where we touch what python-socketio, python-engineio and gevent-websocket keep to themselves.

All of it stands here, and ``tests/transport/sockets/test_library.py`` fails when a new version has changed it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import engineio
import socketio
from socketio import packet
from socketio.exceptions import ConnectionRefusedError

from chatapp.transport.sockets.connections import Welcome
from chatapp.transport.sockets.rooms import NAMESPACE
from chatapp.transport.sockets.websocket import WebSocket

FIRST_CHARACTERS = frozenset("0123456b")
"""What an Engine.IO packet can begin with. The library dies of all others without closing its socket."""


def use_own_websocket(server: socketio.Server) -> None:
    """WebSockets of ours instead of gevent-websocket's, which still answers the handshake."""
    server.eio._async = {**server.eio._async, "websocket": WebSocketTransport}


def never_wait_for_goodbyes(server: socketio.Server) -> None:
    """The library's ``disconnect`` waits, for ever, until a polling client has asked once more: one that sent too much
    and left would hold its request, and the server's stop, with it."""

    def disconnect(sid: str | None = None) -> None:
        for key in [sid] if sid is not None else list(server.eio.sockets):
            socket = server.eio.sockets.pop(key, None)
            if socket is not None:
                socket.close(wait=False, reason=server.eio.reason.SERVER_DISCONNECT)

    server.eio.disconnect = disconnect


def begin_ids_with_the_worker(server: socketio.Server) -> None:
    """Session ids begin with the process id in hex and a dot: any worker then knows whose a session is."""
    unowned = server.eio.generate_id
    server.eio.generate_id = lambda: f"{os.getpid():x}.{unowned()}"


def answer_connects(server: socketio.Server, greet: Callable[[Mapping[str, Any], Any], Welcome]) -> None:
    """The library gives each connection a new id and says no more than that; here ``greet`` decides, and may wait.

    It gets the request and what the client sent, and raises ConnectionRefusedError. A client that is gone when it has
    decided is forgotten; the library would keep it for ever."""
    library_s = server._handle_connect

    def handle_connect(eio_sid: str, namespace: str | None, data: Any) -> None:
        def is_connected() -> bool:
            return server.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is not None

        environ = server.environ.get(eio_sid)
        if (namespace or NAMESPACE) != NAMESPACE or is_connected() or environ is None:
            library_s(eio_sid, namespace, data)  # which refuses it
            return
        try:
            welcome = greet(environ, data)
        except ConnectionRefusedError as refusal:
            answer = server.packet_class(packet.CONNECT_ERROR, data=refusal.error_args, namespace=NAMESPACE)
            server._send_packet(eio_sid, answer)
            return
        socket = server.eio.sockets.get(eio_sid)
        if socket is None or socket.closed or is_connected():
            welcome.cancel()
            return
        server.environ[eio_sid] = {}  # some 5 kB for as long as the client stays, and nobody asks any more
        server.manager.register(welcome.socket_id, NAMESPACE, eio_sid)
        server._send_packet(eio_sid, server.packet_class(packet.CONNECT, welcome.answer, namespace=NAMESPACE))
        welcome.begin(socket)

    server._handle_connect = handle_connect


class WebSocketTransport:
    """What python-engineio expects of a WebSocket: it is called once as a WSGI application, and has ``wait``, ``send``
    and ``close``."""

    def __init__(self, handler: Callable[[WebSocketTransport], Any], server: engineio.Server) -> None:
        self._handler = handler
        self._max_message_bytes = server.max_http_buffer_size

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        connection = environ.get("chatapp.handshake")
        if connection is None:  # asks for an upgrade, but its handshake was none
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"not a WebSocket handshake"]
        connection.accept_websocket()
        self.websocket = WebSocket(
            connection.socket, connection.rfile.waiting(), max_message_bytes=self._max_message_bytes
        )
        self._handler(self)
        if self.websocket.is_listening:
            connection.let_go()
        return []

    def wait(self) -> str | bytes | None:
        """The next packet, or None at the end."""
        received = self.websocket.receive()
        return None if received is None else self._packet(received)

    def listen(self, on_packet: Callable[[str | bytes], object], on_end: Callable[[], object]) -> None:
        """From now on the WebSocket calls these, and nobody waits for it."""

        def on_message(received: str | bytes) -> None:
            packet = self._packet(received)
            if packet is None:
                on_end()  # nothing more counts, whatever still comes
            else:
                on_packet(packet)

        self.websocket.listen(on_message, on_end)

    def send(self, packet: str | bytes) -> None:
        self.websocket.send(packet)

    def close(self) -> None:
        self.websocket.close()

    def _packet(self, received: str | bytes) -> str | bytes | None:
        """None for what is none, which ends the connection."""
        if not isinstance(received, str):
            return received
        try:
            if received[:1] not in FIRST_CHARACTERS:
                raise ValueError
            return base64.b64decode(received[1:]) if received.startswith("b") else received
        except ValueError:  # binascii's Error is one
            self.websocket.close()
            return None

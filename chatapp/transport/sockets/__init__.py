"""The Socket.IO side: one server with one namespace, and what keeps it tidy."""

from __future__ import annotations

import logging

from engineio.payload import Payload
from flask import Flask
from flask_socketio import SocketIO

from chatapp.ports import Scheduler
from chatapp.protocol.wire_json import WireJson
from chatapp.settings import Settings
from chatapp.transport.sockets.direct import use_direct_sockets
from chatapp.transport.sockets.fanout import FanoutManager
from chatapp.transport.sockets.library import never_wait_for_goodbyes, use_own_websocket
from chatapp.transport.sockets.packet_log import PacketLog
from chatapp.transport.sockets.packets import ChatPacket

FRAME_MAX_BYTES = 16 * 1024 * 1024
"""The largest frame that is read at all; an event may have ``EVENT_MAX_BYTES`` of it. Beyond it the socket closes."""

POLL_MAX_PACKETS = 10_000
"""python-engineio refuses a POST of more than 16 packets; a client that was offline for a while sends more."""

PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS = 25, 20
"""socket.io's own defaults, in whole seconds because the library sends them so."""

UNNOTICED_SECONDS = PING_INTERVAL_SECONDS + 2 * PING_TIMEOUT_SECONDS
"""How long a connection may be gone before the library looks and sees it."""


def create_socketio(app: Flask, settings: Settings, packet_log: PacketLog, scheduler: Scheduler) -> SocketIO:
    """The server without its namespace, which needs the chat, which needs the server to publish."""
    Payload.max_decode_packets = POLL_MAX_PACKETS
    socketio = SocketIO(
        app,
        path=settings.socket_path,
        async_mode="gevent",
        async_handlers=False,  # a client's events are handled in the order sent
        client_manager=FanoutManager(packet_log, scheduler),
        serializer=ChatPacket,
        json=WireJson,
        manage_session=False,
        cors_allowed_origins=[],  # says that somebody else looks after it: transport/gate.py
        max_http_buffer_size=FRAME_MAX_BYTES,
        ping_interval=PING_INTERVAL_SECONDS,
        ping_timeout=PING_TIMEOUT_SECONDS,
        logger=logging.getLogger("chatapp.library.socketio"),
        engineio_logger=logging.getLogger("chatapp.library.engineio"),
    )
    use_own_websocket(socketio.server)
    use_direct_sockets(socketio.server)
    never_wait_for_goodbyes(socketio.server)
    return socketio

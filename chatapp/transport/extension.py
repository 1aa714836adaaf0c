"""What of ours hangs on the Flask application, at ``app.extensions["chatapp"]``."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_socketio import SocketIO
from gevent.event import Event

from chatapp.services.chat import Chat
from chatapp.settings import Settings
from chatapp.transport.addresses import client_address
from chatapp.transport.auth import Authenticator
from chatapp.transport.limits import RateLimits
from chatapp.transport.sockets.draining import ALONE_SPREAD_SECONDS, DRAIN_SPREAD_SECONDS, drain
from chatapp.transport.sockets.websocket import wait_until_all_are_closed


@dataclass(frozen=True, slots=True)
class Extension:
    settings: Settings
    chat: Chat
    limits: RateLimits
    authenticator: Authenticator
    socketio: SocketIO

    def address(self) -> str:
        """Where the current request comes from."""
        return client_address(request.environ, self.settings.trusted_proxies)

    def drain(self, hurry: Event) -> None:
        """Tell every socket when it will be closed, and close it then; ``hurry`` makes that at once."""
        spread = DRAIN_SPREAD_SECONDS if self.settings.redis else ALONE_SPREAD_SECONDS
        drain(self.socketio.server, hurry, spread_max_seconds=spread)
        wait_until_all_are_closed(hurry)

    def close(self) -> None:
        """Close every socket, finish what was accepted, let go of the engines."""
        self.socketio.server.eio.disconnect()
        self.chat.close()

"""What of ours hangs on the Flask application, at ``app.extensions["chatapp"]``."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_socketio import SocketIO

from chatapp.services.chat import Chat
from chatapp.settings import Settings
from chatapp.transport.addresses import client_address
from chatapp.transport.limits import RateLimits


@dataclass(frozen=True, slots=True)
class Extension:
    settings: Settings
    chat: Chat
    limits: RateLimits
    socketio: SocketIO

    def address(self) -> str:
        """Where the current request comes from."""
        return client_address(request.environ, self.settings.trusted_proxies)

    def say_goodbye(self) -> None:
        """Close every socket; waits for none."""
        self.socketio.server.eio.disconnect()

    def close(self) -> None:
        """Say goodbye, finish what was accepted, let go of the engines."""
        self.say_goodbye()
        self.chat.close()

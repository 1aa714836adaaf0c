"""The application factory."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from flask import Flask

from chatapp.adapters.system import GeventScheduler, SystemClock
from chatapp.logs import configure_logs
from chatapp.settings import Settings
from chatapp.transport import http, rest
from chatapp.transport.auth import Authenticator
from chatapp.transport.extension import Extension
from chatapp.transport.gate import Gate
from chatapp.transport.limits import RateLimits
from chatapp.transport.rest.uploads import UploadRequest, discard_staged
from chatapp.transport.sockets import create_socketio
from chatapp.transport.sockets.library import answer_connects
from chatapp.transport.sockets.namespace import ChatNamespace
from chatapp.transport.sockets.publisher import SocketPublisher
from chatapp.transport.sockets.recovery import Recovery
from chatapp.transport.sockets.rooms import SocketRooms
from chatapp.transport.sockets.watchdog import Watchdog
from chatapp.version import VERSION
from chatapp.wiring import build_bus, build_chat, build_tokens


def create_app(settings: Settings | None = None, **overrides: Any) -> Flask:
    """The whole server as a WSGI application. ``overrides`` are fields of Settings.

    Raises SettingsError, StoreUnavailable, FilesUnavailable.
    """
    settings = replace(settings or Settings.from_env(os.environ), **overrides)
    configure_logs(settings)

    app = Flask("chatapp", static_folder=None)
    app.request_class = UploadRequest
    app.teardown_request(discard_staged)
    http.prepare(app)

    limits = RateLimits(app, settings)
    bus = build_bus(settings)
    scheduler = GeventScheduler()
    recovery = Recovery(bus, keep_seconds=settings.recovery_seconds, scheduler=scheduler, now=time.monotonic)
    socketio = create_socketio(app, settings, recovery.log, scheduler)
    rooms = SocketRooms(socketio.server, recovery.lost)
    chat = build_chat(settings, SocketPublisher(socketio.server, rooms, bus), rooms, bus, recovery)
    recovery.serve(chat, socketio.server.manager)
    tokens = build_tokens(settings)
    authenticator = Authenticator(
        tokens.verify if tokens else None,
        find_key=chat.api_keys.authenticate,
        is_revoked=chat.revocations.is_revoked,
        admin_roles=settings.auth_admin_roles,
    )
    namespace = ChatNamespace(chat, settings, limits, recovery, authenticator, scheduler=scheduler, clock=SystemClock())
    chat.revocations.on_revoked = namespace.revoke
    socketio.on_namespace(namespace)
    answer_connects(socketio.server, namespace.greet)
    Watchdog(socketio.server).start()

    app.extensions["chatapp"] = Extension(settings, chat, limits, authenticator, socketio)
    rest.register(app, version=VERSION, asks_for_proof=settings.auth_mode == "jwt")
    app.wsgi_app = Gate(app.wsgi_app, settings)  # type: ignore[method-assign]
    return app

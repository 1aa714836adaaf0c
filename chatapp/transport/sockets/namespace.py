"""The namespace that clients talk to: every event of the incoming table, carried out by one executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from flask_socketio import ConnectionRefusedError, Namespace
from marshmallow import ValidationError

from chatapp.domain.errors import (
    ChatError,
    IdentityMismatch,
    InvalidData,
    NotIdentified,
    TokenExpired,
    TokenRevoked,
    Unavailable,
    UnknownEvent,
)
from chatapp.ports import Clock, Scheduler
from chatapp.protocol import outgoing
from chatapp.protocol.incoming import BY_NAME, Incoming
from chatapp.protocol.outgoing import Direct
from chatapp.services.chat import Chat
from chatapp.settings import Settings
from chatapp.transport.addresses import client_address
from chatapp.transport.auth import Authenticator
from chatapp.transport.errors import Failure, describe, language_of, reason_of
from chatapp.transport.limits import CONNECTIONS, RateLimits
from chatapp.transport.sockets.connections import Connection, Welcome
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.expiry import TokenExpiry
from chatapp.transport.sockets.handlers import HANDLERS
from chatapp.transport.sockets.packets import Call
from chatapp.transport.sockets.recovery import Recovery, Returning
from chatapp.transport.sockets.rooms import NAMESPACE

log = structlog.get_logger(__name__)


class ChatNamespace(Namespace):
    """Events do not run in a Flask request context: to build one costs more than most of them."""

    def __init__(
        self,
        chat: Chat,
        settings: Settings,
        limits: RateLimits,
        recovery: Recovery,
        authenticator: Authenticator,
        *,
        scheduler: Scheduler,
        clock: Clock,
    ) -> None:
        super().__init__(NAMESPACE)
        self._authenticator = authenticator
        self._expiry = TokenExpiry(scheduler, clock, warn=self._warn, end=partial(self._end, code=TokenExpired.code))
        self._chat = chat
        self._settings = settings
        self._limits = limits
        self._recovery = recovery
        self._connections: dict[str, Connection] = {}

    def trigger_event(self, event: str | Call, *args: Any) -> Any:
        """The library's one entrance: ``disconnect`` is its own, a ``Call`` is a client's."""
        return self._answer(args[0], event) if isinstance(event, Call) else self._disconnect(*args)

    # ------------------------------------------------------------ connections
    def greet(self, environ: Mapping[str, Any], auth: Any) -> Welcome:
        """The client has a new connection, or goes on with one that was lost. Raises ConnectionRefusedError."""
        address = client_address(environ, self._settings.trusted_proxies)
        language = language_of(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        socket_id = self.server.eio.generate_id()
        try:
            self._limits.take(CONNECTIONS, address)
            caller, user_id = self._authenticator.of_handshake(auth)
        except ChatError as error:
            about = {"connection_id": socket_id, "address": address, "code": error.code, "reason": reason_of(error)}
            log.info("connection refused", **about)
            failure = describe(error, language)
            raise ConnectionRefusedError(failure.message, _told(failure)) from error
        except Exception as error:  # else the client would wait for an answer for ever
            log.exception("connecting failed", connection_id=socket_id)
            failure = describe("internal_error", language)
            raise ConnectionRefusedError(failure.message, _told(failure)) from error
        returning = None
        connection = Connection(socket_id, address, language, caller, self._renewing(socket_id), user_id)
        if self._recovery.is_offered(environ):
            returning = self._recovery.find(auth, caller.acting_for(None, known=user_id))
            if returning is None:
                connection.pid = self._recovery.new_pid()
            else:
                session = returning.session
                user_id = session.user_id or user_id
                renew = self._renewing(session.socket_id)
                connection = Connection(session.socket_id, address, language, caller, renew, user_id, session.pid)
        answer = {"sid": connection.socket_id, **({"pid": connection.pid} if connection.pid else {})}
        return Welcome(
            connection.socket_id,
            answer,
            begin=partial(self._begin, connection, auth, returning),
            cancel=partial(self._recovery.give_up, returning),
        )

    def _begin(self, connection: Connection, auth: Any, returning: Returning | None, transport: DirectSocket) -> None:
        self._connections[connection.socket_id] = connection
        transport.on_event = partial(self._answer, connection.socket_id)
        if self._authenticator.is_revoked(connection.caller):  # while the session was looked for
            self._recovery.give_up(returning)
            self._end(connection.socket_id, code=TokenRevoked.code)
            return
        self._recovery.begin(connection, transport, auth, returning)
        if connection.caller.identity:
            self._expiry.watch(connection.socket_id, connection.caller.identity.expires_at)
        log.info(
            "connected",
            connection_id=connection.socket_id,
            address=connection.address,
            recovered=returning is not None,
        )

    def _disconnect(self, socket_id: str, reason: str) -> None:
        connection = self._connections.pop(socket_id, None)
        if connection is None:
            return
        self._expiry.forget(socket_id)
        self._recovery.lose(connection, reason)
        self._chat.calls.disconnect(socket_id)
        # Nobody's too: it may be on its way in just now.
        self._chat.presence.disconnect(connection.user_id or "", socket_id)
        log.info("disconnected", connection_id=socket_id, reason=reason)

    # ------------------------------------------------------------ tokens
    def _renewing(self, socket_id: str) -> Callable[[str], datetime | None]:
        return partial(self._renew, socket_id)

    def _renew(self, socket_id: str, token: str) -> datetime | None:
        caller = self._authenticator.by_token(token)
        connection = self._connections.get(socket_id)
        if connection is None:  # closed meanwhile
            raise NotIdentified
        if caller.user_id != connection.caller.user_id:
            raise IdentityMismatch(userId=caller.user_id)
        connection.caller = caller
        if caller.identity is None:
            return None
        self._expiry.watch(socket_id, caller.identity.expires_at)
        return caller.identity.expires_at

    def revoke(self, user_id: str | None, before: datetime) -> None:
        """Close every connection of this user, or of anybody, whose token is from before then. Never waits."""
        for connection in tuple(self._connections.values()):
            identity = connection.caller.identity
            if identity and user_id in (None, identity.user_id) and identity.issued_at < before:
                self._end(connection.socket_id, code=TokenRevoked.code)

    def _warn(self, socket_id: str, left: timedelta) -> None:
        connection = self._connections.get(socket_id)
        if connection:
            self._tell(connection, outgoing.TOKEN_EXPIRING, {"in_ms": round(left.total_seconds() * 1000)})

    def _end(self, socket_id: str, *, code: str) -> None:
        connection = self._connections.get(socket_id)
        if connection:
            log.info("connection closed", connection_id=socket_id, code=code)
            self._tell(connection, outgoing.TOKEN_EXPIRED, {"code": code})
            self._chat.calls.forsake(socket_id)
            self.server.disconnect(socket_id, namespace=NAMESPACE)

    # ------------------------------------------------------------ events
    def _answer(self, socket_id: str, call: Call) -> dict[str, Any] | None:
        """The acknowledgement, when one is awaited; a failure is told either way."""
        connection = self._connections.get(socket_id)
        if connection is None:  # closed while the event was on its way
            return None
        row = BY_NAME.get(call.event)
        try:
            result = self._obey(connection, row, call)
        except ChatError as error:
            _log_refusal(socket_id, row, error)
            return self._refuse(connection, row, call, error)
        except Exception:
            log.exception("event failed", connection_id=socket_id, event_name=_shown(row))
            return self._refuse(connection, row, call, "internal_error")
        self.server.manager.settle(socket_id)  # or the acknowledgement would overtake what it stands for
        if row is not None and row.success:
            self._tell(connection, row.success, row.success.body(result))
        if not call.wants_ack:
            return None
        return {"ok": True, "data": row.result.dump(result) if row and row.result else None}

    def _obey(self, connection: Connection, row: Incoming | None, call: Call) -> Any:
        if call.refusal:
            raise call.refusal
        if row is None:
            raise UnknownEvent(event=call.event[:100])
        command = _load(row, call.arguments)
        if connection.user_id is None and not row.identifies:
            raise NotIdentified
        actor = connection.caller.acting_for(command.actor_id, known=connection.user_id)
        if row.limit:
            self._limits.take(row.limit, actor.user_id or connection.address)
        return HANDLERS[type(command)](self._chat, connection, command, actor)

    def _refuse(
        self, connection: Connection, row: Incoming | None, call: Call, error: ChatError | str
    ) -> dict[str, Any]:
        failure = describe(error, connection.language)
        if row is not None and row.failure:
            body = {"error": failure.message, "code": failure.code, "details": failure.details}
            self._tell(connection, row.failure, body)
        if not call.wants_ack:
            self._emit(connection, outgoing.ERROR, {"event": call.event, **_told(failure)})
        return {"ok": False, "error": _told(failure)}

    def _tell(self, connection: Connection, direct: Direct, body: Any) -> None:
        """``body`` is what the row's schema dumps."""
        self._emit(connection, direct, direct.schema.dump(body))

    def _emit(self, connection: Connection, direct: Direct, body: Any) -> None:
        self.server.emit(direct.name, body, to=connection.socket_id, namespace=NAMESPACE)


def _load(row: Incoming, arguments: tuple[Any, ...]) -> Any:
    """The command. An event takes one object; where every field is optional it may be left out."""
    if len(arguments) > 1:
        raise InvalidData({"_schema": ["one_argument"]})
    try:
        return row.schema.load(arguments[0] if arguments else {})
    except ValidationError as exc:
        raise InvalidData(exc.normalized_messages()) from exc


def _told(failure: Failure) -> dict[str, Any]:
    told: dict[str, Any] = {"code": failure.code, "message": failure.message, "details": failure.details}
    if failure.retry_after_ms is not None:
        told["retryAfterMs"] = failure.retry_after_ms
    return told


def _log_refusal(socket_id: str, row: Incoming | None, error: ChatError) -> None:
    """One line; with what the engine said where one is down, which is for the operator alone."""
    about = {"connection_id": socket_id, "event_name": _shown(row), "code": error.code}
    if isinstance(error, Unavailable):
        log.error("event refused", **about, error=str(error), cause=repr(error.__cause__))
    else:
        log.info("event refused", **about)


def _shown(row: Incoming | None) -> str:
    """What the log calls the event: never a text of the client's own."""
    return row.name if row else "unknown"

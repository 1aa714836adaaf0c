"""The gunicorn worker: gevent with websockets, and a stop that does not wait for sockets that never end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RD
from typing import Any, TypeVar

import gevent
import structlog
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler
from gunicorn.errors import AppImportError
from gunicorn.workers.ggevent import PyWSGIServer

from chatapp.domain.errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ChatHandler(WebSocketHandler):
    """Lets a connection wait for its next request, but not for ever and not while the server stops."""

    def read_requestline(self) -> str:
        if self.server.is_stopping:
            return ""
        self.server.idle.add(self.socket)
        try:
            return self._in_time(super().read_requestline, otherwise="")  # nothing read ends the connection
        finally:
            self.server.idle.discard(self.socket)

    def read_request(self, raw_requestline: str) -> bool:
        """False is a bad request; so is one whose headers do not end."""
        return self._in_time(super().read_request, raw_requestline, otherwise=False)

    def get_environ(self) -> dict[str, Any]:
        """``Upgrade`` counts only with ``Connection: upgrade`` (RFC 9110, 7.8); the library stumbles over one alone."""
        environ: dict[str, Any] = super().get_environ()
        if "upgrade" not in environ.get("HTTP_CONNECTION", "").lower():
            environ.pop("HTTP_UPGRADE", None)
        return environ

    def upgrade_websocket(self) -> list[bytes] | None:
        """The library's refusals are text, which cannot be sent; a key that is not base64 it does not refuse at all."""
        try:
            refusal: list[str] | None = super().upgrade_websocket()
        except ValueError:
            self.start_response("400 Bad Request", [])
            refusal = ["Sec-WebSocket-Key must be base64"]
        return None if refusal is None else [text.encode() for text in refusal]

    # ------------------------------------------------------------ what goes wrong below the application
    def handle(self) -> None:
        with suppress(OSError):  # who sent no HTTP need not wait for the answer
            super().handle()

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes]:
        """The library prints what the client sent, and a traceback when it has hung up."""
        log.info("request refused", address=self.client_address[0], reason=type(ex).__name__)
        return "400", BAD_REQUEST

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        if not issubclass(t, gevent.GreenletExit):
            log.error("request failed", address=self.client_address[0], exc_info=(t, v, tb))

    def _in_time(self, read: Callable[..., T], *arguments: Any, otherwise: T) -> T:
        result: T = gevent.with_timeout(self.server.keepalive_seconds, read, *arguments, timeout_value=otherwise)
        return result


class ChatServer(PyWSGIServer):
    """``idle`` are the connections between two requests. A browser keeps some, whatever becomes of the page."""

    keepalive_seconds: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: set[Any] = set()
        self.is_stopping = False

    def stop_listening(self) -> None:
        self.is_stopping = True
        self.close()
        for connection in list(self.idle):
            with suppress(OSError):  # the client was quicker
                connection.shutdown(SHUT_RD)


class ChatWorker(GeventWebSocketWorker):
    wsgi_handler = ChatHandler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._servers: list[ChatServer] = []

    def server_class(self, *args: Any, **kwargs: Any) -> ChatServer:
        """gunicorn makes one for each address it listens on."""
        server = ChatServer(*args, **kwargs)
        server.keepalive_seconds = self.cfg.keepalive
        self._servers.append(server)
        return server

    def load_wsgi(self) -> None:
        """An engine that cannot be opened stops the start with a sentence; gunicorn would print a traceback."""
        try:
            super().load_wsgi()
        except Unavailable as exc:
            raise AppImportError(f"chatapp: {exc}") from exc

    def run(self) -> None:
        """Until SIGTERM, and then until what was begun is finished."""
        super().run()
        self.wsgi.extensions["chatapp"].close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: no new connections, finish what was begun."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._say_goodbye)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT mean the same here: an accepted message is finished either way."""
        self.handle_exit(sig, frame)

    def _say_goodbye(self) -> None:
        for server in self._servers:
            server.stop_listening()
        self.wsgi.extensions["chatapp"].say_goodbye()

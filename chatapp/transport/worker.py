"""The gunicorn worker: gevent with websockets, and a stop that does not wait for sockets that never end."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RD
from typing import Any, TypeVar

import gevent
import structlog
from gevent import socket
from gevent.pywsgi import WSGIHandler
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler
from gunicorn.errors import AppImportError
from gunicorn.workers.ggevent import PyWSGIServer

from chatapp.domain.errors import Unavailable
from chatapp.transport.handoff import Handoff, Reader, leave_folder, owner_of, workers_folder
from chatapp.transport.newcomers import Newcomers, newcomers

log = structlog.get_logger(__name__)

T = TypeVar("T")

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ChatHandler(WebSocketHandler):
    """Lets a connection wait for its next request, but not for ever and not while the server stops."""

    socket: Any
    is_websocket = False
    is_handed_over = False
    """Another worker has read its first request, or a part of it: that one is ours, whatever comes."""

    def read_requestline(self) -> str:
        """Nothing ends the connection, as far as it is ours."""
        is_ours, self.is_handed_over = self.is_handed_over, False
        if self.server.is_stopping and not is_ours:
            return ""
        line = self._next_line()
        return line if is_ours or not self._hand_over(line) else ""

    def _next_line(self) -> str:
        self.server.idle.add(self.socket)
        try:
            return self._in_time(super().read_requestline, otherwise="")
        finally:
            self.server.idle.discard(self.socket)

    def _hand_over(self, line: str) -> bool:
        """True when this request, with all that follows on its connection, is another worker's now."""
        if self.server.handoff is None:
            return False
        owner = owner_of(line, self.server.socket_path)
        if owner is None or owner == os.getpid():
            return False
        if not self.server.handoff.give(owner, self.socket, line.encode("latin-1") + self.rfile.waiting()):
            return False
        self.socket.close()
        self.socket = None  # the library would read from it, to end it well
        return True

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

    def run_application(self) -> None:
        """The library answers every handshake with 101 before anybody is asked. Here the application answers: who
        wants to have the WebSocket accepts it; other paths, unknown sessions and the like are refused by HTTP.
        Either way it is the connection's last request."""
        self.result = self.upgrade_websocket()
        if self.result is not None:
            self.process_result()
            return
        websocket = self.environ.pop("wsgi.websocket", None)
        if websocket is not None:
            websocket.closed = True  # it must not write a close frame of its own
            del self.websocket
            self.environ["chatapp.handshake"] = self
        try:
            WSGIHandler.run_application(self)
        finally:
            self.environ.pop("chatapp.handshake", None)  # or handlers would wait for the garbage collector

    def accept_websocket(self) -> None:
        """Send the 101 that ``upgrade_websocket`` has begun. From now on the socket carries frames."""
        self.write(b"")
        self.is_websocket = True

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """Socket.IO answers 200 when a WebSocket has ended, which is for nobody."""
        if not self.is_websocket:
            return super().start_response(status, headers, exc_info)
        return lambda _: None

    def process_result(self) -> None:
        if not self.is_websocket:
            super().process_result()

    def _connection_upgrade_requested(self) -> bool:
        """The body of a request that only talks of upgrades must be counted too, or its rest is the next request."""
        return False

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
    """``idle`` are the connections between two requests. A browser keeps some, whatever becomes of the page.
    ``handoff`` is None where one worker is alone."""

    keepalive_seconds: float
    socket_path = ""
    handoff: Handoff | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: set[Any] = set()
        self.is_stopping = False

    def hand_off_through(self, folder: Path, number: int, socket_path: str) -> None:
        """To be called before ``start``."""
        self.socket_path = socket_path
        self.handoff = Handoff(folder, number, self._adopt)

    def start(self) -> None:
        super().start()  # asks for the machine's name, and the stop may come meanwhile
        if self.handoff is not None:
            self.handoff.open()
        if self.is_stopping:
            self.stop_listening()

    def handle(self, sock: Any, address: Any, read: bytes = b"") -> None:
        """``read`` is what another worker has read of it."""
        handler = self.handler_class(sock, address, self, Reader(sock, read) if self.handoff else None)
        handler.is_handed_over = bool(read)
        handler.handle()

    def _adopt(self, fd: int, read: bytes) -> None:
        sock = socket.socket(fileno=fd)
        try:
            address = sock.getpeername()
        except OSError:  # the client was quicker
            sock.close()
            return
        self.pool.spawn(self._serve, sock, address, read)

    def _serve(self, sock: Any, address: Any, read: bytes) -> None:
        try:
            self.handle(sock, address, read)
        finally:
            sock.close()

    def stop_listening(self) -> None:
        self.is_stopping = True
        if not self.started:  # then start() does the rest
            return
        self.close()
        if self.handoff is not None:
            self.handoff.close()
        for connection in list(self.idle):
            with suppress(OSError):  # the client was quicker
                connection.shutdown(SHUT_RD)


class ChatWorker(GeventWebSocketWorker):
    wsgi_handler = ChatHandler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """In the master, before the fork."""
        super().__init__(*args, **kwargs)
        self._servers: list[ChatServer] = []
        self._newcomers: Newcomers | None = None
        self._is_leaving = False
        if self.cfg.workers > 1:  # one alone must have left before the next serves: neither hears the other
            self._newcomers = newcomers()
            self._newcomers.expect(self.age)
        self._folder: Path | None = None
        if self.cfg.workers > 1 and not self.cfg.is_ssl:  # the state of a TLS connection cannot be handed over
            self._folder = workers_folder(self.cfg.uid, self.cfg.gid)

    def server_class(self, *args: Any, **kwargs: Any) -> ChatServer:
        """gunicorn makes one for each address it listens on."""
        server = ChatServer(*args, **kwargs)
        server.keepalive_seconds = self.cfg.keepalive
        if self._folder is not None:
            socket_path = self.wsgi.extensions["chatapp"].settings.socket_path
            server.hand_off_through(self._folder, len(self._servers), socket_path)
        self._servers.append(server)
        return server

    def load_wsgi(self) -> None:
        """An engine that cannot be opened stops the start with a sentence; gunicorn would print a traceback."""
        try:
            super().load_wsgi()
        except Unavailable as exc:
            raise AppImportError(f"chatapp: {exc}") from exc
        if self._folder is not None:
            # Only now: gunicorn's master imports this module, and nothing is patched there.
            from chatapp.transport.sockets.library import begin_ids_with_the_worker  # noqa: PLC0415

            begin_ids_with_the_worker(self.wsgi.extensions["chatapp"].socketio.server)

    def run(self) -> None:
        """Until SIGTERM, and then until what was begun is finished."""
        try:
            super().run()
        finally:
            self._is_here()
            self._leave_the_others()
        self.wsgi.extensions["chatapp"].close()

    def notify(self) -> None:
        """For the first time when all addresses are listened to, then each second."""
        super().notify()
        self._is_here()

    def _is_here(self) -> None:
        if self._newcomers is not None:
            self._newcomers.welcome(self.age)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: no new connections, finish what was begun."""
        if not self._is_leaving:  # gunicorn says it again to who takes long
            self._is_leaving = True
            gevent.spawn(self._leave, sig, frame)

    def _leave(self, sig: int, frame: Any) -> None:
        if self._newcomers is not None:
            self._newcomers.wait()
        super().handle_exit(sig, frame)
        self._say_goodbye()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT mean the same here: an accepted message is finished either way."""
        self.handle_exit(sig, frame)

    def _say_goodbye(self) -> None:
        for server in self._servers:
            server.stop_listening()
        self.wsgi.extensions["chatapp"].say_goodbye()

    def _leave_the_others(self) -> None:
        for server in self._servers:
            if server.handoff is not None:
                server.handoff.close()
        if self._folder is not None:
            leave_folder(self._folder, is_orphaned=os.getppid() != self.ppid)

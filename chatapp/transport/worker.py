"""The gunicorn worker: gevent with websockets, and a stop that parts with its clients one by one."""

from __future__ import annotations

import gc
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ECONNRESET
from hashlib import sha1
from pathlib import Path
from socket import SHUT_RD
from typing import Any, TypeVar

import gevent
import structlog
from gevent import socket
from gevent.event import Event
from gevent.pywsgi import WSGIHandler
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler
from gunicorn.errors import AppImportError
from gunicorn.workers.ggevent import PyWSGIServer

from chatapp.domain.errors import TooSlow, Unavailable
from chatapp.transport.handoff import Handoff, Reader, leave_folder, owner_of, session_of, workers_folder
from chatapp.transport.newcomers import Newcomers, newcomers
from chatapp.transport.pace import Pace
from chatapp.transport.security_headers import BARE, completed

log = structlog.get_logger(__name__)

T = TypeVar("T")

SAME_STOP_SECONDS = 1.0
"""A quick stop that is asked for again within this is the same one: a terminal signals every process, and the master
passes on what it was told."""

CUT_SECONDS = 0.5
"""What was begun gets so long when somebody is in a hurry: gunicorn's master then kills after 2 s, and looks at
its workers, as they do at themselves, once a second."""

KEY_BYTES = 16
"""Of a Sec-WebSocket-Key, which is sent as base64 (RFC 6455, 4.1)."""

HEAD_MAX_BYTES = 64 * 1024
"""Of a request's headers; there may be a hundred of them (Python's ``http.client``). A proxy's own limit is lower."""


def _bare_answer(status: str) -> bytes:
    """For what is no request that the application could answer."""
    headers = [("Connection", "close"), ("Content-Length", "0"), *BARE]
    return "\r\n".join([f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


BARE_ANSWERS = {
    "400": _bare_answer("400 Bad Request"),
    "414": _bare_answer("414 URI Too Long"),
    "431": _bare_answer("431 Request Header Fields Too Large"),
}


class HeadTooLarge(Exception):
    """The headers of a request are more than ``HEAD_MAX_BYTES``."""


GC_THRESHOLDS = (20_000, 50, 20)
"""Nearly everything here goes when its last reference does. With Python's own thresholds (700, 10, 10) the search for
cycles takes a fifth of the CPU of a message, and stops everybody for up to 0.1 s (measured: 192 µs a message and a p99
of 176 ms against 158 µs and 43 ms, 200 private pairs)."""


@contextmanager
def sparing_the_collector() -> Iterator[None]:
    """What is loaded inside it is never looked through, neither now nor later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        gc.enable()


class ChatHandler(WebSocketHandler):
    """Lets a connection wait for its next request, but not for ever and not while the server stops."""

    socket: Any
    result: Any
    is_websocket = False
    is_handed_over = False
    """Another worker has read its first request, or a part of it: that one is ours, whatever comes."""
    is_fresh = True
    """Nothing was read yet. The kernel gave it to us, and no sibling can answer what is on its way."""
    _head_left: int
    _reading: Pace
    _writing: Pace
    session: str | None = None
    """Whose request this is, or was, while the connection waits for the next."""

    def read_requestline(self) -> str:
        """Nothing ends the connection, as far as it is ours."""
        is_ours, self.is_handed_over = self.is_handed_over, False
        if not is_ours and not self.server.waits_for(self):
            if not self.is_fresh:
                return ""
            self.end_reading()
        line = self._next_line()
        self.is_fresh = False
        if not is_ours and self._hand_over(line):
            return ""
        self.session = session_of(line, self.server.socket_path)
        return line

    def end_reading(self) -> None:
        """Only what has arrived already will be read."""
        with suppress(OSError):  # the client was quicker
            self.socket.shutdown(SHUT_RD)

    def _next_line(self) -> str:
        self.rfile.receive_by(None)
        self.server.idle.add(self)
        try:
            return self._in_time(super().read_requestline, otherwise="")
        finally:
            self.server.idle.discard(self)

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
        self._head_left = HEAD_MAX_BYTES
        self.rfile.receive_by(self._receive_head)
        try:
            return self._in_time(super().read_request, raw_requestline, otherwise=False)
        finally:
            self.rfile.receive_by(None)

    def _receive_head(self, buffer: Any) -> int:
        received: int = self.socket.recv_into(buffer)
        self._head_left -= received
        if self._head_left < 0:
            raise HeadTooLarge
        return received

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

    def upgrade_connection(self) -> list[str] | None:
        """The library makes a WebSocket of its own with the answer, which costs as much to be rid of as to make. What
        it would refuse it refuses."""
        key = self.environ.get("HTTP_SEC_WEBSOCKET_KEY", "").strip()
        is_known = self.environ["HTTP_SEC_WEBSOCKET_VERSION"] in self.SUPPORTED_VERSIONS
        if not is_known or len(b64decode(key)) != KEY_BYTES:
            refusal: list[str] = super().upgrade_connection()
            return refusal
        accept = b64encode(sha1((key + self.GUID).encode("latin-1"), usedforsecurity=False).digest()).decode()
        self.environ["wsgi.websocket"] = self  # tells the library that the response is a handshake's
        headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
        self.start_response("101 Switching Protocols", headers)
        return None

    def run_application(self) -> None:
        self._expect_body()
        try:
            self._run_application()
        finally:
            self._expect_rest()

    def _run_application(self) -> None:
        """The library answers every handshake with 101 before anybody is asked. Here the application answers: who
        wants to have the WebSocket accepts it; other paths, unknown sessions and the like are refused by HTTP.
        Either way it is the connection's last request."""
        if self.server.is_stopping and self.session == "":  # another worker can have the new client
            self.start_response("503 Service Unavailable", [])
            self.result = [b""]
            self.process_result()
            return
        self.result = self.upgrade_websocket()
        if self.result is not None:
            self.process_result()
            return
        if self.environ.pop("wsgi.websocket", None) is not None:
            self.environ["chatapp.handshake"] = self
        try:
            WSGIHandler.run_application(self)
        finally:
            self.environ.pop("chatapp.handshake", None)  # or handlers would wait for the garbage collector

    # ------------------------------------------------------------ how slow a client may be
    def _expect_body(self) -> None:
        self._reading, self._writing = self.server.new_pace(), self.server.new_pace()
        self.rfile.receive_by(self._receive_body)

    def _expect_rest(self) -> None:
        """What the application has not read of the body must be read nonetheless: a connection that is closed before
        loses the answer on its way. But there is an end to everything."""
        self._reading = self.server.new_pace(max_bytes=self.server.rest_max_bytes)
        self.rfile.receive_by(self._receive_rest)

    def _receive_body(self, buffer: Any) -> int:
        try:
            return self._receive_rest(buffer)
        except TimeoutError:
            raise TooSlow from None

    def _receive_rest(self, buffer: Any) -> int:
        try:
            return self._reading.move(self.socket, self.socket.recv_into, buffer)
        except TimeoutError:
            self.close_connection = True
            raise

    def _sendall(self, data: bytes) -> None:
        """The library waits for ever for a client that does not read."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._writing.move(self.socket, self.socket.send, rest) :]
        except TimeoutError:
            log.info("cut off: a client does not read its answer", address=self.client_address[0])
            raise ConnectionResetError(ECONNRESET, "the client does not read") from None  # which the library ignores
        self.response_length += len(data)

    def accept_websocket(self) -> None:
        """Send the 101 that ``upgrade_websocket`` has begun. From now on the socket carries frames."""
        self.write(b"")
        self.is_websocket = True

    def let_go(self) -> None:
        """The WebSocket lives by itself from now on, and closes the socket at its end."""
        self.server.let_go(self.socket)
        self.socket = None

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """Socket.IO answers 200 when a WebSocket has ended, which is for nobody."""
        if self.is_websocket:
            return lambda _: None
        if not status.startswith("101"):
            headers = completed(headers, BARE)
            if self.close_connection or not self.server.waits_for(self):
                headers.append(("Connection", "close"))  # the library closes without a word
        return super().start_response(status, headers, exc_info)

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
        return ("431" if isinstance(ex, HeadTooLarge) else "400"), b""

    def handle_one_request(self) -> Any:
        """A pair is what is to be sent before the connection is closed."""
        result = super().handle_one_request()
        if isinstance(result, tuple):
            status, _ = result
            return status, BARE_ANSWERS[status]
        return result

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        if not issubclass(t, gevent.GreenletExit):
            log.error("request failed", address=self.client_address[0], exc_info=(t, v, tb))

    def _in_time(self, read: Callable[..., T], *arguments: Any, otherwise: T) -> T:
        result: T = gevent.with_timeout(self.server.keepalive_seconds, read, *arguments, timeout_value=otherwise)
        return result


class ChatServer(PyWSGIServer):
    """``idle`` are the connections between two requests. A browser keeps some, whatever becomes of the page.
    ``handoff`` is None where one worker is alone. First it ``is_stopping``: nobody new, but polling clients come and
    go. Then it ``has_stopped``, and takes no more requests."""

    keepalive_seconds: float
    stall_seconds = 30.0
    bytes_per_second = 4096.0
    """How slow a client may be with a request's body and with its answer; see ``Pace``."""
    rest_max_bytes = 64 * 1024 * 1024
    """Of a body that nobody wants, after the answer."""
    socket_path = "/socket.io"
    handoff: Handoff | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: set[ChatHandler] = set()
        self._let_go: set[Any] = set()
        self.is_stopping = self.has_stopped = False

    def hand_off_through(self, folder: Path, number: int) -> None:
        """To be called before ``start``."""
        self.handoff = Handoff(folder, number, self._adopt)

    def start(self) -> None:
        super().start()  # asks for the machine's name, and the stop may come meanwhile
        if self.handoff is not None:
            self.handoff.open()
        if self.is_stopping:
            self.stop_listening()

    def handle(self, sock: Any, address: Any, read: bytes = b"") -> None:
        """``read`` is what another worker has read of it."""
        handler = self.handler_class(sock, address, self, Reader(sock, read))
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
            self.do_close(sock)

    def new_pace(self, max_bytes: float = float("inf")) -> Pace:
        return Pace(stall_seconds=self.stall_seconds, bytes_per_second=self.bytes_per_second, max_bytes=max_bytes)

    def let_go(self, sock: Any) -> None:
        """Its connection is nobody's request any more; who has it closes it."""
        self._let_go.add(sock)

    def do_close(self, sock: Any, *_: Any) -> None:
        """The connection's requests are over."""
        if sock in self._let_go:
            self._let_go.remove(sock)
        else:
            sock.close()

    def waits_for(self, handler: ChatHandler) -> bool:
        """Whether the handler's connection may ask once more."""
        return not self.is_stopping or (not self.has_stopped and (handler.is_fresh or bool(handler.session)))

    def stop_listening(self) -> None:
        """No new connections. The sessions that are here go on, also by what siblings hand over."""
        self.is_stopping = True
        if self.started:  # else start() does the rest
            self.close()
            self._end_idle()

    def stop_answering(self) -> None:
        """After ``stop_listening``: no more requests at all."""
        self.has_stopped = True
        if self.handoff is not None:
            self.handoff.close()
        self._end_idle()

    def _end_idle(self) -> None:
        for handler in self.idle:
            if not self.waits_for(handler):
                handler.end_reading()


class ChatWorker(GeventWebSocketWorker):
    wsgi_handler = ChatHandler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """In the master, before the fork."""
        super().__init__(*args, **kwargs)
        self._servers: list[ChatServer] = []
        self._stopping_since: float | None = None
        self._hurry = Event()
        self._newcomers: Newcomers | None = None
        if self.cfg.workers > 1:  # one alone must have left before the next serves: neither hears the other
            self._newcomers = newcomers()
            self._newcomers.expect(self.age)
        self._folder: Path | None = None
        if self.cfg.workers > 1:
            self._folder = workers_folder(self.cfg.uid, self.cfg.gid)

    def server_class(self, *args: Any, **kwargs: Any) -> ChatServer:
        """gunicorn makes one for each address it listens on."""
        server = ChatServer(*args, **kwargs)
        server.keepalive_seconds = self.cfg.keepalive
        server.socket_path = self.wsgi.extensions["chatapp"].settings.socket_path
        server.is_stopping = self._stopping_since is not None
        if self._folder is not None:
            server.hand_off_through(self._folder, len(self._servers))
        self._servers.append(server)
        return server

    def load_wsgi(self) -> None:
        """An engine that cannot be opened stops the start with a sentence; gunicorn would print a traceback."""
        try:
            with sparing_the_collector():
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
        """SIGTERM: no new connections, finish what was begun, part with the clients one by one. gunicorn says it again,
        each second, to who is retired and takes long."""
        gevent.spawn(self._stop, is_quick=False)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: with all at once, but an accepted message is finished either way. After another stop was
        asked for, what was begun has little time."""
        gevent.spawn(self._stop, is_quick=True)

    def _stop(self, *, is_quick: bool) -> None:
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            if is_quick:
                self._hurry.set()
            self._drain()
        elif is_quick and (not self._hurry.is_set() or time.monotonic() - self._stopping_since > SAME_STOP_SECONDS):
            self._hurry.set()
            for server in self._servers:
                server.stop(timeout=CUT_SECONDS)

    def _drain(self) -> None:
        """Who is to come serves before we stop. Nothing ends without us when we are in a server's pool: gunicorn's loop
        waits until those are empty."""
        if self._newcomers is not None:
            self._newcomers.wait(self._hurry)
        for server in self._servers[:1]:
            server.pool.add(gevent.getcurrent())
        self.alive = False
        for server in self._servers:
            server.stop_listening()
        if self._servers:  # else it has not begun
            self.wsgi.extensions["chatapp"].drain(self._hurry)
        for server in self._servers:
            server.stop_answering()

    def _leave_the_others(self) -> None:
        for server in self._servers:
            if server.handoff is not None:
                server.handoff.close()
        if self._folder is not None:
            leave_folder(self._folder, is_orphaned=os.getppid() != self.ppid)

"""The worker's HTTP server: it waits for clients, but not for ever, and stops without waiting for idle ones."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool

from chatapp.transport.newcomers import LOOK_SECONDS, Newcomers
from chatapp.transport.worker import CUT_SECONDS, SAME_STOP_SECONDS, ChatHandler, ChatServer, ChatWorker

PATIENCE = 10.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class World:
    def __init__(self) -> None:
        self.asked, self.go_on = Event(), Event()
        self.go_on.set()
        self.environ: dict[str, Any] = {}
        self.server = ChatServer(
            ("127.0.0.1", 0), application=self._answer, spawn=Pool(100), log=None, handler_class=ChatHandler
        )
        self.server.keepalive_seconds = PATIENCE
        self.server.start()
        self.connections: list[Any] = []

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = environ
        self.asked.set()
        assert self.go_on.wait(PATIENCE)
        if environ["PATH_INFO"] == "/fails":
            raise RuntimeError("secret")
        start_response("200 OK", [("Content-Length", "4")])
        return [b"hola"]

    def connect(self) -> Any:
        connection = socket.create_connection(("127.0.0.1", self.server.server_port), timeout=PATIENCE)
        self.connections.append(connection)
        return connection

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.server.stop(timeout=1)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def read_answer(connection: Any) -> bytes:
    data = b""
    while not data.endswith(b"hola"):
        more = connection.recv(4096)
        assert more, data
        data += more
    return data


def read_to_end(connection: Any) -> bytes:
    data = b""
    while more := connection.recv(4096):
        data += more
    return data


def test_a_connection_is_kept_for_the_next_request(world: World) -> None:
    connection = world.connect()
    for _ in range(3):
        connection.sendall(REQUEST)
        assert read_answer(connection).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("sent", "answer"), [(b"", b""), (b"GET", b""), (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 400 ")]
)
def test_who_does_not_finish_a_request_is_not_waited_for(world: World, sent: bytes, answer: bytes) -> None:
    world.server.keepalive_seconds = 0.05
    connection = world.connect()
    connection.sendall(sent)
    assert read_to_end(connection)[: len(answer) or None] == answer


def test_a_stop_ends_idle_connections_and_finishes_what_was_begun(world: World) -> None:
    idle, busy = world.connect(), world.connect()
    idle.sendall(REQUEST)
    read_answer(idle)
    world.asked.clear()
    world.go_on.clear()
    busy.sendall(REQUEST)
    assert world.asked.wait(PATIENCE)
    world.server.stop_listening()
    assert read_to_end(idle) == b""
    world.go_on.set()
    assert read_to_end(busy).endswith(b"hola")  # and the connection is not kept
    with pytest.raises(OSError, match="refused"):
        world.connect()
    assert world.server.pool.join(PATIENCE)


SESSION = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: x\r\n\r\n"
HANDSHAKE_BY_POLLING = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_session_s_connection_goes_on_until_the_server_has_stopped(world: World) -> None:
    connection = world.connect()
    connection.sendall(SESSION)
    read_answer(connection)
    world.server.stop_listening()
    for _ in range(3):
        connection.sendall(SESSION)
        assert b"close" not in read_answer(connection)
    world.server.stop_answering()
    assert read_to_end(connection) == b""
    assert world.server.pool.join(PATIENCE)


def test_a_stopping_server_refuses_new_sessions_and_says_which_answer_is_the_last(world: World) -> None:
    connections = [world.connect() for _ in range(2)]
    for connection in connections:
        connection.sendall(SESSION)
        read_answer(connection)
    world.server.stop_listening()
    connections[0].sendall(HANDSHAKE_BY_POLLING)
    assert read_to_end(connections[0]).startswith(b"HTTP/1.1 503 ")
    connections[1].sendall(REQUEST)
    answer = read_to_end(connections[1])
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


@pytest.mark.parametrize("stopped", [False, True], ids=["stopping", "has stopped"])
def test_a_connection_that_the_kernel_gave_us_before_the_stop_is_answered(world: World, stopped: bool) -> None:
    """Nobody else can. While the server is stopping it may still ask; then what it has sent already counts."""
    world.server.keepalive_seconds = 3 * PATIENCE
    (asking, its), (silent, other) = socket.socketpair(), socket.socketpair()
    for connection in (asking, silent):
        connection.settimeout(PATIENCE)
        world.connections.append(connection)
    world.server.stop_listening()
    if stopped:
        asking.sendall(REQUEST)
        world.server.stop_answering()
    for accepted in (its, other):
        world.server.pool.spawn(world.server._serve, accepted, ("127.0.0.1", 1), b"")
    gevent.sleep(0)
    if not stopped:
        asking.sendall(REQUEST)
    assert read_to_end(asking).endswith(b"hola")
    if not stopped:
        world.server.stop_answering()
    assert read_to_end(silent) == b""
    assert world.server.pool.join(PATIENCE)


# ---------------------------------------------------------------- how the worker is told
class Stopping(ChatWorker):
    """A worker whose clients stay until somebody is in a hurry."""

    def __init__(self, server: ChatServer) -> None:
        self._servers, self._stopping_since, self._hurry, self.alive = [server], None, Event(), True
        self._newcomers = None
        self.wsgi = SimpleNamespace(extensions={"chatapp": SimpleNamespace(drain=lambda hurry: hurry.wait(PATIENCE))})

    @property
    def is_hurried(self) -> bool:
        """After every greenlet had its turn."""
        for _ in range(3):
            gevent.sleep(0)
        return bool(self._hurry.is_set())

    def asked_before(self, seconds: float) -> None:
        assert self._stopping_since is not None
        self._stopping_since -= seconds


def test_a_stop_lasts_until_the_clients_are_gone_though_no_connection_is_open(world: World) -> None:
    worker = Stopping(world.server)
    worker.handle_exit(signal.SIGTERM, None)
    assert not worker.is_hurried
    assert (worker.alive, world.server.is_stopping, world.server.has_stopped) == (False, True, False)
    assert world.server.pool.free_count() == world.server.pool.size - 1, "gunicorn would leave"
    worker._hurry.set()
    assert world.server.pool.join(PATIENCE)
    assert world.server.has_stopped


def test_gunicorn_may_say_it_each_second_to_who_takes_long(world: World) -> None:
    worker = Stopping(world.server)
    for _ in range(3):
        worker.handle_exit(signal.SIGTERM, None)
        assert not worker.is_hurried
        worker.asked_before(seconds=SAME_STOP_SECONDS)


def test_a_worker_serves_until_its_successor_does(world: World) -> None:
    worker, worker._newcomers = Stopping(world.server), Newcomers()
    worker._newcomers.expect(1)
    worker.handle_exit(signal.SIGTERM, None)
    assert not worker.is_hurried
    assert worker.alive
    assert not world.server.is_stopping
    worker._newcomers.welcome(1)
    gevent.sleep(2 * LOOK_SECONDS)
    assert world.server.is_stopping


@pytest.mark.parametrize("is_same", [True, False])
def test_a_quick_stop_told_twice_is_one_and_later_it_cuts_off(world: World, is_same: bool) -> None:
    """A terminal tells the master and its workers, and the master tells its workers."""
    world.go_on.clear()
    connection = world.connect()
    connection.sendall(REQUEST)
    assert world.asked.wait(PATIENCE)
    worker = Stopping(world.server)
    worker.handle_quit(signal.SIGINT, None)
    assert worker.is_hurried
    if not is_same:
        worker.asked_before(seconds=SAME_STOP_SECONDS)
    worker.handle_quit(signal.SIGQUIT, None)
    gevent.sleep(2 * CUT_SECONDS)
    world.go_on.set()
    assert read_to_end(connection).endswith(b"hola") is is_same


@pytest.mark.parametrize("first", ["handle_exit", "handle_quit"])
def test_a_quick_stop_is_a_hurry_at_any_time(world: World, first: str) -> None:
    worker = Stopping(world.server)
    getattr(worker, first)(signal.SIGTERM, None)
    assert worker.is_hurried == (first == "handle_quit")
    worker.handle_quit(signal.SIGQUIT, None)
    assert worker.is_hurried


def test_who_asks_to_close_is_told_that_it_was_heard(world: World) -> None:
    connection = world.connect()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in read_to_end(connection)


def test_a_stop_while_the_server_starts_is_kept_in_mind() -> None:
    server = ChatServer(("127.0.0.1", 0), application=None, spawn=Pool(100), log=None, handler_class=ChatHandler)
    server.update_environ = server.stop_listening  # is called halfway, and waits for a resolver
    server.start()
    assert server.is_stopping
    assert not server.started
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE)


def test_upgrade_counts_only_when_connection_says_so(world: World) -> None:
    for header, kept in ((b"close", False), (b"keep-alive", False), (b"keep-alive, Upgrade", True)):
        connection = world.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: other\r\nConnection: " + header + b"\r\n\r\n")
        read_answer(connection)
        assert ("HTTP_UPGRADE" in world.environ) is kept, header


@pytest.mark.parametrize("key", [b"x", b"", "ñ".encode()])
def test_a_websocket_key_that_is_none_is_a_bad_request(world: World, key: bytes) -> None:
    connection = world.connect()
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: close, Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\r\n\r\n", b"SECRET\r\n\r\n", b"GET / HTTP/7\r\n\r\n"])
def test_what_is_no_http_gets_a_400_and_is_not_quoted(
    world: World, rubbish: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = world.connect()
    connection.sendall(rubbish)
    assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    assert "SECRET" not in said


def test_who_hangs_up_before_the_answer_harms_nobody(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        connection = world.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close is a reset
        connection.sendall(b"rubbish\r\n\r\n")
        connection.close()
    gevent.sleep(0)
    survivor = world.connect()
    survivor.sendall(REQUEST)
    read_answer(survivor)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_failure_below_the_application_is_logged_and_a_500_without_text(world: World) -> None:
    connection = world.connect()
    connection.sendall(b"GET /fails HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_a_handshake_that_nobody_accepts_is_answered_by_http(world: World) -> None:
    connection = world.connect()
    connection.sendall(HANDSHAKE % b"/")
    answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Upgrade" not in answer
    assert answer.endswith(b"\r\n\r\nhola")


def test_what_follows_an_accepted_handshake_is_its_acceptor_s_alone(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    def accept(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        handler = environ["chatapp.handshake"]
        handler.accept_websocket()
        handler.socket.sendall(handler.rfile.readline())
        start_response("200 OK", [("Content-Length", "2")])(b"written")
        return [b"OK"]

    world.server.application = accept
    connection = world.connect()
    connection.sendall(HANDSHAKE % b"/" + b"frames\n")
    answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert answer.endswith(b"\r\n\r\nframes\n")
    assert b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=" in answer
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_body_beside_talk_of_upgrades_is_no_next_request(world: World) -> None:
    def read(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert environ["wsgi.input"].read(3) == b"GET"
        return answer(environ, start_response)

    answer, world.server.application = world.server.application, read
    connection = world.connect()
    connection.sendall(
        b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 18\r\n\r\n"
        b"GET /x HTTP/1.1\r\n\r"
    )
    read_answer(connection)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nGET")
    assert read_to_end(connection).startswith(b"HTTP/1.1 200 OK")
    assert world.environ["PATH_INFO"] == "/"

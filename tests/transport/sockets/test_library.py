"""What we use of the libraries without being asked to. A red test here means: read what a new version has changed."""

from __future__ import annotations

import base64
import inspect
import logging
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import engineio
import gevent
import pytest
import socketio
from engineio.packet import CLOSE, MESSAGE, NOOP, OPEN, PING, PONG, UPGRADE
from engineio.payload import Payload
from gevent import pywsgi
from gevent import socket as gevent_socket
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from geventwebsocket.handler import WebSocketHandler
from gunicorn.workers.ggevent import GeventWorker, PyWSGIServer
from socketio.exceptions import ConnectionRefusedError

from chatapp.transport.handoff import Reader
from chatapp.transport.sockets import POLL_MAX_PACKETS
from chatapp.transport.sockets.connections import Welcome
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.fanout import FanoutManager
from chatapp.transport.sockets.library import (
    FIRST_CHARACTERS,
    WebSocketTransport,
    answer_connects,
    begin_ids_with_the_worker,
    never_wait_for_goodbyes,
    use_own_websocket,
)
from chatapp.transport.sockets.packet_log import PacketLog
from chatapp.transport.sockets.packets import ChatPacket
from chatapp.transport.sockets.recovery import LOSSES, PYTHON_TIME
from chatapp.transport.worker import ChatHandler, ChatServer, ChatWorker
from tests.e2e.wire import BINARY, TEXT, client_frame, server_frame
from tests.e2e.wire import CLOSE as CLOSE_FRAME
from tests.fakes import ManualScheduler


@pytest.fixture
def server() -> socketio.Server:
    return socketio.Server(
        async_mode="gevent", async_handlers=False, serializer=ChatPacket, max_http_buffer_size=1000, logger=False
    )


def test_engine_io_takes_its_websocket_class_from_async(server: socketio.Server) -> None:
    assert set(server.eio._async) >= {"thread", "queue", "websocket", "sleep"}
    assert "self.server._async['websocket'](\n            self._websocket_handler, self.server)" in inspect.getsource(
        engineio.socket.Socket._upgrade_websocket
    )
    use_own_websocket(server)
    assert server.eio._async["websocket"] is WebSocketTransport


def test_engine_io_uses_of_a_websocket_what_ours_has() -> None:
    source = inspect.getsource(engineio.socket.Socket._websocket_handler)
    used = {word for word in ("ws.wait(", "ws.send(", "ws.close(") if word in source}
    assert used == {"ws.wait(", "ws.send(", "ws.close("}
    assert source.count("ws.") == 4, "something new is asked of a websocket"  # send twice: probe and packets


def test_the_first_characters_are_the_packet_types() -> None:
    types = {str(kind) for kind in (OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP)}
    assert types | {"b"} == FIRST_CHARACTERS


def test_a_post_may_bring_as_many_packets_as_we_say() -> None:
    assert isinstance(Payload.max_decode_packets, int)
    packets = "\x1e".join(["3"] * 20)
    previous, Payload.max_decode_packets = Payload.max_decode_packets, 16
    try:
        with pytest.raises(ValueError, match="Too many packets"):
            Payload(encoded_payload=packets)
        Payload.max_decode_packets = POLL_MAX_PACKETS
        assert len(Payload(encoded_payload=packets).packets) == 20
    finally:
        Payload.max_decode_packets = previous


def test_socket_io_keeps_who_is_in_which_room(server: socketio.Server) -> None:
    """What rooms.py, watchdog.py and namespace.py ask of the manager."""
    manager = server.manager
    sid = manager.connect("eio-1", "/")
    assert manager.is_connected(sid, "/")
    assert manager.sid_from_eio_sid("eio-1", "/") == sid
    assert manager.sid_from_eio_sid("eio-2", "/") is None
    manager.enter_room(sid, "/", "room")
    assert list(manager.get_participants("/", "room")) == [(sid, "eio-1")]
    assert list(manager.get_participants("/", "nowhere")) == []
    assert isinstance(server.eio.sockets, dict)


def test_events_reach_the_namespace_as_they_were_decoded(server: socketio.Server) -> None:
    source = inspect.getsource(socketio.Server._handle_event_internal)
    assert "server._trigger_event(data[0], namespace, sid, *data[1:])" in source
    assert server.packet_class is ChatPacket


def test_a_packet_without_attachments_is_carried_out_at_once() -> None:
    source = inspect.getsource(socketio.Server._handle_eio_message)
    assert "packet.BINARY_EVENT" in source
    assert "packet.BINARY_ACK" in source  # is kept until attachments come: ours never says it is one


def test_the_libraries_log_where_they_are_told_to() -> None:
    told = logging.getLogger("chatapp.library.test")
    server = socketio.Server(async_mode="gevent", logger=told, engineio_logger=told)
    assert (server.logger, server.eio.logger) == (told, told)


# ---------------------------------------------------------------- answering a CONNECT
class Greeter:
    """Connections without a network: what is sent, by transport, and what becomes of each welcome."""

    def __init__(self, server: socketio.Server) -> None:
        log = PacketLog("w", keep_seconds=60, now=lambda: 0.0)
        self.server = server
        server.manager = FanoutManager(log, ManualScheduler())
        server.manager.set_server(server)
        server.register_namespace(socketio.Namespace("/"))
        self.sent: list[tuple[str, str]] = []
        server._send_packet = lambda eio_sid, packet: self.sent.append((eio_sid, packet.encode()))
        self.happened: list[str] = []
        self.meanwhile: Any = lambda: None
        answer_connects(server, self.greet)

    def greet(self, environ: Any, auth: Any) -> Welcome:
        if auth == "refuse me":
            raise ConnectionRefusedError("no", {"code": "refused"})
        self.meanwhile()
        return Welcome(
            "sid",
            {"sid": "sid", "pid": "secret"},
            begin=lambda transport: self.happened.append(f"began {transport.sid}"),
            cancel=lambda: self.happened.append("cancelled"),
        )

    def connect(self, eio_sid: str, packet: str) -> None:
        self.server.eio.sockets.setdefault(eio_sid, engineio.socket.Socket(self.server.eio, eio_sid))
        self.server.environ[eio_sid] = {}
        self.server._handle_eio_message(eio_sid, packet)


@pytest.fixture
def greeter(server: socketio.Server) -> Greeter:
    return Greeter(server)


def test_a_connect_reaches_the_method_we_replace() -> None:
    source = inspect.getsource(socketio.Server._handle_eio_message)
    assert "self._handle_connect(eio_sid, pkt.namespace, pkt.data)" in source
    source = inspect.getsource(socketio.Server._handle_connect)
    assert "packet.CONNECT, {'sid': sid}, namespace=namespace" in source, "it may say more by now by itself"


def test_who_is_welcome_gets_the_answer_and_is_connected_under_that_id(greeter: Greeter) -> None:
    greeter.connect("eio", "0{}")
    assert greeter.sent == [("eio", '0{"sid":"sid","pid":"secret"}')]
    assert greeter.happened == ["began eio"]
    assert greeter.server.manager.is_connected("sid", "/")
    assert greeter.server.manager.sid_from_eio_sid("eio", "/") == "sid"
    assert greeter.server.rooms("sid") == ["sid"]


def test_who_is_not_gets_the_reason(greeter: Greeter) -> None:
    greeter.connect("eio", '0"refuse me"')
    assert greeter.sent == [("eio", '4{"message":"no","data":{"code":"refused"}}')]
    assert greeter.happened == []
    assert greeter.server.manager.sid_from_eio_sid("eio", "/") is None


def test_another_namespace_and_a_second_connect_are_refused_by_the_library(greeter: Greeter) -> None:
    greeter.connect("eio", "0")
    greeter.connect("eio", "0")
    greeter.connect("eio", "0/admin,")
    assert greeter.sent[1:] == [("eio", '4"Unable to connect"'), ("eio", '4/admin,"Unable to connect"')]
    assert greeter.happened == ["began eio"]
    assert greeter.server.rooms("sid") == ["sid"]


@pytest.mark.parametrize("how", ["closed", "gone", "connected meanwhile"])
def test_a_client_that_is_gone_when_it_is_answered_is_forgotten(greeter: Greeter, how: str) -> None:
    def leave() -> None:
        if how == "closed":
            greeter.server.eio.sockets["eio"].closed = True
        elif how == "gone":
            del greeter.server.eio.sockets["eio"]
        else:
            greeter.server.manager.register("other", "/", "eio")

    greeter.meanwhile = leave
    greeter.connect("eio", "0")
    assert (greeter.sent, greeter.happened) == ([], ["cancelled"])
    assert not greeter.server.manager.is_connected("sid", "/")


def test_the_python_client_tells_itself_by_its_time() -> None:
    assert PYTHON_TIME.fullmatch(engineio.Client()._get_url_timestamp().removeprefix("&t="))


def test_the_library_gives_losses_the_names_we_know() -> None:
    reason = engineio.Server.reason
    assert LOSSES == (reason.TRANSPORT_CLOSE, reason.TRANSPORT_ERROR, reason.PING_TIMEOUT)
    assert len({*LOSSES, reason.CLIENT_DISCONNECT, reason.SERVER_DISCONNECT}) == 5
    source = inspect.getsource(engineio.socket.Socket.receive)
    assert "reason=self.server.reason.CLIENT_DISCONNECT" in source, "direct.py need not tell the two goodbyes apart"


def test_the_end_of_a_transport_is_a_loss_and_no_goodbye(server: socketio.Server) -> None:
    reasons: list[str] = []
    server.eio.on("disconnect", lambda sid, reason: reasons.append(reason))
    socket = DirectSocket(server.eio, "eio")
    socket.receive(engineio.packet.Packet(CLOSE))
    assert reasons == [server.eio.reason.TRANSPORT_CLOSE]


# ---------------------------------------------------------------- session ids
def test_session_ids_come_from_generate_id_and_can_name_their_worker(server: socketio.Server) -> None:
    assert "sid = self.generate_id()" in inspect.getsource(engineio.Server._handle_connect)
    plain = server.eio.generate_id()
    assert "." not in plain, "an id of the library's could be read as another worker's"
    begin_ids_with_the_worker(server)
    first, second = server.eio.generate_id(), server.eio.generate_id()
    assert first != second
    owner, _, rest = first.partition(".")
    assert int(owner, 16) == os.getpid()
    assert len(rest) == len(plain)


def test_engine_io_looks_at_a_session_before_it_upgrades_to_it() -> None:
    """So an unknown one is refused by HTTP: the handshake is answered by whoever takes the WebSocket."""
    source = inspect.getsource(engineio.Server.handle_request)
    assert source.index("if sid not in self.sockets") < source.index("socket.handle_get_request(")
    assert source.index("elif socket.upgraded") < source.index("socket.handle_get_request(")


# ---------------------------------------------------------------- goodbyes
def test_a_disconnect_waits_for_nobody(server: socketio.Server) -> None:
    never_wait_for_goodbyes(server)
    gone: list[tuple[str, str]] = []
    server.eio.on("disconnect", lambda sid, reason: gone.append((sid, reason)))
    sockets = {sid: engineio.socket.Socket(server.eio, sid) for sid in ("one", "two", "three")}
    server.eio.sockets.update(sockets)
    with gevent.Timeout(5):
        server.eio.disconnect("one")
        server.eio.disconnect("nobody")
        assert gone == [("one", server.eio.reason.SERVER_DISCONNECT)]
        server.eio.disconnect()
    assert [sid for sid, _ in gone] == ["one", "two", "three"]
    assert server.eio.sockets == {}
    assert all(socket.closed for socket in sockets.values())


# ---------------------------------------------------------------- the transport
class Accepted:
    """A handshake that gevent-websocket has found good, and that the transport is to answer."""

    def __init__(self, handle: Any) -> None:
        self.ours, self.theirs = gevent_socket.socketpair()
        self.theirs.settimeout(10)
        self.rfile = Reader(self.ours)
        self.answered = 0
        connection = SimpleNamespace(socket=self.ours, rfile=self.rfile, accept_websocket=self._answer)
        self.transport = WebSocketTransport(handle, SimpleNamespace(max_http_buffer_size=1000))
        self.serving = gevent.spawn(self.transport, {"chatapp.handshake": connection}, lambda *_: None)

    def _answer(self) -> None:
        self.answered += 1

    def frame(self) -> tuple[int, bytes]:
        return server_frame(lambda size: self.theirs.recv(size, gevent_socket.MSG_WAITALL))

    def close(self) -> None:
        self.theirs.close()
        self.serving.join(10)
        self.rfile.close()
        self.ours.close()


@pytest.fixture
def heard() -> list[str | bytes | None]:
    return []


@pytest.fixture
def accepted(heard: list[str | bytes | None]) -> Iterator[Accepted]:
    def listen(transport: WebSocketTransport) -> None:
        while True:
            heard.append(transport.wait())
            if heard[-1] is None:
                return

    made = Accepted(listen)
    yield made
    made.close()


def test_packets_are_read_and_written(accepted: Accepted, heard: list[str | bytes | None]) -> None:
    gevent.sleep(0)
    accepted.transport.send("4hola")
    accepted.transport.send(b"\x01")
    assert [accepted.frame(), accepted.frame()] == [(TEXT, b"4hola"), (BINARY, b"\x01")]
    encoded = b"b" + base64.b64encode(b"\x02\x03")
    accepted.theirs.sendall(client_frame(TEXT, b"3") + client_frame(BINARY, b"\x01") + client_frame(TEXT, encoded))
    accepted.theirs.shutdown(gevent_socket.SHUT_WR)
    accepted.serving.join(10)
    assert heard == ["3", b"\x01", b"\x02\x03", None]
    assert accepted.answered == 1


@pytest.mark.parametrize("packet", ["", "7", "x", "²", "bA"])
def test_what_the_library_would_die_of_ends_the_connection(
    accepted: Accepted, heard: list[str | bytes | None], packet: str
) -> None:
    accepted.theirs.sendall(client_frame(TEXT, packet.encode()))
    assert accepted.frame()[0] == CLOSE_FRAME
    accepted.serving.join(10)
    assert heard == [None]


def test_no_handshake_is_a_bad_request() -> None:
    answers: list[str] = []
    transport = WebSocketTransport(lambda _: None, SimpleNamespace(max_http_buffer_size=1000))
    body = transport({}, lambda status, headers: answers.append(status))
    assert (answers, list(body)) == (["400 Bad Request"], [b"not a WebSocket handshake"])


# ---------------------------------------------------------------- gunicorn and gevent
def test_gunicorn_makes_its_server_through_the_worker() -> None:
    source = inspect.getsource(GeventWorker.run)
    assert "server = self.server_class(" in source
    assert "handler_class=self.wsgi_handler" in source
    assert "while self.alive:" in source
    assert "server.pool.free_count() != server.pool.size" in source
    assert issubclass(ChatWorker, GeventWebSocketWorker)
    assert issubclass(ChatServer, PyWSGIServer)


def test_the_handler_s_inner_methods_are_where_we_override_them() -> None:
    assert issubclass(ChatHandler, WebSocketHandler)
    source = inspect.getsource(pywsgi.WSGIHandler.handle_one_request)
    assert "self.read_requestline()" in source
    assert "if not self.requestline:\n            return" in source
    assert "if not self.read_request(self.requestline):" in source
    assert "return self._handle_client_error(ex)" in source
    assert "self._log_error(t, v, tb)" in inspect.getsource(pywsgi.WSGIHandler.handle_error)
    assert "self.result = self.upgrade_websocket()" in inspect.getsource(WebSocketHandler.run_application)
    assert "return self.upgrade_connection()" in inspect.getsource(WebSocketHandler.upgrade_websocket)
    prepared = inspect.getsource(WebSocketHandler.upgrade_connection)
    assert 'self.start_response("101 Switching Protocols", headers)' in prepared
    assert "self.environ.get('wsgi.websocket')" in inspect.getsource(WebSocketHandler._prepare_response)
    assert "self._connection_upgrade_requested()" in inspect.getsource(pywsgi.WSGIHandler.get_environ)
    assert "while self.socket is not None:" in inspect.getsource(pywsgi.WSGIHandler.handle)
    assert "if rfile is None:" in inspect.getsource(pywsgi.WSGIHandler.__init__)
    for name in ("handle", "read_requestline", "read_request", "get_environ", "_handle_client_error", "_log_error"):
        assert getattr(ChatHandler, name) is not getattr(pywsgi.WSGIHandler, name)

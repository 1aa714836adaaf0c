"""When each socket is closed, and that every one is, each with its own end."""

from __future__ import annotations

import json
import time
from typing import Any

import engineio
import gevent
import pytest
import socketio
from gevent.event import Event

from chatapp.transport.sockets import draining
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.draining import (
    CLOSINGS_PER_SECOND,
    DRAIN_SPREAD_SECONDS,
    NOTICE_SECONDS,
    closings,
    drain,
)
from chatapp.transport.sockets.fanout import FanoutManager
from chatapp.transport.sockets.packet_log import PacketLog
from tests.fakes import ManualScheduler

PATIENCE = 10.0


@pytest.fixture
def server() -> socketio.Server:
    return socketio.Server(
        async_mode="gevent",
        client_manager=FanoutManager(PacketLog("worker", keep_seconds=0, now=time.monotonic), ManualScheduler()),
    )


def polling(server: socketio.Server, transport: str, *, joined: bool = True) -> engineio.socket.Socket:
    socket = server.eio.sockets[transport] = DirectSocket(server.eio, transport)
    socket.connected = True
    if joined:
        server.manager.connect(transport, "/")
    return socket


def packets(socket: engineio.socket.Socket) -> list[str]:
    return [packet.encode() for packet in socket.poll()]


@pytest.mark.parametrize("count", [1, 10, 100, 499, 10_000])
def test_closings_are_spread_evenly_and_no_longer_than_need_be(count: int) -> None:
    moments = closings(count, DRAIN_SPREAD_SECONDS)
    assert len(moments) == count
    assert moments == sorted(moments)
    spread = min(DRAIN_SPREAD_SECONDS, count / CLOSINGS_PER_SECOND)
    for number, moment in enumerate(moments):
        assert spread * number / count <= moment - NOTICE_SECONDS <= spread * (number + 1) / count


def test_closings_differ_each_time() -> None:
    assert closings(3, DRAIN_SPREAD_SECONDS) != closings(3, DRAIN_SPREAD_SECONDS)
    assert closings(0, DRAIN_SPREAD_SECONDS) == []


def test_each_is_told_then_has_its_time_then_gets_its_end(
    server: socketio.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "NOTICE_SECONDS", 0.1)
    sockets = [polling(server, f"t{number}") for number in range(5)]
    began = time.monotonic()

    def listen(socket: engineio.socket.Socket) -> tuple[str, float, list[str], float]:
        (told,) = packets(socket)
        name, body = json.loads(told[2:])
        return name, body["reconnectInMs"] / 1000, packets(socket), time.monotonic() - began

    listening = [gevent.spawn(listen, socket) for socket in sockets]
    drain(server, Event(), spread_max_seconds=1.0)
    for listener in listening:
        name, seconds, rest, took = listener.get(timeout=PATIENCE)
        assert name == "server_draining"
        assert rest == ["1"], "the end of the transport, and no DISCONNECT before it"
        assert 0.08 <= seconds <= 0.15
        assert took >= seconds - 0.001
    assert server.eio.sockets == {}


def test_a_hurry_ends_the_waiting(server: socketio.Server) -> None:
    sockets, hurry = [polling(server, f"t{number}") for number in range(5)], Event()
    began = time.monotonic()
    running = gevent.spawn(drain, server, hurry, spread_max_seconds=PATIENCE)
    for socket in sockets:
        assert packets(socket)[0].startswith('42["server_draining"')
    hurry.set()
    running.join(PATIENCE)
    assert time.monotonic() - began < NOTICE_SECONDS
    assert all(socket.closed for socket in sockets)


def test_who_is_in_a_hurry_from_the_start_tells_so(server: socketio.Server) -> None:
    socket, hurry = polling(server, "t"), Event()
    hurry.set()
    drain(server, hurry, spread_max_seconds=PATIENCE)
    assert packets(socket) == ['42["server_draining",{"reconnectInMs":0}]', "1"]


def test_a_transport_without_connection_is_closed_at_once_and_a_late_one_at_the_end(server: socketio.Server) -> None:
    stranger = polling(server, "stranger", joined=False)
    friend = polling(server, "friend")
    running = gevent.spawn(drain, server, Event(), spread_max_seconds=1.0)
    assert packets(stranger) == ["1"]
    assert packets(friend)[0].startswith("42")
    late = polling(server, "late")
    running.join(PATIENCE)
    assert late.closed
    assert server.eio.sockets == {}


def test_a_socket_closed_while_it_is_upgraded_closes_its_websocket_too(server: socketio.Server) -> None:
    class Upgrading:
        """A client that upgrades, and is told the end meanwhile."""

        websocket: Any = None
        closed = False
        sent: list[str]

        def __init__(self, socket: engineio.socket.Socket) -> None:
            self.websocket, self.sent, self._socket, self._says = self, [], socket, ["2probe", "5"]

        def wait(self) -> str | None:
            assert self._says, "it is read no more"
            said = self._says.pop(0)
            if said == "5":
                self._socket.close(wait=False)
            return said

        def send(self, packet: str) -> None:
            self.sent.append(packet)

        def write_soon(self, _frame: bytes) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    socket = polling(server, "t")
    client = Upgrading(socket)
    socket._websocket_handler(client)
    assert client.sent == ["3probe"]
    assert client.closed

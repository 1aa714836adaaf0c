"""A transport that never sends CONNECT is closed; one that does is left alone."""

from __future__ import annotations

import engineio
import pytest
import socketio

from chatapp.transport.sockets.library import never_wait_for_goodbyes
from chatapp.transport.sockets.watchdog import CONNECT_TIMEOUT_SECONDS, Watchdog


@pytest.fixture
def server() -> socketio.Server:
    made = socketio.Server(async_mode="gevent")
    never_wait_for_goodbyes(made)
    return made


def open_transport(server: socketio.Server, sid: str) -> engineio.socket.Socket:
    server.eio.sockets[sid] = engineio.socket.Socket(server.eio, sid)
    return server.eio.sockets[sid]


def test_a_stranger_is_closed_after_the_time_and_not_before(server: socketio.Server) -> None:
    watchdog, stranger = Watchdog(server), open_transport(server, "stranger")
    watchdog.look(100.0)
    watchdog.look(100.0 + CONNECT_TIMEOUT_SECONDS - 0.1)
    assert not stranger.closed
    watchdog.look(100.0 + CONNECT_TIMEOUT_SECONDS)
    assert stranger.closed
    assert server.eio.sockets == {}


def test_who_connects_in_time_is_left_alone(server: socketio.Server) -> None:
    watchdog, friend = Watchdog(server), open_transport(server, "friend")
    watchdog.look(0.0)
    server.manager.connect("friend", "/")
    watchdog.look(CONNECT_TIMEOUT_SECONDS * 10)
    assert not friend.closed


def test_the_time_begins_again_after_a_connection_ends(server: socketio.Server) -> None:
    watchdog, guest = Watchdog(server), open_transport(server, "guest")
    watchdog.look(0.0)
    sid = server.manager.connect("guest", "/")
    watchdog.look(40.0)
    server.manager.disconnect(sid, "/")
    watchdog.look(50.0)
    assert not guest.closed
    watchdog.look(50.0 + CONNECT_TIMEOUT_SECONDS)
    assert guest.closed

"""Broadcasts: who gets them, in how many bytes' worth of work, and that the rooms stay tidy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import engineio
import pytest
import socketio

from chatapp.protocol.wire_json import WireJson
from chatapp.transport.sockets import fanout
from chatapp.transport.sockets.direct import DirectSocket, use_direct_sockets
from chatapp.transport.sockets.fanout import FanoutManager
from chatapp.transport.sockets.frames import message_frame
from chatapp.transport.sockets.packet_log import PacketLog
from chatapp.transport.sockets.packets import ChatPacket
from tests.fakes import ManualScheduler


class Wire:
    """A WebSocket that remembers."""

    is_closed = False

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write_soon(self, frame: bytes) -> None:
        if not self.is_closed:
            self.frames.append(frame)


class Server:
    """A Socket.IO server with our manager, and sockets that nobody is behind."""

    def __init__(self) -> None:
        self.log = PacketLog("w", keep_seconds=60, now=lambda: 0.0)
        self.scheduler = ManualScheduler()
        self.manager = FanoutManager(self.log, self.scheduler)
        self.server = socketio.Server(
            async_mode="gevent", client_manager=self.manager, serializer=ChatPacket, json=WireJson, logger=False
        )

    def direct(self, name: str, *rooms: str, counts: bool = False) -> Wire:
        socket = DirectSocket(self.server.eio, name)
        socket.sent = 0 if counts else None
        socket.websocket = wire = Wire()  # type: ignore[assignment]
        self.enter(name, socket, rooms)
        return wire

    def polling(self, name: str, *rooms: str) -> list[str]:
        sent: list[str] = []
        socket = SimpleNamespace(
            sid=name, closed=False, websocket=None, sent=None, send=lambda packet: sent.append(packet.encode())
        )
        self.enter(name, socket, rooms)
        return sent

    def enter(self, name: str, socket: Any, rooms: tuple[str, ...]) -> None:
        self.server.eio.sockets[name] = socket
        for room in (None, name, *rooms):
            self.manager.basic_enter_room(name, "/", room, eio_sid=name)

    def emit(self, data: Any = 1, **kwargs: Any) -> None:
        self.server.emit("told", data, namespace="/", **kwargs)


@pytest.fixture
def server() -> Server:
    return Server()


TOLD = message_frame('42["told",1]')


def test_a_room_hears_and_nobody_else_does(server: Server) -> None:
    inside, outside = server.direct("a", "room"), server.direct("b", "other")
    server.emit(to="room")
    assert (inside.frames, outside.frames) == ([TOLD], [])


def test_all_get_the_same_bytes_made_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(fanout, "message_frame", lambda text: made.append(text) or message_frame(text))
    wires = [server.direct(f"s{number}", "room") for number in range(5)]
    server.emit(to="room")
    assert len(made) == 1
    assert all(wire.frames[0] is wires[0].frames[0] for wire in wires)


def test_who_can_come_back_gets_an_offset_besides_and_the_others_do_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(fanout, "message_frame", lambda text: made.append(text) or message_frame(text))
    plain, *counting = server.direct("a", "room"), *(server.direct(f"c{n}", "room", counts=True) for n in range(3))
    server.emit(to="room")
    server.emit(to="room")
    assert plain.frames == [TOLD, TOLD]
    for wire in counting:
        assert wire.frames == [message_frame(f'42["told",1,"w.{number}"]') for number in (1, 2)]
    assert len(made) == 4, "one frame of each kind for each broadcast"
    assert {server.server.eio.sockets[f"c{n}"].sent for n in range(3)} == {2}
    assert [entry.text for entry in server.log.after(0)] == ['2["told",1]'] * 2


def test_who_polls_and_can_come_back_gets_the_same(server: Server) -> None:
    sent = server.polling("a", "room")
    server.server.eio.sockets["a"].sent = 0
    server.emit(to="a")
    assert sent == ['42["told",1,"w.1"]']
    assert server.server.eio.sockets["a"].sent == 1


def test_nothing_is_kept_that_nobody_can_come_back_for(server: Server) -> None:
    server.direct("a", "room")
    server.direct("b", "elsewhere", counts=True)
    server.emit(to="room")
    server.emit(to="b", skip_sid="b")
    assert server.log.number == 0


def test_what_is_told_where_somebody_is_awaited_is_kept_though_nobody_hears_it(server: Server) -> None:
    server.log.awaited = {"room"}
    counting = server.direct("a", "other", counts=True)
    server.emit(to="room")
    server.emit(to="other", skip_sid=["x"])
    server.emit(to=["room", "other"])
    server.emit(to="nowhere")
    assert [(entry.number, list(entry.rooms), set(entry.skipped)) for entry in server.log.after(0)] == [
        (1, ["room"], set()),
        (2, ["other"], {"x"}),
        (3, ["room", "other"], set()),
    ]
    assert counting.frames == [message_frame(f'42["told",1,"w.{number}"]') for number in (2, 3)]


def test_since_when_a_socket_is_in_a_room_is_known_and_can_be_set_back(server: Server) -> None:
    server.direct("a", "one", counts=True)
    server.emit(to="a")
    server.manager.basic_enter_room("a", "/", "two")
    server.manager.basic_enter_room("a", "/", "one")
    assert server.manager.entered("a") == {"a": 0, "one": 0, "two": 1}
    server.manager.backdate("a", {"two": 0, "never": 0})
    assert server.manager.entered("a") == {"a": 0, "one": 0, "two": 0}


def test_a_socket_in_several_of_the_rooms_hears_it_once(server: Server) -> None:
    wire = server.direct("a", "one", "two")
    server.emit(to=["one", "two", "none"])
    assert wire.frames == [TOLD]


@pytest.mark.parametrize("skipped", ["a", ["a"], ("a", "x")])
def test_who_is_left_out_hears_nothing(server: Server, skipped: Any) -> None:
    left_out, other = server.direct("a", "room"), server.direct("b", "room")
    server.emit(to="room", skip_sid=skipped)
    assert (left_out.frames, other.frames) == ([], [TOLD])


def test_without_a_room_everybody_hears(server: Server) -> None:
    wires = server.direct("a"), server.direct("b", "room")
    server.emit()
    assert [wire.frames for wire in wires] == [[TOLD], [TOLD]]


def test_who_polls_gets_it_in_the_library_s_way(server: Server) -> None:
    sent = server.polling("a", "room")
    server.emit(to="room")
    assert sent == ['42["told",1]']


def test_a_socket_that_is_gone_or_closing_is_passed_over(server: Server) -> None:
    gone, closed, there = server.direct("a", "room"), server.direct("b", "room"), server.direct("c", "room")
    del server.server.eio.sockets["a"]
    closed.is_closed = True
    server.emit(to="room")
    assert (gone.frames, closed.frames, there.frames) == ([], [], [TOLD])


def test_a_socket_that_polls_and_is_closing_is_passed_over(server: Server) -> None:
    sent = server.polling("a", "room")
    server.server.eio.sockets["a"].closed = True
    server.emit(to="room")
    assert sent == []


def test_in_a_full_room_those_hear_who_are_in_it_by_now(server: Server) -> None:
    wires = {name: server.direct(name, "room") for name in (f"s{number}" for number in range(fanout.AUDIENCE_KEPT))}
    server.emit(to="room")
    wires["late"] = server.direct("late", "room")
    server.emit(to="room")
    server.manager.basic_leave_room("s0", "/", "room")
    server.manager.basic_disconnect("s1", "/")
    server.emit(to=("room",))
    server.emit(to="room", skip_sid="s2")
    heard = {name: len(wire.frames) for name, wire in wires.items()}
    assert [heard.pop(name) for name in ("s0", "s1", "s2", "late")] == [2, 2, 3, 3]
    assert set(heard.values()) == {4}


def test_who_upgrades_in_a_full_room_goes_on_hearing(server: Server) -> None:
    for number in range(fanout.AUDIENCE_KEPT):
        server.direct(f"s{number}", "room")
    sent = server.polling("a", "room")
    server.emit(to="room")
    server.server.eio.sockets["a"].websocket = wire = Wire()
    server.emit(to="room")
    assert (sent, wire.frames) == (['42["told",1]'], [TOLD])


def test_who_is_in_an_empty_room_is_not_kept(server: Server) -> None:
    for number in range(fanout.AUDIENCE_KEPT):
        server.direct(f"s{number}", "room")
    server.emit(to="room")
    for number in range(fanout.AUDIENCE_KEPT):
        server.manager.basic_disconnect(f"s{number}", "/")
    assert not server.manager._audiences


def test_nobody_in_a_room_is_nothing_to_do(server: Server) -> None:
    server.emit(to="nowhere")
    server.emit(to=["nowhere"])


def test_a_socket_s_rooms_are_known_and_left_with_it(server: Server) -> None:
    server.direct("a", "one", "two")
    server.direct("b", "one")
    assert sorted(server.manager.get_rooms("a", "/")) == ["a", "one", "two"]
    server.manager.basic_leave_room("a", "/", "two")
    assert sorted(server.manager.get_rooms("a", "/")) == ["a", "one"]
    server.manager.basic_disconnect("a", "/")
    assert server.manager.get_rooms("a", "/") == []
    assert set(server.manager.rooms["/"]) == {None, "b", "one"}
    server.manager.basic_disconnect("b", "/")
    assert server.manager.rooms == {}
    server.manager.basic_disconnect("b", "/")


def test_a_socket_that_leaves_while_connecting_is_forgotten_there_too(server: Server) -> None:
    sid = server.manager.pre_connect("eio", "/")
    other = server.manager.pre_connect("eio2", "/")
    server.manager.pre_disconnect(sid, "/")
    server.manager.basic_disconnect(sid, "/")
    assert (server.manager.pending_connect, server.manager.pending_disconnect) == ({"/": [other]}, {})


def test_sockets_are_made_direct_before_anything_else_happens_to_them(server: Server) -> None:
    use_direct_sockets(server.server)
    server.server.eio.sockets["new"] = engineio.socket.Socket(server.server.eio, "new")
    environ = SimpleNamespace()
    server.server.eio.handlers["connect"]("new", environ)
    assert isinstance(server.server.eio.sockets["new"], DirectSocket)
    assert server.server.environ["new"] is environ

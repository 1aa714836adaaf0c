"""Which sockets hear what, and which workers: over the library's real rooms, up to the packet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
import socketio

from chatapp.domain.calls import Answer
from chatapp.domain.events import (
    CallAnsweredElsewhere,
    CallSignalled,
    Event,
    GroupCreated,
    MessageSent,
    MessagesRead,
    ProfileChanged,
    RoomJoined,
    TypingChanged,
    UserConnected,
    UserDisconnected,
    UserStatusChanged,
)
from chatapp.domain.models import Status
from chatapp.domain.rooms import EVERYONE, UNBOUNDED, filial_room, is_part
from chatapp.protocol import outgoing
from chatapp.protocol.outgoing import Outgoing
from chatapp.transport.sockets.lost_sessions import LostSessions, Session
from chatapp.transport.sockets.packet_log import PacketLog
from chatapp.transport.sockets.publisher import SocketPublisher
from chatapp.transport.sockets.rooms import SocketRooms
from tests.fakes import START, FakeBus, ManualScheduler
from tests.protocol.test_outgoing import FILE_REPLY, GROUP, JUAN, MESSAGE


class Sockets:
    """A server without a network: each of ``maria-1``, ``maria-2``, ``ana-1`` and ``juan-1`` hears its user's events;
    juan and ana have the conversation ``pair`` open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = socketio.Server(async_mode="threading")
        log = PacketLog("one", keep_seconds=60, now=lambda: 0.0)
        self.lost = LostSessions(log, keep_seconds=60, scheduler=ManualScheduler())
        self.rooms = SocketRooms(self.server, self.lost)
        self.bus = FakeBus("one")
        self.publisher = SocketPublisher(self.server, self.rooms, self.bus)
        self.heard: list[tuple[str, str]] = []
        """Socket and name of the event, in order."""
        monkeypatch.setattr(self.server, "_send_eio_packet", self._take)
        self._names: dict[str, str] = {}  # Engine.IO id → socket
        self.sids = {name: self._connect(name) for name in ("maria-1", "maria-2", "ana-1", "juan-1")}
        for name in ("ana-1", "juan-1"):
            self.rooms.enter(self.sids[name], "pair")

    def _connect(self, name: str) -> str:
        self._names[f"eio-{name}"] = name
        sid: str = self.server.manager.connect(f"eio-{name}", "/")
        self.rooms.admit(sid, name.partition("-")[0])
        return sid

    def _take(self, eio_sid: str, packet: Any) -> None:
        name = self.server.packet_class(encoded_packet=packet.data).data[0]
        self.heard.append((self._names[eio_sid], name))

    def by(self) -> dict[str, set[str]]:
        """Name of the event → who heard it since the last time; each of them once."""
        assert len(set(self.heard)) == len(self.heard)
        heard: dict[str, set[str]] = {}
        for socket, name in self.heard:
            heard.setdefault(name, set()).add(socket)
        self.heard.clear()
        return heard


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Sockets:
    return Sockets(monkeypatch)


def test_publishing_tells_the_sockets_here_and_the_workers_elsewhere(sockets: Sockets) -> None:
    joined, sent = RoomJoined("pair", "juan"), MessageSent(MESSAGE)
    sockets.publisher.publish(joined, sent)
    assert [name for _, name in sockets.heard] == ["user_joined"] * 2 + ["message_received"] * 2
    assert sockets.by() == {"user_joined": {"ana-1", "juan-1"}, "message_received": {"ana-1", "juan-1"}}
    assert sockets.bus.published == [("conversation:pair", joined), ("conversation:pair", sent)]


def test_delivering_tells_nobody_elsewhere(sockets: Sockets) -> None:
    sockets.publisher.deliver(GroupCreated(GROUP))
    assert sockets.by() == {"group_created": {"maria-1", "maria-2", "ana-1"}}
    assert sockets.bus.published == []


def test_relaying_tells_nobody_here(sockets: Sockets) -> None:
    sockets.publisher.relay(GroupCreated(GROUP))
    assert sockets.by() == {}
    assert [room for room, _ in sockets.bus.published] == ["user:maria", "user:ana"]


def test_only_the_rooms_given_hear_it(sockets: Sockets) -> None:
    sockets.publisher.deliver(GroupCreated(GROUP), rooms=("user:ana", "user:juan"))
    assert sockets.by() == {"group_created": {"ana-1"}}
    sockets.publisher.deliver(GroupCreated(GROUP), rooms=("user:juan",))
    assert sockets.by() == {}


# ---------------------------------------------------------------- calls
def test_a_call_is_told_to_the_device_that_is_in_it_and_to_its_users_workers(sockets: Sockets) -> None:
    sockets.rooms.take_part(sockets.sids["maria-2"], "p2", "maria")
    signal = CallSignalled("call1", "p1", "p2", "maria", 7, {"candidate": None})
    sockets.publisher.publish(signal)
    assert sockets.by() == {"call_signal": {"maria-2"}}
    assert sockets.bus.published == [("user:maria", signal)]
    sockets.publisher.deliver(signal, rooms=("user:maria",))
    assert sockets.by() == {"call_signal": {"maria-2"}}
    sockets.publisher.deliver(signal, rooms=("user:juan",))
    assert sockets.by() == {}


def test_who_is_out_of_a_call_hears_it_no_more_and_no_lost_connection_either(sockets: Sockets) -> None:
    sockets.rooms.take_part(sockets.sids["maria-2"], "p2", "maria")
    sockets.lost.keep(Session("pid", "s9", "maria", {"device:p2:maria": 0}, None, 0, 0, 0))
    assert sockets.lost.hears("device:p2:maria")
    sockets.rooms.part("p2", "maria")
    assert not sockets.lost.hears("device:p2:maria")
    sockets.publisher.deliver(CallSignalled("call1", "p1", "p2", "maria", 7, {"candidate": None}))
    assert sockets.by() == {}


def test_a_users_other_devices_hear_who_answered(sockets: Sockets) -> None:
    answered = CallAnsweredElsewhere("call1", "pair", "maria", Answer.ACCEPTED, sockets.sids["maria-1"])
    sockets.publisher.deliver(answered)
    assert sockets.by() == {"call_answered_elsewhere": {"maria-2"}}


def test_each_row_of_an_event_has_rooms_of_its_own(sockets: Sockets) -> None:
    event = MessagesRead("pair", "juan", START, 7, 9, ("maria", "ana"))
    sockets.publisher.publish(event)
    assert sockets.by() == {
        "messages_marked_as_read": {"juan-1"},
        "read_receipt": {"maria-1", "maria-2", "ana-1"},
    }
    assert sockets.bus.published == [("user:juan", event), ("user:maria", event), ("user:ana", event)]
    sockets.publisher.deliver(event, rooms=("user:juan",))
    assert sockets.by() == {"messages_marked_as_read": {"juan-1"}}


def test_an_event_goes_once_to_each_room(sockets: Sockets) -> None:
    event = MessagesRead("pair", "juan", START, 7, 9, ("juan", "ana"))
    sockets.publisher.relay(event)
    assert sockets.bus.published == [("user:juan", event), ("user:ana", event)]


def test_an_event_that_clients_never_hear_is_relayed_to_the_rooms_given(sockets: Sockets) -> None:
    event = ProfileChanged("ana")
    sockets.publisher.relay(event, rooms=(EVERYONE,))
    assert sockets.bus.published == [(EVERYONE, event)]
    sockets.publisher.deliver(event, rooms=(EVERYONE,))
    sockets.publisher.relay(event)
    assert sockets.by() == {}
    assert sockets.bus.published == [(EVERYONE, event)]


def test_who_did_it_does_not_hear_it(sockets: Sockets) -> None:
    sockets.publisher.deliver(UserConnected(replace(JUAN, id="maria")))
    assert sockets.by() == {"user_connected": {"ana-1", "juan-1"}}
    sockets.publisher.deliver(TypingChanged("pair", "juan", "Juan", True))
    assert sockets.by() == {"typing_indicator": {"ana-1"}}
    sockets.publisher.deliver(UserConnected(replace(JUAN, id="elsewhere")), rooms=(EVERYONE,))
    assert sockets.by() == {"user_connected": {"maria-1", "maria-2", "ana-1", "juan-1"}}


def test_a_row_that_does_not_apply_is_not_told(sockets: Sockets) -> None:
    sockets.publisher.publish(MessageSent(FILE_REPLY))
    assert sockets.by() == {"reply_received": {"ana-1", "juan-1"}}
    assert [room for room, _ in sockets.bus.published] == ["conversation:pair"]


# ---------------------------------------------------------------- what happened has happened
def fail(*_args: Any, **_kwargs: Any) -> Any:
    raise RuntimeError("no")


def broken_emit(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets.server.manager, "emit", fail)


def broken_body(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[type[Event], tuple[Outgoing[Any], ...]] = outgoing.rows_by_event()
    first, *rest = rows[MessagesRead]
    monkeypatch.setattr(sockets.publisher, "_rows", {**rows, MessagesRead: (replace(first, body=fail), *rest)})


Break = Callable[[Sockets, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(("broken", "still_heard"), [(broken_emit, set()), (broken_body, {"read_receipt"})])
def test_what_cannot_be_told_is_logged_and_not_raised(
    sockets: Sockets,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: Break,
    still_heard: Collection[str],
) -> None:
    broken(sockets, monkeypatch)
    event = MessagesRead("pair", "juan", START, 7, 9, ("ana",))
    with caplog.at_level(logging.ERROR):
        sockets.publisher.publish(event)
    assert caplog.records[0].getMessage() == "publishing messages_marked_as_read failed"
    assert set(sockets.by()) == set(still_heard)
    assert [room for room, _ in sockets.bus.published] == ["user:juan", "user:ana"], "the other workers are told"


def test_a_user_who_is_gone_is_told_to_everyone(sockets: Sockets) -> None:
    sockets.publisher.publish(UserDisconnected("juan", START))
    assert sockets.by() == {"user_disconnected": {"maria-1", "maria-2", "ana-1", "juan-1"}}
    assert sockets.bus.published == [(EVERYONE, UserDisconnected("juan", START))]


PARTS = {
    "maria-1": (filial_room("lima"), filial_room("cusco")),
    "maria-2": (UNBOUNDED,),
    "ana-1": (filial_room("puno"),),
    "juan-1": (filial_room("cusco"),),
}


@pytest.mark.parametrize("how", ["renewed", "joined again"])
def test_who_has_changed_branches_hears_no_more_of_the_old_one(sockets: Sockets, how: str) -> None:
    ana, juan = sockets.sids["ana-1"], sockets.sids["juan-1"]
    sockets.rooms.admit(ana, "ana", parts=(filial_room("lima"), filial_room("puno")))
    sockets.rooms.admit(juan, "juan", parts=(UNBOUNDED,))
    if how == "renewed":
        sockets.rooms.set_parts(ana, (filial_room("puno"), filial_room("cusco")))
    else:
        sockets.rooms.admit(ana, "ana", parts=(filial_room("puno"), filial_room("cusco")))
    parts = {each for each in sockets.server.rooms(ana) if is_part(each)}
    assert parts == {filial_room("puno"), filial_room("cusco")}
    assert UNBOUNDED in sockets.server.rooms(juan)
    assert {"user:ana", EVERYONE, "conversation:pair"} < set(sockets.server.rooms(ana))


def test_who_hears_nothing_for_everyone_hears_no_part_of_it(sockets: Sockets) -> None:
    ana = sockets.sids["ana-1"]
    sockets.rooms.dismiss(ana, "ana")
    sockets.rooms.set_parts(ana, (UNBOUNDED,))
    assert sockets.server.rooms(ana) == [ana]


@pytest.mark.parametrize("is_from_elsewhere", [False, True])
@pytest.mark.parametrize(
    ("visible_to", "heard"),
    [
        (None, {"maria-1", "maria-2", "ana-1", "juan-1"}),
        ((), {"maria-2"}),
        (("cusco", "lima"), {"maria-1", "maria-2", "juan-1"}),
        (("puno",), {"maria-2", "ana-1"}),
    ],
    ids=str,
)
def test_presence_is_told_to_those_who_may_know(
    sockets: Sockets, visible_to: tuple[str, ...] | None, heard: set[str], is_from_elsewhere: bool
) -> None:
    """Each once, also where two branches are shared; the other workers hear of it as of everything for everyone."""
    for name, parts in PARTS.items():
        sockets.rooms.admit(sockets.sids[name], name.partition("-")[0], parts=parts)
    elsewhere = replace(JUAN, id="elsewhere")
    events = [
        UserConnected(elsewhere, visible_to),
        UserDisconnected("elsewhere", START, visible_to),
        UserStatusChanged("elsewhere", Status.AWAY, START, visible_to=visible_to),
    ]
    if is_from_elsewhere:
        for event in events:
            sockets.publisher.deliver(event, rooms=(EVERYONE,))
    else:
        sockets.publisher.publish(*events)
        assert sockets.bus.published == [(EVERYONE, event) for event in events]
    told = sockets.by()
    assert told == dict.fromkeys(("user_connected", "user_disconnected", "user_status_update"), heard)

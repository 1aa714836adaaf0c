"""Presence that waits for more of it: who hears what, in which order, in how many writes, and how soon."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.domain.commands import SetStatus
from chatapp.domain.events import UserConnected, UserDisconnected, UserStatusChanged
from chatapp.domain.models import Actor, Status
from chatapp.domain.rooms import EVERYONE
from chatapp.protocol.outgoing import ROWS
from chatapp.transport.sockets import fanout
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.fanout import GATHER_SECONDS
from chatapp.transport.sockets.lost_sessions import LostSessions, Session
from chatapp.transport.sockets.namespace import ChatNamespace
from chatapp.transport.sockets.packets import Call
from tests.e2e.wire import server_texts
from tests.fakes import START
from tests.protocol.test_outgoing import JUAN
from tests.transport.authenticators import OPEN, connection
from tests.transport.sockets.test_fanout import Server as FanoutServer
from tests.transport.sockets.test_fanout import Wire

ROOM = "conversation:1"
KINDS = ("plain", "counting", "polling", "polling-counting")


class Server(FanoutServer):
    """Its sockets by name, and what each has heard."""

    def __init__(self) -> None:
        super().__init__()
        self.wires: dict[str, Wire] = {}
        self.polls: dict[str, list[str]] = {}

    def connect(self, sid: str, kind: str = "plain", *rooms: str) -> None:
        sent = 0 if kind.endswith("counting") else None
        socket: Any
        if kind.startswith("polling"):
            polled = self.polls[sid] = []
            socket = SimpleNamespace(
                sid=sid, closed=False, websocket=None, sent=sent, send=lambda packet: polled.append(packet.encode())
            )
        else:
            socket = DirectSocket(self.server.eio, sid)
            socket.sent, socket.websocket = sent, self.wires.setdefault(sid, Wire())
        self.enter(sid, socket, rooms)

    def tell(self, text: str, room: str, *, skip: tuple[str, ...] = (), gathers: bool = False) -> None:
        self.manager.emit("e", text, namespace="/", room=[room], skip_sid=list(skip), gathers=gathers)

    def heard(self, sid: str) -> list[tuple[str, int | None]]:
        """The texts that were written to a socket, with the numbers of those that have one."""
        written = [text for data in self.wires[sid].frames for text in server_texts(data)] if sid in self.wires else []
        packets = [json.loads(text.removeprefix("42")) for text in (*written, *self.polls.get(sid, ()))]
        return [(text, int(offset[0].removeprefix("w.")) if offset else None) for _, text, *offset in packets]

    def texts(self, sid: str) -> list[str]:
        return [text for text, _ in self.heard(sid)]


@pytest.fixture
def server() -> Server:
    return Server()


# ---------------------------------------------------------------- against a model without any gathering
SOCKETS = [f"s{number}" for number in range(5)]
sockets, skips = st.sampled_from(SOCKETS), st.lists(st.sampled_from(SOCKETS), max_size=2).map(tuple)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("gather"), skips),
        st.tuples(st.just("gather"), skips),
        st.tuples(st.just("tell"), st.sampled_from([ROOM, EVERYONE, *SOCKETS]), skips),
        st.tuples(st.just("enter"), sockets, st.sampled_from([EVERYONE, EVERYONE, ROOM])),
        st.tuples(st.just("leave"), sockets, st.sampled_from([EVERYONE, EVERYONE, ROOM])),
        st.tuples(st.just("part"), sockets),
        st.tuples(st.just("settle"), sockets),
        st.tuples(st.just("wait"), st.sampled_from([0.0, GATHER_SECONDS / 2, GATHER_SECONDS])),
    ),
    max_size=40,
)


class Model:
    """What each socket hears if every broadcast is written at once."""

    def __init__(self) -> None:
        self.rooms: dict[str, set[str]] = {ROOM: set(), EVERYONE: set()} | {sid: {sid} for sid in SOCKETS}
        self.told: dict[str, list[str]] = {sid: [] for sid in SOCKETS}

    def tell(self, text: str, room: str, skip: tuple[str, ...]) -> list[str]:
        hearers = [sid for sid in self.rooms[room] if sid not in skip]
        for sid in hearers:
            self.told[sid].append(text)
        return hearers


def carry_out(server: Server, model: Model, number: int, step: tuple[Any, ...]) -> list[str]:
    """The sockets that must have heard all they were told by now."""
    text = f"t{number}"
    match step:
        case ("gather", skip):
            model.tell(text, EVERYONE, skip)
            server.tell(text, EVERYONE, skip=skip, gathers=True)
        case ("tell", room, skip):
            server.tell(text, room, skip=skip)
            return model.tell(text, room, skip)
        case ("enter", sid, room) if sid in model.rooms[sid]:
            model.rooms[room].add(sid)
            server.manager.basic_enter_room(sid, "/", room)
        case ("leave", sid, room):
            is_parting = room == EVERYONE and sid in model.rooms[room]
            model.rooms[room].discard(sid)
            server.manager.basic_leave_room(sid, "/", room)
            return [sid] if is_parting else []
        case ("part", sid) if sid in model.rooms[sid]:
            server.manager.pre_disconnect(sid, "/")
            socket = server.server.eio.sockets[sid]
            heard = server.heard(sid)
            assert not socket.sent or socket.sent == heard[-1][1], "what it was sent last is known in time"
            server.manager.basic_disconnect(sid, "/")
            for hearers in model.rooms.values():
                hearers.discard(sid)
            return [sid]
        case ("settle", sid):
            server.manager.settle(sid)
            return [sid]
        case ("wait", seconds):
            server.scheduler.advance(seconds)
            return SOCKETS if seconds >= GATHER_SECONDS else []
    return []


@settings(max_examples=300)
@given(steps=steps, kinds=st.lists(st.sampled_from(KINDS), min_size=len(SOCKETS), max_size=len(SOCKETS)))
def test_each_socket_hears_what_it_would_without_waiting_and_in_that_order(
    steps: list[tuple[Any, ...]], kinds: list[str]
) -> None:
    server, model = Server(), Model()
    for sid, kind in zip(SOCKETS, kinds, strict=True):
        server.connect(sid, kind, EVERYONE)
        model.rooms[EVERYONE].add(sid)
    for number, step in enumerate(steps):
        complete = carry_out(server, model, number, step)
        for sid in SOCKETS:
            heard = server.texts(sid)
            assert heard == model.told[sid][: len(heard)], "never another, never in another order"
            assert sid not in complete or heard == model.told[sid]
    server.scheduler.advance(GATHER_SECONDS)
    for sid, kind in zip(SOCKETS, kinds, strict=True):
        assert server.texts(sid) == model.told[sid]
        numbers = [number for _, number in server.heard(sid)]
        if kind.endswith("counting"):
            assert numbers == sorted({number for number in numbers if number is not None}), "each higher than the last"
        else:
            assert set(numbers) <= {None}


# ---------------------------------------------------------------- how many writes, and how soon
def test_in_a_storm_each_socket_is_written_once_for_each_window(server: Server) -> None:
    arrivals, in_a_window = 400, 20
    for number in range(arrivals):
        server.connect(f"s{number}", "counting", EVERYONE)
        server.tell(f"t{number}", EVERYONE, skip=(f"s{number}",), gathers=True)
        server.scheduler.advance(GATHER_SECONDS / in_a_window)
    server.scheduler.advance(GATHER_SECONDS)
    for number in range(arrivals):
        assert server.texts(f"s{number}") == [f"t{later}" for later in range(number + 1, arrivals)]
        assert len(server.wires[f"s{number}"].frames) <= (arrivals - number) / in_a_window + 2


def test_all_that_wait_for_the_same_get_the_same_bytes_made_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(fanout.Gathering, "_text", _counted(fanout.Gathering._text, made))
    for number in range(10):
        server.connect(f"s{number}", "counting", EVERYONE)
    for text in ("one", "two", "three"):
        server.tell(text, EVERYONE, gathers=True)
    server.scheduler.advance(0)
    assert len(made) == 3
    first, *others = [server.wires[f"s{number}"].frames for number in range(10)]
    assert all(len(writes) == 1 and writes[0] is first[0] for writes in others)


def _counted(real: Any, calls: list[Any]) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return real(*args, **kwargs)

    return counted


def test_a_calm_server_tells_at_once_and_what_happens_in_the_same_moment_leaves_together(server: Server) -> None:
    server.connect("a", "plain", EVERYONE)
    for _ in range(3):
        server.tell("gone", EVERYONE, gathers=True)
        server.tell("offline", EVERYONE, gathers=True)
        server.scheduler.advance(0)
        assert server.texts("a") == ["gone", "offline"]
        assert len(server.wires["a"].frames) == 1
        server.wires["a"].frames.clear()
        server.scheduler.advance(GATHER_SECONDS)
    assert server.scheduler.pending == 0, "and nothing goes on ticking"


def test_what_follows_waits_for_the_end_of_its_window(server: Server) -> None:
    server.connect("a", "plain", EVERYONE)
    server.tell("first", EVERYONE, gathers=True)
    server.scheduler.advance(0.02)
    server.tell("second", EVERYONE, gathers=True)
    server.scheduler.advance(GATHER_SECONDS - 0.03)
    assert server.texts("a") == ["first"]
    server.scheduler.advance(0.01)
    assert server.texts("a") == ["first", "second"]


def test_a_polling_client_that_is_found_gone_does_not_cost_the_others_theirs(server: Server) -> None:
    """The library looks at each packet whether its last ping was answered, and then takes no more."""
    gone = DirectSocket(server.server.eio, "gone")
    gone.last_ping = 1.0  # in 1970
    server.connect("gone", "polling", EVERYONE)
    server.server.eio.sockets["gone"] = gone
    server.connect("here", "plain", EVERYONE)
    for text in ("one", "two", "three"):
        server.tell(text, EVERYONE, gathers=True)
    server.scheduler.advance(GATHER_SECONDS)
    assert gone.closed
    assert server.texts("here") == ["one", "two", "three"]


def test_very_much_does_not_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "GATHER_MAX_CHARS", 100)
    server.connect("a", "plain", EVERYONE)
    server.tell("x" * 60, EVERYONE, gathers=True)
    assert server.wires["a"].frames == []
    server.tell("y" * 60, EVERYONE, gathers=True)
    assert server.texts("a") == ["x" * 60, "y" * 60]
    server.scheduler.advance(1)
    assert len(server.wires["a"].frames) == 1


def test_an_acknowledgement_does_not_overtake_what_it_stands_for(server: Server) -> None:
    """Whoever sets their status hears of it first, as when nothing waits."""

    def set_status(command: SetStatus, *, actor: Actor) -> UserStatusChanged:
        server.tell(command.status, EVERYONE, gathers=True)
        return UserStatusChanged(actor.user_id or "", command.status, START)

    chat: Any = SimpleNamespace(presence=SimpleNamespace(set_status=set_status))
    unused: Any = None
    namespace = ChatNamespace(chat, unused, unused, unused, OPEN, scheduler=unused, clock=unused)
    namespace._set_server(server.server)
    for sid in ("a", "b"):
        server.connect(sid, "counting", EVERYONE)
        namespace._connections[sid] = connection(sid, sid)
    answer = namespace.trigger_event(Call("user_status", ({"userId": "a", "status": "busy"},), wants_ack=True), "a")
    assert answer is not None
    assert answer["ok"], answer
    assert server.texts("a") == ["busy"]
    assert server.texts("b") == []


# ---------------------------------------------------------------- nobody loses any of it
def test_nothing_is_gathered_for_nobody(server: Server) -> None:
    server.connect("a", "counting")
    server.tell("x", EVERYONE, gathers=True)
    assert (server.log.number, server.scheduler.pending) == (0, 0)


def test_a_lost_session_has_missed_what_was_gathered_and_is_not_told_again_what_it_had(server: Server) -> None:
    lost = LostSessions(server.log, keep_seconds=60, scheduler=server.scheduler)
    server.connect("a", "counting", EVERYONE)
    server.tell("had", EVERYONE, gathers=True)
    server.scheduler.advance(0)
    server.tell("on its way", EVERYONE, gathers=True)
    server.manager.pre_disconnect("a", "/")
    sent = server.server.eio.sockets["a"].sent
    session = Session("pid", "a", "ana", server.manager.entered("a"), None, 0, sent, server.log.number)
    lost.keep(session)
    server.manager.basic_disconnect("a", "/")
    server.tell("skipped", EVERYONE, skip=("a",), gathers=True)
    server.tell("missed", EVERYONE, gathers=True)
    after = lost.first_missed(session, "w.1")
    assert after is not None
    assert [re.findall("[a-z ]{3,}", entry.text)[0] for entry in lost.missed(session, after)] == [
        "on its way",
        "missed",
    ]


def test_who_enters_while_something_waits_has_not_missed_it(server: Server) -> None:
    server.connect("a", "counting", EVERYONE)
    server.tell("before", EVERYONE, gathers=True)
    server.connect("b", "counting", EVERYONE)
    assert server.manager.entered("b")[EVERYONE] == 1
    server.tell("after", EVERYONE, gathers=True)
    server.scheduler.advance(0)
    assert server.heard("b") == [("after", 2)]


def test_only_what_is_for_everyone_is_gathered() -> None:
    gathering = {row.name: row for row in ROWS if row.gathers}
    events = [UserConnected(JUAN), UserDisconnected("juan", START), UserStatusChanged("juan", Status.AWAY, START)]
    assert {row.event for row in gathering.values()} == set(map(type, events))
    for event in events:
        assert [row.audience(event).rooms for row in gathering.values() if row.event is type(event)] == [(EVERYONE,)]

"""Clients that lose their connection and come back: to the same worker or another, whatever happens meanwhile.

The whole chat over a real store, its sockets real up to the WebSocket; time is in the test's hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask

from chatapp.adapters.local_bus import LocalBus
from chatapp.adapters.system import SystemClock
from chatapp.domain.commands import CreateConversation, RemoveParticipant
from chatapp.domain.errors import StoreUnavailable
from chatapp.domain.events import MessageSent, ResyncNeeded, WorkerBeat
from chatapp.domain.identity import Identity
from chatapp.domain.models import OPERATOR, Actor
from chatapp.domain.rooms import EVERYONE, conversation_room
from chatapp.ports import Bus
from chatapp.settings import Settings
from chatapp.transport.auth import Authenticator
from chatapp.transport.limits import RateLimits
from chatapp.transport.sockets import create_socketio, recovery
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.library import answer_connects
from chatapp.transport.sockets.namespace import ChatNamespace
from chatapp.transport.sockets.packets import Call
from chatapp.transport.sockets.publisher import SocketPublisher
from chatapp.transport.sockets.recovery import Recovery
from chatapp.transport.sockets.rooms import SocketRooms
from chatapp.wiring import build_chat
from tests.e2e.wire import server_texts
from tests.fakes import FakeBus, JoinedBuses, ManualScheduler
from tests.transport.authenticators import OPEN, find_no_key

KEEP_SECONDS = 120
JAVASCRIPT, PYTHON = "EIO=4&transport=websocket", "transport=websocket&EIO=4&t=1700000000.1234"


class Wire:
    """A WebSocket that remembers what was written to it."""

    def __init__(self) -> None:
        self.packets: list[str] = []
        self.is_open = True

    def write_soon(self, frame: bytes) -> None:
        if self.is_open:
            self.packets += server_texts(frame)

    def close(self) -> None:
        self.is_open = False


class Client:
    """As socket.io-client behaves: it keeps its secret, and the last offset that has reached it."""

    def __init__(self, worker: Worker, name: str) -> None:
        self.worker, self.name = worker, name
        self.pid: str | None = None
        self.offset: str | None = None
        self.sid = ""
        self.recovered = False
        self.refusal: Any = None
        self._read_to = 0

    def connect(self, worker: Worker | None = None, *, query: str = JAVASCRIPT, **auth: Any) -> Client:
        self.worker = worker or self.worker
        self.wire = Wire()
        self._read_to = 0
        if self.pid is not None:
            auth = {"pid": self.pid, **({"offset": self.offset} if self.offset else {}), **auth}
        self.transport = self.worker.connect(self.wire, query, auth or None)
        for packet in self.wire.packets:
            if packet.startswith("40"):
                answer = json.loads(packet[2:])
                self.recovered = self.pid is not None and self.pid == answer.get("pid")
                self.sid, self.pid = answer["sid"], answer.get("pid")
            elif packet.startswith("44"):
                self.refusal = json.loads(packet[2:])
        return self

    def come_back(self, worker: Worker | None = None, **auth: Any) -> bool:
        """Whether it was recovered."""
        self.connect(worker, **auth)
        return self.recovered

    def heard(self, *, is_lost: bool = False) -> list[tuple[str, Any]]:
        """Events since the last time, by name and body. ``is_lost``: they were on their way, and never arrived."""
        self.worker.server.manager.settle_all()
        heard = []
        for packet in self.wire.packets[self._read_to :]:
            if packet.startswith("42"):
                name, body, *offset = json.loads(packet[2:])
                heard.append((name, body))
                if offset and self.pid and not is_lost:
                    (self.offset,) = offset
        self._read_to = len(self.wire.packets)
        return heard

    def texts(self) -> list[str]:
        return [body["content"] for name, body in self.heard() if name == "message_received"]

    def names(self) -> list[str]:
        return [name for name, _ in self.heard()]

    def lose(self, reason: str = "transport close") -> None:
        self.transport.close(wait=False, abort=True, reason=reason)

    def ask(self, event: str, **payload: Any) -> Any:
        answer = self.worker.namespace._answer(self.sid, Call(event, (payload,), wants_ack=True))
        assert answer is not None
        assert answer["ok"], answer
        return answer["data"]

    def join(self) -> Client:
        self.ask("user_join", userId=self.name, name=self.name, email=f"{self.name}@example.com")
        return self

    def enter(self, conversation: str) -> Client:
        self.ask("join_room", conversationId=conversation, userId=self.name)
        return self

    def say(self, conversation: str, content: str) -> str:
        data = self.ask(
            "send_message", conversationId=conversation, senderId=self.name, content=content, messageType="text"
        )
        return str(data["id"])


class Worker:
    def __init__(
        self,
        folder: Path,
        bus: Bus,
        scheduler: ManualScheduler,
        *,
        keep_seconds: int = KEEP_SECONDS,
        isolated: bool = False,
    ) -> None:
        settings = Settings(
            filial_isolation=isolated,
            sqlite_path=folder / "chat.db",
            upload_path=folder / "uploads",
            redis_url="redis://nowhere"
            if isinstance(bus, FakeBus)
            else None,  # there are other workers; the bus is ours
            rate_limit_enabled=False,
            recovery_seconds=keep_seconds,
        )
        app = Flask("test")
        now = scheduler.clock.now
        self.bus = bus
        self.recovery = Recovery(bus, keep_seconds=keep_seconds, scheduler=scheduler, now=lambda: now().timestamp())
        self.server = create_socketio(app, settings, self.recovery.log, scheduler).server
        rooms = SocketRooms(self.server, self.recovery.lost)
        publisher = SocketPublisher(self.server, rooms, bus)
        self.chat = build_chat(
            settings, publisher, rooms, bus, self.recovery, clock=scheduler.clock, scheduler=scheduler
        )
        self.recovery.serve(self.chat, self.server.manager)
        self.namespace = ChatNamespace(
            self.chat,
            settings,
            RateLimits(app, settings),
            self.recovery,
            OPEN,
            scheduler=scheduler,
            clock=SystemClock(),
        )
        self.server.register_namespace(self.namespace)
        answer_connects(self.server, self.namespace.greet)
        self._numbers = iter(range(10**6))

    def connect(self, wire: Any, query: str, auth: Any) -> DirectSocket:
        eio_sid = f"eio-{next(self._numbers)}"
        socket = DirectSocket(self.server.eio, eio_sid)
        socket.websocket = wire
        self.server.eio.sockets[eio_sid] = socket
        self.server.environ[eio_sid] = {"QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
        self.server._handle_connect(eio_sid, "/", auth)
        return socket

    def client(self, name: str) -> Client:
        return Client(self, name).connect().join()

    def group(self, *members: str) -> str:
        command = CreateConversation(participants=members, name="Team")
        return self.chat.conversations.create(command, actor=Actor(members[0]))[0].id

    def online(self, user_id: str) -> bool:
        return self.chat.users.get(user_id, actor=OPERATOR).status != "offline"

    def counts(self, conversation: str, user_id: str) -> bool:
        return self.chat.messages._audience.counts(conversation, user_id)


# ---------------------------------------------------------------- the stage
@pytest.fixture
def scheduler() -> ManualScheduler:
    return ManualScheduler()


Make = Callable[..., Worker]


@pytest.fixture
def make(tmp_path: Path, scheduler: ManualScheduler) -> Iterator[Make]:
    made: list[Worker] = []

    def make(bus: Bus | None = None, **options: Any) -> Worker:
        made.append(Worker(tmp_path, bus or LocalBus(), scheduler, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.chat.store.close()


@pytest.fixture
def worker(make: Make) -> Worker:
    return make()


class Cluster:
    def __init__(self, make: Make, scheduler: ManualScheduler) -> None:
        self.scheduler = scheduler
        self.buses = JoinedBuses()
        self.one, self.two, self.three = (make(self.buses.bus(name)) for name in ("one", "two", "three"))
        self.pass_time(1)  # everybody has told that they live

    def pass_time(self, seconds: float) -> None:
        self.scheduler.advance(seconds)

    def come_back(self, client: Client, worker: Worker, **auth: Any) -> bool:
        return bool(self.run(client.come_back, worker, **auth))

    def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Workers answer each other as soon as they are asked."""
        running = gevent.spawn(call, *args, **kwargs)
        with gevent.Timeout(10):
            while not running.ready():
                self.scheduler.advance(0)
                gevent.sleep(0.001)
        return running.get()


@pytest.fixture
def cluster(make: Make, scheduler: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(make, scheduler)


@contextmanager
def meanwhile(part: Any, method: str, action: Callable[[], object]) -> Iterator[None]:
    """When ``part.method`` has its answer, and before it arrives, ``action`` happens; once."""
    real = getattr(part, method)
    acted = False

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        nonlocal acted
        answer = real(*args, **kwargs)
        if not acted:
            acted = True
            action()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, method, overtaken)
        yield
    assert acted, "it was never asked"


# ---------------------------------------------------------------- to the same worker
def test_what_was_missed_arrives_once_and_then_it_goes_on(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    ana.enter(room)
    bea.enter(room)
    ana.say(room, "before")
    assert bea.texts() == ["before"]
    sid = bea.sid
    bea.lose()
    ana.say(room, "one")
    ana.say(room, "two")
    assert bea.come_back()
    assert bea.sid == sid
    ana.say(room, "three")
    assert bea.texts() == ["one", "two", "three"]
    assert bea.say(room, "I am here")


def test_the_answer_comes_before_what_was_missed(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "one")
    bea.come_back()
    assert [packet[:2] for packet in bea.wire.packets] == ["40", "42"]


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_was_on_its_way_when_the_connection_broke_is_sent_again(worker: Worker, is_lost: bool) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    ana.say(room, "one")
    assert bea.heard(is_lost=is_lost)
    bea.lose()
    ana.say(room, "two")
    assert bea.come_back()
    assert bea.texts() == (["one", "two"] if is_lost else ["two"])


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_connection_that_breaks_again_at_once_is_recovered_again(worker: Worker, is_lost: bool) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    for text in ("one", "two", "three"):
        bea.lose()
        ana.say(room, text)
        assert bea.come_back()
        bea.heard(is_lost=is_lost)
    bea.lose()
    assert bea.come_back()
    assert bea.texts() == (["one", "two", "three"] if is_lost else [])


def test_a_client_that_has_heard_nothing_yet_is_recovered(worker: Worker) -> None:
    bea = worker.client("bea")
    assert bea.offset is None
    bea.lose()
    worker.group("bea", "bea")
    assert bea.come_back()
    assert bea.names() == ["group_created"]


def test_an_offset_of_an_earlier_session_does_not_harm_a_new_one(worker: Worker, scheduler: ManualScheduler) -> None:
    """socket.io-client keeps it."""
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.heard()
    bea.lose()
    scheduler.advance(KEEP_SECONDS)
    ana.say(room, "too late")
    assert not bea.come_back()
    assert bea.offset is not None
    bea.join().enter(room)
    bea.heard(is_lost=True)
    bea.lose()
    ana.say(room, "in time")
    assert bea.come_back()
    assert "in time" in bea.texts()


def test_who_is_online_is_told_as_ever(worker: Worker, scheduler: ManualScheduler) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    ana.heard()
    bea.lose()
    scheduler.advance(10)
    assert not worker.online("bea")
    assert bea.come_back()
    assert worker.online("bea")
    assert ana.names() == ["user_disconnected", "user_status_update", "user_connected"]
    assert bea.names() == [], "their own absence is nothing to them"


def test_somebody_who_hides_while_another_tab_is_lost_is_hidden_there_too(worker: Worker) -> None:
    bea, tab = worker.client("bea"), worker.client("bea")
    tab.heard()
    tab.lose()
    bea.ask("user_status", userId="bea", status="offline")
    assert tab.come_back()
    assert tab.names() == ["user_status_update"]


def test_in_a_room_the_message_is_missed_and_outside_the_notice(worker: Worker, scheduler: ManualScheduler) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    inside, outside = worker.group("ana", "bea"), worker.group("ana", "bea")
    bea.enter(inside).heard()
    bea.lose()
    scheduler.advance(10)  # offline, and counted all the same
    ana.say(inside, "hello")
    ana.say(outside, "hello")
    assert bea.come_back()
    heard = [event for event in bea.heard() if event[0] not in ("user_disconnected", "user_status_update")]
    assert [(name, body["conversationId"]) for name, body in heard] == [
        ("message_received", inside),
        ("unread_message_group", outside),
    ]
    assert heard[1][1]["unreadCount"] == 1


def test_notices_of_before_are_not_repeated(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    ana.say(room, "unread")
    assert bea.names()[-1] == "unread_message_group"
    bea.lose()
    assert bea.come_back()
    assert bea.names() == []


def test_read_receipts_and_typing_reach_who_was_away(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    ana.enter(room)
    bea.enter(room)
    bea.say(room, "hello")
    bea.heard()
    bea.lose()
    ana.ask("mark_messages_as_read", conversationId=room, userId="ana")
    ana.ask("typing_start", conversationId=room, userId="ana")
    assert bea.come_back()
    assert bea.names() == ["read_receipt", "typing_indicator"]


def test_what_happens_while_the_store_is_asked_arrives_once(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "one")
    with meanwhile(worker.chat.store.conversations, "marks", lambda: ana.say(room, "two")):
        assert bea.come_back()
    ana.say(room, "three")
    assert bea.texts() == ["one", "two", "three"]


# ---------------------------------------------------------------- who is no member any more
def take_out(worker: Worker, room: str) -> None:
    command = RemoveParticipant(conversation_id=room, user_id="bea")
    worker.chat.conversations.remove_participant(command, actor=Actor("ana"))


def take_out_unheard(worker: Worker, room: str) -> None:
    conversations = worker.chat.store.conversations
    conversations.remove_participant(room, "bea", by="ana", now=worker.chat.users._clock.now())


def test_who_was_taken_out_hears_no_more_of_it(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    group, other = worker.group("ana", "bea"), worker.group("ana", "bea")
    bea.enter(group).enter(other).heard()
    bea.lose()
    ana.say(group, "secret")
    ana.say(other, "public")
    take_out(worker, group)
    assert bea.come_back()
    assert bea.texts() == ["public"]
    ana.say(group, "secret too")
    assert bea.texts() == []


def test_who_is_taken_out_while_the_store_is_asked_hears_no_more_of_it(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    group = worker.group("ana", "bea")
    bea.enter(group).heard()
    bea.lose()
    ana.say(group, "secret")
    with meanwhile(worker.chat.store.conversations, "marks", lambda: take_out(worker, group)):
        assert bea.come_back()
    ana.say(group, "secret too")
    assert bea.texts() == []


def test_who_was_taken_out_unheard_is_found_out_by_the_store(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    group = worker.group("ana", "bea")
    bea.enter(group).heard()
    bea.lose()
    ana.say(group, "secret")
    take_out_unheard(worker, group)
    assert bea.come_back()
    assert bea.texts() == []


def test_of_a_group_that_is_gone_nothing_is_told(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    group = worker.group("ana", "bea")
    bea.enter(group).heard()
    bea.lose()
    ana.say(group, "too late")
    worker.chat.conversations.delete(group, actor=OPERATOR)
    assert not worker.recovery.lost.hears(conversation_room(group))
    assert bea.come_back()
    assert bea.names() == ["group_deleted"]


@pytest.mark.parametrize("when", ["before", "while the store is asked"])
def test_a_user_who_is_deleted_does_not_come_back(worker: Worker, when: str) -> None:
    bea = worker.client("bea")
    bea.lose()
    if when == "before":
        worker.chat.users.delete("bea", actor=OPERATOR)
        assert not bea.come_back()
    else:
        with meanwhile(worker.chat.store.users, "get", lambda: worker.chat.users.delete("bea", actor=OPERATOR)):
            assert not bea.come_back()
    assert not worker.recovery.keeps("bea")


# ---------------------------------------------------------------- who begins anew
@pytest.mark.parametrize("reason", ["client disconnect", "server disconnect"])
def test_after_a_goodbye_there_is_nothing_to_recover(worker: Worker, reason: str) -> None:
    bea = worker.client("bea")
    bea.lose(reason)
    assert not worker.recovery.keeps("bea")
    assert not bea.come_back()


@pytest.mark.parametrize("reason", ["transport close", "transport error", "ping timeout"])
def test_after_a_loss_there_is(worker: Worker, reason: str) -> None:
    bea = worker.client("bea")
    bea.lose(reason)
    assert bea.come_back()


def test_after_its_time_a_session_is_gone_and_nothing_of_it_is_left(worker: Worker, scheduler: ManualScheduler) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room)
    sid = bea.sid
    bea.lose()
    scheduler.advance(KEEP_SECONDS - 1)
    assert worker.counts(room, "bea")
    scheduler.advance(1)
    assert not worker.counts(room, "bea")
    assert not bea.come_back()
    assert bea.sid != sid
    ana.say(room, "hello")
    assert bea.names() == []


def test_too_much_to_tell_at_once_is_not_told(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "MISSED_MAX_BYTES", 1000)
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "x" * 1000)
    assert not bea.come_back()
    assert bea.names() == []


def test_a_session_goes_on_for_its_own_user_alone(worker: Worker) -> None:
    bea = worker.client("bea")
    bea.lose()
    assert not bea.come_back(userId="ana")
    assert not worker.recovery.keeps("bea")


def ask_for_tokens(worker: Worker) -> set[str]:
    """Such as ``bea of lima``. The answer is for those whose tokens are revoked."""
    now, revoked = SystemClock().now(), set[str]()

    def verify(token: str) -> Identity:
        user_id, _, filial = token.partition(" of ")
        return Identity(user_id, issued_at=now, expires_at=now + timedelta(hours=1), filials=(filial,))

    def is_revoked(user_id: str, _issued_at: datetime) -> bool:
        return user_id in revoked

    worker.namespace._authenticator = Authenticator(verify, find_no_key, is_revoked, admin_roles=())
    return revoked


@pytest.mark.parametrize(("filial", "heard"), [("lima", ["user_connected"]), ("cusco", [])])
def test_who_comes_back_has_missed_what_their_branches_were_told(make: Make, filial: str, heard: list[str]) -> None:
    worker = make(isolated=True)
    ask_for_tokens(worker)
    bea = Client(worker, "bea").connect(token="bea of lima").join()
    bea.lose()
    Client(worker, "ana").connect(token="ana of lima").join()
    assert bea.come_back(token=f"bea of {filial}")
    assert bea.names() == heard


def test_whose_token_is_revoked_while_the_session_is_looked_for_hears_nothing(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    group = worker.group("ana", "bea")
    bea.enter(group).lose()
    ana.say(group, "secret")
    revoked = ask_for_tokens(worker)
    with meanwhile(worker.recovery, "find", lambda: revoked.add("bea")):
        bea.connect(token="bea of lima")
    assert bea.heard() == [("token_expired", {"code": "token_revoked"})]
    assert bea.sid not in worker.namespace._connections


def test_who_has_only_said_who_they_are_comes_back_as_that(worker: Worker) -> None:
    bea = worker.client("bea")
    shy = Client(worker, "bea").connect(userId="bea")
    shy.lose()
    assert shy.come_back(userId="bea")
    assert shy.say(worker.group("bea", "bea"), "it is me")
    assert bea.names()


@pytest.mark.parametrize("auth", [{"pid": 1}, {"pid": None}, {"pid": "x" * 1000}, {"pid": ""}, {"pid": "alone.x"}])
def test_what_is_no_secret_of_ours_begins_anew(worker: Worker, auth: Any) -> None:
    stranger = Client(worker, "bea").connect(**auth)
    assert stranger.sid
    assert stranger.pid != auth["pid"]


def test_a_refused_connection_takes_nothing(worker: Worker) -> None:
    bea = worker.client("bea")
    bea.lose()
    bea.connect(userId=17)
    assert bea.refusal["data"]["code"] == "invalid_data"
    assert bea.come_back()


def test_the_store_being_away_refuses_no_connection(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    bea = worker.client("bea")
    bea.lose()

    def fail(*_: Any) -> Any:
        raise StoreUnavailable(engine="test")

    with monkeypatch.context() as patch:
        patch.setattr(worker.chat.store.users, "get", fail)
        assert not bea.come_back()
    assert bea.sid


# ---------------------------------------------------------------- who is offered it
def test_python_clients_hear_what_they_always_heard(worker: Worker) -> None:
    snake, bea = Client(worker, "snake").connect(query=PYTHON).join(), worker.client("bea")
    room = worker.group("snake", "bea")
    snake.enter(room).heard()
    bea.enter(room)
    bea.say(room, "hello")
    assert snake.pid is None
    (packet,) = [packet for packet in snake.wire.packets if "message_received" in packet]
    assert len(json.loads(packet[2:])) == 2
    (numbered,) = [packet for packet in bea.wire.packets if "message_received" in packet]
    assert numbered.startswith(packet[:-1])
    snake.lose()
    assert not worker.recovery.keeps("snake")


def test_it_can_be_switched_off(make: Make) -> None:
    worker = make(keep_seconds=0)
    bea = worker.client("bea")
    assert bea.pid is None
    room = worker.group("bea", "bea")
    bea.enter(room).say(room, "hello")
    bea.lose()
    assert not worker.recovery.keeps("bea")
    assert worker.recovery.log.number == 0


# ---------------------------------------------------------------- a client that comes and goes
def test_a_client_that_is_back_before_its_loss_was_seen_takes_over(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    old = bea.wire
    ana.say(room, "into the void")
    assert bea.come_back()
    assert not old.is_open
    assert bea.texts() == ["into the void"]
    ana.say(room, "here")
    assert bea.texts() == ["here"]


def test_a_client_that_goes_while_it_waits_can_come_again(worker: Worker) -> None:
    ana, bea = worker.client("ana"), worker.client("bea")
    room = worker.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "one")
    sockets = worker.server.eio.sockets
    with meanwhile(worker.chat.store.conversations, "marks", lambda: [each.close() for each in sockets.values()]):
        bea.connect()
    assert bea.wire.packets == ["1"], "nothing but the goodbye"
    assert bea.come_back()
    assert bea.texts() == ["one"]


def test_of_two_that_know_the_secret_one_gets_the_session(worker: Worker) -> None:
    bea = worker.client("bea")
    twin = Client(worker, "bea")
    twin.pid, twin.offset = bea.pid, bea.offset
    bea.lose()
    with meanwhile(worker.chat.store.users, "get", twin.come_back):
        assert bea.come_back()
    assert twin.sid != bea.sid
    assert twin.pid != bea.pid


# ---------------------------------------------------------------- to another worker
def test_who_comes_elsewhere_before_the_loss_was_seen_takes_over_there(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.enter(room).heard()
    old = bea.wire
    ana.say(room, "into the void")
    assert cluster.come_back(bea, cluster.three)
    assert not old.is_open
    assert bea.texts() == ["into the void"]


def test_another_worker_goes_on_with_it(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    ana.enter(room)
    bea.enter(room).heard()
    sid = bea.sid
    bea.lose()
    ana.say(room, "one")
    assert cluster.come_back(bea, cluster.three)
    assert bea.sid == sid
    ana.say(room, "two")
    assert bea.texts() == ["one", "two"]
    bea.say(room, "here")
    assert "here" in ana.texts()
    assert not cluster.two.recovery.keeps("bea")
    assert not cluster.three.recovery.keeps("bea")
    assert cluster.one.online("bea")


def test_presence_follows_to_the_other_worker(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    ana.heard()
    bea.heard()
    bea.lose()
    assert cluster.come_back(bea, cluster.three)
    cluster.pass_time(60)
    assert ana.names() == [], "it was within the grace"
    assert bea.names() == []
    assert cluster.one.online("bea")


def test_it_wanders_on_and_back_also_when_it_hears_nothing_meanwhile(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.enter(room).heard()
    for worker in (cluster.three, cluster.two, cluster.one, cluster.two, cluster.three):
        bea.lose()
        assert cluster.come_back(bea, worker)
    bea.lose()
    ana.say(room, "one")
    assert cluster.come_back(bea, cluster.one)
    assert bea.texts() == ["one"]


def test_what_was_on_its_way_from_the_other_worker_is_sent_again(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "one")
    assert cluster.come_back(bea, cluster.three)
    bea.heard(is_lost=True)
    bea.lose()
    ana.say(room, "two")
    assert cluster.come_back(bea, cluster.two)
    assert bea.texts() == ["one", "two"]


@pytest.mark.parametrize("method", ["_show", "_answer_claim"])
@pytest.mark.parametrize("by", ["one", "two", "three"])
def test_what_happens_while_it_is_handed_over_arrives_once(cluster: Cluster, by: str, method: str) -> None:
    """Wherever it happens: here, there, or elsewhere; before the session is handed over, and right after."""
    ana, bea = getattr(cluster, by).client("ana"), cluster.two.client("bea")
    room = cluster.two.group("ana", "bea")
    ana.enter(room)
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "one")
    real = getattr(cluster.two.recovery, method)

    def surrounded(question: Any) -> None:
        ana.say(room, "before")
        ana.ask("typing_start", conversationId=room, userId="ana")
        real(question)
        ana.ask("typing_stop", conversationId=room, userId="ana")  # waits for nothing: nobody has taken the answer yet
        ana.say(room, "after")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster.two.recovery, method, surrounded)
        assert cluster.come_back(bea, cluster.three)
    ana.say(room, "two")
    heard = [body.get("content", body.get("isTyping")) for _, body in bea.heard()]
    assert heard == ["one", "before", True, False, "after", "two"]


def test_notices_are_counted_once_wherever_it_goes(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.heard()
    bea.lose()
    ana.say(room, "one")
    real = cluster.two.recovery._answer_claim

    def surrounded(question: Any) -> None:
        ana.say(room, "two")
        real(question)
        ana.say(room, "three")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster.two.recovery, "_answer_claim", surrounded)
        assert cluster.come_back(bea, cluster.three)
    ana.say(room, "four")
    assert [(name, body["unreadCount"]) for name, body in bea.heard()] == [
        ("unread_message_group", count) for count in (1, 2, 3, 4)
    ]


def test_a_message_that_is_stored_and_not_yet_told_is_not_lost(cluster: Cluster) -> None:
    """The worker it comes to has read of it in the store, and so would not tell it; the other has not heard of it."""
    bea = cluster.two.client("bea")
    ana = cluster.one.client("ana")
    room = cluster.one.group("ana", "bea")
    cluster.pass_time(0)  # two listens to the new group
    bea.enter(room).heard()
    bea.lose()
    relayed: list[Any] = []
    publisher = cluster.one.chat.deliveries._publisher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "relay", lambda event, **rooms: relayed.append((event, rooms)))
        ana.say(room, "slow")
        assert cluster.come_back(bea, cluster.three)
    assert bea.texts() == ["slow"]
    for event, rooms in relayed:
        assert isinstance(event, MessageSent)
        publisher.relay(event, **rooms)
    ana.say(room, "next")
    assert bea.texts() == ["next"]


def test_a_message_that_its_worker_has_told_ahead_of_the_other_is_not_doubled(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    cluster.three.client("bea")  # so that three follows the conversation, and has its own idea of it
    room = cluster.one.group("ana", "bea")
    cluster.pass_time(0)
    bea.enter(room).heard()
    bea.lose()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster.three.bus, "hear", _but(cluster.three.bus.hear, MessageSent))
        ana.say(room, "one")
    assert cluster.come_back(bea, cluster.three)
    ana.say(room, "two")
    cluster.pass_time(10)
    assert bea.texts() == ["one", "two"]


def _but(hear: Callable[[str, bytes], None], kind: type) -> Callable[[str, bytes], None]:
    def deaf(room: str, payload: bytes) -> None:
        if f'"{kind.__name__}"'.encode() not in payload:
            hear(room, payload)

    return deaf


def test_who_was_taken_out_hears_no_more_of_it_elsewhere(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    group, other = cluster.one.group("ana", "bea"), cluster.one.group("ana", "bea")
    bea.enter(group).enter(other).heard()
    bea.lose()
    ana.say(group, "secret")
    ana.say(other, "public")
    take_out(cluster.one, group)
    assert cluster.come_back(bea, cluster.three)
    assert bea.texts() == ["public"]
    ana.say(group, "secret too")
    assert bea.texts() == []


def test_who_was_taken_out_unheard_is_found_out_elsewhere(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    group = cluster.one.group("ana", "bea")
    cluster.pass_time(0)
    bea.enter(group).heard()
    bea.lose()
    ana.say(group, "secret")
    take_out_unheard(cluster.one, group)
    assert cluster.come_back(bea, cluster.three)
    assert bea.texts() == []


def test_who_is_taken_out_while_it_is_handed_over_hears_no_more_of_it(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    group = cluster.one.group("ana", "bea")
    bea.enter(group).heard()
    bea.lose()
    with meanwhile(cluster.two.recovery, "_show", lambda: take_out(cluster.one, group)):
        assert cluster.come_back(bea, cluster.three)
    ana.say(group, "secret")
    assert bea.texts() == []


def test_a_worker_that_lost_a_user_long_ago_still_hears_and_counts_for_them(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.heard()
    bea.lose()
    cluster.pass_time(KEEP_SECONDS - 0.5)  # long after the grace, and after rooms nobody needs are let go
    ana.say(room, "one")
    cluster.one.group("ana", "bea")
    assert cluster.come_back(bea, cluster.three)
    names = bea.names()
    assert (names.count("unread_message_group"), names.count("group_created")) == (1, 1)


def test_when_its_time_is_over_the_worker_hears_no_more_for_the_user(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    room = cluster.two.group("bea", "bea")
    bea.enter(room).lose()
    cluster.pass_time(KEEP_SECONDS)
    assert not cluster.two.counts(room, "bea")
    cluster.pass_time(3 * 60)
    assert not {"user:bea", f"conversation:{room}"} & cluster.two.bus.rooms


# ---------------------------------------------------------------- when the other worker cannot know
@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 0.05)


def test_a_dead_worker_has_taken_its_sessions_along(cluster: Cluster, impatient: None) -> None:
    bea = cluster.two.client("bea")
    sid = bea.sid
    bea.lose()
    cluster.two.bus.kill()
    assert not cluster.come_back(bea, cluster.three)
    assert bea.sid != sid
    assert bea.join()


def test_a_worker_that_is_not_heard_of_is_not_waited_for(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    cluster.two.bus.kill()
    cluster.pass_time(recovery.SILENT_SECONDS)
    assert not bea.come_back(cluster.three)


def test_a_worker_that_has_just_started_asks_whom_it_has_not_heard_yet(cluster: Cluster, make: Make) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    assert cluster.come_back(bea, make(cluster.buses.bus("four")))


def test_a_worker_that_was_deaf_meanwhile_gives_nothing(cluster: Cluster) -> None:
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    cluster.two.bus.cut()
    ana.say(room, "unheard")
    cluster.two.bus.join()
    cluster.pass_time(1)
    assert not cluster.come_back(bea, cluster.three)


def test_what_the_bus_has_lost_for_all_ends_what_is_kept(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    cluster.one.bus.publish([EVERYONE], ResyncNeeded())
    assert not cluster.two.recovery.keeps("bea")


def test_a_deaf_worker_asks_nobody(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    cluster.three.bus.cut()
    assert not bea.come_back(cluster.three)


def test_a_deaf_worker_goes_on_with_its_own(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    cluster.two.bus.cut()
    assert bea.come_back(cluster.two)


def test_the_bus_failing_while_it_is_handed_over_ends_it(cluster: Cluster, impatient: None) -> None:
    bea = cluster.two.client("bea")
    bea.lose()

    def fail() -> None:
        cluster.three.bus.cut()
        cluster.three.bus.join()

    with meanwhile(cluster.two.recovery, "_answer_claim", fail):
        assert not cluster.come_back(bea, cluster.three)
    assert not cluster.three.recovery.keeps("bea")


def test_too_much_is_not_handed_over(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "MISSED_MAX_BYTES", 1000)
    ana, bea = cluster.one.client("ana"), cluster.two.client("bea")
    room = cluster.one.group("ana", "bea")
    bea.enter(room).heard()
    bea.lose()
    ana.say(room, "x" * 1000)
    assert not cluster.come_back(bea, cluster.three)
    assert not cluster.two.recovery.keeps("bea")
    assert not cluster.three.recovery.keeps("bea")


def test_a_secret_that_no_worker_has_begins_anew_at_once(cluster: Cluster) -> None:
    stranger = Client(cluster.three, "bea")
    stranger.pid = "two.AAAA"
    assert not cluster.come_back(stranger, cluster.three)
    assert stranger.sid


def test_a_client_that_goes_while_it_is_handed_over_leaves_nothing(cluster: Cluster) -> None:
    bea = cluster.two.client("bea")
    bea.lose()
    sockets = cluster.three.server.eio.sockets
    with meanwhile(cluster.two.recovery, "_answer_claim", lambda: [each.close() for each in sockets.values()]):
        cluster.run(bea.connect, cluster.three)
    assert bea.wire.packets == ["1"], "nothing but the goodbye"
    assert not cluster.three.recovery.keeps("bea")
    assert not cluster.come_back(bea, cluster.one)
    assert bea.join()


def test_workers_that_are_gone_are_forgotten(cluster: Cluster) -> None:
    for number in range(5):
        cluster.one.recovery.receive(f"gone-{number}", WorkerBeat())
    cluster.pass_time(recovery.SILENT_SECONDS + 1)
    cluster.one.recovery.receive("new", WorkerBeat())
    assert set(cluster.one.recovery._beats) == {"two", "three", "new"}

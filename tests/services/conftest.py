"""The services over a real store and real files, with time, ids, timers, events and rooms in the test's hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.shared_presence import SharedPresence
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.commands import CreateConversation, JoinChat, JoinRoom, SendMessage
from chatapp.domain.errors import StoreUnavailable, Unavailable
from chatapp.domain.events import Event, ProfileChanged
from chatapp.domain.models import Actor, Attachment, Conversation, Message, StoredFile, User
from chatapp.domain.rooms import EVERYONE, channel_of
from chatapp.ports import FileStore, Store
from chatapp.protocol.outgoing import rows_by_event
from chatapp.services.attachments import THUMBNAIL_ENDING, AttachmentSweeper, file_url
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.calls.assembly import assemble_calls
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.service import Rules
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.filials import Filials
from chatapp.services.following import Following
from chatapp.services.messages import MessageService
from chatapp.services.presence import PresenceService
from chatapp.services.profiles import Profiles
from chatapp.services.replay import Replay
from chatapp.services.replica import Replica
from chatapp.services.revocations import RevocationService
from chatapp.services.telling import Teller
from chatapp.services.typing import TypingService
from chatapp.services.users import UserService
from tests.contracts.builders import NAMES, save_people
from tests.fakes import (
    FakeBus,
    FakeClock,
    JoinedBuses,
    ManualScheduler,
    RecordingPublisher,
    RecordingRooms,
    SequentialIds,
)

GRACE_SECONDS = 2


class BusPublisher(RecordingPublisher):
    """``told`` holds what sockets here hear, as ``(room, wire event)``: rooms of users without one are left out.
    The bus has the rest."""

    def __init__(self, bus: FakeBus, rooms: RecordingRooms) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []
        self._bus = bus
        self._rooms = rooms
        self._rows = rows_by_event()

    def deliver(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        super().deliver(event, rooms=rooms)
        self.told += [
            (room, name)
            for room, name in self._of(event)
            if (rooms is None or channel_of(room) in rooms) and self._is_heard(room)
        ]

    def _is_heard(self, room: str) -> bool:
        kind, _, user_id = room.partition(":")
        return kind != "user" or bool(self._rooms.sockets_of(user_id))

    def relay(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        super().relay(event, rooms=rooms)
        self._bus.publish(
            dict.fromkeys(channel_of(room) for room, _ in self._of(event)) if rooms is None else rooms, event
        )

    def _of(self, event: Event) -> list[tuple[str, str]]:
        rows = [row for row in self._rows.get(type(event), ()) if row.when(event)]
        return [(room, row.name) for row in rows for room in row.audience(event).rooms]

    def clear(self) -> None:
        super().clear()
        self.told.clear()


class World:
    """One process alone; or, with a ``bus``, one of several workers: ``beside`` another they share store and time."""

    def __init__(
        self,
        folder: Path,
        *,
        bus: FakeBus | None = None,
        beside: World | None = None,
        store: Store | None = None,
        files: FileStore | None = None,
        isolated: bool = False,
    ) -> None:
        self.clock = beside.clock if beside else FakeClock()
        self.ids = beside.ids if beside else SequentialIds()
        self.scheduler = beside.scheduler if beside else ManualScheduler(self.clock)
        self.bus = bus or FakeBus("alone")
        self.rooms = RecordingRooms()
        self.published = BusPublisher(self.bus, self.rooms) if bus else RecordingPublisher()
        shared = SharedPresence(bus, now=lambda: self.clock.now().timestamp()) if bus else None
        self.present = shared or MemoryPresence()
        self.store = store or (beside.store if beside else SqliteStore(folder / "chat.db"))
        self.files = files or (beside.files if beside else LocalFiles(folder / "uploads"))
        self.access = FileAccess(self.store, self.files)
        self.audience = Audience()
        self.profiles = Profiles(
            self.store.users,
            changed=lambda user_id: self.published.relay(ProfileChanged(user_id), rooms=(EVERYONE,)),
        )
        self.filials = Filials(self.store.users, isolated=isolated)
        sweeper = AttachmentSweeper(self.files)
        time = {"clock": self.clock, "ids": self.ids}
        self.typing = TypingService(self.store, self.present, self.profiles, self.published, scheduler=self.scheduler)
        self.teller = Teller(self.audience, self.present, self.rooms, self.published)
        self.deliveries = Deliveries(
            Replay(self.store, self.profiles), self.teller.tell, self.published, scheduler=self.scheduler
        )
        self.audit = AuditService(self.store.audit, clock=self.clock)
        self.revocations = RevocationService(
            self.store.revocations, self.audit, self.published, clock=self.clock, scheduler=self.scheduler
        )
        self.messages = MessageService(
            self.store,
            self.access,
            self.audience,
            self.profiles,
            self.deliveries,
            sweeper,
            self.published,
            self.audit,
            **time,
        )
        self.following = following = None if shared is None else self._follow(shared)
        self.presence = PresenceService(
            self.store,
            self.present,
            self.audience,
            self.profiles,
            self.filials,
            self.typing,
            self.rooms,
            self.published,
            clock=self.clock,
            scheduler=self.scheduler,
            grace_seconds=GRACE_SECONDS,
            following=following,
        )
        self.conversations = ConversationService(
            self.store,
            self.present,
            self.audience,
            self.profiles,
            self.filials,
            self.rooms,
            self.teller,
            self.deliveries,
            sweeper,
            self.published,
            self.audit,
            following=following,
            **time,
        )
        self.users = UserService(
            self.store,
            self.present,
            self.conversations,
            self.profiles,
            self.filials,
            self.rooms,
            self.published,
            self.revocations,
            self.audit,
            **time,
        )
        self._make_calls()
        save_people(self.store)
        if shared and following:
            following.start()
            self._replicate(shared)

    def _make_calls(self) -> None:
        assembled = assemble_calls(
            self.store,
            self.audience,
            self.profiles,
            self.rooms,
            self.published,
            self.deliveries,
            self.conversations,
            IceServers((), (), secret="", clock=self.clock),
            None,
            speaks_for=self.presence.user_of,
            rules=Rules(ring_seconds=30, max_participants=3),
            clock=self.clock,
            ids=self.ids,
            scheduler=self.scheduler,
            now=lambda: self.clock.now().timestamp(),
        )
        self.calls, self.hearing, self.sweeper = assembled.service, assembled.hearing, assembled.sweeper
        self.endings, self.ledger, self.leases = assembled.endings, assembled.ledger, assembled.leases
        self.signals, self.seats = assembled.signals, assembled.seats
        self.teller.on_departure = self.conversations.on_close = self.calls.expel

    def _follow(self, shared: SharedPresence) -> Following:
        return Following(self.bus, self.audience, shared, self.deliveries, clock=self.clock, scheduler=self.scheduler)

    def _replicate(self, shared: SharedPresence) -> None:
        self.replica = Replica(
            self.bus,
            shared,
            self.audience,
            self.profiles,
            self.deliveries,
            self.rooms,
            self.published,
            self.conversations,
            self.messages,
            self.presence,
            self.revocations,
            self.hearing,
            scheduler=self.scheduler,
        )
        self.replica.start()

    def close(self) -> None:
        self.store.close()
        self.files.close()

    # ------------------------------------------------------------ short ways to say it
    def online(self, *user_ids: str) -> None:
        """Each joins the chat with a socket ``<user>-1``."""
        for user_id in user_ids:
            self.join(user_id)

    def join(self, user_id: str, socket_id: str | None = None) -> User:
        command = JoinChat(name=NAMES.get(user_id, user_id), email=f"{user_id}@example.com")
        return self.presence.join(command, actor=Actor(user_id), socket_id=socket_id or f"{user_id}-1")

    def enter(self, conversation: Conversation, *user_ids: str) -> None:
        """Each opens the conversation on the socket ``<user>-1``."""
        for user_id in user_ids:
            command = JoinRoom(conversation_id=conversation.id)
            self.conversations.join_room(command, actor=Actor(user_id), socket_id=f"{user_id}-1")

    def group(self, creator: str, *others: str, name: str = "Team") -> Conversation:
        command = CreateConversation(participants=others, name=name, description="about it")
        return self.conversations.create(command, actor=Actor(creator))[0]

    def private(self, creator: str, other: str) -> Conversation:
        command = CreateConversation(participants=(creator, other), is_group=False)
        return self.conversations.create(command, actor=Actor(creator))[0]

    def say(
        self, conversation: Conversation, content: str = "hello", *, by: str | Actor = "ana", **fields: Any
    ) -> Message:
        command = SendMessage(conversation_id=conversation.id, content=content, **fields)
        return self.messages.send(command, actor=Actor(by) if isinstance(by, str) else by)

    def store_file(self, name: str = "photo.png", *, thumbnail: bool = False) -> Attachment:
        """Its bytes are at rest; known as an image of 3 bytes called ``Holiday.png``."""
        small = name.rsplit(".", 1)[0] + THUMBNAIL_ENDING if thumbnail else None
        for each in filter(None, (small, name)):
            source = self.files.staging() / each
            source.write_bytes(b"abc")
            mine = small if each == name else None
            self.files.put(StoredFile(each, "Holiday.png", "image/png", 3, self.clock.now(), "ana", mine), source)
        return Attachment(file_url(name))

    def events(self) -> list[Event]:
        """What was published since the last time."""
        events = list(self.published.events)
        self.published.clear()
        return events


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@dataclass
class Cluster:
    """Three workers over one store. Time passes for all when ``pass_time`` is called."""

    buses: JoinedBuses
    one: World
    two: World
    three: World

    def pass_time(self, seconds: float) -> None:
        self.one.scheduler.advance(seconds)

    def clear(self) -> None:
        for world in (self.one, self.two, self.three):
            world.published.clear()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    buses = JoinedBuses()
    one = World(tmp_path, bus=buses.bus("one"))
    two, three = (World(tmp_path, bus=buses.bus(name), beside=one) for name in ("two", "three"))
    yield Cluster(buses, one, two, three)
    one.close()


class Gate:
    """Holds back one answer of a store that the store has already given: much can happen before it arrives."""

    def __init__(self) -> None:
        self._reached = Signal()
        self._opened = Signal()
        self.used = False

    def hold(self) -> None:
        self.used = True
        self._reached.set()
        assert self._opened.wait(timeout=10), "the test forgot to open the gate"

    def wait_until_reached(self) -> None:
        assert self._reached.wait(timeout=10), "nobody came to the gate"

    def open(self) -> None:
        self._opened.set()


Hold = Callable[[object, str], Gate]
Overtake = Callable[..., Any]


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Hold:
    """``hold(world.store.users, "save")``: the next call's answer waits at the gate, later ones pass."""

    def hold(part: object, method: str) -> Gate:
        real, gate = getattr(part, method), Gate()

        def held(*args: Any, **kwargs: Any) -> Any:
            try:
                return real(*args, **kwargs)
            finally:
                if not gate.used:
                    gate.hold()

        monkeypatch.setattr(part, method, held)
        return gate

    return hold


@pytest.fixture
def overtake(hold: Hold) -> Overtake:
    """Run ``call``; when it has the answer of ``part.method``, run ``meanwhile``, and only then let it go on."""

    def overtake(call: Callable[[], Any], part: object, method: str, *, meanwhile: Callable[[], Any]) -> Any:
        gate = hold(part, method)
        greenlet = gevent.spawn(_outcome, call)
        gate.wait_until_reached()
        meanwhile()
        gate.open()
        outcome = greenlet.get(timeout=10)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return overtake


def _outcome(call: Callable[[], Any]) -> Any:
    """As a value: gevent prints what a greenlet raises."""
    try:
        return call()
    except Exception as exc:
        return exc


@contextmanager
def store_down(part: object, *methods: str, error: type[Unavailable] = StoreUnavailable) -> Iterator[None]:
    """These calls fail as they do when the engine does not answer."""

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise error(engine="test")

    with pytest.MonkeyPatch.context() as patch:
        for method in methods:
            patch.setattr(part, method, fail)
        yield

"""Which rooms a worker listens to, from when on, and until when."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from chatapp.adapters.local_bus import LocalBus
from chatapp.domain.commands import JoinRoom, LeaveRoom, SendMessage
from chatapp.domain.errors import NotAParticipant, StoreUnavailable
from chatapp.domain.events import MessageUnread, WorkerBeat
from chatapp.domain.models import Actor, Conversation
from chatapp.domain.rooms import EVERYONE
from chatapp.services.following import IDLE_SECONDS, NotFollowing
from tests.services.conftest import Cluster, World, store_down


def room(conversation: Conversation) -> str:
    return f"conversation:{conversation.id}"


def send(world: World, conversation: Conversation, by: str = "ana") -> None:
    world.messages.send(SendMessage(conversation_id=conversation.id, content="hello"), actor=Actor(by))


def heard(world: World, conversation: Conversation) -> list[int]:
    """What the sockets that have the conversation open here would have received."""
    told = [event.message for event in world.published.events if hasattr(event, "message")]
    return [message.seq for message in told if message.conversation_id == conversation.id]


def test_everyones_room_is_listened_to_from_the_start(cluster: Cluster) -> None:
    assert cluster.one.bus.rooms == {EVERYONE}


def test_who_joins_brings_their_rooms(cluster: Cluster) -> None:
    group, private = cluster.one.group("bea", "carlos"), cluster.one.private("ana", "bea")
    cluster.one.group("carlos", "dora")
    cluster.two.online("bea")
    assert cluster.two.bus.rooms == {EVERYONE, "user:bea", room(group), room(private)}
    assert cluster.one.bus.rooms == {EVERYONE}, "nobody there is a member"


def test_who_opens_a_conversation_by_the_handshake_alone_brings_it(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    cluster.one.group("bea", "ana")
    cluster.two.enter(group, "bea")
    assert cluster.two.bus.rooms == {EVERYONE, "user:bea", room(group)}
    send(cluster.one, group)
    assert heard(cluster.two, group) == [1]


def test_a_stranger_brings_nothing(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    with pytest.raises(NotAParticipant):
        cluster.two.enter(group, "dora")
    assert room(group) not in cluster.two.bus.rooms


def test_what_was_sent_before_we_listened_is_in_the_answer_and_the_rest_is_heard(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first message is stored after the store was asked, and before anything is heard."""
    group = cluster.one.group("ana", "bea")
    real = cluster.two.bus.subscribe

    def slow(rooms: Any) -> None:
        if room(group) in rooms:
            send(cluster.one, group)
        real(rooms)
        if room(group) in rooms:
            send(cluster.one, group)

    monkeypatch.setattr(cluster.two.bus, "subscribe", slow)
    entry = cluster.two.conversations.join_room(
        JoinRoom(conversation_id=group.id), actor=Actor("bea"), socket_id="bea-1"
    )
    cluster.pass_time(1)
    seen = {*range(1, entry.conversation.last_seq + 1), *heard(cluster.two, group)}
    assert seen == {1, 2}
    assert entry.conversation.last_seq == 2


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_heard_while_the_store_answers_is_told_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """The store answers with how far the conversation had come before a message that is heard just then."""
    group = cluster.one.group("ana", "bea")
    real, calls = cluster.two.store.conversations.entry, []

    def overtaken(*args: Any) -> Any:
        calls.append(args)
        answer = real(*args)
        if len(calls) == 2:  # from here on the conversation is heard
            send(cluster.one, group)
            if fails:
                raise StoreUnavailable(engine="test")
        return answer

    monkeypatch.setattr(cluster.two.store.conversations, "entry", overtaken)
    if fails:
        with pytest.raises(StoreUnavailable):
            cluster.two.enter(group, "bea")
    else:
        cluster.two.enter(group, "bea")
    send(cluster.one, group)
    cluster.pass_time(1)
    assert heard(cluster.two, group) == [1, 2]


def test_a_second_one_waits_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first is still asking to listen, the second must not believe that it is done."""
    group = cluster.one.group("ana", "bea", "carlos")
    confirmed = Signal()
    monkeypatch.setattr(cluster.two.bus, "confirm", lambda rooms: room(group) in rooms and confirmed.wait(10))
    waiting = [gevent.spawn(cluster.two.enter, group, user_id) for user_id in ("bea", "carlos")]
    gevent.joinall(waiting, timeout=0.05)
    assert [greenlet.ready() for greenlet in waiting] == [False, False]
    send(cluster.one, group)
    confirmed.set()
    gevent.joinall(waiting, timeout=10, raise_error=True)
    send(cluster.one, group)
    assert heard(cluster.two, group) == [2]


def test_what_is_followed_already_is_read_once_less(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.one.group("ana", "bea")
    reads: list[str] = []
    marks = cluster.two.store.conversations.marks

    def counted(user_id: str) -> Any:
        reads.append(user_id)
        return marks(user_id)

    monkeypatch.setattr(cluster.two.store.conversations, "marks", counted)
    cluster.two.join("bea")
    before = len(reads)
    cluster.two.join("bea", "bea-2")
    assert len(reads) - before == before - 1


def test_a_new_group_is_followed_soon(cluster: Cluster) -> None:
    cluster.two.online("bea")
    group = cluster.one.group("ana", "bea")
    send(cluster.one, group)  # nobody on two listens to the room yet
    cluster.pass_time(0)
    assert room(group) in cluster.two.bus.rooms
    send(cluster.one, group)
    assert heard(cluster.two, group) == [1, 2]
    assert [event.unread_count for event in cluster.two.published.of(MessageUnread)] == [1, 2]


def test_a_conversation_that_failed_to_be_followed_is_followed_by_the_next(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea", "carlos")
    calls = []
    real = cluster.two.store.conversations.entry

    def second_fails(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise StoreUnavailable(engine="test")
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster.two.store.conversations, "entry", second_fails)
        with pytest.raises(StoreUnavailable):
            cluster.two.enter(group, "bea")
    assert not cluster.two.deliveries.follows(group.id)
    cluster.two.enter(group, "carlos")
    assert cluster.two.deliveries.follows(group.id)


def test_a_store_that_is_down_lets_nobody_in_half(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    with store_down(cluster.two.store.conversations, "entry"), pytest.raises(StoreUnavailable):
        cluster.two.enter(group, "bea")
    assert room(group) not in cluster.two.bus.rooms


# ---------------------------------------------------------------- letting go
def leave(world: World, conversation: Conversation, user_id: str) -> None:
    world.conversations.leave_room(
        LeaveRoom(conversation_id=conversation.id), actor=Actor(user_id), socket_id=f"{user_id}-1"
    )


def test_rooms_of_those_who_are_here_are_kept(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    cluster.two.online("bea")
    cluster.three.enter(group, "bea")
    cluster.pass_time(5 * IDLE_SECONDS)
    for world in (cluster.two, cluster.three):
        assert world.bus.rooms == {EVERYONE, "user:bea", room(group)}
    assert cluster.three.deliveries.follows(group.id)


def test_rooms_of_those_who_left_are_given_up_after_a_while(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    cluster.two.online("bea")
    cluster.pass_time(10)
    cluster.two.presence.disconnect("bea", "bea-1")
    cluster.pass_time(IDLE_SECONDS - 20)
    assert room(group) in cluster.two.bus.rooms
    cluster.pass_time(3 * IDLE_SECONDS)
    assert cluster.two.bus.rooms == {EVERYONE}
    assert not cluster.two.deliveries.follows(group.id)
    cluster.two.online("bea")
    send(cluster.one, group)
    assert heard(cluster.two, group) == [1]


def test_a_conversation_closed_by_its_last_viewer_is_given_up(cluster: Cluster) -> None:
    group = cluster.one.group("ana", "bea")
    cluster.two.enter(group, "bea")
    leave(cluster.two, group, "bea")
    cluster.pass_time(3 * IDLE_SECONDS)
    assert cluster.two.bus.rooms == {EVERYONE}


def test_who_is_only_elsewhere_is_not_counted_here_any_more(cluster: Cluster) -> None:
    """What becomes of their groups is not heard here; when they come back the store is asked."""
    group = cluster.one.group("ana", "bea")
    cluster.two.online("bea")
    cluster.three.join("bea", "bea-3")
    cluster.two.presence.disconnect("bea", "bea-1")
    cluster.pass_time(4 * IDLE_SECONDS)
    assert cluster.two.bus.rooms == {EVERYONE}
    assert cluster.two.audience.members(group.id) == ()
    assert cluster.three.audience.members(group.id) == ("bea",)
    assert cluster.two.present.has_sockets("bea"), "on three"


def test_one_process_alone_follows_nothing() -> None:
    alone = NotFollowing()
    alone.user("ana")
    alone.conversations(lambda: pytest.fail("the store is not asked"))


def test_a_bus_that_leads_nowhere_is_a_bus() -> None:
    bus = LocalBus()
    bus.start(lambda *_: pytest.fail("nobody speaks"), recovered=lambda: pytest.fail("nothing was missed"))
    bus.subscribe(["a"])
    bus.publish(["a"], WorkerBeat())
    bus.unsubscribe(["a"])
    bus.check()
    assert bus.hears
    bus.close()

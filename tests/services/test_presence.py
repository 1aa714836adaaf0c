"""Joining, leaving, status, and the grace that a reconnecting client gets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from chatapp.domain.commands import (
    AddParticipants,
    JoinChat,
    JoinRoom,
    LeaveChat,
    LeaveGroup,
    MarkAsRead,
    SaveUser,
    SetStatus,
    StartTyping,
)
from chatapp.domain.errors import NotIdentified, StoreUnavailable
from chatapp.domain.events import (
    MessageUnread,
    TypingChanged,
    UserConnected,
    UserDisconnected,
    UserStatusChanged,
)
from chatapp.domain.models import OPERATOR, Actor, MessageType, Status
from tests.contracts.builders import NAMES, at, together
from tests.services.conftest import GRACE_SECONDS, Overtake, World, store_down


def leave(world: World, user_id: str, socket_id: str | None = None) -> None:
    world.presence.leave(LeaveChat(), actor=Actor(user_id), socket_id=socket_id or f"{user_id}-1")


def disconnect(world: World, user_id: str, socket_id: str | None = None) -> None:
    world.presence.disconnect(user_id, socket_id or f"{user_id}-1")


def status_of(world: World, user_id: str) -> Status:
    return world.present.statuses([user_id])[user_id]


def went_offline(user_id: str, seconds: float) -> list[UserDisconnected | UserStatusChanged]:
    return [UserDisconnected(user_id, at(seconds)), UserStatusChanged(user_id, Status.OFFLINE, at(seconds))]


# ---------------------------------------------------------------- joining
def test_the_first_socket_of_a_user_is_told_to_others(world: World) -> None:
    user = world.join("ana")
    assert (user.id, user.name, user.status, user.is_online) == ("ana", NAMES["ana"], Status.ONLINE, True)
    assert world.events() == [UserConnected(user)]
    assert world.rooms.sockets_of("ana") == {"ana-1"}


def test_further_sockets_of_a_user_are_told_to_nobody(world: World) -> None:
    world.join("ana")
    world.events()
    world.join("ana", "ana-2")
    world.join("ana", "ana-1")
    assert world.events() == []
    assert world.rooms.sockets_of("ana") == {"ana-1", "ana-2"}


def test_two_first_sockets_at_once_are_told_once(world: World) -> None:
    together([lambda n=n: world.join("ana", f"ana-{n}") for n in range(10)])
    assert len(world.published.of(UserConnected)) == 1


def test_joining_makes_the_user(world: World) -> None:
    command = JoinChat(name="Eva", email="eva@example.com", roles=("r",), filials=("f",), avatar="/eva.png")
    user = world.presence.join(command, actor=Actor("eva"), socket_id="eva-1")
    stored = world.store.users.get("eva")
    assert stored is not None
    assert (stored.name, stored.email, stored.roles, stored.filials, stored.avatar) == (
        "Eva",
        "eva@example.com",
        ("r",),
        ("f",),
        "/eva.png",
    )
    assert user.created_at == at(0)


def test_joining_without_roles_filials_and_avatar_keeps_those_there_are(world: World) -> None:
    before = SaveUser(id="ana", name="Ana", email="a@b.c", roles=("r",), filials=("f",), avatar="/ana.png")
    world.users.save(before, actor=OPERATOR)
    world.presence.join(JoinChat(name="Anna", email="a@b.d"), actor=Actor("ana"), socket_id="ana-1")
    user = world.users.get("ana", actor=OPERATOR)
    assert (user.name, user.email, user.roles, user.filials, user.avatar) == (
        "Anna",
        "a@b.d",
        ("r",),
        ("f",),
        "/ana.png",
    )


def test_messages_carry_the_name_given_at_the_last_joining(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    world.presence.join(JoinChat(name="Anna", email="a@b.d"), actor=Actor("ana"), socket_id="ana-1")
    assert world.say(group).sender.name == "Anna"


@pytest.mark.parametrize(
    "ask",
    [
        lambda world: world.presence.join(JoinChat(name="x", email="y"), actor=Actor(), socket_id="x-1"),
        lambda world: world.presence.leave(LeaveChat(), actor=Actor(), socket_id="x-1"),
        lambda world: world.presence.set_status(SetStatus(status=Status.BUSY), actor=Actor()),
    ],
    ids=["join", "leave", "set_status"],
)
def test_presence_is_not_for_the_nameless(world: World, ask: Callable[[World], object]) -> None:
    with pytest.raises(NotIdentified):
        ask(world)
    assert world.events() == []


def test_a_failed_joining_leaves_nothing_behind(world: World) -> None:
    with store_down(world.store, "arrive"), pytest.raises(StoreUnavailable):
        world.join("ana")
    assert world.rooms.sockets_of("ana") == set()
    assert status_of(world, "ana") is Status.OFFLINE
    assert world.events() == []
    world.join("ana")
    assert len(world.published.of(UserConnected)) == 1


# ---------------------------------------------------------------- unread notices on joining
def test_who_joins_gets_one_notice_for_each_conversation_with_unread_messages(world: World) -> None:
    group, private, read = world.group("ana", "bea"), world.private("ana", "bea"), world.group("ana", "bea")
    world.group("ana", "bea", name="silent")
    for conversation in (group, group, private, read):
        last = world.say(conversation)
    last = world.say(group, "the latest")
    world.conversations.mark_as_read(MarkAsRead(conversation_id=read.id), actor=Actor("bea"))
    world.events()
    world.join("bea")
    connected, *notices = world.events()
    assert isinstance(connected, UserConnected)
    by_conversation = {notice.conversation.id: notice for notice in notices if isinstance(notice, MessageUnread)}
    assert set(by_conversation) == {group.id, private.id}
    assert len(notices) == 2
    notice = by_conversation[group.id]
    assert (notice.unread_count, notice.last.id, notice.last.preview) == (3, last.id, "the latest")
    assert (notice.user_id, notice.socket_id, notice.sender) == ("bea", "bea-1", last.sender)
    assert by_conversation[private.id].unread_count == 1


def test_each_socket_that_joins_gets_its_own_notices(world: World) -> None:
    world.say(world.group("ana", "bea"))
    world.join("bea")
    world.join("bea", "bea-2")
    assert [event.socket_id for event in world.published.of(MessageUnread)] == ["bea-1", "bea-2"]


def test_own_messages_are_not_unread_on_joining(world: World) -> None:
    world.say(world.group("ana", "bea"))
    world.join("ana")
    assert world.published.of(MessageUnread) == []


def test_a_purged_conversation_has_no_notice(world: World) -> None:
    world.say(world.group("ana", "bea"))
    world.messages.purge(batch_size=25, actor=OPERATOR)
    world.join("bea")
    assert world.published.of(MessageUnread) == []


def test_the_notice_of_a_file_shows_its_name(world: World) -> None:
    world.say(world.group("ana", "bea"), "{}", message_type=MessageType.FILE, attachment=world.store_file())
    world.join("bea")
    assert [event.last.preview for event in world.published.of(MessageUnread)] == ["Archivo: Holiday.png"]


def test_the_notice_of_a_deleted_senders_message_has_no_name(world: World) -> None:
    world.say(world.private("ana", "bea"))
    world.users.delete("ana", actor=OPERATOR)
    world.join("bea")
    assert [event.sender.id for event in world.published.of(MessageUnread)] == ["ana"]


def test_a_message_sent_while_somebody_joins_is_never_missed(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    overtake(lambda: world.join("bea"), world.store, "arrive", meanwhile=lambda: world.say(group, "now"))
    assert [(event.user_id, event.unread_count) for event in world.published.of(MessageUnread)] == [("bea", 1)]
    world.events()
    world.say(group)
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [2]


def test_the_notice_is_of_the_message_that_was_sent_meanwhile(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.say(group, "before")
    overtake(lambda: world.join("bea"), world.store, "arrive", meanwhile=lambda: world.say(group, "now"))
    assert [(event.last.preview, event.unread_count) for event in world.published.of(MessageUnread)] == [("now", 2)]


def test_who_joins_is_asked_for_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is a change of threads."""
    world.say(world.group("ana", "bea"))
    asked = []
    database = world.store.users._database
    for way in ("read", "write"):
        monkeypatch.setattr(database, way, _noted(getattr(database, way), asked))
    world.profiles.require("ana")
    asked.clear()
    world.join("bea")
    assert len(asked) == 1
    assert len(world.published.of(MessageUnread)) == 1


def _noted(real: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def noted(work: Any) -> Any:
        calls.append(work)
        return real(work)

    return noted


def test_what_another_device_reads_meanwhile_is_not_announced(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    world.join("bea", "bea-2")
    world.events()
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: world.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea")),
    )
    assert world.published.of(MessageUnread) == []


# ---------------------------------------------------------------- what changes while somebody joins
def test_a_group_made_while_somebody_joins_is_counted(world: World, overtake: Overtake) -> None:
    made = []
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: made.append(world.group("ana", "bea")),
    )
    assert world.audience.members(made[0].id) == ("bea",)


def test_who_is_added_while_joining_is_counted(world: World, overtake: Overtake) -> None:
    group = world.group("ana")
    command = AddParticipants(conversation_id=group.id, participants=("bea",))
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: world.conversations.add_participants(command, actor=Actor("ana")),
    )
    assert world.audience.members(group.id) == ("bea",)


@pytest.mark.parametrize("device", ["first", "second"])
def test_who_leaves_a_group_while_joining_hears_nothing_more_of_it(
    world: World, overtake: Overtake, device: str
) -> None:
    group = world.group("ana", "bea")
    if device == "second":
        world.join("bea", "bea-2")
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea")),
    )
    world.events()
    world.say(group)
    assert world.published.of(MessageUnread) == []


def test_a_group_deleted_while_somebody_joins_is_forgotten(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: world.conversations.delete(group.id, actor=OPERATOR),
    )
    assert world.audience.members(group.id) == ()


def test_what_is_read_while_somebody_joins_stays_read(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    overtake(
        lambda: world.join("bea"),
        world.store,
        "arrive",
        meanwhile=lambda: world.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea")),
    )
    world.events()
    world.say(group)
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [1]


def test_a_socket_that_closes_while_joining_leaves_no_ghost(world: World, overtake: Overtake) -> None:
    with pytest.raises(NotIdentified):
        overtake(lambda: world.join("ana"), world.store, "arrive", meanwhile=lambda: disconnect(world, "ana"))
    assert not world.present.has_sockets("ana")
    assert status_of(world, "ana") is Status.OFFLINE
    assert world.audience.present() == ()
    assert world.rooms.sockets_of("ana") == set()
    assert world.events() == []
    assert world.scheduler.pending == 0


def test_a_socket_that_closes_while_its_notices_are_read_leaves_no_ghost(world: World) -> None:
    """The second reading of the marks comes after the user was let in."""
    world.say(world.group("ana", "bea"))
    world.events()
    world.profiles.forget("ana")
    tell = world.store.users.get

    def closing(user_id: str) -> object:
        disconnect(world, "bea")
        return tell(user_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.store.users, "get", closing)
        world.join("bea")
    assert not world.present.has_sockets("bea")
    world.events()
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("bea", 0)


def test_a_user_whose_other_socket_closes_while_joining_stays(world: World, overtake: Overtake) -> None:
    world.join("ana")
    overtake(
        lambda: world.join("ana", "ana-2"),
        world.store,
        "arrive",
        meanwhile=lambda: disconnect(world, "ana", "ana-1"),
    )
    world.events()
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == []
    assert status_of(world, "ana") is Status.ONLINE


# ---------------------------------------------------------------- another user on the same socket
def test_a_socket_that_joins_as_another_user_leaves_the_first(world: World) -> None:
    group = world.group("ana", "bea")
    world.join("ana", "s1")
    world.conversations.join_room(
        JoinRoom(conversation_id=group.id),
        actor=Actor("ana"),
        socket_id="s1",
    )
    world.join("bea", "s1")
    assert not world.present.has_sockets("ana")
    assert world.present.has_sockets("bea")
    assert not world.rooms.hears("s1", group.id)
    assert list(world.present.viewers(group.id)) == []
    assert world.rooms.sockets_of("bea") == {"s1"}
    world.events()
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("ana", 0)
    disconnect(world, "bea", "s1")
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("bea", GRACE_SECONDS)


@pytest.mark.parametrize("way", [leave, disconnect])
def test_a_socket_that_goes_under_another_name_leaves_no_ghost(
    world: World, way: Callable[[World, str, str], None]
) -> None:
    world.join("ana", "s1")
    world.events()
    way(world, "bea", "s1")
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("ana", 0)
    assert list(world.present.online()) == []


# ---------------------------------------------------------------- leaving
@pytest.mark.parametrize("way", [leave, disconnect])
def test_the_last_socket_is_told_when_the_grace_is_over(world: World, way: Callable[[World, str], None]) -> None:
    world.online("ana")
    world.events()
    world.scheduler.advance(10)
    way(world, "ana")
    world.scheduler.advance(GRACE_SECONDS - 0.001)
    assert world.events() == []
    assert status_of(world, "ana") is Status.ONLINE
    world.scheduler.advance(0.001)
    assert world.events() == went_offline("ana", 10)
    assert status_of(world, "ana") is Status.OFFLINE
    assert world.audience.present() == ()
    assert world.users.get("ana", actor=OPERATOR).last_seen == at(10)


def test_a_user_with_another_socket_stays_online(world: World) -> None:
    world.online("ana")
    world.join("ana", "ana-2")
    world.events()
    disconnect(world, "ana", "ana-1")
    world.scheduler.advance(60)
    assert world.events() == []
    assert status_of(world, "ana") is Status.ONLINE


def test_a_socket_that_leaves_hears_nothing_any_more(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana")
    world.enter(group, "ana")
    leave(world, "ana")
    assert not world.rooms.hears("ana-1", group.id)
    assert world.rooms.sockets_of("ana") == set()
    assert list(world.present.viewers(group.id)) == []


def test_a_disconnect_after_leaving_is_told_once(world: World) -> None:
    world.online("ana")
    world.events()
    leave(world, "ana")
    disconnect(world, "ana")
    world.scheduler.advance(60)
    assert world.events() == went_offline("ana", 0)


def test_who_never_joined_is_not_told_to_have_gone(world: World) -> None:
    disconnect(world, "ana")
    world.scheduler.advance(60)
    assert world.events() == []


def test_a_reconnect_within_the_grace_is_told_to_nobody(world: World) -> None:
    world.online("ana")
    world.events()
    disconnect(world, "ana")
    world.scheduler.advance(GRACE_SECONDS - 0.001)
    world.join("ana", "ana-2")
    world.scheduler.advance(60)
    assert world.events() == []
    assert world.scheduler.pending == 0


def test_a_reconnect_after_the_grace_is_a_new_connection(world: World) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.scheduler.advance(GRACE_SECONDS)
    world.events()
    user = world.join("ana", "ana-2")
    assert world.events() == [UserConnected(user)]


def test_each_departure_has_its_own_grace(world: World) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.scheduler.advance(1.5)
    world.join("ana", "ana-2")
    disconnect(world, "ana", "ana-2")
    world.events()
    world.scheduler.advance(1.5)
    assert world.events() == []
    world.scheduler.advance(0.5)
    assert world.events() == went_offline("ana", 1.5)


def test_who_comes_back_while_last_seen_is_stored_never_left(world: World, overtake: Overtake) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.events()
    overtake(
        lambda: world.scheduler.advance(GRACE_SECONDS),
        world.store.users,
        "touch",
        meanwhile=lambda: world.join("ana", "ana-2"),
    )
    assert world.events() == []
    assert status_of(world, "ana") is Status.ONLINE
    assert world.audience.present() == ("ana",)


def test_who_comes_and_goes_while_last_seen_is_stored_gets_a_new_grace(world: World, overtake: Overtake) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.events()

    def come_and_go() -> None:
        world.join("ana", "ana-2")
        disconnect(world, "ana", "ana-2")

    overtake(lambda: world.scheduler.advance(GRACE_SECONDS), world.store.users, "touch", meanwhile=come_and_go)
    assert world.events() == []
    assert status_of(world, "ana") is Status.ONLINE
    world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("ana", GRACE_SECONDS)


def test_a_user_who_is_connected_elsewhere_does_not_go_offline(world: World) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.present.add("ana", "of-another-worker")
    world.events()
    world.scheduler.advance(60)
    assert world.events() == []


def test_a_user_goes_offline_even_when_the_store_is_down(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.events()
    with store_down(world.store.users, "touch"), caplog.at_level(logging.WARNING):
        world.scheduler.advance(GRACE_SECONDS)
    assert world.events() == went_offline("ana", 0)
    assert status_of(world, "ana") is Status.OFFLINE
    assert "last_seen of ana was not stored" in caplog.text


def test_who_is_offline_gets_notices_no_more_and_counts_again_on_return(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    disconnect(world, "bea")
    world.scheduler.advance(GRACE_SECONDS)
    world.events()
    world.say(group)
    world.say(group)
    assert world.published.of(MessageUnread) == []
    world.join("bea")
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [2]


def test_what_was_being_written_on_a_closed_socket_is_not_any_more(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana")
    world.typing.start(StartTyping(conversation_id=group.id), actor=Actor("ana"), socket_id="ana-1")
    disconnect(world, "ana")
    assert [event.is_typing for event in world.published.of(TypingChanged)] == [True, False]


# ---------------------------------------------------------------- status
@pytest.mark.parametrize("status", [Status.AWAY, Status.BUSY, Status.ONLINE])
def test_away_and_busy_count_as_online(world: World, status: Status) -> None:
    world.online("ana")
    world.events()
    world.clock.advance(3)
    changed = world.presence.set_status(SetStatus(status=status), actor=Actor("ana"))
    assert changed == UserStatusChanged("ana", status, at(3))
    assert world.events() == [changed]
    assert world.users.get("ana", actor=OPERATOR).status is status
    assert world.users.get("ana", actor=OPERATOR).is_online


def test_a_user_may_show_offline_and_stay(world: World) -> None:
    world.online("ana")
    world.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("ana"))
    assert not world.users.get("ana", actor=OPERATOR).is_online
    assert world.present.has_sockets("ana")


def test_a_status_survives_a_reconnect_within_the_grace_and_not_a_longer_absence(world: World) -> None:
    world.online("ana")
    world.presence.set_status(SetStatus(status=Status.BUSY), actor=Actor("ana"))
    disconnect(world, "ana")
    assert world.join("ana", "ana-2").status is Status.BUSY
    disconnect(world, "ana", "ana-2")
    world.scheduler.advance(GRACE_SECONDS)
    assert world.join("ana").status is Status.ONLINE


def test_who_has_not_joined_has_no_status_to_show(world: World) -> None:
    with pytest.raises(NotIdentified):
        world.presence.set_status(SetStatus(status=Status.ONLINE), actor=Actor("ana"))
    assert status_of(world, "ana") is Status.OFFLINE
    assert world.events() == []


def test_who_shows_offline_stays_so_while_another_device_joins(world: World) -> None:
    world.join("ana", "ana-1")
    world.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("ana"))
    world.events()
    assert world.join("ana", "ana-2").status is Status.OFFLINE
    assert world.events() == []


def test_who_said_offline_and_left_is_online_when_they_come_back_within_the_grace(world: World) -> None:
    """A page that is being closed says so; when it was only reloaded, others must see the user again."""
    world.join("ana", "ana-1")
    world.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("ana"))
    disconnect(world, "ana", "ana-1")
    world.events()
    user = world.join("ana", "ana-2")
    assert user.status is Status.ONLINE
    assert world.events() == [UserConnected(user)]
    world.scheduler.advance(60)
    assert world.events() == []


def test_a_reconnect_ends_the_timer_of_the_grace(world: World) -> None:
    world.online("ana")
    disconnect(world, "ana")
    world.join("ana", "ana-2")
    assert world.scheduler.pending == 0


def test_a_sender_out_of_reach_keeps_no_notice_back(world: World) -> None:
    world.say(world.group("bea", "ana"), by="bea")
    world.profiles.forget("bea")
    with store_down(world.store.users, "get"):
        world.join("ana")
    assert [event.sender.name for event in world.published.of(MessageUnread)] == [""]


@pytest.mark.parametrize("absence", [0, GRACE_SECONDS])
def test_who_left_hidden_comes_back_online_and_others_learn_of_it(world: World, absence: float) -> None:
    world.online("ana")
    world.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("ana"))
    disconnect(world, "ana")
    world.scheduler.advance(absence)
    world.events()
    user = world.join("ana", "ana-2")
    assert user.status is Status.ONLINE
    assert world.events() == [UserConnected(user)]


def test_who_is_hidden_stays_so_on_another_device(world: World) -> None:
    world.online("ana")
    world.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("ana"))
    world.events()
    assert world.join("ana", "ana-2").status is Status.OFFLINE
    assert world.events() == []

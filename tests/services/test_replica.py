"""Several workers over one store, joined by a bus: what one does, the others follow and tell their sockets."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.adapters.shared_presence import LEASE_SECONDS, SILENCE_SECONDS
from chatapp.domain.commands import (
    AddParticipants,
    CreateConversation,
    DeleteMessage,
    EditMessage,
    JoinChat,
    JoinRoom,
    LeaveChat,
    LeaveGroup,
    MarkAsRead,
    RemoveParticipant,
    SaveUser,
    SendMessage,
    SetStatus,
    UpdateGroup,
)
from chatapp.domain.events import (
    DurableEvent,
    GroupCreated,
    GroupUpdated,
    MessageDeleted,
    MessageEdited,
    MessageSent,
    MessagesRead,
    MessageUnread,
    ResyncNeeded,
    UserConnected,
    UserDisconnected,
    UserLeftGroup,
    UserRemovedFromGroup,
    UsersAddedToGroup,
    UserStatusChanged,
    WorkerBeat,
)
from chatapp.domain.models import OPERATOR, Actor, Conversation, Sender, Status
from chatapp.domain.rooms import EVERYONE
from chatapp.services.deliveries import PATIENCE_SECONDS
from chatapp.services.presence import BACKUP_SECONDS
from chatapp.services.replica import BEAT_SECONDS, RETRY_SECONDS
from tests.contracts.builders import NAMES, at, draft
from tests.services.conftest import GRACE_SECONDS, Cluster, World, store_down


@pytest.fixture
def group(cluster: Cluster) -> Conversation:
    """ana is on one, bea on two, both members; carlos is nowhere."""
    cluster.one.online("ana")
    cluster.two.online("bea")
    group = cluster.one.group("ana", "bea")
    cluster.pass_time(0)
    cluster.clear()
    return group


def seqs(world: World) -> list[int]:
    return [event.message.seq for event in world.published.of(MessageSent)]


def unread(world: World) -> list[tuple[str, int]]:
    return [(event.user_id, event.unread_count) for event in world.published.of(MessageUnread)]


def told(world: World, name: str) -> list[str]:
    """The rooms here in which it was told."""
    return [room for room, said in world.published.told if said == name]


def status_of(world: World, user_id: str) -> Status:
    return world.present.statuses([user_id])[user_id]


# ---------------------------------------------------------------- messages
def test_a_message_is_told_on_every_worker_with_a_member(cluster: Cluster, group: Conversation) -> None:
    message = cluster.one.say(group)
    assert [event.message for event in cluster.two.published.of(MessageSent)] == [message]
    assert seqs(cluster.one) == [1]
    assert cluster.three.published.events == [], "it does not even hear of it"


def test_unread_is_counted_where_the_member_is(cluster: Cluster, group: Conversation) -> None:
    cluster.one.say(group)
    cluster.one.say(group)
    assert unread(cluster.two) == [("bea", 1), ("bea", 2)]
    assert unread(cluster.one) == [], "the sender has read it"
    assert told(cluster.two, "unread_message_group") == ["user:bea"] * 2


def test_nothing_is_unread_where_the_conversation_is_open_on_another_worker(
    cluster: Cluster, group: Conversation
) -> None:
    cluster.three.join("bea", "bea-3")
    cluster.two.enter(group, "bea")
    cluster.clear()
    cluster.one.say(group)
    assert unread(cluster.two) + unread(cluster.three) == []
    assert seqs(cluster.three) == [1]
    cluster.two.presence.disconnect("bea", "bea-1")
    cluster.one.say(group)
    assert unread(cluster.three) == [("bea", 2)]


def test_a_sender_elsewhere_has_read_what_they_sent(cluster: Cluster, group: Conversation) -> None:
    cluster.three.join("ana", "ana-3")
    cluster.clear()
    cluster.one.say(group)
    assert unread(cluster.three) == []


def test_edits_are_told_in_the_room(cluster: Cluster, group: Conversation) -> None:
    message = cluster.one.say(group)
    edited = cluster.one.messages.edit(EditMessage(message_id=message.id, new_content="hi"), actor=Actor("ana"))
    assert cluster.two.published.of(MessageEdited) == [MessageEdited(edited, 2)]
    assert told(cluster.two, "message_edited") == [f"conversation:{group.id}"]


def test_messages_that_overtake_each_other_are_told_in_order(cluster: Cluster, group: Conversation) -> None:
    first, second = (MessageSent(cluster.three.store.messages.append(m, fingerprint="").message) for m in drafts(group))
    for event in (second, first):
        cluster.three.bus.publish([f"conversation:{group.id}"], event)
    assert seqs(cluster.one) == seqs(cluster.two) == [1, 2]


def drafts(group: Conversation) -> list[Any]:
    return [draft(str(number), to=group.id) for number in range(2)]


def test_a_mark_moved_here_is_a_receipt_there(cluster: Cluster, group: Conversation) -> None:
    cluster.three.join("bea", "bea-3")
    cluster.one.say(group)
    cluster.clear()
    cluster.two.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea"))
    assert told(cluster.one, "read_receipt") == ["user:ana"]
    assert told(cluster.one, "messages_marked_as_read") == []
    assert told(cluster.two, "messages_marked_as_read") == ["user:bea"]
    assert told(cluster.three, "messages_marked_as_read") == ["user:bea"]
    assert told(cluster.three, "read_receipt") == []
    cluster.one.say(group)
    assert unread(cluster.three) == [("bea", 1)]


# ---------------------------------------------------------------- members
def test_a_new_group_is_known_where_its_members_are(cluster: Cluster, group: Conversation) -> None:
    assert cluster.one.audience.members(group.id) == ("ana",)
    assert cluster.two.audience.members(group.id) == ("bea",)
    assert cluster.three.audience.members(group.id) == ()
    another = cluster.three.group("dora", "ana", "bea")
    assert told(cluster.two, "group_created") == ["user:bea"]
    assert cluster.two.audience.members(another.id) == ("bea",)


def test_who_is_added_hears_what_is_said_from_then_on(cluster: Cluster, group: Conversation) -> None:
    cluster.one.say(group)
    cluster.three.online("carlos")
    cluster.clear()
    add(cluster.one, group, "carlos")
    assert told(cluster.three, "user_added_to_group") == ["user:carlos"]
    assert told(cluster.two, "user_added_to_group") == ["user:bea"]
    cluster.one.say(group)
    cluster.pass_time(0)
    assert unread(cluster.three) == [("carlos", 1)]


def add(world: World, group: Conversation, *user_ids: str) -> None:
    command = AddParticipants(conversation_id=group.id, participants=user_ids)
    world.conversations.add_participants(command, actor=Actor("ana"))


def named(user_id: str) -> Sender:
    return Sender(user_id, NAMES[user_id], None)


def remove(world: World, group: Conversation, user_id: str, *, by: str | None = "ana") -> None:
    command = RemoveParticipant(conversation_id=group.id, user_id=user_id)
    world.conversations.remove_participant(command, actor=Actor(by))


def test_who_is_removed_hears_nothing_any_more_wherever_they_are(cluster: Cluster, group: Conversation) -> None:
    cluster.three.join("bea", "bea-3")
    cluster.two.enter(group, "bea")
    cluster.clear()
    remove(cluster.one, group, "bea")
    assert told(cluster.two, "user_removed_from_group") == ["user:bea"]
    assert not cluster.two.rooms.hears("bea-1", group.id)
    for world in (cluster.two, cluster.three):
        assert world.audience.members(group.id) == ()
        assert set(world.present.viewers(group.id)) == set()
    cluster.clear()
    cluster.one.say(group)
    assert unread(cluster.two) + unread(cluster.three) == []


def test_other_members_keep_what_they_have_when_one_is_removed(cluster: Cluster, group: Conversation) -> None:
    cluster.two.online("ana")
    cluster.two.enter(group, "bea")
    remove(cluster.one, group, "ana", by=None)
    assert cluster.two.audience.members(group.id) == ("bea",)
    assert cluster.two.rooms.hears("bea-1", group.id)


def test_who_leaves_is_out_on_their_other_workers_too(cluster: Cluster, group: Conversation) -> None:
    cluster.three.join("bea", "bea-3")
    cluster.three.conversations.join_room(JoinRoom(conversation_id=group.id), actor=Actor("bea"), socket_id="bea-3")
    cluster.clear()
    cluster.two.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))
    assert told(cluster.three, "group_left") == ["user:bea"]
    assert told(cluster.one, "user_left_group") == ["user:ana"]
    assert told(cluster.one, "group_left") == []
    assert not cluster.three.rooms.hears("bea-3", group.id)
    assert cluster.three.audience.members(group.id) == ()
    assert cluster.one.audience.members(group.id) == ("ana",)


def test_a_private_conversation_opened_here_is_unread_there(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.two.online("bea")
    cluster.clear()
    command = CreateConversation(participants=("ana", "bea"), is_group=False)
    pair, _ = cluster.three.conversations.create(command, actor=Actor("ana"))
    assert cluster.two.audience.members(pair.id) == ("bea",)
    assert cluster.two.published.events == [], "nobody is told of an empty conversation"
    cluster.one.say(pair)
    cluster.pass_time(0)
    assert unread(cluster.two) == [("bea", 1)]


def test_a_conversation_that_is_deleted_is_heard_nowhere(cluster: Cluster, group: Conversation) -> None:
    cluster.two.enter(group, "bea")
    cluster.clear()
    cluster.one.conversations.delete(group.id, actor=OPERATOR)
    assert told(cluster.two, "group_deleted") == ["user:bea"]
    assert cluster.two.audience.members(group.id) == ()
    assert not cluster.two.rooms.hears("bea-1", group.id)
    assert set(cluster.two.present.viewers(group.id)) == set()


# ---------------------------------------------------------------- users
def test_a_new_name_is_used_by_every_worker(cluster: Cluster, group: Conversation) -> None:
    cluster.two.say(group, by="bea")
    cluster.one.users.save(SaveUser(id="bea", name="Bea Nueva", email="b@example.com"), actor=OPERATOR)
    assert cluster.two.say(group, by="bea").sender.name == "Bea Nueva"
    cluster.one.users.set_avatar("bea", "/new.png")
    assert cluster.two.say(group, by="bea").sender.avatar == "/new.png"


def test_a_profile_that_has_not_changed_is_not_told(cluster: Cluster) -> None:
    cluster.one.join("ana")
    said = len(cluster.one.bus.published)
    cluster.one.join("ana", "ana-2")
    assert cluster.one.bus.published[said:] == []


def test_a_deleted_users_sockets_are_closed_everywhere(cluster: Cluster, group: Conversation) -> None:
    cluster.one.users.delete("bea", actor=OPERATOR)
    assert cluster.two.rooms.disconnected == ["bea"]
    assert cluster.two.audience.members(group.id) == ()
    assert cluster.three.rooms.disconnected == []


def test_nothing_purged_is_unread_on_any_worker(cluster: Cluster, group: Conversation) -> None:
    for _ in range(3):
        cluster.one.say(group)
    cluster.one.messages.purge(batch_size=100, actor=OPERATOR)
    cluster.pass_time(0)
    cluster.clear()
    cluster.one.say(group)
    cluster.pass_time(PATIENCE_SECONDS)  # the purge has a rev of its own, which nobody tells
    assert unread(cluster.two) == [("bea", 1)]
    assert seqs(cluster.two) == [4]


# ---------------------------------------------------------------- presence
def test_arrivals_and_statuses_are_told_on_every_worker(cluster: Cluster) -> None:
    cluster.three.online("dora")
    cluster.clear()
    cluster.one.online("ana")
    cluster.one.presence.set_status(SetStatus(status=Status.BUSY), actor=Actor("ana"))
    assert [event.user.id for event in cluster.three.published.of(UserConnected)] == ["ana"]
    assert told(cluster.three, "user_status_update") == [EVERYONE]
    assert status_of(cluster.three, "ana") is Status.BUSY
    assert cluster.three.users.get("ana", actor=OPERATOR).status is Status.BUSY
    cluster.two.join("ana", "ana-2")
    assert len(cluster.three.published.of(UserConnected)) == 1


def leave(world: World, user_id: str, socket_id: str | None = None) -> None:
    world.presence.leave(LeaveChat(), actor=Actor(user_id), socket_id=socket_id or f"{user_id}-1")


def offline(world: World) -> list[str]:
    """Who was told to be gone here; each time with the status that goes with it."""
    gone = [event.user_id for event in world.published.of(UserDisconnected)]
    statuses = [e.user_id for e in world.published.of(UserStatusChanged) if e.status is Status.OFFLINE]
    assert statuses == gone
    return gone


def test_offline_is_told_once_on_every_worker_after_the_grace(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.two.join("ana", "ana-2")
    cluster.three.online("dora")
    cluster.clear()
    leave(cluster.one, "ana")
    cluster.pass_time(60)
    assert offline(cluster.three) == []
    leave(cluster.two, "ana", "ana-2")
    cluster.pass_time(GRACE_SECONDS - 0.1)
    assert offline(cluster.three) == []
    cluster.pass_time(0.1)
    for world in (cluster.one, cluster.two, cluster.three):
        assert offline(world) == ["ana"]
        assert status_of(world, "ana") is Status.OFFLINE
    cluster.pass_time(60)
    assert offline(cluster.three) == ["ana"], "not again"
    assert cluster.one.store.users.get("ana").last_seen == at(60)


def test_who_comes_back_elsewhere_within_the_grace_never_left(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.three.online("dora")
    cluster.clear()
    leave(cluster.one, "ana")
    cluster.pass_time(GRACE_SECONDS / 2)
    cluster.two.online("ana")
    cluster.pass_time(60)
    for world in (cluster.one, cluster.two, cluster.three):
        assert world.published.of(UserConnected) == []
        assert offline(world) == []
        assert status_of(world, "ana") is Status.ONLINE


def test_who_leaves_again_elsewhere_has_the_whole_grace_again(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.three.online("dora")
    cluster.clear()
    leave(cluster.one, "ana")
    cluster.pass_time(GRACE_SECONDS * 0.75)
    cluster.two.online("ana")
    leave(cluster.two, "ana")
    cluster.pass_time(GRACE_SECONDS * 0.75)
    assert offline(cluster.three) == []
    cluster.two.online("ana")
    cluster.pass_time(60)
    for world in (cluster.one, cluster.two, cluster.three):
        assert offline(world) == []
        assert world.published.of(UserConnected) == []


def test_when_both_last_sockets_go_at_once_offline_is_told_nevertheless(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.two.join("ana", "ana-2")
    cluster.three.online("dora")
    cluster.clear()
    with cluster.buses.held():
        leave(cluster.one, "ana")
        leave(cluster.two, "ana", "ana-2")
    cluster.pass_time(GRACE_SECONDS + BACKUP_SECONDS)
    for world in (cluster.one, cluster.two, cluster.three):
        assert offline(world) == ["ana"]


def test_users_of_a_dead_worker_are_told_to_be_offline_by_each_to_its_own(cluster: Cluster) -> None:
    cluster.one.online("ana", "bea")
    cluster.two.join("bea", "bea-2")
    cluster.pass_time(LEASE_SECONDS)
    cluster.clear()
    cluster.one.bus.kill()
    cluster.pass_time(LEASE_SECONDS + BEAT_SECONDS)
    assert offline(cluster.two) == []
    assert status_of(cluster.two, "ana") is Status.ONLINE
    said = len(cluster.two.bus.published)
    cluster.pass_time(GRACE_SECONDS + BACKUP_SECONDS)
    for world in (cluster.two, cluster.three):
        assert offline(world) == ["ana"]
        assert status_of(world, "ana") is Status.OFFLINE
        assert status_of(world, "bea") is Status.ONLINE
    assert {type(event) for _, event in cluster.two.bus.published[said:]} == {WorkerBeat}, "each knows by itself"


def test_when_the_worker_of_the_last_socket_dies_within_the_grace_the_others_tell(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.clear()
    leave(cluster.one, "ana")
    cluster.one.bus.kill()
    cluster.pass_time(GRACE_SECONDS + BACKUP_SECONDS - 0.1)
    assert offline(cluster.two) == []
    cluster.pass_time(0.1)
    assert offline(cluster.two) == offline(cluster.three) == ["ana"]


def test_who_comes_back_while_offline_is_being_told_is_told_to_be_back(cluster: Cluster) -> None:
    cluster.one.online("ana")
    group = cluster.one.group("ana", "bea")
    cluster.three.online("dora")
    leave(cluster.one, "ana")
    cluster.clear()
    with cluster.buses.held():
        cluster.pass_time(GRACE_SECONDS)
        cluster.two.online("ana")
    cluster.pass_time(0)
    for world in (cluster.one, cluster.two, cluster.three):
        names = [name for room, name in world.published.told if room == EVERYONE]
        assert names[-1] == "user_connected"
        assert status_of(world, "ana") is Status.ONLINE
        assert world.present.has_sockets("ana")
    assert cluster.two.audience.members(group.id) == ("ana",)


def test_who_cannot_be_told_to_be_back_is_logged(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.two.online("ana")
    cluster.clear()
    with store_down(cluster.two.store.users, "get"):
        cluster.two.presence.stay_away("ana")
        cluster.pass_time(0)
    assert [record.getMessage() for record in caplog.records] == [
        "ana is not told to be back: store_unavailable(engine='test')"
    ]
    assert status_of(cluster.two, "ana") is Status.ONLINE


def test_who_is_gone_again_is_not_told_to_be_back(cluster: Cluster) -> None:
    cluster.two.online("ana")
    cluster.clear()
    cluster.two.presence.stay_away("ana")
    leave(cluster.two, "ana")
    cluster.pass_time(0)
    assert cluster.two.published.of(UserConnected) == []


def test_who_is_elsewhere_does_not_stay_away(cluster: Cluster) -> None:
    cluster.two.online("ana")
    cluster.three.presence.stay_away("ana")
    assert status_of(cluster.three, "ana") is Status.ONLINE
    cluster.clear()
    cluster.pass_time(0)
    assert cluster.three.published.events == []


# ---------------------------------------------------------------- after deafness
def test_who_was_deaf_tells_what_it_missed(cluster: Cluster, group: Conversation) -> None:
    cluster.two.bus.cut()
    for _ in range(3):
        cluster.one.say(group)
    assert seqs(cluster.two) == []
    cluster.two.bus.join()
    cluster.pass_time(0)
    assert seqs(cluster.two) == [1, 2, 3]
    cluster.one.say(group)
    assert seqs(cluster.two) == [1, 2, 3, 4]


def test_what_was_said_while_cut_off_reaches_the_others_afterwards(cluster: Cluster, group: Conversation) -> None:
    cluster.two.bus.cut()
    cluster.two.say(group, by="bea")
    cluster.one.say(group)
    cluster.pass_time(1)
    assert seqs(cluster.one) == [1, 2], "from the store"
    cluster.two.bus.join()
    cluster.pass_time(1)
    assert seqs(cluster.one) == seqs(cluster.two) == [1, 2]


def test_groups_and_marks_missed_are_read_again(cluster: Cluster, group: Conversation) -> None:
    cluster.three.join("bea", "bea-3")
    cluster.one.say(group)
    cluster.two.bus.cut()
    cluster.three.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea"))
    another = cluster.one.group("ana", "bea")
    cluster.two.bus.join()
    cluster.pass_time(0)
    cluster.clear()
    cluster.one.say(group)
    cluster.one.say(another)
    assert unread(cluster.two) == [("bea", 1), ("bea", 1)]


def test_every_durable_change_missed_is_told_in_order(cluster: Cluster, group: Conversation) -> None:
    cluster.two.enter(group, "bea")
    first, second = cluster.one.say(group), cluster.one.say(group)
    cluster.clear()
    cluster.two.bus.cut()
    ana = Actor("ana")
    cluster.one.messages.edit(EditMessage(message_id=first.id, new_content="hi"), actor=ana)
    cluster.one.messages.delete_own(DeleteMessage(message_id=second.id), actor=ana)
    add(cluster.one, group, "carlos")
    cluster.one.say(group)
    cluster.one.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("carlos"))
    cluster.one.conversations.update_group(
        UpdateGroup(conversation_id=group.id, name="New", keep_description=True), actor=ana
    )
    remove(cluster.one, group, "carlos")
    cluster.one.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=ana)
    expected = [event for event in cluster.one.published.events if isinstance(event, DurableEvent)]
    assert len(expected) == 8
    cluster.two.bus.join()
    cluster.pass_time(0)
    missed = [event for event in cluster.two.published.events if isinstance(event, DurableEvent)]
    assert [type(event) for event in missed] == [
        MessageEdited,
        MessageDeleted,
        UsersAddedToGroup,
        MessageSent,
        # carlos has read, and is gone: of his mark nothing is kept
        GroupUpdated,
        UserRemovedFromGroup,
        UserLeftGroup,
    ]
    assert [event.place for event in missed] == [event.place for event in expected if type(event) is not MessagesRead]
    *_, removed, left = missed
    assert (removed.user, removed.removed_by, removed.removed_by_name) == (named("carlos"), "ana", NAMES["ana"])
    assert (left.user, left.left_by, left.new_owner) == (named("ana"), "ana", named("bea"))
    assert left.timestamp == cluster.one.clock.now()
    assert cluster.two.audience.members(group.id) == ("bea",)


def test_a_mark_missed_is_a_receipt_afterwards(cluster: Cluster, group: Conversation) -> None:
    cluster.one.say(group)
    cluster.three.join("bea", "bea-3")
    cluster.clear()
    cluster.one.bus.cut()
    cluster.two.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea"))
    cluster.one.bus.join()
    cluster.pass_time(0)
    assert told(cluster.one, "read_receipt") == ["user:ana"]


def test_who_was_added_meanwhile_counts_what_was_said_since(cluster: Cluster, group: Conversation) -> None:
    """dora makes the conversation known there: else nothing would be missed."""
    add(cluster.one, group, "dora")
    cluster.two.join("dora")
    cluster.one.say(group)
    cluster.two.bus.cut()
    cluster.two.join("carlos")
    add(cluster.one, group, "carlos")
    cluster.one.say(group)
    cluster.two.bus.join()
    cluster.pass_time(0)
    cluster.clear()
    cluster.one.say(group)
    assert dict(unread(cluster.two))["carlos"] == 2


def test_a_new_group_missed_is_introduced(cluster: Cluster, group: Conversation) -> None:
    cluster.two.bus.cut()
    another = cluster.one.group("ana", "bea")
    pair = cluster.one.private("ana", "bea")
    cluster.one.say(another)
    cluster.one.say(pair)
    cluster.two.bus.join()
    cluster.pass_time(0)
    assert [event.conversation.id for event in cluster.two.published.of(GroupCreated)] == [another.id]
    assert told(cluster.two, "group_created") == ["user:bea"]
    assert sorted(told(cluster.two, "unread_message_group") + told(cluster.two, "unread_message_private")) == [
        "user:bea",
        "user:bea",
    ]


def test_who_was_removed_meanwhile_hears_nothing_any_more(cluster: Cluster, group: Conversation) -> None:
    cluster.two.enter(group, "bea")
    cluster.two.bus.cut()
    remove(cluster.one, group, "bea")
    cluster.two.bus.join()
    cluster.pass_time(0)
    assert not cluster.two.rooms.hears("bea-1", group.id)
    assert cluster.two.audience.members(group.id) == ()
    assert set(cluster.two.present.viewers(group.id)) == set()


def test_who_was_removed_meanwhile_and_is_known_by_the_handshake_alone(cluster: Cluster, group: Conversation) -> None:
    another = cluster.one.group("ana", "carlos", "dora")
    cluster.two.enter(another, "carlos", "dora")
    cluster.two.bus.cut()
    remove(cluster.one, another, "carlos")
    cluster.two.bus.join()
    cluster.pass_time(0)
    assert not cluster.two.rooms.hears("carlos-1", another.id)
    assert cluster.two.rooms.hears("dora-1", another.id)


def test_a_store_that_is_down_meanwhile_is_asked_again(
    cluster: Cluster, group: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.two.enter(group, "bea")
    cluster.two.bus.cut()
    remove(cluster.one, group, "bea")
    with store_down(cluster.two.store.conversations, "marks", "changes"):
        cluster.two.bus.join()
        cluster.pass_time(RETRY_SECONDS / 2)
    assert "asking who is where failed" in caplog.text
    assert cluster.two.rooms.hears("bea-1", group.id)
    cluster.pass_time(RETRY_SECONDS)
    assert not cluster.two.rooms.hears("bea-1", group.id)


def test_all_ask_the_store_when_one_has_lost_something(cluster: Cluster, group: Conversation) -> None:
    command = SendMessage(conversation_id=group.id, content="hello")
    cluster.three.bus.publish = lambda _rooms, _event: None  # type: ignore[method-assign]
    cluster.three.messages.send(command, actor=Actor("ana"))
    del cluster.three.bus.publish  # type: ignore[attr-defined]
    assert seqs(cluster.two) == []
    cluster.three.bus.publish([EVERYONE], ResyncNeeded())
    cluster.pass_time(0)
    assert seqs(cluster.one) == seqs(cluster.two) == [1]


def test_what_a_worker_stored_and_died_before_it_told_is_found(cluster: Cluster, group: Conversation) -> None:
    cluster.pass_time(BEAT_SECONDS)
    cluster.three.bus.kill()
    cluster.three.messages.send(SendMessage(conversation_id=group.id, content="last words"), actor=Actor("ana"))
    cluster.pass_time(SILENCE_SECONDS - 0.1)
    assert seqs(cluster.one) == seqs(cluster.two) == []
    cluster.pass_time(2 * BEAT_SECONDS)
    assert seqs(cluster.one) == seqs(cluster.two) == [1]


def test_a_worker_that_takes_its_leave_is_not_asked_after(
    cluster: Cluster, group: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.pass_time(BEAT_SECONDS)
    cluster.three.online("dora")
    cluster.three.presence.close()
    cluster.three.bus.kill()
    asked: list[object] = []
    for world in (cluster.one, cluster.two):
        monkeypatch.setattr(world.replica._deliveries, "resync", lambda: asked.append("resync"))
    cluster.clear()
    cluster.pass_time(GRACE_SECONDS + BACKUP_SECONDS)
    assert asked == []
    assert offline(cluster.one) == ["dora"], "at once, and not when the lease is over"


# ---------------------------------------------------------------- beginning and end
def test_each_beats_every_second(cluster: Cluster) -> None:
    for world in (cluster.one, cluster.two):
        world.bus.published.clear()
    cluster.pass_time(3 * BEAT_SECONDS)
    assert cluster.one.bus.published == cluster.two.bus.published == [(EVERYONE, WorkerBeat())] * 3


def test_closing_remembers_when_those_here_were_last_seen(cluster: Cluster) -> None:
    cluster.one.online("ana")
    cluster.two.online("bea")
    cluster.pass_time(5)
    cluster.one.presence.close()
    assert cluster.one.store.users.get("ana").last_seen == at(5)
    assert cluster.one.store.users.get("bea").last_seen == at(0)


def test_unread_on_joining_is_told_to_the_new_socket_alone(cluster: Cluster, group: Conversation) -> None:
    cluster.one.say(group)
    cluster.clear()
    command = JoinChat(name=NAMES["bea"], email="bea@example.com")
    cluster.three.presence.join(command, actor=Actor("bea"), socket_id="bea-3")
    assert told(cluster.three, "unread_message_group") == ["bea-3"]
    assert told(cluster.two, "unread_message_group") == []

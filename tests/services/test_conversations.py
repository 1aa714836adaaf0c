"""Making conversations, changing who is in them, and opening them on a socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chatapp.domain.commands import (
    AddParticipants,
    CreateConversation,
    JoinRoom,
    LeaveGroup,
    LeaveRoom,
    ListPage,
    MarkAsRead,
    RemoveParticipant,
)
from chatapp.domain.errors import (
    ConversationNotFound,
    FileNotStored,
    InvalidData,
    NotAGroup,
    NotAParticipant,
    NotGroupCreator,
    NotIdentified,
    UnknownUsers,
    UserNotFound,
)
from chatapp.domain.events import (
    GroupChanged,
    GroupCreated,
    GroupDeleted,
    MessagesRead,
    MessageUnread,
    RoomJoined,
    RoomLeft,
    UserLeftGroup,
    UserRemovedFromGroup,
    UsersAddedToGroup,
)
from chatapp.domain.models import OPERATOR, Actor, Conversation, ConversationType, MessageType, Sender
from chatapp.ports import Departure
from tests.contracts.builders import NAMES, at, together
from tests.services.conftest import Overtake, World, store_down


def named(user_id: str) -> Sender:
    return Sender(user_id, NAMES[user_id], None)


def add(world: World, conversation: Conversation, *user_ids: str, by: str | None = "ana") -> tuple[str, ...]:
    command = AddParticipants(conversation_id=conversation.id, participants=user_ids)
    return world.conversations.add_participants(command, actor=Actor(by))[1]


def remove(world: World, conversation: Conversation, user_id: str, *, by: str | None = "ana") -> Conversation:
    command = RemoveParticipant(conversation_id=conversation.id, user_id=user_id)
    return world.conversations.remove_participant(command, actor=Actor(by))


def leave(world: World, conversation: Conversation, user_id: str) -> UserLeftGroup:
    return world.conversations.leave_group(LeaveGroup(conversation_id=conversation.id), actor=Actor(user_id))


def join_room(world: World, conversation: Conversation, user_id: str, socket_id: str | None = None) -> None:
    command = JoinRoom(conversation_id=conversation.id)
    world.conversations.join_room(command, actor=Actor(user_id), socket_id=socket_id or f"{user_id}-1")


def leave_room(world: World, conversation: Conversation, user_id: str, socket_id: str | None = None) -> None:
    command = LeaveRoom(conversation_id=conversation.id)
    world.conversations.leave_room(command, actor=Actor(user_id), socket_id=socket_id or f"{user_id}-1")


def read(world: World, conversation: Conversation, user_id: str) -> bool:
    return world.conversations.mark_as_read(MarkAsRead(conversation_id=conversation.id), actor=Actor(user_id)).moved


def open_private(world: World, creator: str | None, *participants: str) -> tuple[Conversation, bool]:
    command = CreateConversation(participants=participants, is_group=False, name="ignored", description="ignored")
    return world.conversations.create(command, actor=Actor(creator))


# ---------------------------------------------------------------- private conversations
def test_a_private_conversation_is_of_two_and_has_no_name(world: World) -> None:
    world.clock.advance(3)
    conversation, created = open_private(world, "ana", "ana", "bea")
    assert created
    assert conversation.type is ConversationType.PRIVATE
    assert set(conversation.participants) == {"ana", "bea"}
    assert (conversation.name, conversation.description, conversation.created_by) == (None, None, "ana")
    assert conversation.created_at == conversation.updated_at == at(3)


def test_the_private_conversation_of_a_pair_exists_once_in_either_order(world: World) -> None:
    first, _ = open_private(world, "ana", "ana", "bea")
    again, created = open_private(world, "bea", "bea", "ana")
    assert (again.id, created) == (first.id, False)
    other, created = open_private(world, "ana", "ana", "carlos")
    assert created
    assert other.id != first.id


def test_twenty_requests_at_once_open_one_private_conversation(world: World) -> None:
    pairs = [("ana", "bea"), ("bea", "ana")] * 10
    opened = together([lambda pair=pair: open_private(world, pair[0], *pair) for pair in pairs])
    assert len({conversation.id for conversation, _ in opened}) == 1
    assert [created for _, created in opened].count(True) == 1


def test_the_creator_need_not_be_repeated(world: World) -> None:
    conversation, _ = open_private(world, "ana", "bea")
    assert set(conversation.participants) == {"ana", "bea"}


@pytest.mark.parametrize("participants", [(), ("ana",), ("ana", "ana"), ("ana", "bea", "carlos")])
def test_a_private_conversation_needs_exactly_two_distinct_users(world: World, participants: tuple[str, ...]) -> None:
    with pytest.raises(InvalidData) as refused:
        open_private(world, "ana", *participants)
    assert refused.value.details == {"fields": {"participants": ["two_distinct_users"]}}
    assert world.conversations.inbox("ana", actor=OPERATOR) == []


@pytest.mark.parametrize(("creator", "unknown"), [("ana", ["ghost"]), ("nobody", ["ghost", "nobody"])])
def test_a_private_conversation_with_unknown_users_is_refused(world: World, creator: str, unknown: list[str]) -> None:
    with pytest.raises(UnknownUsers) as refused:
        open_private(world, creator, "ana", "ghost")
    assert refused.value.details == {"userIds": unknown}


def test_opening_a_private_conversation_is_told_to_nobody(world: World) -> None:
    open_private(world, "ana", "bea")
    assert world.events() == []


def test_those_online_are_counted_in_a_new_private_conversation(world: World) -> None:
    world.online("ana", "bea")
    private, _ = open_private(world, "ana", "bea")
    open_private(world, "bea", "ana")
    world.say(private)
    assert [(event.user_id, event.unread_count) for event in world.published.of(MessageUnread)] == [("bea", 1)]


# ---------------------------------------------------------------- groups
def test_the_creator_of_a_group_is_a_participant(world: World) -> None:
    world.online("ana", "bea")
    world.events()
    group = world.group("ana", "bea", "carlos", "bea")
    assert group.participants == ("ana", "bea", "carlos")
    assert (group.name, group.description, group.created_by, group.is_group) == ("Team", "about it", "ana", True)
    assert world.conversations.get(group.id) == group
    assert world.events() == [GroupCreated(group)]


def test_a_listed_creator_is_a_participant_once(world: World) -> None:
    assert world.group("ana", "bea", "ana").participants == ("ana", "bea")


def test_a_group_with_unknown_users_is_refused(world: World) -> None:
    with pytest.raises(UnknownUsers) as refused:
        world.group("nobody", "bea", "ghost")
    assert refused.value.details == {"userIds": ["nobody", "ghost"]}
    assert world.events() == []


@pytest.mark.parametrize("is_group", [True, False])
def test_nobody_creates_without_a_name(world: World, is_group: bool) -> None:
    with pytest.raises(NotIdentified):
        world.conversations.create(
            CreateConversation(participants=("ana", "bea"), is_group=is_group, name="x"), actor=Actor()
        )


def test_those_online_are_counted_in_a_new_group(world: World) -> None:
    world.online("bea")
    world.say(world.group("ana", "bea"))
    assert [event.user_id for event in world.published.of(MessageUnread)] == ["bea"]


# ---------------------------------------------------------------- reading
def test_an_unknown_conversation_is_not_found(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.conversations.get("none")


def test_the_inbox_has_the_latest_activity_first(world: World) -> None:
    first, second = world.group("ana", "bea", name="1"), world.group("ana", "bea", name="2")
    world.clock.advance(1)
    world.say(first)
    inbox = world.conversations.inbox("bea", actor=OPERATOR)
    assert [entry.conversation.id for entry in inbox] == [first.id, second.id]
    assert [entry.unread_count for entry in inbox] == [1, 0]
    assert inbox[0].conversation.participants == ("ana", "bea")


def test_the_inbox_of_an_unknown_user_is_not_found(world: World) -> None:
    with pytest.raises(UserNotFound):
        world.conversations.inbox("ghost", actor=OPERATOR)
    assert world.conversations.inbox("dora", actor=OPERATOR) == []


def test_the_operator_pages_through_all_conversations(world: World) -> None:
    made = [world.group("ana", "bea"), world.private("ana", "bea"), world.group("carlos")]
    first = world.conversations.list_all(ListPage(limit=2), actor=OPERATOR)
    second = world.conversations.list_all(ListPage(limit=2, cursor=first.next_cursor), actor=OPERATOR)
    assert [*first.items, *second.items] == sorted(made, key=lambda each: each.id)
    assert second.next_cursor is None


# ---------------------------------------------------------------- rooms
def test_only_participants_join_a_room(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("carlos")
    world.events()
    with pytest.raises(NotAParticipant):
        join_room(world, group, "carlos")
    assert not world.rooms.hears("carlos-1", group.id)
    assert list(world.present.viewers(group.id)) == []
    assert world.events() == []


def test_nobody_joins_an_unknown_room(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.conversations.join_room(JoinRoom(conversation_id="none"), actor=Actor("ana"), socket_id="ana-1")


def test_joining_a_room_tells_how_far_one_has_read(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    entry = world.conversations.join_room(JoinRoom(conversation_id=group.id), actor=Actor("bea"), socket_id="bea-1")
    assert (entry.conversation.last_seq, entry.last_read_seq, entry.unread_count) == (1, 0, 1)


def test_the_room_learns_once_that_a_user_joined_and_once_that_they_left(world: World) -> None:
    group = world.group("ana", "bea")
    world.events()
    for socket_id in ("ana-1", "ana-2", "ana-1"):
        join_room(world, group, "ana", socket_id)
    assert world.events() == [RoomJoined(group.id, "ana")]
    assert world.rooms.hears("ana-1", group.id)
    assert world.rooms.hears("ana-2", group.id)
    leave_room(world, group, "ana", "ana-1")
    assert world.events() == []
    assert not world.rooms.hears("ana-1", group.id)
    leave_room(world, group, "ana", "ana-2")
    assert world.events() == [RoomLeft(group.id, "ana")]


def test_leaving_a_room_is_not_leaving_the_group(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.enter(group, "bea")
    leave_room(world, group, "bea")
    world.events()
    world.say(group)
    assert [event.user_id for event in world.published.of(MessageUnread)] == ["bea"]


def test_leaving_a_room_one_is_not_in_is_silent(world: World) -> None:
    group = world.group("ana", "bea")
    world.events()
    leave_room(world, group, "ana")
    assert world.events() == []


@pytest.mark.parametrize("act", ["join_room", "leave_room"])
def test_rooms_are_not_for_the_nameless(world: World, act: str) -> None:
    command = {"join_room": JoinRoom, "leave_room": LeaveRoom}[act](conversation_id=world.group("ana").id)
    with pytest.raises(NotIdentified):
        getattr(world.conversations, act)(command, actor=Actor(), socket_id="x-1")


@pytest.mark.parametrize("way", ["removed", "left", "deleted", "user_deleted"])
def test_who_is_taken_out_while_joining_the_room_stays_out(world: World, overtake: Overtake, way: str) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    out = {
        "removed": lambda: remove(world, group, "bea"),
        "left": lambda: leave(world, group, "bea"),
        "deleted": lambda: world.conversations.delete(group.id, actor=OPERATOR),
        "user_deleted": lambda: world.users.delete("bea", actor=OPERATOR),
    }[way]
    with pytest.raises(ConversationNotFound if way == "deleted" else NotAParticipant):
        overtake(lambda: join_room(world, group, "bea"), world.store.conversations, "entry", meanwhile=out)
    assert not world.rooms.hears("bea-1", group.id)
    assert list(world.present.viewers(group.id)) == []
    assert world.published.of(RoomJoined) == []


def test_another_members_removal_does_not_keep_anyone_from_joining(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea", "carlos")
    overtake(
        lambda: join_room(world, group, "bea"),
        world.store.conversations,
        "entry",
        meanwhile=lambda: remove(world, group, "carlos"),
    )
    assert world.rooms.hears("bea-1", group.id)


@pytest.mark.parametrize("joined", [True, False])
def test_a_socket_that_closes_while_joining_a_room_leaves_no_ghost(
    world: World, overtake: Overtake, joined: bool
) -> None:
    group = world.group("ana", "bea")
    if joined:
        world.online("bea")
    with pytest.raises(NotIdentified):
        overtake(
            lambda: join_room(world, group, "bea"),
            world.store.conversations,
            "entry",
            meanwhile=lambda: world.presence.disconnect("bea", "bea-1"),
        )
    assert list(world.present.viewers(group.id)) == []
    assert not world.rooms.hears("bea-1", group.id)


def test_another_sockets_closing_does_not_keep_anyone_from_joining(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.join("bea", "bea-2")
    overtake(
        lambda: join_room(world, group, "bea"),
        world.store.conversations,
        "entry",
        meanwhile=lambda: world.presence.disconnect("bea", "bea-2"),
    )
    assert world.rooms.hears("bea-1", group.id)


# ---------------------------------------------------------------- read marks
def test_reading_is_told_to_own_devices_and_to_the_others_who_are_online(world: World) -> None:
    group = world.group("ana", "bea", "carlos", "dora")
    world.online("ana", "bea", "carlos")
    world.say(group)
    world.say(group)
    world.events()
    world.clock.advance(7)
    mark = world.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea"))
    assert (mark.moved, mark.seq, mark.at) == (True, 2, at(7))
    (told,) = world.events()
    assert isinstance(told, MessagesRead)
    assert set(told.others) == {"ana", "carlos"}
    assert replace(told, others=()) == MessagesRead(group.id, "bea", at(7), 2, 3)


def test_reading_what_was_read_writes_and_tells_nothing(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    assert read(world, group, "bea")
    before = world.store.conversations.entry(group.id, "bea")
    world.events()
    world.clock.advance(1)
    assert not read(world, group, "bea")
    assert world.events() == []
    assert world.store.conversations.entry(group.id, "bea") == before


def test_who_reads_twice_at_once_is_told_once(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    assert together([lambda: read(world, group, "bea")] * 10).count(True) == 1
    assert len(world.published.of(MessagesRead)) == 1


def test_only_participants_read(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(NotAParticipant):
        read(world, group, "carlos")
    with pytest.raises(NotIdentified):
        world.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor())
    with pytest.raises(ConversationNotFound):
        world.conversations.mark_as_read(MarkAsRead(conversation_id="none"), actor=Actor("ana"))


# ---------------------------------------------------------------- adding
def test_new_participants_are_told_to_all_and_present_ones_left_out(world: World) -> None:
    group = world.group("ana", "bea")
    world.events()
    world.clock.advance(9)
    command = AddParticipants(conversation_id=group.id, participants=("bea", "dora", "carlos", "dora"))
    after, added = world.conversations.add_participants(command, actor=Actor("bea"))
    assert added == ("dora", "carlos")
    assert after.participants == ("ana", "bea", "dora", "carlos")
    assert world.events() == [
        UsersAddedToGroup(after, added, "bea", at(9)),
    ]


def test_adding_only_present_ones_is_no_error_and_told_to_nobody(world: World) -> None:
    group = world.group("ana", "bea")
    world.events()
    assert add(world, group, "bea", "ana") == ()
    assert world.events() == []


def test_without_an_actor_the_creator_is_named(world: World) -> None:
    group = world.group("ana", "bea")
    add(world, group, "carlos", by=None)
    assert [event.added_by for event in world.published.of(UsersAddedToGroup)] == ["ana"]


@pytest.mark.parametrize("by", ["ana", "carlos", None])
def test_nobody_is_added_to_a_private_conversation(world: World, by: str | None) -> None:
    private = world.private("ana", "bea")
    with pytest.raises(NotAGroup):
        add(world, private, "carlos", by=by)
    assert world.conversations.get(private.id).participants == private.participants


def test_unknown_users_are_not_added(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(UnknownUsers) as refused:
        add(world, group, "carlos", "ghost", "ghoul")
    assert refused.value.details == {"userIds": ["ghost", "ghoul"]}
    assert world.conversations.get(group.id).participants == ("ana", "bea")


def test_only_participants_add_others(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(NotAParticipant):
        add(world, group, "dora", by="carlos")


def test_nobody_is_added_to_an_unknown_conversation(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.conversations.add_participants(
            AddParticipants(conversation_id="none", participants=("ana",)), actor=Actor("ana")
        )


def test_who_is_added_has_missed_nothing_said_before(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("carlos")
    for _ in range(3):
        world.say(group)
    add(world, group, "carlos")
    world.say(group)
    notices = [(event.user_id, event.unread_count) for event in world.published.of(MessageUnread)]
    assert notices == [("carlos", 1)]


# ---------------------------------------------------------------- removing
def test_the_creator_takes_out_a_member(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    world.online("bea")
    world.enter(group, "bea")
    world.events()
    world.clock.advance(4)
    after = remove(world, group, "bea")
    assert after.participants == ("ana", "carlos")
    assert world.events() == [
        UserRemovedFromGroup(after, named("bea"), "ana", NAMES["ana"], at(4)),
    ]
    assert not world.rooms.hears("bea-1", group.id)
    assert list(world.present.viewers(group.id)) == []


def test_the_operator_takes_out_in_the_creators_name(world: World) -> None:
    group = world.group("ana", "bea")
    remove(world, group, "bea", by=None)
    assert [event.removed_by for event in world.published.of(UserRemovedFromGroup)] == ["ana"]


def test_the_operator_takes_out_the_creator_and_the_group_goes_on(world: World) -> None:
    group = world.group("ana", "bea")
    after = remove(world, group, "ana", by=None)
    assert (after.created_by, after.participants) == ("bea", ("bea",))


@pytest.mark.parametrize("by", ["bea", "dora"])
def test_only_the_creator_takes_out_others(world: World, by: str) -> None:
    group = world.group("ana", "bea", "carlos")
    with pytest.raises(NotGroupCreator):
        remove(world, group, "carlos", by=by)
    assert world.conversations.get(group.id).participants == ("ana", "bea", "carlos")


def test_who_is_not_there_cannot_be_taken_out(world: World) -> None:
    group = world.group("ana", "bea")
    world.events()
    with pytest.raises(NotAParticipant):
        remove(world, group, "carlos")
    with pytest.raises(ConversationNotFound):
        world.conversations.remove_participant(
            RemoveParticipant(conversation_id="none", user_id="bea"), actor=Actor("ana")
        )
    assert world.events() == []


def test_nobody_is_taken_out_of_a_private_conversation(world: World) -> None:
    private = world.private("ana", "bea")
    for user_id in ("ana", "bea"):
        with pytest.raises(NotAGroup):
            remove(world, private, user_id)
        with pytest.raises(NotAGroup):
            leave(world, private, user_id)


def test_taking_out_oneself_is_leaving(world: World) -> None:
    group = world.group("ana", "bea")
    assert remove(world, group, "bea", by="bea").participants == ("ana",)
    assert [event.user for event in world.published.of(UserLeftGroup)] == [named("bea")]
    assert world.published.of(UserRemovedFromGroup) == []


def test_taking_out_the_last_one_takes_the_group_along(world: World) -> None:
    group = world.group("ana")
    world.say(group)
    remove(world, group, "ana", by=None)
    (gone,) = world.published.of(GroupDeleted)
    assert (gone.conversation.participants, gone.deleted_messages_count) == (("ana",), 1)
    with pytest.raises(ConversationNotFound):
        world.conversations.get(group.id)


# ---------------------------------------------------------------- leaving
def test_a_member_leaves_and_the_others_learn_of_it(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    world.online("bea")
    world.enter(group, "bea")
    world.events()
    world.clock.advance(4)
    left = leave(world, group, "bea")
    after = world.conversations.get(group.id)
    assert after.participants == ("ana", "carlos")
    assert left == UserLeftGroup(after, named("bea"), "bea", at(4), None, False, 0)
    assert world.events() == [left]
    assert not world.rooms.hears("bea-1", group.id)
    assert list(world.present.viewers(group.id)) == []


def test_the_creators_leaving_hands_the_group_to_the_longest_standing_member(world: World) -> None:
    group = world.group("ana", "carlos", "bea")
    left = leave(world, group, "ana")
    assert left.new_owner == named("carlos")
    assert left.conversation.created_by == "carlos"
    assert remove(world, group, "bea", by="carlos").participants == ("carlos",)


def test_the_last_one_out_deletes_the_group_its_messages_and_files(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana")
    world.enter(group, "ana")
    world.say(group)
    world.say(group, message_type=MessageType.FILE, attachment=world.store_file())
    leave(world, group, "bea")
    world.events()
    world.clock.advance(4)
    left = leave(world, group, "ana")
    assert (left.group_deleted, left.deleted_messages_count, left.new_owner) == (True, 2, None)
    assert left.conversation.participants == ()
    told, gone = world.events()
    assert told == left
    assert isinstance(gone, GroupDeleted)
    assert (gone.conversation.id, gone.conversation.participants) == (group.id, ("ana",))
    assert (gone.deleted_messages_count, gone.timestamp) == (2, at(4))
    with pytest.raises(ConversationNotFound):
        world.conversations.get(group.id)
    with pytest.raises(FileNotStored):
        world.files.open("photo.png")
    assert not world.rooms.hears("ana-1", group.id)
    assert list(world.present.viewers(group.id)) == []


def test_who_is_not_there_cannot_leave(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(NotAParticipant):
        leave(world, group, "carlos")
    with pytest.raises(ConversationNotFound):
        world.conversations.leave_group(LeaveGroup(conversation_id="none"), actor=Actor("ana"))
    with pytest.raises(NotIdentified):
        world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor())


def test_all_leaving_at_once_deletes_the_group_once(world: World) -> None:
    members = ("ana", "bea", "carlos", "dora")
    group = world.group(*members)
    left = together([lambda user_id=user_id: leave(world, group, user_id) for user_id in members])
    assert [each.group_deleted for each in left].count(True) == 1
    assert len(world.published.of(GroupDeleted)) == 1


def test_changes_of_members_are_told_in_the_order_they_happened(world: World) -> None:
    """The last list of participants that a client hears is the true one."""
    group = world.group("ana", "bea", "carlos", "dora")
    for _ in range(10):
        for user_id in NAMES:
            world.profiles.forget(user_id)
        together(
            [
                lambda: leave(world, group, "bea"),
                lambda: remove(world, group, "carlos", by=None),
                lambda: add(world, group, "dora", by=None),
            ]
        )
        together([lambda: add(world, group, "bea", by=None), lambda: add(world, group, "carlos", by=None)])
        last = world.published.of(GroupChanged)[-1].conversation.participants
        assert last == world.conversations.get(group.id).participants


# ---------------------------------------------------------------- deleting
def test_a_deleted_group_is_gone_with_everything_and_its_members_learn_of_it(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana", "bea")
    world.enter(group, "ana", "bea")
    world.say(group, message_type=MessageType.FILE, attachment=world.store_file())
    world.events()
    gone = world.conversations.delete(group.id, actor=OPERATOR)
    assert gone.messages == 1
    assert gone.conversation is not None
    assert gone.conversation.participants == ("ana", "bea")
    assert world.events() == [GroupDeleted(gone.conversation, 1, world.clock.now())]
    assert not world.rooms.hears("bea-1", group.id)
    assert list(world.present.viewers(group.id)) == []
    assert world.audience.members(group.id) == ()
    with pytest.raises(FileNotStored):
        world.files.open("photo.png")


def test_a_deleted_private_conversation_is_gone_without_a_word(world: World) -> None:
    private = world.private("ana", "bea")
    world.online("ana")
    world.enter(private, "ana")
    world.events()
    world.conversations.delete(private.id, actor=OPERATOR)
    assert world.events() == []
    assert not world.rooms.hears("ana-1", private.id)


def test_an_unknown_conversation_cannot_be_deleted(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.conversations.delete("none", actor=OPERATOR)


def test_the_room_is_closed_even_when_the_files_cannot_be_removed(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.enter(group, "bea")
    world.say(group, message_type=MessageType.FILE, attachment=world.store_file())
    world.files.close()
    world.conversations.delete(group.id, actor=OPERATOR)
    assert len(world.published.of(GroupDeleted)) == 1
    assert not world.rooms.hears("bea-1", group.id)


def test_what_was_not_stored_is_told_to_nobody(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.enter(group, "bea")
    world.events()
    failing = ("create_group", "add_participants", "remove_participant", "delete", "mark_read")
    attempts = (
        lambda: world.group("ana", "bea"),
        lambda: add(world, group, "carlos"),
        lambda: remove(world, group, "bea"),
        lambda: leave(world, group, "bea"),
        lambda: world.conversations.delete(group.id, actor=OPERATOR),
        lambda: read(world, group, "bea"),
    )
    with store_down(world.store.conversations, *failing):
        for attempt in attempts:
            with pytest.raises(Exception, match="store_unavailable"):
                attempt()
    assert world.events() == []
    assert world.rooms.hears("bea-1", group.id)


# ---------------------------------------------------------------- slow names, and sockets without one
@pytest.mark.parametrize("act", [leave, lambda *args: remove(*args, by=None)])
def test_between_a_departure_and_its_news_nothing_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[..., object]
) -> None:
    """Whoever waits there is overtaken: by later news of the same group, or by one who is added again."""
    group = world.group("ana", "bea", "carlos")
    for user_id in NAMES:
        world.profiles.forget(user_id)
    real = world.store.conversations.remove_participant

    def refuse(*_: object) -> None:
        raise AssertionError("nothing is to be read any more")

    def then_nothing(*args: str, **kwargs: object) -> Departure:
        departure = real(*args, **kwargs)  # type: ignore[arg-type]
        for method in ("get", "get_many"):
            monkeypatch.setattr(world.store.users, method, refuse)
        return departure

    monkeypatch.setattr(world.store.conversations, "remove_participant", then_nothing)
    act(world, group, "ana")
    assert len(world.published.of(GroupChanged)) == 1


@pytest.mark.parametrize("act", [leave, lambda *args: remove(*args, by=None)])
def test_a_departure_is_told_even_when_names_cannot_be_read(world: World, act: Callable[..., object]) -> None:
    group = world.group("ana", "bea", "carlos")
    world.online("ana")
    world.enter(group, "ana")
    for user_id in NAMES:
        world.profiles.forget(user_id)
    with store_down(world.store.users, "get"):
        act(world, group, "ana")
    assert not world.rooms.hears("ana-1", group.id)
    assert len(world.published.of(GroupChanged)) == 1


def test_a_socket_that_never_joined_the_chat_leaves_the_room_with_its_user(world: World) -> None:
    """Its handshake said whose it is; that must be enough to find it again."""
    group = world.group("ana", "bea")
    join_room(world, group, "bea", "s1")
    assert world.rooms.hears("s1", group.id)
    remove(world, group, "bea")
    assert not world.rooms.hears("s1", group.id)
    assert set(world.present.viewers(group.id)) == set()


def test_a_socket_that_never_joined_the_chat_leaves_no_ghost_in_a_room(world: World) -> None:
    group = world.group("ana", "bea")
    join_room(world, group, "bea", "s1")
    world.presence.disconnect("bea", "s1")
    assert set(world.present.viewers(group.id)) == set()


def test_who_is_taken_out_and_added_again_while_joining_the_room_is_in(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.online("bea")

    def out_and_in() -> None:
        remove(world, group, "bea")
        add(world, group, "bea")

    overtake(lambda: join_room(world, group, "bea"), world.store.conversations, "entry", meanwhile=out_and_in)
    assert world.rooms.hears("bea-1", group.id)
    assert set(world.present.viewers(group.id)) == {"bea"}


def test_somebody_added_by_two_at_once_is_added_once(world: World) -> None:
    group = world.group("ana", "bea")
    added = together([lambda: add(world, group, "carlos"), lambda: add(world, group, "carlos", by="bea")])
    assert sorted(added) == [(), ("carlos",)]
    assert len(world.published.of(UsersAddedToGroup)) == 1


def test_a_message_stored_while_somebody_joins_the_room_is_in_the_answer_or_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    entry, missed = world.store.conversations.entry, []

    def entry_and_then_a_message(*args: str) -> object:
        answer = entry(*args)
        if not missed:
            missed.append(world.say(group, "just then"))
        return answer

    monkeypatch.setattr(world.store.conversations, "entry", entry_and_then_a_message)
    joined = world.conversations.join_room(JoinRoom(conversation_id=group.id), actor=Actor("bea"), socket_id="bea-1")
    assert joined.conversation.last_seq == missed[0].seq
    assert joined.unread_count == 1

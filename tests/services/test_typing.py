"""Who is writing."""

from __future__ import annotations

import pytest

from chatapp.domain.commands import LeaveGroup, StartTyping, StopTyping
from chatapp.domain.errors import ConversationNotFound, NotAParticipant, NotIdentified
from chatapp.domain.events import TypingChanged
from chatapp.domain.models import Actor, Conversation, Standing
from tests.contracts.builders import NAMES
from tests.services.conftest import Overtake, World


@pytest.fixture
def group(world: World) -> Conversation:
    group = world.group("ana", "bea")
    world.online("ana", "bea")
    world.events()
    return group


def start(
    world: World, group: Conversation, user_id: str = "ana", *, socket: str = "ana-1", name: str | None = None
) -> None:
    command = StartTyping(conversation_id=group.id, user_name=name)
    world.typing.start(command, actor=Actor(user_id), socket_id=socket)


def stop(world: World, group: Conversation, user_id: str = "ana") -> None:
    world.typing.stop(StopTyping(conversation_id=group.id), actor=Actor(user_id))


def told(world: World) -> list[tuple[str, bool]]:
    return [(event.user_id, event.is_typing) for event in world.events() if isinstance(event, TypingChanged)]


def test_writing_is_told_with_the_writers_name(world: World, group: Conversation) -> None:
    start(world, group)
    stop(world, group)
    assert world.events() == [
        TypingChanged(group.id, "ana", NAMES["ana"], True),
        TypingChanged(group.id, "ana", NAMES["ana"], False),
    ]


def test_the_client_may_say_the_writers_name(world: World, group: Conversation) -> None:
    start(world, group, name="Anita")
    world.scheduler.advance(3)
    assert [event.user_name for event in world.published.of(TypingChanged)] == ["Anita", "Anita"]


def test_with_a_token_nobody_writes_under_anothers_name(world: World, group: Conversation) -> None:
    command = StartTyping(conversation_id=group.id, user_name=NAMES["bea"])
    world.typing.start(command, actor=Actor("ana", Standing.USER), socket_id="ana-1")
    assert [event.user_name for event in world.published.of(TypingChanged)] == [NAMES["ana"]]


def test_writing_ends_three_seconds_after_the_start(world: World, group: Conversation) -> None:
    start(world, group)
    world.scheduler.advance(2.999)
    assert told(world) == [("ana", True)]
    world.scheduler.advance(0.001)
    assert told(world) == [("ana", False)]
    world.scheduler.advance(60)
    assert told(world) == []


def test_a_repeated_start_is_silent_and_moves_the_end(world: World, group: Conversation) -> None:
    for _ in range(5):
        start(world, group)
        world.scheduler.advance(2)
    assert told(world) == [("ana", True)]
    assert world.scheduler.pending == 1
    world.scheduler.advance(1)
    assert told(world) == [("ana", False)]


def test_a_stop_is_told_once_and_ends_the_timer(world: World, group: Conversation) -> None:
    start(world, group)
    stop(world, group)
    stop(world, group)
    assert told(world) == [("ana", True), ("ana", False)]
    assert world.scheduler.pending == 0


def test_a_stop_without_a_start_is_silent(world: World, group: Conversation) -> None:
    stop(world, group)
    assert told(world) == []


def test_after_the_end_a_start_is_told_again(world: World, group: Conversation) -> None:
    start(world, group)
    world.scheduler.advance(3)
    start(world, group)
    assert told(world) == [("ana", True), ("ana", False), ("ana", True)]


def test_writers_and_conversations_do_not_disturb_each_other(world: World, group: Conversation) -> None:
    other = world.group("ana", "bea")
    world.events()
    start(world, group)
    world.scheduler.advance(2)
    start(world, group, "bea", socket="bea-1")
    start(world, other)
    assert told(world) == [("ana", True), ("bea", True), ("ana", True)]
    world.scheduler.advance(1)
    assert world.events() == [TypingChanged(group.id, "ana", NAMES["ana"], False)]


def test_only_what_was_written_on_the_socket_ends_with_it(world: World, group: Conversation) -> None:
    world.join("ana", "ana-2")
    other = world.group("ana", "bea")
    start(world, group, socket="ana-1")
    start(world, other, socket="ana-2")
    start(world, group, "bea", socket="bea-1")
    world.events()
    world.presence.disconnect("ana", "ana-1")
    assert world.events() == [TypingChanged(group.id, "ana", NAMES["ana"], False)]


def test_what_a_socket_wrote_for_another_user_ends_with_it(world: World, group: Conversation) -> None:
    start(world, group, "bea", socket="ana-1")
    world.presence.disconnect("ana", "ana-1")
    assert told(world) == [("bea", True), ("bea", False)]


def test_a_second_device_takes_the_writing_over(world: World, group: Conversation) -> None:
    world.join("ana", "ana-2")
    start(world, group, socket="ana-1")
    start(world, group, socket="ana-2")
    world.presence.disconnect("ana", "ana-1")
    assert told(world) == [("ana", True)]


@pytest.mark.parametrize("act", [start, stop])
def test_only_participants_write(world: World, group: Conversation, act: object) -> None:
    with pytest.raises(NotAParticipant):
        act(world, group, "carlos")  # type: ignore[operator]
    assert told(world) == []


def test_who_has_left_the_group_writes_no_more(world: World, group: Conversation) -> None:
    world.enter(group, "bea")
    start(world, group, "bea", socket="bea-1")
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))
    with pytest.raises(NotAParticipant):
        start(world, group, "bea", socket="bea-1")


def test_who_is_in_the_room_is_not_asked_for_again(world: World, group: Conversation) -> None:
    world.enter(group, "ana")
    world.store.close()
    start(world, group)
    assert told(world) == [("ana", True)]


def test_nobody_writes_without_a_name_or_nowhere(world: World, group: Conversation) -> None:
    with pytest.raises(NotIdentified):
        world.typing.start(StartTyping(conversation_id=group.id), actor=Actor(), socket_id="x-1")
    with pytest.raises(NotIdentified):
        world.typing.stop(StopTyping(conversation_id=group.id), actor=Actor())
    with pytest.raises(ConversationNotFound):
        world.typing.stop(StopTyping(conversation_id="none"), actor=Actor("ana"))


def test_two_devices_that_start_at_once_are_told_once(world: World, group: Conversation, overtake: Overtake) -> None:
    world.enter(group, "ana")
    world.profiles.forget("ana")

    def second_device() -> None:
        world.scheduler.advance(1)
        start(world, group, socket="ana-2")

    overtake(lambda: start(world, group), world.store.users, "get", meanwhile=second_device)
    assert told(world) == [("ana", True)]
    assert world.scheduler.pending == 1


def test_a_stop_during_a_renewal_is_followed_by_a_new_indicator(
    world: World, group: Conversation, overtake: Overtake
) -> None:
    """Never the end of an indicator whose beginning nobody was told."""
    start(world, group)
    world.profiles.forget("ana")
    overtake(lambda: start(world, group), world.store.users, "get", meanwhile=lambda: stop(world, group))
    world.scheduler.advance(3)
    assert told(world) == [("ana", True), ("ana", False), ("ana", True), ("ana", False)]

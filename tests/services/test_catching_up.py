"""What a client is told of its absence."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.domain.changes import Changes
from chatapp.domain.commands import DeleteMessage, ReadChanges, RemoveParticipant, Sync, UpdateGroup
from chatapp.domain.errors import ConversationNotFound, NotAParticipant, NotIdentified
from chatapp.domain.models import Actor, Conversation
from chatapp.services.catching_up import CHANGES_AT_ONCE, CatchUpService, Synced
from tests.services.conftest import World


@pytest.fixture
def catch_up(world: World) -> CatchUpService:
    return CatchUpService(world.store)


def sync(catch_up: CatchUpService, *known: tuple[str, int], by: str | None = "ana") -> list[Synced]:
    return catch_up.sync(Sync(conversations=known), actor=Actor(by))


def revs(answer: Synced) -> list[int]:
    return [change.rev for change in answer.changes.items]


def test_each_conversation_is_answered_in_the_order_asked_for(world: World, catch_up: CatchUpService) -> None:
    team, pair = world.group("ana", "bea"), world.private("ana", "bea")
    world.say(team)
    message = world.say(team)
    world.say(pair, by="bea")
    world.messages.delete_own(DeleteMessage(message_id=message.id), actor=Actor("ana"))
    answers = sync(catch_up, (pair.id, 0), (team.id, 1))
    assert [(a.conversation_id, a.changes.rev, revs(a), a.error) for a in answers] == [
        (pair.id, 1, [1], None),
        (team.id, 3, [2, 3], None),
    ]


def test_what_has_not_changed_is_not_read(
    world: World, catch_up: CatchUpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = world.group("ana", "bea")
    world.say(team)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("asked for the changes of a conversation without any")

    monkeypatch.setattr(world.store.conversations, "changes", refuse)
    assert sync(catch_up, (team.id, 1)) == [Synced(team.id, Changes(1, ()))]


def test_strangers_and_unknown_conversations_are_refused_each_by_itself(world: World, catch_up: CatchUpService) -> None:
    mine, theirs = world.group("ana", "bea"), world.group("bea", "carlos")
    world.say(mine)
    world.say(theirs, by="bea")
    world.conversations.remove_participant(
        RemoveParticipant(conversation_id=theirs.id, user_id="carlos"), actor=Actor("bea")
    )
    answers = sync(catch_up, (theirs.id, 0), ("nowhere", 4), (mine.id, 0))
    assert [type(answer.error) for answer in answers] == [NotAParticipant, ConversationNotFound, type(None)]
    assert [revs(answer) for answer in answers] == [[], [], [1]]
    assert [answer.changes.rev for answer in answers] == [0, 4, 1], "what they knew before"
    (former,) = sync(catch_up, (theirs.id, 0), by="carlos")
    assert isinstance(former.error, NotAParticipant)


def test_nobody_in_particular_cannot_sync(catch_up: CatchUpService) -> None:
    with pytest.raises(NotIdentified):
        sync(catch_up, ("c1", 0), by=None)


def rename(world: World, group: Conversation, times: int) -> None:
    for number in range(times):
        command = UpdateGroup(conversation_id=group.id, name=f"Team {number}", keep_description=True)
        world.conversations.update_group(command, actor=Actor("ana"))


def test_an_answer_is_bounded_and_says_where_to_go_on(world: World, catch_up: CatchUpService) -> None:
    groups = [world.group("ana", "bea") for _ in range(3)]
    rename(world, groups[0], CHANGES_AT_ONCE - 10)
    rename(world, groups[1], 30)
    rename(world, groups[2], 1)
    answers = sync(catch_up, *((group.id, 0) for group in groups))
    assert [len(answer.changes.items) for answer in answers] == [CHANGES_AT_ONCE - 10, 10, 0]
    assert [answer.changes.more for answer in answers] == [False, True, True]
    again = sync(catch_up, *((answer.conversation_id, answer.changes.rev) for answer in answers))
    assert [revs(answer) for answer in again] == [[], list(range(11, 31)), [1]]
    assert not any(answer.changes.more for answer in again)


# ---------------------------------------------------------------- one conversation
def read(catch_up: CatchUpService, conversation_id: str, by: str | None, since: int = 0, limit: int = 100) -> Changes:
    command = ReadChanges(conversation_id=conversation_id, since=since, limit=limit)
    return catch_up.changes(command, actor=Actor(by))


def test_changes_are_for_participants_and_for_who_has_no_name(world: World, catch_up: CatchUpService) -> None:
    team = world.group("ana", "bea")
    world.say(team)
    for by in ("ana", "bea", None):
        assert read(catch_up, team.id, by).rev == 1
    with pytest.raises(NotAParticipant):
        read(catch_up, team.id, "carlos")
    with pytest.raises(ConversationNotFound):
        read(catch_up, "nowhere", None)


def test_changes_come_page_by_page(world: World, catch_up: CatchUpService) -> None:
    team = world.group("ana", "bea")
    rename(world, team, 5)
    first = read(catch_up, team.id, "bea", since=1, limit=3)
    assert ([change.rev for change in first.items], first.rev, first.more) == ([2, 3, 4], 4, True)
    rest = read(catch_up, team.id, "bea", since=first.rev, limit=3)
    assert ([change.rev for change in rest.items], rest.rev, rest.more) == ([5], 5, False)

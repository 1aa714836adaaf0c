"""What the rules do for a user whose connection is lost and may yet be taken up again."""

from __future__ import annotations

import pytest

from chatapp.domain.errors import UserNotFound
from chatapp.domain.events import RoomJoined, UserConnected
from chatapp.domain.models import OPERATOR, Actor, Status
from tests.services.conftest import GRACE_SECONDS, World


@pytest.fixture
def kept(world: World) -> set[str]:
    """Users with a lost session."""
    users: set[str] = set()
    world.audience._keeps = users.__contains__
    return users


def test_who_is_kept_is_offline_and_counted(world: World, kept: set[str]) -> None:
    world.online("ana", "bea")
    group = world.group("ana", "bea")
    kept.add("bea")
    world.presence.disconnect("bea", "bea-1")
    world.scheduler.advance(GRACE_SECONDS)
    assert world.present.statuses(["bea"]) == {"bea": Status.OFFLINE}
    assert world.audience.counts(group.id, "bea")
    kept.discard("bea")
    world.presence.expect_no_more("bea")
    assert not world.audience.counts(group.id, "bea")


def test_within_the_grace_a_user_is_counted_whatever_becomes_of_the_session(world: World, kept: set[str]) -> None:
    world.online("ana", "bea")
    group = world.group("ana", "bea")
    world.presence.disconnect("bea", "bea-1")
    world.presence.expect_no_more("bea")
    assert world.audience.counts(group.id, "bea")
    world.join("bea", "bea-2")
    world.presence.expect_no_more("bea")
    assert world.audience.counts(group.id, "bea")


def test_who_resumes_is_told_as_who_joins_and_hears_the_rooms(world: World, kept: set[str]) -> None:
    world.online("ana", "bea")
    group = world.group("ana", "bea")
    kept.add("bea")
    world.presence.disconnect("bea", "bea-1")
    world.scheduler.advance(GRACE_SECONDS)
    world.events()
    user, entries = world.presence.expect("bea")
    assert [entry.conversation.id for entry in entries] == [group.id]
    assert world.published.events == []
    world.presence.resume(user, actor=Actor("bea"), socket_id="bea-1", conversation_ids=[group.id])
    assert [event.user.id for event in world.published.of(UserConnected)] == ["bea"]
    assert world.published.of(RoomJoined) == []
    assert world.rooms.hears("bea-1", group.id)
    assert list(world.present.viewers(group.id)) == ["bea"]
    assert world.presence.user_of("bea-1") == "bea"


def test_nobody_is_expected_who_does_not_exist(world: World) -> None:
    with pytest.raises(UserNotFound):
        world.presence.expect("nobody")


def test_at_the_end_only_who_is_here_was_last_seen_then(world: World, kept: set[str]) -> None:
    world.online("ana", "bea")
    kept.add("bea")
    left = world.clock.now()
    world.presence.disconnect("bea", "bea-1")
    world.scheduler.advance(60)
    world.presence.close()
    assert world.users.get("bea", actor=OPERATOR).last_seen == left
    assert world.users.get("ana", actor=OPERATOR).last_seen == world.clock.now()

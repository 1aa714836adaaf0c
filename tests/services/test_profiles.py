"""Who a sender is, remembered."""

from __future__ import annotations

import pytest

from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import StoreUnavailable, UnknownUsers
from chatapp.domain.models import OPERATOR, Sender
from chatapp.services import profiles as module
from tests.contracts.builders import NAMES
from tests.services.conftest import Overtake, World, store_down

ANA = Sender("ana", NAMES["ana"], None)


def test_a_sender_is_read_once(world: World) -> None:
    assert world.profiles.require("ana") == ANA
    with store_down(world.store.users, "get"):
        assert world.profiles.require("ana") == ANA
        assert world.profiles.find("ana") == ANA


def test_an_unknown_sender_is_refused_or_has_no_name(world: World) -> None:
    with pytest.raises(UnknownUsers) as refused:
        world.profiles.require("ghost")
    assert refused.value.details == {"userIds": ["ghost"]}
    assert world.profiles.find("ghost") == Sender("ghost", "", None)


def test_who_appears_later_is_found_then(world: World) -> None:
    world.profiles.find("eva")
    world.users.save(SaveUser(id="eva", name="Eva", email="e@x.y"), actor=OPERATOR)
    assert world.profiles.require("eva").name == "Eva"


def test_a_forgotten_sender_is_read_again(world: World) -> None:
    world.profiles.require("ana")
    world.store.users.set_avatar("ana", "/a.png", now=world.clock.now())
    assert world.profiles.require("ana").avatar is None
    world.profiles.forget("ana")
    world.profiles.forget("ghost")
    assert world.profiles.require("ana").avatar == "/a.png"


def test_the_oldest_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    for user_id in ("ana", "bea", "carlos"):
        world.profiles.require(user_id)
    with store_down(world.store.users, "get"):
        world.profiles.require("bea")
        world.profiles.require("carlos")
        with pytest.raises(Exception, match="store_unavailable"):
            world.profiles.require("ana")


def test_remembering_again_makes_room_for_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    for user_id in ("ana", "bea"):
        world.profiles.require(user_id)
    world.users.save(SaveUser(id="ana", name="Anna", email="a@b.c"), actor=OPERATOR)
    with store_down(world.store.users, "get"):
        assert world.profiles.require("ana").name == "Anna"
        assert world.profiles.require("bea").name == NAMES["bea"]


def test_a_profile_that_changes_while_it_is_read_is_not_remembered_as_it_was(world: World, overtake: Overtake) -> None:
    overtake(
        lambda: world.profiles.require("ana"),
        world.store.users,
        "get",
        meanwhile=lambda: world.users.save(SaveUser(id="ana", name="Anna", email="a@b.c"), actor=OPERATOR),
    )
    assert world.profiles.require("ana").name == "Anna"


def test_a_user_who_is_deleted_while_being_read_is_not_remembered(world: World, overtake: Overtake) -> None:
    gone = []

    def delete() -> None:
        world.store.users.delete("ana")
        world.profiles.forget("ana")
        gone.append("ana")

    overtake(lambda: world.profiles.require("ana"), world.store.users, "get", meanwhile=delete)
    assert gone == ["ana"]
    with pytest.raises(UnknownUsers):
        world.profiles.require("ana")


def test_a_store_out_of_reach_fails_who_needs_a_sender_but_not_who_names_one(world: World) -> None:
    with store_down(world.store.users, "get"):
        assert world.profiles.find("ana") == Sender("ana", "", None)
        with pytest.raises(StoreUnavailable):
            world.profiles.require("ana")
    assert world.profiles.find("ana") == ANA


def test_prepared_senders_are_at_hand(world: World) -> None:
    world.profiles.require("ana")
    world.profiles.prepare(["ana", "bea", "carlos", "ghost", "bea"])
    with store_down(world.store.users, "get", "get_many"):
        for user_id in ("ana", "bea", "carlos"):
            assert world.profiles.require(user_id).name == NAMES[user_id]
        world.profiles.prepare(["bea", "carlos"])  # nothing to read any more
        with pytest.raises(StoreUnavailable):
            world.profiles.require("ghost")


def test_a_profile_that_changes_while_it_is_prepared_is_not_remembered_as_it_was(
    world: World, overtake: Overtake
) -> None:
    overtake(
        lambda: world.profiles.prepare(["ana"]),
        world.store.users,
        "get_many",
        meanwhile=lambda: world.users.save(SaveUser(id="ana", name="Ana María", email="a@x.y"), actor=OPERATOR),
    )
    assert world.profiles.require("ana").name == "Ana María"


def test_a_name_out_of_reach_stops_nothing_that_has_happened(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with store_down(world.store.users, "get"):
        assert world.profiles.find("ana") == Sender("ana", "", None)
    assert "the name of ana was not read" in caplog.text
    assert world.profiles.find("ana") == ANA


def test_prepared_senders_are_read_all_at_once(world: World) -> None:
    with store_down(world.store.users, "get"):
        world.profiles.prepare(["ana", "bea", "ghost"])
        assert world.profiles.require("ana") == ANA
        assert world.profiles.require("bea").name == NAMES["bea"]
    with store_down(world.store.users, "get_many"):
        world.profiles.prepare(["ana", "bea"])


def test_what_changes_while_senders_are_prepared_is_not_remembered_as_it_was(world: World, overtake: Overtake) -> None:
    overtake(
        lambda: world.profiles.prepare(["ana", "bea"]),
        world.store.users,
        "get_many",
        meanwhile=lambda: world.users.save(SaveUser(id="ana", name="Anna", email="a@b.c"), actor=OPERATOR),
    )
    assert world.profiles.require("ana").name == "Anna"

"""What every ``Presence`` promises. A new adapter is one more name in ``presence``."""

from __future__ import annotations

import pytest

from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.shared_presence import SharedPresence
from chatapp.domain.events import Event
from chatapp.domain.models import Status
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Presence
from tests.fakes import FakeBus, JoinedBuses


def alone() -> SharedPresence:
    return SharedPresence(FakeBus("alone"), now=lambda: 0.0)


def beside_another() -> SharedPresence:
    """Two workers; the sockets are all on the first one."""
    buses = JoinedBuses()
    first = _joined(buses.bus("first"))
    _joined(buses.bus("second"))
    return first


def _joined(bus: FakeBus) -> SharedPresence:
    presence = SharedPresence(bus, now=lambda: 0.0)

    def receive(_room: str, origin: str, event: Event) -> None:
        for user_id in presence.hear(origin, event):
            presence.forget(user_id)

    bus.subscribe([EVERYONE])
    bus.start(receive, recovered=presence.recovered)
    return presence


PRESENCES = {"memory": MemoryPresence, "shared": alone, "beside": beside_another}


@pytest.fixture(params=PRESENCES)
def presence(request: pytest.FixtureRequest) -> Presence:
    return PRESENCES[request.param]()


# ---------------------------------------------------------------- sockets
def test_only_the_first_socket_of_a_user_is_the_first(presence: Presence) -> None:
    assert presence.add("ana", "a1") is True
    assert presence.add("ana", "a2") is False
    assert presence.add("bea", "b1") is True


def test_adding_a_socket_twice_is_harmless(presence: Presence) -> None:
    presence.add("ana", "a1")
    assert presence.add("ana", "a1") is False
    assert presence.remove("ana", "a1") is True
    assert not presence.has_sockets("ana")


def test_only_the_last_socket_of_a_user_is_the_last(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.add("ana", "a2")
    assert presence.remove("ana", "a1") is False
    assert presence.has_sockets("ana")
    assert presence.remove("ana", "a2") is True
    assert not presence.has_sockets("ana")


def test_the_next_socket_after_the_last_is_a_first_one_again(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.remove("ana", "a1")
    assert presence.add("ana", "a2") is True


@pytest.mark.parametrize("known", [True, False])
def test_removing_an_unknown_socket_is_not_removing_the_last(presence: Presence, known: bool) -> None:
    if known:
        presence.add("ana", "a1")
    assert presence.remove("ana", "other") is False
    assert presence.has_sockets("ana") is known


def test_removing_twice_is_the_last_only_once(presence: Presence) -> None:
    presence.add("ana", "a1")
    assert presence.remove("ana", "a1") is True
    assert presence.remove("ana", "a1") is False


def test_nobody_has_another_users_sockets(presence: Presence) -> None:
    presence.add("ana", "a1")
    assert not presence.has_sockets("bea")
    assert presence.remove("bea", "a1") is False
    assert presence.has_sockets("ana")


# ---------------------------------------------------------------- status
def test_a_user_without_a_status_shows_online(presence: Presence) -> None:
    presence.add("ana", "a1")
    assert presence.statuses(["ana"]) == {"ana": Status.ONLINE}


def test_there_is_one_status_for_each_id_asked(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.add("bea", "b1")
    presence.set_status("bea", Status.BUSY)
    assert presence.statuses(["never", "bea", "ana"]) == {
        "never": Status.OFFLINE,
        "bea": Status.BUSY,
        "ana": Status.ONLINE,
    }
    assert presence.statuses([]) == {}


def test_a_status_holds_over_other_sockets(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.set_status("ana", Status.AWAY)
    presence.add("ana", "a2")
    presence.remove("ana", "a1")
    assert presence.statuses(["ana"]) == {"ana": Status.AWAY}


def test_a_status_outlives_the_last_socket_until_it_is_forgotten(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.set_status("ana", Status.BUSY)
    presence.remove("ana", "a1")
    assert presence.statuses(["ana"]) == {"ana": Status.BUSY}
    presence.forget("ana")
    assert presence.statuses(["ana"]) == {"ana": Status.OFFLINE}


def test_after_being_forgotten_a_user_comes_back_online(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.set_status("ana", Status.BUSY)
    presence.remove("ana", "a1")
    presence.forget("ana")
    presence.add("ana", "a2")
    assert presence.statuses(["ana"]) == {"ana": Status.ONLINE}


def test_forgetting_somebody_unknown_is_harmless(presence: Presence) -> None:
    presence.forget("never")
    assert set(presence.online()) == set()


def test_away_and_busy_count_as_online_and_offline_does_not(presence: Presence) -> None:
    for user_id, status in {"ana": Status.AWAY, "bea": Status.BUSY, "carlos": Status.OFFLINE}.items():
        presence.add(user_id, f"{user_id}-1")
        presence.set_status(user_id, status)
    presence.add("dora", "d1")
    assert sorted(presence.online()) == ["ana", "bea", "dora"]


def test_a_user_stays_online_until_forgotten(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.remove("ana", "a1")
    assert list(presence.online()) == ["ana"]
    presence.forget("ana")
    assert list(presence.online()) == []


# ---------------------------------------------------------------- conversations
def test_only_the_first_socket_of_a_user_in_a_conversation_is_the_first(presence: Presence) -> None:
    assert presence.enter("g1", "ana", "a1") is True
    assert presence.enter("g1", "ana", "a2") is False
    assert presence.enter("g1", "ana", "a1") is False
    assert presence.enter("g1", "bea", "b1") is True
    assert presence.enter("g2", "ana", "a1") is True
    assert set(presence.viewers("g1")) == {"ana", "bea"}
    assert set(presence.viewers("g2")) == {"ana"}


def test_only_the_last_socket_of_a_user_in_a_conversation_is_the_last(presence: Presence) -> None:
    presence.enter("g1", "ana", "a1")
    presence.enter("g1", "ana", "a2")
    presence.enter("g1", "bea", "b1")
    assert presence.leave("g1", "ana", "a1") is False
    assert set(presence.viewers("g1")) == {"ana", "bea"}
    assert presence.leave("g1", "ana", "a2") is True
    assert set(presence.viewers("g1")) == {"bea"}
    assert presence.enter("g1", "ana", "a3") is True


def test_leaving_where_one_is_not_is_not_leaving_last(presence: Presence) -> None:
    presence.enter("g1", "ana", "a1")
    assert presence.leave("g1", "ana", "a2") is False
    assert presence.leave("g1", "bea", "a1") is False
    assert presence.leave("g2", "ana", "a1") is False
    assert set(presence.viewers("g1")) == {"ana"}


def test_leaving_twice_is_the_last_only_once(presence: Presence) -> None:
    presence.enter("g1", "ana", "a1")
    assert presence.leave("g1", "ana", "a1") is True
    assert presence.leave("g1", "ana", "a1") is False


def test_nobody_views_a_conversation_never_entered(presence: Presence) -> None:
    assert set(presence.viewers("g1")) == set()


def test_a_removed_socket_leaves_every_conversation(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.add("ana", "a2")
    presence.enter("g1", "ana", "a1")
    presence.enter("g2", "ana", "a1")
    presence.enter("g2", "ana", "a2")
    presence.remove("ana", "a1")
    assert set(presence.viewers("g1")) == set()
    assert set(presence.viewers("g2")) == {"ana"}


def test_a_socket_that_was_never_added_leaves_no_ghost(presence: Presence) -> None:
    presence.enter("g1", "ana", "a1")
    assert presence.remove("ana", "a1") is False
    assert set(presence.viewers("g1")) == set()
    assert presence.enter("g1", "ana", "a2") is True


def test_a_socket_that_entered_for_another_user_leaves_no_ghost(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.enter("g1", "bea", "a1")
    presence.enter("g1", "ana", "a1")
    assert presence.remove("ana", "a1") is True
    assert set(presence.viewers("g1")) == set()


def test_a_removed_socket_takes_no_other_socket_along(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.add("bea", "b1")
    presence.enter("g1", "bea", "a1")
    presence.enter("g1", "bea", "b1")
    presence.remove("ana", "a1")
    assert set(presence.viewers("g1")) == {"bea"}
    assert presence.leave("g1", "bea", "b1") is True


def test_an_evicted_user_has_no_socket_left_in_that_conversation(presence: Presence) -> None:
    for socket_id in ("a1", "a2"):
        presence.add("ana", socket_id)
        presence.enter("g1", "ana", socket_id)
        presence.enter("g2", "ana", socket_id)
    presence.enter("g1", "bea", "b1")
    presence.evict("g1", "ana")
    assert set(presence.viewers("g1")) == {"bea"}
    assert set(presence.viewers("g2")) == {"ana"}
    assert presence.leave("g1", "ana", "a1") is False
    assert presence.has_sockets("ana")
    assert presence.enter("g1", "ana", "a1") is True


def test_evicting_somebody_who_is_not_there_is_harmless(presence: Presence) -> None:
    presence.enter("g1", "bea", "b1")
    presence.evict("g1", "ana")
    presence.evict("g2", "ana")
    assert set(presence.viewers("g1")) == {"bea"}


def test_an_evicted_socket_that_is_removed_later_leaves_the_rest(presence: Presence) -> None:
    presence.add("ana", "a1")
    presence.enter("g1", "ana", "a1")
    presence.enter("g2", "ana", "a1")
    presence.evict("g1", "ana")
    assert presence.remove("ana", "a1") is True
    assert set(presence.viewers("g2")) == set()


# ---------------------------------------------------------------- what only this process's memory could get wrong
def test_memory_presence_keeps_nothing_of_users_who_are_gone() -> None:
    presence = MemoryPresence()
    for number in range(3):
        socket_id = f"a{number}"
        presence.add("ana", socket_id)
        presence.enter("g1", "ana", socket_id)
        presence.enter("g2", "bea", socket_id)
        presence.evict("g1", "ana")
        presence.remove("ana", socket_id)
        presence.forget("ana")
    assert not any(vars(presence).values())

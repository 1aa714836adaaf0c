"""Counting in memory who must be told."""

from __future__ import annotations

import pytest

from chatapp.domain.models import InboxEntry
from chatapp.services.audience import Audience
from tests.contracts.builders import at, group


def entry(conversation_id: str, user_id: str, last_read_seq: int = 0) -> InboxEntry:
    return InboxEntry(group(user_id, id=conversation_id), user_id, at(0), last_read_seq, None)


@pytest.fixture
def audience() -> Audience:
    """ana has read 5 of g1 and 1 of g2, bea 3 of g1."""
    audience = Audience()
    audience.admit("ana", [entry("g1", "ana", 5), entry("g2", "ana", 1)])
    audience.admit("bea", [entry("g1", "bea", 3)])
    return audience


def unread(audience: Audience, conversation_id: str, seq: int, *viewers: str) -> dict[str, int]:
    return dict(audience.unread(conversation_id, seq, viewers=viewers))


def test_unread_counts_from_each_members_own_mark(audience: Audience) -> None:
    assert unread(audience, "g1", 6) == {"ana": 1, "bea": 3}
    assert unread(audience, "g2", 6) == {"ana": 5}


def test_who_views_the_room_or_has_read_everything_has_nothing_unread(audience: Audience) -> None:
    assert unread(audience, "g1", 6, "bea") == {"ana": 1}
    assert unread(audience, "g1", 5) == {"bea": 2}


def test_nobody_has_unread_messages_where_nobody_is(audience: Audience) -> None:
    assert unread(audience, "unknown", 9) == {}
    assert audience.members("unknown") == ()


def test_reading_moves_the_mark_and_never_back(audience: Audience) -> None:
    audience.read("g1", "bea", 6)
    audience.read("g1", "bea", 2)
    assert unread(audience, "g1", 7) == {"ana": 2, "bea": 1}


def test_reading_where_one_is_not_counted_changes_nothing(audience: Audience) -> None:
    audience.read("g2", "bea", 6)
    audience.read("unknown", "bea", 6)
    assert audience.members("g2") == ("ana",)
    assert audience.members("unknown") == ()


def test_a_second_admission_never_moves_a_mark_back(audience: Audience) -> None:
    audience.read("g1", "ana", 8)
    audience.admit("ana", [entry("g1", "ana", 5)])
    assert unread(audience, "g1", 9, "bea") == {"ana": 1}


def test_a_new_member_counts_when_online(audience: Audience) -> None:
    audience.add(group("ana", id="g2"), "bea", 4)
    audience.add(group("ana", id="g2"), "carlos", 4)
    assert unread(audience, "g2", 5) == {"ana": 4, "bea": 1}


def test_refreshing_somebody_who_is_not_online_brings_nobody_back(audience: Audience) -> None:
    audience.dismiss("bea")
    audience.refresh("bea", [entry("g1", "bea")])
    assert audience.members("g1") == ("ana",)
    assert audience.present() == ("ana",)


def test_who_is_removed_counts_no_more_and_starts_anew_when_added_again(audience: Audience) -> None:
    audience.remove("g1", "ana")
    audience.remove("g1", "nobody")
    assert unread(audience, "g1", 6) == {"bea": 3}
    audience.add(group("ana", id="g1"), "ana", 2)
    assert unread(audience, "g1", 6) == {"bea": 3, "ana": 4}


def test_who_goes_offline_counts_nowhere(audience: Audience) -> None:
    audience.dismiss("ana")
    assert audience.members("g1") == ("bea",)
    assert audience.members("g2") == ()
    assert audience.present() == ("bea",)


def test_a_closed_conversation_has_no_members(audience: Audience) -> None:
    audience.close("g1")
    audience.close("unknown")
    assert audience.members("g1") == ()
    assert audience.members("g2") == ("ana",)


def test_nothing_is_kept_of_those_who_are_gone(audience: Audience) -> None:
    audience.remove("g1", "ana")
    audience.remove("g1", "never online")
    audience.close("g2")
    audience.add(group("ana", id="g3"), "never online", 1)
    for user_id in ("ana", "bea", "never online"):
        audience.dismiss(user_id)
    with audience.arrival("ana", socket_id="s1"):
        audience.turn_away("s1")
    assert not any(vars(audience).values())


def test_an_answer_is_asked_again_until_nothing_has_overtaken_it(audience: Audience) -> None:
    changes = [lambda: audience.remove("g1", "ana"), lambda: audience.close("g1"), lambda: None]

    def question() -> int:
        changes.pop(0)()
        return len(changes)

    with audience.arrival("ana", conversation_id="g1") as arrival:
        assert arrival.ask(question) == 0


def test_what_happens_elsewhere_overtakes_nobody(audience: Audience) -> None:
    def question() -> None:
        asked.append(1)
        audience.remove("g2", "ana")
        audience.remove("g1", "bea")
        audience.close("g2")
        audience.turn_away("s2")

    asked: list[int] = []
    with audience.arrival("ana", conversation_id="g1", socket_id="s1") as arrival:
        arrival.ask(question)
    assert asked == [1]

"""What the fault matrix measures itself with: a story without fault is acquitted, each planted fault is convicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from chatapp.torture.history import (
    Answer,
    Asked,
    CaughtUp,
    Cut,
    Heard,
    History,
    Membership,
    Seen,
    Send,
    Truth,
)
from tests.e2e.matrix.figures import Fault, catch_up, figures, percentile, screens, shown
from tests.torture.simulation import MEMBERS, ROOM, played

STORY = [
    ("enter", "ana"),
    ("enter", "bea"),
    ("send", "ana"),
    ("repeat", "bea"),
    ("send", "ana"),
    ("cut", "bea"),
    ("send", "ana"),
    ("send", "ana"),
    ("enter", "bea"),
    ("send", "bea"),
    ("send", "ana"),
]
"""Seven messages; bea gets the fourth and the fifth when she is back."""

Told = tuple[History, Truth]


def of(told: Told) -> tuple[int, int, int]:
    found = figures(*told, Fault(0.0, 0.0, frozenset(MEMBERS)))
    return found.lost, found.duplicated, found.reordered


def with_seen(told: Told, user: str, change: Callable[[list[Seen]], list[Seen]]) -> Told:
    history, truth = told
    return replace(history, seen={**history.seen, user: tuple(change(list(history.seen[user])))}), truth


def page(told: Told, change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Told:
    """Change what bea caught up with."""
    return with_seen(
        told,
        "bea",
        lambda seen: [
            replace(entry, seqs=change(entry.seqs)) if isinstance(entry, CaughtUp) and entry.seqs else entry
            for entry in seen
        ],
    )


def heard(seen: list[Seen], seq: int) -> int:
    return next(index for index, entry in enumerate(seen) if isinstance(entry, Heard) and entry.seq == seq)


def without(seen: list[Seen], seq: int) -> list[Seen]:
    index = heard(seen, seq)
    return [*seen[:index], *seen[index + 1 :]]


def twice(seen: list[Seen], seq: int) -> list[Seen]:
    return [*seen, seen[heard(seen, seq)]]


def swapped(seen: list[Seen], seq: int) -> list[Seen]:
    index = heard(seen, seq)
    return [*seen[:index], seen[index + 1], seen[index], *seen[index + 2 :]]


def stored_twice(told: Told) -> Told:
    history, truth = told
    messages = truth.messages[ROOM]
    return history, replace(truth, messages={ROOM: (*messages, replace(messages[0], message_id="m8", seq=8))})


def not_stored(told: Told) -> Told:
    history, truth = told
    return history, replace(truth, messages={ROOM: truth.messages[ROOM][:-1]})


def test_a_story_without_fault_is_acquitted() -> None:
    found = figures(*played(STORY), Fault(0.0, 0.0, frozenset(MEMBERS)))
    assert (found.findings, found.acknowledged) == ((), 7)


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("lost", not_stored),
        ("lost", lambda told: with_seen(told, "ana", lambda seen: without(seen, 2))),
        ("lost", lambda told: with_seen(told, "bea", lambda seen: without(seen, 7))),
        ("lost", lambda told: page(told, lambda seqs: seqs[1:])),
        ("lost", lambda told: page(told, lambda seqs: seqs[:1])),
        ("duplicated", stored_twice),
        ("duplicated", lambda told: with_seen(told, "ana", lambda seen: twice(seen, 3))),
        ("duplicated", lambda told: page(told, lambda seqs: (*seqs, seqs[-1]))),
        ("reordered", lambda told: with_seen(told, "ana", lambda seen: swapped(seen, 4))),
        ("reordered", lambda told: with_seen(told, "bea", lambda seen: swapped(seen, 6))),
        ("reordered", lambda told: page(told, lambda seqs: seqs[::-1])),
    ],
)
def test_a_planted_fault_is_convicted_of_what_it_is(kind: str, plant: Callable[[Told], Told]) -> None:
    found = dict(zip(("lost", "duplicated", "reordered"), of(plant(played(STORY))), strict=True))
    assert found[kind] > 0


# ---------------------------------------------------------------- screens
def message(at: float, seq: int) -> Heard:
    return Heard(at, ROOM, f"m{seq}", seq, "ana", "hola")


def test_what_comes_while_a_client_catches_up_is_shown_after_it() -> None:
    seen = [Asked(1, ROOM), message(2, 4), CaughtUp(3, ROOM, 1, 0, (1, 2, 3, 4)), message(4, 5)]
    assert shown(seen)[ROOM] == [(1, 3), (2, 3), (3, 3), (4, 3), (5, 4)]


def test_what_was_held_when_the_connection_broke_was_not_shown() -> None:
    seen = [Asked(1, ROOM), message(2, 1), Cut(3), Asked(4, ROOM), CaughtUp(5, ROOM, 4, 0, (1,))]
    assert shown(seen)[ROOM] == [(1, 5)]


def test_a_message_filled_in_below_a_later_one_is_out_of_order() -> None:
    seen = {"bea": (Asked(1, ROOM), CaughtUp(2, ROOM, 1, 0, (1,)), message(3, 3), message(4, 2))}
    found = list(screens(History((), (), (Membership("bea", ROOM, 0),), seen)))
    assert [finding.kind for finding in found] == ["reordered"]


# ---------------------------------------------------------------- times
def told(*arrivals: tuple[float, int], acknowledged: dict[int, float]) -> History:
    sends = tuple(
        Send("ana", ROOM, f"k{seq}", "hola", at - 1, (Answer(at, f"m{seq}", seq), Answer(at + 50, f"m{seq}", seq)))
        for seq, at in acknowledged.items()
    )
    seen: dict[str, Any] = {"bea": tuple(message(at, seq) for at, seq in arrivals)}
    return History(sends, (), (Membership("bea", ROOM, 0),), seen)


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        (((11.0, 1), (11.5, 2)), 0.0),  # during the fault
        (((21.5, 1), (21.7, 2)), 1.7),  # after it
        (((11.0, 1), (27.0, 2)), 7.0),
        (((11.0, 1),), inf),
    ],
)
def test_catching_up_takes_until_the_last_message_is_shown(
    arrivals: tuple[tuple[float, int], ...], expected: float
) -> None:
    history = told(*arrivals, acknowledged={1: 10.0, 2: 11.0})
    assert catch_up(history, 20.0) == pytest.approx({"bea": expected})


def test_what_is_acknowledged_after_the_fault_is_late_from_then_on() -> None:
    assert catch_up(told((24.5, 1), acknowledged={1: 24.0}), 20.0) == {"bea": 0.5}


def test_only_those_whom_it_happened_to_are_measured() -> None:
    assert catch_up(told(acknowledged={1: 10.0}), 20.0, {"ana"}) == {}


def test_a_percentile_is_a_time_that_was_measured() -> None:
    times = [4.0, 1.0, 3.0, 2.0]
    assert (percentile(times, 50), percentile(times, 99), percentile([], 50)) == (2.0, 4.0, 0.0)


def test_what_it_heard_before_it_asked_for_more_is_shown_before_the_answer() -> None:
    def hears(seq: int) -> Heard:
        (entry,) = [entry for entry in story if isinstance(entry, Heard) and entry.seq == seq]
        return entry

    story = played([("enter", "ana"), ("send", "ana"), ("send", "ana"), ("send", "ana")])[0].seen["ana"]
    seen = [Asked(0.0, ROOM), hears(1), hears(3), CaughtUp(1.0, ROOM, 0.5, 1, (2,))]
    assert [seq for seq, _ in shown(seen)[ROOM]] == [1, 2, 3]

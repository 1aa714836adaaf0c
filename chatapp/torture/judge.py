"""The verdict: every rule over the whole case. Pure: the same history and truth give the same findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chatapp.torture import rules_people, rules_rooms, rules_stored
from chatapp.torture.case import Case, Finding
from chatapp.torture.history import History, Truth

RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    rules_stored.acknowledged_sends,
    rules_stored.numbering,
    rules_stored.nobody_sent,
    rules_stored.order_of_sends,
    rules_rooms.stays,
    rules_rooms.ghosts,
    rules_rooms.reads,
    rules_rooms.completeness,
    rules_people.outsiders,
    rules_people.outsiders_who_write,
    rules_people.inboxes,
    rules_people.marks,
    rules_people.told_counts,
)


def judge(history: History, truth: Truth) -> tuple[Finding, ...]:
    """Nothing is what a server without fault gets."""
    case = Case(history, truth)
    return tuple(finding for rule in RULES for finding in rule(case))

"""The judge acquits every correct history, and convicts each defect of what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.torture.history import (
    Answer,
    Asked,
    CaughtUp,
    Cut,
    Entered,
    Heard,
    History,
    Left,
    Mark,
    Membership,
    Noticed,
    Seen,
    Send,
    Stored,
    Truth,
    Unread,
)
from chatapp.torture.judge import judge
from tests.torture.simulation import ACTS, MEMBERS, OUTSIDER, ROOM, ROVER, played

Told = tuple[History, Truth]

STORY = [
    *(("enter", user) for user in MEMBERS),
    ("send", "ana"),
    ("rove", ROVER),
    ("enter", ROVER),
    ("repeat", "bea"),
    ("send", ROVER),
    ("leave", "bea"),
    ("send", "ana"),
    ("send", "ana"),
    ("rove", ROVER),
    ("send", "ana"),
    ("send", OUTSIDER),
    ("mark", "bea"),
    ("send", "ana"),
    ("unanswered", "ana"),
    ("enter", "bea"),
    ("send", "ana"),
    ("swallowed", "bea"),
]
"""Something of everything; 9 messages are stored."""


def kinds(told: Told) -> set[str]:
    return {finding.kind for finding in judge(*told)}


# ---------------------------------------------------------------- changing a told story
def with_truth(told: Told, change: Callable[[tuple[Stored, ...]], tuple[Stored, ...]]) -> Told:
    history, truth = told
    return history, replace(truth, messages={ROOM: change(truth.messages[ROOM])})


def with_seen(told: Told, user: str, *more: Seen) -> Told:
    history, truth = told
    return replace(history, seen={**history.seen, user: (*history.seen[user], *more)}), truth


def with_entry(told: Told, user: str, index: int, *instead: Seen) -> Told:
    history, truth = told
    seen = history.seen[user]
    return replace(history, seen={**history.seen, user: (*seen[:index], *instead, *seen[index + 1 :])}), truth


def with_send(told: Told, index: int, **changes: Any) -> Told:
    history, truth = told
    sends = history.sends
    return replace(history, sends=(*sends[:index], replace(sends[index], **changes), *sends[index + 1 :])), truth


def with_inbox(told: Told, user: str, line: Unread | None) -> Told:
    history, truth = told
    return history, replace(truth, inboxes={**truth.inboxes, user: {} if line is None else {ROOM: line}})


def find(told: Told, user: str, kind: type[Any], where: Callable[[Any], bool] = lambda _: True) -> tuple[int, Any]:
    """The last such thing that the user saw, and its place."""
    found = [(i, entry) for i, entry in enumerate(told[0].seen[user]) if isinstance(entry, kind) and where(entry)]
    return found[-1]


# ---------------------------------------------------------------- every defect
def lose_a_stored_message(told: Told) -> Told:
    return with_truth(told, lambda stored: stored[:-1])


def lose_a_number(told: Told) -> Told:
    return with_truth(told, lambda stored: (stored[0], *stored[2:]))


def answer_with_what_is_not_stored(told: Told) -> Told:
    index = next(i for i, send in enumerate(told[0].sends) if len(send.answers) == 1)
    return with_send(told, index, answers=(Answer(told[0].sends[index].began + 0.5, "m99", 99),))


def lose_a_live_message(told: Told) -> Told:
    index, _ = find(told, "ana", Heard)
    return with_entry(told, "ana", index)


def lose_the_first_after_coming_in(told: Told) -> Told:
    index, _ = find(told, "bea", Heard, lambda heard: heard.seq == 9)
    return with_entry(told, "bea", index)


def tell_of_too_few_at_the_door(told: Told) -> Told:
    index, entered = find(told, "bea", Entered)
    few = replace(entered, last_seq=entered.last_seq - 1, last_read_seq=entered.last_read_seq - 1)
    return with_entry(told, "bea", index, few)


def catch_up_with_a_gap(told: Told) -> Told:
    index, page = find(told, "bea", CaughtUp, lambda page: len(page.seqs) > 2)
    return with_entry(told, "bea", index, replace(page, seqs=(page.seqs[0], *page.seqs[2:])))


def never_come_back(told: Told) -> Told:
    return with_seen(told, "ana", Cut(1000))


def store_twice(told: Told) -> Told:
    return with_truth(told, lambda stored: (*stored, replace(stored[0], message_id="m10", seq=10)))


def number_twice(told: Told) -> Told:
    return with_truth(told, lambda stored: (*stored[:-1], replace(stored[-1], seq=8)))


def answer_the_repeat_differently(told: Told) -> Told:
    index = next(i for i, send in enumerate(told[0].sends) if len(send.answers) == 2)
    first, second = told[0].sends[index].answers
    return with_send(told, index, answers=(first, replace(second, message_id="m1", seq=1)))


def hear_twice(told: Told) -> Told:
    index, heard = find(told, "ana", Heard)
    return with_entry(told, "ana", index, heard, heard)


def catch_up_twice(told: Told) -> Told:
    index, page = find(told, "bea", CaughtUp, lambda page: page.seqs)
    return with_entry(told, "bea", index, replace(page, seqs=(*page.seqs, page.seqs[-1])))


def hear_out_of_order(told: Told) -> Told:
    index, last = find(told, "ana", Heard)
    _, before = find(told, "ana", Heard, lambda heard: heard.seq == last.seq - 1)
    swapped = with_entry(told, "ana", index, before)
    index, _ = find(told, "ana", Heard, lambda heard: heard.seq == last.seq - 1)
    return with_entry(swapped, "ana", index, last)


def catch_up_out_of_order(told: Told) -> Told:
    index, page = find(told, "bea", CaughtUp, lambda page: len(page.seqs) > 1)
    return with_entry(told, "bea", index, replace(page, seqs=page.seqs[::-1]))


def tell_the_truth_out_of_order(told: Told) -> Told:
    return with_truth(told, lambda stored: stored[::-1])


def number_against_time(told: Told) -> Told:
    (index,) = [i for i, send in enumerate(told[0].sends) if send.answers and send.answers[0].seq == 9]
    earlier = told[0].sends[index].answers[0]
    return with_send(told, index, answers=(replace(earlier, seq=2),))


def store_what_nobody_sent(told: Told) -> Told:
    return with_truth(told, lambda stored: (*stored, Stored("m10", 10, "ana", "yo no fui", None)))


def store_what_was_refused(told: Told) -> Told:
    send = next(send for send in told[0].sends if send.refused)
    return with_truth(told, lambda stored: (*stored, Stored("m10", 10, send.sender, send.content, send.key)))


def store_another_content(told: Told) -> Told:
    return with_truth(told, lambda stored: (replace(stored[0], content="otra cosa"), *stored[1:]))


def hear_what_is_not_stored(told: Told) -> Told:
    return with_seen(told, "ana", Heard(1000, ROOM, "m77", 10, "bea", "buuh"))


def hear_another_content(told: Told) -> Told:
    index, heard = find(told, "ana", Heard)
    return with_entry(told, "ana", index, replace(heard, content="otra cosa"))


def be_told_of_what_is_not_stored(told: Told) -> Told:
    return with_seen(told, "ana", Noticed(1000, ROOM, "m77", 1))


def miscount_the_inbox(told: Told) -> Told:
    line = told[1].inboxes["bea"][ROOM]
    return with_inbox(told, "bea", replace(line, unread_count=line.unread_count + 1))


def misplace_the_mark(told: Told) -> Told:
    line = told[1].inboxes["bea"][ROOM]
    moved = replace(line, last_read_seq=line.last_read_seq - 1, unread_count=line.unread_count + 1)
    return with_inbox(told, "bea", moved)


def mark_too_much_as_read(told: Told) -> Told:
    line = told[1].inboxes["bea"][ROOM]
    return with_inbox(told, "bea", replace(line, last_read_seq=line.last_seq, unread_count=0))


def know_another_last_seq(told: Told) -> Told:
    line = told[1].inboxes["ana"][ROOM]
    return with_inbox(told, "ana", replace(line, last_seq=line.last_seq + 1, unread_count=line.unread_count + 1))


def hide_the_conversation(told: Told) -> Told:
    return with_inbox(told, "ana", None)


def miscount_at_the_door(told: Told) -> Told:
    index, entered = find(told, "bea", Entered)
    return with_entry(told, "bea", index, replace(entered, unread_count=entered.unread_count + 1))


def notice_too_many(told: Told) -> Told:
    index, notice = find(told, "bea", Noticed)
    return with_entry(told, "bea", index, replace(notice, unread_count=notice.unread_count + 1))


def notice_too_few(told: Told) -> Told:
    index, notice = find(told, "bea", Noticed, lambda notice: notice.unread_count > 1)
    return with_entry(told, "bea", index, replace(notice, unread_count=notice.unread_count - 1))


def notice_to_the_sender(told: Told) -> Told:
    return with_seen(told, "ana", Noticed(1000, ROOM, "m1", 1))


def mark_too_little(told: Told) -> Told:
    history, truth = told
    mark = next(mark for mark in history.marks if mark.seq)
    return replace(history, marks=(replace(mark, seq=(mark.seq or 0) - 1),)), truth


def let_an_outsider_hear(told: Told) -> Told:
    _, heard = find(told, "ana", Heard)
    return with_seen(told, OUTSIDER, heard)


def let_an_outsider_in(told: Told) -> Told:
    return with_seen(told, OUTSIDER, Entered(1000, ROOM, 999, 9, 9, 0))


def notify_an_outsider(told: Told) -> Told:
    return with_seen(told, OUTSIDER, Noticed(1000, ROOM, "m9", 9))


def let_an_outsider_write(told: Told) -> Told:
    index = next(i for i, send in enumerate(told[0].sends) if send.sender == OUTSIDER)
    return with_send(told, index, refused=None, answers=(Answer(1000, "m10", 10),))


def let_the_removed_hear(told: Told) -> Told:
    _, heard = find(told, "ana", Heard, lambda heard: heard.seq == 9)
    return with_seen(told, ROVER, heard)


def show_the_removed_their_inbox(told: Told) -> Told:
    return with_inbox(told, ROVER, Unread(9, 9, 0))


def tell_who_has_closed_the_room(told: Told) -> Told:
    _, heard = find(told, "ana", Heard)
    return with_seen(told, "ana", Left(999, ROOM), replace(heard, at=1000))


DEFECTS: dict[Callable[[Told], Told], str] = {
    lose_a_stored_message: "lost",
    lose_a_number: "lost",
    answer_with_what_is_not_stored: "lost",
    lose_a_live_message: "lost",
    lose_the_first_after_coming_in: "lost",
    tell_of_too_few_at_the_door: "lost",
    catch_up_with_a_gap: "lost",
    never_come_back: "lost",
    store_twice: "duplicated",
    number_twice: "duplicated",
    answer_the_repeat_differently: "duplicated",
    hear_twice: "duplicated",
    catch_up_twice: "duplicated",
    hear_out_of_order: "reordered",
    catch_up_out_of_order: "reordered",
    tell_the_truth_out_of_order: "reordered",
    number_against_time: "reordered",
    store_what_nobody_sent: "ghost",
    store_what_was_refused: "ghost",
    store_another_content: "ghost",
    hear_what_is_not_stored: "ghost",
    hear_another_content: "ghost",
    be_told_of_what_is_not_stored: "ghost",
    miscount_the_inbox: "unread",
    misplace_the_mark: "unread",
    mark_too_much_as_read: "unread",
    know_another_last_seq: "unread",
    hide_the_conversation: "unread",
    miscount_at_the_door: "unread",
    notice_too_many: "unread",
    notice_too_few: "unread",
    notice_to_the_sender: "unread",
    mark_too_little: "unread",
    let_an_outsider_hear: "outsider",
    let_an_outsider_in: "outsider",
    notify_an_outsider: "outsider",
    let_an_outsider_write: "outsider",
    let_the_removed_hear: "outsider",
    show_the_removed_their_inbox: "outsider",
    tell_who_has_closed_the_room: "outsider",
}


def test_the_story_is_acquitted() -> None:
    assert judge(*played(STORY)) == ()
    assert len(played(STORY)[1].messages[ROOM]) == 9


@pytest.mark.parametrize(("plant", "kind"), DEFECTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_defect_of_the_story_is_convicted(plant: Callable[[Told], Told], kind: str) -> None:
    assert kind in kinds(plant(played(STORY)))


# ---------------------------------------------------------------- any story
operations = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from((*MEMBERS, ROVER, OUTSIDER))), max_size=60)


@given(operations)
def test_a_correct_history_is_acquitted(happened: list[tuple[str, str]]) -> None:
    assert judge(*played(happened)) == ()


ANYWHERE = {
    lose_a_stored_message: "lost",
    lose_a_live_message: "lost",
    store_twice: "duplicated",
    hear_twice: "duplicated",
    hear_out_of_order: "reordered",
    store_another_content: "ghost",
    miscount_the_inbox: "unread",
    miscount_at_the_door: "unread",
    let_an_outsider_hear: "outsider",
}
"""Those that go with any story that has what they spoil."""


@pytest.mark.parametrize(("plant", "kind"), ANYWHERE.items(), ids=lambda value: getattr(value, "__name__", value))
@given(before=operations, after=operations)
def test_a_planted_defect_is_convicted_in_any_history(
    plant: Callable[[Told], Told], kind: str, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    middle = [("enter", "ana"), ("leave", "bea"), *(("send", user) for user in ("ana", "bea", "ana", "ana"))]
    end = [("enter", "ana"), ("send", "ana"), ("send", "bea")]
    assert kind in kinds(plant(played([*before, *middle, *after, *end])))


# ---------------------------------------------------------------- what is not known is not held against the server
def test_an_unanswered_mark_may_have_moved_or_not() -> None:
    told = played([("send", "ana"), ("send", "ana"), ("mark unanswered", "bea"), ("send", "ana")])
    for read in (0, 1, 2, 3):
        assert judge(*with_inbox(told, "bea", Unread(3, read, 3 - read))) == ()


def test_a_message_that_began_before_the_removal_may_still_arrive() -> None:
    told = played([("rove", ROVER), ("enter", ROVER), ("send", "ana"), ("rove", ROVER)])
    began = told[0].memberships[-1].ended or 0
    sends = (*told[0].sends, Send("ana", ROOM, "late", "tarde", began - 0.5, (Answer(1000, "m2", 2),)))
    seen = {**told[0].seen}
    for user in (*MEMBERS, ROVER):
        seen[user] = (*seen[user], Heard(1000, ROOM, "m2", 2, "ana", "tarde"))
    stored = (*told[1].messages[ROOM], Stored("m2", 2, "ana", "tarde", "late"))
    inboxes = {user: {ROOM: Unread(2, 2 if user == "ana" else 0, 0 if user == "ana" else 2)} for user in MEMBERS}
    assert judge(replace(told[0], sends=sends, seen=seen), Truth({ROOM: stored}, inboxes)) == ()


def test_a_membership_in_doubt_proves_nothing() -> None:
    member = Membership(ROVER, ROOM, 1, certain=False)
    seen: dict[str, tuple[Seen, ...]] = {ROVER: (Asked(2, ROOM), Heard(3, ROOM, "m1", 1, "ana", "hola"))}
    history = History((Send("ana", ROOM, "k", "hola", 2.5),), (), (Membership("ana", ROOM, 0, 2.7), member), seen)
    truth = Truth({ROOM: (Stored("m1", 1, "ana", "hola", "k"),)}, {ROVER: {ROOM: Unread(1, 0, 1)}})
    assert judge(history, truth) == ()


def test_what_is_heard_before_the_room_has_answered_belongs_to_the_stay() -> None:
    send = Send("bea", ROOM, "k1", "hola", 1, (Answer(2, "m1", 1),))
    later = Send("bea", ROOM, "k2", "hola", 3, (Answer(6, "m2", 2),))
    seen: tuple[Seen, ...] = (
        Asked(4, ROOM),
        Heard(5, ROOM, "m2", 2, "bea", "hola"),
        Entered(6, ROOM, 4, 1, 0, 1),
        CaughtUp(7, ROOM, 4, 0, (1, 2)),
    )
    history = History((send, later), (Mark("ana", ROOM, 8, 9, 2),), (Membership("ana", ROOM, 0),), {"ana": seen})
    stored = (Stored("m1", 1, "bea", "hola", "k1"), Stored("m2", 2, "bea", "hola", "k2"))
    told = history, Truth({ROOM: stored}, {"ana": {ROOM: Unread(2, 2, 0)}})
    assert kinds(told) == {"outsider"}  # bea has no membership in this one
    member = replace(history, memberships=(*history.memberships, Membership("bea", ROOM, 0, 7)))
    assert judge(member, told[1]) == ()

"""What ``ports.EventLog`` promises, and what the other stores write into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import ConversationNotFound, InvalidData
from chatapp.domain.happenings import EventType, conversation_lane, file_uploaded, message_sent
from chatapp.domain.models import Attachment
from chatapp.domain.webhooks import LoggedEvent
from chatapp.ports import Store
from chatapp.protocol.event_bodies import render
from chatapp.services.journal import Journal
from tests.contracts.builders import (
    BAD_CURSORS,
    at,
    draft,
    failure,
    group,
    private,
    save_people,
    say,
    together,
)
from tests.fakes import START, FakeClock

CLOCK = FakeClock()


class _Ids:
    """Of version 7, by the fake clock: the stores read the time in them."""

    def __init__(self) -> None:
        self._number = 0

    def new(self) -> str:
        self._number += 1
        made_at = f"{round(CLOCK.now().timestamp() * 1000):012x}"
        return f"{made_at[:8]}-{made_at[8:]}-7000-8000-{self._number:012x}"


class _Switch:
    def __init__(self) -> None:
        self.monotonic = 0.0


SWITCH = _Switch()
JOURNAL = Journal(render, clock=CLOCK, ids=_Ids(), now=lambda: SWITCH.monotonic, always=False)


@pytest.fixture(autouse=True)
def _on() -> Iterator[None]:
    JOURNAL.hear(is_wanted=True, asked_at=0)
    yield
    JOURNAL.hear(is_wanted=True, asked_at=0)


def all_of(store: Store, limit: int = 500) -> list[LoggedEvent]:
    """By the cursors of its pages, once nothing is kept back any more."""
    CLOCK.advance(60)
    found: list[LoggedEvent] = []
    cursor, more = None, True
    while more:
        page = store.events.page(after=cursor, limit=limit)
        found += page.events
        cursor, more = page.cursor, page.more
    return found


def told(events: list[LoggedEvent]) -> list[tuple[str, Any]]:
    return [(event.type.value, json.loads(event.body)["data"]) for event in events]


def lane(store: Store, conversation_id: str = "g1") -> list[LoggedEvent]:
    return store.events.in_lane(conversation_lane(conversation_id), after="", limit=100)


def prepared(store: Store) -> Store:
    """People and a group, of which nothing is told."""
    JOURNAL.hear(is_wanted=False, asked_at=10**9)
    save_people(store)
    store.conversations.create_group(group("ana", "bea"))
    JOURNAL.hear(is_wanted=True, asked_at=0)
    return store


# ---------------------------------------------------------------- what is written
def test_nothing_is_written_while_nobody_wants_to_know(store: Store) -> None:
    prepared(store)
    JOURNAL.hear(is_wanted=False, asked_at=10**9)
    say(store, "unheard")
    assert store.events.append(file_uploaded(Attachment("/api/files/a.png"), "ana")) is None
    assert all_of(store) == []


def test_who_has_not_heard_lately_whether_somebody_wants_to_know_writes(store: Store) -> None:
    prepared(store)
    JOURNAL.hear(is_wanted=False, asked_at=0)
    SWITCH.monotonic = 1.9
    say(store, "unheard")
    SWITCH.monotonic = 2.0
    say(store, "heard")
    SWITCH.monotonic = 0.0
    assert [data["content"] for _, data in told(lane(store))] == ["heard"]


def test_a_message_is_told_as_it_was_stored(store: Store) -> None:
    prepared(store)
    message = say(store, "hola 🎸")
    (event,) = lane(store)
    assert json.loads(event.body) == json.loads(render(message_sent(message), event.at))
    assert (event.type, event.lane) == (EventType.MESSAGE_SENT, "conversation:g1")
    assert json.loads(event.body)["timestamp"].endswith("Z")


def test_what_comes_along_is_told_before_its_message(store: Store) -> None:
    prepared(store)
    said = draft("a file", file=Attachment("/api/files/a.png", "a.png", 3, "image/png"))
    assert said.attachment is not None
    along = [file_uploaded(said.attachment, "ana", said)]
    store.messages.append(said, fingerprint="f", along=along)
    assert [kind for kind, _ in told(lane(store))] == ["file.uploaded", "message.sent"]


def test_a_repeated_send_is_told_once(store: Store) -> None:
    prepared(store)
    for _ in range(3):
        say(store, "once", key="k")
    assert len(lane(store)) == 1


def test_a_refused_write_is_not_told(store: Store) -> None:
    prepared(store)
    failure(lambda: say(store, "not mine", by="carlos"))
    failure(lambda: say(store, "nowhere", to="g9"))
    failure(lambda: store.conversations.mark_read("g1", "carlos", now=at(1)))
    assert all_of(store) == []


def test_all_that_happens_in_a_conversation_is_told_in_its_order(store: Store) -> None:
    JOURNAL.hear(is_wanted=False, asked_at=10**9)
    save_people(store)
    JOURNAL.hear(is_wanted=True, asked_at=0)
    store.conversations.create_group(group("ana", "bea"))
    first = say(store, "one")
    store.messages.edit(first.id, content="uno", preview="uno", now=at(1))
    store.conversations.mark_read("g1", "bea", now=at(2))
    store.conversations.mark_read("g1", "bea", now=at(3))  # moves nothing
    store.conversations.add_participants("g1", ["carlos", "bea"], by="ana", now=at(4))
    store.conversations.add_participants("g1", ["bea"], by="ana", now=at(4))  # changes nothing
    store.conversations.remove_participant("g1", "bea", by="ana", now=at(5))
    store.messages.delete(first.id)
    store.messages.delete(first.id)  # again
    found = told(lane(store))
    assert [kind for kind, _ in found] == [
        "conversation.created",
        "message.sent",
        "message.edited",
        "message.read",
        "conversation.participants_changed",
        "conversation.participants_changed",
        "message.deleted",
    ]
    created, sent, edited, read, added, removed, deleted = [data for _, data in found]
    assert created["participants"] == ["ana", "bea"]
    assert (sent["content"], edited["content"], edited["isEdited"]) == ("one", "uno", True)
    assert read == {
        "conversationId": "g1",
        "userId": "bea",
        "timestamp": "2025-01-27T10:00:02.000Z",
        "lastReadSeq": 1,
    }
    assert (added["action"], added["affectedUsers"], added["updatedBy"]) == ("add", ["carlos"], "ana")
    assert added["participants"] == ["ana", "bea", "carlos"]
    assert (removed["action"], removed["affectedUsers"]) == ("remove", ["bea"])
    assert (removed["participants"], removed["participantCount"]) == (["ana", "carlos"], 2)
    assert deleted == {"messageId": first.id, "conversationId": "g1", "seq": 1}


def test_who_takes_the_group_along_is_told_too(store: Store) -> None:
    prepared(store)
    for user_id in ("bea", "ana"):
        store.conversations.remove_participant("g1", user_id, by=user_id, now=at(1))
    assert [data["participants"] for _, data in told(lane(store))] == [["ana"], []]
    with pytest.raises(ConversationNotFound):
        store.conversations.entry("g1", "ana")


def test_a_private_conversation_is_told_once(store: Store) -> None:
    prepared(store)
    together([lambda n=n: store.conversations.open_private(private("ana", "bea", id=f"p{n}")) for n in range(5)])
    made = [event for event in all_of(store) if event.type is EventType.CONVERSATION_CREATED]
    assert len(made) == 1


def test_a_user_is_told_when_made_and_when_made_again(store: Store) -> None:
    for name in ("Ana", "Ana B."):
        store.users.save(SaveUser(id="ana", name=name, email="ana@example.com"), user_id="ana", now=START)
    store.users.delete("ana")
    store.arrive(SaveUser(id="ana", name="Ana C.", email="ana@example.com"), user_id="ana", now=START)
    found = store.events.in_lane("user:ana", after="", limit=10)
    assert [(kind, data["name"]) for kind, data in told(found)] == [("user.created", "Ana"), ("user.created", "Ana C.")]


def test_what_no_store_writes_is_appended(store: Store) -> None:
    happening = file_uploaded(Attachment("/api/files/a.png", "a.png", 3, "image/png"), "ana")
    lanes = [store.events.append(happening) for _ in range(2)]
    for each in lanes:
        assert each is not None
        assert each.startswith("file:/api/files/a.png")
        assert store.events.in_lane(each, after="", limit=10)
    assert [kind for kind, _ in told(all_of(store))] == ["file.uploaded"] * 2


def test_many_sends_at_once_are_told_in_the_order_of_their_numbers(store: Store) -> None:
    prepared(store)
    together([lambda n=n: say(store, f"m{n}", by=("ana", "bea")[n % 2]) for n in range(60)])
    assert [data["seq"] for _, data in told(lane(store))] == list(range(1, 61))


def test_many_marks_at_once_are_told(store: Store) -> None:
    JOURNAL.hear(is_wanted=False, asked_at=10**9)
    save_people(store)
    readers = [f"u{n}" for n in range(40)]
    store.conversations.create_group(group("ana", *readers))
    say(store, "read me")
    JOURNAL.hear(is_wanted=True, asked_at=0)
    together([lambda user=user: store.conversations.mark_read("g1", user, now=at(1)) for user in readers])
    assert sorted(data["userId"] for _, data in told(lane(store))) == sorted(readers)


# ---------------------------------------------------------------- reading
def test_pages_have_every_event_once(store: Store) -> None:
    prepared(store)
    for number in range(23):
        say(store, str(number))
        CLOCK.advance(0.001)
    found = all_of(store, limit=5)
    assert [data["content"] for _, data in told(found)] == [str(number) for number in range(23)]
    assert len({event.id for event in found}) == 23


def test_a_cursor_goes_on_where_the_log_ended(store: Store) -> None:
    prepared(store)
    say(store, "before")
    CLOCK.advance(60)
    page = store.events.page(after=None, limit=10)
    again = store.events.page(after=page.cursor, limit=10)
    assert (again.events, again.cursor, again.more) == ((), page.cursor, False)
    end = store.events.end()
    CLOCK.advance(1)
    say(store, "after")
    CLOCK.advance(60)
    for cursor in (page.cursor, end):
        assert [data["content"] for _, data in told(list(store.events.page(after=cursor, limit=10).events))] == [
            "after"
        ]


@pytest.mark.parametrize("cursor", [cursor for cursor in BAD_CURSORS if cursor != "Wzdd"])  # a good one of SQLite's
def test_a_cursor_that_it_did_not_make_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidData):
        store.events.page(after=cursor, limit=10)


def test_a_lane_is_read_on_from_any_of_its_events(store: Store) -> None:
    prepared(store)
    for number in range(12):
        say(store, str(number))
    events = lane(store)
    assert store.events.in_lane("conversation:g1", after=events[3].position, limit=5) == events[4:9]
    assert store.events.in_lane("conversation:g1", after=events[-1].position, limit=5) == []
    assert store.events.in_lane("conversation:g9", after="", limit=5) == []


def test_events_are_found_by_id_and_by_time(store: Store) -> None:
    prepared(store)
    for number in range(4):
        say(store, str(number))
        CLOCK.advance(10)
    events = lane(store)
    wanted = [events[2].id, events[0].id, "evt_nobody", "", "evt_" + "0" * 32]
    assert store.events.find(wanted) == [events[0], events[2]]
    assert store.events.between(events[1].at, events[2].at, limit=10) == events[1:3]
    assert store.events.between(events[0].at, events[3].at, limit=2) == events[:2]


def test_events_are_told_again_as_they_were(store: Store) -> None:
    prepared(store)
    for number in range(3):
        say(store, str(number))
    events = lane(store)
    last = store.events.copy_to_lane("replay:r1", events[1:])
    again = store.events.in_lane("replay:r1", after="", limit=10)
    assert [(event.id, event.body) for event in again] == [(event.id, event.body) for event in events[1:]]
    assert again[-1].position == last
    assert store.events.in_lane("replay:r1", after=again[0].position, limit=10) == again[1:]
    assert [event.id for event in all_of(store)] == [event.id for event in events]


def test_a_body_stays_whatever_becomes_of_the_message(store: Store) -> None:
    prepared(store)
    message = say(store, "secret")
    body = lane(store)[0].body
    store.messages.delete(message.id)
    store.messages.purge(limit=100)
    store.conversations.delete("g1")
    assert lane(store)[0].body == body


def test_old_events_are_forgotten(store: Store) -> None:
    prepared(store)
    for number in range(5):
        say(store, str(number))
        CLOCK.advance(10)
    events = lane(store)
    assert store.events.forget(until=events[3].at, limit=2) == 2
    assert store.events.forget(until=events[3].at, limit=2) == 1
    assert store.events.forget(until=events[3].at, limit=2) == 0
    assert lane(store) == events[3:]
    assert all_of(store) == events[3:]

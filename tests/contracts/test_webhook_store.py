"""What ``ports.WebhookStore`` promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chatapp.domain.errors import InvalidData
from chatapp.domain.happenings import EventType, file_uploaded
from chatapp.domain.models import Attachment
from chatapp.domain.webhooks import (
    Backlog,
    Claim,
    Delivery,
    DisabledReason,
    Endpoint,
    Lane,
    Outcome,
    SigningKeys,
)
from chatapp.ports import Store
from chatapp.protocol.event_bodies import render
from chatapp.services.journal import Journal
from tests.contracts.builders import BAD_CURSORS, at, group, save_people, say, together
from tests.fakes import START, FakeClock, SequentialIds

CLOCK = FakeClock()
JOURNAL = Journal(render, clock=CLOCK, ids=SequentialIds(), now=lambda: 0.0, always=True)
IDS = SequentialIds()
LANE = "conversation:g1"


def made(url: str = "https://example.com/hook", *, seconds: float = 0) -> Endpoint:
    keys = SigningKeys("whsec_c2VjcmV0", "whsk_cHJpdmF0ZQ==", "whpk_cHVibGlj")
    return Endpoint(IDS.new(), url, "for tests", (EventType.MESSAGE_SENT,), (keys,), at(seconds), at(seconds))


def added(store: Store, *, seconds: float = 0) -> Endpoint:
    return store.webhooks.add(made(seconds=seconds))


def conversation(store: Store) -> None:
    save_people(store)
    store.conversations.create_group(group("ana", "bea"))
    CLOCK.advance(1)


def claim(store: Store, endpoint: Endpoint, *, owner: str = "one", now: datetime = START, name: str = LANE) -> Lane:
    lane = store.webhooks.claim(endpoint, name, owner=owner, now=now, until=now + timedelta(seconds=6))
    assert isinstance(lane, Lane)
    return lane


def tried(endpoint: Endpoint, number: int, *, seconds: float = 0) -> Delivery:
    return Delivery(
        id=f"{number:04}",
        endpoint_id=endpoint.id,
        event_id=f"evt_{number}",
        event_type=EventType.MESSAGE_SENT,
        lane=LANE,
        attempt=1,
        at=at(seconds),
        outcome=Outcome.FAILED,
        status=500,
        error=None,
        duration_ms=12,
        next_attempt_at=at(seconds + 5),
    )


# ---------------------------------------------------------------- endpoints
def test_an_endpoint_comes_back_as_it_went_in(store: Store) -> None:
    endpoint = added(store)
    assert store.webhooks.get(endpoint.id) == endpoint
    assert replace(endpoint, since="") == replace(made(), id=endpoint.id, since="")
    assert store.webhooks.get("nobody") is None


def test_all_are_listed_in_the_order_they_were_made(store: Store) -> None:
    assert store.webhooks.list_all() == []
    endpoints = [added(store, seconds=number) for number in range(3)]
    assert store.webhooks.list_all() == endpoints


def test_the_version_changes_with_every_endpoint(store: Store) -> None:
    versions = [store.webhooks.version()]
    endpoint = added(store)
    versions.append(store.webhooks.version())
    store.webhooks.change(endpoint.id, lambda stored: replace(stored, url="https://example.com/other"))
    versions.append(store.webhooks.version())
    store.webhooks.remove(endpoint.id)
    versions.append(store.webhooks.version())
    assert len(set(versions)) == 4
    store.webhooks.change("nobody", lambda stored: stored)
    store.webhooks.note_success("nobody", at=at(1))
    assert store.webhooks.version() == versions[-1]


def test_a_change_changes_what_is_stored(store: Store) -> None:
    endpoint = added(store)
    changed = store.webhooks.change(endpoint.id, lambda stored: replace(stored, disabled=DisabledReason.GONE))
    assert changed == replace(endpoint, disabled=DisabledReason.GONE)
    assert store.webhooks.get(endpoint.id) == changed
    assert store.webhooks.change("nobody", lambda stored: stored) is None


def test_changes_at_once_are_all_made(store: Store) -> None:
    endpoint = added(store)

    def append(letter: str) -> Endpoint | None:
        return store.webhooks.change(
            endpoint.id, lambda stored: replace(stored, description=stored.description + letter)
        )

    together([lambda letter=letter: append(letter) for letter in "abcdef"])
    stored = store.webhooks.get(endpoint.id)
    assert stored is not None
    assert sorted(stored.description.removeprefix("for tests")) == list("abcdef")


def test_a_success_is_noted_beside_what_else_changes(store: Store) -> None:
    endpoint = added(store)
    version = store.webhooks.version()
    store.webhooks.note_success(endpoint.id, at=at(5))
    assert store.webhooks.get(endpoint.id) == replace(endpoint, last_success_at=at(5))
    assert store.webhooks.version() == version


def test_how_far_the_log_was_looked_through_is_kept(store: Store) -> None:
    endpoint = added(store)
    assert store.webhooks.swept(endpoint.id) is None
    store.webhooks.set_swept(endpoint.id, "here")
    assert store.webhooks.swept(endpoint.id) == "here"
    assert store.webhooks.get(endpoint.id) == endpoint


def test_a_removed_endpoint_is_gone_with_all_that_was_its(store: Store) -> None:
    conversation(store)
    endpoint, other = added(store), added(store)
    for each in (endpoint, other):
        store.webhooks.settle(claim(store, each), owner="one", until=None, delivery=tried(each, 1))
    assert store.webhooks.remove(endpoint.id) is True
    assert store.webhooks.remove(endpoint.id) is False
    assert store.webhooks.list_all() == [other]
    assert store.webhooks.backlog(endpoint.id) == Backlog(0, None)
    assert store.webhooks.deliveries(endpoint.id, limit=10).items == []
    assert store.webhooks.backlog(other.id).lanes == 1
    assert len(store.webhooks.deliveries(other.id, limit=10).items) == 1


# ---------------------------------------------------------------- lanes
def test_a_lane_begins_after_what_was_there_before_its_endpoint(store: Store) -> None:
    conversation(store)
    say(store, "before")
    CLOCK.advance(1)
    endpoint = added(store)
    CLOCK.advance(1)
    new = say(store, "after")
    lane = claim(store, endpoint)
    (event,) = store.events.in_lane(LANE, after=lane.position, limit=10)
    assert new.id in event.body


def test_a_lane_shows_how_far_it_is_without_being_claimed(store: Store) -> None:
    conversation(store)
    say(store, "before")
    CLOCK.advance(1)
    endpoint = added(store)
    shown = store.webhooks.lane(endpoint, LANE)
    assert (shown.endpoint_id, shown.name, shown.attempts, shown.due_at) == (endpoint.id, LANE, 0, None)
    assert claim(store, endpoint, now=at(3)) == replace(shown, due_at=at(3))
    assert store.webhooks.lane(endpoint, LANE) == replace(shown, due_at=at(3))


def test_a_lane_of_events_that_are_told_again_begins_at_its_beginning(store: Store) -> None:
    conversation(store)
    say(store, "before")
    endpoint = added(store)
    events = store.events.in_lane(LANE, after="", limit=10)
    store.events.copy_to_lane("replay:1", events)
    lane = claim(store, endpoint, name="replay:1")
    assert len(store.events.in_lane("replay:1", after=lane.position, limit=10)) == len(events) == 2


def test_a_lane_has_one_owner_until_the_lease_is_over(store: Store) -> None:
    endpoint = added(store)
    lane = claim(store, endpoint, owner="one", now=at(0))
    assert claim(store, endpoint, owner="one", now=at(1)) == lane
    taken = store.webhooks.claim(endpoint, LANE, owner="two", now=at(6.9), until=at(20))
    assert taken is Claim.BUSY
    assert claim(store, endpoint, owner="two", now=at(7)) == lane
    assert store.webhooks.extend(lane, owner="one", until=at(99)) is False
    assert store.webhooks.settle(lane, owner="one", until=None, delivery=tried(endpoint, 1)) is False
    assert store.webhooks.rest(lane, owner="one") is False
    assert store.webhooks.deliveries(endpoint.id, limit=10).items == []
    assert store.webhooks.claim(endpoint, LANE, owner="one", now=at(8), until=at(20)) is Claim.BUSY


def test_of_many_who_claim_a_lane_one_gets_it(store: Store) -> None:
    endpoint = added(store)
    claims = together(
        [
            lambda owner=owner: store.webhooks.claim(endpoint, LANE, owner=owner, now=at(0), until=at(6))
            for owner in "abcdefgh"
        ]
    )
    assert sorted(isinstance(each, Lane) for each in claims) == [False] * 7 + [True]


def test_a_lease_that_is_extended_goes_on(store: Store) -> None:
    endpoint = added(store)
    lane = claim(store, endpoint, now=at(0))
    assert store.webhooks.extend(lane, owner="one", until=at(20)) is True
    assert store.webhooks.claim(endpoint, LANE, owner="two", now=at(19), until=at(30)) is Claim.BUSY


def test_a_parked_lane_is_not_given_before_its_time(store: Store) -> None:
    endpoint = added(store)
    lane = replace(claim(store, endpoint), attempts=3, due_at=at(300), failing_since=at(0))
    assert store.webhooks.settle(lane, owner="one", until=None, delivery=tried(endpoint, 1)) is True
    assert store.webhooks.claim(endpoint, LANE, owner="two", now=at(299), until=at(310)) is Claim.PARKED
    assert claim(store, endpoint, owner="two", now=at(300)) == lane


def test_what_is_settled_is_remembered_with_its_try(store: Store) -> None:
    conversation(store)
    endpoint = added(store)
    CLOCK.advance(1)
    say(store, "one")
    (event,) = store.events.in_lane(LANE, after=claim(store, endpoint).position, limit=10)
    lane = replace(claim(store, endpoint), position=event.position)
    assert store.webhooks.settle(lane, owner="one", until=at(6), delivery=tried(endpoint, 1)) is True
    assert store.webhooks.claim(endpoint, LANE, owner="two", now=at(5), until=at(9)) is Claim.BUSY
    assert claim(store, endpoint, owner="two", now=at(6)).position == event.position
    assert list(store.webhooks.deliveries(endpoint.id, limit=10).items) == [tried(endpoint, 1)]


def test_a_lane_rests_only_when_nothing_is_left(store: Store) -> None:
    conversation(store)
    endpoint = added(store)
    CLOCK.advance(1)
    say(store, "one")
    lane = claim(store, endpoint)
    (event,) = store.events.in_lane(LANE, after=lane.position, limit=10)
    assert store.webhooks.rest(lane, owner="one") is False
    assert store.webhooks.claim(endpoint, LANE, owner="two", now=at(1), until=at(9)) is Claim.BUSY
    assert store.webhooks.rest(replace(lane, position=event.position), owner="one") is True
    assert store.webhooks.due(endpoint.id, by=at(1000), limit=10) == []
    assert claim(store, endpoint, owner="two", now=at(1)).position == event.position


# ---------------------------------------------------------------- what is due
def test_a_lane_that_is_claimed_is_found_when_its_owner_has_died(store: Store) -> None:
    endpoint = added(store)
    claim(store, endpoint, now=at(0))
    assert store.webhooks.due(endpoint.id, by=at(5), limit=10) == []
    assert store.webhooks.due(endpoint.id, by=at(6), limit=10) == [(LANE, at(6))]


def test_due_lanes_come_by_their_time(store: Store) -> None:
    endpoint, other = added(store), added(store)
    claim(store, other)
    for seconds in (30, 10, 20):
        name = f"conversation:g{seconds}"
        lane = replace(claim(store, endpoint, name=name), due_at=at(seconds))
        store.webhooks.settle(lane, owner="one", until=None, delivery=None)
    assert store.webhooks.due(endpoint.id, by=at(20), limit=10) == [
        ("conversation:g10", at(10)),
        ("conversation:g20", at(20)),
    ]
    assert store.webhooks.due(endpoint.id, by=at(99), limit=1) == [("conversation:g10", at(10))]
    assert store.webhooks.backlog(endpoint.id) == Backlog(3, at(10))


def test_a_lane_is_made_due_unless_it_is_past_the_event(store: Store) -> None:
    conversation(store)
    endpoint = added(store)
    CLOCK.advance(1)
    say(store, "one")
    lane = claim(store, endpoint, now=at(0))
    (event,) = store.events.in_lane(LANE, after=lane.position, limit=10)
    store.webhooks.settle(replace(lane, due_at=at(50)), owner="one", until=None, delivery=None)
    store.webhooks.make_due(endpoint, LANE, position=event.position, now=at(2))
    assert store.webhooks.due(endpoint.id, by=at(60), limit=10) == [(LANE, at(50))]
    claimed = claim(store, endpoint, now=at(50))
    store.webhooks.rest(replace(claimed, position=event.position), owner="one")
    store.webhooks.make_due(endpoint, LANE, position=event.position, now=at(60))
    assert store.webhooks.due(endpoint.id, by=at(70), limit=10) == []
    say(store, "two")
    later = store.events.in_lane(LANE, after=event.position, limit=10)[0]
    store.webhooks.make_due(endpoint, LANE, position=later.position, now=at(61))
    store.webhooks.make_due(endpoint, LANE, position=later.position, now=at(62))
    assert store.webhooks.due(endpoint.id, by=at(70), limit=10) == [(LANE, at(61))]


def test_a_lane_that_nobody_has_had_is_made_due(store: Store) -> None:
    endpoint = added(store)
    happening = file_uploaded(Attachment("/api/files/a.png"), "ana")
    CLOCK.advance(1)
    name = store.events.append(happening)
    assert name is not None
    (event,) = store.events.in_lane(name, after="", limit=10)
    store.webhooks.make_due(endpoint, name, position=event.position, now=at(1))
    assert store.webhooks.due(endpoint.id, by=at(1), limit=10) == [(name, at(1))]


def test_the_backlog_is_as_old_as_what_has_failed_for_longest(store: Store) -> None:
    endpoint = added(store)
    lane = replace(claim(store, endpoint), due_at=at(500), failing_since=at(3), attempts=2)
    store.webhooks.settle(lane, owner="one", until=None, delivery=None)
    assert store.webhooks.backlog(endpoint.id) == Backlog(1, at(3))


# ---------------------------------------------------------------- tries
def test_tries_are_listed_newest_first_page_by_page(store: Store) -> None:
    endpoint = added(store)
    for number in range(5):
        store.webhooks.add_delivery(tried(endpoint, number, seconds=number))
    first = store.webhooks.deliveries(endpoint.id, limit=3)
    second = store.webhooks.deliveries(endpoint.id, limit=3, cursor=first.next_cursor)
    assert [delivery.id for delivery in (*first.items, *second.items)] == ["0004", "0003", "0002", "0001", "0000"]
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "!!!", "bm90aGluZw==", BAD_CURSORS[3]])
def test_a_cursor_of_tries_that_it_did_not_make_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidData):
        store.webhooks.deliveries("any", limit=3, cursor=cursor)


def test_old_tries_are_forgotten(store: Store) -> None:
    endpoint = added(store)
    for number in range(5):
        store.webhooks.add_delivery(tried(endpoint, number, seconds=number))
    store.webhooks.forget_deliveries(until=at(3))
    left = store.webhooks.deliveries(endpoint.id, limit=10).items
    assert [delivery.id for delivery in left] == ["0004", "0003"]

"""When and in which order an endpoint is told what happens, with hours passing in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from chatapp.domain.commands import ChangeWebhook, ListPage, ReplayEvents
from chatapp.domain.happenings import EventType
from chatapp.domain.models import OPERATOR
from chatapp.domain.webhooks import DisabledReason, Endpoint, LoggedEvent, Outcome
from chatapp.services.webhook_retries import PAUSES
from tests.services.conftest import store_down
from tests.services.webhook_world import DOWN, OK, Hooks, answers, over_sqlite, peopled

HOUR = 3600.0


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    hooks = peopled(Hooks(over_sqlite(tmp_path / "chat.db")), "g1", "g2")
    yield hooks
    hooks.close()


def contents(events: list[LoggedEvent]) -> list[str]:
    return [json.loads(event.body)["data"]["content"] for event in events if event.type is EventType.MESSAGE_SENT]


def in_group(event: LoggedEvent, id_: str) -> bool:
    return event.lane == f"conversation:{id_}"


def tries(hooks: Hooks, endpoint: Endpoint) -> list[tuple[int, Outcome]]:
    page = hooks.service.deliveries(endpoint.id, ListPage(limit=100), actor=OPERATOR)
    return [(delivery.attempt, delivery.outcome) for delivery in reversed(page.items)]


def stored(hooks: Hooks, endpoint: Endpoint) -> Endpoint:
    return hooks.service.get(endpoint.id, actor=OPERATOR)


# ---------------------------------------------------------------- in the usual run of things
def test_what_is_sent_is_told_at_once_and_once(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    for number in range(5):
        hooks.say(str(number))
    hooks.pass_time()
    assert contents(hooks.told()) == ["0", "1", "2", "3", "4"]
    hooks.pass_time(HOUR)
    assert len(hooks.told()) == 5
    assert tries(hooks, endpoint) == [(1, Outcome.DELIVERED)] * 5
    assert stored(hooks, endpoint).last_success_at is not None


def test_what_was_before_the_endpoint_is_not_told(hooks: Hooks) -> None:
    hooks.subscribe("https://example.com/one")
    hooks.say("before")
    hooks.pass_time()
    hooks.subscribe("https://example.com/two")
    hooks.say("after")
    hooks.pass_time(HOUR)
    told = {url: [] for _, url, _ in hooks.other_side.posts}
    for _, url, event in hooks.other_side.posts:
        told[url] += contents([event])
    assert told == {"https://example.com/one": ["before", "after"], "https://example.com/two": ["after"]}


def test_an_endpoint_is_told_what_it_asked_for(hooks: Hooks) -> None:
    hooks.subscribe(event_types=(EventType.MESSAGE_EDITED, EventType.MESSAGE_READ))
    message = hooks.say("hello")
    hooks.store.messages.edit(message.id, content="changed", preview="changed", now=hooks.clock.now())
    hooks.store.conversations.mark_read("g1", "bea", now=hooks.clock.now())
    hooks.say("more")
    hooks.pass_time(HOUR)
    assert [event.type.value for event in hooks.told()] == ["message.edited", "message.read"]


def test_who_is_woken_for_nothing_writes_nothing(hooks: Hooks) -> None:
    endpoint = hooks.subscribe(event_types=(EventType.USER_CREATED,))
    for number in range(5):
        hooks.say(str(number))
    with store_down(hooks.store.webhooks, "claim", "settle", "rest"):
        hooks.pass_time(0.5)
    assert hooks.store.webhooks.lane(endpoint, "conversation:g1").due_at is None
    assert hooks.told() == []


def test_what_is_asked_for_later_comes_from_then_on_or_from_where_it_is(hooks: Hooks) -> None:
    endpoint = hooks.subscribe(event_types=(EventType.MESSAGE_EDITED,))
    for number in range(30):  # more than are looked at together
        hooks.say(str(number))
        hooks.pass_time(1)
    command = ChangeWebhook(webhook_id=endpoint.id, event_types=(EventType.MESSAGE_SENT,))
    hooks.service.change(command, actor=OPERATOR)
    hooks.say("now")
    hooks.pass_time(60)
    told = contents(hooks.told())
    assert told[-1] == "now"
    assert told == [*(str(number) for number in range(30 - len(told) + 1, 30)), "now"]


def test_many_lanes_and_long_lanes_all_come_to_their_end(hooks: Hooks) -> None:
    hooks.subscribe()
    for number in range(250):
        hooks.say(str(number))
        hooks.say(str(number), to="g2")
    hooks.pass_time(5)
    for id_ in ("g1", "g2"):
        assert contents([event for event in hooks.told() if in_group(event, id_)]) == [str(n) for n in range(250)]


# ---------------------------------------------------------------- failures
def test_the_pauses_between_tries_are_the_documented_ones(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(500)
    hooks.say("hello")
    hooks.pass_time(100 * HOUR)
    times = [at for at, _, _ in hooks.other_side.posts]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == list(PAUSES[1:])
    assert [pause.total_seconds() for pause in pauses] == [
        5, 5 * 60, 30 * 60, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
    ]  # fmt: skip


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_pauses_vary_by_a_tenth(hooks: Hooks, chance: float) -> None:
    hooks.delivery._chance = lambda: chance
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(500)
    hooks.say("hello")
    hooks.pass_time(400)
    (first, _, _), (second, _, _), (third, _, _) = hooks.other_side.posts
    assert (second - first).total_seconds() == pytest.approx(5 * (0.9 + 0.2 * chance))
    assert (third - second).total_seconds() == pytest.approx(300 * (0.9 + 0.2 * chance))


def test_a_lane_that_fails_parks_only_itself(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda event: answers(500) if in_group(event, "g1") else OK
    for number in range(3):
        hooks.say(f"one {number}")
        hooks.say(f"two {number}", to="g2")
        hooks.pass_time(2)
    assert contents([event for event in hooks.told() if in_group(event, "g2")]) == ["two 0", "two 1", "two 2"]
    assert set(contents([event for event in hooks.told() if in_group(event, "g1")])) == {"one 0"}


def test_an_endpoint_that_fails_does_not_keep_another_waiting(hooks: Hooks) -> None:
    hooks.subscribe("https://example.com/bad")
    hooks.subscribe("https://example.com/good")
    post = hooks.other_side.post

    def only_good(endpoint: Endpoint, event: LoggedEvent, **when: object) -> object:
        answer = post(endpoint, event, **when)  # type: ignore[arg-type]
        return DOWN if endpoint.url.endswith("bad") else answer

    hooks.other_side.post = only_good  # type: ignore[method-assign,assignment]
    hooks.say("hello")
    hooks.say("again")
    hooks.pass_time()
    good = [event for _, url, event in hooks.other_side.posts if url.endswith("good")]
    assert contents(good) == ["hello", "again"]


def test_an_endpoint_that_was_down_for_six_hours_is_told_everything_in_order(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.other_side.answer = lambda _event: DOWN
    for minute in range(360):
        hooks.say(f"one {minute}")
        hooks.say(f"two {minute}", to="g2")
        hooks.pass_time(60)
    failed = len(hooks.told())
    assert failed <= 2 * 6
    assert hooks.service.backlog(endpoint).lanes == 2
    assert hooks.service.backlog(endpoint).oldest_at is not None
    hooks.other_side.answer = lambda _event: OK
    hooks.pass_time(3 * HOUR)
    told = hooks.told()[failed:]
    for id_, word in (("g1", "one"), ("g2", "two")):
        expected = [f"{word} {minute}" for minute in range(360)]
        assert contents([event for event in told if in_group(event, id_)]) == expected
    assert hooks.service.backlog(endpoint).lanes == 0


def test_every_try_of_an_event_has_one_id_and_the_same_body(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(503)
    message = hooks.say("hello")
    hooks.pass_time(60)
    hooks.store.messages.delete(message.id)
    hooks.pass_time(HOUR)
    tried = [event for event in hooks.told() if event.type is EventType.MESSAGE_SENT]
    assert len(tried) == 4
    assert len({(event.id, event.body) for event in tried}) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_whatever_is_no_success_is_a_failure(hooks: Hooks, status: int) -> None:
    endpoint = hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(status)
    hooks.say("hello")
    hooks.pass_time()
    assert tries(hooks, endpoint) == [(1, Outcome.FAILED)]


def test_retry_after_is_waited_for(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(429, timedelta(minutes=20))
    hooks.say("hello")
    hooks.pass_time(19 * 60)
    assert len(hooks.told()) == 1
    hooks.pass_time(61)
    assert len(hooks.told()) == 2


def test_a_shorter_retry_after_does_not_hurry(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(503, timedelta(0))
    hooks.say("hello")
    hooks.pass_time(4.9)
    assert len(hooks.told()) == 1


def test_410_disables_the_endpoint_and_keeps_what_it_has_not_taken(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.other_side.answer = lambda _event: answers(410)
    hooks.say("one")
    hooks.say("two")
    hooks.pass_time(HOUR)
    assert stored(hooks, endpoint).disabled is DisabledReason.GONE
    assert contents(hooks.told()) == ["one"]
    hooks.other_side.answer = lambda _event: OK
    hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, enabled=True), actor=OPERATOR)
    hooks.pass_time(60)
    assert contents(hooks.told()) == ["one", "one", "two"]


def test_an_endpoint_that_takes_nothing_to_the_last_try_is_disabled(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.other_side.answer = lambda _event: DOWN
    hooks.say("hello")
    hooks.pass_time(75 * HOUR)
    assert stored(hooks, endpoint).is_enabled
    hooks.pass_time(2 * HOUR)
    assert stored(hooks, endpoint).disabled is DisabledReason.FAILING
    assert tries(hooks, endpoint)[-1] == (10, Outcome.EXHAUSTED)
    tried = len(hooks.told())
    hooks.pass_time(100 * HOUR)
    assert len(hooks.told()) == tried == 10
    hooks.other_side.answer = lambda _event: OK
    hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, enabled=True), actor=OPERATOR)
    hooks.pass_time(60)
    assert contents(hooks.told()[tried:]) == ["hello"]


def test_one_event_that_is_never_taken_does_not_stop_the_rest_for_ever(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.other_side.answer = lambda event: answers(500) if '"poison"' in event.body else OK
    poison = hooks.say("poison")
    for number in range(80):
        hooks.say(f"one {number}")
        hooks.say(f"two {number}", to="g2")
        hooks.pass_time(HOUR)
    assert stored(hooks, endpoint).is_enabled
    one = contents([event for event in hooks.told() if in_group(event, "g1")])
    assert one == ["poison"] * 10 + [f"one {number}" for number in range(80)]
    exhausted = [
        delivery
        for delivery in hooks.store.webhooks.deliveries(endpoint.id, limit=500).items
        if delivery.outcome is Outcome.EXHAUSTED
    ]
    assert [delivery.attempt for delivery in exhausted] == [10]
    (event,) = hooks.store.events.find([exhausted[0].event_id])
    assert poison.id in event.body


def test_a_disabled_endpoint_is_told_nothing_and_goes_on_where_it_stopped(hooks: Hooks) -> None:
    hooks.subscribe("https://example.com/other")
    endpoint = hooks.subscribe("https://example.com/one")
    hooks.say("one")
    hooks.pass_time()
    hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, enabled=False), actor=OPERATOR)
    hooks.say("two")
    hooks.say("elsewhere", to="g2")
    hooks.pass_time(HOUR)
    hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, enabled=True), actor=OPERATOR)
    hooks.say("three")
    hooks.pass_time(60)
    mine = [event for _, url, event in hooks.other_side.posts if url.endswith("one")]
    assert contents([event for event in mine if in_group(event, "g1")]) == ["one", "two", "three"]
    assert contents([event for event in mine if in_group(event, "g2")]) == ["elsewhere"]


# ---------------------------------------------------------------- what gets lost
def test_what_nobody_was_woken_for_is_found(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.jobs.lost = True
    for number in range(3):
        hooks.say(str(number))
    hooks.pass_time(60)
    assert hooks.told() == []
    hooks.jobs.lost = False
    hooks.pass_time(61)
    assert contents(hooks.told()) == ["0", "1", "2"]


def test_a_try_whose_timer_was_lost_is_made(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.other_side.answer = lambda _event: DOWN
    hooks.say("hello")
    hooks.pass_time()
    hooks.jobs.lost = True
    hooks.pass_time(3)
    hooks.scheduler.advance(3)
    hooks.jobs.lost = False
    hooks.other_side.answer = lambda _event: OK
    hooks.pass_time(61)
    assert contents(hooks.told()) == ["hello", "hello"]


def test_another_process_goes_on_where_one_has_died(hooks: Hooks, tmp_path: Path) -> None:
    hooks.subscribe()
    for number in range(3):
        hooks.say(str(number))

    class Killed(BaseException):
        pass

    def dies(event: LoggedEvent) -> object:
        if contents([event]) == ["1"]:
            raise Killed
        return OK

    hooks.other_side.answer = dies  # type: ignore[assignment]
    with pytest.raises(Killed):
        hooks.pass_time()
    hooks.jobs.stop()
    hooks.other_side.answer = lambda _event: OK
    second = Hooks(over_sqlite(tmp_path / "chat.db"), beside=hooks)
    hooks.pass_time(60)
    assert contents(hooks.told()) == ["0", "1", "1", "2"]
    second.close()


def test_two_processes_tell_everything_once_and_in_order(hooks: Hooks, tmp_path: Path) -> None:
    second = Hooks(over_sqlite(tmp_path / "chat.db"), beside=hooks)
    hooks.subscribe()
    for number in range(50):
        hooks.say(str(number))
        second.registry.refresh()
        second.outbox.wake("conversation:g1")
        hooks.pass_time(0.01)
    hooks.pass_time(60)
    assert contents(hooks.told()) == [str(number) for number in range(50)]
    second.close()


def test_a_process_that_was_held_up_for_longer_than_its_lease_lets_go(hooks: Hooks, tmp_path: Path) -> None:
    second = Hooks(over_sqlite(tmp_path / "chat.db"), beside=hooks)
    hooks.subscribe()
    second.registry.refresh()
    hooks.say("0")
    hooks.say("1")
    answered = []

    def slow(_event: LoggedEvent) -> object:
        if not answered:
            answered.append(True)
            hooks.clock.advance(7)  # while nothing of this process runs, its renewals neither
            second.delivery.deliver(hooks.registry.enabled()[0].id, "conversation:g1")
        return OK

    hooks.other_side.answer = slow  # type: ignore[assignment]
    hooks.pass_time()
    hooks.pass_time(60)
    assert contents(hooks.told()) == ["0", "0", "1"]
    second.close()


def test_while_the_store_is_away_nothing_is_lost(hooks: Hooks) -> None:
    hooks.subscribe()
    hooks.say("hello")
    with store_down(hooks.store.webhooks, "claim", "due", "settle"):
        hooks.pass_time(60)
    hooks.pass_time(60)
    assert contents(hooks.told()) == ["hello"]


# ---------------------------------------------------------------- again
def test_a_replay_has_the_same_ids_and_bodies_and_disturbs_nothing(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    began = hooks.clock.now()
    messages = [hooks.say(str(number)) for number in range(3)]
    hooks.pass_time(60)
    first = hooks.told()
    hooks.store.messages.delete(messages[0].id)
    command = ReplayEvents(webhook_id=endpoint.id, first=began, last=hooks.clock.now())
    assert hooks.service.replay(command, actor=OPERATOR) == 4
    hooks.say("meanwhile")
    hooks.pass_time(60)
    again = hooks.told()[3:]
    assert [(event.id, event.body) for event in again if event.lane.startswith("replay:")][:3] == [
        (event.id, event.body) for event in first
    ]
    assert contents([event for event in again if in_group(event, "g1")]) == ["meanwhile"]
    by_id = ReplayEvents(webhook_id=endpoint.id, event_ids=(first[2].id, "evt_nobody", first[0].id))
    assert hooks.service.replay(by_id, actor=OPERATOR) == 2
    hooks.pass_time(60)
    assert [event.id for event in hooks.told()[-2:]] == [first[0].id, first[2].id]


def test_old_events_and_tries_are_forgotten(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.say("old")
    hooks.pass_time(29 * 24 * HOUR)
    hooks.say("young")
    hooks.pass_time(2 * 24 * HOUR)
    page = hooks.store.events.page(after=None, limit=10)
    assert contents(list(page.events)) == ["young"]
    assert len(hooks.store.webhooks.deliveries(endpoint.id, limit=10).items) == 1

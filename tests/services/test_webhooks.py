"""Webhook endpoints: made, changed, rotated, tested; by whom, and what the audit log says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chatapp.domain.commands import ChangeWebhook, CreateWebhook, ListPage, ReadEvents, ReplayEvents
from chatapp.domain.errors import AdminOnly, InvalidData, ScopeMissing, StoreUnavailable, TooManyKeys, WebhookNotFound
from chatapp.domain.happenings import EventType
from chatapp.domain.models import OPERATOR, Actor, Scope, Standing
from chatapp.domain.webhooks import DisabledReason, Outcome
from chatapp.services import webhooks
from chatapp.services.journal import LEASE_SECONDS
from chatapp.services.webhook_registry import POLL_SECONDS
from tests.services.conftest import store_down
from tests.services.webhook_world import OK, Hooks, answers, over_sqlite, peopled

HOOK_KEY = Actor(standing=Standing.KEY, scopes=frozenset({Scope.WEBHOOKS_MANAGE}), key_id="k1")
OTHER_KEY = Actor("ana", Standing.KEY, frozenset({Scope.MESSAGES_SEND, Scope.USERS_WRITE}), key_id="k2")
USER = Actor("ana", Standing.USER)
ADMIN = Actor("jefe", Standing.ADMIN)


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    hooks = peopled(Hooks(over_sqlite(tmp_path / "chat.db")))
    yield hooks
    hooks.close()


def records(hooks: Hooks) -> list[tuple[str, str, str]]:
    return [(record.action, record.actor, record.target) for record in hooks.audit.page(after=0, limit=100)]


# ---------------------------------------------------------------- making
def test_an_endpoint_is_made_with_keys_of_its_own(hooks: Hooks) -> None:
    one, two = hooks.subscribe(), hooks.subscribe()
    assert one.keys[0].secret != two.keys[0].secret
    assert len(one.keys) == 1
    assert one.is_enabled
    assert [stored.id for stored in hooks.service.list_all(actor=ADMIN)] == [one.id, two.id]


def test_secrets_do_not_show_where_an_endpoint_is_printed(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    assert endpoint.keys[0].secret not in repr(endpoint)
    assert endpoint.keys[0].private_key not in repr(endpoint)


def test_the_first_endpoint_waits_until_no_worker_can_believe_that_there_is_none(hooks: Hooks) -> None:
    hooks.subscribe()
    assert hooks.waited == [LEASE_SECONDS]
    hooks.subscribe()
    assert hooks.waited == [LEASE_SECONDS] * 2  # the first is too young to be known everywhere
    hooks.pass_time(10)
    hooks.subscribe()
    assert len(hooks.waited) == 2


def test_a_worker_that_has_not_looked_writes_everything_down(hooks: Hooks, tmp_path: Path) -> None:
    other = Hooks(over_sqlite(tmp_path / "chat.db"), beside=hooks)
    other.registry.refresh()
    assert not other.journal.is_on()
    hooks.subscribe()
    assert not other.journal.is_on()
    hooks.clock.advance(LEASE_SECONDS)
    assert other.journal.is_on()
    other.registry.refresh()
    assert other.journal.is_on()
    assert POLL_SECONDS < LEASE_SECONDS
    other.close()


def test_a_worker_that_looks_knows(hooks: Hooks, tmp_path: Path) -> None:
    other = Hooks(over_sqlite(tmp_path / "chat.db"), beside=hooks)
    other.registry.start()
    hooks.pass_time(60)
    assert not other.journal.is_on()
    endpoint = hooks.subscribe()
    hooks.pass_time(POLL_SECONDS)
    assert [known.id for known in other.registry.enabled()] == [endpoint.id]
    hooks.service.delete(endpoint.id, actor=OPERATOR)
    hooks.pass_time(POLL_SECONDS)
    assert not other.journal.is_on()
    with store_down(other.store.webhooks, "version"):
        hooks.pass_time(60)
        assert other.journal.is_on()
    hooks.pass_time(POLL_SECONDS)
    assert not other.journal.is_on()
    other.close()


def test_what_cannot_be_sent_to_is_refused(hooks: Hooks) -> None:
    with pytest.raises(InvalidData) as refused:
        hooks.subscribe("http://example.com/")
    assert refused.value.details["fields"] == {"url": ["https_only"]}
    endpoint = hooks.subscribe()
    with pytest.raises(InvalidData):
        hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, url="http://example.com/"), actor=OPERATOR)


# ---------------------------------------------------------------- changing
def test_what_a_change_does_not_mention_stays(hooks: Hooks) -> None:
    endpoint = hooks.subscribe(description="one", event_types=(EventType.MESSAGE_SENT,))
    hooks.clock.advance(5)
    now = hooks.clock.now()
    changed = hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, description="two"), actor=OPERATOR)
    assert changed == replace(endpoint, description="two", updated_at=now)
    command = ChangeWebhook(webhook_id=endpoint.id, url="https://example.com/two", event_types=(), enabled=False)
    changed = hooks.service.change(command, actor=OPERATOR)
    assert (changed.url, changed.event_types, changed.disabled) == ("https://example.com/two", (), "by_hand")
    assert hooks.registry.enabled() == []


def test_why_it_was_disabled_first_stays(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.store.webhooks.change(endpoint.id, lambda stored: replace(stored, disabled=DisabledReason.GONE))
    changed = hooks.service.change(ChangeWebhook(webhook_id=endpoint.id, enabled=False), actor=OPERATOR)
    assert changed.disabled is DisabledReason.GONE


def test_after_a_rotation_both_pairs_are_good_for_a_day(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    rotated = hooks.service.rotate(endpoint.id, actor=OPERATOR)
    new, old = rotated.keys
    assert old.secret == endpoint.keys[0].secret
    now = hooks.clock.now()
    assert list(rotated.keys_at(now + timedelta(hours=23))) == [new, old]
    assert list(rotated.keys_at(now + timedelta(hours=24))) == [new]


def test_a_second_rotation_does_not_make_the_first_keys_good_for_longer(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    first = hooks.service.rotate(endpoint.id, actor=OPERATOR).keys[1].expires_at
    hooks.clock.advance(12 * 3600)
    keys = hooks.service.rotate(endpoint.id, actor=OPERATOR).keys
    assert [pair.expires_at for pair in keys] == [None, hooks.clock.now() + timedelta(hours=24), first]
    hooks.clock.advance(13 * 3600)
    assert len(hooks.service.rotate(endpoint.id, actor=OPERATOR).keys) == 3


def test_more_keys_than_a_header_should_have_are_refused(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    for _ in range(webhooks.MAX_KEYS - 1):
        hooks.service.rotate(endpoint.id, actor=OPERATOR)
    with pytest.raises(TooManyKeys):
        hooks.service.rotate(endpoint.id, actor=OPERATOR)


def test_a_deleted_endpoint_is_told_nothing_more(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    hooks.say("hello")
    hooks.service.delete(endpoint.id, actor=OPERATOR)
    hooks.pass_time(3600)
    assert hooks.told() == []
    with pytest.raises(WebhookNotFound):
        hooks.service.get(endpoint.id, actor=OPERATOR)


# ---------------------------------------------------------------- trying and telling again
def test_a_test_is_sent_at_once_whatever_the_endpoint_asked_for(hooks: Hooks) -> None:
    endpoint = hooks.subscribe(event_types=(EventType.USER_CREATED,))
    hooks.other_side.answer = lambda _event: answers(500)
    delivery = hooks.service.test(endpoint.id, actor=OPERATOR)
    assert (delivery.outcome, delivery.status, delivery.attempt) == (Outcome.EXHAUSTED, 500, 1)
    hooks.other_side.answer = lambda _event: OK
    assert hooks.service.test(endpoint.id, actor=OPERATOR).outcome is Outcome.DELIVERED
    hooks.pass_time(3600)
    assert [event.type for event in hooks.told()] == [EventType.TEST] * 2
    assert json.loads(hooks.told()[0].body)["data"] == {"endpointId": endpoint.id, "url": endpoint.url}
    page = hooks.service.deliveries(endpoint.id, ListPage(), actor=OPERATOR)
    assert [each.outcome for each in page.items] == [Outcome.DELIVERED, Outcome.EXHAUSTED]
    assert hooks.service.events(ReadEvents(), actor=OPERATOR).events == ()


def test_a_replay_of_too_much_is_refused(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "REPLAY_MAX", 3)
    endpoint = hooks.subscribe()
    began = hooks.clock.now()
    for number in range(4):
        hooks.say(str(number))
    with pytest.raises(InvalidData) as refused:
        hooks.service.replay(ReplayEvents(webhook_id=endpoint.id, first=began), actor=OPERATOR)
    assert refused.value.details["maxEvents"] == 3


def test_a_replay_of_nothing_is_none(hooks: Hooks) -> None:
    endpoint = hooks.subscribe()
    assert hooks.service.replay(ReplayEvents(webhook_id=endpoint.id, event_ids=("evt_0",)), actor=OPERATOR) == 0


# ---------------------------------------------------------------- who may
CALLS: dict[str, Callable[[Hooks, str, Actor], object]] = {
    "create": lambda hooks, _, actor: hooks.service.create(CreateWebhook(url="https://example.com/"), actor=actor),
    "change": lambda hooks, id_, actor: hooks.service.change(ChangeWebhook(webhook_id=id_), actor=actor),
    "rotate": lambda hooks, id_, actor: hooks.service.rotate(id_, actor=actor),
    "list_all": lambda hooks, _, actor: hooks.service.list_all(actor=actor),
    "get": lambda hooks, id_, actor: hooks.service.get(id_, actor=actor),
    "deliveries": lambda hooks, id_, actor: hooks.service.deliveries(id_, ListPage(), actor=actor),
    "events": lambda hooks, _, actor: hooks.service.events(ReadEvents(), actor=actor),
    "test": lambda hooks, id_, actor: hooks.service.test(id_, actor=actor),
    "replay": lambda hooks, id_, actor: hooks.service.replay(
        ReplayEvents(webhook_id=id_, event_ids=("evt_1",)), actor=actor
    ),
    "delete": lambda hooks, id_, actor: hooks.service.delete(id_, actor=actor),
}
RECORDED = {
    "create": "webhook.create",
    "change": "webhook.change",
    "rotate": "webhook.rotate",
    "replay": "webhook.replay",
    "delete": "webhook.delete",
}


@pytest.mark.parametrize("name", CALLS)
def test_administrators_may_and_keys_with_the_scope(hooks: Hooks, name: str) -> None:
    for actor in (OPERATOR, ADMIN, HOOK_KEY, replace(HOOK_KEY, scopes=frozenset({Scope.ADMIN}))):
        CALLS[name](hooks, hooks.subscribe().id, actor)
    for actor, error in ((USER, AdminOnly), (OTHER_KEY, ScopeMissing)):
        with pytest.raises(error):
            CALLS[name](hooks, hooks.subscribe().id, actor)
        with pytest.raises(error):
            CALLS[name](hooks, "nobody", actor)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"create", "list_all", "events"}))
def test_an_unknown_endpoint_is_not_found(hooks: Hooks, name: str) -> None:
    with pytest.raises(WebhookNotFound):
        CALLS[name](hooks, "nobody", OPERATOR)


@pytest.mark.parametrize("name", RECORDED)
def test_changes_are_recorded_before_they_are_made(hooks: Hooks, name: str) -> None:
    endpoint = hooks.subscribe()
    before = hooks.service.get(endpoint.id, actor=OPERATOR)
    with store_down(hooks.store.audit, "append"), pytest.raises(StoreUnavailable):
        CALLS[name](hooks, endpoint.id, HOOK_KEY)
    assert hooks.service.list_all(actor=OPERATOR) == [before]
    CALLS[name](hooks, endpoint.id, HOOK_KEY)
    action, actor, target = records(hooks)[-1]
    assert (action, actor) == (RECORDED[name], "key:k1")
    assert target.startswith("webhook:")
    details = " ".join(record.details for record in hooks.audit.page(after=0, limit=100))
    assert "whsec_" not in details
    assert "whsk_" not in details

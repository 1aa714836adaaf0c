"""API keys: made, told once, recognised, and revoked everywhere within a second."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.api_keys import ApiKey, new_secret
from chatapp.domain.errors import KeyInvalid, NotFound, StoreUnavailable
from chatapp.domain.models import OPERATOR, Actor, Scope, Standing
from chatapp.ports import ApiKeyStore, Store
from chatapp.services import api_keys
from chatapp.services.api_keys import TRUST_SECONDS, ApiKeyService
from chatapp.services.audit import AuditService
from tests.contracts.builders import at
from tests.fakes import START, FakeClock, ManualScheduler
from tests.services.conftest import store_down


class CountedReads:
    """The store's keys; ``reads`` counts how often one of them was asked for."""

    def __init__(self, keys: ApiKeyStore) -> None:
        self._keys = keys
        self.reads = 0

    def get(self, key_id: str) -> ApiKey | None:
        self.reads += 1
        return self._keys.get(key_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)


class Worker(ApiKeyService):
    """With its time in the test's hand."""

    def __init__(self, store: Store, clock: FakeClock, scheduler: ManualScheduler) -> None:
        self.counted = CountedReads(store.api_keys)
        audit = AuditService(store.audit, clock=clock)
        super().__init__(self.counted, audit, clock=clock, scheduler=scheduler, now=lambda: clock.now().timestamp())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "chat.db")
    yield opened
    opened.close()


@pytest.fixture
def scheduler(clock: FakeClock) -> ManualScheduler:
    return ManualScheduler(clock)


@pytest.fixture
def one(store: Store, clock: FakeClock, scheduler: ManualScheduler) -> Worker:
    return Worker(store, clock, scheduler)


@pytest.fixture
def two(store: Store, clock: FakeClock, scheduler: ManualScheduler) -> Worker:
    return Worker(store, clock, scheduler)


def create(worker: ApiKeyService, name: str = "backend", *scopes: Scope) -> tuple[ApiKey, str]:
    return worker.create(name, scopes or (Scope.ADMIN,), by=OPERATOR)


# ---------------------------------------------------------------- making
def test_a_secret_is_told_once_and_kept_nowhere(one: Worker, tmp_path: Path, store: Store) -> None:
    key, secret = create(one)
    assert re.fullmatch(r"ck_[A-Za-z0-9_-]{43}", secret)
    assert secret not in repr(key)
    store.close()
    assert secret.encode() not in (tmp_path / "chat.db").read_bytes()


def test_a_key_keeps_its_secrets_digest_and_is_named_by_its_beginning(one: Worker, store: Store) -> None:
    key, secret = create(one, "backend", Scope.USERS_WRITE, Scope.MESSAGES_SEND)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert key == ApiKey(digest[:16], "backend", frozenset({Scope.USERS_WRITE, Scope.MESSAGES_SEND}), START, digest)
    assert one.list_all() == [key]


def test_no_two_secrets_are_alike(one: Worker) -> None:
    assert len({create(one)[1] for _ in range(50)}) == 50


# ---------------------------------------------------------------- recognising
def test_a_key_is_known_by_its_secret_on_every_worker_at_once(one: Worker, two: Worker) -> None:
    first, second = create(one), create(one, "other", Scope.MESSAGES_SEND)
    for worker in (one, two):
        assert [worker.authenticate(secret).id for _, secret in (first, second)] == [first[0].id, second[0].id]
        assert worker.authenticate(second[1]).scopes == {Scope.MESSAGES_SEND}


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "ck_",
        "ck_" + "a" * 42,
        "ck_" + "a" * 44,
        "ck_" + "a" * 42 + "!",
        "sk_" + "a" * 43,
        "ck_" + "ñ" * 43,
        "\ud800",
    ],
)
def test_what_is_no_secret_is_refused_without_asking_the_store(one: Worker, secret: str) -> None:
    with pytest.raises(KeyInvalid):
        one.authenticate(secret)
    assert one.counted.reads == 0


def test_an_unknown_secret_is_refused(one: Worker) -> None:
    _, secret = create(one)
    for wrong in (new_secret(), secret[:-1] + ("A" if secret[-1] != "A" else "B"), f"{secret}\n", secret.upper()):
        with pytest.raises(KeyInvalid):
            one.authenticate(wrong)


def test_an_id_alone_opens_nothing(one: Worker, store: Store) -> None:
    """Should two digests begin alike, the whole digest decides."""
    key, secret = create(one)
    other = replace(key, id="f" * 16)
    store.api_keys.add(other)
    assert one.authenticate(secret).id == key.id
    stranger = new_secret()
    digest = hashlib.sha256(stranger.encode()).hexdigest()
    store.api_keys.add(replace(key, id=digest[:16]))
    with pytest.raises(KeyInvalid):
        one.authenticate(stranger)


# ---------------------------------------------------------------- remembering
def test_a_busy_backend_costs_one_read_a_second(one: Worker, scheduler: ManualScheduler) -> None:
    _, secret = create(one)
    for _ in range(300):
        one.authenticate(secret)
        scheduler.advance(0.01)
    assert one.counted.reads == 3


def test_a_revoked_key_is_worth_nothing_on_any_worker_a_second_later(
    one: Worker, two: Worker, clock: FakeClock
) -> None:
    key, secret = create(one)
    for worker in (one, two):
        worker.authenticate(secret)
    revoked = one.revoke(key.id, by=OPERATOR)
    assert revoked.revoked_at == START
    with pytest.raises(KeyInvalid):
        one.authenticate(secret)
    clock.advance(TRUST_SECONDS)
    for worker in (one, two):
        with pytest.raises(KeyInvalid):
            worker.authenticate(secret)


def test_a_key_in_constant_use_is_revoked_too(one: Worker, two: Worker, clock: FakeClock) -> None:
    key, secret = create(one)
    two.authenticate(secret)
    one.revoke(key.id, by=OPERATOR)
    refused_after = None
    for step in range(30):
        clock.advance(0.1)
        try:
            two.authenticate(secret)
        except KeyInvalid:
            refused_after = step
            break
    assert refused_after is not None
    assert refused_after * 0.1 <= TRUST_SECONDS


def test_noting_a_use_does_not_make_a_key_believed_for_longer(
    one: Worker, two: Worker, scheduler: ManualScheduler
) -> None:
    key, secret = create(one)
    two.authenticate(secret)
    scheduler.advance(59.5)
    two.authenticate(secret)
    one.revoke(key.id, by=OPERATOR)
    scheduler.advance(0.5)
    two.authenticate(secret)  # a minute is over, and this use is noted
    scheduler.advance(0.5)
    with pytest.raises(KeyInvalid):
        two.authenticate(secret)


def test_while_the_store_is_away_a_key_is_believed_no_longer_than_else(
    one: Worker, store: Store, clock: FakeClock
) -> None:
    _, secret = create(one)
    one.authenticate(secret)
    with store_down(store.api_keys, "get"):
        clock.advance(TRUST_SECONDS / 2)
        one.authenticate(secret)
        clock.advance(TRUST_SECONDS / 2)
        with pytest.raises(StoreUnavailable):
            one.authenticate(secret)


def test_what_is_remembered_is_bounded_and_strangers_fill_nothing(one: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MAX_TRUSTED", 2)
    secrets = [create(one, str(number))[1] for number in range(3)]
    one.authenticate(secrets[0])
    one.authenticate(secrets[1])
    for _ in range(5):
        with pytest.raises(KeyInvalid):
            one.authenticate(new_secret())
    one.authenticate(secrets[0])
    one.authenticate(secrets[2])
    one.counted.reads = 0
    one.authenticate(secrets[0])
    assert one.counted.reads == 0
    one.authenticate(secrets[1])
    assert one.counted.reads == 1, "unused for longest, it made room"


# ---------------------------------------------------------------- when it was used last
def test_a_use_is_noted_once_a_minute(one: Worker, store: Store, scheduler: ManualScheduler) -> None:
    key, secret = create(one)
    noted = []
    for _ in range(3 * 60 * 2):
        one.authenticate(secret)
        scheduler.advance(0.5)
        stored = store.api_keys.get(key.id)
        assert stored is not None
        noted.append(stored.last_used_at)
    assert sorted(set(noted) - {None}) == [at(0), at(60), at(120)]


def test_a_request_does_not_wait_until_its_use_is_noted(one: Worker, store: Store) -> None:
    key, secret = create(one)
    one.authenticate(secret)
    stored = store.api_keys.get(key.id)
    assert stored is not None
    assert stored.last_used_at is None


def test_a_use_that_cannot_be_noted_is_logged(
    one: Worker, store: Store, scheduler: ManualScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    key, secret = create(one)
    with store_down(store.api_keys, "touch"):
        one.authenticate(secret)
        scheduler.advance(0)
    assert key.id in caplog.text
    assert secret not in caplog.text


# ---------------------------------------------------------------- the audit
def test_who_made_and_who_revoked_a_key_is_recorded(one: Worker, store: Store) -> None:
    key, _ = create(one, "backend", Scope.USERS_WRITE, Scope.ADMIN)
    one.revoke(key.id, by=Actor("ana", Standing.ADMIN))
    made, revoked = store.audit.records(after=None, limit=9)
    assert (made.action, made.target, made.actor) == ("apikey.create", f"apikey:{key.id}", "operator")
    assert json.loads(made.details) == {"name": "backend", "scopes": "admin users:write"}
    assert (revoked.action, revoked.target, revoked.actor) == ("apikey.revoke", f"apikey:{key.id}", "user:ana")


def test_what_cannot_be_recorded_is_not_done(one: Worker, store: Store) -> None:
    key, secret = create(one)
    with store_down(store.audit, "append"):
        with pytest.raises(StoreUnavailable):
            create(one)
        with pytest.raises(StoreUnavailable):
            one.revoke(key.id, by=OPERATOR)
    assert one.list_all() == [key]
    assert one.authenticate(secret) == key


def test_an_unknown_key_cannot_be_revoked_and_leaves_no_record(one: Worker, store: Store) -> None:
    with pytest.raises(NotFound) as refused:
        one.revoke("0" * 16, by=OPERATOR)
    assert refused.value.details == {"keyId": "0" * 16}
    assert store.audit.records(after=None, limit=9) == []


def test_no_log_names_a_secret(one: Worker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key, secret = create(one)
    one.authenticate(secret)
    one.revoke(key.id, by=OPERATOR)
    assert key.id in caplog.text
    assert secret not in caplog.text
    assert key.digest not in caplog.text

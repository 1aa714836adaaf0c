"""Tokens that are worth nothing any more: on every worker, with and without the bus."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chatapp.domain.commands import RevokeTokens
from chatapp.domain.errors import AdminOnly, InvalidData, ScopeMissing, StoreUnavailable
from chatapp.domain.models import Actor, Scope, Standing
from chatapp.domain.revocations import Revocation
from chatapp.services import revocations
from chatapp.services.revocations import KEEP, POLL_SECONDS, SWEEP_SECONDS
from tests.contracts.builders import at
from tests.fakes import START
from tests.services.conftest import Cluster, World, store_down

ADMIN = Actor("root", Standing.ADMIN)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def started(world: World) -> World:
    world.revocations.start()
    return world


@pytest.fixture
def workers(cluster: Cluster) -> Cluster:
    for world in (cluster.one, cluster.two, cluster.three):
        world.revocations.start()
    return cluster


def revoke(
    world: World, user_id: str | None = "ana", before: datetime | None = None, *, by: Actor = ADMIN
) -> Revocation:
    return world.revocations.revoke(RevokeTokens(user_id=user_id, before=before), actor=by)


def ends(world: World, user_id: str = "ana") -> datetime | None:
    """The moment up to which the user's tokens are worth nothing, looked for by the second."""
    moments = [START - timedelta(seconds=10) + timedelta(seconds=second) for second in range(100)]
    return next((moment for moment in moments if not world.revocations.is_revoked(user_id, moment)), None)


# ---------------------------------------------------------------- what is revoked
def test_tokens_issued_before_are_worth_nothing_and_later_ones_are(started: World) -> None:
    started.clock.advance(60)
    assert revoke(started, before=at(30)) == Revocation("ana", at(30))
    assert started.revocations.is_revoked("ana", at(30) - MOMENT)
    assert not started.revocations.is_revoked("ana", at(30))
    assert not started.revocations.is_revoked("bea", at(0))


def test_everybodys_tokens_can_be_revoked(started: World) -> None:
    started.clock.advance(60)
    revoke(started, None, at(30))
    for user_id in ("ana", "bea", "nobody"):
        assert started.revocations.is_revoked(user_id, at(30) - MOMENT)
        assert not started.revocations.is_revoked(user_id, at(30))


@pytest.mark.parametrize(("users", "everybodys"), [(20, 40), (40, 20)])
def test_of_the_users_and_everybodys_the_later_counts(started: World, users: int, everybodys: int) -> None:
    started.clock.advance(60)
    revoke(started, "ana", at(users))
    revoke(started, None, at(everybodys))
    assert ends(started, "ana") == at(40)
    assert ends(started, "bea") == at(everybodys)


def test_an_earlier_revocation_takes_nothing_back(started: World) -> None:
    started.clock.advance(60)
    revoke(started, before=at(30))
    revoke(started, before=at(10))
    assert ends(started) == at(30)


def test_without_a_time_all_that_were_issued_until_now(started: World) -> None:
    started.clock.advance(60)
    assert revoke(started).before == at(60)
    assert ends(started) == at(60)


def test_tokens_that_are_not_made_yet_cannot_be_revoked(started: World) -> None:
    with pytest.raises(InvalidData) as refused:
        revoke(started, before=START + MOMENT)
    assert refused.value.details == {"fields": {"before": ["in_the_future"]}}
    assert not started.revocations.is_revoked("ana", at(-1))
    assert started.store.audit.records(after=None, limit=9) == []
    revoke(started, before=START)


# ---------------------------------------------------------------- who may
@pytest.mark.parametrize(
    ("actor", "error"),
    [
        (Actor("ana", Standing.USER), AdminOnly),
        (Actor(standing=Standing.KEY, key_id="k", scopes=frozenset({Scope.USERS_WRITE})), ScopeMissing),
    ],
    ids=["user", "key"],
)
def test_only_administrators_revoke(started: World, actor: Actor, error: type[Exception]) -> None:
    with pytest.raises(error):
        revoke(started, by=actor)
    assert started.store.revocations.list_all() == []
    assert started.store.audit.records(after=None, limit=9) == []


def test_who_revoked_what_is_recorded(started: World) -> None:
    revoke(started)
    revoke(started, None, by=Actor(standing=Standing.KEY, key_id="k1", scopes=frozenset({Scope.ADMIN})))
    first, second = started.store.audit.records(after=None, limit=9)
    assert (first.action, first.target, first.actor) == ("tokens.revoke", "user:ana", "user:root")
    assert (second.action, second.target, second.actor) == ("tokens.revoke", "everybody", "key:k1")
    assert first.details == '{"before":"2025-01-27T10:00:00+00:00"}'


def test_what_cannot_be_recorded_is_not_revoked(started: World) -> None:
    with store_down(started.store.audit, "append"), pytest.raises(StoreUnavailable):
        revoke(started)
    assert started.store.revocations.list_all() == []
    assert not started.revocations.is_revoked("ana", at(-1))


def test_what_is_not_stored_is_not_told(workers: Cluster) -> None:
    with store_down(workers.one.store.revocations, "revoke"), pytest.raises(StoreUnavailable):
        revoke(workers.one)
    workers.pass_time(POLL_SECONDS)
    assert [ends(world) for world in (workers.one, workers.two)] == [at(-10)] * 2


# ---------------------------------------------------------------- on every worker
def test_the_other_workers_know_at_once(workers: Cluster) -> None:
    revoke(workers.one)
    assert ends(workers.two) == ends(workers.three) == START


def test_without_the_bus_they_know_within_two_seconds(workers: Cluster) -> None:
    workers.one.bus.cut()
    workers.pass_time(POLL_SECONDS / 2)
    before = workers.one.clock.now()
    revoke(workers.one)
    assert not workers.two.revocations.is_revoked("ana", at(0))
    workers.pass_time(POLL_SECONDS)
    assert workers.one.clock.now() - before < timedelta(seconds=2)
    assert workers.two.revocations.is_revoked("ana", at(0))
    assert workers.three.revocations.is_revoked("ana", at(0))


def test_a_worker_that_starts_knows_what_was_revoked_before(workers: Cluster, tmp_path: object) -> None:
    revoke(workers.one)
    late = World(tmp_path, beside=workers.one)  # type: ignore[arg-type]
    late.revocations.start()
    assert ends(late) == START


def test_a_worker_does_not_start_without_knowing(world: World) -> None:
    with store_down(world.store.revocations, "version"), pytest.raises(StoreUnavailable):
        world.revocations.start()


def test_all_are_read_only_when_something_has_changed(workers: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = workers.one.store.revocations.list_all
    monkeypatch.setattr(workers.one.store.revocations, "list_all", lambda: reads.append(1) or real())
    workers.pass_time(60)
    assert reads == []
    revoke(workers.one)
    workers.pass_time(60)
    assert len(reads) == 3, "once on each worker"


def test_while_the_store_is_away_what_is_known_holds_and_then_it_goes_on(
    workers: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    revoke(workers.one)
    store = workers.one.store.revocations
    with store_down(store, "version"):
        workers.pass_time(10 * POLL_SECONDS)
    assert ends(workers.two) == START
    assert caplog.text.count("not known until the store is back") == 3, "once for each worker, not each second"
    store.revoke(Revocation("bea", at(5)))
    workers.pass_time(POLL_SECONDS)
    assert ends(workers.two, "bea") == at(5)


def test_a_revocation_that_comes_while_all_are_read_is_not_missed(
    workers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = workers.one.store.revocations
    real = store.list_all

    def overtaken() -> list[Revocation]:
        found = real()
        monkeypatch.setattr(store, "list_all", real)
        store.revoke(Revocation("bea", at(0)))
        return found

    store.revoke(Revocation("ana", at(0)))
    monkeypatch.setattr(store, "list_all", overtaken)
    workers.pass_time(2 * POLL_SECONDS)
    assert [ends(world, "bea") for world in (workers.one, workers.two, workers.three)] == [at(0)] * 3


# ---------------------------------------------------------------- who is told
def test_each_worker_is_told_once_of_what_it_learns(workers: Cluster) -> None:
    told: dict[str, list[tuple[str | None, datetime]]] = {"one": [], "two": []}
    workers.one.revocations.on_revoked = lambda *what: told["one"].append(what)
    workers.two.revocations.on_revoked = lambda *what: told["two"].append(what)
    revoke(workers.one)
    workers.pass_time(5)
    workers.two.bus.cut()
    revoke(workers.one, None)
    workers.pass_time(5)
    revoke(workers.one, "ana", at(-9))
    assert told["one"] == told["two"] == [("ana", START), (None, at(5))]


# ---------------------------------------------------------------- cleaning up
@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of polls each second takes long."""
    monkeypatch.setattr(revocations, "POLL_SECONDS", SWEEP_SECONDS)


def test_what_no_living_token_can_be_older_than_is_forgotten(unhurried: None, started: World) -> None:
    revoke(started, "ana")
    started.scheduler.advance(3600)
    revoke(started, "bea")
    started.scheduler.advance(KEEP.total_seconds() - 3600 + SWEEP_SECONDS / 2)
    assert [found.user_id for found in started.store.revocations.list_all()] == ["bea"]
    assert not started.revocations.is_revoked("ana", START - MOMENT)
    assert started.revocations.is_revoked("bea", START)


def test_a_store_that_is_away_is_cleaned_up_the_next_time(unhurried: None, started: World) -> None:
    revoke(started, "ana")
    with store_down(started.store.revocations, "forget"):
        started.scheduler.advance(KEEP.total_seconds())
    assert len(started.store.revocations.list_all()) == 1
    started.scheduler.advance(SWEEP_SECONDS)
    assert started.store.revocations.list_all() == []

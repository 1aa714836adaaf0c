"""What ``ports.RevocationStore`` promises."""

from __future__ import annotations

from datetime import datetime

import pytest

from chatapp.domain.revocations import Revocation
from chatapp.ports import Store
from tests.contracts.builders import at, together


def found(store: Store) -> dict[str | None, datetime]:
    listed = store.revocations.list_all()
    assert len({revocation.user_id for revocation in listed}) == len(listed)
    return {revocation.user_id: revocation.before for revocation in listed}


def test_at_first_there_are_none(store: Store) -> None:
    assert found(store) == {}
    assert store.revocations.version() == store.revocations.version()


@pytest.mark.parametrize("user_id", ["ana", "everybody", "🎸" * 128, "user#ana", None])
def test_a_revocation_comes_back_as_it_went_in(store: Store, user_id: str | None) -> None:
    store.revocations.revoke(Revocation(user_id, at(1.234)))
    assert found(store) == {user_id: at(1.234)}


def test_users_and_everybody_have_one_each(store: Store) -> None:
    for user_id, seconds in (("ana", 1), ("bea", 2), (None, 3)):
        store.revocations.revoke(Revocation(user_id, at(seconds)))
    assert found(store) == {"ana": at(1), "bea": at(2), None: at(3)}


@pytest.mark.parametrize("user_id", ["ana", None])
def test_the_later_one_stays(store: Store, user_id: str | None) -> None:
    for seconds, stays in ((5, 5), (3, 5), (5, 5), (7, 7)):
        store.revocations.revoke(Revocation(user_id, at(seconds)))
        assert found(store) == {user_id: at(stays)}


def test_of_many_at_once_the_latest_stays(store: Store) -> None:
    together(
        [lambda seconds=seconds: store.revocations.revoke(Revocation("ana", at(seconds))) for seconds in (3, 9, 1, 7)]
    )
    assert found(store) == {"ana": at(9)}


def test_the_version_changes_with_what_is_revoked_and_with_nothing_else(store: Store) -> None:
    versions = [store.revocations.version()]
    for user_id, seconds in (("ana", 1), ("bea", 1), ("ana", 2), (None, 1), (None, 2)):
        store.revocations.revoke(Revocation(user_id, at(seconds)))
        versions.append(store.revocations.version())
    assert len(set(versions)) == len(versions)
    store.revocations.revoke(Revocation("ana", at(1)))
    store.users.touch("ana", last_seen=at(1))
    assert store.revocations.version() == versions[-1]


def test_a_version_does_not_come_back_when_old_ones_are_forgotten(store: Store) -> None:
    versions = []
    for seconds in (1, 2, 3):
        store.revocations.revoke(Revocation("ana", at(seconds)))
        versions.append(store.revocations.version())
        store.revocations.forget(until=at(seconds))
    store.revocations.revoke(Revocation("bea", at(4)))
    assert store.revocations.version() not in versions


def test_what_is_too_old_is_forgotten(store: Store) -> None:
    for user_id, seconds in (("ana", 1), ("bea", 2), ("carlos", 3), (None, 2)):
        store.revocations.revoke(Revocation(user_id, at(seconds)))
    store.revocations.forget(until=at(2))
    assert found(store) == {"carlos": at(3)}
    store.revocations.forget(until=at(2))
    store.revocations.revoke(Revocation("ana", at(1)))
    assert found(store) == {"carlos": at(3), "ana": at(1)}

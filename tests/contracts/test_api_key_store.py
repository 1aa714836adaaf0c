"""What ``ports.ApiKeyStore`` promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatapp.domain import api_keys
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import Conflict
from chatapp.domain.models import Scope
from chatapp.ports import Store
from tests.contracts.builders import at, failure, together


def made(name: str = "backend", *, seconds: float = 0, scopes: frozenset[Scope] = frozenset({Scope.ADMIN})) -> ApiKey:
    digest = api_keys.digest_of(api_keys.new_secret())
    return ApiKey(api_keys.id_of(digest), name, scopes, at(seconds), digest)


def added(store: Store, name: str = "backend", *, seconds: float = 0) -> ApiKey:
    key = made(name, seconds=seconds)
    store.api_keys.add(key)
    return key


@pytest.mark.parametrize("name", ["backend", "Nómina 🎸", "'; DROP TABLE api_keys; --", "tab\tline\n"])
@pytest.mark.parametrize("scopes", [frozenset(Scope), frozenset({Scope.MESSAGES_SEND}), frozenset()], ids=len)
def test_a_key_comes_back_as_it_went_in(store: Store, name: str, scopes: frozenset[Scope]) -> None:
    key = made(name, scopes=scopes)
    store.api_keys.add(key)
    assert store.api_keys.get(key.id) == key


def test_an_unknown_key_is_none(store: Store) -> None:
    added(store)
    for key_id in ("0" * 16, "", "x" * 3000):
        assert store.api_keys.get(key_id) is None
        assert store.api_keys.revoke(key_id, now=at(1)) is None


def test_an_id_is_given_once(store: Store) -> None:
    key = added(store)
    with pytest.raises(Conflict):
        store.api_keys.add(replace(made("other"), id=key.id))
    assert store.api_keys.get(key.id) == key


def test_of_many_with_one_id_one_is_added(store: Store) -> None:
    keys = [replace(made(str(number)), id="same") for number in range(8)]
    refused = together([lambda key=key: failure(lambda: store.api_keys.add(key)) for key in keys])
    assert sum(error is None for error in refused) == 1
    assert all(isinstance(error, Conflict) for error in refused if error)
    assert store.api_keys.get("same") == keys[refused.index(None)]


def test_all_are_listed_in_the_order_they_were_made(store: Store) -> None:
    assert store.api_keys.list_all() == []
    keys = [added(store, str(number), seconds=number) for number in range(5)]
    revoked = store.api_keys.revoke(keys[2].id, now=at(9))
    assert store.api_keys.list_all() == [*keys[:2], revoked, *keys[3:]]


def test_a_revoked_key_says_so_and_the_first_time_counts(store: Store) -> None:
    key, other = added(store), added(store)
    revoked = store.api_keys.revoke(key.id, now=at(5))
    assert revoked == replace(key, revoked_at=at(5))
    assert store.api_keys.revoke(key.id, now=at(6)) == revoked
    assert store.api_keys.get(key.id) == revoked
    assert store.api_keys.get(other.id) == other


def test_a_use_is_remembered(store: Store) -> None:
    key = added(store)
    store.api_keys.touch(key, used_at=at(5))
    used = store.api_keys.get(key.id)
    assert used == replace(key, last_used_at=at(5))
    store.api_keys.touch(used, used_at=at(65))
    assert store.api_keys.get(key.id) == replace(key, last_used_at=at(65))


def test_who_did_not_see_the_last_use_writes_none(store: Store) -> None:
    key = added(store)
    store.api_keys.touch(key, used_at=at(65))
    store.api_keys.touch(key, used_at=at(5))
    store.api_keys.touch(replace(key, last_used_at=at(3)), used_at=at(70))
    assert store.api_keys.get(key.id) == replace(key, last_used_at=at(65))


def test_a_use_of_an_unknown_key_is_ignored(store: Store) -> None:
    store.api_keys.touch(made(), used_at=at(5))
    assert store.api_keys.list_all() == []


def test_a_use_does_not_undo_a_revocation(store: Store) -> None:
    key = added(store)
    store.api_keys.revoke(key.id, now=at(1))
    store.api_keys.touch(key, used_at=at(2))
    assert store.api_keys.get(key.id) == replace(key, revoked_at=at(1), last_used_at=at(2))

"""API keys in DynamoDB: an item each, all in one partition. There are a handful, and a worker reads one a second."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, EXISTS, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import Conflict
from chatapp.domain.models import Scope


class DynamoApiKeys:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    def add(self, key: ApiKey) -> None:
        item: Item = {
            "id": key.id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "digest": key.digest,
            "created_at": to_ms(key.created_at),
        }

        def work() -> None:
            try:
                self._db.write(Put(keys.api_key(key.id), item, ABSENT))
            except LostRace as exc:
                stored = self._db.get(keys.api_key(key.id))
                if not (exc.doubt and stored and stored["digest"] == key.digest):  # else it is our own write
                    raise Conflict(keyId=key.id) from exc

        self._db.run(work)

    def get(self, key_id: str) -> ApiKey | None:
        item = self._db.run(lambda: self._db.get(keys.api_key(key_id)))
        return _to_key(item) if item else None

    def list_all(self) -> list[ApiKey]:
        items = self._db.run(lambda: list(self._db.query(keys.USERS, keys.API_KEYS, keys.FIRST, keys.LAST)))
        return sorted(map(_to_key, items), key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey | None:
        when = f"{EXISTS} AND attribute_not_exists(#revoked_at)"

        def work() -> ApiKey | None:
            with suppress(LostRace):  # unknown, or revoked before
                self._db.write(Update(keys.api_key(key_id), {"revoked_at": to_ms(now)}, when))
            item = self._db.get(keys.api_key(key_id))
            return _to_key(item) if item else None

        return self._db.run(work)

    def touch(self, key: ApiKey, *, used_at: datetime) -> None:
        changes: Item = {"last_used_at": to_ms(used_at)}
        if key.last_used_at is None:
            action = Update(keys.api_key(key.id), changes, f"{EXISTS} AND attribute_not_exists(#last_used_at)")
        else:
            before: Item = {"before": to_ms(key.last_used_at)}
            action = Update(keys.api_key(key.id), changes, f"{EXISTS} AND #last_used_at = :before", before)

        def work() -> None:
            with suppress(LostRace):  # unknown, or somebody else has just said so
                self._db.write(action)

        self._db.run(work)


def _to_key(item: Item) -> ApiKey:
    return ApiKey(
        id=item["id"],
        name=item["name"],
        scopes=frozenset(map(Scope, item["scopes"])),
        created_at=from_ms(item["created_at"]),
        digest=item["digest"],
        last_used_at=from_ms(item.get("last_used_at")),
        revoked_at=from_ms(item.get("revoked_at")),
    )

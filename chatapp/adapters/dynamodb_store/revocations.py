"""Revocations of tokens in DynamoDB: an item each, and one that changes with them, for whom asks each second."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Delete, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.revocations import Revocation


class DynamoRevocations:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    def revoke(self, revocation: Revocation) -> None:
        key, before = keys.revocation(revocation.user_id), to_ms(revocation.before)

        def work() -> None:
            stored = self._db.get(key)
            if stored and stored["before"] >= before:  # also when it is our own, whose answer was lost
                return
            self._db.write(
                Update(
                    key,
                    {"user_id": revocation.user_id, "before": before},
                    f"{ABSENT} OR #before < :before",
                    {"before": before},
                ),
                Put(keys.revocations_version(), {"version": new_token()}),
            )

        self._db.run(work)

    def version(self) -> str:
        item = self._db.run(lambda: self._db.get(keys.revocations_version()))
        return item["version"] if item else ""

    def list_all(self) -> list[Revocation]:
        items = self._db.run(lambda: list(self._db.query(keys.USERS, keys.REVOCATIONS, keys.FIRST, keys.LAST)))
        return [Revocation(item.get("user_id"), from_ms(item["before"])) for item in items]

    def forget(self, *, until: datetime) -> None:
        for revocation in self.list_all():
            if revocation.before <= until:
                self._forget(revocation)

    def _forget(self, revocation: Revocation) -> None:
        action = Delete(keys.revocation(revocation.user_id), "#before = :before", {"before": to_ms(revocation.before)})

        def work() -> None:
            with suppress(LostRace):  # it is another by now, or gone
                self._db.write(action)

        self._db.run(work)

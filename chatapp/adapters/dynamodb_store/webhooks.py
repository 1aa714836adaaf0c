"""Webhook endpoints in DynamoDB: an item each, and one that changes with them; and their tries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, EXISTS, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.dynamodb_store.lanes import DynamoLanes, put_delivery
from chatapp.adapters.times import from_ms, to_ms
from chatapp.adapters.webhook_codec import from_endpoint, to_delivery, to_endpoint
from chatapp.domain.models import Page
from chatapp.domain.webhooks import Delivery, Endpoint
from chatapp.ports import Journal


class DynamoWebhooks(DynamoLanes):
    def __init__(self, db: Dynamo, journal: Journal) -> None:
        super().__init__(db)
        self._journal = journal

    # ------------------------------------------------------------ endpoints
    def version(self) -> str:
        item = self._db.run(lambda: self._db.get(keys.webhooks_version()))
        return item["version"] if item else ""

    def list_all(self) -> list[Endpoint]:
        items = self._db.run(lambda: list(self._db.query(keys.USERS, keys.WEBHOOKS, keys.FIRST, keys.LAST)))
        return sorted(map(_to_endpoint, items), key=lambda endpoint: (endpoint.created_at, endpoint.id))

    def get(self, endpoint_id: str) -> Endpoint | None:
        item = self._db.run(lambda: self._db.get(keys.webhook(endpoint_id)))
        return _to_endpoint(item) if item else None

    def add(self, endpoint: Endpoint) -> Endpoint:
        stored = replace(endpoint, since=make_cursor(to_ms(self._journal.now()), ""))
        item: Item = {"id": stored.id, "body": from_endpoint(stored), "version": new_token()}

        def work() -> Endpoint:
            try:
                self._db.write(Put(keys.webhook(stored.id), item, ABSENT), _touched())
            except LostRace as exc:
                found = self._db.get(keys.webhook(stored.id))
                if not (exc.doubt and found and found["version"] == item["version"]):  # else it is our own write
                    raise
            return stored

        return self._db.run(work)

    def change(self, endpoint_id: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        """``change`` done again to what it has made, should an answer be lost, makes the same."""
        key = keys.webhook(endpoint_id)

        def work() -> Endpoint | None:
            item = self._db.get(key)
            if item is None:
                return None
            before = _to_endpoint(item)
            after = change(before)
            if after != before:
                changes: Item = {"body": from_endpoint(after), "version": new_token()}
                self._db.write(Update(key, changes, "#version = :version", {"version": item["version"]}), _touched())
            return after

        return self._db.run(work)

    def note_success(self, endpoint_id: str, *, at: datetime) -> None:
        self._note(endpoint_id, {"last_success_at": to_ms(at)})

    def remove(self, endpoint_id: str) -> bool:
        """The endpoint first, which stops all that is done for it; the rest can be repeated."""
        key = keys.webhook(endpoint_id)

        def work() -> bool:
            found = self._db.get(key) is not None
            if found:
                with suppress(LostRace):  # by somebody else, or by an attempt of ours
                    self._db.write(Delete(key, EXISTS), _touched())
            for partition in (keys.lanes(endpoint_id), keys.dues(endpoint_id), keys.deliveries(endpoint_id)):
                self._drop(partition, keys.LAST)
            return found

        return self._db.run(work)

    def swept(self, endpoint_id: str) -> str | None:
        item = self._db.run(lambda: self._db.get(keys.webhook(endpoint_id)))
        return item.get("swept") if item else None

    def set_swept(self, endpoint_id: str, cursor: str) -> None:
        self._note(endpoint_id, {"swept": cursor})

    def _note(self, endpoint_id: str, changes: Item) -> None:
        def work() -> None:
            with suppress(LostRace):  # unknown
                self._db.write(Update(keys.webhook(endpoint_id), changes))

        self._db.run(work)

    # ------------------------------------------------------------ tries
    def deliveries(self, endpoint_id: str, *, limit: int, cursor: str | None = None) -> Page[Delivery]:
        (before,) = (keys.LAST,) if cursor is None else read_cursor(cursor, str)

        def work() -> Page[Delivery]:
            newest_first = self._db.query(
                keys.USERS,
                keys.deliveries(endpoint_id),
                keys.FIRST,
                before,
                descending=True,
                page=limit + 2,
            )
            found = list(islice((item for item in newest_first if item["sk"] != before), limit + 1))
            page = [to_delivery(item["body"]) for item in found[:limit]]
            return Page(page, make_cursor(found[limit - 1]["sk"]) if len(found) > limit else None)

        return self._db.run(work)

    def add_delivery(self, delivery: Delivery) -> None:
        self._db.run(lambda: self._db.write(put_delivery(delivery)))

    def forget_deliveries(self, *, until: datetime) -> None:
        for endpoint in self.list_all():
            partition = keys.deliveries(endpoint.id)
            self._db.run(lambda partition=partition: self._drop(partition, keys.timed(to_ms(until))))  # type: ignore[misc]

    def _drop(self, partition: str, high: str) -> None:
        items = self._db.query(keys.USERS, partition, keys.FIRST, high)
        while batch := list(islice(items, 500)):
            self._db.write_each(Delete(keys.Key(keys.USERS, item["pk"], item["sk"])) for item in batch)


def _touched() -> Put:
    return Put(keys.webhooks_version(), {"version": new_token()})


def _to_endpoint(item: Item) -> Endpoint:
    return replace(to_endpoint(item["body"]), last_success_at=from_ms(item.get("last_success_at")))

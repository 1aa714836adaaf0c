"""How far webhook endpoints have come in their lanes, in DynamoDB.

A lane that is due has an item beside it, in the order of time; both change in one transaction. ``change`` is another
with each write, so that nobody writes over what he has not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice

from chatapp.adapters.cursors import read_cursor
from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Delete, Item, Put
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.events import in_lane, last_until
from chatapp.adapters.times import from_ms, to_ms
from chatapp.adapters.webhook_codec import from_delivery
from chatapp.domain.webhooks import REPLAY, Backlog, Claim, Delivery, Endpoint, Lane

LOOKED_AT = 1000
"""Lanes that are looked at for since when the oldest event waits."""


class DynamoLanes:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    def lane(self, endpoint: Endpoint, lane: str) -> Lane:
        return self._db.run(lambda: _to_lane(self._stored(endpoint, lane)))

    def claim(self, endpoint: Endpoint, lane: str, *, owner: str, now: datetime, until: datetime) -> Lane | Claim:
        def work() -> Lane | Claim:
            item = self._stored(endpoint, lane)
            if item.get("owner") not in (None, owner) and item["leased_until"] > to_ms(now):
                return Claim.BUSY
            if item.get("due_at") is not None and item["due_at"] > to_ms(now):
                return Claim.PARKED
            due_at = item.get("due_at", to_ms(now))
            changes: Item = {"owner": owner, "leased_until": to_ms(until), "due_at": due_at}
            self._write(item, changes)
            return _to_lane(item | changes)

        return self._db.run(work)

    def extend(self, lane: Lane, *, owner: str, until: datetime) -> bool:
        return self._as_owner(lane, owner, lambda item: self._write(item, {"leased_until": to_ms(until)}))

    def settle(self, lane: Lane, *, owner: str, until: datetime | None, delivery: Delivery | None) -> bool:
        """A try is put under its own id: to write it twice is harmless."""
        changes = _from_lane(lane) | {
            "owner": owner if until else None,
            "leased_until": to_ms(until) if until else 0,
        }
        tried = [put_delivery(delivery)] if delivery else []
        return self._as_owner(lane, owner, lambda item: self._write(item, changes, *tried))

    def rest(self, lane: Lane, *, owner: str) -> bool:
        """What is stored between the look and the write has its own wake-up, which finds the lane taken, looks again
        a moment later and finds it given back."""
        if self._db.run(lambda: in_lane(self._db, lane.name, lane.position, 1)):
            return False
        changes = {
            "position": lane.position,
            "attempts": 0,
            "due_at": None,
            "failing_since": None,
            "owner": None,
            "leased_until": 0,
        }
        return self._as_owner(lane, owner, lambda item: self._write(item, changes))

    def make_due(self, endpoint: Endpoint, lane: str, *, position: str, now: datetime) -> None:
        def work() -> None:
            item = self._stored(endpoint, lane)
            if item.get("due_at") is None and item["position"] < position:
                self._write(item, {"due_at": to_ms(now)})

        self._db.run(work)

    def due(self, endpoint_id: str, *, by: datetime, limit: int) -> list[tuple[str, datetime]]:
        high = keys.timed(to_ms(by), keys.LAST)

        def work() -> list[tuple[str, datetime]]:
            lanes = self._due(endpoint_id, high, limit)
            found = [(item["name"], max(item["due_at"], item["leased_until"])) for item in lanes]
            return [(name, from_ms(free_at)) for name, free_at in found if free_at <= to_ms(by)]

        return self._db.run(work)

    def backlog(self, endpoint_id: str) -> Backlog:
        def work() -> Backlog:
            count = sum(1 for _ in self._db.query(keys.USERS, keys.dues(endpoint_id), keys.FIRST, keys.LAST))
            waiting = self._due(endpoint_id, keys.LAST, LOOKED_AT)
            since: list[int] = [item.get("failing_since") or item["due_at"] for item in waiting]
            return Backlog(count, from_ms(min(since)) if since else None)

        return self._db.run(work)

    # ------------------------------------------------------------ helpers
    def _due(self, endpoint_id: str, high: str, limit: int) -> list[Item]:
        """The lanes that are due by then, those due for longest first."""
        items = self._db.query(keys.USERS, keys.dues(endpoint_id), keys.FIRST, high, page=limit)
        found = self._db.get_many(keys.lane(endpoint_id, item["name"]) for item in islice(items, limit))
        return [item for item in found.values() if item.get("due_at") is not None]

    def _stored(self, endpoint: Endpoint, lane: str) -> Item:
        """One that is not there yet as it would be, without ``change``."""
        return self._db.get(keys.lane(endpoint.id, lane)) or {
            "endpoint_id": endpoint.id,
            "name": lane,
            "position": self._start(endpoint, lane),
            "attempts": 0,
            "leased_until": 0,
        }

    def _start(self, endpoint: Endpoint, lane: str) -> str:
        ms, _ = read_cursor(endpoint.since, int, str)
        return "" if lane.startswith(REPLAY) else last_until(self._db, lane, ms)

    def _as_owner(self, lane: Lane, owner: str, write: Callable[[Item], None]) -> bool:
        """False when it is somebody else's."""
        change = new_token()

        def work() -> bool:
            item = self._db.get(keys.lane(lane.endpoint_id, lane.name))
            if item and item.get("by") == change:  # an attempt got through; its answer did not
                return True
            if item is None or item.get("owner") != owner:
                return False
            write(item | {"by": change})
            return True

        return self._db.run(work)

    def _write(self, item: Item, changes: Item, *beside: Action) -> None:
        """Raises LostRace when it is not the newest any more."""
        key = keys.lane(item["endpoint_id"], item["name"])
        after = {name: value for name, value in (item | changes).items() if name not in ("pk", "sk")}
        after["change"] = new_token()
        when, values = ("#change = :change", {"change": item["change"]}) if "change" in item else (ABSENT, {})
        moved = _moved(item, item.get("due_at"), after.get("due_at"))
        self._db.write(Put(key, after, when, values), *moved, *beside)


def put_delivery(delivery: Delivery) -> Put:
    key = keys.delivery(delivery.endpoint_id, to_ms(delivery.at), delivery.id)
    return Put(key, {"body": from_delivery(delivery)})


def _moved(item: Item, before: int | None, after: int | None) -> list[Action]:
    """The item of a lane that is due, to where it belongs."""
    if before == after:
        return []
    endpoint_id, name = item["endpoint_id"], item["name"]
    actions: list[Action] = []
    if before is not None:
        actions.append(Delete(keys.due(endpoint_id, before, name)))
    if after is not None:
        actions.append(Put(keys.due(endpoint_id, after, name), {"name": name}))
    return actions


def _to_lane(item: Item) -> Lane:
    return Lane(
        endpoint_id=item["endpoint_id"],
        name=item["name"],
        position=item["position"],
        attempts=item["attempts"],
        due_at=from_ms(item.get("due_at")),
        failing_since=from_ms(item.get("failing_since")),
    )


def _from_lane(lane: Lane) -> Item:
    return {
        "position": lane.position,
        "attempts": lane.attempts,
        "due_at": to_ms(lane.due_at),
        "failing_since": to_ms(lane.failing_since),
    }

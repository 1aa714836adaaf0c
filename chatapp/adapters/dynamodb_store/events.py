"""The event log in DynamoDB: each event is an item in its lane, and one in the feed that says where.

Nothing numbers all events here: that would be one item that every write waits for. The feed is in the order of the
clocks, and transactions end in another. So it is told only up to ``HORIZON`` ago, when every transaction from before
has ended or never will. Lanes do not wait for that: in a lane the conversation's ``rev`` gives the order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from operator import itemgetter

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Action, Delete, Item, Put
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.happenings import EventType, Happening
from chatapp.domain.webhooks import EventPage, LoggedEvent
from chatapp.ports import Journal

HORIZON = timedelta(seconds=15)
"""A transaction is begun for the last time 5 s after its first attempt, which takes 3 s at most (client, connection).
The rest is for clocks that disagree."""

ID_TIME_TOLERANCE_MS = 2_000
"""An event's id and its time are made one after the other."""


class DynamoEvents:
    def __init__(self, db: Dynamo, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def append(self, happening: Happening) -> str | None:
        """In a lane of its own: beside a ``rev`` that others take it has no place."""
        entries = self._journal.entries(happening)
        if not entries:
            return None
        entry = replace(entries[0], lane=f"{happening.lane}#{entries[0].id}")
        self._db.run(lambda: self._db.write(*log([entry], 0)))
        return entry.lane

    def end(self) -> str:
        return make_cursor(to_ms(self._journal.now()), "")

    def page(self, *, after: str | None, limit: int) -> EventPage:
        since: tuple[int, str] = (0, "") if after is None else read_cursor(after, int, str)
        horizon = to_ms(self._journal.now() - HORIZON)

        def work() -> EventPage:
            found = self._feed(f"{keys.timed(*since)}\0", keys.timed(horizon, keys.LAST), limit + 1)
            pointers, more = found[:limit], len(found) > limit
            last = (pointers[-1]["at"], pointers[-1]["id"]) if pointers else since
            return EventPage(tuple(self._read(pointers)), make_cursor(*last), more)

        return self._db.run(work)

    def find(self, event_ids: Collection[str]) -> list[LoggedEvent]:
        return self._db.run(lambda: self._read(found for id_ in set(event_ids) for found in self._pointers(id_)))

    def between(self, first: datetime, last: datetime, *, limit: int) -> list[LoggedEvent]:
        low, high = keys.timed(to_ms(first)), keys.timed(to_ms(last), keys.LAST)
        return self._db.run(lambda: self._read(self._feed(low, high, limit)))

    def in_lane(self, lane: str, *, after: str, limit: int) -> list[LoggedEvent]:
        return self._db.run(lambda: in_lane(self._db, lane, after, limit))

    def copy_to_lane(self, lane: str, events: Sequence[LoggedEvent]) -> str:
        places = [keys.position(number) for number in range(1, len(events) + 1)]
        copies = [
            Put(keys.event(lane, place), _from_event(replace(event, lane=lane)))
            for place, event in zip(places, events, strict=True)
        ]
        self._db.run(lambda: self._db.write_each(copies))
        return places[-1] if places else ""

    def forget(self, *, until: datetime, limit: int) -> int:
        def work() -> int:
            old = self._feed(keys.FIRST, keys.timed(to_ms(until)), limit)
            self._db.write_each(Delete(keys.event(item["lane"], item["position"])) for item in old)
            self._db.write_each(Delete(keys.in_feed(item["at"], item["id"])) for item in old)
            return len(old)

        return self._db.run(work)

    # ------------------------------------------------------------ the feed
    def _feed(self, low: str, high: str, limit: int) -> list[Item]:
        shards = [
            islice(self._db.query(keys.MESSAGES, keys.feed(shard), low, high, page=limit), limit)
            for shard in range(keys.FEED_SHARDS)
        ]
        return list(islice(merge(*shards, key=itemgetter("sk")), limit))

    def _pointers(self, event_id: str) -> Iterator[Item]:
        """The id says when it was made."""
        try:
            made_at = int(event_id.removeprefix("evt_")[:12], 16)
        except ValueError:
            return
        low, high = (keys.timed(max(0, made_at + by)) for by in (-ID_TIME_TOLERANCE_MS, ID_TIME_TOLERANCE_MS))
        shard = keys.feed(keys.shard_of(event_id))
        for item in self._db.query(keys.MESSAGES, shard, low, high):
            if item["id"] == event_id:
                yield item

    def _read(self, pointers: Iterable[Item]) -> list[LoggedEvent]:
        """What they point at, as far as it is still there."""
        found = self._db.get_many(keys.event(item["lane"], item["position"]) for item in pointers)
        return _in_order(map(_to_event, found.values()))


def log(entries: Iterable[LoggedEvent], number: int) -> list[Action]:
    """To be written with what they tell; ``number`` is its ``rev``."""
    actions: list[Action] = []
    for part, entry in enumerate(entries):
        place, at = keys.position(number, part), to_ms(entry.at)
        pointer: Item = {"lane": entry.lane, "position": place, "at": at, "id": entry.id}
        actions += [
            Put(keys.event(entry.lane, place), _from_event(entry)),
            Put(keys.in_feed(at, entry.id), pointer),
        ]
    return actions


def in_lane(db: Dynamo, lane: str, after: str, limit: int) -> list[LoggedEvent]:
    low = f"{after}\0" if after else keys.FIRST
    items = db.query(keys.MESSAGES, keys.lane_events(lane), low, keys.LAST, page=limit)
    return [_to_event(item) for item in islice(items, limit)]


def last_until(db: Dynamo, lane: str, ms: int) -> str:
    """The position in its lane of the last event from until then."""
    newest_first = db.query(keys.MESSAGES, keys.lane_events(lane), keys.FIRST, keys.LAST, descending=True, page=20)
    return next((str(item["sk"]) for item in newest_first if item["at"] <= ms), "")


def _in_order(events: Iterable[LoggedEvent]) -> list[LoggedEvent]:
    """By time; and those of one lane, whatever the clocks said, by their positions."""
    by_time = sorted(events, key=lambda event: (event.at, event.id))
    lanes: defaultdict[str, list[LoggedEvent]] = defaultdict(list)
    for event in by_time:
        lanes[event.lane].append(event)
    turns = {lane: iter(sorted(of_one, key=lambda event: event.position)) for lane, of_one in lanes.items()}
    return [next(turns[event.lane]) for event in by_time]


def _from_event(event: LoggedEvent) -> Item:
    return {
        "id": event.id,
        "type": event.type.value,
        "lane": event.lane,
        "at": to_ms(event.at),
        "body": event.body,
    }


def _to_event(item: Item) -> LoggedEvent:
    return LoggedEvent(item["id"], EventType(item["type"]), item["lane"], from_ms(item["at"]), item["body"], item["sk"])

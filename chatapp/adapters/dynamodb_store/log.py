"""Where the changes of a conversation are found: its messages, its read marks, and the entries of all others.

Reads are not isolated: a head may be seen a moment before what was written with it, and what the head tells of may be
gone a moment later. So what must be there is counted; when something is missing it is a LostRace: read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Item
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.dynamodb_store.items import rev_of_head, rev_of_message

OF_MESSAGES = {"edit", "delete"}
"""Kinds of entries that have a message's ``seq``."""


@dataclass(frozen=True, slots=True)
class Logged:
    """``kind`` is the entry's, or ``message`` or ``mark``."""

    rev: int
    kind: str
    item: Item


class Log:
    """Of each sort the first ``wanted`` after ``since``, in the order of ``rev``."""

    def __init__(self, db: Dynamo, head: Item, since: int, wanted: int) -> None:
        self._db = db
        self._head = head
        self._since = since
        self._wanted = wanted
        self._partition = keys.messages(head["id"])

    def messages(self) -> list[Logged]:
        last_seq: int = self._head["last_seq"]
        if self._head.get("last_rev", last_seq) <= self._since:
            return []
        first, found = self._first_seq(), list[Logged]()
        low, high = keys.numbered(first), keys.numbered(last_seq)
        items = self._db.query(keys.MESSAGES, self._partition, low, high, page=self._wanted)
        for seq in range(first, last_seq + 1):
            item = next(items, None)
            if item is None or item["seq"] != seq:
                raise LostRace(doubt=False)
            if rev_of_message(item) > self._since:
                found.append(Logged(rev_of_message(item), "message", item))
            if len(found) == self._wanted:
                break
        return found

    def _first_seq(self) -> int:
        """That of the first message after ``since``, or of one a few before it.

        A message's ``rev`` grows with its ``seq`` and is never less, and no more messages than changes came after
        ``since``; between these bounds it is found by halving.
        """
        last_seq, since = self._head["last_seq"], self._since
        old: int = max(self._head["purged_seq"], last_seq - (rev_of_head(self._head) - since))
        new = max(old, min(since, last_seq)) + 1
        while new - old > self._wanted:
            seq = (old + new) // 2
            item = self._db.get(keys.message(self._head["id"], seq))
            if item is None:
                raise LostRace(doubt=False)
            old, new = (old, seq) if rev_of_message(item) > since else (seq, new)
        return old + 1

    def entries(self) -> list[Logged]:
        newest = self._head.get("last_change", 0)
        if newest <= self._since:
            return []
        low, high = keys.numbered_change(self._since + 1), keys.numbered_change(newest)
        seen, found = 0, list[Logged]()
        for item in self._db.query(keys.MESSAGES, self._partition, low, high, page=self._wanted):
            seen = item["rev"]
            if item["kind"] not in OF_MESSAGES or item["seq"] > self._head["purged_seq"]:
                found.append(Logged(seen, item["kind"], item))
            if len(found) == self._wanted:
                return found
        if seen != newest:
            raise LostRace(doubt=False)
        return found

    def marks(self) -> list[Logged]:
        """All of them: they lie by user."""
        newest = self._head.get("last_mark", 0)
        if newest <= self._since:
            return []
        items = list(self._db.query(keys.MESSAGES, self._partition, keys.FIRST_MARK, keys.LAST_MARK))
        together = self._head.get("marks", 0)
        if sum(item["rev"] > newest - together for item in items) < together:
            raise LostRace(doubt=False)
        return [Logged(item["rev"], "mark", item) for item in items if self._since < item["rev"] <= newest]

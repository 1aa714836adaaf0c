"""How entries of one kind that wait together in the outbox become one transaction with the conversation's head."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Action, Item
from chatapp.adapters.dynamodb_store.client import Dynamo, RequestRefused
from chatapp.adapters.dynamodb_store.heads import require_live
from chatapp.adapters.dynamodb_store.outbox import Entry
from chatapp.domain.errors import ChatError

E = TypeVar("E", bound=Entry[Any])
R = TypeVar("R")
Found = Mapping[keys.Key, Item]


class Delivery(Generic[E, R]):
    """What becomes of some entries, at least one, however many attempts that takes."""

    def __init__(self, db: Dynamo, conversation_id: str, entries: Sequence[E]) -> None:
        self._db = db
        self._conversation_id = conversation_id
        self._entries = entries
        self._settled: dict[E, R | Exception] = {}
        self._attempts = 0

    def outcomes(self) -> list[R | Exception]:
        """Raises RequestRefused, of which one entry may be the cause."""
        try:
            self._db.again(self._attempt)
        except RequestRefused:
            raise
        except ChatError as exc:
            return [self._settled.get(entry, exc) for entry in self._entries]
        return [self._settled[entry] for entry in self._entries]

    # ------------------------------------------------------------ what the kinds do differently
    @abstractmethod
    def wanted(self, entry: E, *, again: bool) -> Collection[keys.Key]:
        """What is to be read for it; ``again`` when an attempt may have got through and only its answer was lost."""

    @abstractmethod
    def decide(self, found: Found, head: Item, entry: E) -> R | None:
        """Its outcome when there is nothing to write for it any more, which may also be raised as a ChatError."""

    @abstractmethod
    def plan(self, found: Found, head: Item, entries: Sequence[E]) -> tuple[list[Action], dict[E, R]]:
        """One transaction for these, and their outcomes when it succeeds."""

    # ------------------------------------------------------------ an attempt
    def _attempt(self) -> None:
        wanted = [keys.head(self._conversation_id)]
        for entry in self._entries:
            wanted += self.wanted(entry, again=self._attempts > 0)
        found = self._db.get_many(wanted)
        self._attempts += 1
        if new := [entry for entry in self._entries if not self._is_settled(found, entry)]:
            actions, outcomes = self.plan(found, found[keys.head(self._conversation_id)], new)
            write = self._db.write_along if self._attempts == 1 else self._db.write  # who lost keeps others out of it
            write(*actions)
            self._settled.update(outcomes)

    def _is_settled(self, found: Found, entry: E) -> bool:
        if entry not in self._settled:
            try:
                head = require_live(found.get(keys.head(self._conversation_id)), self._conversation_id)
                outcome: R | Exception | None = self.decide(found, head, entry)
            except ChatError as exc:
                outcome = exc
            if outcome is not None:
                self._settled[entry] = outcome
        return entry in self._settled


def deliver(deliveries: Callable[[Sequence[E]], Delivery[E, R]], together: Sequence[E]) -> list[R | Exception]:
    """The outcomes of these entries, or of the first alone when the engine refuses one of them."""
    try:
        return deliveries(together).outcomes()
    except RequestRefused as exc:
        return [exc] if len(together) == 1 else deliver(deliveries, together[:1])

"""How a change that is neither a message nor a read mark is written: with its entry in the conversation's log, under
the next ``rev``, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Item, Put
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.heads import move
from chatapp.adapters.dynamodb_store.items import rev_of_head
from chatapp.domain.webhooks import LoggedEvent

R = TypeVar("R")


class Recorder(Generic[R]):
    """Writes one change, however many attempts that takes, and knows it again when only its answer was lost."""

    def __init__(self, db: Dynamo, conversation_id: str) -> None:
        self._db = db
        self._conversation_id = conversation_id
        self._change = new_token()
        self._tried: tuple[int, R] | None = None

    def earlier(self) -> R | None:
        """The result of an attempt that got through without our hearing of it."""
        if self._tried is None:
            return None
        rev, result = self._tried
        entry = self._db.get(keys.change(self._conversation_id, rev))
        return result if entry and entry["change"] == self._change else None

    def write(
        self,
        head: Item,
        changes: Item,
        entry: Item,
        *actions: Action,
        result: Callable[[Item, int], R],
        told: Iterable[LoggedEvent] = (),
    ) -> R:
        """``result`` makes what is returned of the head afterwards and the change's ``rev``; ``told`` goes into the
        event log.

        Raises LostRace when ``head`` is not the newest any more.
        """
        rev = rev_of_head(head) + 1
        changes = changes | {"changes": head.get("changes", 0) + 1, "last_change": rev}
        made = result(head | changes, rev)
        self._tried = (rev, made)
        logged = Put(keys.change(self._conversation_id, rev), entry | {"rev": rev, "change": self._change}, ABSENT)
        self._db.write(move(head, changes), logged, *actions, *log(told, rev))
        return made

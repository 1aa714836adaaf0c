"""Writes of one conversation queue behind each other, and those of a kind that wait together may go out together.

Each takes the conversation's next ``rev``, so two at once would only refuse each other; one transaction takes many
sends or read marks. It also keeps the promise that calls return in the order of their numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult

from chatapp.adapters.dynamodb_store.client import PATIENCE_SECONDS, Dynamo
from chatapp.domain.errors import StoreUnavailable

R = TypeVar("R")

LONGEST_WAIT_SECONDS = PATIENCE_SECONDS / 2
"""Who has waited so long is refused: the engine is silent, or slower than what is asked of it."""


class Entry(Generic[R]):
    """Something to be written, with R for an outcome."""


@dataclass(frozen=True, slots=True, eq=False)
class Alone(Entry[R]):
    """Goes out by itself. ``attempt`` is made again when it raises LostRace; it must not wait for this outbox."""

    attempt: Callable[[], R]


Deliver = Callable[[Sequence[Any]], Sequence[object]]
"""The outcomes, or the exceptions, of the first so many entries of one kind; the others wait for the next delivery."""


@dataclass(eq=False, slots=True)
class _Waiting:
    entry: Entry[Any]
    since: float = field(default_factory=monotonic)
    result: AsyncResult[Any] = field(default_factory=AsyncResult)


class Outbox:
    def __init__(self, db: Dynamo, together: Mapping[type[Entry[Any]], Deliver]) -> None:
        self._db = db
        self._together = together
        self._queues: dict[str, deque[_Waiting]] = {}

    def send(self, conversation_id: str, entry: Entry[R]) -> R:
        waiting = _Waiting(entry)
        queue = self._queues.get(conversation_id)
        if queue is None:
            self._queues[conversation_id] = deque([waiting])
            gevent.spawn(self._drain, conversation_id)
        else:
            queue.append(waiting)
        return cast(R, waiting.result.get())

    def _drain(self, conversation_id: str) -> None:
        queue = self._queues[conversation_id]
        while queue:
            self._refuse_late(queue)
            if queue:
                for outcome in self._outcomes(_alike(queue)):
                    _settle(queue.popleft(), outcome)
        del self._queues[conversation_id]

    def _outcomes(self, entries: list[Entry[Any]]) -> Sequence[object]:
        if isinstance(first := entries[0], Alone):
            return [self._outcome(first)]
        try:
            return self._together[type(first)](entries)
        except Exception as exc:
            return [exc] * len(entries)

    def _outcome(self, alone: Alone[Any]) -> object:
        try:
            return self._db.again(alone.attempt)
        except Exception as exc:
            return exc

    def _refuse_late(self, queue: deque[_Waiting]) -> None:
        while queue and monotonic() - queue[0].since > LONGEST_WAIT_SECONDS:
            _settle(queue.popleft(), StoreUnavailable(engine="dynamodb", reason="waited too long"))


def _alike(queue: Iterable[_Waiting]) -> list[Entry[Any]]:
    """Those of the first one's kind that nothing else waits between."""
    _, run = next(groupby((waiting.entry for waiting in queue), key=type))
    return list(run)


def _settle(waiting: _Waiting, outcome: object) -> None:
    """Waiters wake in this order."""
    if isinstance(outcome, Exception):
        waiting.result.set_exception(outcome)
    else:
        waiting.result.set(outcome)

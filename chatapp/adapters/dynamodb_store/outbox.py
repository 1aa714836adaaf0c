"""Sends of one conversation queue behind each other, and those that wait go out together.

Every send takes the conversation's next number, so two at once would only refuse each other; one transaction takes
many. It also keeps the promise that calls return in the order of their numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult

from chatapp.adapters.dynamodb_store.client import PATIENCE_SECONDS
from chatapp.domain.errors import StoreUnavailable

E = TypeVar("E")
R = TypeVar("R")

LONGEST_WAIT_SECONDS = PATIENCE_SECONDS / 2
"""Who has waited so long is refused: the engine is silent, or slower than what is asked of it."""

Deliver = Callable[[Sequence[E]], Sequence[R | Exception]]
"""The outcomes of the first so many entries, at least one; the others wait for the next delivery."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[E]):
    entry: E
    since: float = field(default_factory=monotonic)
    result: AsyncResult[Any] = field(default_factory=AsyncResult)


class Outbox(Generic[E, R]):
    def __init__(self, deliver: Deliver[E, R]) -> None:
        self._deliver = deliver
        self._queues: dict[str, deque[_Waiting[E]]] = {}

    def send(self, conversation_id: str, entry: E) -> R:
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
                for outcome in self._outcomes([waiting.entry for waiting in queue]):
                    _settle(queue.popleft(), outcome)
        del self._queues[conversation_id]

    def _outcomes(self, entries: list[E]) -> Sequence[R | Exception]:
        try:
            return self._deliver(entries)
        except Exception as exc:
            return [exc] * len(entries)

    def _refuse_late(self, queue: deque[_Waiting[E]]) -> None:
        while queue and monotonic() - queue[0].since > LONGEST_WAIT_SECONDS:
            _settle(queue.popleft(), StoreUnavailable(engine="dynamodb", reason="waited too long"))


def _settle(waiting: _Waiting[E], outcome: object) -> None:
    """Waiters wake in this order."""
    if isinstance(outcome, Exception):
        waiting.result.set_exception(outcome)
    else:
        waiting.result.set(outcome)

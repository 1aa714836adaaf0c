"""Those who ask at the same time share requests.

Who asks alone is served at once. While ``UNDER_WAY`` requests are on their way, who comes waits, and leaves with all
who wait by then: the busier it is, the more go together. Nobody waits for longer than ``LONGEST_WAIT_SECONDS``, so
that a silent engine does not hold up those behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event

from chatapp.domain.errors import StoreUnavailable

W = TypeVar("W")
R = TypeVar("R")

UNDER_WAY = 4
LONGEST_WAIT_SECONDS = 0.25


@dataclass(eq=False, slots=True)
class _Waiting(Generic[W]):
    work: W
    taken: bool = False
    turn: Event = field(default_factory=Event)
    """To lead; or to go, since somebody else did."""
    result: AsyncResult[Any] = field(default_factory=AsyncResult)


class Sharing(Generic[W, R]):
    """``carry`` does some works in one request and returns their outcomes, or exceptions, in their order; what it
    raises all of them get. ``fits`` says whether one more may come along. One of those who wait asks for them all."""

    def __init__(
        self, carry: Callable[[Sequence[W]], Sequence[R | Exception]], *, fits: Callable[[Sequence[W], W], bool]
    ) -> None:
        self._carry = carry
        self._fits = fits
        self._queue: deque[_Waiting[W]] = deque()
        self._under_way = 0

    def do(self, work: W) -> R:
        waiting = _Waiting(work)
        self._queue.append(waiting)
        if self._under_way < UNDER_WAY:
            gevent.sleep(0)  # who asks in the same turn of the loop comes along
        if not waiting.taken and self._under_way >= UNDER_WAY:
            waiting.turn.wait(LONGEST_WAIT_SECONDS)
        while not waiting.taken:
            self._lead()
        return cast(R, waiting.result.get())

    def _lead(self) -> None:
        taken = self._take()
        outcomes: Sequence[R | Exception] = [StoreUnavailable(engine="dynamodb", reason="interrupted")] * len(taken)
        self._under_way += 1
        self._call_next()
        try:
            outcomes = self._carry([waiting.work for waiting in taken])
        except Exception as exc:
            outcomes = [exc] * len(taken)
        finally:
            self._under_way -= 1
            for waiting, outcome in zip(taken, outcomes, strict=True):
                _settle(waiting, outcome)
            self._call_next()

    def _take(self) -> list[_Waiting[W]]:
        """The first of those who wait, and who fits in after them."""
        taken: list[_Waiting[W]] = []
        works: list[W] = []
        while self._queue and (not works or self._fits(works, self._queue[0].work)):
            taken.append(self._queue.popleft())
            taken[-1].taken = True
            works.append(taken[-1].work)
        return taken

    def _call_next(self) -> None:
        if self._queue and self._under_way < UNDER_WAY:
            self._queue[0].turn.set()


def _settle(waiting: _Waiting[Any], outcome: object) -> None:
    if isinstance(outcome, Exception):
        waiting.result.set_exception(outcome)
    else:
        waiting.result.set(outcome)
    waiting.turn.set()  # it need not lead any more

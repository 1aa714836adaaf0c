"""The one place that asks DynamoDB: one policy of retries, one translation of errors.

``run`` carries out one call of a store: it looks, decides and writes, and does so again when somebody else was quicker.
Every request is tried again, with full jitter, while the engine throttles, conflicts, fails or is silent, until
``PATIENCE_SECONDS`` have passed since its first attempt; then it is StoreUnavailable.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

import gevent
import orjson
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, HTTPClientError
from gevent.event import Event

from chatapp.adapters.dynamodb_store.actions import (
    Action,
    Delete,
    Item,
    Put,
    Update,
    from_item,
    placeholders,
    render,
    render_item,
    render_key,
)
from chatapp.adapters.dynamodb_store.answers import QueryAnswer, read_items
from chatapp.adapters.dynamodb_store.connection import Connection, Refused
from chatapp.adapters.dynamodb_store.keys import Key
from chatapp.adapters.dynamodb_store.sharing import Sharing
from chatapp.domain.errors import StoreUnavailable

T = TypeVar("T")

Judge = Callable[[Refused | BotoCoreError], Exception]

PATIENCE_SECONDS = 5.0
"""No attempt begins later than this after the first, nor one that would end later if it took as long as the last."""

MAX_GET = 100
MAX_BATCH = 25
MAX_TRANSACTION = 100
"""BatchGetItem, BatchWriteItem and TransactWriteItems take at most so many."""

MAX_TRANSACTION_BYTES = 3_000_000
"""Of JSON. TransactWriteItems takes 4 MB, in which what an update leaves as it was counts too."""

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
LONGEST_RACE_PAUSE_SECONDS = 0.2
"""Full jitter: a pause is anything up to a bound, which doubles up to these. A race is over in milliseconds."""

PASSING = {
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""Errors that the same request may not meet again."""

PASSING_REASONS = {"None", "ProvisionedThroughputExceeded", "ThrottlingError"}
"""Of a cancelled transaction. Not TransactionConflict: who lost a race looks again before he writes."""

CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}

_random = random.SystemRandom()


def new_token() -> str:
    """Marks a change, so that who made it knows it again when the answer was lost."""
    return str(uuid.uuid4())


class LostRace(Exception):
    """A condition did not hold, so nothing was written by this request.

    ``doubt``: an earlier attempt of the same request had no answer, so perhaps it is our own write that we met.
    """

    def __init__(self, *, doubt: bool) -> None:
        super().__init__("a condition did not hold")
        self.doubt = doubt


class RequestRefused(StoreUnavailable):
    """The engine refuses this request for good; ``details["awsCode"]`` says why."""

    @property
    def aws_code(self) -> str:
        return str(self.details["awsCode"])


class _Passing(Exception):
    """This attempt failed and the next may not. ``doubt``: perhaps only its answer was lost."""

    def __init__(self, *, doubt: bool) -> None:
        super().__init__("an attempt failed")
        self.doubt = doubt


class _Cancelled(Exception):
    """A transaction that several share was; ``reasons`` has a code for each action."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("a shared transaction was cancelled")
        self.reasons = reasons


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    """All or nothing. ``actions``: rendered, without the brackets of a JSON list."""

    keys: frozenset[Key]
    actions: bytes


class Dynamo:
    def __init__(
        self, *, endpoint: str | None, region: str, prefix: str, access_key: str | None, secret_key: str | None
    ) -> None:
        self._prefix = prefix
        self._closed = False
        self._running = 0
        self._idle = Event()
        self._idle.set()
        self._connection = Connection(endpoint=endpoint, region=region, access_key=access_key, secret_key=secret_key)
        self.client = self._connection.client
        self._reads: Sharing[Sequence[Key], dict[Key, Item] | None] = Sharing(self._read_together, fits=_fit_into_batch)
        self._writes: Sharing[_Write, bool] = Sharing(self._write_together, fits=_fit_into_transaction)

    # ------------------------------------------------------------ one call of a store
    def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, done again from its beginning when it raises LostRace. Raises StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable(engine="dynamodb", reason="closed")
        self._running += 1
        self._idle.clear()
        try:
            return self.again(work)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    def again(self, work: Callable[[], T]) -> T:
        patience = Patience(longest_pause=LONGEST_RACE_PAUSE_SECONDS)
        while True:
            try:
                return work()
            except LostRace as exc:
                patience.pause_or_raise(exc)

    def close(self) -> None:
        """Waits for what is running. May be called twice."""
        self._closed = True
        self._idle.wait()
        self._connection.close()

    # ------------------------------------------------------------ reads, always consistent ones
    def get(self, key: Key) -> Item | None:
        return self._read([key]).get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """What there is under these keys, in their order."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for start in range(0, len(wanted), MAX_GET):
            found |= self._read(wanted[start : start + MAX_GET])
        return {key: found[key] for key in wanted if key in found}

    def query(
        self, table: str, pk: str, low: str, high: str, *, descending: bool = False, page: int | None = None
    ) -> Iterator[Item]:
        """Items with ``low <= sk <= high`` in the order of ``sk``; ``page`` is how many one request reads."""
        found = self.query_as(read_items, table, pk, low, high, descending=descending, page=page)
        return map(from_item, found)

    def query_as(
        self,
        read: Callable[[bytes], QueryAnswer[T]],
        table: str,
        pk: str,
        low: str,
        high: str,
        *,
        descending: bool = False,
        page: int | None = None,
    ) -> Iterator[T]:
        """As ``query``, of what ``read`` makes of the items."""
        if low > high:
            return
        values = {":pk": pk, ":low": low, ":high": high}
        condition = "#pk = :pk AND #sk BETWEEN :low AND :high"
        request = {
            "TableName": self.table(table),
            "KeyConditionExpression": condition,
            "ScanIndexForward": not descending,
            "ConsistentRead": True,
            **placeholders(condition, values),
            **({"Limit": page} if page else {}),
        }
        while True:
            answer = self._ask("Query", request, read)
            yield from answer.items
            if answer.last_evaluated_key is None:
                return
            request["ExclusiveStartKey"] = answer.last_evaluated_key

    def _read(self, wanted: Sequence[Key]) -> dict[Key, Item]:
        found = self._reads.do(wanted)
        return self._get_batch(wanted) if found is None else found

    def _read_together(self, reads: Sequence[Sequence[Key]]) -> Sequence[dict[Key, Item] | None]:
        """None to each when one of them is refused: let them try alone."""
        try:
            found = self._get_batch(list(dict.fromkeys(key for wanted in reads for key in wanted)))
        except RequestRefused:
            if len(reads) == 1:
                raise
            return [None] * len(reads)
        return [found] * len(reads)

    def _get_batch(self, keys: Sequence[Key]) -> dict[Key, Item]:
        if len(keys) == 1:
            answer = self.call(
                "GetItem", TableName=self.table(keys[0].table), Key=render_key(keys[0]), ConsistentRead=True
            )
            return {keys[0]: from_item(answer["Item"])} if "Item" in answer else {}
        tables: dict[str, list[dict[str, Any]]] = {}
        for key in keys:
            tables.setdefault(self.table(key.table), []).append(render_key(key))
        request = {name: {"Keys": wanted, "ConsistentRead": True} for name, wanted in tables.items()}
        found: dict[Key, Item] = {}
        for answer in self._until_processed("BatchGetItem", request, "UnprocessedKeys"):
            for name, items in answer["Responses"].items():
                for item in map(from_item, items):
                    found[Key(name.removeprefix(self._prefix), item["pk"], item["sk"])] = item
        return found

    # ------------------------------------------------------------ writes
    def write(self, *actions: Action) -> None:
        """All or nothing. Raises LostRace when a condition does not hold."""
        if len(actions) == 1:  # half the price of a transaction
            operation = {Put: "PutItem", Update: "UpdateItem", Delete: "DeleteItem"}[type(actions[0])]
            self.call(operation, **render(actions[0], self.table))
        else:
            self._transact([self._rendered(actions)], _judge)

    def write_along(self, *actions: Action) -> None:
        """As ``write``, in one transaction with what others write at the same time; what becomes of theirs does not
        matter to these."""
        write = self._rendered(actions)
        if not self._writes.do(write):
            self._transact([write], _judge)

    def _rendered(self, actions: Sequence[Action]) -> _Write:
        items = [{type(action).__name__: render(action, self.table)} for action in actions]
        return _Write(frozenset(action.key for action in actions), orjson.dumps(items)[1:-1])

    def _transact(self, writes: Sequence[_Write], judge: Judge) -> None:
        items = orjson.Fragment(b"[%b]" % b",".join(write.actions for write in writes))
        self.call("TransactWriteItems", judge, TransactItems=items, ClientRequestToken=new_token())

    def _write_together(self, writes: Sequence[_Write]) -> Sequence[bool | Exception]:
        """False to each who shall try alone, because of somebody else or because that may help."""
        if len(writes) == 1:
            self._transact(writes, _judge)
            return [True]
        try:
            self._transact(writes, _judge_shared)
        except RequestRefused:
            return [False] * len(writes)
        except _Cancelled as exc:
            reasons = iter(exc.reasons)
            return [_judge_part(set(islice(reasons, len(write.keys)))) for write in writes]
        return [True] * len(writes)

    def write_each(self, actions: Iterable[Put | Delete]) -> None:
        """One by one in any order, without conditions. Safe to repeat."""
        by_key = list({action.key: action for action in actions}.values())
        for start in range(0, len(by_key), MAX_BATCH):
            request: dict[str, list[dict[str, Any]]] = {}
            for action in by_key[start : start + MAX_BATCH]:
                request.setdefault(self.table(action.key.table), []).append(_batch_entry(action))
            for _ in self._until_processed("BatchWriteItem", request, "UnprocessedItems"):
                pass

    def _until_processed(self, operation: str, request: dict[str, Any], left: str) -> Iterator[dict[str, Any]]:
        patience = Patience()
        while request:
            answer = self.call(operation, RequestItems=request)
            yield answer
            before, request = request, answer.get(left) or {}
            if request == before:  # no progress at all
                patience.pause_or_raise(None)
            elif request:
                patience = Patience()

    # ------------------------------------------------------------ requests
    def table(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def call(self, operation: str, judge: Judge | None = None, /, **request: Any) -> dict[str, Any]:
        """One request, tried again while that may help. Raises LostRace, StoreUnavailable."""
        found: dict[str, Any] = self._ask(operation, request, orjson.loads, judge)
        return found

    def _ask(
        self, operation: str, request: dict[str, Any], read: Callable[[bytes], T], judge: Judge | None = None
    ) -> T:
        patience, doubt = Patience(), False
        while True:
            try:
                return self._connection.ask(operation, request, read)
            except (Refused, BotoCoreError) as exc:
                failure = (judge or _judge)(exc)
                if isinstance(failure, LostRace):
                    raise LostRace(doubt=doubt) from exc
                if not isinstance(failure, _Passing):
                    raise failure from exc
                doubt = doubt or failure.doubt
                patience.pause_or_raise(exc)


class Patience:
    """How long something may still be tried."""

    def __init__(self, *, longest_pause: float = LONGEST_PAUSE_SECONDS) -> None:
        self._began = self._attempt_began = monotonic()
        self._bound = FIRST_PAUSE_SECONDS
        self._longest_pause = longest_pause

    def pause_or_raise(self, cause: Exception | None) -> None:
        """After a failed attempt: wait for the next, or raise StoreUnavailable."""
        pause = _random.uniform(0, self._bound)
        now = monotonic()
        if now - self._began + pause + (now - self._attempt_began) > PATIENCE_SECONDS:
            raise StoreUnavailable(engine="dynamodb") from cause
        self._bound = min(2 * self._bound, self._longest_pause)
        gevent.sleep(pause)
        self._attempt_began = monotonic()


def _judge(exc: Refused | BotoCoreError) -> Exception:
    """What a failed attempt means: LostRace, _Passing, or an error for the caller."""
    if not isinstance(exc, Refused):
        if isinstance(exc, (HTTPClientError, ConnectTimeoutError)):  # what can go wrong between the engine and us
            return _Passing(doubt=isinstance(exc, HTTPClientError))
        return StoreUnavailable(engine="dynamodb", reason=str(exc))
    if exc.code == "ConditionalCheckFailedException":
        return LostRace(doubt=False)
    if exc.code == "TransactionCanceledException":
        return _judge_reasons(set(exc.reasons))
    if exc.code in PASSING or exc.status >= 500:
        return _Passing(doubt=exc.code not in PASSING or exc.code == "InternalServerError")
    return RequestRefused(engine="dynamodb", awsCode=exc.code, reason=str(exc))


def _judge_shared(exc: Refused | BotoCoreError) -> Exception:
    """Of a transaction that several share."""
    cancelled = isinstance(exc, Refused) and exc.code == "TransactionCanceledException"
    return _Cancelled(exc.reasons) if cancelled else _judge(exc)


def _judge_part(reasons: set[str]) -> Exception | bool:
    """What a cancelled transaction means to one of those who shared it: an error, or False to try alone."""
    failure = _judge_reasons(reasons) if reasons - {"None"} else None
    return False if failure is None or isinstance(failure, _Passing) else failure


def _judge_reasons(reasons: set[str]) -> Exception:
    if reasons & CONFLICTS:
        return LostRace(doubt=False)
    if reasons and reasons <= PASSING_REASONS:
        return _Passing(doubt=False)
    return RequestRefused(engine="dynamodb", awsCode="TransactionCanceledException", reason=str(sorted(reasons)))


def _fit_into_batch(reads: Sequence[Sequence[Key]], more: Sequence[Key]) -> bool:
    return sum(map(len, reads)) + len(more) <= MAX_GET


def _fit_into_transaction(writes: Sequence[_Write], more: _Write) -> bool:
    """No two actions of a transaction may be on one item."""
    actions = sum(len(write.keys) for write in writes) + len(more.keys)
    size = sum(len(write.actions) for write in writes) + len(more.actions)
    apart = all(write.keys.isdisjoint(more.keys) for write in writes)
    return actions <= MAX_TRANSACTION and size <= MAX_TRANSACTION_BYTES and apart


def _batch_entry(action: Put | Delete) -> dict[str, Any]:
    if isinstance(action, Put):
        return {"PutRequest": {"Item": {**render_key(action.key), **render_item(action.item)}}}
    return {"DeleteRequest": {"Key": render_key(action.key)}}

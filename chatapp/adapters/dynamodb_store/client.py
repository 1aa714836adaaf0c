"""The one place that talks to botocore: one policy of retries, one translation of errors.

``run`` carries out one call of a store: it looks, decides and writes, and does so again when somebody else was quicker.
Every request is tried again, with full jitter, while the engine throttles, conflicts, fails or is silent, until
``PATIENCE_SECONDS`` have passed since its first attempt; then it is StoreUnavailable.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, TypeVar

import boto3
import gevent
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
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
from chatapp.adapters.dynamodb_store.keys import Key
from chatapp.domain.errors import StoreUnavailable

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""No attempt begins later than this after the first, nor one that would end later if it took as long as the last."""

CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 2.0
"""Leaves room for a second attempt. DynamoDB answers in milliseconds; what takes two seconds is lost."""

CONNECTIONS = 200
"""Requests under way at once in a process; more than these open a connection each and close it again."""

MAX_GET = 100
MAX_BATCH = 25
MAX_TRANSACTION = 100
"""BatchGetItem, BatchWriteItem and TransactWriteItems take at most so many."""

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


class Dynamo:
    def __init__(
        self, *, endpoint: str | None, region: str, prefix: str, access_key: str | None, secret_key: str | None
    ) -> None:
        self._prefix = prefix
        self._closed = False
        self._running = 0
        self._idle = Event()
        self._idle.set()
        self.client = boto3.session.Session().client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                max_pool_connections=CONNECTIONS,
                retries={"total_max_attempts": 1},  # the policy is ours
                parameter_validation=False,  # the requests are ours too, and tested
                tcp_keepalive=True,
            ),
        )

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
        self.client.close()

    # ------------------------------------------------------------ reads, always consistent ones
    def get(self, key: Key) -> Item | None:
        answer = self.call("get_item", TableName=self.table(key.table), Key=render_key(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """What there is under these keys, in their order."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for start in range(0, len(wanted), MAX_GET):
            found.update(self._get_batch(wanted[start : start + MAX_GET]))
        return {key: found[key] for key in wanted if key in found}

    def query(
        self, table: str, pk: str, low: str, high: str, *, descending: bool = False, page: int | None = None
    ) -> Iterator[Item]:
        """Items with ``low <= sk <= high`` in the order of ``sk``; ``page`` is how many one request reads."""
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
            answer = self.call("query", **request)
            yield from map(from_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _get_batch(self, keys: list[Key]) -> dict[Key, Item]:
        tables: dict[str, list[dict[str, Any]]] = {}
        for key in keys:
            tables.setdefault(self.table(key.table), []).append(render_key(key))
        request = {name: {"Keys": wanted, "ConsistentRead": True} for name, wanted in tables.items()}
        found: dict[Key, Item] = {}
        for answer in self._until_processed("batch_get_item", request, "UnprocessedKeys"):
            for name, items in answer["Responses"].items():
                for item in map(from_item, items):
                    found[Key(name.removeprefix(self._prefix), item["pk"], item["sk"])] = item
        return found

    # ------------------------------------------------------------ writes
    def write(self, *actions: Action) -> None:
        """All or nothing. Raises LostRace when a condition does not hold."""
        if len(actions) == 1:  # half the price of a transaction
            operation = {Put: "put_item", Update: "update_item", Delete: "delete_item"}[type(actions[0])]
            self.call(operation, **render(actions[0], self.table))
            return
        items = [{type(action).__name__: render(action, self.table)} for action in actions]
        self.call("transact_write_items", TransactItems=items, ClientRequestToken=new_token())

    def write_each(self, actions: Iterable[Put | Delete]) -> None:
        """One by one in any order, without conditions. Safe to repeat."""
        by_key = list({action.key: action for action in actions}.values())
        for start in range(0, len(by_key), MAX_BATCH):
            request: dict[str, list[dict[str, Any]]] = {}
            for action in by_key[start : start + MAX_BATCH]:
                request.setdefault(self.table(action.key.table), []).append(_batch_entry(action))
            for _ in self._until_processed("batch_write_item", request, "UnprocessedItems"):
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

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """One request, tried again while that may help. Raises LostRace, StoreUnavailable."""
        patience, doubt = Patience(), False
        while True:
            try:
                answer: dict[str, Any] = getattr(self.client, operation)(**request)
                return answer
            except (ClientError, BotoCoreError) as exc:
                failure = _judge(exc)
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


def _judge(exc: ClientError | BotoCoreError) -> Exception:
    """What a failed attempt means: LostRace, _Passing, or an error for the caller."""
    if not isinstance(exc, ClientError):
        passing = isinstance(exc, HTTPClientError)  # all that can go wrong between the engine and us
        return _Passing(doubt=True) if passing else StoreUnavailable(engine="dynamodb", reason=str(exc))
    code = exc.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return LostRace(doubt=False)
    if code == "TransactionCanceledException":
        return _judge_reasons({reason["Code"] for reason in exc.response.get("CancellationReasons", [])})
    if code in PASSING or exc.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return _Passing(doubt=code not in PASSING or code == "InternalServerError")
    return RequestRefused(engine="dynamodb", awsCode=code, reason=str(exc))


def _judge_reasons(reasons: set[str]) -> Exception:
    if reasons & CONFLICTS:
        return LostRace(doubt=False)
    if reasons and reasons <= PASSING_REASONS:
        return _Passing(doubt=False)
    return RequestRefused(engine="dynamodb", awsCode="TransactionCanceledException", reason=str(sorted(reasons)))


def _batch_entry(action: Put | Delete) -> dict[str, Any]:
    if isinstance(action, Put):
        return {"PutRequest": {"Item": {**render_key(action.key), **render_item(action.item)}}}
    return {"DeleteRequest": {"Key": render_key(action.key)}}

"""The process behind ``dynamodb.py``: moto's application inside a wrapper that does what AWS does on a bad day.

What a cancelled transaction did is undone afterwards, so two calls must never overlap in moto. Here one thread
serves, with gevent and without monkey-patching: a call to moto runs from its beginning to its end, as if behind a lock.
"""

from __future__ import annotations

import copy
import io
import json
import random
import re
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import gevent
from gevent import pywsgi
from gevent.os import tp_read
from moto.core import responses
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import models
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import UpdateExpressionValidator
from moto.server import create_backend_app

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
SINGLE_WRITES = WRITES[:3]
DATA = (*WRITES, "GetItem", "BatchGetItem", "Query", "Scan")

FAULTS = {
    "throttle": "share of calls answered ProvisionedThroughputExceededException or ThrottlingException",
    "conflict": "share of writes answered TransactionConflict",
    "unprocessed": "share of items in a batch left unprocessed",
    "internal": "share of calls answered 500 InternalServerError, half of them after they were done",
    "lose": "share of writes that are done, and then the connection breaks without an answer",
    "cut": "share of calls whose connection breaks before they are done",
    "stale": "share of eventually consistent reads that find nothing yet",
    "page": "a Query or Scan reads at most so many items at once",
    "silent": "every call hangs for so many seconds, and is done then",
    "mute": "no call is ever answered or done",
}


StartResponse = Callable[..., Any]
Environ = dict[str, Any]


class Nasty:
    """A WSGI application around moto's."""

    def __init__(self, app: Callable[[Environ, StartResponse], Iterable[bytes]]) -> None:
        self._app = app
        self._faults: dict[str, float] = {}
        self._operations: set[str] = set(DATA)
        self._random = random.Random(1)
        self._log: list[dict[str, Any]] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/_engine":
            answer = json.dumps(self._control(json.loads(body))).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        return self._serve(operation, json.loads(body or b"{}"), environ, start_response)

    def _control(self, order: dict[str, Any]) -> dict[str, Any]:
        if "faults" in order:
            assert order["faults"].keys() <= FAULTS.keys(), order
            self._faults, self._operations = order["faults"], set(order["operations"] or DATA)
            self._random = random.Random(order["seed"])
            self._log = []
        if "drop" in order:
            _drop(order["drop"])
        if "fill" in order:
            _fill(**order["fill"])
        return {"log": self._log if order.get("log") else []}

    def _serve(
        self, operation: str, request: dict[str, Any], environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        nasty = operation in self._operations
        if nasty and "mute" in self._faults:
            while "mute" in self._faults:
                gevent.sleep(0.05)
            return _hang_up(environ, start_response)
        if nasty and "silent" in self._faults:
            gevent.sleep(self._faults["silent"])
        if nasty and self._happens("cut"):
            return _hang_up(environ, start_response)
        if nasty and (refusal := self._refusal(operation, request)):
            return _answer(start_response, *refusal)
        status, answer = self._do(operation, request, environ, nasty)
        self._log.append({"operation": operation, "request": request, "answer": answer, "status": status})
        if nasty and operation in WRITES and self._happens("lose"):
            return _hang_up(environ, start_response)
        if nasty and self._happens("internal", 0.5):
            return _answer(start_response, 500, _error("InternalServerError"))
        return _answer(start_response, status, answer)

    def _refusal(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        if self._happens("throttle"):
            names = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
            return 400, _error(self._random.choice(names))
        if self._happens("internal", 0.5):
            return 500, _error("InternalServerError")
        if operation == "TransactWriteItems" and self._happens("throttle"):
            return 400, _cancelled(request, "ThrottlingError", self._random)
        if operation == "TransactWriteItems" and self._happens("conflict"):
            return 400, _cancelled(request, "TransactionConflict", self._random)
        if operation in SINGLE_WRITES and self._happens("conflict"):
            return 400, _error("TransactionConflictException")
        return None

    def _do(self, operation: str, request: dict[str, Any], environ: Environ, nasty: bool) -> tuple[int, dict[str, Any]]:
        left: dict[str, Any] = {}
        if nasty and operation in ("Query", "Scan") and "page" in self._faults:
            request["Limit"] = min(request.get("Limit", 10**6), int(self._faults["page"]))
        if nasty and operation in ("BatchGetItem", "BatchWriteItem") and "unprocessed" in self._faults:
            request, left = self._divide(operation, request)
        status, answer = self._call(request, environ)
        if nasty and status == 200 and not _is_consistent(operation, request) and self._happens("stale"):
            answer.pop("Item", None)
            answer.update({"Items": []} if "Items" in answer else {})
        if left:
            answer.setdefault("Responses", {}) if operation == "BatchGetItem" else None
            answer["UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"] = left
        return status, answer

    def _divide(self, operation: str, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is done of a batch, at least one item, and what is not."""
        rows = [(name, row) for name, given in request["RequestItems"].items() for row in _rows(operation, given)]
        done = [self._random.random() >= self._faults["unprocessed"] for _ in rows]
        done[self._random.randrange(len(rows))] = True
        parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for (name, row), is_done in zip(rows, done, strict=True):
            given = request["RequestItems"][name]
            empty: Any = {**given, "Keys": []} if operation == "BatchGetItem" else []
            part = parts[0 if is_done else 1].setdefault(name, empty)
            _rows(operation, part).append(row)
        return {**request, "RequestItems": parts[0]}, parts[1]

    def _call(self, request: dict[str, Any], environ: Environ) -> tuple[int, dict[str, Any]]:
        body = json.dumps(request).encode()
        status: list[str] = []
        inner = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answer = b"".join(self._app(inner, lambda line, headers, exc_info=None: status.append(line)))
        return int(status[0].split()[0]), json.loads(answer or b"{}")

    def _happens(self, fault: str, share: float = 1.0) -> bool:
        return self._random.random() < self._faults.get(fault, 0) * share


def _rows(operation: str, given: Any) -> list[Any]:
    rows: list[Any] = given["Keys"] if operation == "BatchGetItem" else given
    return rows


def _is_consistent(operation: str, request: dict[str, Any]) -> bool:
    if operation == "BatchGetItem":
        return all(given.get("ConsistentRead") for given in request["RequestItems"].values())
    return operation not in ("GetItem", "Query", "Scan") or bool(request.get("ConsistentRead"))


def _error(code: str) -> dict[str, Any]:
    return {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "the engine is nasty today"}


def _cancelled(request: dict[str, Any], code: str, rng: random.Random) -> dict[str, Any]:
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in request["TransactItems"]]
    reasons[rng.randrange(len(reasons))] = {"Code": code, "Message": "the engine is nasty today"}
    return _error("TransactionCanceledException") | {"CancellationReasons": reasons}


def _answer(start_response: StartResponse, status: int, answer: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response(f"{status} nasty", headers)
    return [body]


def _hang_up(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    environ["engine.socket"].shutdown(socket.SHUT_RDWR)
    start_response("500 gone", [("Content-Length", "0")])
    return [b""]


def _drop(prefix: str) -> None:
    for account in dynamodb_backends.values():
        for backend in account.values():
            for name in [name for name in backend.tables if name.startswith(prefix)]:
                del backend.tables[name]


def _fill(table: str, item: dict[str, Any], texts: dict[str, str], number: str, count: int) -> None:
    """Values that do not change are shared, which makes a hundred thousand items possible."""

    def changed(value: dict[str, Any], n: int) -> dict[str, Any]:
        ((kind, given),) = value.items()
        if kind == "N":
            return {kind: str(n)} if given == number else value
        for text, pattern in texts.items() if kind == "S" else ():
            given = given.replace(text, pattern.format(n=n))
        return {kind: given}

    (items,) = [
        backend.tables[table].items
        for account in dynamodb_backends.values()
        for backend in account.values()
        if table in backend.tables
    ]
    first = Item(DynamoType(item["pk"]), DynamoType(item["sk"]), item)
    changing = [name for name, value in item.items() if changed(value, 0) != value]
    for n in range(1, count + 1):
        copied = _copy_item(first)
        dict.update(copied.attrs, {name: DynamoType(changed(item[name], n)) for name in changing})
        copied.hash_key, copied.range_key = copied.attrs["pk"], copied.attrs["sk"]
        items[copied.hash_key][copied.range_key] = copied


# ---------------------------------------------------------------- moto, made quicker
def quicken() -> None:
    """The same answers sooner; ``tests/adapters/test_quick_moto.py`` compares them.

    moto walks every attribute along the API's model, sorts the whole table for each Query, copies whole tables for each
    action of a transaction, and walks an update's syntax tree ten times. Values can pass as they are, and are never
    changed in place by what we ask for; items are.
    """
    walk = BaseJSONSerializer._serialize_type_structure

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue":
            serialized[self.get_serialized_name(shape, key)] = _plain(value)
        else:
            walk(self, serialized, value, shape, key)

    BaseJSONSerializer._serialize_type_structure = serialize
    transact = DynamoDBBackend.transact_write_items

    def transact_write_items(self: DynamoDBBackend, actions: list[dict[str, Any]]) -> None:
        before = [_Before(self.tables, action) for action in actions if _names_an_item(self.tables, action)]
        try:
            transact(self, actions)
        except Exception:
            for item in before:
                item.restore()
            raise

    DynamoDBBackend.transact_write_items = transact_write_items
    query = Table.query

    def query_partition(self: Table, hash_key: DynamoType, *args: Any, **kwargs: Any) -> Any:
        self.all_items = lambda: list(self.items.get(hash_key, {}).values())  # none of our tables has an index
        try:
            return query(self, hash_key, *args, **kwargs)
        finally:
            del self.all_items

    Table.query = query_partition
    Table.__deepcopy__ = lambda self, memo: self  # type: ignore[attr-defined]
    Item.__deepcopy__ = lambda self, memo: _copy_item(self)
    DynamoType.__deepcopy__ = lambda self, memo: self
    responses.method_names_from_class = lru_cache(responses.method_names_from_class)
    _parse_once()
    models.UpdateExpressionValidator = _Validator
    models.UpdateExpressionExecutor = _executor


def _parse_once() -> None:
    """A transaction's expressions are parsed three times, and most of them are asked again and again."""
    make = UpdateExpressionParser.make
    parse = ConditionExpressionParser.parse
    known: dict[str, tuple[Any, list[str], list[str]]] = {}

    @lru_cache(maxsize=1000)
    def make_once(expression: str) -> Any:
        made = make(expression)
        made.plain = SET_AND_REMOVE.fullmatch(expression)
        return made

    def parse_once(self: ConditionExpressionParser) -> Any:
        given = repr((self.condition_expression, self.expression_attribute_names, self.expression_attribute_values))
        if given not in known:
            parsed = parse(self)
            if len(known) > 1000:
                known.clear()
            known[given] = parsed, self.expr_attr_names_found, self.expr_attr_values_found
        parsed, names, values = known[given]
        self.expr_attr_names_found, self.expr_attr_values_found = [*names], [*values]
        return parsed

    UpdateExpressionParser.make = make_once
    ConditionExpressionParser.parse = parse_once


SET_AND_REMOVE = re.compile(r"(?:SET (#\w+ = :\w+(?:, #\w+ = :\w+)*))? ?(?:REMOVE (#\w+(?:, #\w+)*))?")


class _Validator(UpdateExpressionValidator):
    """Nothing to find out about plain values for different attributes, none of them a key: they need no walks along
    their syntax tree."""

    def __init__(self, expression: Any, **given: Any) -> None:
        names, values = given["expression_attribute_names"] or {}, given["expression_attribute_values"] or {}
        self.update: _Update | None = None
        if expression.plain:
            sets, removes = (found.split(", ") if found else [] for found in expression.plain.groups())
            pairs = [pair.split(" = ") for pair in sets]
            targets = [names.get(name) for name in [*(name for name, _ in pairs), *removes]]
            usual = None not in targets and len({*targets}) == len(targets)
            if usual and not {*targets} & {"pk", "sk"} and all(value in values for _, value in pairs):
                changes = {names[name]: DynamoType(values[value]) for name, value in pairs}
                self.update = _Update(changes, targets[len(pairs) :])
        if self.update is None:
            super().__init__(expression, **given)

    def validate(self) -> Any:
        return self.update or super().validate()


@dataclass
class _Update:
    changes: dict[str, DynamoType]
    removed: list[str]

    def normalize(self) -> None: ...

    def execute(self, item: Item) -> None:
        for name, value in self.changes.items():
            item.attrs[name] = value
        for name in self.removed:
            item.attrs.pop(name, None)


def _executor(update: Any, item: Item, names: dict[str, str]) -> Any:
    return (
        SimpleNamespace(execute=lambda: update.execute(item))
        if isinstance(update, _Update)
        else (UpdateExpressionExecutor(update, item, names))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, DynamoType):
        return {value.type: _plain(value.value)}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _names_an_item(tables: dict[str, Table], action: dict[str, Any]) -> bool:
    """Or moto refuses it, before it has done anything for it."""
    ((_, given),) = action.items()
    attributes = given.get("Key") or given.get("Item", {})
    return given["TableName"] in tables and "pk" in attributes and "sk" in attributes


class _Before:
    """One item as it was before a transaction that names it."""

    def __init__(self, tables: dict[str, Table], action: dict[str, Any]) -> None:
        ((_, given),) = action.items()
        attributes = given.get("Key") or given["Item"]
        self._table = tables[given["TableName"]]
        self._pk, self._sk = DynamoType(attributes["pk"]), DynamoType(attributes["sk"])
        self._item = _copy_item(self._table.get_item(self._pk, self._sk))

    def restore(self) -> None:
        if self._item is None:
            self._table.items[self._pk].pop(self._sk, None)
        else:
            self._table.items[self._pk][self._sk] = self._item


def _copy_item(item: Any) -> Any:
    if item is None:
        return None
    copied = copy.copy(item)
    copied.attrs = type(item.attrs).__new__(type(item.attrs))
    dict.update(copied.attrs, item.attrs)
    return copied


def main() -> None:
    if "--slow" not in sys.argv:
        quicken()

    class Handler(pywsgi.WSGIHandler):  # type: ignore[misc]
        def handle(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms
            super().handle()

        def get_environ(self) -> Environ:
            return {**super().get_environ(), "engine.socket": self.socket}

    app = Nasty(create_backend_app("dynamodb"))
    server = pywsgi.WSGIServer(("127.0.0.1", 0), app, backlog=1000, handler_class=Handler, log=None, error_log=None)
    server.start()
    print(server.server_port, flush=True)
    while tp_read(sys.stdin.fileno(), 1):  # until whoever started us is gone
        gevent.idle()
    sys.exit()


if __name__ == "__main__":
    main()

"""Reads and writes as values, and how DynamoDB's API wants to be told of them.

Expressions name attributes ``#name`` and values ``:name``. ``#`` keeps clear of the 573 words that DynamoDB reserves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from chatapp.adapters.dynamodb_store.keys import Key

Value = str | int | bool | list[str] | None
Item = dict[str, Any]
"""Attribute name → Value. What is None is not stored, and what is not stored reads as None (``item.get``)."""

EXISTS = "attribute_exists(#pk)"
ABSENT = "attribute_not_exists(#pk)"


@dataclass(frozen=True, slots=True)
class Put:
    key: Key
    item: Mapping[str, Value]
    when: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """``changes``: attribute → new value, None to remove it."""

    key: Key
    changes: Mapping[str, Value]
    when: str = EXISTS
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key
    when: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)


Action = Put | Update | Delete


# ---------------------------------------------------------------- requests
def render(action: Action, table_name: Callable[[str], str]) -> dict[str, Any]:
    """The arguments of PutItem, UpdateItem or DeleteItem; TransactWriteItems takes the same."""
    request: dict[str, Any] = {"TableName": table_name(action.key.table)}
    values = {f":{name}": value for name, value in action.values.items()}
    if isinstance(action, Put):
        request["Item"] = {**render_key(action.key), **render_item(action.item)}
    else:
        request["Key"] = render_key(action.key)
    if isinstance(action, Update):
        request["UpdateExpression"] = _update_expression(action.changes)
        values |= {f":new_{name}": value for name, value in action.changes.items() if value is not None}
    if action.when is not None:
        request["ConditionExpression"] = action.when
    return request | placeholders(f"{request.get('UpdateExpression', '')} {action.when or ''}", values)


def render_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def placeholders(expression: str, values: Mapping[str, Value]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if names := _names(expression):
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = {name: to_value(value) for name, value in values.items()}
    return request


@lru_cache(maxsize=1000)
def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}


def _update_expression(changes: Mapping[str, Value]) -> str:
    assigned = [f"#{name} = :new_{name}" for name, value in changes.items() if value is not None]
    removed = [f"#{name}" for name, value in changes.items() if value is None]
    clauses = [f"SET {', '.join(assigned)}"] if assigned else []
    return " ".join([*clauses, f"REMOVE {', '.join(removed)}"] if removed else clauses)


# ---------------------------------------------------------------- values
def render_item(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: to_value(value) for name, value in item.items() if value is not None}


def to_value(value: Value) -> dict[str, Any]:
    return _TO_VALUE[type(value)](value)


_TO_VALUE: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    str: lambda value: {"S": value},
    int: lambda value: {"N": str(value)},
    bool: lambda value: {"BOOL": value},
    list: lambda value: {"L": [{"S": part} for part in value]},
}


def from_item(item: Mapping[str, Any]) -> Item:
    """Most of it is text, which is not asked for its kind."""
    return {name: value["S"] if "S" in value else _from_value(value) for name, value in item.items()}


def _from_value(value: Mapping[str, Any]) -> Value:
    ((kind, given),) = value.items()
    if kind == "N":
        return int(given)
    if kind == "L":
        return [part["S"] for part in given]
    found: str | bool = given
    return found

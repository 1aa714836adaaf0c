"""How a schema loads what is plainly good, worked out once from its fields.

marshmallow takes some 40 µs for the eight fields of a message, nearly all of it for the case that something is wrong.
Here each field says in one call whether a value is good as it is. Whenever it is not sure, marshmallow decides, and
says what is wrong: the declaration stays the schema's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from marshmallow import fields, missing

UNSURE: Any = object()
"""Neither good nor bad."""


@runtime_checkable
class Quick(Protocol):
    """A field that knows good values when it sees them."""

    def quick(self, value: Any) -> Any:
        """What ``deserialize`` would make of a value that is not None; UNSURE when it might refuse it."""


Load = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def make_load(declared: Mapping[str, fields.Field[Any]]) -> Load:
    """A function that gives what the schema with these fields loads, by attribute name, before any hook of its own;
    None when marshmallow is to decide."""
    plan = {
        field.data_key or name: (field.attribute or name, _quick(field), field.allow_none)
        for name, field in declared.items()
    }
    required = [field.attribute or name for name, field in declared.items() if field.required]
    defaults = {
        field.attribute or name: field.load_default
        for name, field in declared.items()
        if field.load_default is not missing
    }

    def load(data: Mapping[str, Any]) -> dict[str, Any] | None:
        found = defaults.copy()
        for key, value in data.items():
            known = plan.get(key)
            if known is None:
                return None
            name, quick, allows_none = known
            loaded = None
            if value is not None:
                loaded = quick(value)
            elif not allows_none:
                return None
            if loaded is UNSURE:
                return None
            found[name] = loaded
        return found if all(name in found for name in required) else None

    return load


def _quick(field: fields.Field[Any]) -> Callable[[Any], Any]:
    return field.quick if isinstance(field, Quick) else _never


def _never(_value: Any) -> Any:
    return UNSURE

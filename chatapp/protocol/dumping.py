"""How a schema dumps, worked out once from its fields.

marshmallow asks each field of each object anew what it is and where its value lives; a message of 22 fields takes it
some 40 µs, and the same from here 2. The declaration stays the schema's own; what it means is written down as Python,
as ``dataclasses`` do for ``__init__``, because to look names up in lists takes half as long again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

from marshmallow import fields, missing

Convert = Callable[[Any], Any]
"""Of a value that is not None; None itself stands for leaving the value as it is."""

AS_THEY_ARE = (fields.String, fields.Integer, fields.Boolean, fields.Dict)
"""What our models hold in the form that JSON wants."""


@runtime_checkable
class Plain(Protocol):
    """A field that dumps a value without asking where it comes from."""

    def plain(self, value: Any) -> Any:
        """Of a value that is not None."""


SOURCE = """
def dump(obj):
    try:
        return {{{of_mapping}}} if isinstance(obj, dict) else {{{of_object}}}
    except (KeyError, AttributeError):  # of the object, which has not all of them
        return dump_what_there_is(obj)
"""


def make_dump(declared: Mapping[str, fields.Field[Any]]) -> Callable[[Any], dict[str, Any]]:
    """A function that dumps one object or mapping to what the schema with these fields would."""
    keys = [field.data_key or name for name, field in declared.items()]
    names = [field.attribute or name for name, field in declared.items()]
    converts = [_converter(field, name) for name, field in declared.items()]

    def dump_what_there_is(obj: Any) -> dict[str, Any]:
        said = {}
        is_mapping = isinstance(obj, Mapping)
        for key, name, convert in zip(keys, names, converts, strict=True):
            value = obj.get(name, missing) if is_mapping else getattr(obj, name, missing)
            if value is not missing:
                said[key] = value if value is None or convert is None else convert(value)
        return said

    def written(value_of: str) -> str:
        values = [value_of.format(name) for name in names]
        return ", ".join(
            f"{key!r}: {value if convert is None else f'None if (value := {value}) is None else convert{n}(value)'}"
            for n, (key, value, convert) in enumerate(zip(keys, values, converts, strict=True))
        )

    known: dict[str, Any] = {f"convert{n}": convert for n, convert in enumerate(converts)}
    known["dump_what_there_is"] = dump_what_there_is
    source = SOURCE.format(of_mapping=written("obj[{!r}]"), of_object=written("obj.{}"))
    exec(source, known)  # noqa: S102 - of names that our own schemas declare
    dump: Callable[[Any], dict[str, Any]] = known["dump"]
    return dump


def _converter(field: fields.Field[Any], name: str) -> Convert | None:
    if isinstance(field, Plain):
        return field.plain
    if isinstance(field, fields.Nested):
        one = make_dump(field.schema.dump_fields)
        return _list_converter(one) if field.many else one
    if isinstance(field, fields.List):
        return _list_converter(_converter(field.inner, name))
    if isinstance(field, fields.Enum):
        return attrgetter("_value_")  # a quarter of what ``value`` takes
    if isinstance(field, AS_THEY_ARE):
        return None
    return lambda value: field._serialize(value, name, None)


def _list_converter(convert: Convert | None) -> Convert:
    if convert is None:
        return list
    return lambda values: [None if value is None else convert(value) for value in values]

"""Fields and the base schema: camelCase on the wire, snake_case inside, times as the document writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema
from msgspec import to_builtins

from chatapp.domain.commands import Command
from chatapp.domain.errors import TooLarge
from chatapp.protocol.dumping import make_dump
from chatapp.protocol.loading import UNSURE, Load, Quick, make_load

ID_MAX_CHARS = 128
NAME_MAX_CHARS = 200
URL_MAX_CHARS = 2048
CONTENT_MAX_BYTES = 16 * 1024
"""docs/protocol.md: a message's content is at most 16 kB, counted in UTF-8."""
MEMBERS_MAX = 5000
TAGS_MAX = 100
RECURRING_MAX = 256
"""Dumped objects that a field keeps."""


def camelcase(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


_latest_time: tuple[datetime | None, str] = (None, "")
"""A message's time is told several times in a row."""


def wire_time(at: datetime) -> str:
    """``2025-01-27T10:00:00.000Z``: UTC, milliseconds, Z."""
    global _latest_time  # noqa: PLW0603 - one tuple, replaced whole
    latest, text = _latest_time
    if at is not latest:
        text = to_builtins(at)  # microseconds, when there are any, and Z; ``isoformat`` takes ten times as long
        text = f"{text[:23]}Z" if "." in text else f"{text[:19]}.000Z"
        _latest_time = (at, text)
    return text


class WireSchema(Schema):
    """Strict in: a field that nobody declared is an error. Exact out: every declared field, null when absent."""

    class Meta:
        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.data_key = field_obj.data_key or camelcase(field_name)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        if self._dump_one is None:
            self._dump_one = make_dump(self.dump_fields)
        if self.many if many is None else many:
            return [self._dump_one(each) for each in obj]
        return self._dump_one(obj)

    _dump_one: Callable[[Any], dict[str, Any]] | None = None


class CommandSchema(WireSchema):
    """Loads into the command it names; fields in ``tolerated`` are checked and then dropped."""

    command: ClassVar[type[Command]]
    tolerated: ClassVar[frozenset[str]] = frozenset()
    is_quick: ClassVar[bool] = True
    """Whether the fields and ``check`` are all there is to loading."""
    _load_quickly: Load | None = None

    def load(self, data: Any, **options: Any) -> Any:
        if self.is_quick and type(data) is dict and not options:
            if self._load_quickly is None:
                self._load_quickly = make_load(self.load_fields)
            found = self._load_quickly(data)
            if found is not None and self._is_good(found):
                return self.make(found)
        return super().load(data, **options)

    def _is_good(self, found: dict[str, Any]) -> bool:
        try:
            self.check(found)
        except ValidationError:  # which says less than marshmallow's own
            return False
        return True

    def check(self, data: dict[str, Any]) -> None:
        """What no field can say alone. Raises ValidationError."""

    @validates_schema
    def check_all(self, data: dict[str, Any], **_: Any) -> None:
        self.check(data)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Command:
        return self.command(**self.prepare({key: data[key] for key in data if key not in self.tolerated}))

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        """Turn what was loaded into the command's arguments."""
        return data


class Text(fields.String):
    """Text that every engine and client can hold: no NUL, no half of a surrogate pair, at most ``max_chars``."""

    def __init__(self, *, min_chars: int = 0, max_chars: int, **kwargs: Any) -> None:
        extra = kwargs.pop("validate", None)
        checks = [validate.Length(min=min_chars, max=max_chars), *([extra] if extra else [])]
        super().__init__(validate=checks, **kwargs)
        self._min_chars, self._max_chars, self._extra = min_chars, max_chars, extra

    def quick(self, value: Any) -> Any:
        if type(value) is not str or not self._min_chars <= len(value) <= self._max_chars or "\0" in value:
            return UNSURE
        try:
            if not value.isascii():
                value.encode()
            if self._extra:
                self._extra(value)
        except (UnicodeEncodeError, ValidationError):
            return UNSURE
        return value

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise ValidationError("Must not contain NUL characters.")
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ValidationError("Must be valid Unicode.") from exc
        return text


class Id(Text):
    """Any text that names something; not only blanks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_chars=1, max_chars=ID_MAX_CHARS, validate=_not_blank, **kwargs)


class Name(Text):
    """A name for people to read: not only blanks."""

    def __init__(self, *, max_chars: int = NAME_MAX_CHARS, **kwargs: Any) -> None:
        super().__init__(min_chars=1, max_chars=max_chars, validate=_not_blank, **kwargs)


class Email(Text):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_chars=3, max_chars=320, validate=validate.Email(), **kwargs)


class Content(Text):
    """A message's content. Longer than ``CONTENT_MAX_BYTES`` raises TooLarge, which has a status of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_chars=CONTENT_MAX_BYTES, **kwargs)  # validators run after the measure below

    def quick(self, value: Any) -> Any:
        if type(value) is str and not value.isascii() and len(value) * 4 > CONTENT_MAX_BYTES:
            return UNSURE  # a character takes at most four bytes; whether they are too many is counted elsewhere
        return super().quick(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if len(text.encode()) > CONTENT_MAX_BYTES:
            raise TooLarge(field=self.data_key, maxBytes=CONTENT_MAX_BYTES)
        return text


class Time(fields.DateTime):
    """marshmallow's own writes ``+00:00`` and microseconds; the document wants milliseconds and Z."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else wire_time(value)

    def plain(self, value: datetime) -> str:
        return wire_time(value)


class Moment(fields.AwareDateTime):
    """A time that decides something: with its zone, made UTC and cut to the millisecond."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        try:
            at = super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError as exc:  # UTC has one year less than the zone
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from exc
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


class Recurring(fields.Nested):
    """One of a few objects that never change and are told again and again, as the senders of a history are: each is
    dumped once, and what is made of it is not to be changed by who gets it."""

    def __init__(self, nested: type[WireSchema], **kwargs: Any) -> None:
        super().__init__(nested, **kwargs)
        self._told: dict[int, tuple[Any, Any]] = {}  # by identity, which is the object's as long as it is in here

    def plain(self, value: Any) -> Any:
        known = self._told.get(id(value))
        if known is None:
            if len(self._told) >= RECURRING_MAX:
                self._told.clear()
            known = self._told[id(value)] = (value, self.schema.dump(value))
        return known[1]


class Several(fields.List[Any]):
    """A list, as a tuple."""

    def __init__(self, inner: fields.Field[Any], *, min_items: int = 0, max_items: int, **kwargs: Any) -> None:
        super().__init__(inner, validate=validate.Length(min=min_items, max=max_items), **kwargs)
        self._min_items, self._max_items = min_items, max_items
        self._quick_inner = inner.quick if isinstance(inner, Quick) else None

    def quick(self, value: Any) -> Any:
        if type(value) is not list or not self._min_items <= len(value) <= self._max_items:
            return UNSURE
        if self._quick_inner is None:
            return UNSURE
        found = tuple(map(self._quick_inner, value))
        return UNSURE if UNSURE in found else found

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return tuple(super()._deserialize(value, attr, data, **kwargs))
        except ValidationError as exc:
            raise ValidationError(_by_position(exc.messages)) from exc


class Tags(Several):
    """A short list of short texts: roles, filials."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Id(), max_items=TAGS_MAX, **kwargs)


class Members(Several):
    """User ids, at least one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Id(), min_items=1, max_items=MEMBERS_MAX, **kwargs)


class Flag(fields.Boolean):
    """``true`` or ``false``. marshmallow's own takes ``0``, ``"yes"`` and the like too."""

    def quick(self, value: Any) -> Any:
        return value if type(value) is bool else UNSURE

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Count(fields.Integer):
    """A whole number that is not negative and fits in 63 bits, which every engine can hold.

    Takes a number or, as queries have no numbers, its decimal digits. ``1.0`` is whole, as JSON Schema has it; ``1.5``
    and booleans are not.
    """

    def __init__(self, *, minimum: int = 0, maximum: int = 2**63 - 1, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=minimum, max=maximum), **kwargs)
        self._minimum, self._maximum = minimum, maximum

    def quick(self, value: Any) -> Any:
        return value if type(value) is int and self._minimum <= value <= self._maximum else UNSURE

    def _validated(self, value: Any) -> int:
        # int() would cut fractions off, and read " 1_0 ".
        if isinstance(value, str):
            whole = re.fullmatch(r"-?[0-9]{1,20}", value) is not None
        else:
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not whole:
            raise self.make_error("invalid", input=value)
        number: int = super()._validated(value)
        return number


class OneOf(fields.String):
    """One of these words."""

    def __init__(self, choices: Collection[str], **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(choices), **kwargs)
        self._choices = frozenset(choices)

    def quick(self, value: Any) -> Any:
        return value if type(value) is str and value in self._choices else UNSURE


def _by_position(messages: Any) -> Any:
    """What is wrong with which item. marshmallow names items by number; the keys of JSON are texts."""
    return {str(key): texts for key, texts in messages.items()} if isinstance(messages, dict) else messages


def _not_blank(text: str) -> None:
    if not text.strip():
        raise ValidationError("Must not be blank.")

"""What each kind of field takes, and what it refuses, hostile values above all."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from chatapp.domain.errors import TooLarge
from chatapp.protocol.fields import (
    CONTENT_MAX_BYTES,
    ID_MAX_CHARS,
    MEMBERS_MAX,
    NAME_MAX_CHARS,
    TAGS_MAX,
    Content,
    Count,
    Email,
    Id,
    Members,
    Name,
    Tags,
    Text,
    Time,
    WireSchema,
    camelcase,
    wire_time,
)
from chatapp.protocol.wire_json import WireJson

NOT_TEXT = [None, 0, 7, 1.5, True, False, [], ["x"], {}, {"a": 1}, math.nan, math.inf]
TEXTS: list[tuple[str, fields.Field[Any]]] = [
    ("id", Id()),
    ("name", Name()),
    ("email", Email()),
    ("content", Content()),
    ("text", Text(max_chars=10)),
]


def deep(levels: int) -> Any:
    nested: Any = "x"
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize("value", [*NOT_TEXT, deep(500)], ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("field", [field for _, field in TEXTS], ids=[name for name, _ in TEXTS])
def test_text_is_text(field: fields.Field[Any], value: Any) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


@pytest.mark.parametrize("value", ["\0", "a\0b", "a@b.example\0", "\ud800", "a\udfffb", "a\ud83d"], ids=ascii)
@pytest.mark.parametrize("field", [field for _, field in TEXTS], ids=[name for name, _ in TEXTS])
def test_text_that_an_engine_cannot_hold_is_refused(field: fields.Field[Any], value: str) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u00a0", "\u3000\u2003"], ids=ascii)
@pytest.mark.parametrize("field", [Id(), Name(), Email()], ids=["id", "name", "email"])
def test_ids_and_names_are_not_blank(field: fields.Field[Any], value: str) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


@pytest.mark.parametrize("value", ["user123", " padded ", "😀", "e\u0301", "../../etc/passwd", "' OR 1=1 --", "\u202e"])
def test_ids_and_names_are_kept_as_they_came(value: str) -> None:
    assert Id().deserialize(value) == value
    assert Name().deserialize(value) == value


@pytest.mark.parametrize(("field", "most"), [(Id(), ID_MAX_CHARS), (Name(), NAME_MAX_CHARS), (Name(max_chars=5), 5)])
def test_lengths_count_characters(field: fields.Field[Any], most: int) -> None:
    assert field.deserialize("ñ" * most) == "ñ" * most
    with pytest.raises(ValidationError):
        field.deserialize("ñ" * (most + 1))


@pytest.mark.parametrize("value", ["juan@example.com", "a+b.c@sub.example.co", "ñandú@example.com", "a@localhost"])
def test_emails(value: str) -> None:
    assert Email().deserialize(value) == value


@pytest.mark.parametrize("value", ["juan", "@example.com", "juan@", "a b@example.com", "a@" + "b" * 320 + ".com"])
def test_what_is_no_email(value: str) -> None:
    with pytest.raises(ValidationError):
        Email().deserialize(value)


@given(st.text(max_size=40) | st.text(max_size=20).map(lambda text: f"{text}@{text}.com"))
def test_emails_never_crash(value: str) -> None:
    with contextlib.suppress(ValidationError):
        assert Email().deserialize(value) == value


# ---------------------------------------------------------------- content
@pytest.mark.parametrize(
    "value",
    ["x" * CONTENT_MAX_BYTES, "ñ" * (CONTENT_MAX_BYTES // 2), "😀" * (CONTENT_MAX_BYTES // 4)],
    ids=["one byte each", "two", "four"],
)
def test_content_may_have_16_kb_in_utf8(value: str) -> None:
    assert Content().deserialize(value) == value
    with pytest.raises(TooLarge) as refused:
        Content().deserialize(value + "x")
    assert refused.value.details["maxBytes"] == 16384


def test_too_large_content_says_its_field() -> None:
    class Envelope(WireSchema):
        new_content = Content()

    with pytest.raises(TooLarge) as refused:
        Envelope().load({"newContent": "x" * 100_000})
    assert refused.value.details == {"field": "newContent", "maxBytes": 16384}


# ---------------------------------------------------------------- numbers
@pytest.mark.parametrize(
    ("value", "number"), [(0, 0), (7, 7), ("7", 7), ("007", 7), (1.0, 1), (0.0, 0), (2**63 - 1, 2**63 - 1)]
)
def test_counts(value: Any, number: int) -> None:
    loaded = Count().deserialize(value)
    assert loaded == number
    assert type(loaded) is int


NO_COUNTS = [
    None,
    True,
    False,
    1.5,
    -0.5,
    math.nan,
    math.inf,
    -math.inf,
    1e300,
    -1,
    "-1",
    2**63,
    str(2**63),
    10**400,
    "9" * 5000,
    "",
    " ",
    " 7",
    "7 ",
    "1_0",
    "+7",
    "1.0",
    "1e3",
    "0x10",
    "٣",
    "²",
    "seven",
    "NaN",
    "\0",
    "\ud800",
    [],
    [1],
    {},
    deep(500),
]


@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: ascii(value)[:20])
def test_what_is_no_count(value: Any) -> None:
    with pytest.raises(ValidationError):
        Count().deserialize(value)


def test_counts_have_bounds() -> None:
    field = Count(minimum=1, maximum=25)
    assert [field.deserialize(value) for value in (1, "25")] == [1, 25]
    for value in (0, 26, "0", "26"):
        with pytest.raises(ValidationError):
            field.deserialize(value)


# ---------------------------------------------------------------- lists
@pytest.mark.parametrize("field", [Tags(), Members()], ids=["tags", "members"])
def test_lists_load_as_tuples(field: fields.Field[Any]) -> None:
    assert field.deserialize(["b", "a"]) == ("b", "a")


@pytest.mark.parametrize(
    "value",
    [None, "ab", 7, True, {}, {"0": "a"}, [1], [None], ["a", 2], [""], [" "], [["a"]], ["a\0"], ["\ud800"], deep(500)],
    ids=lambda value: ascii(value)[:20],
)
@pytest.mark.parametrize("field", [Tags(), Members()], ids=["tags", "members"])
def test_what_is_no_list_of_ids(field: fields.Field[Any], value: Any) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(value)


def test_lists_have_bounds() -> None:
    assert Tags().deserialize([]) == ()
    assert len(Tags().deserialize(["x"] * TAGS_MAX)) == TAGS_MAX
    assert len(Members().deserialize(["x"] * MEMBERS_MAX)) == MEMBERS_MAX
    for field, value in ((Tags(), ["x"] * (TAGS_MAX + 1)), (Members(), []), (Members(), ["x"] * (MEMBERS_MAX + 1))):
        with pytest.raises(ValidationError):
            field.deserialize(value)


def test_what_is_wrong_in_a_list_can_be_told_as_json() -> None:
    class Group(WireSchema):
        participants = Members()

    with pytest.raises(ValidationError) as refused:
        Group().load({"participants": ["a", 7]})
    told = refused.value.normalized_messages()
    assert told == {"participants": {"1": ["Not a valid string."]}}
    assert WireJson.loads(WireJson.dumps(told)) == told


# ---------------------------------------------------------------- times
@pytest.mark.parametrize(
    ("at", "wire"),
    [
        (datetime(2025, 1, 27, 10, tzinfo=UTC), "2025-01-27T10:00:00.000Z"),
        (datetime(2025, 1, 27, 10, 0, 0, 1999, tzinfo=UTC), "2025-01-27T10:00:00.001Z"),
        (datetime(2025, 1, 27, 10, 0, 0, 999999, tzinfo=UTC), "2025-01-27T10:00:00.999Z"),
    ],
)
def test_times_are_utc_with_milliseconds_and_z(at: datetime, wire: str) -> None:
    assert wire_time(at) == wire
    assert Time().serialize("at", {"at": at}) == wire


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_is_told_so(at: datetime) -> None:
    assert wire_time(at) == at.isoformat("T", "milliseconds").replace("+00:00", "Z")


def test_no_time_is_null() -> None:
    assert Time().serialize("at", {"at": None}) is None


@pytest.mark.parametrize("value", [0, 7, 1.5, True, [], {}, "", "yesterday", "2025-13-01T00:00:00Z", "\0", "\ud800"])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValidationError):
        Time().deserialize(value)


# ---------------------------------------------------------------- the base schema
@pytest.mark.parametrize(
    ("inside", "wire"),
    [("id", "id"), ("created_at", "createdAt"), ("client_message_id", "clientMessageId"), ("q", "q")],
)
def test_snake_case_inside_is_camel_case_on_the_wire(inside: str, wire: str) -> None:
    assert camelcase(inside) == wire


def test_unknown_fields_are_refused_and_declared_ones_dumped_with_null() -> None:
    class Thing(WireSchema):
        file_url = fields.String(allow_none=True)

    with pytest.raises(ValidationError) as refused:
        Thing().load({"fileUrl": "x", "file_url": "x"})
    assert refused.value.normalized_messages() == {"file_url": ["Unknown field."]}
    assert Thing().dump({"file_url": None}) == {"fileUrl": None}

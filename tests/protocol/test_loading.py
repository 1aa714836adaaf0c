"""Our way of loading takes nothing that marshmallow refuses, and makes the same of what it takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from chatapp.domain.errors import TooLarge
from chatapp.protocol import incoming
from chatapp.protocol.examples import EVENT_EXAMPLES
from chatapp.protocol.fields import (
    CommandSchema,
    Content,
    Count,
    Email,
    Flag,
    Id,
    Members,
    Name,
    OneOf,
    Text,
    WireSchema,
)
from chatapp.protocol.loading import UNSURE, make_load
from tests.protocol.test_requests import GOOD

COMMANDS = [(schema, payload) for schema, payload, _ in GOOD if issubclass(schema, CommandSchema)]


def outcome(load: Any, payload: Any) -> Any:
    try:
        return load(payload)
    except (ValidationError, TooLarge) as exc:
        return type(exc), getattr(exc, "messages", None) or exc.args


def same(schema: CommandSchema, payload: Any) -> None:
    assert outcome(schema.load, payload) == outcome(lambda given: Schema.load(schema, given), payload)


@pytest.mark.parametrize(("schema", "payload"), COMMANDS, ids=[schema.__name__ for schema, _ in COMMANDS])
def test_good_payloads_are_loaded_as_marshmallow_would(schema: type[CommandSchema], payload: dict[str, Any]) -> None:
    same(schema(), payload)


@pytest.mark.parametrize("name", ["send_message", "send_reply", "typing_start", "mark_messages_as_read", "user_join"])
def test_what_comes_often_is_loaded_without_marshmallow(name: str) -> None:
    schema = incoming.BY_NAME[name].schema
    assert make_load(schema.load_fields)(EVENT_EXAMPLES[name]) is not None


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**64),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["", " ", "\0", "a\0b", "\ud800", "ñ", "x" * 129, "y" * 16_385, "é" * 9_000, "🎸" * 4_096, "text", "7"]
    ),
    st.lists(st.sampled_from(["ana", "", "bea", 7, None]), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_whatever_comes_is_judged_as_marshmallow_would(data: st.DataObject) -> None:
    schema, good = data.draw(st.sampled_from(COMMANDS))
    keys = [*(field.data_key for field in schema().fields.values()), "unheardOf"]
    changed = data.draw(st.dictionaries(st.sampled_from(keys), values, max_size=3))
    dropped = data.draw(st.sets(st.sampled_from(keys), max_size=2))
    same(schema(), {key: value for key, value in {**good, **changed}.items() if key not in dropped})


class Everything(WireSchema):
    text = Text(max_chars=3, allow_none=True)
    id = Id()
    name = Name()
    email = Email()
    content = Content()
    members = Members()
    flag = Flag()
    count = Count(minimum=1, maximum=9)
    word = OneOf(["one", "two"])


@settings(max_examples=1500, deadline=None)
@given(name=st.sampled_from(list(Everything().fields)), value=values)
def test_a_field_is_sure_only_of_what_marshmallow_takes(name: str, value: Any) -> None:
    field: Any = Everything().fields[name]
    if value is not None and (found := field.quick(value)) is not UNSURE:
        assert found == field.deserialize(value)


def test_a_field_that_is_never_sure_leaves_it_to_marshmallow() -> None:
    assert make_load({"at": fields.DateTime()})({"at": "2025-01-27T10:00:00Z"}) is None
    assert make_load({"at": fields.DateTime(allow_none=True)})({"at": None}) == {"at": None}

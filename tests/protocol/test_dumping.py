"""Our way of dumping says what marshmallow's own would."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, fields

from chatapp.domain.models import Sender
from chatapp.protocol import outgoing, schemas
from chatapp.protocol.fields import RECURRING_MAX, Recurring, Time, WireSchema
from tests.fakes import START
from tests.protocol.test_outgoing import CASES, Case


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_outgoing_event_is_dumped_as_marshmallow_would(case: Case) -> None:
    for row in outgoing.ROWS:
        if row.event is type(case.event) and row.when(case.event):
            body = row.body(case.event)
            assert row.schema.dump(body) == Schema.dump(row.schema, body)


class Inner(WireSchema):
    at = Time(allow_none=True)


class Outer(WireSchema):
    one_inner = fields.Nested(Inner)
    inners = fields.List(fields.Nested(Inner))
    words = fields.List(fields.String())
    number = fields.Float()
    renamed = fields.String(attribute="original", data_key="shown")


ODD: list[dict[str, Any]] = [
    {},
    {"one_inner": None, "inners": [], "words": (), "number": None},
    {"one_inner": {"at": START}, "inners": [{"at": None}, {}], "words": ("a", "b"), "number": 1, "original": "x"},
]


@pytest.mark.parametrize("obj", ODD, ids=["empty", "nulls", "full"])
def test_nested_lists_nulls_and_missing_ones_too(obj: dict[str, Any]) -> None:
    assert Outer().dump(obj) == Schema.dump(Outer(), obj)
    assert Outer(many=True).dump([obj, obj]) == Schema.dump(Outer(many=True), [obj, obj])
    assert Outer().dump([obj], many=True) == Schema.dump(Outer(), [obj], many=True)


def test_a_null_in_a_list_stays_null() -> None:
    class Dates(WireSchema):
        dates = fields.List(Time(allow_none=True))

    assert Dates().dump({"dates": [None, START]}) == {"dates": [None, "2025-01-27T10:00:00.000Z"]}


def test_a_history_is_a_list_of_messages() -> None:
    (message,) = (case.event.message for case in CASES.values() if type(case.event).__name__ == "MessageEdited")  # type: ignore[attr-defined]
    page = schemas.MessageSchema(many=True)
    assert page.dump([message, message]) == Schema.dump(page, [message, message])


def test_whoever_recurs_is_dumped_once_and_never_taken_for_another() -> None:
    class Said(WireSchema):
        sender = Recurring(schemas.SenderSchema)

    people = [Sender(f"u{number}", f"Person {number}", None) for number in range(RECURRING_MAX + 10)]
    schema = Said()
    for person in people * 2:
        assert schema.dump({"sender": person}) == Schema.dump(schema, {"sender": person})
    first, again = (schema.dump({"sender": people[0]})["sender"] for _ in range(2))
    assert first is again

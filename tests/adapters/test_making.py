"""What is made in less time is the same."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from chatapp.adapters.making import maker
from chatapp.domain.models import Message, MessageType, Sender
from tests.fakes import START

VALUES = {each.name: object() for each in fields(Message)}
ANA = Sender("ana", "Ana", None)


def test_every_field_has_what_was_given_for_it() -> None:
    made = maker(Message)(*VALUES.values())  # type: ignore[arg-type]
    assert type(made) is Message
    assert {name: getattr(made, name) for name in VALUES} == VALUES
    assert made == Message(**VALUES)  # type: ignore[arg-type]


def test_what_was_not_given_is_as_the_model_has_it() -> None:
    given = ("m1", "g1", 1, ANA, None, "hello", MessageType.TEXT, START)
    assert maker(Message)(*given) == Message(*given)
    assert maker(Message)(*given, rev=3, is_edited=True) == Message(*given, rev=3, is_edited=True)


def test_it_is_as_frozen_as_any_other_and_can_be_replaced() -> None:
    made = maker(Sender)("ana", "Ana", None)
    with pytest.raises(FrozenInstanceError):
        made.name = "Eva"  # type: ignore[misc]
    assert replace(made, name="Eva") == Sender("ana", "Eva", None)
    assert hash(made) == hash(ANA)


def test_a_model_that_keeps_its_fields_elsewhere_cannot_be_made_so() -> None:
    @dataclass(frozen=True)
    class WithoutSlots:
        name: str

    with pytest.raises(TypeError, match="layout"):
        maker(WithoutSlots)("ana")

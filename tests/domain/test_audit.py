"""How audit records are hashed and chained, and which of them is the first that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from chatapp.domain.audit import (
    GENESIS,
    AuditAction,
    AuditDraft,
    AuditHead,
    AuditRecord,
    Chain,
    hash_of,
    link,
    make_draft,
    name_of,
)
from chatapp.domain.models import OPERATOR, Actor, Scope, Standing

AT = datetime(2025, 1, 27, 10, 0, 0, 5000, UTC)
KEY = Actor(standing=Standing.KEY, key_id="0123456789abcdef", scopes=frozenset({Scope.ADMIN}))


def chain_of(count: int) -> list[AuditRecord]:
    head, records = AuditHead(), []
    for number in range(count):
        draft = make_draft(AuditAction.USER_DELETE, f"user:{number}", Actor(), {}, at=AT)
        records.append(link(draft, head))
        head = AuditHead(records[-1].seq, records[-1].hash)
    return records


# ---------------------------------------------------------------- what is written
def test_a_draft_is_plain_text() -> None:
    draft = make_draft(
        AuditAction.MESSAGE_DELETE, "message:m1", Actor("ana", Standing.ADMIN), {"b": 1, "a": "ñ"}, at=AT
    )
    assert draft == AuditDraft(
        "2025-01-27T10:00:00.005Z", "user:ana", "message.delete", "message:m1", '{"a":"ñ","b":1}'
    )


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        (OPERATOR, "operator"),
        (Actor(), "anybody"),
        (Actor("ana"), "claimed:ana"),
        (Actor("ana", Standing.USER), "user:ana"),
        (Actor("ana", Standing.ADMIN), "user:ana"),
        (KEY, "key:0123456789abcdef"),
        (replace(KEY, user_id="ana"), "key:0123456789abcdef"),
    ],
    ids=str,
)
def test_an_actor_has_a_name_that_says_how_it_is_known(actor: Actor, name: str) -> None:
    assert name_of(actor) == name


def test_whom_a_key_acts_for_is_a_detail() -> None:
    draft = make_draft(AuditAction.USER_DELETE, "user:x", replace(KEY, user_id="ana"), {}, at=AT)
    assert draft.details == '{"onBehalfOf":"ana"}'


def test_the_hash_does_not_change_between_versions() -> None:
    """Pinned: what was written years ago must still verify. Computed apart from our code, with the shell:
    ``printf '[1,1,"a","b","c","d","e","%s"]' "$(printf '0%.0s' {1..64})" | sha256sum``"""
    draft = AuditDraft("a", "b", "c", "d", "e")
    assert hash_of(draft, 1, GENESIS) == "44ac9ccf9197865548f80630e470613c3ad970b29e83eec044c4f7d03a296199"


def test_no_text_can_move_from_one_part_to_the_next() -> None:
    one, other = AuditDraft("t", 'a","b', "c", "d", "e"), AuditDraft("t", "a", 'b","c', "d", "e")
    assert hash_of(one, 1, GENESIS) != hash_of(other, 1, GENESIS)


# ---------------------------------------------------------------- what is found
def test_a_whole_chain_has_no_flaw() -> None:
    chain, records = Chain(), chain_of(5)
    assert chain.follow(records[:2]) is None
    assert chain.follow(records[2:]) is None
    assert chain.head == AuditHead(5, records[4].hash)


@pytest.mark.parametrize("part", [field.name for field in fields(AuditRecord)])
def test_a_change_in_any_part_is_found_where_it_is(part: str) -> None:
    records = chain_of(5)
    value = getattr(records[2], part)
    records[2] = replace(records[2], **{part: value + 1 if isinstance(value, int) else value + "x"})
    flaw = Chain().follow(records)
    assert flaw is not None
    assert flaw.seq == 3


Tamper = Callable[[list[AuditRecord]], list[AuditRecord]]

TAMPERED: dict[str, tuple[Tamper, int]] = {
    "the first is gone": (lambda r: r[1:], 1),
    "one is gone": (lambda r: r[:2] + r[3:], 3),
    "one is gone and the rest moved up": (lambda r: r[:2] + [replace(x, seq=x.seq - 1) for x in r[3:]], 3),
    "two have changed places": (lambda r: [r[0], r[2], r[1], *r[3:]], 2),
    "two have changed contents": (
        lambda r: [r[0], replace(r[2], seq=2, previous=r[1].previous), replace(r[1], seq=3), *r[3:]],
        2,
    ),
    "one is there twice": (lambda r: [*r[:3], *r[2:]], 4),
    "a stranger is put in": (lambda r: [*r[:3], link(r[0], AuditHead(3, r[2].hash)), *r[3:]], 5),
    "one is in front": (lambda r: [replace(r[0], seq=0), *r], 1),
    "one is written anew": (lambda r: [*r[:2], link(r[0], AuditHead(2, r[1].hash)), *r[3:]], 4),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_done_to_a_chain_is_found(how: str) -> None:
    tamper, seq = TAMPERED[how]
    flaw = Chain().follow(tamper(chain_of(5)))
    assert flaw is not None
    assert flaw.seq == seq

"""What ``ports.AuditLog`` promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatapp.domain.audit import GENESIS, AuditDraft, AuditHead, AuditRecord, Chain, link
from chatapp.ports import Store
from tests.contracts.builders import together

DRAFT = AuditDraft("2025-01-27T10:00:00.000Z", "user:ana", "user.delete", "user:bea", '{"name":"Beatriz Ñuñez"}')


def drafts(count: int) -> list[AuditDraft]:
    return [replace(DRAFT, target=f"user:{number}") for number in range(count)]


def everything(store: Store) -> list[AuditRecord]:
    return store.audit.records(after=None, limit=10_000)


def test_at_first_there_is_no_record(store: Store) -> None:
    assert everything(store) == []
    assert store.audit.head() == AuditHead(0, GENESIS)


@pytest.mark.parametrize("text", ["", "🎸 Ñ", "'; DROP TABLE audit_log; --", '{"a":1}', "tab\tline\n", "x" * 5000])
def test_a_record_comes_back_as_it_went_in(store: Store, text: str) -> None:
    draft = AuditDraft(text, text, text, text, text)
    record = store.audit.append(draft)
    assert record == link(draft, AuditHead())
    assert everything(store) == [record]


def test_each_record_follows_the_one_before(store: Store) -> None:
    head, appended = AuditHead(), []
    for draft in drafts(5):
        record = store.audit.append(draft)
        assert record == link(draft, head)
        appended.append(record)
        head = AuditHead(record.seq, record.hash)
        assert store.audit.head() == head
    assert everything(store) == appended


def test_the_same_draft_twice_is_two_records(store: Store) -> None:
    first, second = store.audit.append(DRAFT), store.audit.append(DRAFT)
    assert (first.seq, second.seq) == (1, 2)
    assert first.hash != second.hash


def test_records_are_read_in_pages(store: Store) -> None:
    appended = [store.audit.append(draft) for draft in drafts(7)]
    assert store.audit.records(after=None, limit=3) == appended[:3]
    assert store.audit.records(after=0, limit=3) == appended[:3]
    assert store.audit.records(after=3, limit=3) == appended[3:6]
    assert store.audit.records(after=6, limit=3) == appended[6:]
    assert store.audit.records(after=7, limit=3) == []


def test_many_who_append_at_once_make_one_chain(store: Store) -> None:
    appended = together([lambda draft=draft: store.audit.append(draft) for draft in drafts(20)])
    chain = Chain()
    assert chain.follow(everything(store)) is None
    assert chain.head == store.audit.head()
    assert sorted(appended, key=lambda record: record.seq) == everything(store)
    assert {record.target for record in appended} == {draft.target for draft in drafts(20)}

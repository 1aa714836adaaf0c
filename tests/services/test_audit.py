"""The audit log over real engines: what is recorded, and that nothing can be done to it unseen."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from chatapp.adapters.dynamodb_store import DynamoStore, keys
from chatapp.adapters.dynamodb_store.actions import Delete, Item, Put
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.audit import AuditAction, AuditDraft, AuditHead, AuditRecord, Flaw, link
from chatapp.domain.errors import StoreUnavailable
from chatapp.domain.models import Actor, Standing
from chatapp.ports import Store
from chatapp.services import audit
from chatapp.services.audit import AuditService
from tests.contracts.builders import together
from tests.engines.dynamodb import DynamoEngine, open_dynamo
from tests.fakes import FakeClock
from tests.services.conftest import store_down

ADMIN = Actor("root", Standing.ADMIN)
LENGTH = 7


class Intruder(Protocol):
    """Somebody who writes into the engine by hand, past the store."""

    store: Store

    def rows(self) -> dict[int, dict[str, Any]]:
        """By their number."""

    def write(self, rows: dict[int, dict[str, Any]]) -> None:
        """In place of all there are."""

    def set_head(self, head: AuditHead | None) -> None: ...


class SqliteIntruder:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "chat.db"
        self.store: Store = SqliteStore(self._path)
        self.run("DROP TRIGGER audit_log_is_not_changed")
        self.run("DROP TRIGGER audit_log_is_not_shortened")

    def run(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self._path)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                return [dict(row) for row in connection.execute(sql, values)]
        finally:
            connection.close()

    def rows(self) -> dict[int, dict[str, Any]]:
        return {row["seq"]: row for row in self.run("SELECT * FROM audit_log")}

    def write(self, rows: dict[int, dict[str, Any]]) -> None:
        self.run("DELETE FROM audit_log")
        for place, row in rows.items():
            columns = {**row, "seq": place}  # its number is its place
            self.run(
                f"INSERT INTO audit_log ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                *columns.values(),
            )

    def set_head(self, head: AuditHead | None) -> None:
        self.run("DELETE FROM audit_head")
        if head:
            self.run("INSERT INTO audit_head VALUES (1, ?, ?)", head.seq, head.hash)


class DynamoIntruder:
    def __init__(self, engine: DynamoEngine) -> None:
        self.store: DynamoStore = open_dynamo(engine)
        self._db = self.store._db

    def rows(self) -> dict[int, dict[str, Any]]:
        found = self._db.query(keys.USERS, keys.AUDIT, keys.FIRST, keys.LAST)
        return {int(item["sk"].removeprefix("seq#")): item for item in found}

    def write(self, rows: dict[int, dict[str, Any]]) -> None:
        self._db.write_each([Delete(keys.audit(place)) for place in self.rows()])
        self._db.write_each([Put(keys.audit(place), _attributes(row)) for place, row in rows.items()])

    def set_head(self, head: AuditHead | None) -> None:
        self._db.write(Put(keys.audit_head(), asdict(head)) if head else Delete(keys.audit_head()))


def _attributes(row: dict[str, Any]) -> Item:
    return {name: value for name, value in row.items() if name not in ("pk", "sk")}


@pytest.fixture(scope="module")
def engine() -> Iterator[DynamoEngine]:
    started = DynamoEngine()
    yield started
    started.stop()


@pytest.fixture(params=["sqlite", "dynamodb"])
def intruder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Intruder]:
    if request.param == "sqlite":
        opened: Intruder = SqliteIntruder(tmp_path)
    else:
        opened = DynamoIntruder(request.getfixturevalue("engine"))
    yield opened
    opened.store.close()


@pytest.fixture
def service(intruder: Intruder, monkeypatch: pytest.MonkeyPatch) -> AuditService:
    """With some records, over several pages."""
    monkeypatch.setattr(audit, "PAGE", 3)
    service = AuditService(intruder.store.audit, clock=FakeClock())
    for number in range(LENGTH):
        service.record(AuditAction.USER_DELETE, f"user:{number}", ADMIN, name=f"Number {number}")
    return service


def hash_at(intruder: Intruder, seq: int) -> str:
    return str(intruder.rows()[seq]["hash"])


# ---------------------------------------------------------------- recording
def test_a_record_says_who_did_what_to_whom_and_when(service: AuditService) -> None:
    record = service.page(after=2, limit=1)[0]
    assert (record.seq, record.at, record.actor) == (3, "2025-01-27T10:00:00.000Z", "user:root")
    assert (record.action, record.target, record.details) == ("user.delete", "user:2", '{"name":"Number 2"}')


def test_each_record_leaves_its_hash_in_the_log(intruder: Intruder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    record = AuditService(intruder.store.audit, clock=FakeClock()).record(AuditAction.MESSAGES_PURGE, "all", Actor())
    assert f"audit record 1 {record.hash}" in caplog.text


def test_what_cannot_be_recorded_is_said(intruder: Intruder, service: AuditService) -> None:
    with store_down(intruder.store.audit, "append"), pytest.raises(StoreUnavailable):
        service.record(AuditAction.USER_DELETE, "user:x", ADMIN)


# ---------------------------------------------------------------- a good chain
def test_an_empty_log_is_good(intruder: Intruder) -> None:
    assert AuditService(intruder.store.audit, clock=FakeClock()).verify() == (AuditHead(), None)


def test_a_whole_chain_is_good_and_remembers_each_of_its_hashes(intruder: Intruder, service: AuditService) -> None:
    head = AuditHead(LENGTH, hash_at(intruder, LENGTH))
    assert service.verify() == (head, None)
    for seq in range(1, LENGTH + 1):
        assert service.verify(noted=hash_at(intruder, seq)) == (head, None)


def test_records_that_come_while_it_is_checked_are_no_flaw(
    intruder: Intruder, service: AuditService, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intruder.store.audit.head

    def overtaken() -> AuditHead:
        monkeypatch.setattr(intruder.store.audit, "head", real)
        for number in range(4):
            service.record(AuditAction.USER_DELETE, f"user:late {number}", ADMIN)
        return real()

    monkeypatch.setattr(intruder.store.audit, "head", overtaken)
    head, flaw = service.verify()
    assert (head.seq, flaw) == (LENGTH + 4, None)


def test_checking_and_recording_at_once_finds_no_flaw(service: AuditService) -> None:
    calls: list[Callable[[], Any]] = []
    for number in range(10):
        calls.append(lambda number=number: service.record(AuditAction.USER_DELETE, f"user:late {number}", ADMIN))
        calls.append(lambda: service.verify()[1])
    assert [found for found in together(calls) if isinstance(found, Flaw)] == []


# ---------------------------------------------------------------- what somebody does to it
Rows = dict[int, dict[str, Any]]


def changed(part: str, value: Any) -> Callable[[Rows], Rows]:
    return lambda rows: {**rows, 4: {**rows[4], part: value}}


def without(*gone: int) -> Callable[[Rows], Rows]:
    return lambda rows: {place: row for place, row in rows.items() if place not in gone}


def swapped(rows: Rows) -> Rows:
    return {**rows, 3: rows[4], 4: rows[3]}


def swapped_with_their_numbers(rows: Rows) -> Rows:
    return {**rows, 3: {**rows[4], "seq": 3}, 4: {**rows[3], "seq": 4}}


def removed_and_moved_up(rows: Rows) -> Rows:
    kept = [rows[place] for place in sorted(rows) if place != 4]
    return {place: {**row, "seq": place} for place, row in enumerate(kept, 1)}


def inserted(rows: Rows) -> Rows:
    """A copy in between, and all after it one further on."""
    every = [rows[place] for place in sorted(rows)]
    every.insert(3, rows[2])
    return {place: {**row, "seq": place} for place, row in enumerate(every, 1)}


def in_front(rows: Rows) -> Rows:
    return {**rows, 0: {**rows[1], "seq": 0}}


def forged(rows: Rows) -> Rows:
    """One record written anew, hash and all."""
    draft = AuditDraft("2025-01-27T10:00:00.000Z", "user:somebody else", "user.delete", "user:3", "{}")
    return {**rows, 4: {**rows[4], **asdict(link(draft, AuditHead(3, rows[3]["hash"])))}}


def appended(rows: Rows) -> Rows:
    draft = AuditDraft("2025-01-27T10:00:00.000Z", "user:nobody", "user.delete", "user:x", "{}")
    last = rows[LENGTH]
    return {**rows, LENGTH + 1: {**last, **asdict(link(draft, AuditHead(LENGTH, last["hash"])))}}


DONE: dict[str, tuple[Callable[[Rows], Rows], int]] = {
    "another time": (changed("at", "2025-01-27T10:00:00.001Z"), 4),
    "another actor": (changed("actor", "user:somebody else"), 4),
    "another action": (changed("action", "message.delete"), 4),
    "another target": (changed("target", "user:5"), 4),
    "other details": (changed("details", '{"name": "Number 3"}'), 4),
    "another predecessor": (changed("previous", "0" * 64), 4),
    "another hash": (changed("hash", "0" * 64), 4),
    "nothing in it": (changed("actor", ""), 4),
    "one removed": (without(4), 4),
    "the first removed": (without(1), 1),
    "several removed": (without(3, 4, 5), 3),
    "one removed and the others moved up": (removed_and_moved_up, 4),
    "two swapped": (swapped, 3),
    "two swapped with their numbers": (swapped_with_their_numbers, 3),
    "one inserted": (inserted, 4),
    "one in front": (in_front, 1),
    "one forged": (forged, 5),
    "one forged at the end": (appended, LENGTH + 1),
    "the last removed": (without(LENGTH), LENGTH),
    "the end cut off": (without(5, 6, 7), 5),
    "all removed": (without(*range(1, LENGTH + 1)), 1),
}


@pytest.mark.parametrize("deed", DONE)
def test_what_was_done_to_the_records_is_found_at_the_first_that_is_wrong(
    intruder: Intruder, service: AuditService, deed: str
) -> None:
    do, seq = DONE[deed]
    intruder.write(do(intruder.rows()))
    _, flaw = service.verify()
    assert flaw is not None
    assert flaw.seq == seq


@pytest.mark.parametrize(
    "head", [None, AuditHead(LENGTH, "0" * 64), AuditHead(LENGTH - 1, "0" * 64), AuditHead(LENGTH + 1, "0" * 64)]
)
def test_a_head_that_was_changed_is_found(intruder: Intruder, service: AuditService, head: AuditHead | None) -> None:
    intruder.set_head(head)
    assert service.verify()[1] is not None


def cut_off_with_the_head(intruder: Intruder) -> None:
    rows = intruder.rows()
    intruder.write(without(6, 7)(rows))
    intruder.set_head(AuditHead(5, rows[5]["hash"]))


def test_an_end_cut_off_together_with_the_head_is_found_by_a_hash_that_was_noted(
    intruder: Intruder, service: AuditService
) -> None:
    noted = hash_at(intruder, 6)
    cut_off_with_the_head(intruder)
    assert service.verify()[1] is None, "the chain alone cannot know"
    _, flaw = service.verify(noted=noted)
    assert flaw is not None
    assert flaw.seq == 5


def test_a_chain_written_anew_is_found_by_a_hash_that_was_noted(intruder: Intruder, service: AuditService) -> None:
    rows, noted = intruder.rows(), hash_at(intruder, LENGTH)
    head, anew = AuditHead(), {}
    for record in service.page(after=0, limit=LENGTH):
        written = link(replace(record, actor="user:somebody else"), head)
        anew[written.seq] = {**rows[written.seq], **asdict(written)}
        head = AuditHead(written.seq, written.hash)
    intruder.write(anew)
    intruder.set_head(head)
    assert service.verify()[1] is None, "the chain alone cannot know"
    assert service.verify(noted=noted)[1] is not None


def test_an_end_that_was_cut_off_does_not_heal(intruder: Intruder, service: AuditService) -> None:
    """The next record follows the head, not what is left."""
    intruder.write(without(6, 7)(intruder.rows()))
    assert service.record(AuditAction.USER_DELETE, "user:next", ADMIN).seq == LENGTH + 1
    assert service.verify()[1] == Flaw(6, f"missing, the next one there is {LENGTH + 1}")


# ---------------------------------------------------------------- engines
def test_text_that_is_none_is_found_in_sqlite(tmp_path: Path) -> None:
    intruder = SqliteIntruder(tmp_path)
    service = AuditService(intruder.store.audit, clock=FakeClock())
    for _ in range(2):
        service.record(AuditAction.MESSAGES_PURGE, "all", Actor())
    intruder.run("UPDATE audit_log SET actor = CAST(x'ff' AS TEXT) WHERE seq = 2")
    assert service.verify()[1] == Flaw(2, "is not what was written")
    intruder.store.close()


def test_a_part_that_is_gone_or_no_text_is_found_in_dynamodb(engine: DynamoEngine) -> None:
    intruder = DynamoIntruder(engine)
    service = AuditService(intruder.store.audit, clock=FakeClock())
    for _ in range(2):
        service.record(AuditAction.MESSAGES_PURGE, "all", Actor())
    rows = intruder.rows()
    for change in ({"actor": None}, {"actor": 7}, {"actor": ["operator"]}, {"seq": None}, {"seq": "2"}, {"hash": True}):
        intruder.write({**rows, 2: {**rows[2], **change}})
        flaw = service.verify()[1]
        assert flaw is not None, change
        assert flaw.seq == 2
    intruder.store.close()


def test_sqlite_refuses_to_change_or_shorten_the_log(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "chat.db")
    record: AuditRecord = AuditService(store.audit, clock=FakeClock()).record(
        AuditAction.MESSAGES_PURGE, "all", Actor()
    )
    for sql in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
        connection = sqlite3.connect(tmp_path / "chat.db")
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            connection.execute(sql)
        connection.close()
    assert store.audit.records(after=None, limit=9) == [record]
    store.close()

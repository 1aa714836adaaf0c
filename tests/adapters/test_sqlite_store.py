"""What only the embedded store does. What every store does is in ``tests/contracts``."""

from __future__ import annotations

import _thread
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from chatapp.adapters.sqlite_store import SqliteStore, database, schema
from chatapp.adapters.sqlite_store.changes import read_changes
from chatapp.adapters.sqlite_store.database import READERS, Database
from chatapp.adapters.sqlite_store.messages import SHOWS_FILE
from chatapp.domain.changes import MarkMoved, MessageAppended, MessagesRemoved
from chatapp.domain.errors import ConversationNotFound, StoreUnavailable
from chatapp.domain.models import Message
from chatapp.ports import ReadMark
from tests.contracts.builders import at, draft, failure, group, save_people, say, together
from tests.fakes import START

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20
"""Long enough for a slow machine, short enough to see a deadlock."""


def make_table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chat.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    opened = Database(path, prepare=make_table)
    yield opened
    opened.close()


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    save_people(opened)
    opened.conversations.create_group(group("ana", "bea", "carlos"))
    yield opened
    opened.close()


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    return work


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [row["n"] for row in connection.execute("SELECT n FROM t ORDER BY n")]


class Gate:
    """Work that stops half way in its thread: ``entered`` says when, ``open`` lets it go on."""

    def __init__(self, before: Callable[[sqlite3.Connection], object] = lambda connection: None) -> None:
        self._before = before
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> str:
        self._before(connection)
        self._entered.set()
        if not self._opened.wait(PATIENCE_SECONDS):
            raise AssertionError("nobody opened the gate: is the hub blocked?")
        return "through"

    def wait_until_entered(self) -> None:
        with gevent.Timeout(PATIENCE_SECONDS):
            while not self._entered.is_set():
                gevent.sleep(0.001)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def busy_writer(db: Database) -> Iterator[Gate]:
    """The writer is in the middle of a transaction; what is written now waits and goes into the next one."""
    gate = Gate()
    holding = gevent.spawn(db.write, gate)
    gate.wait_until_entered()
    yield gate
    gate.open()
    holding.get(timeout=PATIENCE_SECONDS)


def enqueue(db: Database, *works: Callable[[sqlite3.Connection], Any]) -> list[gevent.Greenlet[..., Any]]:
    """Each waits for its write; all are in the queue when this returns."""
    waiting = [gevent.spawn(failure_or_result, db.write, work) for work in works]
    gevent.idle()
    return waiting


def failure_or_result(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except Exception as exc:
        return exc


def outcomes(waiting: list[gevent.Greenlet[..., Any]]) -> list[Any]:
    gevent.joinall(waiting, timeout=PATIENCE_SECONDS)
    return [greenlet.get(block=False) for greenlet in waiting]


# ---------------------------------------------------------------- how the file is opened
def pragmas(connection: sqlite3.Connection) -> dict[str, object]:
    names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


DURABLE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "wal_autocheckpoint": 4_000}
"""synchronous 2 is FULL: in WAL mode each commit is flushed to disk before it returns."""


def test_the_writer_flushes_every_commit_and_checks_foreign_keys(db: Database) -> None:
    assert db.write(pragmas) == DURABLE


def test_every_reader_has_the_same_settings(db: Database) -> None:
    all_in = threading.Barrier(READERS)

    def work(connection: sqlite3.Connection) -> tuple[int, dict[str, object]]:
        all_in.wait(PATIENCE_SECONDS)  # so that each has a connection of its own
        return id(connection), pragmas(connection)

    found = together([lambda: db.read(work)] * READERS)
    assert len({number for number, _ in found}) == READERS
    assert [settings for _, settings in found] == [DURABLE] * READERS


def test_readers_connections_are_kept(db: Database) -> None:
    first, second = db.read(id), db.read(id)
    assert first == second


def test_the_folder_is_made(path: Path) -> None:
    assert not path.parent.exists()
    SqliteStore(str(path)).close()
    assert path.is_file()


# ---------------------------------------------------------------- schema
def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version
    finally:
        connection.close()


def run_sql(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.executescript(script)
    finally:
        connection.close()


def test_a_new_file_takes_every_step(path: Path) -> None:
    SqliteStore(path).close()
    assert version_of(path) == len(schema.STEPS)


def test_opening_again_changes_nothing(path: Path, store: SqliteStore) -> None:
    sent = say(store, "hello")
    store.close()
    again = SqliteStore(path)
    assert version_of(path) == len(schema.STEPS)
    assert again.messages.history("g1", limit=10) == [sent]
    assert again.conversations.get("g1") is not None
    assert again.users.get("ana") is not None
    again.close()


def test_an_older_file_takes_only_the_steps_it_lacks(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = say(store, "hello")
    store.close()
    step = "CREATE TABLE added (n INTEGER); -- a comment; with a semicolon\nINSERT INTO added VALUES (1);"
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, step, "INSERT INTO added VALUES (2);"))

    for _ in range(2):
        newer = SqliteStore(path)
        assert newer._database.read(lambda c: [row[0] for row in c.execute("SELECT n FROM added")]) == [1, 2]
        assert newer.messages.history("g1", limit=10) == [sent]
        newer.close()
    assert version_of(path) == len(schema.STEPS)


def test_a_step_that_fails_leaves_nothing_of_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", (*good, "CREATE TABLE half (n INTEGER);\nCREATE TABLE users (again);"))
    with pytest.raises(StoreUnavailable):
        SqliteStore(path)
    assert version_of(path) == len(good)
    monkeypatch.setattr(schema, "STEPS", (*good, "CREATE TABLE half (n INTEGER);"))
    SqliteStore(path).close()


def test_a_step_that_another_process_takes_meanwhile_is_not_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    ours, other = sqlite3.connect(path, isolation_level=None), sqlite3.connect(path, isolation_level=None)

    def overtake(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":  # about to be executed: the version has been read
            ours.set_trace_callback(None)
            schema.migrate(other)

    ours.set_trace_callback(overtake)
    schema.migrate(ours)
    assert version_of(path) == len(schema.STEPS)
    ours.close()
    other.close()


FIRST_STEP_DATA = """
    INSERT INTO conversations (id, type, name, pair, created_by, created_at, updated_at, active_at, last_seq) VALUES
        ('kept', 'group', 'Kept', NULL, 'ana', 1000, 1000, 1000, 3),
        ('purged', 'group', 'Purged', NULL, 'ana', 1000, 1000, 1000, 4),
        ('emptied', 'private', NULL, '["ana", "bea"]', 'ana', 1000, 1000, 1000, 2),
        ('silent', 'group', 'Silent', NULL, 'ana', 1000, 1000, 1000, 0);
    INSERT INTO participants (id, conversation_id, user_id, joined_at, last_read_seq, last_read_at) VALUES
        ('1', 'kept', 'ana', 1000, 3, 5000), ('2', 'kept', 'bea', 1000, 1, 2000),
        ('3', 'kept', 'carlos', 1000, 0, NULL),
        ('4', 'purged', 'ana', 1000, 4, 5000), ('5', 'purged', 'bea', 1000, 2, NULL),
        ('6', 'emptied', 'ana', 1000, 2, NULL), ('7', 'emptied', 'bea', 1000, 2, NULL),
        ('8', 'silent', 'ana', 1000, 0, NULL);
    INSERT INTO messages (conversation_id, seq, id, sender_id, content, message_type, timestamp) VALUES
        ('kept', 1, 'k1', 'ana', 'one', 'text', 2000), ('kept', 2, 'k2', 'ana', 'two', 'text', 3000),
        ('kept', 3, 'k3', 'ana', 'three', 'text', 4000),
        ('purged', 3, 'p3', 'ana', 'three', 'text', 2000), ('purged', 4, 'p4', 'ana', 'four', 'text', 3000);
    INSERT INTO idempotency_keys VALUES ('ana', 'kept', 'c1', 'one', 'k1', 1, 2000);
"""


@pytest.fixture
def migrated(path: Path) -> Iterator[SqliteStore]:
    """A file of the first step, with messages, purged ones and read marks in it."""
    path.parent.mkdir()
    run_sql(path, f"{schema.STEPS[0]} PRAGMA user_version=1; {FIRST_STEP_DATA}")
    opened = SqliteStore(path)
    yield opened
    opened.close()


def told(store: SqliteStore, conversation_id: str, since: int = 0) -> tuple[int, bool, list[tuple[Any, ...]]]:
    """``rev``, ``truncated``, and the changes with what is worth looking at."""
    found = store.conversations.changes(conversation_id, since=since, limit=100)
    facts: list[tuple[Any, ...]] = []
    for item in found.items:
        match item:
            case MessageAppended(rev=rev, message=message):
                assert message.rev == rev
                facts.append((rev, message.id))
            case MarkMoved(rev=rev, user_id=user_id, last_read_seq=seq):
                facts.append((rev, user_id, seq))
            case MessagesRemoved(rev=rev, through_seq=seq):
                facts.append((rev, "purge", seq))
    return found.rev, found.truncated, facts


def test_messages_marks_and_purges_from_before_there_were_revs_have_one(migrated: SqliteStore) -> None:
    messages = [(1, "k1"), (2, "k2"), (3, "k3")]
    assert told(migrated, "kept") == (5, False, [*messages, (4, "ana", 3), (5, "bea", 1)])
    assert told(migrated, "purged") == (6, True, [(3, "p3"), (4, "p4"), (5, "purge", 2), (6, "ana", 4)])
    assert told(migrated, "emptied") == (3, True, [(3, "purge", 2)])
    assert told(migrated, "silent") == (0, False, [])


def test_an_older_file_remembers_what_was_sent_and_forgets_it_with_the_conversation(migrated: SqliteStore) -> None:
    assert say(migrated, draft("one", to="kept", key="c1")).id == "k1"
    migrated.conversations.delete("kept")
    migrated.conversations.create_group(group("ana", "bea", id="kept"))
    assert say(migrated, draft("one", to="kept", key="c1")).seq == 1


def test_an_older_file_goes_on_with_the_next_rev(migrated: SqliteStore) -> None:
    assert migrated.conversations.mark_read("kept", "carlos", now=at(1)).rev == 6
    sent = say(migrated, "four", to="kept")
    assert (sent.seq, sent.rev) == (4, 7)
    assert told(migrated, "kept", since=5) == (7, False, [(6, "carlos", 3), (7, sent.id)])
    again = say(migrated, "three", to="emptied")
    assert (again.seq, again.rev) == (3, 4)
    assert told(migrated, "emptied", since=2) == (4, False, [(3, "purge", 2), (4, again.id)])


def test_a_file_of_a_newer_program_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    run_sql(path, f"PRAGMA user_version={len(schema.STEPS) + 1}")
    with pytest.raises(StoreUnavailable) as refused:
        SqliteStore(path)
    assert f"version {len(schema.STEPS) + 1}" in refused.value.details["reason"]
    assert version_of(path) == len(schema.STEPS) + 1


def hold_a_new_file(path: Path) -> sqlite3.Connection:
    """As another process does that is just making it: no WAL yet, and its first transaction about to be written."""
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE early (n INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    return other


def test_opening_waits_for_another_process_that_makes_the_file(path: Path) -> None:
    other = hold_a_new_file(path)
    opening = gevent.spawn(failure_or_result, SqliteStore, path)
    for _ in range(50):
        gevent.sleep(0.001)
    assert not opening.ready()
    other.execute("COMMIT")
    other.close()
    store = opening.get(timeout=PATIENCE_SECONDS)
    store.check()
    store.close()


@pytest.mark.parametrize("seconds", [0.05, -1])
def test_opening_does_not_wait_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", seconds)
    other = hold_a_new_file(path)
    with pytest.raises(StoreUnavailable) as refused:
        SqliteStore(path)
    assert "locked" in refused.value.details["reason"]
    other.close()


# ---------------------------------------------------------------- an engine that fails
def a_folder(path: Path) -> None:
    path.mkdir(parents=True)


def a_file_where_the_folder_should_be(path: Path) -> None:
    path.parent.write_text("in the way")


def something_else(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but it is long enough to look for a header in it" * 20)


@pytest.mark.parametrize("prepare", [a_folder, a_file_where_the_folder_should_be, something_else])
def test_a_file_that_cannot_be_opened_is_unavailable_and_says_which(
    path: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(path)
    with pytest.raises(StoreUnavailable) as refused:
        SqliteStore(path)
    assert str(path) in refused.value.details["reason"]
    assert isinstance(refused.value.__cause__, OSError | sqlite3.Error)


def test_a_store_that_could_not_be_opened_leaves_no_threads(path: Path) -> None:
    a_folder(path)
    before = _thread._count()
    for _ in range(5):
        failure(lambda: SqliteStore(path))
    with gevent.Timeout(PATIENCE_SECONDS):
        while _thread._count() > before:
            gevent.sleep(0.001)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.check(),
        lambda store: store.users.get("ana"),
        lambda store: store.users.list_by_name(limit=1),
        lambda store: store.users.touch("ana", last_seen=START),
        lambda store: store.conversations.get("g1"),
        lambda store: store.conversations.inbox("ana"),
        lambda store: store.conversations.add_participants("g1", ["dora"], by="ana", now=START),
        lambda store: store.conversations.changes("g1", since=0, limit=1),
        lambda store: store.conversations.mark_read("g1", "bea", now=START),
        lambda store: store.messages.get("m"),
        lambda store: store.messages.history("g1", limit=1),
        lambda store: store.messages.purge(limit=1),
        lambda store: say(store, "hello"),
    ],
)
def test_a_drivers_error_is_unavailable(path: Path, store: SqliteStore, call: Callable[[SqliteStore], object]) -> None:
    run_sql(path, "DROP TABLE messages; DROP TABLE users; DROP TABLE idempotency_keys; DROP TABLE participants;"
                  "DROP TABLE changes; DROP TABLE conversations;")  # fmt: skip
    with pytest.raises(StoreUnavailable) as raised:
        call(store)
    assert isinstance(raised.value.__cause__, sqlite3.Error)
    assert raised.value.details == {"engine": "sqlite"}, "clients see these; a driver's text is not for them"


def test_a_message_id_that_is_taken_is_unavailable_and_writes_nothing(store: SqliteStore) -> None:
    sent = say(store, draft("one", key="k1"))
    twin = Message(**{name: getattr(sent, name) for name in sent.__slots__} | {"client_message_id": "k2"})
    with pytest.raises(StoreUnavailable) as raised:
        say(store, twin)
    assert isinstance(raised.value.__cause__, sqlite3.IntegrityError)
    assert say(store, "two").seq == 2


def test_a_reader_that_cannot_connect_is_unavailable(path: Path, db: Database) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    with pytest.raises(StoreUnavailable):
        db.read(numbers)


def test_a_reader_goes_on_after_a_failure(db: Database) -> None:
    with pytest.raises(StoreUnavailable):
        db.read(lambda connection: connection.execute("SELECT * FROM nowhere"))
    with pytest.raises(ConversationNotFound):
        db.read(raise_not_found)
    assert db.read(numbers) == []


def test_a_refusal_prints_nothing(store: SqliteStore, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """gevent's pools print what their threads raise; here that would be every stranger's ``join_room``."""
    failure(lambda: store.conversations.entry("g1", "stranger"))
    failure(lambda: store.conversations.delete("nothing"))
    failure(lambda: store._database.read(lambda connection: connection.execute("SELECT * FROM nowhere")))
    failure(lambda: store._database.write(lambda connection: connection.execute("SELECT * FROM nowhere")))
    failure(lambda: SqliteStore(path.parent))
    assert capfd.readouterr() == ("", "")


def raise_not_found(connection: sqlite3.Connection) -> None:
    raise ConversationNotFound(conversationId="g1")


def test_a_full_disk_is_unavailable_and_what_was_there_stays(store: SqliteStore) -> None:
    say(store, "before")
    pages = store._database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    store._database.write(lambda c: c.execute(f"PRAGMA max_page_count={pages}").fetchall())

    drafts = [draft("x" * 16_000) for _ in range(10)]
    refused = together([lambda d=d: failure(lambda: say(store, d)) for d in drafts])
    assert all(isinstance(error, StoreUnavailable) for error in refused)
    assert [message.content for message in store.messages.history("g1", limit=99)] == ["before"]

    store._database.write(lambda c: c.execute("PRAGMA max_page_count=1000000").fetchall())
    assert say(store, "after").seq == 2


def test_a_lock_that_another_process_keeps_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    db = Database(path, prepare=make_table)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        db.write(insert(1))
    assert db.read(numbers) == []

    other.execute("ROLLBACK")
    other.close()
    assert db.write(insert(2)) == 2
    assert db.read(numbers) == [2]
    db.close()


# ---------------------------------------------------------------- groups
def commits_of(db: Database) -> list[str]:
    """Every COMMIT from now on, as it happens."""
    seen: list[str] = []

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda statement: seen.append(statement) if statement == "COMMIT" else None)

    db.write(watch)
    seen.clear()  # that write's own
    return seen


def test_writes_that_wait_share_one_commit(db: Database) -> None:
    commits = commits_of(db)
    gate = Gate()
    first = enqueue(db, gate)
    gate.wait_until_entered()
    waiting = enqueue(db, *(insert(n) for n in range(50)))
    gate.open()
    assert outcomes(first) == ["through"]
    assert outcomes(waiting) == list(range(50))
    assert len(commits) == 2
    assert db.read(numbers) == list(range(50))


def test_a_group_is_bounded(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_GROUP", 10)
    commits = commits_of(db)
    gate = Gate()
    first = enqueue(db, gate)
    gate.wait_until_entered()
    waiting = enqueue(db, *(insert(n) for n in range(35)))
    gate.open()
    outcomes(first)
    assert outcomes(waiting) == list(range(35))
    assert len(commits) == 1 + 4


def test_a_write_alone_does_not_wait_for_others(db: Database) -> None:
    commits = commits_of(db)
    for n in range(3):
        db.write(insert(n))
    assert len(commits) == 3


def test_writers_wake_in_the_order_of_the_queue(db: Database, busy_writer: Gate) -> None:
    woken: list[int] = []
    waiting = [gevent.spawn(lambda n=n: woken.append(db.write(insert(n)))) for n in range(40)]
    gevent.idle()
    busy_writer.open()
    outcomes(waiting)
    assert woken == list(range(40))


def test_nothing_is_acknowledged_before_the_commit(path: Path, db: Database, busy_writer: Gate) -> None:
    gate = Gate()
    early, late = enqueue(db, insert(1), gate)
    busy_writer.open()
    gate.wait_until_entered()
    gevent.idle()
    assert not early.ready()
    assert db.read(numbers) == []
    gate.open()
    assert outcomes([early, late]) == [1, "through"]
    assert db.read(numbers) == [1]


def test_work_that_fails_is_undone_and_the_rest_of_its_group_is_kept(db: Database, busy_writer: Gate) -> None:
    def insert_then_raise(connection: sqlite3.Connection) -> None:
        insert(2)(connection)
        raise ConversationNotFound(conversationId="g1")

    def insert_then_insert_again(connection: sqlite3.Connection) -> None:
        insert(4)(connection)
        insert(1)(connection)

    def insert_then_bind_nonsense(connection: sqlite3.Connection) -> None:
        insert(6)(connection)
        connection.execute("INSERT INTO t VALUES (?)", (object(),))

    waiting = enqueue(
        db, insert(1), insert_then_raise, insert(3), insert_then_insert_again, insert(5), insert_then_bind_nonsense
    )
    busy_writer.open()

    one, raised, three, twice, five, nonsense = outcomes(waiting)
    assert (one, three, five) == (1, 3, 5)
    assert isinstance(raised, ConversationNotFound)
    assert isinstance(twice, StoreUnavailable)
    assert isinstance(twice.__cause__, sqlite3.IntegrityError)
    assert isinstance(nonsense, StoreUnavailable)
    assert db.read(numbers) == [1, 3, 5]


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk I/O error"), sqlite3.DatabaseError("database disk image is malformed")]
)
def test_an_engine_that_fails_fails_the_whole_group(db: Database, busy_writer: Gate, error: sqlite3.Error) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        raise error

    waiting = enqueue(db, insert(1), fail, insert(2))
    busy_writer.open()

    for outcome in outcomes(waiting):
        assert isinstance(outcome, StoreUnavailable)
        assert outcome.__cause__ is error
    assert db.read(numbers) == []
    assert db.write(insert(3)) == 3
    assert db.read(numbers) == [3]


def test_a_commit_that_fails_fails_the_whole_group(path: Path) -> None:
    def prepare(connection: sqlite3.Connection) -> None:
        make_table(connection)
        connection.execute("CREATE TABLE child (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)")

    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO child VALUES (99)")  # noticed at COMMIT

    db = Database(path, prepare=prepare)
    gate = Gate()
    first = enqueue(db, gate)
    gate.wait_until_entered()
    waiting = enqueue(db, insert(1), orphan)
    gate.open()
    outcomes(first)
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes(waiting))
    assert db.read(numbers) == []
    assert db.write(insert(2)) == 2
    db.close()


def test_a_writer_whose_caller_is_gone_does_not_stop_the_others(db: Database, busy_writer: Gate) -> None:
    impatient, patient = enqueue(db, insert(1), insert(2))
    impatient.kill()
    busy_writer.open()
    assert outcomes([patient]) == [2]
    assert db.read(numbers) == [1, 2]


def test_a_mark_that_does_not_move_does_not_wait_for_the_writer(store: SqliteStore) -> None:
    """RULINGS: clients ask every second while a chat is open."""
    gate = Gate()
    holding = gevent.spawn(store._database.write, gate)
    gate.wait_until_entered()
    with gevent.Timeout(PATIENCE_SECONDS):
        assert not store.conversations.mark_read("g1", "bea", now=at(1)).moved
    gate.open()
    holding.get(timeout=PATIENCE_SECONDS)


def test_one_mark_is_written_when_two_devices_read_at_once(store: SqliteStore) -> None:
    say(store, "hello")
    gate = Gate()
    holding = gevent.spawn(store._database.write, gate)
    gate.wait_until_entered()
    devices = [gevent.spawn(store.conversations.mark_read, "g1", "bea", now=at(n)) for n in (1, 2)]
    with gevent.Timeout(PATIENCE_SECONDS):
        while store._database._queue.qsize() < 2:  # both have seen that there is something to read
            gevent.sleep(0.001)
    gate.open()
    marks = sorted(outcomes(devices), key=lambda mark: mark.moved)
    holding.get(timeout=PATIENCE_SECONDS)
    assert marks == [ReadMark(False, 1, marks[1].at), ReadMark(True, 1, marks[1].at, rev=2)]
    assert store.conversations.entry("g1", "bea").last_read_at == marks[1].at


# ---------------------------------------------------------------- who waits for whom
def test_the_hub_goes_on_while_the_writer_works(db: Database, busy_writer: Gate) -> None:
    waiting = enqueue(db, insert(1))
    beats = 0
    for _ in range(20):
        gevent.sleep(0.001)
        beats += 1
    assert beats == 20
    assert not waiting[0].ready()


def test_the_hub_goes_on_while_readers_work(db: Database) -> None:
    gates = [Gate() for _ in range(READERS)]
    reading = [gevent.spawn(db.read, gate) for gate in gates]
    for gate in gates:
        gate.wait_until_entered()
    late = gevent.spawn(db.read, numbers)  # more than there are readers: waits for one
    gevent.sleep(0.005)
    assert not any(greenlet.ready() for greenlet in (*reading, late))
    for gate in gates:
        gate.open()
    assert outcomes([*reading, late]) == ["through"] * READERS + [[]]


def test_reading_does_not_wait_for_a_long_write(db: Database) -> None:
    db.write(insert(1))
    gate = Gate(before=insert(2))
    writing = gevent.spawn(db.write, gate)
    gate.wait_until_entered()
    with gevent.Timeout(PATIENCE_SECONDS):
        assert db.read(numbers) == [1]
    assert not writing.ready()
    gate.open()
    writing.get(timeout=PATIENCE_SECONDS)
    assert db.read(numbers) == [1, 2]


def test_a_read_is_one_snapshot(db: Database) -> None:
    between, go_on = threading.Event(), threading.Event()

    def read_twice(connection: sqlite3.Connection) -> tuple[list[int], list[int]]:
        first = numbers(connection)
        between.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return first, numbers(connection)

    reading = gevent.spawn(db.read, read_twice)
    with gevent.Timeout(PATIENCE_SECONDS):
        while not between.is_set():
            gevent.sleep(0.001)
    db.write(insert(1))
    go_on.set()
    assert reading.get(timeout=PATIENCE_SECONDS) == ([], [])
    assert db.read(numbers) == [1]


# ---------------------------------------------------------------- changes
def steps_of(store: SqliteStore, since: int) -> int:
    """Hundreds of SQLite's virtual machine instructions that it takes to read the changes after ``since``."""
    hundreds = 0

    def count() -> int:
        nonlocal hundreds
        hundreds += 1
        return 0

    def work(connection: sqlite3.Connection) -> None:
        head = connection.execute("SELECT * FROM conversations WHERE id = 'g1'").fetchone()
        connection.set_progress_handler(count, 100)
        read_changes(connection, head, since, limit=1)
        connection.set_progress_handler(None, 0)

    store._database.read(work)
    return hundreds


def test_catching_up_does_not_walk_through_what_is_known(store: SqliteStore) -> None:
    """Half of two thousand changes are edits, so that a ``rev`` does not say which ``seq`` it belongs to."""
    first = say(store, "first")
    together([lambda: say(store, "old") for _ in range(1000)])
    together([lambda: store.messages.edit(first.id, content="x", preview="x", now=START) for _ in range(1000)])
    together([lambda: say(store, "new") for _ in range(10)])
    everything, since_the_last_edits = steps_of(store, 0), steps_of(store, 1500)
    assert everything <= 10
    assert since_the_last_edits <= 10


def test_what_was_done_to_purged_messages_is_not_kept(store: SqliteStore) -> None:
    for text in ("one", "two"):
        sent = say(store, text)
        store.messages.edit(sent.id, content="x", preview="x", now=START)
        store.messages.delete(sent.id)
    store.messages.purge(limit=1)
    rows = store._database.read(lambda c: c.execute("SELECT kind, seq FROM changes ORDER BY rev").fetchall())
    assert [tuple(row) for row in rows] == [("edit", 2), ("delete", 2), ("purge", 1)]


# ---------------------------------------------------------------- closing
def test_closing_finishes_what_was_accepted_and_takes_nothing_more(path: Path) -> None:
    db = Database(path, prepare=make_table)
    gate, reading_gate = Gate(), Gate()
    first = enqueue(db, gate)
    gate.wait_until_entered()
    waiting = enqueue(db, *(insert(n) for n in range(20)))
    reading = [gevent.spawn(db.read, reading_gate) for _ in range(READERS + 2)]
    reading_gate.wait_until_entered()
    closing = gevent.spawn(db.close)
    gevent.idle()

    with pytest.raises(StoreUnavailable):
        db.write(insert(99))
    with pytest.raises(StoreUnavailable):
        db.read(numbers)
    assert not closing.ready()

    gate.open()
    assert outcomes(first) == ["through"]
    assert outcomes(waiting) == list(range(20))
    gevent.idle()
    assert not closing.ready(), "reads were accepted too"
    reading_gate.open()
    assert outcomes(reading) == ["through"] * (READERS + 2)
    closing.get(timeout=PATIENCE_SECONDS)

    again = Database(path, prepare=make_table)
    assert again.read(numbers) == list(range(20))
    again.close()


def test_closing_waits_for_a_read_whose_caller_is_gone(path: Path) -> None:
    db = Database(path, prepare=make_table)
    gate = Gate(before=numbers)
    reading = gevent.spawn(db.read, gate)
    gate.wait_until_entered()
    reading.kill()
    closing = gevent.spawn(db.close)
    for _ in range(20):
        gevent.sleep(0.001)
    assert not closing.ready()
    gate.open()
    closing.get(timeout=PATIENCE_SECONDS)
    assert [file.name for file in path.parent.iterdir()] == ["chat.db"], "a connection was left open"


def test_a_closed_file_needs_no_companions(path: Path, store: SqliteStore) -> None:
    say(store, "hello")
    store.messages.history("g1", limit=1)
    assert path.with_name("chat.db-wal").exists()
    store.close()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["chat.db"]


# ---------------------------------------------------------------- several processes on one file
CHILD = """
import sys
import gevent
from chatapp.adapters.sqlite_store import SqliteStore
from tests.contracts.builders import draft, group, save_people, say

path, by, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(path)
save_people(store)
if count < 0:
    while True:  # until somebody kills us
        print(say(store, by, by=by).seq, flush=True)
gevent.joinall([gevent.spawn(say, store, f"{by} {n}", by=by) for n in range(count)], raise_error=True)
store.close()
print("done", flush=True)
"""


class Child:
    """Another process on the same file. It waits for ``go`` before it opens it."""

    def __init__(self, path: Path, by: str, count: int) -> None:
        # Its ids must not be ours: each counts from a number of its own.
        own_ids = f"import itertools, tests.contracts.builders as b; b._ids._numbers = itertools.count({id(self)})\n"
        self._process = subprocess.Popen(
            [sys.executable, "-c", own_ids + CHILD, str(path), by, str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.readline() == "ready"

    def readline(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> tuple[str, int]:
        out, _ = self._process.communicate(timeout=60)
        return out.strip(), self._process.returncode

    def kill(self) -> str:
        self._process.send_signal(signal.SIGKILL)
        return self.finish()[0]


def test_processes_that_open_a_new_file_at_once_all_succeed(path: Path) -> None:
    children = [Child(path, "ana", 0) for _ in range(6)]
    for child in children:
        child.go()
    assert [child.finish() for child in children] == [("done", 0)] * 6
    assert version_of(path) == len(schema.STEPS)


def test_processes_that_send_at_once_leave_no_gap(path: Path, store: SqliteStore) -> None:
    children = [Child(path, by, 40) for by in ("bea", "carlos")]
    for child in children:
        child.go()
    mine = [say(store, f"ana {n}").seq for n in range(40)]
    assert [child.finish() for child in children] == [("done", 0)] * 2

    history = store.messages.history("g1", limit=1000)
    assert [message.seq for message in history] == list(range(1, 121))
    assert mine == sorted(mine)
    assert {by: sum(m.sender_id == by for m in history) for by in ("ana", "bea", "carlos")} == dict.fromkeys(
        ("ana", "bea", "carlos"), 40
    )


def test_what_a_killed_process_acknowledged_is_there(path: Path, store: SqliteStore) -> None:
    child = Child(path, "bea", -1)
    child.go()
    acknowledged = [int(child.readline()) for _ in range(30)]
    acknowledged += [int(line) for line in child.kill().split()[:-1]]
    found = [message.seq for message in store.messages.history("g1", limit=100_000)]
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert found == list(range(1, len(found) + 1))
    assert set(acknowledged) <= set(found)
    assert say(store, "still open").seq == found[-1] + 1


def test_who_is_shown_a_file_is_looked_up_however_large_the_chat(path: Path, store: SqliteStore) -> None:
    connection = sqlite3.connect(path)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {SHOWS_FILE}", ("bea", "/api/files/a.png"))]
    connection.close()
    assert len(plan) == 2
    assert "messages_by_file (file_url=?)" in plan[0]
    assert "(conversation_id=? AND user_id=?)" in plan[1]

"""Connections to one SQLite file: a single writer that commits in groups, and readers that never wait for it.

Nothing here runs on gevent's hub: SQLite blocks, and a slow query would stall every client. Writes that arrive while
a commit is being flushed to disk go together into the next one, so that an fsync is shared by all that wait for it
(measured: one per transaction 155 µs CPU / 357 µs wall an insert, groups of 100 17 / 20 µs).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import SimpleQueue
from gevent.threadpool import ThreadPool

from chatapp.adapters.threads import in_thread
from chatapp.domain.errors import StoreUnavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_GROUP = 500
"""Writes in one commit; bounds how long the first of them waits for the last."""

READERS = 4
"""SQLite's readers scale with cores, and the machines we run on have few."""

CACHE_KIB = 32_768
"""Pages that a connection may keep. Conversations and keys lie all over the file: with SQLite's own 2 MB a send into
100,000 messages read half a dozen pages again, with random ids (measured by benchmarks/send_cost.py)."""

CHECKPOINT_PAGES = 4_000
"""How long the log grows before it is put into the file, by the commit that fills it. What is written again and again
is copied once: at 1,000, which is SQLite's own, a send costs a fifth more (docs/decisions/0012). 16 MB."""

BUSY_TIMEOUT_SECONDS = 5.0
"""How long another process may hold the write lock before we give up."""

REFUSALS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
"""Driver errors that condemn one piece of work. All others (disk full, I/O error, locked, damaged) the transaction."""


@dataclass(frozen=True, slots=True)
class _Write:
    work: Work[Any]
    result: AsyncResult[Any]


class Database:
    def __init__(self, path: Path, *, prepare: Work[None]) -> None:
        self._path = path
        self._closed = False
        self._writer_thread = ThreadPool(1)
        self._reader_threads = ThreadPool(READERS)
        self._idle_readers: list[sqlite3.Connection] = []
        self._reads = 0
        self._no_reads = Event()
        self._no_reads.set()
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        try:
            self._writer_connection = in_thread(self._writer_thread, self._open_writer, prepare)
        except BaseException:
            self._stop_threads()
            raise
        self._writer = gevent.spawn(self._write_forever)

    # ------------------------------------------------------------ for the stores
    def read(self, work: Work[T]) -> T:
        """Run ``work`` on a reader's connection, in one snapshot that has everything committed before the call."""
        self._require_open()
        self._reads += 1
        self._no_reads.clear()
        try:
            return in_thread(self._reader_threads, self._with_reader, work)
        finally:
            self._reads -= 1
            if not self._reads:
                self._no_reads.set()

    def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction; returns when that is on disk. A raise from ``work`` undoes just ``work``.

        It may run twice: when another of its group fails half way, all of them are undone and begin again.
        """
        self._require_open()
        entry = _Write(work, AsyncResult())
        self._queue.put(entry)
        return cast(T, entry.result.get())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._no_reads.wait()
        self._reader_threads.join()  # whose caller was killed, a read goes on without one
        for connection in self._idle_readers:
            connection.close()
        in_thread(self._writer_thread, self._writer_connection.close)  # the last one out moves the WAL into the file
        self._stop_threads()

    # ------------------------------------------------------------ readers
    def _with_reader(self, work: Work[T]) -> T:
        try:
            with self._reader() as connection, connection:
                connection.execute("BEGIN")  # several statements, one snapshot
                return work(connection)
        except sqlite3.Error as exc:
            raise StoreUnavailable(engine="sqlite") from exc

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle_readers.append(connection)

    # ------------------------------------------------------------ the writer
    def _write_forever(self) -> None:
        running = True
        while running:
            group: list[_Write] = []
            entry = self._queue.get()
            while entry is not None:
                group.append(entry)
                if len(group) == MAX_GROUP or self._queue.empty():
                    break
                entry = self._queue.get()
            running = entry is not None
            if group:
                self._finish(group)

    def _finish(self, group: list[_Write]) -> None:
        try:
            outcomes = in_thread(self._writer_thread, self._commit, [entry.work for entry in group])
        except Exception as exc:
            outcomes = [exc] * len(group)
        # In queue order: whoever waits for a lower seq wakes first, and so publishes first.
        for entry, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Exception):
                entry.result.set_exception(outcome)
            else:
                entry.result.set(outcome)

    def _commit(self, group: list[Work[Any]]) -> list[Any]:
        try:
            try:
                return self._transact(group, _attempt)
            except _HalfDone:
                return self._transact(group, _attempt_alone)
        except sqlite3.Error as exc:
            raise StoreUnavailable(engine="sqlite") from exc

    def _transact(self, group: list[Work[Any]], attempt: Callable[[sqlite3.Connection, Work[Any]], Any]) -> list[Any]:
        with self._writer_connection as connection:  # commits at its end; rolls back when that or a work fails
            connection.execute("BEGIN IMMEDIATE")
            return [attempt(connection, work) for work in group]

    # ------------------------------------------------------------ connections
    def _open_writer(self, prepare: Work[None]) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect()
            try:
                prepare(connection)
            except BaseException:
                connection.close()
                raise
        except (OSError, sqlite3.Error) as exc:
            raise StoreUnavailable(engine="sqlite", reason=f"{self._path}: {exc}") from exc
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,  # transactions are ours, not the driver's
            check_same_thread=False,  # a pool's threads take turns with it
            cached_statements=256,
        )
        connection.row_factory = sqlite3.Row
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _stop_threads(self) -> None:
        self._writer_thread.kill()
        self._reader_threads.kill()

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(engine="sqlite", reason="closed")


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for the lock that this takes; processes that make a file at once would refuse each other."""
    give_up_at = monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if monotonic() > give_up_at:
                raise
            connection.execute("BEGIN EXCLUSIVE")  # for this one it waits
            connection.execute("ROLLBACK")


class _HalfDone(Exception):
    """A work has written something and then failed."""


def _attempt(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    """The work's result, or the exception it raised before it wrote anything, as nearly all refusals are: a savepoint
    for each work costs as much as a statement. Raises _HalfDone."""
    before = connection.total_changes
    outcome = _outcome(connection, work)
    if isinstance(outcome, Exception) and connection.total_changes != before:
        raise _HalfDone
    return outcome


def _attempt_alone(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    """The work's result, or the exception it raised with nothing of it left behind."""
    connection.execute("SAVEPOINT one")
    outcome = _outcome(connection, work)
    if isinstance(outcome, Exception):
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return outcome


def _outcome(connection: sqlite3.Connection, work: Work[Any]) -> Any:
    try:
        return work(connection)
    except REFUSALS as exc:
        refusal = StoreUnavailable(engine="sqlite")
        refusal.__cause__ = exc
        return refusal
    except sqlite3.Error:
        raise  # nothing in this transaction can be trusted
    except Exception as exc:
        return exc

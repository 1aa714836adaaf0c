"""The embedded store: one SQLite file in WAL mode, every acknowledged write on disk (``synchronous=FULL``)."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from chatapp.adapters.sqlite_store.api_keys import SqliteApiKeys
from chatapp.adapters.sqlite_store.audit import SqliteAudit
from chatapp.adapters.sqlite_store.calls import SqliteCalls
from chatapp.adapters.sqlite_store.conversations import SqliteConversations, read_marks
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.events import SqliteEvents
from chatapp.adapters.sqlite_store.messages import SqliteMessages
from chatapp.adapters.sqlite_store.revocations import SqliteRevocations
from chatapp.adapters.sqlite_store.rows import to_entry
from chatapp.adapters.sqlite_store.schema import migrate
from chatapp.adapters.sqlite_store.users import SqliteUsers, save_and_log
from chatapp.adapters.sqlite_store.webhooks import SqliteWebhooks
from chatapp.adapters.times import to_ms
from chatapp.domain.commands import SaveUser
from chatapp.domain.models import InboxEntry, User
from chatapp.ports import (
    ApiKeyStore,
    AuditLog,
    CallStore,
    ConversationStore,
    EventLog,
    Journal,
    MessageStore,
    RevocationStore,
    UserStore,
    WebhookStore,
)
from chatapp.services.journal import NoJournal

__all__ = ["SqliteStore"]


class SqliteStore:
    """All the stores over one file, which is made (with its folder) and migrated when it is opened."""

    def __init__(self, path: str | Path, journal: Journal | None = None) -> None:
        self._database = Database(Path(path), prepare=migrate)
        self._journal = journal = journal or NoJournal()
        self.users: UserStore = SqliteUsers(self._database, journal)
        self.conversations: ConversationStore = SqliteConversations(self._database, journal)
        self.messages: MessageStore = SqliteMessages(self._database, journal)
        self.calls: CallStore = SqliteCalls(self._database)
        self.api_keys: ApiKeyStore = SqliteApiKeys(self._database)
        self.revocations: RevocationStore = SqliteRevocations(self._database)
        self.audit: AuditLog = SqliteAudit(self._database)
        self.events: EventLog = SqliteEvents(self._database, journal)
        self.webhooks: WebhookStore = SqliteWebhooks(self._database)

    def arrive(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, list[InboxEntry]]:
        """In one transaction, for one change of threads."""

        def work(connection: sqlite3.Connection) -> tuple[User, list[sqlite3.Row]]:
            user, _ = save_and_log(connection, self._journal, command, user_id, to_ms(now))
            return user, read_marks(connection, user_id)

        user, marks = self._database.write(work)
        return user, [to_entry(row) for row in marks]

    def check(self) -> None:
        self._database.read(lambda connection: connection.execute("SELECT 1 FROM users LIMIT 1").fetchone())

    def close(self) -> None:
        self._database.close()

"""The embedded store: one SQLite file in WAL mode, every acknowledged write on disk (``synchronous=FULL``)."""

from __future__ import annotations

from pathlib import Path

from chatapp.adapters.sqlite_store.conversations import SqliteConversations
from chatapp.adapters.sqlite_store.database import Database
from chatapp.adapters.sqlite_store.messages import SqliteMessages
from chatapp.adapters.sqlite_store.schema import migrate
from chatapp.adapters.sqlite_store.users import SqliteUsers
from chatapp.ports import ConversationStore, MessageStore, UserStore

__all__ = ["SqliteStore"]


class SqliteStore:
    """All three stores over one file, which is made (with its folder) and migrated when it is opened."""

    def __init__(self, path: str | Path) -> None:
        self._database = Database(Path(path), prepare=migrate)
        self.users: UserStore = SqliteUsers(self._database)
        self.conversations: ConversationStore = SqliteConversations(self._database)
        self.messages: MessageStore = SqliteMessages(self._database)

    def check(self) -> None:
        self._database.read(lambda connection: connection.execute("SELECT 1 FROM users LIMIT 1").fetchone())

    def close(self) -> None:
        self._database.close()

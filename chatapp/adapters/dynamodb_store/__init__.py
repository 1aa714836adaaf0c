"""The store for more than one machine: four DynamoDB tables, every read a consistent one, no index that could lag."""

from __future__ import annotations

from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.api_keys import DynamoApiKeys
from chatapp.adapters.dynamodb_store.audit import DynamoAudit
from chatapp.adapters.dynamodb_store.calls import DynamoCalls
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.conversations import DynamoConversations
from chatapp.adapters.dynamodb_store.events import DynamoEvents
from chatapp.adapters.dynamodb_store.marking import Mark, marking
from chatapp.adapters.dynamodb_store.messages import DynamoMessages
from chatapp.adapters.dynamodb_store.outbox import Outbox
from chatapp.adapters.dynamodb_store.revocations import DynamoRevocations
from chatapp.adapters.dynamodb_store.sending import Send, sending
from chatapp.adapters.dynamodb_store.tables import create_tables
from chatapp.adapters.dynamodb_store.users import DynamoUsers
from chatapp.adapters.dynamodb_store.webhooks import DynamoWebhooks
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

__all__ = ["DynamoStore"]


class DynamoStore:
    """All the stores over tables that ``create_tables`` has made.

    Without an endpoint it is AWS; without keys the usual chain finds them (environment, profile, instance role).
    """

    def __init__(
        self,
        *,
        endpoint: str | None,
        region: str,
        prefix: str,
        access_key: str | None,
        secret_key: str | None,
        journal: Journal | None = None,
    ) -> None:
        self._db = Dynamo(endpoint=endpoint, region=region, prefix=prefix, access_key=access_key, secret_key=secret_key)
        journal = journal or NoJournal()
        outbox = Outbox(self._db, {Send: sending(self._db, journal), Mark: marking(self._db, journal)})
        self.users: UserStore = DynamoUsers(self._db, journal)
        self.conversations: ConversationStore = DynamoConversations(self._db, outbox, journal)
        self.messages: MessageStore = DynamoMessages(self._db, outbox, journal)
        self.calls: CallStore = DynamoCalls(self._db)
        self.api_keys: ApiKeyStore = DynamoApiKeys(self._db)
        self.revocations: RevocationStore = DynamoRevocations(self._db)
        self.audit: AuditLog = DynamoAudit(self._db, outbox)
        self.events: EventLog = DynamoEvents(self._db, journal)
        self.webhooks: WebhookStore = DynamoWebhooks(self._db, journal)

    def create_tables(self) -> None:
        """Make those that are missing; harmless when they are there, and when others do it too."""
        self._db.run(lambda: create_tables(self._db))

    def arrive(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, list[InboxEntry]]:
        user, _ = self.users.save(command, user_id=user_id, now=now)
        return user, self.conversations.marks(user_id)

    def check(self) -> None:
        self._db.run(lambda: self._db.get_many(keys.Key(table, "check", "check") for table in keys.TABLES))

    def close(self) -> None:
        self._db.close()

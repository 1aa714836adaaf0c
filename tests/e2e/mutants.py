"""The server with one bug planted, named by MUTANT, for the torturer to find: ``gunicorn … tests.e2e.mutants:app``."""

from gevent import monkey

monkey.patch_all()

import itertools  # noqa: E402 - patch first
import os  # noqa: E402
import sqlite3  # noqa: E402
from collections.abc import Collection  # noqa: E402
from dataclasses import replace  # noqa: E402
from datetime import UTC, datetime  # noqa: E402

from chatapp import create_app  # noqa: E402
from chatapp.adapters.sqlite_store import messages as sqlite_messages  # noqa: E402
from chatapp.domain.errors import NotAParticipant  # noqa: E402
from chatapp.domain.events import Event, MessageSent  # noqa: E402
from chatapp.domain.models import InboxEntry, Message  # noqa: E402
from chatapp.ports import Appended  # noqa: E402
from chatapp.services.audience import Audience  # noqa: E402
from chatapp.services.conversations import ConversationService  # noqa: E402
from chatapp.services.telling import Teller  # noqa: E402
from chatapp.transport.sockets.publisher import SocketPublisher  # noqa: E402

EVERY = 9
"""One in so many goes wrong."""

DELIVER = SocketPublisher.deliver
turns = itertools.count(1)


def dropped_publish() -> None:
    def deliver(self: SocketPublisher, event: Event, *, rooms: Collection[str] | None = None) -> None:
        if not (isinstance(event, MessageSent) and next(turns) % EVERY == 0):
            DELIVER(self, event, rooms=rooms)

    SocketPublisher.deliver = deliver  # type: ignore[method-assign]


def double_publish() -> None:
    def deliver(self: SocketPublisher, event: Event, *, rooms: Collection[str] | None = None) -> None:
        DELIVER(self, event, rooms=rooms)
        if isinstance(event, MessageSent) and next(turns) % EVERY == 0:
            DELIVER(self, event, rooms=rooms)

    SocketPublisher.deliver = deliver  # type: ignore[method-assign]


def reordered_delivery() -> None:
    held: dict[str, MessageSent] = {}

    def deliver(self: SocketPublisher, event: Event, *, rooms: Collection[str] | None = None) -> None:
        if isinstance(event, MessageSent):
            conversation = event.message.conversation_id
            if next(turns) % EVERY == 0 and conversation not in held:
                held[conversation] = event
                return
            DELIVER(self, event, rooms=rooms)
            if conversation in held:
                DELIVER(self, held.pop(conversation), rooms=rooms)
        else:
            DELIVER(self, event, rooms=rooms)

    SocketPublisher.deliver = deliver  # type: ignore[method-assign]


def altered_delivery() -> None:
    """Somebody hears what nobody has said."""

    def deliver(self: SocketPublisher, event: Event, *, rooms: Collection[str] | None = None) -> None:
        if isinstance(event, MessageSent) and next(turns) % EVERY == 0:
            event = replace(event, message=replace(event.message, content="otra cosa"))
        DELIVER(self, event, rooms=rooms)

    SocketPublisher.deliver = deliver  # type: ignore[method-assign]


def double_insert() -> None:
    """A repeated send is stored once more: its key has been forgotten."""
    append = sqlite_messages._append

    def forgetful(connection: sqlite3.Connection, draft: Message, fingerprint: str) -> Appended:
        connection.execute("DELETE FROM idempotency_keys WHERE client_message_id = ?", (draft.client_message_id,))
        return append(connection, draft, fingerprint)

    sqlite_messages._append = forgetful


def unstored_send() -> None:
    """Acknowledged, delivered, and not there."""
    append = sqlite_messages._append

    def careless(connection: sqlite3.Connection, draft: Message, fingerprint: str) -> Appended:
        sent = append(connection, draft, fingerprint)
        if next(turns) % EVERY == 0:
            connection.execute("DELETE FROM messages WHERE id = ?", (sent.message.id,))
        return sent

    sqlite_messages._append = careless


def wrong_unread() -> None:
    """The count of the inbox and of ``join_room``: now and then one too many."""
    InboxEntry.unread_count = property(  # type: ignore[method-assign,assignment]
        lambda entry: entry.conversation.last_seq - entry.last_read_seq + (next(turns) % 3 == 0)
    )


def wrong_notice() -> None:
    """The count of live notices: one's own messages count as unread."""
    Audience.read = lambda *_: None  # type: ignore[method-assign,assignment]


def no_membership_check() -> None:
    """Anybody comes in and writes."""
    entry = ConversationService.require_participant

    def anybody(self: ConversationService, conversation_id: str, user_id: str) -> InboxEntry:
        try:
            return entry(self, conversation_id, user_id)
        except NotAParticipant:
            return InboxEntry(self.get(conversation_id), user_id, datetime.now(UTC), 0, None)

    ConversationService.require_participant = anybody  # type: ignore[method-assign]


def deaf_removal() -> None:
    """Whoever is taken out of a group goes on hearing it."""
    Teller.let_go = lambda *_: None  # type: ignore[method-assign,assignment]


globals()[os.environ["MUTANT"]]()
app = create_app()

"""Messages, their numbering and their idempotency keys in DynamoDB."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.dynamodb_store import reading
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.deletion import Deletion
from chatapp.adapters.dynamodb_store.outbox import Outbox
from chatapp.adapters.dynamodb_store.purging import Purging
from chatapp.adapters.dynamodb_store.remains import refers_to_file, shows_file
from chatapp.adapters.dynamodb_store.revising import Revising
from chatapp.adapters.dynamodb_store.sending import Send, find_repeated
from chatapp.domain.happenings import Happening
from chatapp.domain.models import Message, Page
from chatapp.ports import Appended, Deleted, Journal, Retracted


class DynamoMessages:
    def __init__(self, db: Dynamo, outbox: Outbox, journal: Journal) -> None:
        self._db = db
        self._outbox = outbox
        self._revising = Revising(db, outbox, journal)
        self._purging = Purging(db, outbox, Deletion(db))

    # ------------------------------------------------------------ writing
    def append(self, draft: Message, *, fingerprint: str, along: Sequence[Happening] = ()) -> Appended:
        return self._db.run(lambda: self._outbox.send(draft.conversation_id, Send(draft, fingerprint, tuple(along))))

    def find_repeated(self, draft: Message, *, fingerprint: str) -> Message | None:
        return self._db.run(lambda: find_repeated(self._db, Send(draft, fingerprint)))

    def edit(self, message_id: str, *, content: str, preview: str, now: datetime) -> tuple[Message, int]:
        return self._db.run(lambda: self._revising.edit(message_id, content, preview, now))

    def delete(self, message_id: str) -> Retracted:
        return self._db.run(lambda: self._revising.delete(message_id))

    def purge(self, *, limit: int) -> Deleted:
        return self._db.run(lambda: self._purging.purge(limit))

    # ------------------------------------------------------------ reading
    def get(self, message_id: str) -> Message | None:
        found = self._db.run(lambda: reading.find(self._db, message_id))
        return found[2] if found else None

    def history(
        self, conversation_id: str, *, limit: int, before: int | None = None, after: int | None = None
    ) -> list[Message]:
        return self._db.run(lambda: reading.history(self._db, conversation_id, limit=limit, before=before, after=after))

    def replies(self, message_id: str) -> list[Message]:
        return self._db.run(lambda: reading.replies(self._db, message_id))

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Message]:
        conversation_id, seq = ("", 0) if cursor is None else read_cursor(cursor, str, int)
        found = self._db.run(lambda: reading.list_all(self._db, conversation_id, seq, limit=limit + 1))
        page, more = found[:limit], len(found) > limit
        return Page(page, make_cursor(page[-1].conversation_id, page[-1].seq) if more else None)

    def refers_to_file(self, url: str) -> bool:
        return self._db.run(lambda: refers_to_file(self._db, url))

    def shows_file(self, urls: Collection[str], *, user_id: str) -> bool:
        return self._db.run(lambda: any(shows_file(self._db, url, user_id) for url in urls))

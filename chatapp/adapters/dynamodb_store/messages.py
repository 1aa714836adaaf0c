"""Messages, their numbering and their idempotency keys in DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.dynamodb_store import keys, reading
from chatapp.adapters.dynamodb_store.actions import Action, Delete, Item, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.dynamodb_store.deletion import Deletion
from chatapp.adapters.dynamodb_store.items import to_attachment, to_message
from chatapp.adapters.dynamodb_store.outbox import Outbox
from chatapp.adapters.dynamodb_store.purging import Purging
from chatapp.adapters.dynamodb_store.remains import orphans, refers_to_file
from chatapp.adapters.dynamodb_store.sending import Send, Sending
from chatapp.adapters.times import to_ms
from chatapp.domain.errors import MessageDeletedAlready, MessageNotFound
from chatapp.domain.models import Attachment, Message, Page
from chatapp.ports import Appended, Deleted

NOT_DELETED = "#is_deleted = :no"
FILE = ("file_url", "file_name", "file_size", "file_type", "thumbnail_url")


class DynamoMessages:
    def __init__(self, db: Dynamo) -> None:
        self._db = db
        self._sending = Sending(db)
        self._outbox: Outbox[Send, Appended] = Outbox(self._sending.deliver)
        self._purging = Purging(db, Deletion(db))

    # ------------------------------------------------------------ writing
    def append(self, draft: Message, *, fingerprint: str) -> Appended:
        return self._db.run(lambda: self._outbox.send(draft.conversation_id, Send(draft, fingerprint)))

    def find_repeated(self, draft: Message, *, fingerprint: str) -> Message | None:
        return self._db.run(lambda: self._sending.find_repeated(Send(draft, fingerprint)))

    def edit(self, message_id: str, *, content: str, preview: str, now: datetime) -> Message:
        def work() -> Message:
            item, head, message = self._require(message_id)
            if message.is_deleted:
                raise MessageDeletedAlready(messageId=message_id)
            changes = {"content": content, "edited_at": to_ms(now)}
            self._db.write(_change(item, changes), *_change_preview(head, message_id, preview))
            return to_message(item | changes, message.sender)

        return self._db.run(work)

    def delete(self, message_id: str) -> tuple[Message, Deleted]:
        change = new_token()
        files: list[Attachment] = []

        def work() -> tuple[Message, Deleted]:
            item, head, message = self._require(message_id)
            if not message.is_deleted:
                files[:] = [attachment for attachment in (to_attachment(item),) if attachment]
                changes = {"is_deleted": True, "content": "", "deleted_by": change, **dict.fromkeys(FILE)}
                unlink = [Delete(keys.reference(file.url, message_id)) for file in files]
                self._db.write(_change(item, changes), *_change_preview(head, message_id, ""), *unlink)
                item = {name: value for name, value in (item | changes).items() if value is not None}
            self._blank_quotes(message_id)
            tombstone = to_message(item, message.sender)
            ours = item.get("deleted_by") == change
            return tombstone, Deleted(None, 1, orphans(self._db, files)) if ours else Deleted(None, 0, ())

        return self._db.run(work)

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

    # ------------------------------------------------------------ helpers
    def _require(self, message_id: str) -> tuple[Item, Item, Message]:
        found = reading.find(self._db, message_id)
        if found is None:
            raise MessageNotFound(messageId=message_id)
        return found

    def _blank_quotes(self, message_id: str) -> None:
        """One by one, since there may be any number; deleting the message again finishes what was interrupted."""
        for reply in reading.replies(self._db, message_id):
            if reply.reply_preview:
                try:
                    self._db.write(Update(keys.message(reply.conversation_id, reply.seq), {"reply_preview": ""}))
                except LostRace:
                    continue  # purged meanwhile


def _change(item: Item, changes: Item) -> Update:
    return Update(keys.message(item["conversation_id"], item["seq"]), changes, NOT_DELETED, {"no": False})


def _change_preview(head: Item, message_id: str, preview: str) -> Sequence[Action]:
    """Only the newest message is shown in the head. An older one never becomes the newest again."""
    if head.get("last_id") != message_id:
        return []
    return [Update(keys.head(head["id"]), {"last_preview": preview}, "#last_id = :id", {"id": message_id})]

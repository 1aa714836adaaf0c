"""How messages are corrected and deleted: in one transaction with the change's entry in the log."""

from __future__ import annotations

from datetime import datetime

from chatapp.adapters.dynamodb_store import keys, reading
from chatapp.adapters.dynamodb_store.actions import Delete, Item, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.dynamodb_store.items import to_message
from chatapp.adapters.dynamodb_store.outbox import Alone, Outbox
from chatapp.adapters.dynamodb_store.recording import Recorder
from chatapp.adapters.dynamodb_store.remains import orphans
from chatapp.adapters.times import to_ms
from chatapp.domain.errors import MessageDeletedAlready, MessageNotFound
from chatapp.domain.happenings import message_deleted, message_edited
from chatapp.domain.models import Attachment, Message
from chatapp.ports import Deleted, Journal, Retracted

NOT_DELETED = "#is_deleted = :no"
_Retraction = tuple[Message, Attachment | None, int]
"""The tombstone, what had been attached, and the change's ``rev``; 0 when it was one already."""

FILE = ("file_url", "file_name", "file_size", "file_type", "thumbnail_url")


class Revising:
    def __init__(self, db: Dynamo, outbox: Outbox, journal: Journal) -> None:
        self._db = db
        self._journal = journal
        self._outbox = outbox

    def edit(self, message_id: str, content: str, preview: str, now: datetime) -> tuple[Message, int]:
        pointer = self._require_pointer(message_id)
        recorder: Recorder[tuple[Message, int]] = Recorder(self._db, pointer["conversation_id"])

        def attempt() -> tuple[Message, int]:
            if done := recorder.earlier():
                return done
            item, head, message = self._require(message_id, pointer)
            if message.is_deleted:
                raise MessageDeletedAlready(messageId=message_id)
            changes = {"content": content, "edited_at": to_ms(now)}
            edited = to_message(item | changes, message.sender)
            return recorder.write(
                head,
                _show_in_head(head, message_id, preview),
                {"kind": "edit", "seq": message.seq},
                _change(item, changes),
                result=lambda _, rev: (edited, rev),
                told=self._journal.entries(message_edited(edited)),
            )

        return self._outbox.send(pointer["conversation_id"], Alone(attempt))

    def delete(self, message_id: str) -> Retracted:
        """Also finishes what an interrupted deletion has left."""
        pointer = self._require_pointer(message_id)
        recorder: Recorder[_Retraction] = Recorder(self._db, pointer["conversation_id"])

        def attempt() -> _Retraction:
            if done := recorder.earlier():
                return done
            item, head, message = self._require(message_id, pointer)
            if message.is_deleted:
                return message, None, 0
            changes = {"is_deleted": True, "content": "", "call": None, **dict.fromkeys(FILE)}
            kept = {name: value for name, value in (item | changes).items() if value is not None}
            tombstone, file = to_message(kept, message.sender), message.attachment
            return recorder.write(
                head,
                _show_in_head(head, message_id, ""),
                {"kind": "delete", "seq": message.seq},
                _change(item, changes),
                *([Delete(keys.reference(file.url, message_id))] if file else []),
                result=lambda _, rev: (tombstone, file, rev),
                told=self._journal.entries(message_deleted(tombstone)),
            )

        tombstone, file, rev = self._outbox.send(pointer["conversation_id"], Alone(attempt))
        self._blank_quotes(message_id)
        gone = Deleted(None, 1, orphans(self._db, [file] if file else [])) if rev else Deleted(None, 0, ())
        return Retracted(tombstone, gone, rev)

    # ------------------------------------------------------------ helpers
    def _require_pointer(self, message_id: str) -> Item:
        """Which conversation and number it has."""
        pointer = self._db.get(keys.pointer(message_id))
        if pointer is None:
            raise MessageNotFound(messageId=message_id)
        return pointer

    def _require(self, message_id: str, pointer: Item) -> tuple[Item, Item, Message]:
        found = reading.find_at(self._db, pointer)
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
    """Asks the message itself too: reads are not isolated, and it may be older than the head beside it."""
    return Update(keys.message(item["conversation_id"], item["seq"]), changes, NOT_DELETED, {"no": False})


def _show_in_head(head: Item, message_id: str, preview: str) -> Item:
    """Only the newest message is shown there. An older one never becomes the newest again."""
    return {"last_preview": preview} if head.get("last_id") == message_id else {}

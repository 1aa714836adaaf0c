"""How messages are removed for good, oldest first, conversation by conversation.

Moving the head's ``purged_seq`` hides them at once, which is a change of the conversation; then they are swept, and
``swept_seq`` follows. Whoever moves ``swept_seq`` has removed them and counts them, also when another had begun.
"""

from __future__ import annotations

from chatapp.adapters.dynamodb_store import keys, reading
from chatapp.adapters.dynamodb_store.actions import Item, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.dynamodb_store.deletion import Deletion
from chatapp.adapters.dynamodb_store.heads import is_live
from chatapp.adapters.dynamodb_store.items import from_last, rev_of_message
from chatapp.adapters.dynamodb_store.outbox import Alone, Outbox
from chatapp.adapters.dynamodb_store.recording import Recorder
from chatapp.adapters.dynamodb_store.remains import orphans, remove_messages
from chatapp.domain.models import Attachment
from chatapp.ports import Deleted


class Purging:
    def __init__(self, db: Dynamo, outbox: Outbox, deletion: Deletion) -> None:
        self._db = db
        self._outbox = outbox
        self._deletion = deletion
        self._reached = ""
        """Where the last call stopped, so that the next need not walk past everything that is empty already."""

    def purge(self, limit: int) -> Deleted:
        attachments = list(self._deletion.sweep_abandoned())
        count = self._purge_from(self._reached, limit, attachments)
        if count < limit:
            count += self._purge_from("", limit - count, attachments)
        return Deleted(None, count, orphans(self._db, attachments))

    def _purge_from(self, start: str, limit: int, attachments: list[Attachment]) -> int:
        count = 0
        for head in reading.walk(self._db, start):
            self._reached = head["id"]
            count += self._purge_conversation(head, limit - count, attachments)
            if count == limit:
                break
        return count

    def _purge_conversation(self, head: Item, limit: int, attachments: list[Attachment]) -> int:
        count = 0
        while count < limit and head["swept_seq"] < head["last_seq"]:
            batch = _Batch(self._db, self._outbox, head, limit - count)
            self._db.again(batch.attempt)
            count += batch.count
            attachments += batch.attachments
            head = batch.head
        return count


class _Batch:
    """Some messages of one conversation, however many attempts that takes."""

    def __init__(self, db: Dynamo, outbox: Outbox, head: Item, limit: int) -> None:
        self._db = db
        self._outbox = outbox
        self.head = head
        self._limit = limit
        self._change = new_token()
        self._sweeping = 0
        self.count = 0
        self.attachments: list[Attachment] = []

    def attempt(self) -> None:
        before = self.head
        head = self._db.get(keys.head(before["id"]))
        if head is None or not is_live(head):
            self.head = before | {"swept_seq": before["last_seq"]}  # deleted: nothing is left to do
            return
        self.head = head
        if head.get("swept_by") == self._change:
            self.count = self._sweeping  # only the answer was lost
            return
        if head["swept_seq"] == head["last_seq"]:
            return
        if head["swept_seq"] == head["purged_seq"]:
            hiding = _Hiding(self._db, head["id"], self._limit)
            hidden = self._outbox.send(head["id"], Alone(hiding.attempt))
            if hidden is None:
                raise LostRace(doubt=False)
            self.head = head = hidden
        self._sweep(head, min(head["purged_seq"], head["swept_seq"] + self._limit))

    def _sweep(self, head: Item, to: int) -> None:
        swept = head["swept_seq"]
        items = reading.query(self._db, head["id"], swept, to + 1, limit=to - swept)
        self.attachments += remove_messages(self._db, items)
        self._sweeping = to - swept
        changes: Item = {"swept_seq": to, "swept_by": self._change}
        self._db.write(Update(keys.head(head["id"]), changes, "#swept_seq = :swept_seq", {"swept_seq": swept}))
        self.count, self.head = self._sweeping, head | changes


class _Hiding:
    """The oldest messages are not shown any more."""

    def __init__(self, db: Dynamo, conversation_id: str, limit: int) -> None:
        self._db = db
        self._conversation_id = conversation_id
        self._limit = limit
        self._recorder: Recorder[Item] = Recorder(db, conversation_id)

    def attempt(self) -> Item | None:
        """The head afterwards; None when another was quicker."""
        if done := self._recorder.earlier():
            return done
        head = self._db.get(keys.head(self._conversation_id))
        if head is None or not is_live(head) or not head["swept_seq"] == head["purged_seq"] < head["last_seq"]:
            return None
        to = min(head["purged_seq"] + self._limit, head["last_seq"])
        newest = self._db.get(keys.message(self._conversation_id, to))
        if newest is None:
            raise LostRace(doubt=False)  # the head was read before the rest of its transaction could be
        changes: Item = {"purged_seq": to, "purged_rev": rev_of_message(newest)}
        changes |= from_last(None) if to == head["last_seq"] else {}
        entry: Item = {"kind": "purge", "through_seq": to}
        return self._recorder.write(head, changes, entry, result=lambda after, _: after)

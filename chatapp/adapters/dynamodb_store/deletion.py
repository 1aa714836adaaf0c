"""How a conversation goes: its head is marked, which hides everything at once, and then the remains are swept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Action, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.heads import SAME_MEMBERS, Whole, read_whole
from chatapp.adapters.dynamodb_store.remains import orphans, remove_messages
from chatapp.adapters.times import to_ms
from chatapp.domain.errors import ConversationNotFound, StoreUnavailable
from chatapp.domain.models import Attachment
from chatapp.ports import Deleted

ABANDONED_AFTER = timedelta(minutes=10)
"""A sweep that old has lost its worker."""

SWEPT_AT_ONCE = 100


def bury(whole: Whole, change: str) -> list[Action]:
    """From here on nobody finds it, and nothing can be sent into it."""
    head, now = whole.head, to_ms(datetime.now(UTC))
    mark = {"deleted_at": now, "change": change, "revision": head["revision"] + 1}
    return [
        Update(keys.head(head["id"]), mark, SAME_MEMBERS, {"revision": head["revision"]}),
        Delete(keys.listed(head["id"])),
        Put(keys.unfinished(head["id"]), {"id": head["id"], "deleted_at": now}),
        *([Delete(keys.pair(head["pair"]))] if "pair" in head else []),
    ]


class Deletion:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    def delete(self, conversation_id: str) -> Deleted:
        change = new_token()
        seen: list[Whole] = []

        def attempt() -> Whole:
            if seen and self._succeeded(conversation_id, change):
                return seen[-1]
            whole = read_whole(self._db, conversation_id)
            if whole is None:
                raise ConversationNotFound(conversationId=conversation_id)
            seen.append(whole)
            self._db.write(*bury(whole, change))
            return whole

        return self.finish(self._db.again(attempt))

    def _succeeded(self, conversation_id: str, change: str) -> bool:
        head = self._db.get(keys.head(conversation_id))
        return head is not None and head["change"] == change

    def finish(self, whole: Whole) -> Deleted:
        """Sweep what was just buried. It is deleted, whether or not the sweeping succeeds: what is left is swept by
        ``sweep_abandoned``."""
        try:
            count, attachments = self._sweep(whole.head["id"])
        except StoreUnavailable:
            count, attachments = whole.head["last_seq"] - whole.head["purged_seq"], ()
        return Deleted(whole.conversation, count, attachments)

    def sweep_abandoned(self) -> tuple[Attachment, ...]:
        """What a worker that died has left; the files that nobody refers to any more."""
        latest = to_ms(datetime.now(UTC) - ABANDONED_AFTER)
        left = list(self._db.query(keys.CONVERSATIONS, keys.DELETING, keys.FIRST, keys.LAST))
        swept = [self._sweep(item["id"])[1] for item in left if item["deleted_at"] < latest]
        return tuple(attachment for attachments in swept for attachment in attachments)

    # ------------------------------------------------------------ sweeping; each step can be done again
    def _sweep(self, conversation_id: str) -> tuple[int, tuple[Attachment, ...]]:
        head = self._db.get(keys.head(conversation_id))
        if head is None:
            return 0, ()
        self._sweep_members(head)
        attachments = self._sweep_messages(conversation_id)
        named = orphans(self._db, attachments)
        self._db.write_each([Delete(keys.head(conversation_id)), Delete(keys.unfinished(conversation_id))])
        return head["last_seq"] - head["purged_seq"], named

    def _sweep_members(self, head: Item) -> None:
        chunk_keys = [keys.members(head["id"], n) for n in range(head.get("chunks", 0))]
        chunks = self._db.get_many(chunk_keys).values()
        user_ids = [*head.get("pair", []), *(user_id for chunk in chunks for user_id in chunk["user_ids"])]
        self._db.write_each(Delete(keys.member(head["id"], user_id)) for user_id in user_ids)
        self._db.write_each(map(Delete, chunk_keys))

    def _sweep_messages(self, conversation_id: str) -> list[Attachment]:
        attachments: list[Attachment] = []
        batch: list[Item] = []
        for item in self._db.query(keys.MESSAGES, keys.messages(conversation_id), keys.FIRST, keys.LAST):
            batch.append(item)
            if len(batch) == SWEPT_AT_ONCE:
                attachments += self._remove(batch)
                batch = []
        return attachments + self._remove(batch)

    def _remove(self, items: Iterable[Item]) -> list[Attachment]:
        """Messages, idempotency keys, changes and read marks, which lie in one partition."""
        items = list(items)
        found = remove_messages(self._db, [item for item in items if "seq" in item and "content" in item])
        self._db.write_each(Delete(keys.Key(keys.MESSAGES, item["pk"], item["sk"])) for item in items)
        return found

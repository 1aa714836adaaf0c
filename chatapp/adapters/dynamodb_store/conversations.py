"""Conversations, participants and read marks in DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from chatapp.adapters.cursors import make_cursor, read_cursor
from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Item, Put
from chatapp.adapters.dynamodb_store.changes import read_changes
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.dynamodb_store.deletion import Deletion
from chatapp.adapters.dynamodb_store.details import Details
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.heads import Whole, is_live, read_whole, read_wholes, with_members, write_chunks
from chatapp.adapters.dynamodb_store.items import from_conversation, to_conversation, to_entry
from chatapp.adapters.dynamodb_store.marking import Mark, require_entry, unmoved
from chatapp.adapters.dynamodb_store.membership import Membership, new_member
from chatapp.adapters.dynamodb_store.outbox import Outbox
from chatapp.domain.changes import Changes
from chatapp.domain.errors import StoreUnavailable
from chatapp.domain.happenings import conversation_created
from chatapp.domain.models import Conversation, InboxEntry, Page
from chatapp.ports import Deleted, Departure, Journal, ReadMark

MAX_AT_ONCE = 50
"""Members of a new group whose items go into the transaction with its head."""


class DynamoConversations:
    def __init__(self, db: Dynamo, outbox: Outbox, journal: Journal) -> None:
        self._db = db
        self._journal = journal
        self._outbox = outbox
        self._deletion = Deletion(db)
        self._details = Details(db, outbox)
        self._membership = Membership(db, outbox, self._deletion, journal)

    # ------------------------------------------------------------ making
    def create_group(self, conversation: Conversation) -> Conversation:
        """A group exists when its head does, which is written last; without it nobody sees a member's item."""
        chunks = with_members([], conversation.participants)
        head = from_conversation(conversation) | {"chunks": len(chunks), "change": new_token()}
        members = [new_member(head, user_id) for user_id in conversation.participants]

        def work() -> Conversation:
            stored = self._db.get(keys.head(conversation.id))
            if stored is not None and stored["change"] != head["change"]:
                raise StoreUnavailable(engine="dynamodb", reason=f"conversation {conversation.id} exists")
            if stored is None:
                late = members if len(members) <= MAX_AT_ONCE else []
                self._db.write_each([] if late else members)
                self._db.write(
                    Put(keys.head(conversation.id), head, ABSENT),
                    Put(keys.listed(conversation.id), {"id": conversation.id}),
                    *write_chunks(Whole(head), chunks, head["revision"]),
                    *late,
                    *log(self._journal.entries(conversation_created(conversation)), 0),
                )
            return conversation

        return self._db.run(work)

    def open_private(self, conversation: Conversation) -> tuple[Conversation, bool]:
        pair = keys.pair(conversation.participants)
        head = from_conversation(conversation) | {"change": new_token()}

        def work() -> tuple[Conversation, bool]:
            if known := self._db.get(pair):
                stored = self._db.get(keys.head(known["id"]))
                if stored is None or not is_live(stored):
                    raise LostRace(doubt=False)  # deleted since we read the pair
                return to_conversation(stored), stored["change"] == head["change"]
            self._db.write(
                Put(pair, {"id": conversation.id}, ABSENT),
                Put(keys.head(conversation.id), head, ABSENT),
                Put(keys.listed(conversation.id), {"id": conversation.id}),
                *(new_member(head, user_id) for user_id in dict.fromkeys(conversation.participants)),
                *log(self._journal.entries(conversation_created(conversation)), 0),
            )
            return conversation, True

        return self._db.run(work)

    # ------------------------------------------------------------ reading
    def get(self, conversation_id: str) -> Conversation | None:
        whole = self._db.run(lambda: read_whole(self._db, conversation_id))
        return whole.conversation if whole else None

    def entry(self, conversation_id: str, user_id: str) -> InboxEntry:
        return self._db.run(lambda: to_entry(*self._require_entry(conversation_id, user_id)))

    def members(self, conversation: Conversation) -> list[InboxEntry]:
        head = keys.head(conversation.id)
        members = [keys.member(conversation.id, user_id) for user_id in dict.fromkeys(conversation.participants)]

        def work() -> list[InboxEntry]:
            found = self._db.get_many([head, *members])
            if head not in found or not is_live(found[head]):
                return []
            return [to_entry(found[head], found[key]) for key in members if key in found]

        return self._db.run(work)

    def inbox(self, user_id: str) -> list[InboxEntry]:
        def work() -> list[InboxEntry]:
            members = self._memberships(user_id)
            wholes = read_wholes(self._db, members)
            rows = [(whole, members[id_]) for id_, whole in wholes.items()]
            rows.sort(key=lambda row: (-row[0].head["active_at"], row[0].head["id"]))
            return [to_entry(whole.head, member, whole.members) for whole, member in rows]

        return self._db.run(work)

    def marks(self, user_id: str) -> list[InboxEntry]:
        def work() -> list[InboxEntry]:
            members = self._memberships(user_id)
            heads = self._db.get_many(map(keys.head, members)).values()
            return [to_entry(head, members[head["id"]]) for head in heads if is_live(head)]

        return self._db.run(work)

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Conversation]:
        (after,) = ("",) if cursor is None else read_cursor(cursor, str)

        def work() -> Page[Conversation]:
            listed = self._db.query(keys.CONVERSATIONS, keys.ALL, f"{after}\0", keys.LAST, page=limit + 1)
            ids = [item["id"] for item in islice(listed, limit + 1)]
            wholes = read_wholes(self._db, ids[:limit])
            page = [wholes[id_].conversation for id_ in ids[:limit] if id_ in wholes]
            return Page(page, make_cursor(ids[limit - 1]) if len(ids) > limit else None)

        return self._db.run(work)

    # ------------------------------------------------------------ changing
    def add_participants(
        self, conversation_id: str, user_ids: Sequence[str], *, by: str, now: datetime
    ) -> tuple[Conversation, tuple[str, ...]]:
        return self._db.run(lambda: self._membership.add(conversation_id, user_ids, by, now))

    def remove_participant(self, conversation_id: str, user_id: str, *, by: str, now: datetime) -> Departure:
        return self._db.run(lambda: self._membership.remove(conversation_id, user_id, by, now))

    def set_details(
        self, conversation_id: str, *, name: str, description: str | None, by: str, now: datetime
    ) -> tuple[Conversation, bool]:
        return self._db.run(lambda: self._details.set(conversation_id, name, description, by, now))

    def mark_read(self, conversation_id: str, user_id: str, *, now: datetime) -> ReadMark:
        """Who has read everything, which is most often asked, waits for nobody."""

        def work() -> ReadMark:
            known = unmoved(*self._require_entry(conversation_id, user_id))
            return known or self._outbox.send(conversation_id, Mark(conversation_id, user_id, now))

        return self._db.run(work)

    def delete(self, conversation_id: str) -> Deleted:
        return self._db.run(lambda: self._deletion.delete(conversation_id))

    # ------------------------------------------------------------ the past
    def changes(self, conversation_id: str, *, since: int, limit: int, user_id: str | None = None) -> Changes:
        return self._db.run(lambda: read_changes(self._db, conversation_id, since, limit, user_id))

    # ------------------------------------------------------------ helpers
    def _require_entry(self, conversation_id: str, user_id: str) -> tuple[Item, Item]:
        found = self._db.get_many([keys.head(conversation_id), keys.member(conversation_id, user_id)])
        return require_entry(found, conversation_id, user_id)

    def _memberships(self, user_id: str) -> dict[str, Item]:
        """A user's items by conversation, of deleted ones too."""
        items = self._db.query(keys.PARTICIPANTS, keys.inbox(user_id), keys.FIRST, keys.LAST)
        return {item["conversation_id"]: item for item in items}

"""Who comes into a group and who leaves it, each in one transaction with the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Delete, Item, Put
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.deletion import Deletion, bury
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.heads import Whole, require_group, with_members, without_member, write_chunks
from chatapp.adapters.dynamodb_store.items import rev_of_head
from chatapp.adapters.dynamodb_store.outbox import Alone, Outbox
from chatapp.adapters.dynamodb_store.recording import Recorder
from chatapp.adapters.times import to_ms
from chatapp.domain.changes import MembersAction
from chatapp.domain.errors import NotAParticipant
from chatapp.domain.happenings import participants_changed
from chatapp.domain.models import Conversation
from chatapp.domain.webhooks import LoggedEvent
from chatapp.ports import Departure, Journal

MAX_NEW = 50
"""New members in one transaction: beside them it has the head, the change and at most 43 chunks."""


def new_member(head: Item, user_id: str, joined_at: int | None = None) -> Put:
    """What was said before they came is not unread."""
    item = {
        "user_id": user_id,
        "conversation_id": head["id"],
        "joined_at": head["created_at"] if joined_at is None else joined_at,
        "last_read_seq": head["last_seq"],
    }
    return Put(keys.member(head["id"], user_id), item)


class Membership:
    def __init__(self, db: Dynamo, outbox: Outbox, deletion: Deletion, journal: Journal) -> None:
        self._db = db
        self._journal = journal
        self._outbox = outbox
        self._deletion = deletion

    def add(
        self, conversation_id: str, user_ids: Sequence[str], by: str, now: datetime
    ) -> tuple[Conversation, tuple[str, ...]]:
        """More than ``MAX_NEW`` in several transactions. Should the engine fail between two of them, the first are
        in; the same call again adds the rest."""
        added: list[str] = []
        while True:
            adding = _Adding(self._db, self._journal, conversation_id, user_ids, by, now)
            conversation, new = self._outbox.send(conversation_id, Alone(adding.attempt))
            added += new
            if len(new) < MAX_NEW:
                return conversation, tuple(added)

    def remove(self, conversation_id: str, user_id: str, by: str, now: datetime) -> Departure:
        removing = _Removing(self._db, self._journal, conversation_id, user_id, by, now)
        departure = self._outbox.send(conversation_id, Alone(removing.attempt))
        if isinstance(departure, Whole):
            gone = self._deletion.finish(departure)
            return Departure(replace(departure.conversation, participants=()), None, gone)
        return departure


class _Adding:
    """Up to ``MAX_NEW`` people come in, however many attempts that takes."""

    def __init__(
        self, db: Dynamo, journal: Journal, conversation_id: str, user_ids: Sequence[str], by: str, now: datetime
    ) -> None:
        self._db = db
        self._journal = journal
        self._at = now
        self._conversation_id = conversation_id
        self._user_ids = tuple(dict.fromkeys(user_ids))
        self._by = by
        self._now = to_ms(now)
        self._recorder: Recorder[tuple[Conversation, list[str]]] = Recorder(db, conversation_id)

    def attempt(self) -> tuple[Conversation, list[str]]:
        if done := self._recorder.earlier():
            return done
        whole = require_group(self._db, self._conversation_id)
        present = set(whole.members)
        new = [user_id for user_id in self._user_ids if user_id not in present][:MAX_NEW]
        if not new:
            return whole.conversation, []
        chunks = with_members(whole.chunks, new)
        changes = _changed(whole, chunks, self._now)
        after = Whole(whole.head | changes, chunks).conversation
        told = participants_changed(after, MembersAction.ADD, new, by=self._by, at=self._at)
        return self._recorder.write(
            whole.head,
            changes,
            {"kind": "add", "user_ids": new, "by": self._by, "at": self._now},
            *write_chunks(whole, chunks, changes["revision"]),
            *(new_member(whole.head, user_id, self._now) for user_id in new),
            result=lambda head, _: (Whole(head, chunks).conversation, new),
            told=self._journal.entries(told),
        )


class _Removing:
    """One leaves; who was the last takes the group along."""

    def __init__(
        self, db: Dynamo, journal: Journal, conversation_id: str, user_id: str, by: str, now: datetime
    ) -> None:
        self._db = db
        self._journal = journal
        self._at = now
        self._conversation_id = conversation_id
        self._user_id = user_id
        self._by = by
        self._now = to_ms(now)
        self._recorder: Recorder[Departure] = Recorder(db, conversation_id)
        self._burial = new_token()
        self._buried: Whole | None = None

    def attempt(self) -> Departure | Whole:
        """Nobody remains in a Whole, which is the group as it was before."""
        if done := self._recorder.earlier() or self._earlier_burial():
            return done
        whole = require_group(self._db, self._conversation_id)
        remaining = [member for member in whole.members if member != self._user_id]
        if len(remaining) == len(whole.members):
            raise NotAParticipant(conversationId=self._conversation_id, userId=self._user_id)
        return self._leave(whole, remaining) if remaining else self._bury(whole)

    def _leave(self, whole: Whole, remaining: list[str]) -> Departure:
        new_owner = remaining[0] if whole.head["created_by"] == self._user_id else None
        chunks = without_member(whole.chunks, self._user_id)
        changes = _changed(whole, chunks, self._now) | {"created_by": new_owner or whole.head["created_by"]}
        told = self._told(Whole(whole.head | changes, chunks).conversation)
        return self._recorder.write(
            whole.head,
            changes | {"marks": None},  # from here on the latest marks may be one less than were written
            {
                "kind": "remove",
                "user_ids": [self._user_id],
                "by": self._by,
                "at": self._now,
                "new_owner_id": new_owner,
            },
            *write_chunks(whole, chunks, changes["revision"]),
            Delete(keys.member(self._conversation_id, self._user_id)),
            Delete(keys.mark(self._conversation_id, self._user_id)),
            result=lambda head, _: Departure(Whole(head, chunks).conversation, new_owner, None),
            told=told,
        )

    def _bury(self, whole: Whole) -> Whole:
        self._buried = whole
        told = self._told(replace(whole.conversation, participants=()))
        self._db.write(*bury(whole, self._burial), *log(told, rev_of_head(whole.head) + 1))
        return whole

    def _told(self, after: Conversation) -> list[LoggedEvent]:
        return self._journal.entries(
            participants_changed(after, MembersAction.REMOVE, [self._user_id], by=self._by, at=self._at)
        )

    def _earlier_burial(self) -> Whole | None:
        """Whether an attempt got through and only its answer was lost."""
        head = self._db.get(keys.head(self._conversation_id)) if self._buried else None
        return self._buried if head and head["change"] == self._burial else None


def _changed(whole: Whole, chunks: Sequence[list[str]], now: int) -> Item:
    return {"revision": whole.head["revision"] + 1, "updated_at": now, "chunks": len(chunks)}

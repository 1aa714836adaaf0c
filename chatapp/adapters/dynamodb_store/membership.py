"""Who comes into a group and who leaves it, each in one transaction with the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Action, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.deletion import Deletion, bury
from chatapp.adapters.dynamodb_store.heads import (
    NOTHING_SAID,
    UNCHANGED,
    Whole,
    read_whole,
    with_members,
    without_member,
    write_chunks,
)
from chatapp.adapters.times import to_ms
from chatapp.domain.errors import ConversationNotFound, NotAGroup, NotAParticipant
from chatapp.domain.models import Conversation
from chatapp.ports import Departure

MAX_NEW = 50
"""New members in one transaction: beside them it has the head and at most 43 chunks."""


def new_member(head: Item, user_id: str, joined_at: int | None = None) -> Put:
    """What was said before they came is not unread."""
    item = {
        "user_id": user_id,
        "conversation_id": head["id"],
        "joined_at": head["created_at"] if joined_at is None else joined_at,
        "last_read_seq": head["last_seq"],
        "change": head["change"],
    }
    return Put(keys.member(head["id"], user_id), item)


class Membership:
    def __init__(self, db: Dynamo, deletion: Deletion) -> None:
        self._db = db
        self._deletion = deletion

    def add(self, conversation_id: str, user_ids: Sequence[str], now: datetime) -> tuple[Conversation, tuple[str, ...]]:
        """More than ``MAX_NEW`` in several transactions. Should the engine fail between two of them, the first are
        in; the same call again adds the rest."""
        added: list[str] = []
        while True:
            conversation, new = self._db.again(_Adding(self._db, conversation_id, user_ids, now).attempt)
            added += new
            if len(new) < MAX_NEW:
                return conversation, tuple(added)

    def remove(self, conversation_id: str, user_id: str, now: datetime) -> Departure:
        whole, new_owner = self._db.again(_Removing(self._db, conversation_id, user_id, now).attempt)
        remaining = [member for member in whole.members if member != user_id]
        if not remaining:
            gone = self._deletion.finish(whole)
            return Departure(replace(whole.conversation, participants=()), None, gone)
        left = replace(
            whole.conversation,
            participants=tuple(remaining),
            created_by=new_owner or whole.head["created_by"],
            updated_at=now,
        )
        return Departure(left, new_owner, None)


class _Adding:
    """Up to ``MAX_NEW`` people come in, however many attempts that takes."""

    def __init__(self, db: Dynamo, conversation_id: str, user_ids: Sequence[str], now: datetime) -> None:
        self._db = db
        self._conversation_id = conversation_id
        self._user_ids = tuple(dict.fromkeys(user_ids))
        self._now = now
        self._change = new_token()
        self._tried: list[str] = []

    def attempt(self) -> tuple[Conversation, list[str]]:
        whole = _require_group(self._db, self._conversation_id)
        if self._succeeded():
            return whole.conversation, self._tried
        present = set(whole.members)
        new = [user_id for user_id in self._user_ids if user_id not in present][:MAX_NEW]
        if not new:
            return whole.conversation, []
        self._tried = new
        head, chunks = _changed(whole, self._change, self._now), with_members(whole.chunks, new)
        head["chunks"] = len(chunks)
        self._db.write(
            _write_head(whole, head, f"{UNCHANGED} AND {NOTHING_SAID}", last_seq=head["last_seq"]),
            *write_chunks(self._conversation_id, whole.chunks, chunks, head["revision"]),
            *(new_member(head, user_id, to_ms(self._now)) for user_id in new),
        )
        return Whole(head, chunks).conversation, new

    def _succeeded(self) -> bool:
        """Whether an attempt got through and only its answer was lost."""
        member = self._db.get(keys.member(self._conversation_id, self._tried[0])) if self._tried else None
        return member is not None and member["change"] == self._change


class _Removing:
    """One leaves; who was the last takes the group along."""

    def __init__(self, db: Dynamo, conversation_id: str, user_id: str, now: datetime) -> None:
        self._db = db
        self._conversation_id = conversation_id
        self._user_id = user_id
        self._now = now
        self._change = new_token()
        self._tried: tuple[Whole, str | None] | None = None

    def attempt(self) -> tuple[Whole, str | None]:
        """The group as it was before, and its new owner."""
        if self._tried and self._succeeded():
            return self._tried
        whole = _require_group(self._db, self._conversation_id)
        remaining = [member for member in whole.members if member != self._user_id]
        if len(remaining) == len(whole.members):
            raise NotAParticipant(conversationId=self._conversation_id, userId=self._user_id)
        new_owner = remaining[0] if remaining and whole.head["created_by"] == self._user_id else None
        self._tried = (whole, new_owner)
        self._db.write(*(self._leave(whole, new_owner) if remaining else bury(whole, self._change)))
        return self._tried

    def _leave(self, whole: Whole, new_owner: str | None) -> list[Action]:
        head, chunks = _changed(whole, self._change, self._now), without_member(whole.chunks, self._user_id)
        head["chunks"] = len(chunks)
        head["created_by"] = new_owner or head["created_by"]
        return [
            _write_head(whole, head, UNCHANGED),
            *write_chunks(self._conversation_id, whole.chunks, chunks, head["revision"]),
            Delete(keys.member(self._conversation_id, self._user_id)),
        ]

    def _succeeded(self) -> bool:
        head = self._db.get(keys.head(self._conversation_id))
        return head is not None and head["change"] == self._change


def _require_group(db: Dynamo, conversation_id: str) -> Whole:
    whole = read_whole(db, conversation_id)
    if whole is None:
        raise ConversationNotFound(conversationId=conversation_id)
    if "pair" in whole.head:
        raise NotAGroup(conversationId=conversation_id)
    return whole


def _changed(whole: Whole, change: str, now: datetime) -> Item:
    return whole.head | {"revision": whole.head["revision"] + 1, "change": change, "updated_at": to_ms(now)}


def _write_head(whole: Whole, head: Item, when: str, **values: int) -> Update:
    """Just what membership changes: sends go on beside it and move the rest."""
    changes = {name: head[name] for name in ("revision", "change", "updated_at", "chunks", "created_by")}
    return Update(keys.head(head["id"]), changes, when, {"revision": whole.head["revision"], **values})

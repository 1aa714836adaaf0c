"""How read marks move: those that wait together share a transaction, each with a ``rev`` of its own.

A member's item has the mark itself, which sending moves too, without a change; an item beside the messages remembers
when it last moved by reading, so that one Query finds the marks of a whole conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Action, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.delivery import Delivery, Found, deliver
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.heads import move, require_live
from chatapp.adapters.dynamodb_store.items import read_up_to, rev_of_head
from chatapp.adapters.dynamodb_store.outbox import Entry
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.errors import NotAParticipant
from chatapp.domain.happenings import message_read
from chatapp.ports import Journal, ReadMark

MAX_TOGETHER = 30
MAX_LOGGED = 24
"""A mark needs two actions, and two more when it is logged; a transaction has 100, and one is the head's."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark(Entry[ReadMark]):
    conversation_id: str
    user_id: str
    now: datetime
    change: str = field(default_factory=new_token)


def marking(db: Dynamo, journal: Journal) -> Callable[[Sequence[Mark]], list[ReadMark | Exception]]:
    """Delivers the first so many of these marks of one conversation."""

    def delivery(marks: Sequence[Mark]) -> _Marking:
        return _Marking(db, marks[0].conversation_id, marks, journal)

    return lambda marks: deliver(delivery, _together(marks[: MAX_LOGGED if journal.is_on() else MAX_TOGETHER]))


def require_entry(found: Found, conversation_id: str, user_id: str) -> tuple[Item, Item]:
    """The conversation's head, and the member's item."""
    head = require_live(found.get(keys.head(conversation_id)), conversation_id)
    member = found.get(keys.member(conversation_id, user_id))
    if member is None:
        raise NotAParticipant(conversationId=conversation_id, userId=user_id)
    return head, member


def unmoved(head: Item, member: Item) -> ReadMark | None:
    """The mark, when everything is read already."""
    if read_up_to(head, member) < head["last_seq"]:
        return None
    return ReadMark(False, head["last_seq"], from_ms(member.get("last_read_at")) or from_ms(member["joined_at"]))


def _together(marks: Sequence[Mark]) -> list[Mark]:
    """The same user again waits, and finds everything read."""
    first: dict[str, Mark] = {}
    for mark in marks:
        if mark.user_id in first:
            break
        first[mark.user_id] = mark
    return list(first.values())


class _Marking(Delivery[Mark, ReadMark]):
    def __init__(self, db: Dynamo, conversation_id: str, marks: Sequence[Mark], journal: Journal) -> None:
        super().__init__(db, conversation_id, marks)
        self._journal = journal

    def wanted(self, entry: Mark, *, again: bool) -> Collection[keys.Key]:
        member = keys.member(entry.conversation_id, entry.user_id)
        return [member, keys.mark(entry.conversation_id, entry.user_id)] if again else [member]

    def decide(self, found: Found, head: Item, entry: Mark) -> ReadMark | None:
        _, member = require_entry(found, entry.conversation_id, entry.user_id)
        mark = found.get(keys.mark(entry.conversation_id, entry.user_id))
        if mark and mark["change"] == entry.change:  # an earlier attempt got through; its answer did not
            return ReadMark(True, mark["seq"], entry.now, mark["rev"])
        return unmoved(head, member)

    def plan(self, found: Found, head: Item, entries: Sequence[Mark]) -> tuple[list[Action], dict[Mark, ReadMark]]:
        seq, rev = head["last_seq"], rev_of_head(head)
        moved = {mark: ReadMark(True, seq, mark.now, rev + n) for n, mark in enumerate(entries, start=1)}
        changes = {"changes": head.get("changes", 0) + len(moved), "last_mark": rev + len(moved), "marks": len(moved)}
        actions: list[Action] = [move(head, changes)]
        for mark, outcome in moved.items():
            actions += _move_mark(mark, outcome)
            if self._journal.is_on():
                told = message_read(mark.conversation_id, mark.user_id, last_read_seq=outcome.seq, at=outcome.at)
                actions += log(self._journal.entries(told), outcome.rev)
        return actions, moved


def _move_mark(mark: Mark, outcome: ReadMark) -> list[Action]:
    """Forward only; a member who has left has no mark to move."""
    member = {"last_read_seq": outcome.seq, "last_read_at": to_ms(outcome.at)}
    logged: Item = {"user_id": mark.user_id, "seq": outcome.seq, "rev": outcome.rev, "change": mark.change}
    member_key = keys.member(mark.conversation_id, mark.user_id)
    return [
        Update(member_key, member, "#last_read_seq < :seq", {"seq": outcome.seq}),
        Put(keys.mark(mark.conversation_id, mark.user_id), logged),
    ]

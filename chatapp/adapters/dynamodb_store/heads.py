"""The head of a conversation, and the members of a group around it.

A group's members are up to ``CHUNK`` to an item, because an item has at most 400 kB and a list is read far more often
than it changes. ``revision`` counts the changes of membership; a chunk carries the revision that wrote it, which tells
a reader whether head and chunks belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.dynamodb_store.items import to_conversation
from chatapp.domain.errors import ConversationNotFound, NotAGroup
from chatapp.domain.models import Conversation

CHUNK = 250
"""Ids in one item: with the longest ids 128 kB, with UUIDs 10."""

SAME_MEMBERS = "#revision = :revision AND attribute_not_exists(#deleted_at)"


def is_live(head: Item | None) -> bool:
    """A deleted conversation's head stays until its remains are swept."""
    return head is not None and "deleted_at" not in head


def require_live(head: Item | None, conversation_id: str) -> Item:
    if head is None or not is_live(head):
        raise ConversationNotFound(conversationId=conversation_id)
    return head


@dataclass(frozen=True, slots=True)
class Whole:
    """A head with its members, longest-standing first."""

    head: Item
    chunks: list[list[str]] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    """The revision that wrote each chunk."""

    @property
    def members(self) -> list[str]:
        return self.head.get("pair") or [user_id for chunk in self.chunks for user_id in chunk]

    @property
    def conversation(self) -> Conversation:
        return to_conversation(self.head, self.members)


# ---------------------------------------------------------------- reading
def read_whole(db: Dynamo, conversation_id: str) -> Whole | None:
    return read_wholes(db, [conversation_id]).get(conversation_id)


def require_group(db: Dynamo, conversation_id: str) -> Whole:
    whole = read_whole(db, conversation_id)
    if whole is None:
        raise ConversationNotFound(conversationId=conversation_id)
    if "pair" in whole.head:
        raise NotAGroup(conversationId=conversation_id)
    return whole


def read_wholes(db: Dynamo, conversation_ids: Iterable[str]) -> dict[str, Whole]:
    """Those that live, by id. Raises LostRace when members changed while we read."""
    ids = list(conversation_ids)
    found = db.get_many(key for id_ in ids for key in (keys.head(id_), keys.members(id_, 0)))
    heads = {id_: head for id_ in ids if (head := found.get(keys.head(id_))) and is_live(head)}
    # A head and its first chunk belong together when the last change wrote both; more chunks are read after the head.
    larger = [keys.members(id_, n) for id_, head in heads.items() if _size(head) > 1 for n in range(_size(head))]
    found |= db.get_many(larger)
    return {id_: _whole(head, found) for id_, head in heads.items()}


def _size(head: Item) -> int:
    size: int = head.get("chunks", 0)
    return size


def _whole(head: Item, found: dict[keys.Key, Item]) -> Whole:
    chunks = [found.get(keys.members(head["id"], n)) for n in range(_size(head))]
    oldest = head["revision"] if len(chunks) == 1 else 0
    if not all(chunk and oldest <= chunk["revision"] <= head["revision"] for chunk in chunks):
        raise LostRace(doubt=False)
    there = [chunk for chunk in chunks if chunk]
    return Whole(head, [chunk["user_ids"] for chunk in there], [chunk["revision"] for chunk in there])


# ---------------------------------------------------------------- changing
def with_members(chunks: Sequence[list[str]], user_ids: Iterable[str]) -> list[list[str]]:
    """New members come last."""
    changed = [*map(list, chunks)] or [[]]
    for user_id in user_ids:
        if len(changed[-1]) >= CHUNK:
            changed.append([])
        changed[-1].append(user_id)
    return _compact(changed)


def without_member(chunks: Sequence[list[str]], user_id: str) -> list[list[str]]:
    return _compact([[member for member in chunk if member != user_id] for chunk in chunks])


def _compact(chunks: list[list[str]]) -> list[list[str]]:
    """Close the gaps that leaving has made, when they are more than half of it all."""
    members = [user_id for chunk in chunks for user_id in chunk]
    needed = max(1, -(-len(members) // CHUNK))
    if len(chunks) <= 2 * needed:
        return chunks
    return [members[start : start + CHUNK] for start in range(0, needed * CHUNK, CHUNK)]


def move(head: Item, changes: Item) -> Update:
    """Fails when anybody else has taken a ``rev`` since ``head`` was read, or the conversation is deleted."""
    counted = "#changes = :changes" if "changes" in head else "attribute_not_exists(#changes)"
    values: Item = {name: head[name] for name in ("last_seq", "changes") if name in head}
    when = f"#last_seq = :last_seq AND {counted} AND attribute_not_exists(#deleted_at)"
    return Update(keys.head(head["id"]), changes, when, values)


def write_chunks(before: Whole, after: Sequence[list[str]], revision: int) -> list[Action]:
    """Only what changed; a single chunk always, so that it carries the head's revision.

    Fails when one of them is not what was read: beside a new head a chunk may have been an old one.
    """
    return [
        *(
            Put(keys.members(before.head["id"], n), {"user_ids": chunk, "revision": revision}, *_as_read(before, n))
            for n, chunk in enumerate(after)
            if len(after) == 1 or n >= len(before.chunks) or chunk != before.chunks[n]
        ),
        *(
            Delete(keys.members(before.head["id"], n), *_as_read(before, n))
            for n in range(len(after), len(before.chunks))
        ),
    ]


def _as_read(whole: Whole, n: int) -> tuple[str, dict[str, int]]:
    return ("#revision = :written", {"written": whole.written[n]}) if n < len(whole.written) else (ABSENT, {})

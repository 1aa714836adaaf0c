"""How the changes of a conversation are shown, each as what it changed is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chatapp.adapters.dynamodb_store import keys, reading
from chatapp.adapters.dynamodb_store.actions import Item
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.dynamodb_store.heads import require_live
from chatapp.adapters.dynamodb_store.items import read_up_to, rev_of_head
from chatapp.adapters.dynamodb_store.log import OF_MESSAGES, Log, Logged
from chatapp.adapters.dynamodb_store.marking import require_entry
from chatapp.adapters.times import from_ms
from chatapp.domain.changes import (
    Change,
    Changes,
    DetailsChanged,
    MarkMoved,
    MembersAction,
    MembersChanged,
    MessageAppended,
    MessageRetracted,
    MessageRevised,
    MessagesRemoved,
)
from chatapp.domain.models import Message

MESSAGES: Mapping[str, Callable[[int, Message], Change]] = {
    "message": MessageAppended,
    "edit": MessageRevised,
    "delete": MessageRetracted,
}


def read_changes(db: Dynamo, conversation_id: str, since: int, limit: int, user_id: str | None) -> Changes:
    """Raises LostRace when something changed while we read."""
    head = _require_head(db, conversation_id, user_id)
    rev, purged_seq = rev_of_head(head), int(head["purged_seq"])
    purged_rev: int = head.get("purged_rev", purged_seq)
    log = Log(db, head, since if since <= rev else 0, limit + 1)
    found = sorted([*log.messages(), *log.entries(), *log.marks()], key=lambda change: change.rev)
    items, more = _Showing(db, head, found[:limit]).changes(), len(found) > limit
    return Changes(items[-1].rev if more else rev, items, more, truncated=not purged_rev <= since <= rev)


def _require_head(db: Dynamo, conversation_id: str, user_id: str | None) -> Item:
    if user_id is None:
        return require_live(db.get(keys.head(conversation_id)), conversation_id)
    found = db.get_many([keys.head(conversation_id), keys.member(conversation_id, user_id)])
    return require_entry(found, conversation_id, user_id)[0]


class _Showing:
    def __init__(self, db: Dynamo, head: Item, found: Sequence[Logged]) -> None:
        self._head = head
        self._found = found
        self._messages = self._read_messages(db)
        self._members = self._read_members(db)

    def _read_messages(self, db: Dynamo) -> dict[int, Message]:
        """By their ``seq``, those that entries show too."""
        items = {change.item["seq"]: change.item for change in self._found if change.kind == "message"}
        others = {change.item["seq"] for change in self._found if change.kind in OF_MESSAGES} - items.keys()
        more = db.get_many(keys.message(self._head["id"], seq) for seq in sorted(others))
        return {message.seq: message for message in reading.show(db, [*items.values(), *more.values()])}

    def _read_members(self, db: Dynamo) -> dict[str, Item]:
        """Of those whose marks moved."""
        user_ids = [change.item["user_id"] for change in self._found if change.kind == "mark"]
        found = db.get_many(keys.member(self._head["id"], user_id) for user_id in user_ids)
        return {item["user_id"]: item for item in found.values()}

    def changes(self) -> tuple[Change, ...]:
        return tuple(map(self._show, self._found))

    def _show(self, change: Logged) -> Change:
        if change.kind in MESSAGES:
            return MESSAGES[change.kind](change.rev, self._message(change.item["seq"]))
        return self._mark(change) if change.kind == "mark" else _OTHERS[change.kind](change.rev, change.item)

    def _message(self, seq: int) -> Message:
        if seq not in self._messages:
            raise LostRace(doubt=False)  # purged since we looked
        return self._messages[seq]

    def _mark(self, change: Logged) -> MarkMoved:
        user_id = change.item["user_id"]
        member = self._members.get(user_id)
        if member is None or "last_read_at" not in member or member["last_read_seq"] < change.item["seq"]:
            raise LostRace(doubt=False)  # they left, or are back, since we looked; or their item is behind
        return MarkMoved(change.rev, user_id, read_up_to(self._head, member), from_ms(member["last_read_at"]))


# ---------------------------------------------------------------- entries
def _members_changed(rev: int, item: Item) -> MembersChanged:
    user_ids, at = tuple(item["user_ids"]), from_ms(item["at"])
    return MembersChanged(rev, MembersAction(item["kind"]), user_ids, item["by"], at, item.get("new_owner_id"))


def _details_changed(rev: int, item: Item) -> DetailsChanged:
    return DetailsChanged(rev, item.get("name"), item.get("description"), item["by"], from_ms(item["at"]))


def _messages_removed(rev: int, item: Item) -> MessagesRemoved:
    return MessagesRemoved(rev, item["through_seq"])


_OTHERS: Mapping[str, Callable[[int, Item], Change]] = {
    "add": _members_changed,
    "remove": _members_changed,
    "details": _details_changed,
    "purge": _messages_removed,
}

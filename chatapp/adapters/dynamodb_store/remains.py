"""What a message leaves in other places, and what is to be done when it goes for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Delete, Item
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.items import to_attachment
from chatapp.domain.models import Attachment


def remove_messages(db: Dynamo, items: Sequence[Item]) -> list[Attachment]:
    """Remove them and whatever points at them, which goes first: should we fail in between, they are found again."""
    db.write_each(Delete(key) for item in items for key in _pointers(item))
    db.write_each(Delete(keys.message(item["conversation_id"], item["seq"])) for item in items)
    return [attachment for item in items if (attachment := to_attachment(item))]


def _pointers(item: Item) -> list[keys.Key]:
    found = [keys.pointer(item["id"])]
    if "reply_to" in item:
        found.append(keys.reply(item["reply_to"], item["seq"], item["id"]))
    if "file_url" in item:
        found.append(keys.reference(item["file_url"], item["id"]))
    return found


def refers_to_file(db: Dynamo, url: str) -> bool:
    return any(True for _ in db.query(keys.MESSAGES, keys.file(url), keys.FIRST, keys.LAST, page=1))


def orphans(db: Dynamo, attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The files that no message refers to any more."""
    by_url = {attachment.url: attachment for attachment in attachments}
    return tuple(attachment for url, attachment in by_url.items() if not refers_to_file(db, url))

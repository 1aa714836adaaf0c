"""What a message leaves in other places, and what is to be done when it goes for good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Delete, Item
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.heads import is_live
from chatapp.adapters.dynamodb_store.items import to_attachment
from chatapp.domain.models import Attachment

REFERENCES_AT_ONCE = 50
"""BatchGetItem takes 100 keys, and each has a head and a member to look at."""


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


def shows_file(db: Dynamo, url: str, user_id: str) -> bool:
    """Reads so many references at a time as one request for heads and members can follow."""
    references = db.query(keys.MESSAGES, keys.file(url), keys.FIRST, keys.LAST, page=REFERENCES_AT_ONCE)
    while places := list(islice(references, REFERENCES_AT_ONCE)):
        if _is_member_of_one(db, places, user_id):
            return True
    return False


def _is_member_of_one(db: Dynamo, places: Sequence[Item], user_id: str) -> bool:
    """Purged messages and deleted conversations leave references behind until they are swept."""
    ids = {place["conversation_id"] for place in places}
    found = db.get_many(key for id_ in ids for key in (keys.head(id_), keys.member(id_, user_id)))
    return any(keys.member(place["conversation_id"], user_id) in found and _remains(place, found) for place in places)


def _remains(place: Item, found: Mapping[keys.Key, Item]) -> bool:
    head = found.get(keys.head(place["conversation_id"]))
    return head is not None and is_live(head) and place["seq"] > head["purged_seq"]


def orphans(db: Dynamo, attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The files that no message refers to any more."""
    by_url = {attachment.url: attachment for attachment in attachments}
    return tuple(attachment for url, attachment in by_url.items() if not refers_to_file(db, url))

"""Messages as they are shown: of conversations that live, not purged, each with its sender's current profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Item
from chatapp.adapters.dynamodb_store.answers import StoredMessage, read_messages
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.heads import is_live
from chatapp.adapters.dynamodb_store.items import to_message, to_sender
from chatapp.domain.models import Message, Sender

WALK_PAGE = 100


def find(db: Dynamo, message_id: str) -> tuple[Item, Item, Message] | None:
    """The message's item, its conversation's head, and what is shown of it."""
    pointer = db.get(keys.pointer(message_id))
    return find_at(db, pointer) if pointer else None


def find_at(db: Dynamo, pointer: Item) -> tuple[Item, Item, Message] | None:
    """As ``find``, of which the pointer is known: it never changes."""
    message_key, head_key = (
        keys.message(pointer["conversation_id"], pointer["seq"]),
        keys.head(pointer["conversation_id"]),
    )
    found = db.get_many([message_key, head_key, keys.profile(pointer["sender_id"])])
    item = found.get(message_key)
    shown = _shown(found, [item] if item else [])
    return (item, found[head_key], shown[0]) if item and shown else None


def show(db: Dynamo, items: Iterable[Item]) -> list[Message]:
    items = list(items)
    heads = map(keys.head, dict.fromkeys(item["conversation_id"] for item in items))
    profiles = map(keys.profile, dict.fromkeys(item["sender_id"] for item in items))
    return _shown(db.get_many(chain(heads, profiles)), items)


def _shown(found: dict[keys.Key, Item], items: Iterable[Item]) -> list[Message]:
    """They are of a few conversations and a few people: each is looked up once."""

    @cache
    def hidden_through(conversation_id: str) -> int:
        return _hidden_through(found.get(keys.head(conversation_id)))

    @cache
    def sender(user_id: str) -> Sender:
        return to_sender(user_id, found.get(keys.profile(user_id)))

    return [
        to_message(item, sender(item["sender_id"]))
        for item in items
        if item["seq"] > hidden_through(item["conversation_id"])
    ]


def _hidden_through(head: Item | None) -> int:
    """The ``seq`` of the last message that is not shown any more."""
    return int(head["purged_seq"]) if head and is_live(head) else keys.MAX_SEQ


def query(db: Dynamo, conversation_id: str, after: int, before: int, *, limit: int) -> list[Item]:
    """Items with ``after < seq < before``."""
    return list(islice(db.query(*_range(conversation_id, after, before), page=limit), limit))


def _range(conversation_id: str, after: int, before: int) -> tuple[str, str, str, str]:
    low, high = keys.numbered(min(after + 1, keys.MAX_SEQ)), keys.numbered(max(before - 1, 0))
    return keys.MESSAGES, keys.messages(conversation_id), low, high


def history(db: Dynamo, conversation_id: str, *, limit: int, before: int | None, after: int | None) -> list[Message]:
    forwards = after is not None
    wanted = _range(conversation_id, after or 0, keys.MAX_SEQ if before is None else before)
    page = list(islice(db.query_as(read_messages, *wanted, descending=not forwards, page=limit), limit))
    shown = _show_page(db, conversation_id, page)
    if forwards and len(shown) < len(page) == limit:  # the first ones are purged, and not swept yet
        hidden = page[len(page) - len(shown) - 1].seq.N
        return history(db, conversation_id, limit=limit, before=before, after=hidden)
    return shown if forwards else shown[::-1]


def _show_page(db: Dynamo, conversation_id: str, page: Sequence[StoredMessage]) -> list[Message]:
    """As ``show``, of one conversation."""
    if not page:
        return []
    head, profiles = keys.head(conversation_id), {id_: keys.profile(id_) for id_ in {each.sender_id.S for each in page}}
    found = db.get_many([head, *profiles.values()])
    senders = {id_: to_sender(id_, found.get(profile)) for id_, profile in profiles.items()}
    hidden_through = _hidden_through(found.get(head))
    return [each.shown(senders[each.sender_id.S]) for each in page if hidden_through < each.seq.N]


def replies(db: Dynamo, message_id: str) -> list[Message]:
    pointers = list(db.query(keys.MESSAGES, keys.replies(message_id), keys.FIRST, keys.LAST))
    wanted = [keys.message(pointer["conversation_id"], pointer["seq"]) for pointer in pointers]
    found = db.get_many(wanted)
    return show(db, (found[key] for key in wanted if key in found))


# ---------------------------------------------------------------- everything, for operators
def walk(db: Dynamo, start: str = keys.FIRST) -> Iterator[Item]:
    """Heads of all conversations whose id is at least ``start``, in the order of their ids."""
    ids = (
        item["id"] for item in db.query(keys.CONVERSATIONS, keys.ALL, start or keys.FIRST, keys.LAST, page=WALK_PAGE)
    )
    while wanted := [keys.head(id_) for id_ in islice(ids, WALK_PAGE)]:
        found = db.get_many(wanted)
        yield from (found[key] for key in wanted if is_live(found.get(key)))


def list_all(db: Dynamo, conversation_id: str, seq: int, *, limit: int) -> list[Message]:
    """Up to ``limit``, strictly after this place."""
    items: list[Item] = []
    for head in walk(db, conversation_id):
        after = max(head["purged_seq"], seq if head["id"] == conversation_id else 0)
        if after < head["last_seq"]:
            items += query(db, head["id"], after, keys.MAX_SEQ, limit=limit - len(items))
        if len(items) == limit:
            break
    return show(db, items)

"""How messages are sent: one transaction has the sender's membership and mark, the head's next number, the message,
what points at it, and its idempotency key. A few messages of one conversation can share it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import MAX_TRANSACTION, Dynamo
from chatapp.adapters.dynamodb_store.delivery import Delivery, Found, deliver
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.heads import is_live, move
from chatapp.adapters.dynamodb_store.items import from_last, from_message, rev_of_message, to_conversation
from chatapp.adapters.dynamodb_store.outbox import Entry
from chatapp.adapters.dynamodb_store.reading import find
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.errors import IdempotencyKeyReused, InvalidData, NotAParticipant
from chatapp.domain.happenings import Happening, message_sent
from chatapp.domain.models import Conversation, Message
from chatapp.domain.text import last_message
from chatapp.ports import Appended, Journal

MAX_TOGETHER = 16
MAX_ACTIONS = 6
"""A message needs up to six actions (itself, pointer, key, reply, file, its sender's mark), a transaction has 100,
and one is the head's. Two more for each event that is logged."""


@dataclass(frozen=True, slots=True, eq=False)
class Send(Entry[Appended]):
    draft: Message
    fingerprint: str
    along: tuple[Happening, ...] = ()


def sending(db: Dynamo, journal: Journal) -> Callable[[Sequence[Send]], list[Appended | Exception]]:
    """Delivers the first so many of these sends of one conversation."""

    def delivery(sends: Sequence[Send]) -> _Sending:
        return _Sending(db, sends[0].draft.conversation_id, sends, journal)

    return lambda sends: deliver(delivery, _together(sends, is_logged=journal.is_on()))


def find_repeated(db: Dynamo, send: Send) -> Message | None:
    """What was sent under the key of this; None when there is none."""
    head_key, sent_key = keys.head(send.draft.conversation_id), _sent(send.draft)
    if send.draft.client_message_id is None:
        return None
    found = db.get_many([head_key, sent_key])
    head, known = found.get(head_key), found.get(sent_key)
    return _earlier(db, known, to_conversation(head), send) if head and known and is_live(head) else None


def _together(sends: Sequence[Send], *, is_logged: bool) -> list[Send]:
    """The same idempotency key again waits until its first message is there."""
    taken: list[Send] = []
    seen: set[tuple[str, str]] = set()
    room = MAX_TRANSACTION - 1
    for send in sends[:MAX_TOGETHER]:
        room -= MAX_ACTIONS + (2 * (len(send.along) + 1) if is_logged else 0)
        if taken and room < 0:
            break
        if (key := send.draft.client_message_id) is not None:
            if (send.draft.sender_id, key) in seen:
                break
            seen.add((send.draft.sender_id, key))
        taken.append(send)
    return taken


class _Sending(Delivery[Send, Appended]):
    def __init__(self, db: Dynamo, conversation_id: str, sends: Sequence[Send], journal: Journal) -> None:
        super().__init__(db, conversation_id, sends)
        self._journal = journal

    def wanted(self, entry: Send, *, again: bool) -> Collection[keys.Key]:
        draft = entry.draft
        return [
            keys.member(draft.conversation_id, draft.sender_id),
            *([_sent(draft)] if draft.client_message_id is not None else []),
            *([keys.pointer(draft.id)] if again else []),
        ]

    def decide(self, found: Found, head: Item, entry: Send) -> Appended | None:
        draft = entry.draft
        conversation = to_conversation(head)
        other = conversation.other_than(draft.sender_id)
        if pointer := found.get(keys.pointer(draft.id)):  # an earlier attempt got through; its answer did not
            ours = replace(draft, seq=pointer["seq"], rev=pointer["rev"], recipient_id=other)
            return Appended(ours, conversation, duplicate=False)
        if keys.member(draft.conversation_id, draft.sender_id) not in found:
            raise NotAParticipant(conversationId=draft.conversation_id, userId=draft.sender_id)
        if draft.client_message_id is not None and (known := found.get(_sent(draft))):
            return Appended(_earlier(self._db, known, conversation, entry), conversation, duplicate=True)
        if other is not None and draft.recipient_id not in (None, other):
            raise InvalidData({"recipientId": ["not_in_conversation"]})
        return None

    def plan(self, found: Found, head: Item, entries: Sequence[Send]) -> tuple[list[Action], dict[Send, Appended]]:
        conversation, appended = to_conversation(head), {}
        marks: dict[str, Update] = {}
        actions: list[Action] = []
        for send in entries:
            message = replace(
                send.draft,
                seq=conversation.last_seq + 1,
                rev=conversation.rev + 1,
                recipient_id=conversation.other_than(send.draft.sender_id),
            )
            conversation = replace(conversation, last_seq=message.seq, rev=message.rev, last=last_message(message))
            appended[send] = Appended(message, conversation, duplicate=False)
            marks[message.sender_id] = _mark(message)
            actions += _new_message(message, send.fingerprint)
            if self._journal.is_on():
                actions += log(self._journal.entries(*send.along, message_sent(message)), message.rev)
        return [_advance(head, conversation), *marks.values(), *actions], appended


def _earlier(db: Dynamo, known: Item, conversation: Conversation, send: Send) -> Message:
    """The message that was sent under this key."""
    draft = send.draft
    if known["fingerprint"] != send.fingerprint:
        raise IdempotencyKeyReused(clientMessageId=draft.client_message_id, messageId=known["message_id"])
    if found := find(db, known["message_id"]):
        return found[2]
    return replace(  # purged
        draft,
        id=known["message_id"],
        seq=known["seq"],
        rev=rev_of_message(known),
        timestamp=from_ms(known["timestamp"]),
        recipient_id=conversation.other_than(draft.sender_id),
        content="",
        attachment=None,
        call=None,
        is_deleted=True,
    )


def _sent(draft: Message) -> keys.Key:
    return keys.sent(draft.conversation_id, draft.sender_id, draft.client_message_id or "")


def _mark(message: Message) -> Update:
    """Fails when the sender is no participant any more."""
    changes = {"last_read_seq": message.seq, "last_read_at": to_ms(message.timestamp)}
    return Update(keys.member(message.conversation_id, message.sender_id), changes)


def _advance(head: Item, conversation: Conversation) -> Update:
    changes = from_last(conversation.last)
    changes |= {"last_seq": conversation.last_seq, "last_rev": conversation.rev, "active_at": changes["last_at"]}
    return move(head, changes)


def _new_message(message: Message, fingerprint: str) -> list[Action]:
    numbers: Item = {"seq": message.seq, "rev": message.rev}
    place: Item = {"conversation_id": message.conversation_id, "sender_id": message.sender_id, **numbers}
    writes: list[Action] = [
        Put(keys.message(message.conversation_id, message.seq), from_message(message), ABSENT),
        Put(keys.pointer(message.id), place, ABSENT),
    ]
    if message.client_message_id is not None:
        key: Item = {
            "sender_id": message.sender_id,
            "client_message_id": message.client_message_id,
            "fingerprint": fingerprint,
            "message_id": message.id,
            "timestamp": to_ms(message.timestamp),
            **numbers,
        }
        writes.append(Put(_sent(message), key, ABSENT))
    if message.reply_to is not None:
        writes.append(Put(keys.reply(message.reply_to, message.seq, message.id), place))
    if message.file_url is not None:
        writes.append(Put(keys.reference(message.file_url, message.id), place))
    return writes

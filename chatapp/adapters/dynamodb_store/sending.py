"""How messages are sent: one transaction has the sender's membership and mark, the head's next number, the message,
what points at it, and its idempotency key. A few messages of one conversation can share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, RequestRefused
from chatapp.adapters.dynamodb_store.heads import NOTHING_SAID, is_live, require_live
from chatapp.adapters.dynamodb_store.items import from_last, from_message, to_conversation
from chatapp.adapters.dynamodb_store.reading import find
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.errors import ChatError, IdempotencyKeyReused, InvalidData, NotAParticipant
from chatapp.domain.models import Conversation, LastMessage, Message
from chatapp.domain.text import preview
from chatapp.ports import Appended

MAX_TOGETHER = 16
"""A message needs up to six actions (itself, pointer, key, reply, file, its sender's mark), a transaction has 100,
and one is the head's."""

Outcome = Appended | Exception


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    draft: Message
    fingerprint: str


class Sending:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    def deliver(self, sends: Sequence[Send]) -> list[Outcome]:
        """The outcomes of the first so many of these sends of one conversation."""
        together = _together(sends)
        try:
            return _Delivery(self._db, together).outcomes()
        except RequestRefused as exc:
            if len(together) == 1:
                return [exc]
            return self.deliver(together[:1])  # one of them it is; each by itself

    def find_repeated(self, send: Send) -> Message | None:
        head_key, sent_key = keys.head(send.draft.conversation_id), _sent(send.draft)
        if send.draft.client_message_id is None:
            return None
        found = self._db.get_many([head_key, sent_key])
        head, known = found.get(head_key), found.get(sent_key)
        return _earlier(self._db, known, to_conversation(head), send) if head and known and is_live(head) else None


def _together(sends: Sequence[Send]) -> list[Send]:
    """The same idempotency key again waits until its first message is there."""
    taken: list[Send] = []
    seen: set[tuple[str, str]] = set()
    for send in sends[:MAX_TOGETHER]:
        if (key := send.draft.client_message_id) is not None:
            if (send.draft.sender_id, key) in seen:
                break
            seen.add((send.draft.sender_id, key))
        taken.append(send)
    return taken


class _Delivery:
    """What becomes of some sends, however many attempts that takes."""

    def __init__(self, db: Dynamo, sends: Sequence[Send]) -> None:
        self._db = db
        self._sends = sends
        self._conversation_id = sends[0].draft.conversation_id
        self._settled: dict[Send, Outcome] = {}
        self._attempts = 0

    def outcomes(self) -> list[Outcome]:
        try:
            self._db.again(self._attempt)
        except RequestRefused:
            raise
        except ChatError as exc:
            return [self._settled.get(send, exc) for send in self._sends]
        return [self._settled[send] for send in self._sends]

    def _attempt(self) -> None:
        found = self._read()
        self._attempts += 1
        head, new = found.get(keys.head(self._conversation_id)), []
        for send in self._sends:
            if send not in self._settled and not self._settle(found, head, send):
                new.append(send)
        if new and head:
            self._write(head, new)

    def _read(self) -> dict[keys.Key, Item]:
        wanted = [keys.head(self._conversation_id)]
        for send in self._sends:
            draft = send.draft
            wanted.append(keys.member(self._conversation_id, draft.sender_id))
            if draft.client_message_id is not None:
                wanted.append(_sent(draft))
            if self._attempts:
                wanted.append(keys.pointer(draft.id))
        return self._db.get_many(wanted)

    # ------------------------------------------------------------ deciding
    def _settle(self, found: dict[keys.Key, Item], head: Item | None, send: Send) -> bool:
        """Whether there is nothing to write for it any more."""
        try:
            outcome = self._decide(found, head, send)
        except ChatError as exc:
            outcome = exc
        if outcome is not None:
            self._settled[send] = outcome
        return outcome is not None

    def _decide(self, found: dict[keys.Key, Item], head: Item | None, send: Send) -> Outcome | None:
        draft = send.draft
        head = require_live(head, self._conversation_id)
        conversation = to_conversation(head)
        if pointer := found.get(keys.pointer(draft.id)):  # an earlier attempt got through; its answer did not
            ours = replace(draft, seq=pointer["seq"], recipient_id=conversation.other_than(draft.sender_id))
            return Appended(ours, conversation, duplicate=False)
        if keys.member(self._conversation_id, draft.sender_id) not in found:
            raise NotAParticipant(conversationId=self._conversation_id, userId=draft.sender_id)
        if draft.client_message_id is not None and (known := found.get(_sent(draft))):
            return Appended(_earlier(self._db, known, conversation, send), conversation, duplicate=True)
        other = conversation.other_than(draft.sender_id)
        if other is not None and draft.recipient_id not in (None, other):
            raise InvalidData({"recipientId": ["not_in_conversation"]})
        return None

    # ------------------------------------------------------------ writing
    def _write(self, head: Item, sends: Sequence[Send]) -> None:
        conversation, appended = to_conversation(head), {}
        marks: dict[str, Update] = {}
        actions: list[Action] = []
        for send in sends:
            draft = send.draft
            recipient_id = conversation.other_than(draft.sender_id)
            message = replace(draft, seq=conversation.last_seq + 1, recipient_id=recipient_id)
            conversation = replace(conversation, last_seq=message.seq, last=_last(message))
            appended[send] = Appended(message, conversation, duplicate=False)
            marks[message.sender_id] = _mark(message)
            actions += _new_message(message, send.fingerprint)
        self._db.write(_advance(head, conversation), *marks.values(), *actions)
        self._settled.update(appended)


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
        timestamp=from_ms(known["timestamp"]),
        recipient_id=conversation.other_than(draft.sender_id),
        content="",
        attachment=None,
        is_deleted=True,
    )


def _sent(draft: Message) -> keys.Key:
    return keys.sent(draft.conversation_id, draft.sender_id, draft.client_message_id or "")


def _last(message: Message) -> LastMessage:
    text = preview(message.message_type, message.content, message.attachment)
    return LastMessage(message.id, message.sender_id, text, message.timestamp)


def _mark(message: Message) -> Update:
    """Fails when the sender is no participant any more."""
    changes = {"last_read_seq": message.seq, "last_read_at": to_ms(message.timestamp)}
    return Update(keys.member(message.conversation_id, message.sender_id), changes)


def _advance(head: Item, conversation: Conversation) -> Update:
    changes = from_last(conversation.last)
    changes |= {"last_seq": conversation.last_seq, "active_at": changes["last_at"]}
    when = f"{NOTHING_SAID} AND attribute_not_exists(#deleted_at)"
    return Update(keys.head(conversation.id), changes, when, {"last_seq": head["last_seq"]})


def _new_message(message: Message, fingerprint: str) -> list[Action]:
    place: Item = {"conversation_id": message.conversation_id, "seq": message.seq, "sender_id": message.sender_id}
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
            "seq": message.seq,
            "timestamp": to_ms(message.timestamp),
        }
        writes.append(Put(_sent(message), key, ABSENT))
    if message.reply_to is not None:
        writes.append(Put(keys.reply(message.reply_to, message.seq, message.id), place))
    if message.file_url is not None:
        writes.append(Put(keys.reference(message.file_url, message.id), place))
    return writes

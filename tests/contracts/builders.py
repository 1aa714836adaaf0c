"""Small things to put into a store: people, conversations, drafts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import gevent

from chatapp.domain.commands import SaveUser
from chatapp.domain.models import Attachment, Conversation, ConversationType, Message, MessageType, Sender
from chatapp.ports import Store
from tests.fakes import START, SequentialIds

T = TypeVar("T")
OpenStore = Callable[[], Store]

NAMES = {"ana": "Ana Álvarez", "bea": "Beatriz Ñuñez", "carlos": "Carlos 🎸", "dora": "Dora"}

BAD_CURSORS = [
    "",
    "g1",
    "!!!",
    "ñ",
    "W10",
    *(
        base64.urlsafe_b64encode(text.encode()).decode()
        for text in (
            "",
            "x",
            "null",
            "7",
            '"g1"',
            "{}",
            "[]",
            "[null]",
            "[7]",
            '["a", "b", "c"]',
            '["\\ud800"]',
            '["\\ud800", 1]',
        )
    ),
    base64.urlsafe_b64encode(json.dumps(["g1", "1"]).encode()).decode(),
    base64.urlsafe_b64encode(json.dumps(["g1", True]).encode()).decode(),
    base64.urlsafe_b64encode(json.dumps(["g1", 2**80]).encode()).decode(),
    base64.urlsafe_b64encode(json.dumps(["g1", float("inf")]).encode()).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    "x" * 1000,
    "W" * 999,
]
"""Cursors that no store has made: no base64, no JSON, other shapes, too big, too deep, no text at all."""

_ids = SequentialIds()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def save_people(store: Store) -> None:
    for user_id, name in NAMES.items():
        command = SaveUser(id=user_id, name=name, email=f"{user_id}@example.com")
        store.users.save(command, user_id=user_id, now=START)


def sender(user_id: str) -> Sender:
    return Sender(user_id, NAMES[user_id], None)


def group(*members: str, id: str = "g1", created_at: datetime = START) -> Conversation:
    name, description = f"Group {id}", "for tests"
    return Conversation(id, ConversationType.GROUP, name, description, members, members[0], created_at, created_at)


def private(*pair: str, id: str = "p1", created_at: datetime = START) -> Conversation:
    return Conversation(id, ConversationType.PRIVATE, None, None, pair, pair[0], created_at, created_at)


def draft(
    content: str = "hello",
    *,
    by: str = "ana",
    to: str = "g1",
    key: str | None = None,
    seconds: float = 0,
    file: Attachment | None = None,
    kind: MessageType | None = None,
    reply_to: Message | None = None,
    recipient_id: str | None = None,
) -> Message:
    return Message(
        id=_ids.new(),
        conversation_id=to,
        seq=0,
        sender=sender(by),
        recipient_id=recipient_id,
        content=content,
        message_type=kind or (MessageType.FILE if file else MessageType.TEXT),
        timestamp=at(seconds),
        attachment=file,
        reply_to=reply_to.id if reply_to else None,
        reply_preview=reply_to.content[:100] if reply_to else None,
        client_message_id=key,
    )


def say(store: Store, message: Message | str, **kwargs: object) -> Message:
    """Append; the content is the fingerprint."""
    message = message if isinstance(message, Message) else draft(message, **kwargs)  # type: ignore[arg-type]
    return store.messages.append(message, fingerprint=message.content).message


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Each call in a greenlet of its own, all at once; their results in the order of the calls."""
    greenlets = [gevent.spawn(call) for call in calls]
    gevent.joinall(greenlets, timeout=30, raise_error=True)
    return [greenlet.get(block=False) for greenlet in greenlets]


def failure(call: Callable[[], object]) -> Exception | None:
    """What the call raised, for calls of which some are meant to fail."""
    try:
        call()
    except Exception as exc:
        return exc
    return None

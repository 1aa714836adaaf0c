"""What a Query answers, and a history's messages made of it directly.

As other items are, a message would first be dictionaries in a dictionary, then one dictionary, then the message, and
that is twice as much work; a history has fifty (docs/decisions/0011). Messages that come among other things are
``items.to_message``'s, to which ``tests/adapters/test_dynamodb_answers.py`` holds this equal.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from chatapp.adapters.call_codec import decode_summary
from chatapp.adapters.making import make_message
from chatapp.adapters.times import from_ms
from chatapp.domain.models import Attachment, Message, MessageType, Sender

T = TypeVar("T")


class QueryAnswer(msgspec.Struct, Generic[T], rename="pascal"):
    items: list[T]
    last_evaluated_key: dict[str, Any] | None = None


# ---------------------------------------------------------------- values, each under the name of its kind
class Text(msgspec.Struct, frozen=True, gc=False):
    S: str


class Number(msgspec.Struct, frozen=True, gc=False):
    N: int


class Flag(msgspec.Struct, frozen=True, gc=False):
    BOOL: bool


class Kind(msgspec.Struct, frozen=True, gc=False):
    S: MessageType


class TextOrNone(msgspec.Struct, frozen=True, gc=False):
    S: str | None = None


class NumberOrNone(msgspec.Struct, frozen=True, gc=False):
    N: int | None = None


NO_TEXT, NO_NUMBER = TextOrNone(), NumberOrNone()


class StoredMessage(msgspec.Struct, frozen=True, gc=False):
    """Without its keys."""

    id: Text
    conversation_id: Text
    seq: Number
    sender_id: Text
    content: Text
    message_type: Kind
    timestamp: Number
    is_deleted: Flag
    rev: NumberOrNone = NO_NUMBER
    recipient_id: TextOrNone = NO_TEXT
    file_url: TextOrNone = NO_TEXT
    file_name: TextOrNone = NO_TEXT
    file_size: NumberOrNone = NO_NUMBER
    file_type: TextOrNone = NO_TEXT
    thumbnail_url: TextOrNone = NO_TEXT
    reply_to: TextOrNone = NO_TEXT
    reply_preview: TextOrNone = NO_TEXT
    edited_at: NumberOrNone = NO_NUMBER
    client_message_id: TextOrNone = NO_TEXT
    call: TextOrNone = NO_TEXT

    def shown(self, sender: Sender) -> Message:
        seq, rev, edited_at = self.seq.N, self.rev.N, self.edited_at.N
        return make_message(  # by position, which takes a quarter less than by name
            self.id.S,
            self.conversation_id.S,
            seq,
            sender,
            self.recipient_id.S,
            self.content.S,
            self.message_type.S,
            from_ms(self.timestamp.N),
            self._attachment(self.file_url.S) if self.file_url.S is not None else None,
            self.reply_to.S,
            self.reply_preview.S,
            edited_at is not None,
            from_ms(edited_at),
            self.is_deleted.BOOL,
            self.client_message_id.S,
            seq if rev is None else rev,
            decode_summary(self.call.S),
        )

    def _attachment(self, url: str) -> Attachment:
        return Attachment(url, self.file_name.S, self.file_size.N, self.file_type.S, self.thumbnail_url.S)


read_items = msgspec.json.Decoder(QueryAnswer[dict[str, Any]]).decode
read_messages = msgspec.json.Decoder(QueryAnswer[StoredMessage], strict=False).decode
"""Not strict, because DynamoDB writes numbers as texts."""

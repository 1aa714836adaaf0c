"""How a group gets another name or description."""

from __future__ import annotations

from datetime import datetime

from chatapp.adapters.dynamodb_store.actions import Item
from chatapp.adapters.dynamodb_store.client import Dynamo
from chatapp.adapters.dynamodb_store.heads import Whole, require_group
from chatapp.adapters.dynamodb_store.outbox import Alone, Outbox
from chatapp.adapters.dynamodb_store.recording import Recorder
from chatapp.adapters.times import to_ms
from chatapp.domain.models import Conversation


class Details:
    def __init__(self, db: Dynamo, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    def set(
        self, conversation_id: str, name: str, description: str | None, by: str, now: datetime
    ) -> tuple[Conversation, bool]:
        recorder: Recorder[tuple[Conversation, bool]] = Recorder(self._db, conversation_id)
        details: Item = {"name": name, "description": description}

        def attempt() -> tuple[Conversation, bool]:
            if done := recorder.earlier():
                return done
            whole = require_group(self._db, conversation_id)
            if all(whole.head.get(detail) == value for detail, value in details.items()):
                return whole.conversation, False
            return recorder.write(
                whole.head,
                details | {"updated_at": to_ms(now)},
                {"kind": "details", "by": by, "at": to_ms(now), **details},
                result=lambda head, _: (Whole(head, whole.chunks).conversation, True),
            )

        return self._outbox.send(conversation_id, Alone(attempt))

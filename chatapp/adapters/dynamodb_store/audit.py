"""The chain of audit records in DynamoDB. The head is the one point where those who append meet."""

from __future__ import annotations

from itertools import islice
from typing import Any

import gevent

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Item, Put
from chatapp.adapters.dynamodb_store.client import Dynamo, new_token
from chatapp.adapters.dynamodb_store.outbox import Alone, Outbox
from chatapp.domain.audit import AuditDraft, AuditHead, AuditRecord, link

TEXTS = ("at", "actor", "action", "target", "details", "previous", "hash")

LOOKS = 5
LOOK_SECONDS = 0.1
"""A transaction's writes appear one after the other, within milliseconds: the head before its record, or after it."""


class DynamoAudit:
    def __init__(self, db: Dynamo, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    def append(self, draft: AuditDraft) -> AuditRecord:
        """In this process one after the other, so that they do not refuse each other."""
        appending = _Appending(self._db, draft)
        return self._db.run(lambda: self._outbox.send(keys.AUDIT, Alone(appending.attempt)))

    def records(self, *, after: int | None, limit: int) -> list[AuditRecord]:
        low = keys.FIRST if after is None else keys.numbered(after + 1)

        def work() -> list[AuditRecord]:
            items = self._db.query(keys.USERS, keys.AUDIT, low, keys.LAST, page=limit)
            return [_to_record(item) for item in islice(items, limit)]

        return self._db.run(work)

    def head(self) -> AuditHead:
        return self._db.run(self._settled_head)

    def _settled_head(self) -> AuditHead:
        for _ in range(LOOKS):
            head = _head(self._db)
            last, next_one = keys.audit(head.seq), keys.audit(head.seq + 1)
            found = self._db.get_many([last, next_one])
            if next_one not in found and (last in found or head.seq == 0):
                break
            gevent.sleep(LOOK_SECONDS)
        return head


class _Appending:
    """Writes one record, however many attempts that takes, and knows it again when only its answer was lost."""

    def __init__(self, db: Dynamo, draft: AuditDraft) -> None:
        self._db = db
        self._draft = draft
        self._token = new_token()
        self._tried: AuditRecord | None = None

    def attempt(self) -> AuditRecord:
        if self._tried and self._is_ours(self._tried.seq):
            return self._tried
        head = _head(self._db)
        record = self._tried = link(self._draft, head)
        when, values = ("#seq = :seq AND #hash = :hash", _item(head)) if head.seq else (ABSENT, {})
        self._db.write(
            Put(keys.audit_head(), {"seq": record.seq, "hash": record.hash}, when, values),
            Put(keys.audit(record.seq), self._written(record), ABSENT),
        )
        return record

    def _is_ours(self, seq: int) -> bool:
        stored = self._db.get(keys.audit(seq))
        return stored is not None and stored.get("change") == self._token

    def _written(self, record: AuditRecord) -> Item:
        return {"seq": record.seq, "change": self._token, **{name: getattr(record, name) for name in TEXTS}}


def _head(db: Dynamo) -> AuditHead:
    item = db.get(keys.audit_head())
    return AuditHead(item["seq"], item["hash"]) if item else AuditHead()


def _item(head: AuditHead) -> Item:
    return {"seq": head.seq, "hash": head.hash}


def _to_record(item: Item) -> AuditRecord:
    seq = item.get("seq")
    return AuditRecord(seq=seq if type(seq) is int else 0, **{name: _text(item.get(name)) for name in TEXTS})


def _text(value: Any) -> str:
    return value if type(value) is str else ""

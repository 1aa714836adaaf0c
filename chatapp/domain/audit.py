"""Who deleted, removed or revoked what: records of which each carries the hash of the one before.

All of a record is text, as it was hashed: whatever somebody has made of it since can still be read, shown and found.
What a chain proves, and what it does not, is in docs/decisions/0015.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chatapp.domain.models import Actor, Standing

GENESIS = "0" * 64
"""What the first record names as the hash before it."""

Detail = str | int | bool | None


class AuditAction(StrEnum):
    MESSAGE_DELETE = "message.delete"
    MESSAGES_PURGE = "messages.purge"
    CONVERSATION_DELETE = "conversation.delete"
    PARTICIPANT_REMOVE = "participant.remove"
    USER_DELETE = "user.delete"
    TOKENS_REVOKE = "tokens.revoke"
    API_KEY_CREATE = "apikey.create"
    API_KEY_REVOKE = "apikey.revoke"
    DATA_EXPORT = "data.export"
    WEBHOOK_CREATE = "webhook.create"
    WEBHOOK_CHANGE = "webhook.change"
    WEBHOOK_DELETE = "webhook.delete"
    WEBHOOK_ROTATE = "webhook.rotate"
    WEBHOOK_REPLAY = "webhook.replay"


@dataclass(frozen=True, slots=True)
class AuditDraft:
    """``at`` is UTC in ISO 8601 to the millisecond, ``details`` a JSON object, both as text."""

    at: str
    actor: str
    action: str
    target: str
    details: str


@dataclass(frozen=True, slots=True)
class AuditRecord(AuditDraft):
    seq: int
    """1, 2, 3 … without gaps."""
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where the chain ends."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first thing that is wrong with a chain, at the record ``seq``."""

    seq: int
    reason: str

    def __str__(self) -> str:
        return f"record {self.seq}: {self.reason}"


# ---------------------------------------------------------------- writing
def make_draft(
    action: AuditAction, target: str, actor: Actor, details: Mapping[str, Detail], *, at: datetime
) -> AuditDraft:
    if actor.standing is Standing.KEY and actor.user_id is not None:
        details = {**details, "onBehalfOf": actor.user_id}
    return AuditDraft(
        at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        actor=name_of(actor),
        action=action.value,
        target=target,
        details=json.dumps(details, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    )


def name_of(actor: Actor) -> str:
    """``claimed`` is somebody whom nothing has proved, ``anybody`` who has not even said a name (AUTH_MODE=open)."""
    if actor.standing is Standing.KEY:
        return f"key:{actor.key_id}"
    if actor.standing is Standing.OPERATOR:
        return "operator"
    if actor.user_id is None:
        return "anybody"
    return f"{'claimed' if actor.standing is Standing.TRUSTED else 'user'}:{actor.user_id}"


def link(draft: AuditDraft, head: AuditHead) -> AuditRecord:
    """The record that follows ``head``."""
    seq, previous = head.seq + 1, head.hash
    return AuditRecord(
        at=draft.at,
        actor=draft.actor,
        action=draft.action,
        target=draft.target,
        details=draft.details,
        seq=seq,
        previous=previous,
        hash=hash_of(draft, seq, previous),
    )


def hash_of(draft: AuditDraft, seq: int, previous: str) -> str:
    """Over a JSON list, in which no two different records read alike. The number in front is this encoding's own."""
    parts = [1, seq, draft.at, draft.actor, draft.action, draft.target, draft.details, previous]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


# ---------------------------------------------------------------- checking
class Chain:
    """Follows records from the first on. ``head`` is the last that was good; ``remembers`` whether one of them had the
    hash that somebody ``noted``."""

    def __init__(self, noted: str | None = None) -> None:
        self.head = AuditHead()
        self.remembers = noted is None
        self._noted = noted

    def follow(self, records: Iterable[AuditRecord]) -> Flaw | None:
        for record in records:
            reason = self._fault_of(record)
            if reason is not None:
                return Flaw(self.head.seq + 1, reason)
            self.head = AuditHead(record.seq, record.hash)
            self.remembers = self.remembers or record.hash == self._noted
        return None

    def _fault_of(self, record: AuditRecord) -> str | None:
        if record.seq > self.head.seq + 1:
            return f"missing, the next one there is {record.seq}"
        if record.seq < self.head.seq + 1:
            return f"the record in its place says that it is {record.seq}"
        if record.previous != self.head.hash:
            return "does not follow the record before it"
        if record.hash != hash_of(record, record.seq, record.previous):
            return "is not what was written"
        return None

"""Webhook endpoints, what is told to them, and how far each has come.

An endpoint is told the events of one lane one after the other, in the order of the log; lanes go on side by side.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chatapp.domain.happenings import EventType

ROTATION_OVERLAP = timedelta(hours=24)
"""Both signatures are sent for so long after a rotation."""

REPLAY = "replay:"
"""How the lanes begin in which events are told again; they are there whole before an endpoint begins with them."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """``body`` is sent and read as it was written, whatever becomes of what it tells. ``position`` is the store's own,
    and says where in its lane the event comes."""

    id: str
    type: EventType
    lane: str
    at: datetime
    body: str
    position: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """``cursor`` goes on after the last of them, or from where ``after`` was when there are none."""

    events: tuple[LoggedEvent, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """``secret`` (whsec_…) makes the ``v1`` signature, ``private_key`` (whsk_…) the ``v1a`` one, which ``public_key``
    (whpk_…) verifies. Until ``expires_at``, when they have been replaced."""

    secret: str = field(repr=False)
    private_key: str = field(repr=False)
    public_key: str
    expires_at: datetime | None = None


class DisabledReason(StrEnum):
    BY_HAND = "by_hand"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It took nothing any more, for as long as one event is tried."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``event_types`` is empty for all. ``since`` is where the log ended when it was made: what came before is not for
    it. ``keys``: the newest first."""

    id: str
    url: str
    description: str
    event_types: tuple[EventType, ...]
    keys: tuple[SigningKeys, ...]
    created_at: datetime
    updated_at: datetime
    disabled: DisabledReason | None = None
    since: str = ""
    last_success_at: datetime | None = None
    """To a minute or so."""

    @property
    def is_enabled(self) -> bool:
        return self.disabled is None

    def wants(self, kind: EventType) -> bool:
        return kind is EventType.TEST or not self.event_types or kind in self.event_types

    def keys_at(self, now: datetime) -> Collection[SigningKeys]:
        return [keys for keys in self.keys if keys.expires_at is None or keys.expires_at > now]


@dataclass(frozen=True, slots=True)
class Lane:
    """How far an endpoint has come in one lane. ``position`` is that of the last event that is done with, ``attempts``
    how often the next one has failed, ``failing_since`` since when. ``due_at`` is None when nothing is left."""

    endpoint_id: str
    name: str
    position: str
    attempts: int = 0
    due_at: datetime | None = None
    failing_since: datetime | None = None


class Claim(StrEnum):
    """Why a lane was not given."""

    BUSY = "busy"
    """Somebody else has it."""
    PARKED = "parked"
    """It waits for its next try."""


class Outcome(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    """It is tried again."""
    EXHAUSTED = "exhausted"
    """It is not tried again by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one POST. ``status`` is None when there was no answer, and ``error`` says why."""

    status: int | None
    error: str | None
    duration_ms: int
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try. ``attempt`` counts from 1."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: EventType
    lane: str
    attempt: int
    at: datetime
    outcome: Outcome
    status: int | None
    error: str | None
    duration_ms: int
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Lanes in which something waits, and since when the one that waits for longest has been failing or waiting."""

    lanes: int
    oldest_at: datetime | None

"""What happened, as the clients saw it. All times are seconds of one clock, the torturer's own.

An operation has ``began``, before its first byte was sent, and an end, after its answer was read: between the two the
server may have done it at any moment. Where no answer ever came, it may have done it or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


# ---------------------------------------------------------------- what was asked of the server
@dataclass(frozen=True, slots=True)
class Answer:
    """One acknowledgement of a send; repeats have one each."""

    at: float
    message_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Send:
    """One message with its idempotency key, however often it was tried."""

    sender: str
    conversation: str
    key: str
    content: str
    began: float
    answers: tuple[Answer, ...] = ()
    refused: str | None = None
    """The code, when every try was refused for good: nothing may have been stored."""

    @property
    def acknowledged(self) -> float | None:
        return self.answers[0].at if self.answers else None


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody has read everything. ``seq`` and ``acknowledged`` are None when no answer came."""

    user: str
    conversation: str
    began: float
    acknowledged: float | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """From the asking for it to the answer that it has ended; ``ended`` is None while it lasts or may last."""

    user: str
    conversation: str
    began: float
    ended: float | None = None
    read_from: int = 0
    read_to: int = 0
    """The read mark that it starts with lies between these two: the group's ``lastSeq`` when it was added."""
    certain: bool = True
    """False when somebody asked for its end, or its beginning, and never got an answer."""


# ---------------------------------------------------------------- what one client saw, in the order of arrival
@dataclass(frozen=True, slots=True)
class Entered:
    """``join_room`` was acknowledged."""

    at: float
    conversation: str
    asked: float
    last_seq: int
    last_read_seq: int
    unread_count: int


@dataclass(frozen=True, slots=True)
class Asked:
    """``join_room`` is on its way: from now on the room may be heard."""

    at: float
    conversation: str


@dataclass(frozen=True, slots=True)
class Left:
    """``leave_room`` was acknowledged, or the membership is over."""

    at: float
    conversation: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is over, and with it every room."""

    at: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, live."""

    at: float
    conversation: str
    message_id: str
    seq: int
    sender: str
    content: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """``unread_message_private`` or ``unread_message_group``."""

    at: float
    conversation: str
    message_id: str
    unread_count: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The whole answer to ``GET /api/messages/:id?after=…``, all pages of it."""

    at: float
    conversation: str
    asked: float
    after: int
    seqs: tuple[int, ...]


Seen: TypeAlias = Entered | Asked | Left | Cut | Heard | Noticed | CaughtUp


@dataclass(frozen=True, slots=True)
class History:
    sends: tuple[Send, ...]
    marks: tuple[Mark, ...]
    memberships: tuple[Membership, ...]
    seen: Mapping[str, tuple[Seen, ...]]
    """By client. A client's rooms that it has neither left nor lost were open when the truth was fetched."""


# ---------------------------------------------------------------- what REST says when all is over
@dataclass(frozen=True, slots=True)
class Stored:
    message_id: str
    seq: int
    sender: str
    content: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A conversation in somebody's inbox."""

    last_seq: int
    last_read_seq: int
    unread_count: int


@dataclass(frozen=True, slots=True)
class Truth:
    messages: Mapping[str, tuple[Stored, ...]]
    """By conversation, in the order told."""
    inboxes: Mapping[str, Mapping[str, Unread]]
    """By user, then by conversation."""

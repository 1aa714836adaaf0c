"""A call of a conversation, and what may become of it. Every change is a function from one call to the next.

Who takes part is a device, not only a user: the user's phone is in the call and their browser is not. Each participant
has a number by the order of joining; of two, the one with the higher number is the polite one. WebRTC's "perfect
negotiation" (W3C WebRTC 1.0, 10.7) needs exactly one of each pair to give way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chatapp.domain.errors import AnsweredElsewhere, CallFull, CallOver, NotInCall


class CallKind(StrEnum):
    """What a call begins with; each participant may show less or more of themselves at any time."""

    AUDIO = "audio"
    VIDEO = "video"


class CallState(StrEnum):
    RINGING = "ringing"
    ONGOING = "ongoing"
    ENDED = "ended"


class CallEnd(StrEnum):
    """Why a call is over."""

    HANGUP = "hangup"
    MISSED = "missed"
    """Nobody answered in time, or whoever called gave up before."""
    DECLINED = "declined"
    BUSY = "busy"
    FAILED = "failed"
    """Those in it were gone without a word, and did not come back."""


class Leaving(StrEnum):
    """Why a participant is not in the call any more."""

    HANGUP = "hangup"
    LOST = "lost"
    REMOVED = "removed"
    """Not a member of the conversation any more, or not signed in."""
    REPLACED = "replaced"
    """The same user goes on with another device."""


class Answer(StrEnum):
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Media:
    """What a participant sends."""

    audio: bool
    video: bool
    screen: bool = False


@dataclass(frozen=True, slots=True)
class CallSummary:
    """What a conversation's history says of a call that is over."""

    call_id: str
    state: CallEnd
    duration_ms: int
    media: CallKind
    took_part: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """``id`` is what signals are addressed to. ``worker`` holds the connection, or held it last; ``connections`` counts
    how often the participant has connected, so that who held an earlier one knows. ``lost_at`` is None while connected.
    """

    id: str
    user_id: str
    device_id: str
    number: int
    media: Media
    worker: str
    connections: int = 1
    lost_at: datetime | None = None

    def is_polite_to(self, other: Participant) -> bool:
        return self.number > other.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``version`` counts the changes. ``uses_server``: media goes through a media server, not from peer to peer.
    ``declined``: who does not want to be called. ``took_part``: every user who has ever been in it."""

    id: str
    conversation_id: str
    started_by: str
    kind: CallKind
    started_at: datetime
    rings_until: datetime
    participants: tuple[Participant, ...]
    max_participants: int
    uses_server: bool = False
    version: int = 1
    joined: int = 0
    """How many have ever joined: the last number given."""
    declined: tuple[str, ...] = ()
    took_part: tuple[str, ...] = ()
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    end: CallEnd | None = None
    is_closed: bool = False
    """Its message is written."""

    @property
    def state(self) -> CallState:
        if self.ended_at is not None:
            return CallState.ENDED
        return CallState.ONGOING if self.answered_at is not None else CallState.RINGING

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None

    @property
    def duration_ms(self) -> int:
        """From the first answer to the end; 0 where there was none."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return round((self.ended_at - self.answered_at) / timedelta(milliseconds=1))

    def find(self, participant_id: str) -> Participant | None:
        return next((each for each in self.participants if each.id == participant_id), None)

    def of_user(self, user_id: str) -> Participant | None:
        return next((each for each in self.participants if each.user_id == user_id), None)

    def require(self, participant_id: str) -> Participant:
        """Raises NotInCall."""
        found = self.find(participant_id)
        if found is None:
            raise NotInCall(callId=self.id)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Whose connection asks: ``participant_id`` is the name it gets if it is new to the call."""

    user_id: str
    device_id: str
    participant_id: str
    worker: str


# ---------------------------------------------------------------- changes
def admitted(call: Call, device: Device, *, now: datetime) -> Call:
    """With this device in it: a new participant, or one that is back.

    Raises CallOver; AnsweredElsewhere when the user is in it with another device, which is there; CallFull.
    """
    if call.is_over:
        raise CallOver(callId=call.id, reason=call.end)
    known = call.of_user(device.user_id)
    if known is not None and known.device_id == device.device_id:
        back = replace(known, worker=device.worker, connections=known.connections + 1, lost_at=None)
        return _with(call, back)
    if known is not None:
        if known.lost_at is None:
            raise AnsweredElsewhere(callId=call.id)
        call = _without(call, known)
    if len(call.participants) >= call.max_participants:
        raise CallFull(callId=call.id, maxParticipants=call.max_participants)
    number = call.joined + 1
    media = Media(audio=True, video=call.kind is CallKind.VIDEO)
    newcomer = Participant(
        id=device.participant_id,
        user_id=device.user_id,
        device_id=device.device_id,
        number=number,
        media=media,
        worker=device.worker,
    )
    is_answer = call.answered_at is None and bool(call.participants)
    return replace(
        call,
        participants=(*call.participants, newcomer),
        joined=number,
        took_part=tuple(dict.fromkeys((*call.took_part, device.user_id))),
        declined=tuple(user_id for user_id in call.declined if user_id != device.user_id),
        answered_at=now if is_answer else call.answered_at,
    )


def declined(call: Call, user_id: str, *, everybody: frozenset[str], now: datetime) -> Call:
    """``everybody`` is who could answer: once none of them is left, the call is over. Raises CallOver."""
    if call.is_over:
        raise CallOver(callId=call.id, reason=call.end)
    call = replace(call, declined=tuple(dict.fromkeys((*call.declined, user_id))))
    waits_for = everybody.difference(call.declined, call.took_part)
    return ended(call, CallEnd.DECLINED, now=now) if call.answered_at is None and not waits_for else call


def left(call: Call, participant_id: str, why: Leaving, *, now: datetime) -> Call:
    """Without this participant. A call of one is none. Raises NotInCall."""
    call = _without(call, call.require(participant_id))
    if len(call.participants) > 1 or call.is_over:
        return call
    if why is Leaving.LOST:
        return ended(call, CallEnd.FAILED, now=now)
    if call.answered_at is not None:
        return ended(call, CallEnd.HANGUP, now=now)
    return ended(call, CallEnd.MISSED, now=now) if not call.participants else call


def lost(call: Call, participant_id: str, connections: int, *, now: datetime) -> Call:
    """The connection with this number is gone. Raises NotInCall, also when there was a newer one."""
    participant = call.require(participant_id)
    if participant.connections != connections or participant.lost_at is not None:
        raise NotInCall(callId=call.id)
    return _with(call, replace(participant, lost_at=now))


def showing(call: Call, participant_id: str, media: Media) -> Call:
    """Raises NotInCall."""
    return _with(call, replace(call.require(participant_id), media=media))


def ended(call: Call, end: CallEnd, *, now: datetime) -> Call:
    return replace(call, ended_at=now, end=end, participants=())


def _with(call: Call, participant: Participant) -> Call:
    """In the place of what is known of the same."""
    others = (participant if each.id == participant.id else each for each in call.participants)
    return replace(call, participants=tuple(others))


def _without(call: Call, participant: Participant) -> Call:
    return replace(call, participants=tuple(each for each in call.participants if each.id != participant.id))

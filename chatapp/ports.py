"""What the services need from the outside. Each docstring is the contract that every adapter's tests hold it to.

Common to all stores: what a method returns has happened and is durable; what it raises has not happened at all.
Times are aware and UTC, to the millisecond. A failing engine is ``StoreUnavailable`` (``FilesUnavailable``), never a
driver's own error. Methods may be called from many greenlets at once and never block the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from chatapp.domain.api_keys import ApiKey
from chatapp.domain.audit import AuditDraft, AuditHead, AuditRecord
from chatapp.domain.calls import Call, Participant
from chatapp.domain.changes import Changes
from chatapp.domain.commands import SaveUser
from chatapp.domain.events import Event
from chatapp.domain.happenings import Happening
from chatapp.domain.identity import Identity
from chatapp.domain.models import (
    Attachment,
    Conversation,
    InboxEntry,
    Message,
    Page,
    Status,
    StoredFile,
    User,
)
from chatapp.domain.revocations import Revocation
from chatapp.domain.webhooks import (
    Answer,
    Backlog,
    Claim,
    Delivery,
    Endpoint,
    EventPage,
    Lane,
    LoggedEvent,
    SigningKeys,
)


# ---------------------------------------------------------------- users
class UserStore(Protocol):
    """User profiles. ``status`` of what it returns is always offline: presence is another port's."""

    def save(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, bool]:
        """Create or update; True when created. None in the command keeps what there is. Revives a deleted id."""

    def get(self, user_id: str) -> User | None: ...

    def get_many(self, user_ids: Collection[str]) -> dict[str, User]:
        """The users that exist, by id; deleted ones are absent."""

    def list_by_name(
        self,
        *,
        limit: int,
        after: tuple[str, str] | None = None,
        q: str | None = None,
        filial: str | None = None,
        visible_to: Collection[str] | None = None,
    ) -> list[User]:
        """By ``(sort_key(name), id)``, strictly after ``after``; ``q`` is looked for in name and e-mail.
        ``visible_to``: only who has one of these filials, or none at all."""

    def set_avatar(self, user_id: str, avatar: str | None, *, now: datetime) -> str | None:
        """The avatar it had before. Raises UserNotFound."""

    def touch(self, user_id: str, *, last_seen: datetime) -> None:
        """Remember when the user was last seen; an unknown id is ignored."""

    def delete(self, user_id: str) -> None:
        """Take the user out of the directory; their messages keep their name. Raises UserNotFound."""


# ---------------------------------------------------------------- conversations
@dataclass(frozen=True, slots=True)
class ReadMark:
    """``moved`` is False when everything had been read already (nothing was written); ``rev`` is 0 then."""

    moved: bool
    seq: int
    at: datetime
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with a conversation or a batch of messages: how many, and the files nobody refers to any more."""

    conversation: Conversation | None
    messages: int
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Departure:
    """A participant is gone. ``conversation`` is what remains; ``gone`` is set when they were the last one."""

    conversation: Conversation
    new_owner_id: str | None
    gone: Deleted | None


class ConversationStore(Protocol):
    """Conversations, who is in them, and what each has read.

    ``last_read_seq`` of a new participant is the conversation's ``last_seq``: what was said before is not unread.
    Every durable change takes the conversation's next ``rev`` in the same atomic write: a message, its correction, its
    deletion, a read mark that moved, members who came or went, a new name, a purge. A new conversation has ``rev`` 0.
    """

    def create_group(self, conversation: Conversation) -> Conversation:
        """Store it with its participants in the given order."""

    def open_private(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """The one private conversation of this pair, whatever the order; True when this call made it."""

    def get(self, conversation_id: str) -> Conversation | None: ...

    def entry(self, conversation_id: str, user_id: str) -> InboxEntry:
        """Head of the conversation and this participant's marks.

        Raises ConversationNotFound, NotAParticipant.
        """

    def members(self, conversation: Conversation) -> list[InboxEntry]:
        """As ``entry`` for each of its participants, in their order, without those who are none any more."""

    def inbox(self, user_id: str) -> list[InboxEntry]:
        """All of a user's conversations with their participants, latest activity first."""

    def marks(self, user_id: str) -> list[InboxEntry]:
        """As ``inbox``, heads only (no participants), in no particular order."""

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Conversation]:
        """Every conversation, by id. Raises InvalidData for a cursor it did not make."""

    def add_participants(
        self, conversation_id: str, user_ids: Sequence[str], *, by: str, now: datetime
    ) -> tuple[Conversation, tuple[str, ...]]:
        """The group afterwards, and who is really new. Raises ConversationNotFound, NotAGroup."""

    def remove_participant(self, conversation_id: str, user_id: str, *, by: str, now: datetime) -> Departure:
        """Take one out, in one write: the creator's place goes to the longest-standing member, and the last one
        out takes the group and its messages along. Raises ConversationNotFound, NotAGroup, NotAParticipant."""

    def set_details(
        self, conversation_id: str, *, name: str, description: str | None, by: str, now: datetime
    ) -> tuple[Conversation, bool]:
        """The group afterwards; False when it was called and described so already (nothing was written).

        Raises ConversationNotFound, NotAGroup.
        """

    def mark_read(self, conversation_id: str, user_id: str, *, now: datetime) -> ReadMark:
        """Everything up to ``last_seq`` is read. Raises ConversationNotFound, NotAParticipant."""

    def delete(self, conversation_id: str) -> Deleted:
        """The conversation, its participants, messages and idempotency keys. Raises ConversationNotFound."""

    def changes(self, conversation_id: str, *, since: int, limit: int, user_id: str | None = None) -> Changes:
        """Up to ``limit`` durable changes with ``rev > since``, of any age, all from one moment. A message is shown as
        it is now, which may be a moment later.

        Raises ConversationNotFound; NotAParticipant when ``user_id`` is given and is none at that moment.
        """


# ---------------------------------------------------------------- messages
@dataclass(frozen=True, slots=True)
class Appended:
    """``conversation`` is the head after the message; ``duplicate`` means the message was there already."""

    message: Message
    conversation: Conversation
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Retracted:
    """``message`` is the tombstone. ``gone`` has 0 messages, and ``rev`` is 0, when it was one already."""

    message: Message
    gone: Deleted
    rev: int


class MessageStore(Protocol):
    """Messages in the order of their ``seq``: 1, 2, 3 … per conversation, without gaps, never given twice.

    ``sender`` of what it returns is the sender's current profile; deleted users keep their last name.
    """

    def append(self, draft: Message, *, fingerprint: str, along: Sequence[Happening] = ()) -> Appended:
        """One atomic write: the sender is a participant, the next ``seq``, the message, its idempotency key
        (sender, conversation, ``client_message_id``), the conversation's newest message, the sender's read mark.
        ``along`` are written into the event log before the message, of whose lane they are.

        ``draft.seq``, ``rev`` and ``recipient_id`` are filled in here. A key seen before returns the first message
        (a tombstone if it was purged) when the fingerprint is the same, and raises IdempotencyKeyReused when not.
        Calls return in the order of their ``seq``. Raises ConversationNotFound, NotAParticipant, InvalidData
        (``recipient_id`` names somebody who is not the other side of a private conversation).
        """

    def find_repeated(self, draft: Message, *, fingerprint: str) -> Message | None:
        """What ``append`` would return for a key seen before; None for a new one, or for no key.

        Raises IdempotencyKeyReused.
        """

    def get(self, message_id: str) -> Message | None: ...

    def edit(self, message_id: str, *, content: str, preview: str, now: datetime) -> tuple[Message, int]:
        """The message afterwards, and the change's ``rev``. Raises MessageNotFound, MessageDeletedAlready."""

    def delete(self, message_id: str) -> Retracted:
        """Leave a tombstone, also in the previews that quote it. Raises MessageNotFound."""

    def history(
        self, conversation_id: str, *, limit: int, before: int | None = None, after: int | None = None
    ) -> list[Message]:
        """Oldest first. The newest ``limit``, or those next to ``before`` / ``after`` (``seq``, exclusive)."""

    def replies(self, message_id: str) -> list[Message]:
        """Oldest first."""

    def list_all(self, *, limit: int, cursor: str | None = None) -> Page[Message]:
        """Every message, conversation by conversation. Raises InvalidData for a cursor it did not make."""

    def purge(self, *, limit: int) -> Deleted:
        """Remove up to ``limit`` messages for good; numbering goes on and nothing purged counts as unread.
        ``Deleted.messages`` is 0 when there are none left."""

    def refers_to_file(self, url: str) -> bool:
        """Whether a message that is not deleted carries this file."""

    def shows_file(self, urls: Collection[str], *, user_id: str) -> bool:
        """Whether a message that is not deleted carries one of these files, in a conversation where this user is a
        participant at this moment. What it costs depends on how many messages carry the file, and on nothing else."""


# ---------------------------------------------------------------- calls
class CallStore(Protocol):
    """Calls that are going on, and those that are over until they are removed. A conversation has at most one that is
    not over, and a user takes part in at most one, whoever asks at the same time."""

    def begin(self, call: Call) -> tuple[Call, bool]:
        """The conversation's call: this one, and True, when there was none. One with the same id is returned also when
        it is over. Raises InAnotherCall when one of its participants takes part in a call of another conversation."""

    def get(self, call_id: str) -> Call | None: ...

    def replace(self, call: Call) -> bool:
        """Store it in the place of the version before; False, and nothing is stored, when that is not there any more.
        Raises InAnotherCall when one of its participants takes part in another."""

    def remove(self, call_id: str) -> None:
        """A call that is over; an unknown one is ignored."""

    def list_all(self) -> list[Call]:
        """In no particular order."""

    def busy(self, user_ids: Collection[str]) -> dict[str, str]:
        """Those of these users who take part in a call: user → call."""

    def renew(self, worker: str, *, until: datetime) -> None:
        """The worker lives, and will at least until then."""

    def leases(self) -> dict[str, datetime]:
        """Every worker that has renewed its lease and not released it, also where it has run out."""

    def release(self, worker: str) -> None:
        """An unknown one is ignored."""


# ---------------------------------------------------------------- who gets in, and who did what
class ApiKeyStore(Protocol):
    def add(self, key: ApiKey) -> None:
        """Raises Conflict when there is a key with this id."""

    def get(self, key_id: str) -> ApiKey | None:
        """Also when it is revoked."""

    def list_all(self) -> list[ApiKey]:
        """Revoked ones too, in the order they were made."""

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey | None:
        """The key afterwards; the first revocation's time stays. None for an unknown id."""

    def touch(self, key: ApiKey, *, used_at: datetime) -> None:
        """Sets ``last_used_at``, unless it is not ``key.last_used_at`` any more: of many who do so at once one
        writes. An unknown id is ignored."""


class RevocationStore(Protocol):
    """One revocation for each user, and one for everybody."""

    def revoke(self, revocation: Revocation) -> None:
        """Of what it says now and what it said before, the later ``before`` stays."""

    def version(self) -> str:
        """Another text whenever a revocation has changed. What is asked each second: costs one small read."""

    def list_all(self) -> list[Revocation]:
        """In no particular order."""

    def forget(self, *, until: datetime) -> None:
        """Drop those whose ``before`` is not later."""


class AuditLog(Protocol):
    """Records that are only ever added, each to the end of one chain, whoever adds at the same time."""

    def append(self, draft: AuditDraft) -> AuditRecord:
        """One atomic write: the record that follows the head, and the new head."""

    def records(self, *, after: int | None, limit: int) -> list[AuditRecord]:
        """In their order, those after ``after``; None: all that is there, whatever its number.

        Also what somebody has made of a record is shown: a part that is gone reads as empty.
        """

    def head(self) -> AuditHead:
        """As it is kept apart from the records. Those up to it are there when this returns, unless somebody has
        taken them away."""


# ---------------------------------------------------------------- what the company's backend is told
class Journal(Protocol):
    """What the stores write into the event log, in the transaction of what has happened: nothing while it is off."""

    def is_on(self) -> bool:
        """Whether somebody wants to know. Costs next to nothing, and may be called in any thread."""

    def entries(self, *happenings: Happening) -> list[LoggedEvent]:
        """As they are to be written, each with an id of its own; none while it is off."""

    def now(self) -> datetime:
        """The time that entries get."""


class EventLog(Protocol):
    """What has happened, with the very bytes that are told of it.

    The stores' own writes append to it when their journal is on: users made; conversations made, their participants;
    messages sent, edited, deleted, read. Of one lane events are told in the order in which they were stored.
    """

    def append(self, happening: Happening) -> str | None:
        """By itself, for what no other write of a store is about. The lane that it is in, which may be one of its own:
        only what the stores write themselves has an order beside it. None, and nothing is written, while the journal
        is off."""

    def end(self) -> str:
        """A cursor after which is all that is appended from now on."""

    def page(self, *, after: str | None, limit: int) -> EventPage:
        """Who goes on with the cursor of each page sees every event once, in whatever order transactions end; the
        newest may be kept back for some seconds for that. None: from the oldest there is. Raises InvalidData for a
        cursor it did not make."""

    def find(self, event_ids: Collection[str]) -> list[LoggedEvent]:
        """Those that are there, in the order of the log as near as it is known."""

    def between(self, first: datetime, last: datetime, *, limit: int) -> list[LoggedEvent]:
        """With ``first <= at <= last``, as ``find``."""

    def in_lane(self, lane: str, *, after: str, limit: int) -> list[LoggedEvent]:
        """In their order, those after this position."""

    def copy_to_lane(self, lane: str, events: Sequence[LoggedEvent]) -> str:
        """Put these again, as they are, into a new lane, in this order; the last one's position. The log does not tell
        of them again."""

    def forget(self, *, until: datetime, limit: int) -> int:
        """Drop up to ``limit`` events that are older, and tell how many."""


class WebhookStore(Protocol):
    """Endpoints, how far each has come in each lane, and every try."""

    def version(self) -> str:
        """Another text whenever an endpoint has changed. What is asked each second: costs one small read."""

    def list_all(self) -> list[Endpoint]:
        """In the order they were made."""

    def get(self, endpoint_id: str) -> Endpoint | None: ...

    def add(self, endpoint: Endpoint) -> Endpoint:
        """With ``since`` filled in: the end of the log."""

    def change(self, endpoint_id: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint | None:
        """Atomic; the endpoint afterwards, None for an unknown id. ``change`` may be called several times."""

    def note_success(self, endpoint_id: str, *, at: datetime) -> None:
        """Sets ``last_success_at``; the version stays. An unknown id is ignored."""

    def remove(self, endpoint_id: str) -> bool:
        """With its lanes and tries; False for an unknown id."""

    def swept(self, endpoint_id: str) -> str | None:
        """The cursor up to which the log was looked through for lanes of this endpoint; None: not yet."""

    def set_swept(self, endpoint_id: str, cursor: str) -> None: ...

    def lane(self, endpoint: Endpoint, lane: str) -> Lane:
        """As it is, whoever has it; one that nobody has had yet as it would begin."""

    def claim(self, endpoint: Endpoint, lane: str, *, owner: str, now: datetime, until: datetime) -> Lane | Claim:
        """This lane is the owner's alone until then. One that nobody has had yet begins after ``endpoint.since``.
        ``due_at`` is ``now`` afterwards, unless it was earlier: should its owner die, it is found by ``due``."""

    def extend(self, lane: Lane, *, owner: str, until: datetime) -> bool:
        """False when it is not the owner's any more."""

    def settle(self, lane: Lane, *, owner: str, until: datetime | None, delivery: Delivery | None) -> bool:
        """Remember the lane as it is now, with its last try; ``until`` None gives it back. False, and nothing is
        written, when it is not the owner's any more."""

    def rest(self, lane: Lane, *, owner: str) -> bool:
        """Give it back with nothing left to do. False when there is something after ``lane.position`` (then it stays
        the owner's), or when it is not the owner's any more."""

    def make_due(self, endpoint: Endpoint, lane: str, *, position: str, now: datetime) -> None:
        """There is an event at this position: unless the lane is past it, or due already, it is due now."""

    def due(self, endpoint_id: str, *, by: datetime, limit: int) -> list[tuple[str, datetime]]:
        """Lanes that can be claimed by then, and from when on; those due for longest first."""

    def backlog(self, endpoint_id: str) -> Backlog: ...

    def deliveries(self, endpoint_id: str, *, limit: int, cursor: str | None = None) -> Page[Delivery]:
        """Newest first. Raises InvalidData for a cursor it did not make."""

    def add_delivery(self, delivery: Delivery) -> None:
        """A try that belongs to no lane."""

    def forget_deliveries(self, *, until: datetime) -> None:
        """Drop tries that are older."""


class Store(Protocol):
    """One engine behind all of these."""

    users: UserStore
    conversations: ConversationStore
    messages: MessageStore
    calls: CallStore
    api_keys: ApiKeyStore
    revocations: RevocationStore
    audit: AuditLog
    events: EventLog
    webhooks: WebhookStore

    def arrive(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, list[InboxEntry]]:
        """``users.save``, and then ``conversations.marks`` of that user: who joins asks for both at once."""

    def check(self) -> None:
        """Raises StoreUnavailable when the engine does not answer."""

    def close(self) -> None:
        """Finish what was accepted, then let go of the engine. May be called twice."""


# ---------------------------------------------------------------- presence
class Presence(Protocol):
    """Which users have sockets, what status they show, and which conversations their sockets have open."""

    def add(self, user_id: str, socket_id: str) -> bool:
        """True when it is the user's first socket. Adding twice is harmless."""

    def remove(self, user_id: str, socket_id: str) -> bool:
        """True when it was the last socket of the user; unknown: False. The socket leaves every conversation,
        for whomever it had entered it."""

    def has_sockets(self, user_id: str) -> bool: ...

    def set_status(self, user_id: str, status: Status) -> None:
        """Holds until ``forget``; a user without one shows online."""

    def forget(self, user_id: str) -> None:
        """The user is offline: drop the status."""

    def statuses(self, user_ids: Collection[str]) -> Mapping[str, Status]:
        """One entry for each id; offline where the user was forgotten or never seen."""

    def online(self) -> Collection[str]:
        """Ids of all users that do not show offline."""

    def enter(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        """True when it is the user's first socket there."""

    def leave(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        """True when it was the user's last socket there; False too when it was not there."""

    def viewers(self, conversation_id: str) -> Collection[str]:
        """Ids of the users with at least one socket in the conversation."""

    def evict(self, conversation_id: str, user_id: str) -> None:
        """None of the user's sockets is in the conversation any more."""


# ---------------------------------------------------------------- files
@dataclass(frozen=True, slots=True)
class Inspection:
    """What bytes turned out to be. ``media_type`` is lower case without parameters."""

    media_type: str
    is_image: bool = False
    is_audio: bool = False


class FileInspector(Protocol):
    """Looks into bytes that strangers sent; whatever they are, it neither fails nor hangs over them."""

    def inspect(self, path: Path) -> Inspection:
        """Decide by content alone; what nothing recognises is ``application/octet-stream``."""

    def clean(self, path: Path, media_type: str) -> bool:
        """Take out of a picture, where it lies, what is not the picture: where and with what it was taken, comments,
        whatever follows its end. Which way up it is stays, and no pixel changes. Files that are no JPEG, PNG, WebP or
        GIF stay as they are. False, and it does too, when the bytes are not of that type after all."""

    def thumbnail(self, path: Path, target: Path) -> bool:
        """Write a small picture of an image to ``target``, as WebP and without metadata; False, and nothing is
        written, when the image cannot be read."""


class VirusScanner(Protocol):
    def scan(self, path: Path) -> str | None:
        """The name of the malware in the file; None when it was looked at whole and there is none.

        Raises TooLarge when it is more than the scanner takes, ScannerUnavailable when that is not known."""


@dataclass(frozen=True, slots=True)
class LocalDownload:
    """Serve these bytes."""

    file: StoredFile
    path: Path


@dataclass(frozen=True, slots=True)
class RedirectDownload:
    """Send the client there; the URL expires by itself."""

    file: StoredFile
    url: str


class FileStore(Protocol):
    """Bytes under names of our own. Nothing of a file is visible before ``put`` returns, and then all of it is."""

    def staging(self) -> Path:
        """A directory for uploads in progress; what is left there after a crash is swept at the next start."""

    def put(self, file: StoredFile, source: Path) -> None:
        """Take over the bytes at ``source``, which is in ``staging`` and gone afterwards. Durable on return.

        ``file.name`` is letters, digits, ``-`` and ``_`` with at most one dot inside; else ValueError."""

    def open(self, name: str) -> LocalDownload | RedirectDownload:
        """Raises FileNotStored, also for any name that ``put`` would never have been given."""

    def delete(self, name: str) -> None:
        """The file and its thumbnail; a missing one is fine."""

    def check(self) -> None:
        """Raises FilesUnavailable when nothing can be stored."""

    def close(self) -> None:
        """Finish what was begun, then let go of the engine. May be called twice."""


# ---------------------------------------------------------------- the rest
class EventPublisher(Protocol):
    """None of these waits, none raises; events are told in the order given."""

    def publish(self, *events: Event) -> None:
        """Put each event in front of everyone it is for, on whichever worker they are: deliver and relay."""

    def deliver(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        """To the sockets of this worker alone; only in these rooms when they are given."""

    def relay(self, event: Event, *, rooms: Collection[str] | None = None) -> None:
        """To the other workers alone: those that listen to these rooms, or else to the event's own."""


class Bus(Protocol):
    """Carries events from each worker to those others that listen to their rooms. It may lose what was on its way
    when its engine fails; then it says so, and the store knows."""

    worker_id: str
    is_alone: bool
    """There is no other worker, ever: what is published goes nowhere."""

    def start(self, receive: Callable[[str, str, Event], None], *, recovered: Callable[[], None]) -> None:
        """``receive(room, origin, event)`` gets what others publish; ``recovered()`` is called whenever anything may
        have been missed and from now on is not. Neither may wait."""

    def subscribe(self, rooms: Collection[str]) -> None:
        """Returns when all that is published from now on will be heard; while the engine is away, at once."""

    def unsubscribe(self, rooms: Collection[str]) -> None: ...

    def publish(self, rooms: Collection[str], event: Event) -> None:
        """Never waits, never raises."""

    @property
    def hears(self) -> bool:
        """Whether this worker has lately heard itself over the bus."""

    def check(self) -> None:
        """Raises BusUnavailable when it does not."""

    def close(self) -> None: ...


class Rooms(Protocol):
    """The sockets' side of membership: who hears what. Unknown sockets and users are ignored."""

    def admit(self, socket_id: str, user_id: str, *, parts: Collection[str] = ()) -> None:
        """The socket hears what is for this user and what is for everyone, and for these parts of everyone."""

    def set_parts(self, socket_id: str, parts: Collection[str]) -> None:
        """If it hears what is for everyone, then of the parts of everyone these and no others."""

    def dismiss(self, socket_id: str, user_id: str) -> None:
        """The socket hears nothing any more, of any conversation either."""

    def enter(self, socket_id: str, conversation_id: str) -> None: ...

    def leave(self, socket_id: str, conversation_id: str) -> None: ...

    def evict(self, user_id: str, conversation_id: str) -> None:
        """No socket of this user hears the conversation any more."""

    def close(self, conversation_id: str) -> None:
        """Nobody hears the conversation any more."""

    def disconnect(self, user_id: str) -> None:
        """Close every socket of this user."""

    def take_part(self, socket_id: str, participant_id: str, user_id: str) -> None:
        """The socket hears what is for this participant of a call, who is this user's device."""

    def part(self, participant_id: str, user_id: str) -> None:
        """No socket is this participant's any more, and no lost connection."""


class MediaServer(Protocol):
    """Takes the media of a call where there are too many to send to each other."""

    def admit(self, call: Call, participant: Participant, *, name: str) -> tuple[str, str]:
        """The server's URL, and a token with which this participant may enter the call's room there."""


class TokenVerifier(Protocol):
    def verify(self, token: str) -> Identity:
        """What a token says whose signature, claims and times are good.

        Raises TokenExpired when nothing else is wrong with it, else TokenInvalid, whose cause says what is. Raises
        Unavailable while the issuer's keys could not be fetched yet.
        """


class WebhookSender(Protocol):
    def objection(self, url: str) -> str | None:
        """Why nothing would ever be sent there, in a word; None where that is not known before it is tried."""

    def post(self, endpoint: Endpoint, event: LoggedEvent, *, now: datetime) -> Answer:
        """One signed POST, within ``EXCHANGE_SECONDS`` whatever the other side does; follows no redirect, and goes to
        no address that is not public unless that is allowed. Raises nothing."""


class SigningKeyMaker(Protocol):
    def new(self) -> SigningKeys:
        """Fresh ones, as Standard Webhooks writes them."""


class Jobs(Protocol):
    """Work that waits for its turn or its time. It may be lost when a process dies: the lanes know what is due."""

    def deliver(self, endpoint_id: str, lane: str, *, at: datetime | None = None) -> None:
        """Have this lane looked after soon, or then, by some process. Never waits, never raises."""

    def start(self, run: Callable[[str, str], None]) -> None:
        """From now on this process does its share of the work: ``run(endpoint_id, lane)``."""

    def stop(self) -> None:
        """Finish what was begun. May be called twice."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC, cut to the millisecond."""


class Ids(Protocol):
    def new(self) -> str:
        """A fresh UUID in its usual text form."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Scheduler(Protocol):
    def call_later(self, seconds: float, action: Callable[..., object], *args: object) -> Timer: ...

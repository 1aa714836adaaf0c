"""Where everything lies: four tables, each with ``pk`` and ``sk``. The only place that knows how keys are spelt.

| table | pk | sk | what |
| --- | --- | --- | --- |
| users | ``user#<id>`` | ``profile`` | the user |
| users | ``names`` | ``<sort name>\\0<id>`` | the directory, in its order |
| users | ``api_keys`` | ``<id>`` | an API key |
| users | ``revocations`` | ``everybody`` / ``user#<id>`` | before when their tokens are worth nothing |
| users | ``revocations_version`` | ``version`` | changes with each of them |
| users | ``audit`` | ``seq#<number>`` | a record of the audit chain |
| users | ``audit_head`` | ``head`` | where the chain ends |
| users | ``webhooks`` | ``<id>`` | a webhook endpoint |
| users | ``webhooks_version`` | ``version`` | changes with each of them |
| users | ``lanes#<endpoint>`` | ``<lane>`` | how far an endpoint has come in a lane |
| users | ``due#<endpoint>`` | ``<time>#<lane>`` | a lane with something to do, and when |
| users | ``deliveries#<endpoint>`` | ``<time>#<id>`` | a try |
| conversations | ``conversation#<id>`` | ``head`` | the conversation without its members |
| conversations | ``pair#<ids>`` | ``pair`` | which private conversation these two have |
| conversations | ``all`` / ``deleting`` | ``<id>`` | every conversation by id / those whose remains are being swept |
| conversations | ``calls`` | ``<id>`` | a call, until it is over and its message written |
| conversations | ``conversation#<id>`` | ``call`` | which call the conversation has |
| conversations | ``call_workers`` | ``<worker>`` | until when it lives at least |
| users | ``user#<id>`` | ``call`` | which call the user takes part in |
| conversation_participants | ``conversation#<id>`` | ``members#<n>`` | up to 250 ids of a group's members, in order |
| conversation_participants | ``user#<id>`` | ``conversation#<id>`` | a member's marks, and their inbox |
| messages | ``conversation#<id>`` | ``seq#<number>`` | the message |
| messages | ``conversation#<id>`` | ``key#<hash>`` | an idempotency key |
| messages | ``conversation#<id>`` | ``change#<rev>`` | a change that is neither a message nor a read mark |
| messages | ``conversation#<id>`` | ``read#<user id>`` | the ``rev`` of a member's read mark |
| messages | ``id#<message id>`` | ``id`` | which conversation and number that is |
| messages | ``replies#<message id>`` | ``seq#<number>#<id>`` | a reply to it |
| messages | ``file#<url>`` | ``<message id>`` | a message that carries it |
| messages | ``events#<lane>`` | ``<position>`` | an event, with what is told of it |
| messages | ``feed#<shard>`` | ``<time>#<event id>`` | where an event is, for who reads them all |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

USERS = "users"
CONVERSATIONS = "conversations"
PARTICIPANTS = "conversation_participants"
MESSAGES = "messages"
TABLES = (USERS, CONVERSATIONS, PARTICIPANTS, MESSAGES)

MAX_SEQ = 2**63 - 1
NAMES = "names"
ALL = "all"
DELETING = "deleting"

FIRST = "\0"
LAST = "\U0010ffff"
"""No sort key is less, none is greater."""

MAX_PART_BYTES = 512
"""A sort key has at most 1,024 bytes (a partition key 2,048), and some are made of two parts."""


class Key(NamedTuple):
    table: str
    pk: str
    sk: str


# ---------------------------------------------------------------- users
def profile(user_id: str) -> Key:
    return Key(USERS, f"user#{_bounded(user_id)}", "profile")


def name(sort_name: str, user_id: str) -> Key:
    """NUL is below every character of a name, so that a shorter name comes before its continuations."""
    start = sort_name.encode()[: MAX_PART_BYTES - 2].decode(errors="ignore")
    return Key(USERS, NAMES, f"{start}\0{_bounded(user_id)}")


# ---------------------------------------------------------------- who gets in, and who did what
API_KEYS = "api_keys"
REVOCATIONS = "revocations"
AUDIT = "audit"


def api_key(key_id: str) -> Key:
    return Key(USERS, API_KEYS, _bounded(key_id))


def revocation(user_id: str | None) -> Key:
    return Key(USERS, REVOCATIONS, "everybody" if user_id is None else f"user#{_bounded(user_id)}")


def revocations_version() -> Key:
    return Key(USERS, "revocations_version", "version")


def audit(seq: int) -> Key:
    return Key(USERS, AUDIT, numbered(seq))


def audit_head() -> Key:
    return Key(USERS, "audit_head", "head")


# ---------------------------------------------------------------- conversations
def head(conversation_id: str) -> Key:
    return Key(CONVERSATIONS, _conversation(conversation_id), "head")


def pair(user_ids: Iterable[str]) -> Key:
    return Key(CONVERSATIONS, f"pair#{_bounded(json.dumps(sorted(user_ids), ensure_ascii=False))}", "pair")


def listed(conversation_id: str) -> Key:
    return Key(CONVERSATIONS, ALL, _bounded(conversation_id))


def unfinished(conversation_id: str) -> Key:
    return Key(CONVERSATIONS, DELETING, _bounded(conversation_id))


# ---------------------------------------------------------------- calls
CALLS = "calls"
CALL_WORKERS = "call_workers"


def call(call_id: str) -> Key:
    return Key(CONVERSATIONS, CALLS, _bounded(call_id))


def call_of(conversation_id: str) -> Key:
    return Key(CONVERSATIONS, _conversation(conversation_id), "call")


def call_with(user_id: str) -> Key:
    return Key(USERS, f"user#{_bounded(user_id)}", "call")


def call_worker(worker: str) -> Key:
    return Key(CONVERSATIONS, CALL_WORKERS, _bounded(worker))


# ---------------------------------------------------------------- participants
def members(conversation_id: str, chunk: int) -> Key:
    return Key(PARTICIPANTS, _conversation(conversation_id), f"members#{chunk:04}")


def inbox(user_id: str) -> str:
    return f"user#{_bounded(user_id)}"


def member(conversation_id: str, user_id: str) -> Key:
    return Key(PARTICIPANTS, inbox(user_id), _conversation(conversation_id))


# ---------------------------------------------------------------- messages
def messages(conversation_id: str) -> str:
    return _conversation(conversation_id)


def numbered(seq: int) -> str:
    return f"seq#{seq:019}"


def message(conversation_id: str, seq: int) -> Key:
    return Key(MESSAGES, messages(conversation_id), numbered(seq))


def sent(conversation_id: str, sender_id: str, client_message_id: str) -> Key:
    """Where one sender's ``clientMessageId`` is remembered."""
    return Key(MESSAGES, messages(conversation_id), f"key#{_hash(json.dumps([sender_id, client_message_id]))}")


def numbered_change(rev: int) -> str:
    return f"change#{rev:019}"


def change(conversation_id: str, rev: int) -> Key:
    return Key(MESSAGES, messages(conversation_id), numbered_change(rev))


FIRST_MARK, LAST_MARK = "read#", "read$"
"""Between them are the marks of all members; ``$`` comes after ``#``."""


def mark(conversation_id: str, user_id: str) -> Key:
    return Key(MESSAGES, messages(conversation_id), f"{FIRST_MARK}{_bounded(user_id)}")


def pointer(message_id: str) -> Key:
    return Key(MESSAGES, f"id#{_bounded(message_id)}", "id")


def replies(message_id: str) -> str:
    return f"replies#{_bounded(message_id)}"


def reply(message_id: str, seq: int, reply_id: str) -> Key:
    return Key(MESSAGES, replies(message_id), f"{numbered(seq)}#{_bounded(reply_id)}")


def file(url: str) -> str:
    return f"file#{_bounded(url)}"


def reference(url: str, message_id: str) -> Key:
    return Key(MESSAGES, file(url), f"message#{_bounded(message_id)}")


# ---------------------------------------------------------------- events and webhooks
WEBHOOKS = "webhooks"
FEED_SHARDS = 4
"""A partition takes 1,000 units a second, and a transaction two for each item: some 2,000 events a second."""


def position(number: int, part: int = 0) -> str:
    """In a lane: the ``rev``, or what counts up like one, and which of the events that have it."""
    return f"{number:019}#{part:04}"


def lane_events(lane: str) -> str:
    return f"events#{_bounded(lane)}"


def event(lane: str, place: str) -> Key:
    return Key(MESSAGES, lane_events(lane), place)


def timed(ms: int, id_: str = "") -> str:
    """Sorts by time."""
    return f"{ms:015}#{id_}"


def feed(shard: int) -> str:
    return f"feed#{shard}"


def shard_of(event_id: str) -> int:
    return int(_hash(event_id)[:8], 16) % FEED_SHARDS


def in_feed(ms: int, event_id: str) -> Key:
    return Key(MESSAGES, feed(shard_of(event_id)), timed(ms, event_id))


def webhook(endpoint_id: str) -> Key:
    return Key(USERS, WEBHOOKS, _bounded(endpoint_id))


def webhooks_version() -> Key:
    return Key(USERS, "webhooks_version", "version")


def lanes(endpoint_id: str) -> str:
    return f"lanes#{_bounded(endpoint_id)}"


def lane(endpoint_id: str, name: str) -> Key:
    return Key(USERS, lanes(endpoint_id), _bounded(name))


def dues(endpoint_id: str) -> str:
    return f"due#{_bounded(endpoint_id)}"


def due(endpoint_id: str, ms: int, lane_name: str) -> Key:
    return Key(USERS, dues(endpoint_id), timed(ms, _bounded(lane_name)))


def deliveries(endpoint_id: str) -> str:
    return f"deliveries#{_bounded(endpoint_id)}"


def delivery(endpoint_id: str, ms: int, id_: str) -> Key:
    return Key(USERS, deliveries(endpoint_id), timed(ms, id_))


# ---------------------------------------------------------------- spelling
def _conversation(conversation_id: str) -> str:
    return f"conversation#{_bounded(conversation_id)}"


def _bounded(part: str) -> str:
    """Whatever somebody asks for has a valid key, though perhaps nothing under it."""
    return part if 0 < len(part.encode()) <= MAX_PART_BYTES else f"#sha256#{_hash(part)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

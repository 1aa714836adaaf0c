"""What only the DynamoDB store does, and that it keeps its promises on AWS's bad days.

What every store does is in ``tests/contracts``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import orjson
import pytest
from gevent.event import Event

from chatapp.adapters.dynamodb_store import DynamoStore, client, deletion, heads, keys, outbox
from chatapp.adapters.dynamodb_store.actions import Delete
from chatapp.adapters.dynamodb_store.client import RequestRefused
from chatapp.adapters.dynamodb_store.connection import READ_TIMEOUT_SECONDS, Refused
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.audit import AuditDraft
from chatapp.domain.changes import Changes, MarkMoved, MessageAppended
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import (
    ChatError,
    ConversationNotFound,
    MessageDeletedAlready,
    NotAParticipant,
    StoreUnavailable,
)
from chatapp.domain.models import Attachment, Message, Scope
from chatapp.domain.revocations import Revocation
from chatapp.ports import Deleted, ReadMark
from tests.contracts.builders import at, draft, failure, group, private, save_people, say, sender, together
from tests.contracts.test_call_store import call as a_call
from tests.contracts.test_call_store import later, over
from tests.engines.dynamodb import DynamoEngine, open_dynamo
from tests.fakes import START

T = TypeVar("T")
ROOT = Path(__file__).parents[2]

PHOTO = Attachment("/api/files/photo.png", "photo.png", 1234, "image/png", "/api/files/photo-thumb.png")
PLAN = Attachment("/api/files/plan.pdf", "plan.pdf", 9, "application/pdf", None)

BAD_DAYS: dict[str, dict[str, float]] = {
    "throttling": {"throttle": 0.3},
    "conflicts": {"conflict": 0.3},
    "unprocessed": {"unprocessed": 0.6},
    "internal errors": {"internal": 0.3},
    "lost answers": {"lose": 0.4},
    "cut connections": {"cut": 0.3},
    "small pages": {"page": 2},
    "stale reads": {"stale": 1.0},
    "all at once": {
        "throttle": 0.08,
        "conflict": 0.08,
        "unprocessed": 0.3,
        "internal": 0.08,
        "lose": 0.08,
        "cut": 0.08,
        "page": 3,
        "stale": 1.0,
    },
}


@pytest.fixture(scope="module")
def engine() -> Iterator[DynamoEngine]:
    started = DynamoEngine()
    yield started
    started.stop()


@pytest.fixture
def prefix(engine: DynamoEngine) -> Iterator[str]:
    name = engine.new_prefix()
    yield name
    engine.be()
    engine.drop(name)


@pytest.fixture
def store(engine: DynamoEngine, prefix: str) -> Iterator[DynamoStore]:
    engine.be()
    opened = open_dynamo(engine, prefix)
    save_people(opened)
    yield opened
    engine.be()
    opened.close()


@pytest.fixture
def a_group(store: DynamoStore) -> DynamoStore:
    store.conversations.create_group(group("ana", "bea", "carlos"))
    return store


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is asked what is answered, not how soon: moto takes long for large transactions."""
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(outbox, "LONGEST_WAIT_SECONDS", 60.0)


def operations(engine: DynamoEngine) -> Counter[str]:
    return Counter(call["operation"] for call in engine.log())


def in_threads(calls: list[Callable[[], T]]) -> list[T]:
    """Each in a thread, with a hub of its own: the nearest thing to processes that a test can wait for."""
    outcomes: dict[int, T | Exception] = {}

    def run(number: int) -> None:
        try:
            outcomes[number] = calls[number]()
        except Exception as exc:
            outcomes[number] = exc

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found: list[T] = []
    for number in range(len(calls)):
        outcome = outcomes[number]
        if isinstance(outcome, Exception):
            raise outcome
        found.append(outcome)
    return found


# ---------------------------------------------------------------- tables
def described(store: DynamoStore) -> dict[str, dict[str, Any]]:
    client = store._db.client
    return {name: client.describe_table(TableName=store._db.table(name))["Table"] for name in keys.TABLES}


def test_four_tables_are_made_that_are_paid_per_request_and_have_no_index(store: DynamoStore, prefix: str) -> None:
    tables = described(store)
    assert sorted(tables) == ["conversation_participants", "conversations", "messages", "users"]
    for name, table in tables.items():
        assert table["TableName"] == prefix + name
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert not table.get("GlobalSecondaryIndexes")
        assert not table.get("LocalSecondaryIndexes")


def test_making_tables_again_keeps_what_is_in_them(a_group: DynamoStore) -> None:
    sent = say(a_group, "hello")
    a_group.create_tables()
    assert a_group.messages.get(sent.id) == sent


def test_many_may_make_the_tables_at_once(engine: DynamoEngine, prefix: str) -> None:
    engine.be()
    for store in in_threads([lambda: open_dynamo(engine, prefix)] * 6):
        store.check()
        store.close()


@pytest.mark.parametrize("day", ["throttling", "internal errors", "lost answers", "cut connections"])
def test_tables_are_made_on_a_bad_day(engine: DynamoEngine, prefix: str, day: str) -> None:
    engine.be(operations=["CreateTable", "DescribeTable"], **BAD_DAYS[day])
    store = open_dynamo(engine, prefix)
    store.check()
    store.close()


def test_without_tables_the_store_does_not_answer(engine: DynamoEngine, prefix: str) -> None:
    engine.be()
    store = DynamoStore(endpoint=engine.endpoint, region="us-east-1", prefix=prefix, access_key="a", secret_key="b")
    for call in (store.check, lambda: store.users.get("ana"), lambda: say(store, "hello")):
        with pytest.raises(StoreUnavailable):
            call()
    store.close()


def test_two_prefixes_are_two_worlds(engine: DynamoEngine, a_group: DynamoStore) -> None:
    other = open_dynamo(engine)
    assert other.conversations.get("g1") is None
    assert other.users.get("ana") is None
    other.close()


# ---------------------------------------------------------------- how it reads
def test_every_read_sees_the_last_write_and_none_scans(engine: DynamoEngine, a_group: DynamoStore) -> None:
    engine.be()
    go_through_everything(a_group)
    calls = engine.log()
    assert {"GetItem", "BatchGetItem", "Query"} <= {call["operation"] for call in calls}
    for call in calls:
        assert call["operation"] != "Scan"
        if call["operation"] in ("GetItem", "Query"):
            assert call["request"]["ConsistentRead"] is True
        if call["operation"] == "BatchGetItem":
            assert all(given["ConsistentRead"] is True for given in call["request"]["RequestItems"].values())


def test_a_reply_and_an_edit_right_after_the_send_work_although_copies_lag(
    engine: DynamoEngine, a_group: DynamoStore
) -> None:
    engine.be(stale=1.0)
    sent = say(a_group, "hello")
    reply = say(a_group, draft("hello yourself", by="bea", reply_to=sent))
    edited, _ = a_group.messages.edit(sent.id, content="hallo", preview="hallo", now=at(1))
    assert a_group.messages.replies(sent.id) == [reply]
    assert a_group.messages.history("g1", limit=10) == [edited, reply]
    assert [user.id for user in a_group.users.list_by_name(limit=10)] == ["ana", "bea", "carlos", "dora"]


@pytest.mark.parametrize("strange", ["", "x" * 3000, "ñ" * 600, "a#b", "\t"])
def test_whatever_is_asked_for_has_a_valid_key(store: DynamoStore, strange: str) -> None:
    assert store.users.get(strange) is None
    assert store.conversations.get(strange) is None
    assert store.conversations.inbox(strange) == []
    assert store.messages.get(strange) is None
    assert store.messages.replies(strange) == []
    assert store.messages.history(strange, limit=10) == []
    assert not store.messages.refers_to_file(strange)
    assert store.users.list_by_name(limit=10, after=("zzz" + strange, strange)) == []


@pytest.mark.parametrize("id", ["x" * 128, "🎸" * 128, 'a"' * 64])
def test_the_longest_ids_names_and_urls_have_room(store: DynamoStore, id: str) -> None:
    long = "🎸" * 200
    store.users.save(SaveUser(id=id, name=long, email="x@example.com"), user_id=id, now=START)
    store.conversations.open_private(private(id, "ana", id=id))
    file = Attachment("/api/files/" + "ñ" * 2000)
    sent = say(store, draft("hello", to=id, key=id, file=file))
    assert store.messages.append(draft("hello", to=id, key=id, file=file), fingerprint="hello").duplicate
    assert store.messages.refers_to_file(file.url)
    assert [user.name for user in store.users.list_by_name(limit=10, q="🎸🎸")] == [long]
    assert [entry.conversation.id for entry in store.conversations.inbox(id)] == [id]
    assert store.messages.get(sent.id) == sent


# ---------------------------------------------------------------- sending together
def test_sends_that_wait_go_out_together(engine: DynamoEngine, a_group: DynamoStore) -> None:
    engine.be()
    drafts = [draft(f"{n}", by=("ana", "bea", "carlos")[n % 3], key=f"k{n}", file=PHOTO) for n in range(64)]
    sent = together([lambda d=d: say(a_group, d) for d in drafts])
    assert [message.seq for message in sent] == list(range(1, 65))
    assert operations(engine) == {"BatchGetItem": 4, "TransactWriteItems": 4}
    assert max(len(call["request"].get("TransactItems", [])) for call in engine.log()) <= 100
    assert [a_group.conversations.entry("g1", user_id).last_read_seq for user_id in ("ana", "bea", "carlos")] == [
        64,
        62,
        63,
    ]


def test_one_send_is_two_requests(engine: DynamoEngine, a_group: DynamoStore) -> None:
    engine.be()
    say(a_group, draft("hello", key="k1"))
    assert operations(engine) == {"BatchGetItem": 1, "TransactWriteItems": 1}


def test_one_that_the_engine_refuses_does_not_take_others_along(a_group: DynamoStore) -> None:
    too_large = "x" * 500_000  # an item has at most 400 kB
    drafts = [draft(too_large if n == 5 else f"{n}") for n in range(12)]
    outcomes = together([lambda d=d: failure(lambda: say(a_group, d)) for d in drafts])
    assert [n for n, outcome in enumerate(outcomes) if outcome] == [5]
    assert isinstance(outcomes[5], StoreUnavailable)
    assert [message.seq for message in a_group.messages.history("g1", limit=20)] == list(range(1, 12))


# ---------------------------------------------------------------- sharing requests
PAIRS = 200


@pytest.fixture
def pairs(store: DynamoStore) -> DynamoStore:
    """Two hundred private conversations: ``p0``, ``p1`` …"""
    others = [f"other-{n}" for n in range(PAIRS)]
    for n, other in enumerate(others):
        store.conversations.open_private(private("ana", other, id=f"p{n}"))
    return store


def drafts_of(store: DynamoStore) -> list[Message]:
    return [draft(f"{n}", to=f"p{n}", key=f"k{n}") for n in range(PAIRS)]


def assert_each_has_its_message(store: DynamoStore, sent: list[Message]) -> None:
    for message in sent:
        assert message.seq == message.rev == 1
        entry = store.conversations.entry(message.conversation_id, "ana")
        assert (entry.conversation.last_seq, entry.conversation.rev, entry.last_read_seq) == (1, 1, 1)
    histories = together([lambda m=m: store.messages.history(m.conversation_id, limit=5) for m in sent])
    assert histories == [[message] for message in sent]


def test_sends_of_different_conversations_share_requests(engine: DynamoEngine, pairs: DynamoStore) -> None:
    engine.be()
    sent = together([lambda d=d: say(pairs, d) for d in drafts_of(pairs)])
    asked = operations(engine)
    calls = engine.log()
    assert asked.keys() == {"BatchGetItem", "TransactWriteItems"}
    assert asked["BatchGetItem"] <= 10, "three keys each: 33 to a request"
    assert asked["TransactWriteItems"] <= 20, "five actions each: 20 to a request"
    assert max(len(call["request"].get("TransactItems", [])) for call in calls) == 100
    assert_each_has_its_message(pairs, sent)


def test_one_alone_shares_with_nobody_and_waits_for_nobody(engine: DynamoEngine, pairs: DynamoStore) -> None:
    engine.be()
    for one in drafts_of(pairs)[:3]:
        say(pairs, one)
    assert [len(call["request"].get("TransactItems", [])) for call in engine.log()] == [0, 5] * 3


def test_who_is_refused_does_not_take_those_along_who_share_the_request(
    engine: DynamoEngine, pairs: DynamoStore, other: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is too large, one's conversation has moved since it was read, one's is gone."""
    drafts = drafts_of(pairs)[:60]
    drafts[7] = replace(drafts[7], content="x" * 500_000)
    write = pairs._db.write_along
    ready, read = Event(), 0

    def when_all_have_read(*actions: Any) -> None:
        nonlocal read
        read += 1
        if read == len(drafts):
            say(other, draft("quicker", to="p20"))
            other.conversations.delete("p30")
            ready.set()
        ready.wait()
        write(*actions)

    monkeypatch.setattr(pairs._db, "write_along", when_all_have_read)
    outcomes = together([lambda d=d: failure(lambda: say(pairs, d)) for d in drafts])
    assert {n: type(outcome) for n, outcome in enumerate(outcomes) if outcome} == {
        7: RequestRefused,
        30: ConversationNotFound,
    }
    assert [message.seq for message in pairs.messages.history("p20", limit=5)] == [1, 2]
    others = [n for n in range(60) if n not in (7, 20, 30)]
    for n in others:
        assert [message.content for message in pairs.messages.history(f"p{n}", limit=5)] == [f"{n}"]


@pytest.mark.parametrize("day", ["throttling", "conflicts", "unprocessed", "internal errors", "lost answers"])
def test_those_who_share_a_request_are_stored_once_each_on_a_bad_day(
    engine: DynamoEngine, pairs: DynamoStore, patient: None, day: str
) -> None:
    engine.be(seed=5, **BAD_DAYS[day])
    sent = together([lambda d=d: say(pairs, d) for d in drafts_of(pairs)])
    engine.be()
    assert_each_has_its_message(pairs, sent)


def test_what_is_throttled_for_one_does_not_hold_up_the_others(
    engine: DynamoEngine, pairs: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversation's partition is at its limit: those beside it are stored meanwhile, and it is unavailable."""
    ask = pairs._db._connection.ask

    def throttle(operation: str, request: Mapping[str, Any], read: Callable[[bytes], T]) -> T:
        actions = orjson.loads(orjson.dumps(request)).get("TransactItems", [])
        hot = [b'conversation#p9"' in orjson.dumps(action) for action in actions]
        if any(hot):
            reasons = [{"Code": "ThrottlingError" if one else "None"} for one in hot]
            raise Refused(400, {"__type": "x#TransactionCanceledException", "CancellationReasons": reasons})
        return ask(operation, request, read)

    monkeypatch.setattr(pairs._db._connection, "ask", throttle)
    done: list[int] = []

    def send(n: int) -> Exception | None:
        outcome = failure(lambda: say(pairs, draft(f"{n}", to=f"p{n}")))
        done.append(n)
        return outcome

    outcomes = together([lambda n=n: send(n) for n in range(40)])
    assert {n for n, outcome in enumerate(outcomes) if outcome} == {9}
    assert isinstance(outcomes[9], StoreUnavailable)
    assert done[-1] == 9


# ---------------------------------------------------------------- large groups
CROWD = [f"user-{n:04}" for n in range(620)]


def test_a_group_may_be_larger_than_a_transaction(store: DynamoStore) -> None:
    given = group("ana", *CROWD)
    store.conversations.create_group(given)
    assert store.conversations.get("g1") == given
    sent = say(store, "hello, all")
    for user_id in (CROWD[0], CROWD[300], CROWD[-1]):
        (entry,) = store.conversations.inbox(user_id)
        assert (entry.unread_count, entry.conversation.participants) == (1, given.participants)
    assert store.messages.history("g1", limit=1) == [sent]
    gone = store.conversations.delete("g1")
    assert gone.conversation is not None
    assert gone.conversation.participants == given.participants
    assert store.conversations.inbox(CROWD[300]) == []


def test_more_may_come_and_go_than_fit_into_a_transaction(store: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "CHUNK", 20)
    store.conversations.create_group(group("ana", *CROWD[:30]))
    conversation, added = store.conversations.add_participants("g1", CROWD[:160], by="ana", now=at(1))
    assert added == tuple(CROWD[30:160])
    assert conversation.participants == ("ana", *CROWD[:160])
    expected = ["ana", *CROWD[:160]]
    for user_id in CROWD[5:150]:
        expected.remove(user_id)
        departure = store.conversations.remove_participant("g1", user_id, by="ana", now=at(2))
        assert departure.conversation.participants == tuple(expected)
    assert store.conversations.get("g1") == departure.conversation
    conversation, _ = store.conversations.add_participants("g1", ["dora"], by="ana", now=at(3))
    assert conversation.participants == (*expected, "dora")
    assert store.conversations.get("g1") == conversation
    head = store._db.get(keys.head("g1"))
    assert head is not None
    assert head["chunks"] <= 3, "gaps that leaving has made are closed"


def test_what_a_send_costs_does_not_depend_on_how_many_listen(engine: DynamoEngine, store: DynamoStore) -> None:
    store.conversations.create_group(group("ana", "bea", id="small"))
    store.conversations.create_group(group("ana", *CROWD, id="large"))
    written = []
    for to in ("small", "large"):
        engine.be()
        say(store, draft("hello", to=to, key="k"))
        written.append([len(call["request"].get("TransactItems", [])) for call in engine.log()])
    assert written[0] == written[1] == [0, 5]


# ---------------------------------------------------------------- bad days
def send_until_acknowledged(store: DynamoStore, message: Message) -> Message:
    """As a client does it: the same key until there is an answer."""
    while True:
        try:
            return say(store, message)
        except StoreUnavailable:
            continue


@pytest.mark.parametrize("day", ["a good day", *BAD_DAYS])
def test_sends_of_one_conversation_from_eight_workers_stay_gapless(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str, day: str
) -> None:
    stores = [open_dynamo(engine, prefix) for _ in range(8)]
    engine.be(seed=7, **BAD_DAYS.get(day, {}))

    def work(number: int) -> list[Message]:
        by = ("ana", "bea", "carlos")[number % 3]
        drafts = [draft(f"{number}/{n}", by=by, key=f"{number}/{n}") for n in range(12)]
        half = [send_until_acknowledged(stores[number], d) for d in drafts[:4]]  # one by one, then at once
        return half + together([lambda d=d: send_until_acknowledged(stores[number], d) for d in drafts[4:]])

    acknowledged = [message for sent in in_threads([lambda n=n: work(n) for n in range(8)]) for message in sent]

    engine.be()
    stored = a_group.messages.history("g1", limit=1000)
    assert [message.seq for message in stored] == list(range(1, len(stored) + 1)), "a gap"
    assert sorted(acknowledged, key=lambda message: message.seq) == stored, "lost, doubled, or acknowledged wrongly"
    assert len(stored) == 96
    entry = a_group.conversations.entry("g1", "ana")
    assert (entry.conversation.last_seq, entry.conversation.last_message) == (96, stored[-1].content)
    for store in stores:
        store.close()


@pytest.mark.parametrize("day", BAD_DAYS)
def test_messages_without_a_key_are_stored_once_too(engine: DynamoEngine, a_group: DynamoStore, day: str) -> None:
    engine.be(seed=3, **BAD_DAYS[day])
    sent = [say(a_group, f"{n}") for n in range(25)]
    engine.be()
    assert [message.seq for message in sent] == list(range(1, 26))
    assert a_group.messages.history("g1", limit=100) == sent


def go_through_everything(store: DynamoStore) -> list[object]:
    """Every call of the ports in some order, and what each answered."""
    users, conversations, messages = store.users, store.conversations, store.messages
    crowd = CROWD[:70]
    answers: list[object] = []

    def note(answer: T) -> T:
        answers.append(answer)
        return answer

    def refused(call: Callable[[], object]) -> None:
        error = failure(call)
        assert isinstance(error, ChatError)
        note((type(error), {key: value for key, value in error.details.items() if key != "messageId"}))

    note(users.save(SaveUser(id=None, name="Eva", email="eva@example.com"), user_id="eva", now=at(1)))
    note(users.save(SaveUser(id=None, name="Eva María", email="eva@example.com"), user_id="eva", now=at(2)))
    note(users.set_avatar("eva", "/api/files/1.png", now=at(3)))
    note(users.set_avatar("eva", "/api/files/2.png", now=at(4)))
    users.touch("eva", last_seen=at(5))
    note(users.get("eva"))
    note(users.get_many(["eva", "ana", "nobody"]))
    note(users.list_by_name(limit=3, q="a"))
    note(conversations.create_group(group("ana", *crowd, id="crowd")))
    note(conversations.open_private(private("ana", "eva", id="private")))
    note(conversations.open_private(private("eva", "ana", id="never")))
    note(conversations.add_participants("crowd", ["eva", *CROWD[:150]], by="ana", now=at(6)))
    first = note(say(store, draft("look", to="crowd", file=PHOTO, key="k1", seconds=7)))
    note(say(store, draft("look", to="private", file=PHOTO, recipient_id="eva")))
    reply = note(say(store, draft("nice", to="crowd", reply_to=first)))
    note(messages.append(draft("look", to="crowd", file=PHOTO, key="k1"), fingerprint="look"))
    note(messages.find_repeated(draft("look", to="crowd", key="k1"), fingerprint="look"))
    refused(lambda: messages.append(draft("other", to="crowd", key="k1"), fingerprint="other"))
    refused(lambda: say(store, draft("let me in", by="dora", to="crowd")))
    note(conversations.mark_read("crowd", "eva", now=at(8)))
    note(conversations.mark_read("crowd", "eva", now=at(9)))
    note(conversations.entry("crowd", "eva"))
    note(messages.edit(reply.id, content="very nice", preview="very nice", now=at(10)))
    note(messages.delete(first.id))
    note(messages.delete(first.id))
    note(messages.replies(first.id))
    note(conversations.inbox("ana"))
    note(sorted(entry.conversation.id for entry in conversations.marks("ana")))
    note(conversations.set_details("crowd", name="Crowd", description=None, by="eva", now=at(10)))
    note(conversations.set_details("crowd", name="Crowd", description=None, by="eva", now=at(10)))
    note(conversations.remove_participant("crowd", "ana", by="ana", now=at(11)))
    refused(lambda: conversations.remove_participant("crowd", "ana", by="ana", now=at(12)))
    note(conversations.get("crowd"))
    note(conversations.changes("crowd", since=0, limit=100, user_id="eva"))
    note(conversations.changes("crowd", since=3, limit=3))
    refused(lambda: conversations.changes("crowd", since=0, limit=100, user_id="ana"))
    note(messages.history("crowd", limit=10))
    note(messages.list_all(limit=2))
    note(conversations.list_all(limit=2))
    note(messages.refers_to_file(PHOTO.url))
    note([messages.shows_file([PHOTO.url, PLAN.url], user_id=user_id) for user_id in ("ana", "eva")])
    for _ in range(4):
        note(messages.purge(limit=2))
        note(conversations.changes("crowd", since=6, limit=100))
    note(messages.find_repeated(draft("look", to="crowd", key="k1"), fingerprint="look"))
    note(say(store, draft("after all", to="private", file=PLAN)))
    note(conversations.delete("private"))
    refused(lambda: conversations.delete("private"))
    note(conversations.create_group(group("eva", id="alone")))
    note(conversations.remove_participant("alone", "eva", by="ana", now=at(13)))
    users.delete("eva")
    note(users.get("eva"))
    note(conversations.delete("crowd"))
    note(messages.list_all(limit=10))
    go_through_access(store, note, refused)
    return [without_ids(answer) for answer in answers]


def go_through_access(
    store: DynamoStore, note: Callable[[T], T], refused: Callable[[Callable[[], object]], None]
) -> None:
    """Keys, revocations and the audit log."""
    key = ApiKey("0123456789abcdef", "backend", frozenset({Scope.ADMIN}), at(1), "0" * 64)
    store.api_keys.add(key)
    refused(lambda: store.api_keys.add(replace(key, digest="1" * 64)))
    store.api_keys.touch(key, used_at=at(2))
    store.api_keys.touch(key, used_at=at(3))
    note(store.api_keys.get(key.id))
    note(store.api_keys.revoke(key.id, now=at(4)))
    note(store.api_keys.revoke(key.id, now=at(5)))
    note(store.api_keys.revoke("nothing", now=at(5)))
    note(store.api_keys.list_all())
    for user_id, seconds in (("ana", 1), ("ana", 3), ("ana", 2), (None, 4), ("bea", 5)):
        before = store.revocations.version()
        store.revocations.revoke(Revocation(user_id, at(seconds)))
        note(store.revocations.version() != before)
    store.revocations.forget(until=at(3))
    note(store.revocations.list_all())
    for number in range(6):
        note(store.audit.append(AuditDraft("", "operator", "user.delete", f"user:{number % 3}", "{}")))
    note(store.audit.records(after=2, limit=3))
    note(store.audit.head())


def without_ids(answer: object) -> str:
    """Message ids are counted through the whole test run."""
    return re.sub(r"00000000-0000-4000-8000-\d{12}", "<id>", repr(answer))


@pytest.fixture(scope="module")
def on_a_good_day(engine: DynamoEngine) -> list[object]:
    engine.be()
    store = open_dynamo(engine)
    save_people(store)
    answers = go_through_everything(store)
    store.close()
    return answers


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("day", BAD_DAYS)
def test_every_call_answers_on_a_bad_day_as_on_a_good_one(
    engine: DynamoEngine,
    store: DynamoStore,
    on_a_good_day: list[object],
    patient: None,
    day: str,
    seed: int,
) -> None:
    engine.be(seed=seed, **BAD_DAYS[day])
    assert go_through_everything(store) == on_a_good_day


# ---------------------------------------------------------------- silence
def test_ten_seconds_of_silence_are_unavailable_in_time_and_then_it_goes_on(
    engine: DynamoEngine, a_group: DynamoStore
) -> None:
    engine.be(mute=1)
    calls: list[Callable[[], object]] = [
        lambda: say(a_group, "hello"),
        lambda: a_group.conversations.inbox("ana"),
    ]
    for call in calls:
        began = monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            call()
        assert monotonic() - began < 6, "5 seconds are documented"
        assert refused.value.__cause__ is not None
    engine.be()
    assert say(a_group, "again").seq <= 2
    a_group.check()


def test_who_waits_behind_others_does_not_wait_longer(engine: DynamoEngine, a_group: DynamoStore) -> None:
    engine.be(mute=1)
    began = monotonic()
    outcomes = together([lambda n=n: failure(lambda: say(a_group, f"{n}")) for n in range(60)])
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert monotonic() - began < 6, "one group tries, and the others go with it"


def test_a_send_that_was_refused_in_silence_can_be_repeated(engine: DynamoEngine, a_group: DynamoStore) -> None:
    """Nobody knows whether it was stored; the same key answers that."""
    engine.be(lose=1.0, operations=["TransactWriteItems"])
    first = draft("hello", key="k1")
    assert isinstance(failure(lambda: say(a_group, first)), StoreUnavailable | None)
    engine.be()
    again = say(a_group, draft("hello", key="k1"))
    assert a_group.messages.history("g1", limit=10) == [again]
    assert (again.id, again.seq) == (first.id, 1)


def test_a_slow_engine_is_no_failure(engine: DynamoEngine, a_group: DynamoStore) -> None:
    engine.be(silent=READ_TIMEOUT_SECONDS / 2)
    assert say(a_group, "hello").seq == 1


def test_nobody_there_is_unavailable(engine: DynamoEngine, a_group: DynamoStore) -> None:
    gone = DynamoStore(endpoint="http://127.0.0.1:9", region="us-east-1", prefix="x", access_key="a", secret_key="b")
    began = monotonic()
    with pytest.raises(StoreUnavailable):
        gone.check()
    assert monotonic() - began < 6
    gone.close()


# ---------------------------------------------------------------- interrupted half way
def test_a_group_whose_making_was_interrupted_does_not_exist(engine: DynamoEngine, store: DynamoStore) -> None:
    engine.be(throttle=1.0, operations=["TransactWriteItems"])
    with pytest.raises(StoreUnavailable):
        store.conversations.create_group(group("ana", *CROWD[:80]))
    engine.be()
    assert store.conversations.get("g1") is None
    assert store.conversations.inbox("ana") == store.conversations.marks("ana") == []
    assert isinstance(failure(lambda: store.conversations.entry("g1", "ana")), ConversationNotFound)
    assert isinstance(failure(lambda: say(store, "hello")), ConversationNotFound)
    assert store.conversations.list_all(limit=10).items == []


def test_a_conversation_whose_remains_were_not_swept_is_gone_all_the_same(
    engine: DynamoEngine, a_group: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = say(a_group, draft("photo", file=PHOTO, key="k1"))
    reply = say(a_group, draft("reply", reply_to=sent))
    engine.be(throttle=1.0, operations=["BatchWriteItem"])

    gone = a_group.conversations.delete("g1")

    assert (gone.messages, gone.attachments) == (2, ())
    engine.be()
    assert a_group.conversations.get("g1") is None
    assert a_group.conversations.inbox("ana") == a_group.conversations.marks("ana") == []
    assert a_group.messages.get(sent.id) is None
    assert a_group.messages.get(reply.id) is None
    assert a_group.messages.history("g1", limit=10) == a_group.messages.replies(sent.id) == []
    assert a_group.messages.list_all(limit=10).items == []
    assert a_group.messages.find_repeated(draft("photo", key="k1"), fingerprint="photo") is None
    assert isinstance(failure(lambda: say(a_group, "hello")), ConversationNotFound)

    assert a_group.messages.purge(limit=10).attachments == (), "its worker may still be sweeping"
    monkeypatch.setattr(deletion, "ABANDONED_AFTER", timedelta(seconds=-1))
    assert a_group.messages.purge(limit=10).attachments == (PHOTO,)
    assert everything_of(a_group, "g1") == []


def everything_of(store: DynamoStore, conversation_id: str) -> list[dict[str, Any]]:
    """What a look into the tables would find."""
    found = []
    for table in (keys.CONVERSATIONS, keys.PARTICIPANTS, keys.MESSAGES):
        found += store._db.client.scan(TableName=store._db.table(table))["Items"]
    return [item for item in found if conversation_id in repr(item)]


def test_deleting_leaves_nothing_in_the_tables(a_group: DynamoStore) -> None:
    sent = say(a_group, draft("photo", file=PHOTO, key="k1"))
    say(a_group, draft("reply", reply_to=sent, by="bea"))
    a_group.conversations.mark_read("g1", "carlos", now=at(1))
    a_group.messages.edit(sent.id, content="a photo", preview="a photo", now=at(2))
    a_group.messages.purge(limit=1)
    a_group.conversations.set_details("g1", name="New", description=None, by="ana", now=at(3))
    a_group.conversations.open_private(private("ana", "bea", id="p9"))
    for conversation_id in ("g1", "p9"):
        a_group.conversations.delete(conversation_id)
        assert everything_of(a_group, conversation_id) == []
    assert a_group._db.client.scan(TableName=a_group._db.table(keys.MESSAGES))["Items"] == []


def test_messages_whose_sweeping_was_interrupted_are_hidden_and_counted_by_the_next(
    engine: DynamoEngine, a_group: DynamoStore
) -> None:
    first = say(a_group, draft("photo", file=PHOTO))
    kept = [say(a_group, f"{n}") for n in range(5)]
    engine.be(throttle=1.0, operations=["BatchWriteItem"])
    with pytest.raises(StoreUnavailable):
        a_group.messages.purge(limit=3)
    engine.be()
    assert a_group.messages.get(first.id) is None
    assert a_group.messages.history("g1", limit=10) == kept[2:]
    assert a_group.messages.history("g1", limit=2, after=0) == kept[2:4]
    assert a_group.conversations.entry("g1", "bea").unread_count == 3
    gone = a_group.messages.purge(limit=2)
    assert (gone.messages, gone.attachments) == (2, (PHOTO,))
    assert a_group.messages.history("g1", limit=10) == kept[2:], "first what was begun is finished"
    assert [a_group.messages.purge(limit=2).messages for _ in range(3)] == [2, 2, 0]


def test_quotes_that_were_not_blanked_are_when_the_message_is_deleted_again(
    engine: DynamoEngine, a_group: DynamoStore
) -> None:
    secret = say(a_group, "secret")
    say(a_group, draft("re", by="bea", reply_to=secret))
    engine.be(throttle=1.0, operations=["UpdateItem"])
    with pytest.raises(StoreUnavailable):
        a_group.messages.delete(secret.id)
    engine.be()
    assert a_group.messages.delete(secret.id).gone.messages == 0
    assert [reply.reply_preview for reply in a_group.messages.replies(secret.id)] == [""]


# ---------------------------------------------------------------- between looking and writing
@pytest.fixture
def other(engine: DynamoEngine, store: DynamoStore, prefix: str) -> Iterator[DynamoStore]:
    """Another worker's."""
    opened = open_dynamo(engine, prefix)
    yield opened
    opened.close()


Meanwhile = Callable[[Callable[[DynamoStore], object]], None]


@pytest.fixture
def meanwhile(a_group: DynamoStore, other: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """What another worker does after ours has looked and before it writes, once."""

    def arrange(action: Callable[[DynamoStore], object]) -> None:
        writes = {name: getattr(a_group._db, name) for name in ("write", "write_along")}

        def interrupted(name: str, *actions: Any) -> None:
            for each, write in writes.items():
                monkeypatch.setattr(a_group._db, each, write)
            action(other)
            writes[name](*actions)

        for name in writes:
            monkeypatch.setattr(a_group._db, name, partial(interrupted, name))

    return arrange


def test_who_is_removed_meanwhile_sends_nothing(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    meanwhile(lambda other: other.conversations.remove_participant("g1", "ana", by="ana", now=at(1)))
    assert isinstance(failure(lambda: say(a_group, "hello")), NotAParticipant)
    assert a_group.messages.history("g1", limit=10) == []
    assert a_group.conversations.marks("ana") == []
    assert say(a_group, draft("hello", by="bea")).seq == 1


def test_into_a_conversation_that_is_deleted_meanwhile_nothing_is_sent(
    a_group: DynamoStore, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda other: other.conversations.delete("g1"))
    assert isinstance(failure(lambda: say(a_group, "hello")), ConversationNotFound)
    assert everything_of(a_group, "g1") == []


def test_a_conversation_whose_remains_are_not_swept_yet_takes_no_message(
    a_group: DynamoStore, meanwhile: Meanwhile
) -> None:
    whole = heads.read_whole(a_group._db, "g1")
    assert whole is not None
    meanwhile(lambda other: other._db.write(*deletion.bury(whole, "change")))
    assert isinstance(failure(lambda: say(a_group, "hello")), ConversationNotFound)


def test_a_key_that_another_worker_takes_meanwhile_is_a_repeated_send(
    a_group: DynamoStore, meanwhile: Meanwhile
) -> None:
    first: list[Message] = []
    meanwhile(lambda other: first.append(say(other, draft("hello", key="k1"))))
    appended = a_group.messages.append(draft("hello", key="k1"), fingerprint="hello")
    assert (appended.duplicate, appended.message) == (True, first[0])


def test_what_is_said_meanwhile_is_not_unread_to_a_newcomer(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    meanwhile(lambda other: say(other, "hello"))
    a_group.conversations.add_participants("g1", ["dora"], by="ana", now=at(1))
    assert a_group.conversations.entry("g1", "dora").unread_count == 0


def test_who_comes_while_another_leaves_stays(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    meanwhile(lambda other: other.conversations.remove_participant("g1", "bea", by="ana", now=at(1)))
    conversation, _ = a_group.conversations.add_participants("g1", ["dora"], by="ana", now=at(2))
    assert conversation.participants == ("ana", "carlos", "dora")
    assert a_group.conversations.get("g1") == conversation


def test_a_mark_never_moves_back(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    say(a_group, "one")

    def on_another_device(other: DynamoStore) -> None:
        say(other, "two")
        other.conversations.mark_read("g1", "bea", now=at(5))

    meanwhile(on_another_device)
    assert a_group.conversations.mark_read("g1", "bea", now=at(4)) == ReadMark(moved=False, seq=2, at=at(5))
    assert a_group.conversations.entry("g1", "bea").last_read_seq == 2


def test_an_edit_of_what_is_not_the_newest_any_more_leaves_the_head(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    sent = say(a_group, "one")
    meanwhile(lambda other: say(other, "two"))
    a_group.messages.edit(sent.id, content="uno", preview="uno", now=at(1))
    found = a_group.conversations.get("g1")
    assert found is not None
    assert found.last_message == "two"


def test_an_edit_of_what_is_deleted_meanwhile_is_refused(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    sent = say(a_group, "one")
    meanwhile(lambda other: other.messages.delete(sent.id))
    edit = failure(lambda: a_group.messages.edit(sent.id, content="uno", preview="uno", now=at(1)))
    assert isinstance(edit, MessageDeletedAlready)
    assert a_group.messages.history("g1", limit=1)[0].content == ""
    assert revs(a_group) == [1, 2]


def test_who_is_removed_meanwhile_has_no_mark_to_move(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    say(a_group, "one")
    meanwhile(lambda other: other.conversations.remove_participant("g1", "bea", by="ana", now=at(1)))
    assert isinstance(failure(lambda: a_group.conversations.mark_read("g1", "bea", now=at(2))), NotAParticipant)
    assert revs(a_group) == [1, 2]


@pytest.mark.parametrize("chunk", [250, 2])
def test_members_that_are_older_or_newer_than_the_head_are_read_again(
    a_group: DynamoStore, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """A BatchGetItem is no snapshot: members may change between the reading of a head and of its members."""
    monkeypatch.setattr(heads, "CHUNK", chunk)
    a_group.conversations.add_participants("g1", ["dora"], by="ana", now=at(1))
    get_many, change_at = a_group._db.get_many, 1 if chunk == 250 else 2

    def changing(wanted: Any) -> Any:
        nonlocal change_at
        wanted, change_at = list(wanted), change_at - 1
        if change_at:
            return get_many(wanted)
        before = get_many(wanted)
        a_group.conversations.remove_participant("g1", "bea", by="ana", now=at(2))
        if chunk != 250:  # members read after they changed, beside a head from before
            return get_many(wanted)
        return get_many(wanted) | {key: item for key, item in before.items() if key.sk.startswith("members")}

    monkeypatch.setattr(a_group._db, "get_many", changing)
    found = a_group.conversations.get("g1")
    assert found is not None
    assert (found.participants, found.updated_at) == (("ana", "carlos", "dora"), at(2))


def test_members_read_too_early_beside_a_new_head_are_not_written_over(
    a_group: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a read of one transaction's items a snapshot: the head may be seen before the members."""
    monkeypatch.setattr(heads, "CHUNK", 2)
    a_group.conversations.add_participants("g1", ["dora"], by="ana", now=at(1))
    old = a_group._db.get_many([keys.members("g1", n) for n in range(2)])
    a_group.conversations.remove_participant("g1", "bea", by="ana", now=at(2))
    get_many, reads = a_group._db.get_many, iter([True])

    def early(wanted: Any) -> Any:
        found = get_many(wanted)
        members = {key for key in found if key in old}
        return found | {key: old[key] for key in members} if len(members) == 2 and next(reads, False) else found

    monkeypatch.setattr(a_group._db, "get_many", early)
    after = a_group.conversations.remove_participant("g1", "ana", by="ana", now=at(3)).conversation
    assert next(reads, None) is None, "they were read too early"
    assert after.participants == ("carlos", "dora")
    assert a_group.conversations.get("g1") == after


# ---------------------------------------------------------------- the log of changes
def revs(store: DynamoStore, since: int = 0) -> list[int]:
    return [item.rev for item in store.conversations.changes("g1", since=since, limit=10_000).items]


def rename(store: DynamoStore, name: str) -> int:
    conversation, _ = store.conversations.set_details("g1", name=name, description=None, by="ana", now=at(1))
    return conversation.rev


Change = tuple[Callable[[DynamoStore, int], str], Callable[[DynamoStore, str], tuple[int, object]], object]
"""What to do before, on a good day; the change, with its ``rev`` and what else it answers; and that answer."""


def newcomer(store: DynamoStore, number: int) -> str:
    store.conversations.add_participants("g1", [f"user-{number}"], by="ana", now=at(1))
    return f"user-{number}"


def an_edit(store: DynamoStore, message_id: str) -> tuple[int, object]:
    message, rev = store.messages.edit(message_id, content="better", preview="better", now=at(2))
    return rev, message.content


def a_deletion(store: DynamoStore, message_id: str) -> tuple[int, object]:
    retracted = store.messages.delete(message_id)
    return retracted.rev, (retracted.message.is_deleted, retracted.gone)


def a_mark(store: DynamoStore, _: str) -> tuple[int, object]:
    mark = store.conversations.mark_read("g1", "bea", now=at(3))
    return mark.rev, (mark.moved, mark.at)


def an_arrival(store: DynamoStore, user_id: str) -> tuple[int, object]:
    conversation, added = store.conversations.add_participants("g1", ["ana", user_id], by="bea", now=at(4))
    return conversation.rev, added == (user_id,)


def a_departure(store: DynamoStore, user_id: str) -> tuple[int, object]:
    departure = store.conversations.remove_participant("g1", user_id, by="ana", now=at(5))
    return departure.conversation.rev, (departure.new_owner_id, departure.gone)


def a_renaming(store: DynamoStore, name: str) -> tuple[int, object]:
    conversation, changed = store.conversations.set_details("g1", name=name, description="d", by="ana", now=at(6))
    return conversation.rev, changed


def a_purge(store: DynamoStore, _: str) -> tuple[int, object]:
    gone = store.messages.purge(limit=10)
    conversation = store.conversations.get("g1")
    assert conversation is not None
    return conversation.rev, gone.messages


CHANGES: dict[str, Change] = {
    "edit": (lambda store, number: say(store, f"{number}").id, an_edit, "better"),
    "deletion": (
        lambda store, number: say(store, draft(f"{number}", file=PHOTO)).id,
        a_deletion,
        (True, Deleted(None, 1, (PHOTO,))),
    ),
    "mark": (lambda store, number: say(store, f"{number}").id, a_mark, (True, at(3))),
    "arrival": (lambda _, number: f"user-{number}", an_arrival, True),
    "departure": (newcomer, a_departure, (None, None)),
    "details": (lambda _, number: f"name {number}", a_renaming, True),
    "purge": (lambda store, number: say(store, f"{number}").id, a_purge, 1),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_whose_answer_was_lost_is_made_and_counted_once(
    engine: DynamoEngine, a_group: DynamoStore, kind: str
) -> None:
    prepare, change, answer = CHANGES[kind]
    lost = 0
    for number in range(8):
        what = prepare(a_group, number)
        known = a_group.conversations.changes("g1", since=0, limit=1000).rev
        engine.be(seed=number, lose=0.5, operations=["TransactWriteItems"])
        assert change(a_group, what) == (known + 1, answer)
        lost += operations(engine)["TransactWriteItems"] > 1
        engine.be()
        assert a_group.conversations.changes("g1", since=0, limit=1000).rev == known + 1
        assert revs(a_group, known) == [known + 1]
    assert lost > 1


def test_a_call_whose_answers_are_lost_is_begun_and_changed_once(engine: DynamoEngine, store: DynamoStore) -> None:
    lost = 0
    for number in range(8):
        begun = a_call("ana", "bea", id=f"call-{number}", to=f"g{number}")
        engine.be(seed=number, lose=0.5, operations=["TransactWriteItems"])
        assert store.calls.begin(begun) == (begun, True)
        assert store.calls.replace(ended := over(begun))
        lost += operations(engine)["TransactWriteItems"] > 2
        engine.be()
        assert store.calls.get(begun.id) == ended
    assert lost > 1
    assert store.calls.busy(["ana", "bea"]) == {}


def test_changes_return_in_the_order_of_their_revs(a_group: DynamoStore) -> None:
    sent = [say(a_group, f"{n}") for n in range(4)]
    readers = CROWD[:8]
    a_group.conversations.add_participants("g1", readers, by="ana", now=at(1))
    say(a_group, "news")
    returned: list[int] = []
    calls: list[Callable[[], int]] = [
        *(lambda n=n: say(a_group, f"again {n}").rev for n in range(8)),
        *(lambda m=m: an_edit(a_group, m.id)[0] for m in sent),
        *(lambda n=n: a_group.conversations.mark_read("g1", readers[n], now=at(2)).rev for n in range(8)),
        *(lambda n=n: rename(a_group, f"{n}") for n in range(3)),
        *(lambda n=n: an_arrival(a_group, CROWD[20 + n])[0] for n in range(3)),
    ]
    together([lambda call=call: returned.append(call()) for call in calls])
    assert returned == list(range(7, 7 + len(calls)))
    assert revs(a_group, 6) == returned


@pytest.mark.parametrize("day", ["a good day", "lost answers", "conflicts", "all at once"])
def test_of_two_workers_every_change_has_a_rev_of_its_own(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str, patient: None, day: str
) -> None:
    stores = [open_dynamo(engine, prefix) for _ in range(2)]
    old = [say(a_group, f"{n}") for n in range(12)]
    engine.be(seed=5, **BAD_DAYS.get(day, {}))

    def work(number: int) -> list[int]:
        store, mine, user_id = stores[number], old[number::2], ("bea", "carlos")[number]
        calls: list[Callable[[], int]] = [
            *(lambda n=n: say(store, draft(f"{number} {n}", key=f"{number} {n}")).rev for n in range(6)),
            *(lambda m=m: an_edit(store, m.id)[0] for m in mine[:3]),
            *(lambda m=m: a_deletion(store, m.id)[0] for m in mine[3:]),
            *(lambda n=n: rename(store, f"{number} {n}") for n in range(2)),
            *(lambda n=n: an_arrival(store, CROWD[2 * n + number])[0] for n in range(2)),
        ]

        def reading() -> list[int]:
            marks = [store.conversations.mark_read("g1", user_id, now=at(n)) for n in range(4)]
            return [mark.rev for mark in marks if mark.moved]

        outcomes = together([reading, *(lambda call=call: [call()] for call in calls)])
        return [rev for given in outcomes for rev in given]

    given = sorted(rev for outcome in in_threads([lambda: work(0), lambda: work(1)]) for rev in outcome)

    engine.be()
    found = a_group.conversations.changes("g1", since=12, limit=1000)
    assert given == list(range(13, found.rev + 1)), "a gap, or two changes with one number"
    latest = [item.rev for item in found.items if isinstance(item, MarkMoved)]
    assert len(latest) == 2
    marks = {rev for rev in given if rev not in {item.rev for item in found.items}}
    assert len(found.items) + len(marks) == len(given)
    assert len(marks) <= 6, "only marks that moved again may be missing"
    assert all(a_group.messages.get(message.id) != message for message in old), "an edit or a deletion was lost"
    for store in stores:
        store.close()


def test_two_hundred_may_read_at_once(engine: DynamoEngine, store: DynamoStore, prefix: str, patient: None) -> None:
    readers = CROWD[:200]
    store.conversations.create_group(group("ana", *readers))
    sent = say(store, "news for all")
    stores = [open_dynamo(engine, prefix) for _ in range(2)]
    engine.be()
    began = monotonic()

    def read(number: int) -> list[ReadMark]:
        return together(
            [
                lambda user_id=user_id: stores[number].conversations.mark_read("g1", user_id, now=at(1))
                for user_id in readers[number::2]
            ]
        )

    marks = [mark for given in in_threads([lambda: read(0), lambda: read(1)]) for mark in given]

    written = [call for call in engine.log() if call["operation"] == "TransactWriteItems" and call["status"] == 200]
    assert monotonic() - began < 20
    assert len(written) <= 50, "those that wait go out together"
    assert max(len(call["request"]["TransactItems"]) for call in written) > 20
    assert sorted(mark.rev for mark in marks) == list(range(2, 202))
    assert all((mark.moved, mark.seq) == (True, sent.seq) for mark in marks)
    found = store.conversations.changes("g1", since=1, limit=1000)
    assert sorted(item.user_id for item in found.items if isinstance(item, MarkMoved)) == readers
    for opened in stores:
        opened.close()


def test_who_has_read_everything_waits_for_nobody(engine: DynamoEngine, a_group: DynamoStore) -> None:
    say(a_group, "one")
    engine.be()
    assert not a_group.conversations.mark_read("g1", "ana", now=at(1)).moved
    assert operations(engine) == {"BatchGetItem": 1}


# ---------------------------------------------------------------- reading the log
def test_far_back_the_first_message_is_found_by_halving(engine: DynamoEngine, a_group: DynamoStore) -> None:
    sent = []
    for n in range(30):
        sent.append(say(a_group, f"{n}"))
        for name in range(1 + n % 4):
            rename(a_group, f"{n} {name}")
    everything = a_group.conversations.changes("g1", since=0, limit=1000).items
    assert [item.rev for item in everything] == list(range(1, len(everything) + 1))
    for since in range(0, len(everything), 3):
        engine.be()
        found = a_group.conversations.changes("g1", since=since, limit=2)
        assert found.items == everything[since : since + 2]
        assert operations(engine)["GetItem"] <= 1 + 5, "the head, and thirty halved down to three"
        read = sum(len(call["answer"]["Items"]) for call in engine.log() if call["operation"] == "Query")
        assert read <= 4 * 3


def test_who_knows_all_costs_one_request(engine: DynamoEngine, a_group: DynamoStore) -> None:
    say(a_group, "one")
    a_group.conversations.mark_read("g1", "bea", now=at(1))
    rename(a_group, "new")
    engine.be()
    assert a_group.conversations.changes("g1", since=3, limit=100, user_id="bea").items == ()
    assert operations(engine) == {"BatchGetItem": 1}


def several_marks(store: DynamoStore) -> None:
    store.conversations.add_participants("g1", CROWD[:9], by="ana", now=at(1))
    say(store, "one")
    together([lambda u=u: store.conversations.mark_read("g1", u, now=at(2)) for u in CROWD[:9]])


@pytest.mark.parametrize(
    ("prefix_", "change"),
    [
        ("seq#", lambda store: together([lambda n=n: say(store, f"{n}") for n in range(3)])),
        ("change#", lambda store: rename(store, "new")),
        ("read#", several_marks),
    ],
)
@pytest.mark.parametrize(("limit", "missing"), [(1, 0), (100, 0), (100, -1)])
def test_what_was_written_with_the_head_but_is_not_there_yet_is_waited_for(
    a_group: DynamoStore,
    monkeypatch: pytest.MonkeyPatch,
    prefix_: str,
    change: Callable[[DynamoStore], object],
    limit: int,
    missing: int,
) -> None:
    """A reader may see one item of a transaction a moment before another."""
    change(a_group)
    expected = a_group.conversations.changes("g1", since=0, limit=limit)
    query, hidden = a_group._db.query, 0

    def behind(table: str, pk: str, low: str, high: str, **kwargs: Any) -> Iterator[Any]:
        nonlocal hidden
        items = list(query(table, pk, low, high, **kwargs))
        if low.startswith(prefix_) and hidden < 2:
            hidden += 1
            del items[missing]
        return iter(items)

    monkeypatch.setattr(a_group._db, "query", behind)
    assert a_group.conversations.changes("g1", since=0, limit=limit) == expected
    assert hidden == 2


def purge_all(store: DynamoStore) -> None:
    store.messages.purge(limit=100)


def read_more(store: DynamoStore) -> None:
    say(store, "more", by="ana")
    store.conversations.mark_read("g1", "bea", now=at(9))


def leave(store: DynamoStore) -> None:
    store.conversations.remove_participant("g1", "bea", by="bea", now=at(9))


def come_back(store: DynamoStore) -> None:
    leave(store)
    store.conversations.add_participants("g1", ["bea"], by="ana", now=at(10))


@pytest.mark.parametrize("action", [purge_all, read_more, leave, come_back])
@pytest.mark.parametrize("at_request", range(1, 6))
def test_what_changes_while_the_log_is_read_does_not_tear_it(
    a_group: DynamoStore,
    other: DynamoStore,
    monkeypatch: pytest.MonkeyPatch,
    action: Callable[[DynamoStore], None],
    at_request: int,
) -> None:
    sent = [say(a_group, f"{n}") for n in range(3)]
    an_edit(a_group, sent[0].id)
    a_mark(a_group, "")
    before = a_group.conversations.changes("g1", since=0, limit=100)
    connection, count = a_group._db._connection, 0
    ask = connection.ask

    def interrupted(operation: str, request: Mapping[str, Any], read: Callable[[bytes], T]) -> T:
        nonlocal count
        count += 1
        if count == at_request:
            action(other)
        return ask(operation, request, read)

    monkeypatch.setattr(connection, "ask", interrupted)
    found = a_group.conversations.changes("g1", since=0, limit=100)
    after = other.conversations.changes("g1", since=0, limit=100)
    assert count >= at_request
    assert after.rev > before.rev
    if found.rev == after.rev:
        assert found == after
    else:  # as it was before, though perhaps shown as it is now, and a mark may be gone on
        assert found.rev == before.rev
        kept = [item.rev for item in found.items]
        assert kept == [item.rev for item in before.items if item.rev in kept]
        assert {item.rev for item in before.items} - set(kept) <= {5}
        following = other.conversations.changes("g1", since=found.rev, limit=100).items
        assert following == tuple(item for item in after.items if item.rev > found.rev)


def strip(store: DynamoStore, *names: str) -> None:
    """As an earlier version has left its items."""
    for table in (keys.CONVERSATIONS, keys.MESSAGES):
        name = store._db.table(table)
        for item in store._db.client.scan(TableName=name)["Items"]:
            kept = {key: value for key, value in item.items() if key not in names}
            store._db.client.put_item(TableName=name, Item=kept)


def test_what_was_said_before_there_were_revs_goes_on(a_group: DynamoStore) -> None:
    sent = [say(a_group, f"{n}") for n in range(5)]
    a_group.messages.purge(limit=2)
    a_group._db.write(Delete(keys.change("g1", 6)))
    strip(a_group, "changes", "rev", "last_rev", "last_change", "purged_rev")
    found = a_group.conversations.changes("g1", since=2, limit=100)
    assert found == Changes(5, tuple(MessageAppended(message.seq, message) for message in sent[2:]))
    assert a_group.conversations.changes("g1", since=1, limit=100).truncated
    assert (an_edit(a_group, sent[4].id)[0], say(a_group, "new").rev, a_mark(a_group, "")[0]) == (6, 7, 8)
    assert revs(a_group) == [3, 4, 5, 6, 7, 8]
    assert not a_group.conversations.changes("g1", since=2, limit=100).truncated


# ---------------------------------------------------------------- between workers
def test_of_two_workers_marks_and_members_never_contradict(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str
) -> None:
    """Newcomers join while others talk: what is unread to them is exactly what was said after they came."""
    stores = [open_dynamo(engine, prefix) for _ in range(4)]

    def talk(number: int) -> None:
        for n in range(10):
            say(stores[number], draft(f"{n}", by=("ana", "bea")[number]))

    def join(number: int) -> None:
        for user_id in CROWD[number * 5 : number * 5 + 5]:
            stores[number].conversations.add_participants("g1", [user_id], by="ana", now=at(1))

    in_threads([lambda: talk(0), lambda: talk(1), lambda: join(2), lambda: join(3)])

    conversation = a_group.conversations.get("g1")
    assert conversation is not None
    assert sorted(conversation.participants[3:]) == CROWD[10:20]
    assert conversation.last_seq == 20
    for user_id in CROWD[10:20]:
        (entry,) = a_group.conversations.inbox(user_id)
        assert entry.last_read_seq + entry.unread_count == 20
    for store in stores:
        store.close()


def test_many_workers_open_one_private_conversation(engine: DynamoEngine, store: DynamoStore, prefix: str) -> None:
    stores = [open_dynamo(engine, prefix) for _ in range(6)]
    outcomes = in_threads(
        [
            lambda n=n: stores[n].conversations.open_private(private(*sorted(["ana", "bea"], key=str), id=f"p{n}"))
            for n in range(6)
        ]
    )
    assert len({conversation.id for conversation, _ in outcomes}) == 1
    assert [created for _, created in outcomes].count(True) == 1
    for opened in stores:
        opened.close()


def test_a_message_shows_the_sender_that_another_worker_has_saved(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str
) -> None:
    other = open_dynamo(engine, prefix)
    sent = say(a_group, "hello")
    other.users.save(SaveUser(id="ana", name="Ana María", email="a@example.com"), user_id="ana", now=at(1))
    found = a_group.messages.get(sent.id)
    assert found is not None
    assert found.sender.name == "Ana María" != sender("ana").name
    other.close()


# ---------------------------------------------------------------- under gevent, as in production
PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from chatapp.adapters.dynamodb_store import DynamoStore
from tests.contracts.builders import draft, group, say, together

store = DynamoStore(endpoint=sys.argv[1], region="us-east-1", prefix=sys.argv[2], access_key="a", secret_key="b")
ticks, running = [], True
def tick():
    while running:
        gevent.sleep(0.02)
        ticks.append(1)
ticking = gevent.spawn(tick)
returned = []
together([lambda n=n: returned.append(say(store, f"{n}").seq) for n in range(40)])
running = False
ticking.join()
assert returned == list(range(1, 41)), returned
store.close()
print(len(ticks))
"""


def test_in_a_patched_process_others_go_on_while_the_engine_is_slow(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str
) -> None:
    engine.be(silent=0.25)
    arguments = [sys.executable, "-c", PATCHED, engine.endpoint, prefix]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30, "at least five slow requests, and ticks all along"


# ---------------------------------------------------------------- what it costs
def units(store: DynamoStore, calls: list[dict[str, Any]]) -> tuple[int, int]:
    """Read and write units by AWS's rules: 4 kB a consistent read, 1 kB a write, twice that in a transaction."""
    read = write = 0
    for call in calls:
        request, answer = call["request"], call["answer"]
        match call["operation"]:
            case "GetItem":
                read += _blocks(answer.get("Item"), 4096)
            case "BatchGetItem":
                items = [item for found in answer["Responses"].values() for item in found]
                asked = sum(len(given["Keys"]) for given in request["RequestItems"].values())
                read += sum(_blocks(item, 4096) for item in items) + asked - len(items)
            case "Query":
                read += max(1, -(-sum(map(_size, answer["Items"])) // 4096))
            case "TransactWriteItems":
                write += 2 * sum(
                    _written(store, action) for item in request["TransactItems"] for action in item.values()
                )
            case "BatchWriteItem":
                rows = [row for rows in request["RequestItems"].values() for row in rows]
                write += sum(_blocks(row.get("PutRequest", {}).get("Item"), 1024) for row in rows)
            case _:
                write += _written(store, request)
    return read, write


def _written(store: DynamoStore, action: dict[str, Any]) -> int:
    """Of an update what it leaves behind; of a deletion one unit, since ours delete small items."""
    item = action.get("Item")
    if "UpdateExpression" in action:
        item = store._db.client.get_item(TableName=action["TableName"], Key=action["Key"]).get("Item")
    return _blocks(item, 1024)


def _blocks(item: dict[str, Any] | None, size: int) -> int:
    return max(1, -(-_size(item or {}) // size))


def _size(item: dict[str, Any]) -> int:
    return sum(len(name.encode()) + len(str(next(iter(value.values()))).encode()) for name, value in item.items())


def costs(engine: DynamoEngine, store: DynamoStore) -> dict[str, str]:
    """Each operation as the documentation's table names it → ``requests | read units | write units``."""
    users, conversations, messages = store.users, store.conversations, store.messages
    measured: dict[str, str] = {}

    def measure(name: str, call: Callable[[], T]) -> T:
        engine.be()
        answer = call()
        calls = engine.log()
        read, write = units(store, calls)
        measured[name] = f"{len(calls)} | {read} | {write}"
        return answer

    def changes(since: int) -> Changes:
        return conversations.changes("ten", since=since, limit=100, user_id="ana")

    ten = [f"person-{n}" for n in range(10)]
    eva = SaveUser(id=None, name="Eva", email="eva@example.com")
    measure("save a new user", lambda: users.save(eva, user_id="eva", now=START))
    measure("save a user unchanged", lambda: users.save(eva, user_id="eva", now=START))
    measure("remember when a user was seen", lambda: users.touch("eva", last_seen=START))
    measure("create a group of 10", lambda: conversations.create_group(group(*ten, id="ten")))
    measure("open a private conversation", lambda: conversations.open_private(private("ana", "eva", id="two")))
    measure("add a participant", lambda: conversations.add_participants("ten", ["ana"], by="ana", now=START))
    measure("add another participant", lambda: conversations.add_participants("ten", ["eva"], by="ana", now=START))
    sent = measure("send with a clientMessageId", lambda: say(store, draft("hello", to="ten", key="k1")))
    measure("send the same again", lambda: say(store, draft("hello", to="ten", key="k1")))
    measure("send without one", lambda: say(store, draft("hello", to="ten")))
    measure("send a file", lambda: say(store, draft("photo", to="ten", key="k2", file=PHOTO)))
    reply = measure("send a reply", lambda: say(store, draft("hello you", to="ten", key="k3", reply_to=sent)))
    large = draft("x" * 4096, to="ten", key="k4")
    measure("send 4 kB", lambda: messages.append(large, fingerprint="f" * 64))
    together_ = [draft(f"{n}", to="ten", key=f"t{n}") for n in range(16)]
    measure("send 16 that wait together", lambda: together([lambda d=d: say(store, d) for d in together_]))
    measure("read one message", lambda: messages.get(sent.id))
    for n in range(50):
        say(store, draft(f"a message of some words, number {n}", to="ten", key=f"n{n}"))
    measure("read the newest 50 messages", lambda: messages.history("ten", limit=50))
    measure("mark as read", lambda: conversations.mark_read("ten", "eva", now=START))
    measure("mark as read what is read", lambda: conversations.mark_read("ten", "eva", now=START))
    measure("check that somebody is a participant", lambda: conversations.entry("ten", "eva"))
    measure("rename a group", lambda: conversations.set_details("ten", name="x", description=None, by="ana", now=START))
    measure("edit an older message", lambda: messages.edit(reply.id, content="hi", preview="hi", now=START))
    measure("delete a message with one reply", lambda: messages.delete(sent.id))
    measure("remove a participant", lambda: conversations.remove_participant("ten", "eva", by="ana", now=START))
    known = conversations.changes("ten", since=0, limit=1000).rev
    measure("ask for changes when there are none", lambda: changes(known))
    say(store, draft("news", to="ten"))
    measure("ask for changes when there is a message", lambda: changes(known))
    conversations.mark_read("ten", "person-1", now=START)
    conversations.set_details("ten", name="y", description=None, by="ana", now=START)
    measure("ask for changes: a message, a mark, a name", lambda: changes(known))
    for n in range(20):
        conversations.create_group(group("dora", *ten, id=f"twenty-{n}"))
    measure("list 20 conversations with their participants", lambda: conversations.inbox("dora"))
    measure("count what is unread in 20 conversations", lambda: conversations.marks("dora"))
    measure("list 4 users by name", lambda: users.list_by_name(limit=4))
    measure("purge 25 messages", lambda: messages.purge(limit=25))
    measure("delete a private conversation without messages", lambda: conversations.delete("two"))
    key = ApiKey("0123456789abcdef", "backend", frozenset({Scope.ADMIN}), START, "0" * 64)
    store.api_keys.add(key)
    measure("know an API key", lambda: store.api_keys.get(key.id))
    measure("note when an API key was used", lambda: store.api_keys.touch(key, used_at=START))
    measure("revoke a user's tokens", lambda: store.revocations.revoke(Revocation("ana", START)))
    measure("ask whether tokens were revoked", store.revocations.version)
    deletion = AuditDraft("2025-01-27T10:00:00.000Z", "user:ana", "user.delete", "user:eva", "{}")
    measure("append a record to the audit log", lambda: store.audit.append(deletion))
    first = a_call("ana", id="call", to="ten")
    measure("begin a call", lambda: store.calls.begin(first))
    second = later(first, participants=a_call("ana", "bea").participants, answered_at=START)
    measure("answer a call", lambda: store.calls.replace(second))
    measure("end a call of two", lambda: store.calls.replace(over(second)))
    measure("renew a worker's lease", lambda: store.calls.renew("w1", until=START))
    measure("look through the calls when there is one", store.calls.list_all)
    store.calls.remove("call")
    measure("look through the calls when there are none", store.calls.list_all)
    return measured


def test_costs_are_as_documented(engine: DynamoEngine, store: DynamoStore) -> None:
    text = (ROOT / "docs" / "operations-dynamodb.md").read_text()
    documented = dict(re.findall(r"^\| (.+?) \| (\d+ \| \d+ \| \d+) \|$", text, re.MULTILINE))
    measured = costs(engine, store)
    assert measured == documented, "\n" + "\n".join(f"| {name} | {cost} |" for name, cost in measured.items())

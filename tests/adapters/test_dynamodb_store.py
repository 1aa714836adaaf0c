"""What only the DynamoDB store does, and that it keeps its promises on AWS's bad days.

What every store does is in ``tests/contracts``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest

from chatapp.adapters.dynamodb_store import DynamoStore, client, deletion, heads, keys
from chatapp.adapters.dynamodb_store.client import READ_TIMEOUT_SECONDS
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import ChatError, ConversationNotFound, NotAParticipant, StoreUnavailable
from chatapp.domain.models import Attachment, Message
from chatapp.ports import ReadMark
from tests.contracts.builders import at, draft, failure, group, private, save_people, say, sender, together
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
    edited = a_group.messages.edit(sent.id, content="hallo", preview="hallo", now=at(1))
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
    conversation, added = store.conversations.add_participants("g1", CROWD[:160], now=at(1))
    assert added == tuple(CROWD[30:160])
    assert conversation.participants == ("ana", *CROWD[:160])
    expected = ["ana", *CROWD[:160]]
    for user_id in CROWD[5:150]:
        expected.remove(user_id)
        departure = store.conversations.remove_participant("g1", user_id, now=at(2))
        assert departure.conversation.participants == tuple(expected)
    assert store.conversations.get("g1") == departure.conversation
    conversation, _ = store.conversations.add_participants("g1", ["dora"], now=at(3))
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
    note(conversations.add_participants("crowd", ["eva", *CROWD[:150]], now=at(6)))
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
    note(conversations.remove_participant("crowd", "ana", now=at(11)))
    refused(lambda: conversations.remove_participant("crowd", "ana", now=at(12)))
    note(conversations.get("crowd"))
    note(messages.history("crowd", limit=10))
    note(messages.list_all(limit=2))
    note(conversations.list_all(limit=2))
    note(messages.refers_to_file(PHOTO.url))
    for _ in range(4):
        note(messages.purge(limit=2))
    note(messages.find_repeated(draft("look", to="crowd", key="k1"), fingerprint="look"))
    note(say(store, draft("after all", to="private", file=PLAN)))
    note(conversations.delete("private"))
    refused(lambda: conversations.delete("private"))
    note(conversations.create_group(group("eva", id="alone")))
    note(conversations.remove_participant("alone", "eva", now=at(13)))
    users.delete("eva")
    note(users.get("eva"))
    note(conversations.delete("crowd"))
    note(messages.list_all(limit=10))
    return [without_ids(answer) for answer in answers]


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
    monkeypatch: pytest.MonkeyPatch,
    day: str,
    seed: int,
) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 60.0)  # what is answered is asked here, not how soon
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
    a_group.messages.purge(limit=1)
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
    secret = say(a_group, draft("secret", file=PHOTO))  # with its file's reference it goes in a transaction
    say(a_group, draft("re", by="bea", reply_to=secret))
    engine.be(throttle=1.0, operations=["UpdateItem"])
    with pytest.raises(StoreUnavailable):
        a_group.messages.delete(secret.id)
    engine.be()
    _, gone = a_group.messages.delete(secret.id)
    assert gone.messages == 0
    assert [reply.reply_preview for reply in a_group.messages.replies(secret.id)] == [""]


@pytest.mark.parametrize("seed", range(3))
def test_a_mark_that_moved_says_so_although_the_answer_was_lost(
    engine: DynamoEngine, a_group: DynamoStore, seed: int
) -> None:
    for n in range(8):
        say(a_group, f"{n}")
        engine.be(seed=10 * seed + n, lose=0.5, operations=["UpdateItem"])
        mark = a_group.conversations.mark_read("g1", "bea", now=at(n))
        engine.be()
        assert mark == ReadMark(moved=True, seq=n + 1, at=at(n))
        assert not a_group.conversations.mark_read("g1", "bea", now=at(n)).moved


# ---------------------------------------------------------------- between looking and writing
@pytest.fixture
def meanwhile(a_group: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """What another worker does after ours has looked and before it writes, once."""

    def arrange(action: Callable[[], object]) -> None:
        write = a_group._db.write

        def interrupted(*actions: Any) -> None:
            monkeypatch.setattr(a_group._db, "write", write)
            action()
            write(*actions)

        monkeypatch.setattr(a_group._db, "write", interrupted)

    return arrange


Meanwhile = Callable[[Callable[[], object]], None]


def test_who_is_removed_meanwhile_sends_nothing(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    meanwhile(lambda: a_group.conversations.remove_participant("g1", "ana", now=at(1)))
    assert isinstance(failure(lambda: say(a_group, "hello")), NotAParticipant)
    assert a_group.messages.history("g1", limit=10) == []
    assert a_group.conversations.marks("ana") == []
    assert say(a_group, draft("hello", by="bea")).seq == 1


def test_into_a_conversation_that_is_deleted_meanwhile_nothing_is_sent(
    a_group: DynamoStore, meanwhile: Meanwhile
) -> None:
    meanwhile(lambda: a_group.conversations.delete("g1"))
    assert isinstance(failure(lambda: say(a_group, "hello")), ConversationNotFound)
    assert everything_of(a_group, "g1") == []


def test_a_conversation_whose_remains_are_not_swept_yet_takes_no_message(
    a_group: DynamoStore, meanwhile: Meanwhile
) -> None:
    whole = heads.read_whole(a_group._db, "g1")
    assert whole is not None
    meanwhile(lambda: a_group._db.write(*deletion.bury(whole, "change")))
    assert isinstance(failure(lambda: say(a_group, "hello")), ConversationNotFound)


def test_a_key_that_another_worker_takes_meanwhile_is_a_repeated_send(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str, meanwhile: Meanwhile
) -> None:
    other = open_dynamo(engine, prefix)
    first: list[Message] = []
    meanwhile(lambda: first.append(say(other, draft("hello", key="k1"))))
    appended = a_group.messages.append(draft("hello", key="k1"), fingerprint="hello")
    assert (appended.duplicate, appended.message) == (True, first[0])
    other.close()


def test_what_is_said_meanwhile_is_not_unread_to_a_newcomer(
    engine: DynamoEngine, a_group: DynamoStore, prefix: str, meanwhile: Meanwhile
) -> None:
    other = open_dynamo(engine, prefix)
    meanwhile(lambda: say(other, "hello"))
    a_group.conversations.add_participants("g1", ["dora"], now=at(1))
    assert a_group.conversations.entry("g1", "dora").unread_count == 0
    other.close()


def test_who_comes_while_another_leaves_stays(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    meanwhile(lambda: a_group.conversations.remove_participant("g1", "bea", now=at(1)))
    conversation, _ = a_group.conversations.add_participants("g1", ["dora"], now=at(2))
    assert conversation.participants == ("ana", "carlos", "dora")
    assert a_group.conversations.get("g1") == conversation


def test_a_mark_never_moves_back(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    say(a_group, "one")

    def on_another_device() -> None:
        say(a_group, "two")
        a_group.conversations.mark_read("g1", "bea", now=at(5))

    meanwhile(on_another_device)
    assert a_group.conversations.mark_read("g1", "bea", now=at(4)) == ReadMark(moved=False, seq=2, at=at(5))
    assert a_group.conversations.entry("g1", "bea").last_read_seq == 2


def test_an_edit_of_what_is_not_the_newest_any_more_leaves_the_head(a_group: DynamoStore, meanwhile: Meanwhile) -> None:
    sent = say(a_group, "one")
    meanwhile(lambda: say(a_group, "two"))
    a_group.messages.edit(sent.id, content="uno", preview="uno", now=at(1))
    found = a_group.conversations.get("g1")
    assert found is not None
    assert found.last_message == "two"


@pytest.mark.parametrize("chunk", [250, 2])
def test_members_that_are_older_or_newer_than_the_head_are_read_again(
    a_group: DynamoStore, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """A BatchGetItem is no snapshot: members may change between the reading of a head and of its members."""
    monkeypatch.setattr(heads, "CHUNK", chunk)
    a_group.conversations.add_participants("g1", ["dora"], now=at(1))
    get_many, change_at = a_group._db.get_many, 1 if chunk == 250 else 2

    def changing(wanted: Any) -> Any:
        nonlocal change_at
        wanted, change_at = list(wanted), change_at - 1
        if change_at:
            return get_many(wanted)
        before = get_many(wanted)
        a_group.conversations.remove_participant("g1", "bea", now=at(2))
        if chunk != 250:  # members read after they changed, beside a head from before
            return get_many(wanted)
        return get_many(wanted) | {key: item for key, item in before.items() if key.sk.startswith("members")}

    monkeypatch.setattr(a_group._db, "get_many", changing)
    found = a_group.conversations.get("g1")
    assert found is not None
    assert (found.participants, found.updated_at) == (("ana", "carlos", "dora"), at(2))


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
            stores[number].conversations.add_participants("g1", [user_id], now=at(1))

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

    ten = [f"person-{n}" for n in range(10)]
    eva = SaveUser(id=None, name="Eva", email="eva@example.com")
    measure("save a new user", lambda: users.save(eva, user_id="eva", now=START))
    measure("save a user unchanged", lambda: users.save(eva, user_id="eva", now=START))
    measure("remember when a user was seen", lambda: users.touch("eva", last_seen=START))
    measure("create a group of 10", lambda: conversations.create_group(group(*ten, id="ten")))
    measure("open a private conversation", lambda: conversations.open_private(private("ana", "eva", id="two")))
    measure("add a participant", lambda: conversations.add_participants("ten", ["ana"], now=START))
    measure("add another participant", lambda: conversations.add_participants("ten", ["eva"], now=START))
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
    measure("edit an older message", lambda: messages.edit(reply.id, content="hi", preview="hi", now=START))
    measure("delete a message with one reply", lambda: messages.delete(sent.id))
    measure("remove a participant", lambda: conversations.remove_participant("ten", "eva", now=START))
    for n in range(20):
        conversations.create_group(group("dora", *ten, id=f"twenty-{n}"))
    measure("list 20 conversations with their participants", lambda: conversations.inbox("dora"))
    measure("count what is unread in 20 conversations", lambda: conversations.marks("dora"))
    measure("list 4 users by name", lambda: users.list_by_name(limit=4))
    measure("purge 25 messages", lambda: messages.purge(limit=25))
    measure("delete a private conversation without messages", lambda: conversations.delete("two"))
    return measured


def test_costs_are_as_documented(engine: DynamoEngine, store: DynamoStore) -> None:
    text = (ROOT / "docs" / "operations-dynamodb.md").read_text()
    documented = dict(re.findall(r"^\| (.+?) \| (\d+ \| \d+ \| \d+) \|$", text, re.MULTILINE))
    measured = costs(engine, store)
    assert measured == documented, "\n" + "\n".join(f"| {name} | {cost} |" for name, cost in measured.items())

"""What ``ports.MessageStore`` promises, and ``ports.Store`` around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatapp.domain.calls import CallEnd, CallKind, CallSummary
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import (
    ConversationNotFound,
    IdempotencyKeyReused,
    InvalidData,
    MessageDeletedAlready,
    MessageNotFound,
    NotAParticipant,
    StoreUnavailable,
)
from chatapp.domain.models import Attachment, Conversation, LastMessage, Message, MessageType, Sender
from chatapp.ports import Deleted, Retracted, Store
from tests.contracts.builders import BAD_CURSORS, at, draft, failure, group, private, save_people, say, sender, together
from tests.fakes import START

PHOTO = Attachment("/api/files/photo.png", "photo.png", 1234, "image/png", "/api/files/photo-thumb.png")
PLAN = Attachment("/api/files/plan.pdf", "plan.pdf", 9, "application/pdf", None)


@pytest.fixture(autouse=True)
def _people_and_conversations(store: Store) -> None:
    save_people(store)
    store.conversations.create_group(group("ana", "bea", "carlos"))
    store.conversations.open_private(private("ana", "bea"))


def head(store: Store, conversation_id: str = "g1") -> Conversation:
    conversation = store.conversations.get(conversation_id)
    assert conversation is not None
    return conversation


def history(store: Store, conversation_id: str = "g1") -> list[Message]:
    return store.messages.history(conversation_id, limit=1000)


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages]


def unread(store: Store, user_id: str, conversation_id: str = "g1") -> int:
    return store.conversations.entry(conversation_id, user_id).unread_count


# ---------------------------------------------------------------- appending
def test_a_message_is_numbered_and_stored_whole(store: Store) -> None:
    given = draft("look at this 🎸", by="bea", file=PHOTO, key="k1", seconds=1.234)

    appended = store.messages.append(given, fingerprint="f")

    assert appended.message == replace(given, seq=1, rev=1)
    assert not appended.duplicate
    assert store.messages.get(given.id) == appended.message
    assert history(store) == [appended.message]


@pytest.mark.parametrize(
    "file",
    [
        Attachment("/api/files/a.bin"),
        Attachment("https://elsewhere.test/ñ.bin?x=1&y=2", "ñ.bin", 0, "application/octet-stream", None),
        Attachment("/api/files/huge.bin", "huge.bin", 2**53, "", "/t"),
    ],
)
def test_an_attachment_comes_back_as_it_went_in(store: Store, file: Attachment) -> None:
    sent = say(store, draft("file", file=file))
    found = store.messages.get(sent.id)
    assert found is not None
    assert found.attachment == file


@pytest.mark.parametrize(
    "content",
    [
        "",
        " ",
        "\n",
        "名前 🎸 👩‍👩‍👧",
        "e\u0301 ≠ é",
        "'; DROP TABLE messages; --",
        "%_\\",
        "\u202eabc",
        "{}",
        "x" * 16_384,
    ],
)
def test_content_comes_back_as_it_went_in(store: Store, content: str) -> None:
    sent = say(store, draft(content, key=content or "empty"))
    found = store.messages.get(sent.id)
    assert found is not None
    assert (found.content, found.client_message_id) == (content, content or "empty")


@pytest.mark.parametrize("kind", list(MessageType))
def test_the_kind_of_message_is_kept(store: Store, kind: MessageType) -> None:
    sent = say(store, draft("voice", file=PLAN, kind=kind))
    found = store.messages.get(sent.id)
    assert found is not None
    assert found.message_type is kind


def test_an_unknown_message_is_none(store: Store) -> None:
    assert store.messages.get("nothing") is None


def test_the_answer_has_the_head_after_the_message(store: Store) -> None:
    say(store, "one")
    given = draft("two", by="bea", seconds=7)
    appended = store.messages.append(given, fingerprint="f")
    assert appended.conversation.id == "g1"
    assert appended.conversation.last_seq == 2
    assert appended.conversation.last == LastMessage(given.id, "bea", "two", at(7))
    assert head(store).last == appended.conversation.last
    assert head(store).last_seq == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (draft("short"), "short"),
        (draft("x" * 100), "x" * 100),
        (draft("x" * 101), "x" * 99 + "…"),
        (draft("🎸" * 300), "🎸" * 99 + "…"),
        (draft('{"fileUrl": "/x"}', file=PHOTO), "Archivo: photo.png"),
        (draft("", file=PHOTO, kind=MessageType.AUDIO), "Audio: photo.png"),
        (draft("", file=Attachment("/api/files/no-name.bin")), "Archivo: no-name.bin"),
        (draft("", file=Attachment("/f", "n" * 200)), "Archivo: " + "n" * 90 + "…"),
        (draft("a text with a link", file=PHOTO, kind=MessageType.TEXT), "a text with a link"),
    ],
)
def test_the_head_has_a_preview_of_the_newest_message(store: Store, given: Message, shown: str) -> None:
    assert store.messages.append(given, fingerprint="f").conversation.last_message == shown
    assert head(store).last_message == shown


def test_each_conversation_has_its_own_numbers(store: Store) -> None:
    numbers = [say(store, "hi", to=to).seq for to in ("g1", "p1", "g1", "g1", "p1")]
    assert numbers == [1, 1, 2, 3, 2]


# ---------------------------------------------------------------- who may, and to whom
def test_only_participants_of_a_conversation_that_exists_send(store: Store) -> None:
    with pytest.raises(NotAParticipant):
        say(store, "let me in", by="dora")
    with pytest.raises(ConversationNotFound):
        say(store, "anyone?", to="nothing")
    assert history(store) == []
    assert head(store).last is None


@pytest.mark.parametrize(("by", "other"), [("ana", "bea"), ("bea", "ana")])
@pytest.mark.parametrize("named", [True, False])
def test_the_recipient_of_a_private_message_is_the_other_side(store: Store, by: str, other: str, named: bool) -> None:
    sent = say(store, draft("psst", by=by, to="p1", recipient_id=other if named else None))
    assert sent.recipient_id == other
    assert history(store, "p1") == [sent]


def test_a_group_message_has_no_recipient(store: Store) -> None:
    assert say(store, "hi all").recipient_id is None
    assert history(store)[0].recipient_id is None


@pytest.mark.parametrize("recipient_id", ["carlos", "ana", "nobody", ""])
def test_a_private_message_to_somebody_else_is_refused(store: Store, recipient_id: str) -> None:
    with pytest.raises(InvalidData) as refused:
        say(store, draft("psst", to="p1", recipient_id=recipient_id, key="k1"))
    assert type(refused.value) is InvalidData
    assert "recipientId" in refused.value.details["fields"]
    assert history(store, "p1") == []
    assert not store.messages.append(draft("psst", to="p1", key="k1"), fingerprint="f").duplicate


# ---------------------------------------------------------------- numbering
def test_many_senders_at_once_leave_no_gap(store: Store) -> None:
    drafts = [draft(f"{by} {n}", by=by) for n in range(40) for by in ("ana", "bea", "carlos")]
    sent = together([lambda d=d: say(store, d) for d in drafts])
    assert sorted(seqs(sent)) == list(range(1, 121))
    assert history(store) == sorted(sent, key=lambda message: message.seq)
    assert head(store).last_seq == 120
    assert head(store).last_message == history(store)[-1].content


def test_each_senders_own_messages_keep_their_order(store: Store) -> None:
    def talk(by: str) -> list[int]:
        return [say(store, f"{by} {n}", by=by).seq for n in range(15)]

    for numbers in together([lambda by=by: talk(by) for by in ("ana", "bea", "carlos")]):
        assert numbers == sorted(numbers)
    assert seqs(history(store)) == list(range(1, 46))


def test_calls_return_in_the_order_of_their_numbers(store: Store) -> None:
    returned: list[int] = []
    together([lambda n=n: returned.append(say(store, f"{n}").seq) for n in range(100)])
    assert returned == list(range(1, 101))


def test_a_refused_message_takes_no_number(store: Store) -> None:
    say(store, draft("first", key="k1"))
    refusals = [
        draft("let me in", by="dora"),
        draft("other content", key="k1"),
        draft("psst", to="p1", recipient_id="carlos"),
    ]
    assert all(failure(lambda d=d: say(store, d)) for d in refusals)
    assert say(store, "second").seq == 2
    assert say(store, "psst", to="p1").seq == 1


def test_refused_messages_among_many_leave_no_gap(store: Store) -> None:
    drafts = [draft(f"{n}", by="dora" if n % 3 == 0 else "ana") for n in range(60)]
    outcomes = together([lambda d=d: failure(lambda: say(store, d)) for d in drafts])
    assert sum(isinstance(outcome, NotAParticipant) for outcome in outcomes) == 20
    assert outcomes.count(None) == 40
    assert seqs(history(store)) == list(range(1, 41))


# ---------------------------------------------------------------- the same message again
def test_a_retry_returns_the_first_message(store: Store) -> None:
    first = say(store, draft("hello", key="k1", seconds=1))
    say(store, "meanwhile", by="bea")

    again = store.messages.append(draft("hello", key="k1", seconds=9), fingerprint="hello")

    assert again.duplicate
    assert again.message == first
    assert again.conversation.last_seq == 2
    assert [message.content for message in history(store)] == ["hello", "meanwhile"]
    assert head(store).last_message == "meanwhile"


def test_a_retry_is_not_activity_and_reads_nothing(store: Store) -> None:
    say(store, draft("hello", key="k1", seconds=1))
    say(store, "meanwhile", by="bea", seconds=2)
    before = store.conversations.entry("g1", "ana")
    say(store, draft("hello", key="k1", seconds=9))
    assert store.conversations.entry("g1", "ana") == before
    assert before.unread_count == 1


def test_a_key_with_other_content_is_refused_and_writes_nothing(store: Store) -> None:
    first = say(store, draft("hello", key="k1"))
    before = head(store)
    with pytest.raises(IdempotencyKeyReused):
        store.messages.append(draft("other", key="k1"), fingerprint="other")
    assert history(store) == [first]
    assert head(store) == before
    assert store.messages.append(draft("hello", key="k1"), fingerprint="hello").duplicate


def test_the_fingerprint_decides_what_the_same_content_is(store: Store) -> None:
    first = store.messages.append(draft("hello", key="k1"), fingerprint="same").message
    again = store.messages.append(draft("", file=PHOTO, key="k1"), fingerprint="same")
    assert (again.duplicate, again.message) == (True, first)
    with pytest.raises(IdempotencyKeyReused):
        store.messages.append(draft("hello", key="k1"), fingerprint="another")


def test_messages_without_a_key_are_never_the_same(store: Store) -> None:
    say(store, "hello")
    say(store, "hello")
    assert seqs(history(store)) == [1, 2]


def test_a_key_belongs_to_one_sender_in_one_conversation(store: Store) -> None:
    sent = [
        say(store, draft(f"{by} in {to}", by=by, to=to, key="k1"))
        for by, to in (("ana", "g1"), ("bea", "g1"), ("ana", "p1"), ("bea", "p1"))
    ]
    assert [(message.conversation_id, message.seq) for message in sent] == [("g1", 1), ("g1", 2), ("p1", 1), ("p1", 2)]


@pytest.mark.parametrize("key", ["K1", "k1 ", "k2", "κ1"])
def test_keys_are_compared_exactly(store: Store, key: str) -> None:
    say(store, draft("hello", key="k1"))
    assert say(store, draft("hello", key=key)).seq == 2


def test_retries_at_once_store_one_message(store: Store) -> None:
    drafts = [draft("hello", key="k1", seconds=n) for n in range(20)]
    appended = together([lambda d=d: store.messages.append(d, fingerprint="f") for d in drafts])
    assert [outcome.duplicate for outcome in appended].count(False) == 1
    assert len({outcome.message for outcome in appended}) == 1
    assert history(store) == [appended[0].message]


def test_of_two_contents_under_one_key_at_once_one_wins(store: Store) -> None:
    drafts = [draft("heads" if n % 2 else "tails", key="k1") for n in range(20)]
    outcomes = together([lambda d=d: failure(lambda: say(store, d)) for d in drafts])
    assert outcomes.count(None) == 10
    assert sum(isinstance(outcome, IdempotencyKeyReused) for outcome in outcomes) == 10
    assert len(history(store)) == 1


def test_a_retry_after_an_edit_returns_the_edited_message(store: Store) -> None:
    sent = say(store, draft("helo", key="k1"))
    edited, _ = store.messages.edit(sent.id, content="hello", preview="hello", now=at(5))
    again = store.messages.append(draft("helo", key="k1"), fingerprint="helo")
    assert (again.duplicate, again.message) == (True, edited)


def test_a_retry_after_deletion_returns_the_tombstone(store: Store) -> None:
    sent = say(store, draft("secret", key="k1", file=PHOTO))
    tombstone = store.messages.delete(sent.id).message
    again = store.messages.append(draft("secret", key="k1", file=PHOTO), fingerprint="secret")
    assert (again.duplicate, again.message) == (True, tombstone)
    assert history(store) == [tombstone]


@pytest.mark.parametrize(("to", "recipient_id"), [("g1", None), ("p1", "bea")])
def test_a_retry_after_purging_returns_a_tombstone(store: Store, to: str, recipient_id: str | None) -> None:
    say(store, "before", to=to)
    sent = say(store, draft("secret", key="k1", file=PHOTO, to=to, seconds=3))
    store.messages.purge(limit=25)

    again = store.messages.append(draft("secret", key="k1", file=PHOTO, to=to, seconds=9), fingerprint="secret")

    assert again.duplicate
    assert (again.message.id, again.message.seq, again.message.timestamp) == (sent.id, 2, at(3))
    assert (again.message.content, again.message.attachment, again.message.is_deleted) == ("", None, True)
    assert (again.message.sender, again.message.recipient_id) == (sender("ana"), recipient_id)
    assert again.message.client_message_id == "k1"
    assert history(store, to) == []
    assert say(store, "next", to=to).seq == 3


def test_a_key_is_remembered_after_purging_for_other_content_too(store: Store) -> None:
    say(store, draft("hello", key="k1"))
    store.messages.purge(limit=25)
    with pytest.raises(IdempotencyKeyReused):
        store.messages.append(draft("other", key="k1"), fingerprint="other")
    assert history(store) == []


def test_a_key_outlives_leaving_and_coming_back(store: Store) -> None:
    first = say(store, draft("hello", by="bea", key="k1"))
    store.conversations.remove_participant("g1", "bea", by="bea", now=at(1))
    with pytest.raises(NotAParticipant):
        say(store, draft("hello", by="bea", key="k1"))
    store.conversations.add_participants("g1", ["bea"], by="ana", now=at(2))
    again = store.messages.append(draft("hello", by="bea", key="k1"), fingerprint="hello")
    assert (again.duplicate, again.message) == (True, first)


# ---------------------------------------------------------------- unread
def test_a_message_is_unread_to_everyone_but_its_sender(store: Store) -> None:
    say(store, "one")
    say(store, "two")
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [0, 2, 2]
    entry = store.conversations.entry("g1", "ana")
    assert (entry.last_read_seq, entry.last_read_at) == (2, START)


def test_who_answers_has_read_what_came_before(store: Store) -> None:
    say(store, "one", by="ana")
    say(store, "two", by="bea", seconds=5)
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [1, 0, 2]
    assert store.conversations.entry("g1", "bea").last_read_at == at(5)


def test_editing_and_deleting_do_not_change_what_is_unread(store: Store) -> None:
    sent = say(store, "one")
    store.messages.edit(sent.id, content="uno", preview="uno", now=at(1))
    store.messages.delete(sent.id)
    assert [unread(store, user_id) for user_id in ("ana", "bea")] == [0, 1]


def test_reading_one_conversation_leaves_the_others_unread(store: Store) -> None:
    say(store, "in the group")
    say(store, "in private", to="p1")
    store.conversations.mark_read("g1", "bea", now=at(1))
    assert [unread(store, "bea", conversation_id) for conversation_id in ("g1", "p1")] == [0, 1]


# ---------------------------------------------------------------- editing
def test_an_edit_changes_content_and_says_when(store: Store) -> None:
    sent = say(store, draft("helo", key="k1"))
    edited, _ = store.messages.edit(sent.id, content="hello", preview="hello", now=at(5.5))
    assert edited == replace(sent, content="hello", is_edited=True, edited_at=at(5.5))
    assert store.messages.get(sent.id) == edited
    assert history(store) == [edited]


def test_the_last_edit_counts(store: Store) -> None:
    sent = say(store, "helo")
    for second, content in enumerate(("hell", "hello")):
        edited, _ = store.messages.edit(sent.id, content=content, preview=content, now=at(second))
    assert (edited.content, edited.edited_at) == ("hello", at(1))


def test_an_edit_shows_in_the_head_when_the_message_is_the_newest(store: Store) -> None:
    first, second = say(store, "one", seconds=1), say(store, "two", by="bea", seconds=2)
    before = head(store)
    store.messages.edit(first.id, content="uno", preview="uno", now=at(9))
    assert head(store) == replace(before, rev=3)
    store.messages.edit(second.id, content="dos", preview="d…", now=at(9))
    assert head(store).last == LastMessage(second.id, "bea", "d…", at(2))


def test_what_is_not_there_cannot_be_edited(store: Store) -> None:
    with pytest.raises(MessageNotFound):
        store.messages.edit("nothing", content="x", preview="x", now=START)
    tombstone = store.messages.delete(say(store, "oops").id).message
    with pytest.raises(MessageDeletedAlready):
        store.messages.edit(tombstone.id, content="x", preview="x", now=START)
    assert history(store) == [tombstone]
    assert head(store).last_message == ""


# ---------------------------------------------------------------- deleting
def test_a_deleted_message_leaves_a_tombstone(store: Store) -> None:
    sent = say(store, draft("secret", file=PHOTO, key="k1"))
    after = say(store, "after")

    tombstone = replace(sent, content="", attachment=None, is_deleted=True)
    assert store.messages.delete(sent.id) == Retracted(tombstone, Deleted(None, 1, (PHOTO,)), rev=3)
    assert store.messages.get(sent.id) == tombstone
    assert history(store) == [tombstone, after]
    assert say(store, "next").seq == 3


def test_an_edited_message_stays_edited_as_a_tombstone(store: Store) -> None:
    sent = say(store, "helo")
    store.messages.edit(sent.id, content="hello", preview="hello", now=at(5))
    tombstone = store.messages.delete(sent.id).message
    assert (tombstone.content, tombstone.is_deleted) == ("", True)


def test_deleting_again_is_fine_and_deletes_nothing(store: Store) -> None:
    sent = say(store, draft("secret", file=PHOTO))
    tombstone = store.messages.delete(sent.id).message
    assert store.messages.delete(sent.id) == Retracted(tombstone, Deleted(None, 0, ()), rev=0)


def test_of_many_deletions_at_once_one_deletes(store: Store) -> None:
    sent = say(store, draft("secret", file=PHOTO))
    outcomes = together([lambda: store.messages.delete(sent.id) for _ in range(10)])
    assert sorted(outcome.gone.messages for outcome in outcomes) == [0] * 9 + [1]
    assert sum(len(outcome.gone.attachments) for outcome in outcomes) == 1
    assert len({outcome.message for outcome in outcomes}) == 1


def test_what_is_not_there_cannot_be_deleted(store: Store) -> None:
    with pytest.raises(MessageNotFound):
        store.messages.delete("nothing")


def test_a_deleted_message_is_not_shown_in_the_head(store: Store) -> None:
    first, second = say(store, "one", seconds=1), say(store, "two", seconds=2)
    store.messages.delete(first.id)
    assert head(store).last_message == "two"
    store.messages.delete(second.id)
    assert head(store).last == LastMessage(second.id, "ana", "", at(2))
    assert head(store).last_seq == 2
    assert say(store, "three").seq == 3
    assert head(store).last_message == "three"


def test_a_deleted_message_is_not_shown_where_it_is_quoted(store: Store) -> None:
    secret, other = say(store, "secret"), say(store, "other")
    quoting = [say(store, draft(f"re {n}", by="bea", reply_to=secret)) for n in range(3)]
    kept = say(store, draft("re other", reply_to=other))
    assert {message.reply_preview for message in quoting} == {"secret"}

    store.messages.delete(secret.id)

    assert [message.reply_preview for message in store.messages.replies(secret.id)] == ["", "", ""]
    assert [message.reply_to for message in store.messages.replies(secret.id)] == [secret.id] * 3
    assert [message.content for message in store.messages.replies(secret.id)] == ["re 0", "re 1", "re 2"]
    assert store.messages.get(kept.id) == kept


def test_a_reply_can_be_deleted_too(store: Store) -> None:
    original = say(store, "original")
    reply = say(store, draft("reply", reply_to=original))
    tombstone = store.messages.delete(reply.id).message
    assert store.messages.replies(original.id) == [tombstone]
    assert tombstone.is_reply
    assert store.messages.get(original.id) == original


# ---------------------------------------------------------------- files
def test_a_file_is_gone_with_the_last_message_that_shows_it(store: Store) -> None:
    first = say(store, draft("photo", file=PHOTO))
    second = say(store, draft("photo again", file=PHOTO, to="p1"))
    assert store.messages.refers_to_file(PHOTO.url)
    assert store.messages.delete(first.id).gone.attachments == ()
    assert store.messages.refers_to_file(PHOTO.url)
    assert store.messages.delete(second.id).gone.attachments == (PHOTO,)
    assert not store.messages.refers_to_file(PHOTO.url)


@pytest.mark.parametrize("url", ["/api/files/", "/api/files/photo", "/api/files/PHOTO.png", "%", "", "photo.png"])
def test_a_file_is_known_by_its_whole_url(store: Store, url: str) -> None:
    say(store, draft("photo", file=PHOTO))
    assert not store.messages.refers_to_file(url)


def test_a_thumbnail_alone_is_no_reference(store: Store) -> None:
    say(store, draft("photo", file=PHOTO))
    assert PHOTO.thumbnail_url is not None
    assert not store.messages.refers_to_file(PHOTO.thumbnail_url)


def test_a_file_is_shown_to_whoever_is_in_a_conversation_that_carries_it(store: Store) -> None:
    say(store, draft("photo", file=PHOTO))
    assert [user_id for user_id in ("ana", "bea", "carlos", "dora") if shows(store, user_id)] == [
        "ana",
        "bea",
        "carlos",
    ]
    assert not store.messages.shows_file([PLAN.url], user_id="ana")
    assert store.messages.shows_file([PLAN.url, PHOTO.url], user_id="ana")
    assert not store.messages.shows_file([], user_id="ana")


def test_who_leaves_is_shown_no_file_and_who_comes_is(store: Store) -> None:
    say(store, draft("photo", file=PHOTO))
    store.conversations.remove_participant("g1", "carlos", by="ana", now=at(1))
    store.conversations.add_participants("g1", ["dora"], by="ana", now=at(2))
    assert not shows(store, "carlos")
    assert shows(store, "dora")


def test_one_conversation_that_carries_a_file_is_enough(store: Store) -> None:
    first = say(store, draft("photo", file=PHOTO))
    say(store, draft("photo again", file=PHOTO, to="p1"))
    store.messages.delete(first.id)
    assert (shows(store, "bea"), shows(store, "carlos")) == (True, False)


def test_a_file_in_more_messages_than_are_looked_at_at_once_is_found_in_the_last(store: Store) -> None:
    for number in range(120):
        store.conversations.create_group(group("dora", id=f"other-{number}"))
        say(store, draft("photo", file=PHOTO, by="dora", to=f"other-{number}"))
    assert not shows(store, "bea")
    say(store, draft("photo", file=PHOTO))
    assert shows(store, "bea")


def test_what_is_deleted_or_purged_shows_nothing(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g2"))
    say(store, draft("photo", file=PHOTO, to="g2"))
    store.conversations.delete("g2")
    assert not shows(store, "ana")
    say(store, draft("photo", file=PHOTO))
    store.messages.purge(limit=10)
    assert not shows(store, "ana")


def shows(store: Store, user_id: str) -> bool:
    return store.messages.shows_file([PHOTO.url], user_id=user_id)


# ---------------------------------------------------------------- history
@pytest.fixture
def ten(store: Store) -> list[Message]:
    say(store, "elsewhere", to="p1")
    return [say(store, f"{n}", by=("ana", "bea")[n % 2]) for n in range(1, 11)]


@pytest.mark.parametrize(
    ("limit", "before", "after", "expected"),
    [
        (100, None, None, list(range(1, 11))),
        (10, None, None, list(range(1, 11))),
        (3, None, None, [8, 9, 10]),
        (1, None, None, [10]),
        (3, 8, None, [5, 6, 7]),
        (3, 3, None, [1, 2]),
        (3, 1, None, []),
        (3, 0, None, []),
        (3, 11, None, [8, 9, 10]),
        (3, 2**63 - 1, None, [8, 9, 10]),
        (3, None, 0, [1, 2, 3]),
        (3, None, 5, [6, 7, 8]),
        (3, None, 8, [9, 10]),
        (3, None, 10, []),
        (3, None, 99, []),
        (3, None, 2**63 - 1, []),
        (100, None, 3, list(range(4, 11))),
        (100, 7, 3, [4, 5, 6]),
        (2, 7, 3, [4, 5]),
        (9, 4, 3, []),
    ],
)
def test_history_is_oldest_first_next_to_where_it_was_asked(
    store: Store, ten: list[Message], limit: int, before: int | None, after: int | None, expected: list[int]
) -> None:
    found = store.messages.history("g1", limit=limit, before=before, after=after)
    assert found == [ten[seq - 1] for seq in expected]


def test_pages_backwards_and_forwards_hold_everything_once(store: Store, ten: list[Message]) -> None:
    backwards: list[Message] = []
    while page := store.messages.history("g1", limit=3, before=backwards[0].seq if backwards else None):
        assert len(backwards) < 10, "a page that comes again"
        backwards = page + backwards
    forwards: list[Message] = []
    while page := store.messages.history("g1", limit=3, after=forwards[-1].seq if forwards else 0):
        assert len(forwards) < 10, "a page that comes again"
        forwards += page
    assert backwards == forwards == ten


def test_history_is_of_one_conversation(store: Store, ten: list[Message]) -> None:
    assert [message.content for message in history(store, "p1")] == ["elsewhere"]
    assert history(store, "nothing") == []


def test_replies_are_oldest_first(store: Store) -> None:
    original, other = say(store, "original"), say(store, "other")
    replies = []
    for n in range(4):
        replies.append(say(store, draft(f"reply {n}", by=("ana", "bea")[n % 2], reply_to=original)))
        say(store, draft(f"no reply {n}", reply_to=other))
    assert store.messages.replies(original.id) == replies
    assert all(reply.is_reply and reply.reply_preview == "original" for reply in replies)
    assert store.messages.replies(replies[0].id) == store.messages.replies("nothing") == []


# ---------------------------------------------------------------- listing all
def test_every_message_is_listed_conversation_by_conversation(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g0"))
    for n, to in enumerate(["p1", "g1", "g0", "g1", "p1", "g0", "g1"]):
        say(store, f"{n}", to=to)
    pages, cursor = [], None
    while True:
        page = store.messages.list_all(limit=3, cursor=cursor)
        pages.append([(message.conversation_id, message.seq) for message in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [place for page in pages for place in page]
    expected = {"g0": [1, 2], "g1": [1, 2, 3], "p1": [1, 2]}
    assert len(listed) == len(set(listed)) == 7
    for conversation_id, numbers in expected.items():
        assert [seq for listed_id, seq in listed if listed_id == conversation_id] == numbers
    # "conversation by conversation": once left, a conversation does not come again
    order = [listed_id for n, (listed_id, _) in enumerate(listed) if n == 0 or listed[n - 1][0] != listed_id]
    assert len(order) == 3


def test_the_last_page_has_no_cursor_even_when_it_is_full(store: Store) -> None:
    assert store.messages.list_all(limit=2).items == []
    sent = [say(store, f"{n}") for n in range(2)]
    page = store.messages.list_all(limit=2)
    assert (list(page.items), page.next_cursor) == (sent, None)


def test_tombstones_are_listed_and_purged_messages_are_not(store: Store) -> None:
    say(store, "one")
    two = say(store, "two")
    tombstone = store.messages.delete(two.id).message
    assert store.messages.list_all(limit=9).items[1] == tombstone
    store.messages.purge(limit=1)
    assert list(store.messages.list_all(limit=9).items) == [tombstone]


def test_a_cursor_outlives_what_it_points_at(store: Store) -> None:
    for n in range(4):
        say(store, f"{n}")
    cursor = store.messages.list_all(limit=2).next_cursor
    store.messages.purge(limit=2)
    assert seqs(list(store.messages.list_all(limit=9, cursor=cursor).items)) == [3, 4]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_cursor_of_somebody_else_is_refused(store: Store, cursor: str) -> None:
    say(store, "one")
    with pytest.raises(InvalidData) as refused:
        store.messages.list_all(limit=10, cursor=cursor)
    assert "cursor" in refused.value.details["fields"]


def test_a_cursor_of_the_conversations_is_refused(store: Store) -> None:
    cursor = store.conversations.list_all(limit=1).next_cursor
    assert cursor is not None
    with pytest.raises(InvalidData):
        store.messages.list_all(limit=10, cursor=cursor)


# ---------------------------------------------------------------- purging
def test_purging_removes_up_to_a_number_and_says_how_many(store: Store) -> None:
    for n in range(5):
        say(store, f"{n}", to=("g1", "p1")[n % 2])
    counts = [store.messages.purge(limit=2).messages for _ in range(4)]
    assert counts == [2, 2, 1, 0]
    assert history(store) == history(store, "p1") == []
    assert store.messages.list_all(limit=10).items == []
    assert store.messages.purge(limit=25) == Deleted(None, 0, ())


def test_numbering_goes_on_after_purging(store: Store) -> None:
    for n in range(3):
        say(store, f"{n}")
    store.messages.purge(limit=25)
    assert head(store).last_seq == 3
    assert say(store, "next").seq == 4
    store.messages.purge(limit=25)
    assert say(store, "next").seq == 5


def test_nothing_purged_is_unread(store: Store) -> None:
    for n in range(5):
        say(store, f"{n}")
    store.conversations.mark_read("g1", "bea", now=at(1))
    say(store, "six")
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [0, 1, 6]

    store.messages.purge(limit=2)
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [0, 1, 4]
    assert seqs(history(store)) == [3, 4, 5, 6]

    store.messages.purge(limit=25)
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [0, 0, 0]
    say(store, "seven")
    assert [unread(store, user_id) for user_id in ("ana", "bea", "carlos")] == [0, 1, 1]


def test_purging_does_not_say_that_anyone_read(store: Store) -> None:
    say(store, "one")
    store.messages.purge(limit=25)
    assert store.conversations.entry("g1", "bea").last_read_at is None


def test_a_purged_message_is_not_shown_in_the_head(store: Store) -> None:
    say(store, "one")
    say(store, "two")
    store.messages.purge(limit=1)
    assert head(store).last_message == "two"
    store.messages.purge(limit=1)
    assert (head(store).last, head(store).last_seq) == (None, 2)


def test_purging_takes_tombstones_and_names_the_files_that_are_free(store: Store) -> None:
    deleted = say(store, draft("plan", file=PLAN))
    store.messages.delete(deleted.id)
    say(store, draft("photo", file=PHOTO))
    say(store, draft("photo again", file=PHOTO))

    first = store.messages.purge(limit=2)
    assert (first.messages, first.attachments) == (2, ())
    second = store.messages.purge(limit=2)
    assert (second.messages, second.attachments) == (1, (PHOTO,))


def test_a_file_purged_twice_at_once_is_named_once(store: Store) -> None:
    say(store, draft("photo", file=PHOTO))
    say(store, draft("photo again", file=PHOTO))
    assert store.messages.purge(limit=25).attachments == (PHOTO,)


def test_a_purged_message_is_gone(store: Store) -> None:
    original = say(store, "original")
    say(store, draft("reply", reply_to=original))
    store.messages.purge(limit=25)
    assert store.messages.get(original.id) is None
    assert store.messages.replies(original.id) == []
    with pytest.raises(MessageNotFound):
        store.messages.edit(original.id, content="x", preview="x", now=START)
    with pytest.raises(MessageNotFound):
        store.messages.delete(original.id)


def test_purges_at_once_remove_each_message_once(store: Store) -> None:
    for n in range(30):
        say(store, f"{n}")
    counts = together([lambda: store.messages.purge(limit=4).messages for _ in range(10)])
    assert sum(counts) == 30
    assert history(store) == []


# ---------------------------------------------------------------- senders
def test_a_message_shows_its_senders_current_profile(store: Store) -> None:
    original = say(store, draft("hello", by="bea", key="k1"))
    reply = say(store, draft("reply", by="bea", reply_to=original))
    store.users.save(SaveUser(id="bea", name="Bea N.", email="b@example.com"), user_id="bea", now=at(5))
    store.users.set_avatar("bea", "/api/files/bea.png", now=at(6))
    now = Sender("bea", "Bea N.", "/api/files/bea.png")

    assert [message.sender for message in history(store)] == [now, now]
    assert [message.sender for message in store.messages.replies(original.id)] == [now]
    assert [message.sender for message in store.messages.list_all(limit=9).items] == [now, now]
    found = store.messages.get(original.id)
    assert found is not None
    assert found.sender == now
    assert store.messages.append(draft("hello", by="bea", key="k1"), fingerprint="hello").message.sender == now
    assert store.messages.edit(original.id, content="x", preview="x", now=at(7))[0].sender == now
    assert store.messages.delete(reply.id).message.sender == now


def test_messages_of_a_deleted_user_keep_the_name(store: Store) -> None:
    sent = say(store, "hello", by="bea")
    store.users.delete("bea")
    found = store.messages.get(sent.id)
    assert found is not None
    assert (found.sender.id, found.sender.name) == ("bea", sender("bea").name)
    assert [message.sender.name for message in history(store)] == [sender("bea").name]


# ---------------------------------------------------------------- the store around them
def test_a_store_that_is_open_answers(store: Store) -> None:
    store.check()


def test_a_closed_store_does_nothing_any_more(store: Store) -> None:
    sent = say(store, "hello")
    store.close()
    store.close()
    for call in (
        store.check,
        lambda: store.users.get("ana"),
        lambda: store.users.touch("ana", last_seen=START),
        lambda: store.conversations.get("g1"),
        lambda: store.conversations.mark_read("g1", "ana", now=START),
        lambda: store.messages.get(sent.id),
        lambda: say(store, "too late"),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_what_was_accepted_before_closing_is_finished(store: Store) -> None:
    drafts = [draft(f"{n}") for n in range(50)]
    *sent, _ = together([*(lambda d=d: say(store, d) for d in drafts), store.close])
    assert seqs(sent) == list(range(1, 51))


# ---------------------------------------------------------------- repeated sends, looked up
def test_a_repeated_send_is_found_without_sending(store: Store) -> None:
    first = say(store, draft("hello", key="k"))
    assert store.messages.find_repeated(draft("hello", key="k"), fingerprint="hello") == first
    assert store.messages.history("g1", limit=10) == [first]


def test_a_purged_one_is_found_as_a_tombstone(store: Store) -> None:
    first = say(store, draft("hello", key="k"))
    store.messages.purge(limit=10)
    found = store.messages.find_repeated(draft("hello", key="k"), fingerprint="hello")
    assert found is not None
    assert (found.id, found.seq, found.content, found.is_deleted) == (first.id, 1, "", True)


@pytest.mark.parametrize(("key", "to"), [("other", "g1"), (None, "g1"), ("k", "none")])
def test_a_new_send_is_not_found(store: Store, key: str | None, to: str) -> None:
    say(store, draft("hello", key="k"))
    say(store, draft("without a key"))
    assert store.messages.find_repeated(draft("hello", key=key, to=to), fingerprint="hello") is None


def test_looking_up_a_key_with_other_content_is_refused(store: Store) -> None:
    say(store, draft("hello", key="k"))
    with pytest.raises(IdempotencyKeyReused):
        store.messages.find_repeated(draft("bye", key="k"), fingerprint="bye")


# ---------------------------------------------------------------- calls
def test_a_message_of_a_call_comes_back_as_it_went_in_and_its_tombstone_says_nothing(store: Store) -> None:
    summary = CallSummary("call1", CallEnd.MISSED, 0, CallKind.VIDEO, ("ana",))
    draft_ = replace(draft("Videollamada perdida", kind=MessageType.CALL, key="call1"), call=summary)
    sent = say(store, draft_)
    assert (sent.call, sent.message_type) == (summary, MessageType.CALL)
    assert store.messages.get(sent.id) == sent
    assert store.messages.history("g1", limit=10) == [sent]
    tombstone = store.messages.delete(sent.id).message
    assert (tombstone.call, tombstone.is_deleted) == (None, True)
    assert store.messages.get(sent.id) == tombstone

"""What ``ports.ConversationStore`` promises."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import pytest

from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import ChatError, ConversationNotFound, InvalidData, NotAGroup, NotAParticipant
from chatapp.domain.models import Attachment, Conversation, ConversationType
from chatapp.ports import Departure, ReadMark, Store
from tests.contracts.builders import BAD_CURSORS, at, draft, failure, group, private, save_people, say, together
from tests.fakes import START

PHOTO = Attachment("/api/files/photo.png", "photo.png", 1234, "image/png", "/api/files/photo-thumb.png")
PLAN = Attachment("/api/files/plan.pdf", "plan.pdf", 9, "application/pdf", None)


@pytest.fixture(autouse=True)
def _people(store: Store) -> None:
    save_people(store)


def require(store: Store, conversation_id: str) -> Conversation:
    conversation = store.conversations.get(conversation_id)
    assert conversation is not None
    return conversation


def unread(store: Store, conversation_id: str, user_id: str) -> int:
    return store.conversations.entry(conversation_id, user_id).unread_count


def inbox_ids(store: Store, user_id: str) -> list[str]:
    return [entry.conversation.id for entry in store.conversations.inbox(user_id)]


# ---------------------------------------------------------------- groups
def test_a_group_is_stored_as_given(store: Store) -> None:
    given = group("carlos", "ana", "bea")
    assert store.conversations.create_group(given) == given
    assert store.conversations.get("g1") == given
    assert given.participants == ("carlos", "ana", "bea")


def test_a_group_may_have_no_description_and_one_member(store: Store) -> None:
    given = Conversation("g1", ConversationType.GROUP, "Solo ' 名前", None, ("ana",), "ana", START, START)
    store.conversations.create_group(given)
    assert store.conversations.get("g1") == given


def test_an_unknown_conversation_is_none(store: Store) -> None:
    assert store.conversations.get("nothing") is None


def test_two_groups_of_the_same_people_are_two(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1"))
    store.conversations.create_group(group("ana", "bea", id="g2"))
    assert sorted(inbox_ids(store, "ana")) == ["g1", "g2"]


# ---------------------------------------------------------------- private conversations
def test_the_first_call_makes_the_private_conversation(store: Store) -> None:
    given = private("bea", "ana")
    conversation, created = store.conversations.open_private(given)
    assert created
    assert conversation == given == store.conversations.get("p1")


@pytest.mark.parametrize("pair", [("ana", "bea"), ("bea", "ana")])
def test_a_later_call_gets_the_same_whatever_the_order(store: Store, pair: tuple[str, str]) -> None:
    first, _ = store.conversations.open_private(private("ana", "bea", id="first"))
    say(store, "hi", to="first")
    again, created = store.conversations.open_private(private(*pair, id="second", created_at=at(9)))
    assert not created
    assert again == require(store, first.id)
    assert again.last_seq == 1
    assert store.conversations.get("second") is None
    assert inbox_ids(store, "ana") == ["first"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ana", "bea"), ("ana", "carlos")),
        (("a,b", "c"), ("a", "b,c")),
        (('a", "b', "c"), ("a", 'b", "c')),
        (("ab", "c"), ("a", "bc")),
        (("a#b", "c"), ("a", "b#c")),
        (("a:b", "c"), ("a", "b:c")),
        (("Ana", "bea"), ("ana", "bea")),
    ],
)
def test_other_pairs_have_other_conversations(store: Store, one: tuple[str, str], other: tuple[str, str]) -> None:
    assert store.conversations.open_private(private(*one, id="p1"))[1]
    assert store.conversations.open_private(private(*other, id="p2"))[1]
    assert require(store, "p1").participants == one
    assert require(store, "p2").participants == other


def test_a_group_of_two_is_no_private_conversation(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    conversation, created = store.conversations.open_private(private("ana", "bea"))
    assert created
    assert conversation.type is ConversationType.PRIVATE


def test_twenty_at_once_in_any_order_open_one_private_conversation(store: Store) -> None:
    drafts = [private(*(("ana", "bea") if n % 2 else ("bea", "ana")), id=f"p{n:02}") for n in range(20)]
    outcomes = together([lambda d=d: store.conversations.open_private(d) for d in drafts])
    assert len({conversation.id for conversation, _ in outcomes}) == 1
    assert [created for _, created in outcomes].count(True) == 1
    assert len(inbox_ids(store, "ana")) == len(inbox_ids(store, "bea")) == 1
    assert len(store.conversations.list_all(limit=100).items) == 1


def test_a_deleted_private_conversation_can_be_opened_again(store: Store) -> None:
    store.conversations.open_private(private("ana", "bea", id="old"))
    say(store, "hi", to="old")
    store.conversations.delete("old")
    fresh, created = store.conversations.open_private(private("bea", "ana", id="new"))
    assert created
    assert (fresh.id, fresh.last_seq) == ("new", 0)


# ---------------------------------------------------------------- a member's view
def test_an_entry_is_the_head_with_the_members_marks(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    sent = say(store, "hi", by="ana", seconds=5)

    entry = store.conversations.entry("g1", "bea")

    assert (entry.user_id, entry.joined_at, entry.last_read_seq, entry.last_read_at) == ("bea", START, 0, None)
    assert entry.unread_count == 1
    head = entry.conversation
    assert (head.id, head.name, head.created_by, head.last_seq) == ("g1", "Group g1", "ana", 1)
    assert (head.last_message, head.last_message_at) == ("hi", at(5))
    assert head.last is not None
    assert (head.last.id, head.last.sender_id) == (sent.id, "ana")


def test_an_entry_needs_the_conversation_and_the_member(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    with pytest.raises(ConversationNotFound):
        store.conversations.entry("nothing", "ana")
    with pytest.raises(NotAParticipant):
        store.conversations.entry("g1", "carlos")


def test_an_inbox_has_the_latest_activity_first(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1", created_at=at(1)))
    store.conversations.create_group(group("ana", "bea", id="g2", created_at=at(2)))
    store.conversations.open_private(private("bea", "ana", id="p1", created_at=at(3)))
    store.conversations.create_group(group("carlos", "bea", id="g3", created_at=at(4)))
    assert inbox_ids(store, "ana") == ["p1", "g2", "g1"]

    say(store, "hi", to="g1", seconds=10)
    assert inbox_ids(store, "ana") == ["g1", "p1", "g2"]

    say(store, "hi", to="g2", by="bea", seconds=11)
    assert inbox_ids(store, "ana") == ["g2", "g1", "p1"]
    assert inbox_ids(store, "bea") == ["g2", "g1", "g3", "p1"]


def test_reading_and_joining_are_no_activity(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1", created_at=at(1)))
    store.conversations.create_group(group("ana", "bea", id="g2", created_at=at(2)))
    say(store, "hi", to="g2", seconds=3)
    store.conversations.mark_read("g1", "ana", now=at(4))
    store.conversations.add_participants("g1", ["carlos"], by="ana", now=at(5))
    assert inbox_ids(store, "ana") == ["g2", "g1"]


def test_an_inbox_has_participants_previews_and_unread_counts(store: Store) -> None:
    store.conversations.create_group(group("carlos", "ana", "bea"))
    store.conversations.open_private(private("bea", "ana", created_at=at(-1)))
    say(store, "one", by="carlos")
    say(store, "two", by="carlos")

    in_group, in_private = store.conversations.inbox("ana")

    assert in_group.conversation == require(store, "g1")
    assert in_group.conversation.participants == ("carlos", "ana", "bea")
    assert (in_group.user_id, in_group.unread_count, in_group.conversation.last_message) == ("ana", 2, "two")
    assert in_private.conversation.participants == ("bea", "ana")
    assert in_private.unread_count == 0


def test_nobodys_inbox_is_empty(store: Store) -> None:
    assert store.conversations.inbox("nobody") == []
    assert store.conversations.marks("nobody") == []


def test_marks_are_the_inbox_without_participants(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1"))
    store.conversations.create_group(group("bea", "ana", id="g2"))
    store.conversations.open_private(private("ana", "bea"))
    store.conversations.create_group(group("bea", "carlos", id="g3"))
    say(store, "hi", to="g2", by="bea")

    marks = {entry.conversation.id: entry for entry in store.conversations.marks("ana")}

    assert sorted(marks) == ["g1", "g2", "p1"]
    for entry in store.conversations.inbox("ana"):
        mark = marks[entry.conversation.id]
        assert (mark.user_id, mark.joined_at) == (entry.user_id, entry.joined_at)
        assert (mark.last_read_seq, mark.last_read_at) == (entry.last_read_seq, entry.last_read_at)
        assert mark.unread_count == entry.unread_count
        assert mark.conversation.last == entry.conversation.last
    assert marks["g1"].conversation.participants == marks["g2"].conversation.participants == ()


def test_who_arrives_is_saved_and_has_their_marks(store: Store) -> None:
    command = SaveUser(id="ana", name="Ana", email="ana@example.com")
    assert store.arrive(command, user_id="ana", now=at(0)) == (store.users.get("ana"), [])
    store.conversations.create_group(group("ana", "bea", id="g1"))
    store.conversations.open_private(private("ana", "bea"))
    say(store, "hi", to="g1", by="bea")
    renamed = replace(command, name="Ana María")

    user, entries = store.arrive(renamed, user_id="ana", now=at(9))

    assert user == store.users.get("ana")
    assert (user.name, user.created_at, user.updated_at) == ("Ana María", at(0), at(9))
    by_id = operator.attrgetter("conversation.id")
    assert sorted(entries, key=by_id) == sorted(store.conversations.marks("ana"), key=by_id)
    assert [entry.unread_count for entry in sorted(entries, key=by_id)] == [1, 0]


# ---------------------------------------------------------------- listing all
def test_every_conversation_is_listed_once_by_id(store: Store) -> None:
    for number in (3, 1, 4, 2, 5):
        store.conversations.create_group(group("ana", "bea", id=f"g{number}"))
    store.conversations.open_private(private("bea", "ana", id="p1"))
    pages, cursor = [], None
    while True:
        page = store.conversations.list_all(limit=4, cursor=cursor)
        pages.append([conversation.id for conversation in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == [["g1", "g2", "g3", "g4"], ["g5", "p1"]]
    assert list(page.items) == [require(store, "g5"), require(store, "p1")]


def test_the_last_page_has_no_cursor_even_when_it_is_full(store: Store) -> None:
    assert store.conversations.list_all(limit=2).next_cursor is None
    for conversation_id in ("g1", "g2"):
        store.conversations.create_group(group("ana", id=conversation_id))
    page = store.conversations.list_all(limit=2)
    assert [conversation.id for conversation in page.items] == ["g1", "g2"]
    assert page.next_cursor is None


def test_a_cursor_outlives_what_it_points_at(store: Store) -> None:
    for number in range(4):
        store.conversations.create_group(group("ana", id=f"g{number}"))
    cursor = store.conversations.list_all(limit=2).next_cursor
    store.conversations.delete("g1")
    assert [c.id for c in store.conversations.list_all(limit=9, cursor=cursor).items] == ["g2", "g3"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_cursor_of_somebody_else_is_refused(store: Store, cursor: str) -> None:
    store.conversations.create_group(group("ana"))
    with pytest.raises(InvalidData) as refused:
        store.conversations.list_all(limit=10, cursor=cursor)
    assert "cursor" in refused.value.details["fields"]


def test_a_cursor_of_the_messages_is_refused(store: Store) -> None:
    store.conversations.create_group(group("ana"))
    for text in ("one", "two"):
        say(store, text)
    cursor = store.messages.list_all(limit=1).next_cursor
    assert cursor is not None
    with pytest.raises(InvalidData):
        store.conversations.list_all(limit=10, cursor=cursor)


# ---------------------------------------------------------------- adding
def test_new_participants_come_last_and_in_order(store: Store) -> None:
    store.conversations.create_group(group("carlos", "bea"))
    conversation, added = store.conversations.add_participants("g1", ["dora", "ana"], by="ana", now=at(60))
    assert added == ("dora", "ana")
    assert conversation.participants == ("carlos", "bea", "dora", "ana")
    assert conversation.updated_at == at(60)
    assert conversation == require(store, "g1")
    assert store.conversations.entry("g1", "dora").joined_at == at(60)
    assert store.conversations.entry("g1", "bea").joined_at == START
    assert inbox_ids(store, "dora") == ["g1"]


def test_who_is_there_already_is_not_added_again(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    say(store, "hi", by="ana")
    conversation, added = store.conversations.add_participants(
        "g1", ["bea", "dora", "dora", "ana"], by="ana", now=at(60)
    )
    assert added == ("dora",)
    assert conversation.participants == ("ana", "bea", "dora")
    assert unread(store, "g1", "bea") == 1
    assert store.conversations.entry("g1", "bea").joined_at == START


@pytest.mark.parametrize("user_ids", [[], ["bea", "ana"]])
def test_adding_nobody_new_changes_nothing(store: Store, user_ids: list[str]) -> None:
    before = store.conversations.create_group(group("ana", "bea"))
    conversation, added = store.conversations.add_participants("g1", user_ids, by="ana", now=at(60))
    assert added == ()
    assert conversation == before == require(store, "g1")


def test_what_was_said_before_is_not_unread_to_a_newcomer(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    for text in ("one", "two", "three"):
        say(store, text)

    store.conversations.add_participants("g1", ["dora"], by="ana", now=at(60))

    assert store.conversations.entry("g1", "dora").last_read_seq == 3
    assert unread(store, "g1", "dora") == 0
    say(store, "four")
    assert unread(store, "g1", "dora") == 1


def test_only_a_group_that_exists_takes_participants(store: Store) -> None:
    store.conversations.open_private(private("ana", "bea"))
    with pytest.raises(NotAGroup):
        store.conversations.add_participants("p1", ["dora"], by="ana", now=START)
    with pytest.raises(ConversationNotFound):
        store.conversations.add_participants("nothing", ["dora"], by="ana", now=START)
    assert require(store, "p1").participants == ("ana", "bea")


def test_many_at_once_add_a_user_once(store: Store) -> None:
    store.conversations.create_group(group("ana"))
    outcomes = together(
        [lambda: store.conversations.add_participants("g1", ["dora", "bea"], by="ana", now=START) for _ in range(12)]
    )
    assert sorted(user_id for _, added in outcomes for user_id in added) == ["bea", "dora"]
    assert require(store, "g1").participants == ("ana", "dora", "bea")


# ---------------------------------------------------------------- removing
def test_a_removed_participant_is_gone(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", "carlos"))
    departure = store.conversations.remove_participant("g1", "bea", by="bea", now=at(60))
    assert departure == Departure(require(store, "g1"), new_owner_id=None, gone=None)
    assert departure.conversation.participants == ("ana", "carlos")
    assert (departure.conversation.created_by, departure.conversation.updated_at) == ("ana", at(60))
    assert inbox_ids(store, "bea") == []
    with pytest.raises(NotAParticipant):
        store.conversations.entry("g1", "bea")
    with pytest.raises(NotAParticipant):
        say(store, "still here", by="bea")


def test_the_creators_place_goes_to_the_longest_standing_member(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", "carlos"))
    store.conversations.add_participants("g1", ["dora"], by="ana", now=at(1))
    store.conversations.remove_participant("g1", "bea", by="bea", now=at(2))
    store.conversations.add_participants("g1", ["bea"], by="ana", now=at(3))

    first = store.conversations.remove_participant("g1", "ana", by="ana", now=at(4))
    assert (first.new_owner_id, first.conversation.created_by) == ("carlos", "carlos")
    second = store.conversations.remove_participant("g1", "carlos", by="carlos", now=at(5))
    assert (second.new_owner_id, second.conversation.participants) == ("dora", ("dora", "bea"))
    assert require(store, "g1").created_by == "dora"


def test_the_last_one_out_takes_the_group_and_its_messages_along(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    first = say(store, draft("look", file=PHOTO))
    say(store, "nice", by="bea")
    store.messages.delete(say(store, "oops").id)
    store.conversations.remove_participant("g1", "ana", by="ana", now=at(1))

    departure = store.conversations.remove_participant("g1", "bea", by="bea", now=at(2))

    assert (departure.conversation.id, departure.conversation.participants) == ("g1", ())
    assert departure.new_owner_id is None
    assert departure.gone is not None
    assert (departure.gone.messages, departure.gone.attachments) == (3, (PHOTO,))
    assert departure.gone.conversation is not None
    assert departure.gone.conversation.participants == ("bea",)
    assert store.conversations.get("g1") is None
    assert store.messages.get(first.id) is None
    assert store.messages.history("g1", limit=10) == []


def test_somebody_who_comes_back_has_the_newest_place_and_nothing_unread(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", "carlos"))
    store.conversations.remove_participant("g1", "bea", by="bea", now=at(1))
    say(store, "while you were out")
    conversation, added = store.conversations.add_participants("g1", ["bea"], by="ana", now=at(2))
    assert added == ("bea",)
    assert conversation.participants == ("ana", "carlos", "bea")
    assert unread(store, "g1", "bea") == 0


def test_messages_of_who_left_stay(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    sent = say(store, "hello", by="bea")
    store.conversations.remove_participant("g1", "bea", by="bea", now=at(1))
    assert store.messages.history("g1", limit=10) == [sent]


def test_only_a_participant_of_a_group_that_exists_can_be_removed(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    store.conversations.open_private(private("ana", "bea"))
    with pytest.raises(ConversationNotFound):
        store.conversations.remove_participant("nothing", "ana", by="ana", now=START)
    with pytest.raises(NotAGroup):
        store.conversations.remove_participant("p1", "ana", by="ana", now=START)
    with pytest.raises(NotAParticipant):
        store.conversations.remove_participant("g1", "carlos", by="carlos", now=START)
    assert require(store, "g1").participants == require(store, "p1").participants == ("ana", "bea")


def test_when_all_leave_at_once_one_of_them_is_the_last(store: Store) -> None:
    members = ("ana", "bea", "carlos", "dora")
    store.conversations.create_group(group(*members))
    departures = together(
        [lambda m=m: store.conversations.remove_participant("g1", m, by=m, now=at(1)) for m in members]
    )
    assert sum(departure.gone is not None for departure in departures) == 1
    assert sorted(len(departure.conversation.participants) for departure in departures) == [0, 1, 2, 3]
    assert store.conversations.get("g1") is None


def test_one_who_leaves_twice_at_once_leaves_once(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))

    def leave() -> Exception | None:
        return failure(lambda: store.conversations.remove_participant("g1", "ana", by="ana", now=at(1)))

    outcomes = together([leave] * 6)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, NotAParticipant | None) for outcome in outcomes)
    assert require(store, "g1").created_by == "bea"


def test_members_are_those_of_the_conversation_with_their_marks_in_their_order(store: Store) -> None:
    made = store.conversations.create_group(group("carlos", "ana", "bea"))
    say(store, "one", by="ana", seconds=1)
    say(store, "two", by="bea", seconds=2)
    store.conversations.mark_read("g1", "ana", now=at(3))
    members = store.conversations.members(made)
    assert [(each.user_id, each.last_read_seq, each.last_read_at) for each in members] == [
        ("carlos", 0, None),
        ("ana", 2, at(3)),
        ("bea", 2, at(2)),
    ]
    assert {each.conversation.last_seq for each in members} == {2}
    store.conversations.remove_participant("g1", "ana", by="carlos", now=at(4))
    assert [each.user_id for each in store.conversations.members(made)] == ["carlos", "bea"]
    assert store.conversations.members(replace(made, id="g2")) == []


# ---------------------------------------------------------------- reading marks
def test_a_mark_moves_to_the_newest_message(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", "carlos"))
    for text in ("one", "two"):
        say(store, text)

    mark = store.conversations.mark_read("g1", "bea", now=at(30))

    assert mark == ReadMark(moved=True, seq=2, at=at(30), rev=3)
    entry = store.conversations.entry("g1", "bea")
    assert (entry.last_read_seq, entry.last_read_at, entry.unread_count) == (2, at(30), 0)
    assert unread(store, "g1", "carlos") == 2


def test_a_mark_that_is_there_already_does_not_move(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    say(store, "one")
    store.conversations.mark_read("g1", "bea", now=at(30))

    again = store.conversations.mark_read("g1", "bea", now=at(31))

    assert again == ReadMark(moved=False, seq=1, at=at(30))
    assert store.conversations.entry("g1", "bea").last_read_at == at(30)
    say(store, "two")
    assert store.conversations.mark_read("g1", "bea", now=at(32)) == ReadMark(moved=True, seq=2, at=at(32), rev=4)


def test_an_empty_conversation_is_read_already(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    mark = store.conversations.mark_read("g1", "bea", now=at(30))
    assert (mark.moved, mark.seq) == (False, 0)
    assert store.conversations.entry("g1", "bea").last_read_at is None


def test_a_mark_needs_the_conversation_and_the_member(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    with pytest.raises(ConversationNotFound):
        store.conversations.mark_read("nothing", "ana", now=START)
    with pytest.raises(NotAParticipant):
        store.conversations.mark_read("g1", "carlos", now=START)


def test_of_many_marks_at_once_one_moves(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    say(store, "one")
    marks = together([lambda n=n: store.conversations.mark_read("g1", "bea", now=at(n)) for n in range(12)])
    (moved,) = (mark for mark in marks if mark.moved)
    assert store.conversations.entry("g1", "bea").last_read_at == moved.at
    assert {mark.at for mark in marks} == {moved.at}
    assert {mark.seq for mark in marks} == {1}


# ---------------------------------------------------------------- deleting
def test_a_deleted_conversation_leaves_nothing(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    sent = say(store, draft("plan", file=PLAN, key="k1"))
    say(store, draft("photo", file=PHOTO))
    say(store, draft("photo again", file=PHOTO))
    before = require(store, "g1")

    gone = store.conversations.delete("g1")

    assert (gone.conversation, gone.messages) == (before, 3)
    assert sorted(attachment.url for attachment in gone.attachments) == [PHOTO.url, PLAN.url]
    assert store.conversations.get("g1") is None
    assert store.messages.get(sent.id) is None
    assert store.messages.history("g1", limit=10) == []
    assert not store.messages.refers_to_file(PLAN.url)
    assert inbox_ids(store, "ana") == inbox_ids(store, "bea") == []
    assert store.conversations.list_all(limit=10).items == []


def test_an_empty_conversation_can_be_deleted(store: Store) -> None:
    store.conversations.open_private(private("ana", "bea"))
    gone = store.conversations.delete("p1")
    assert gone.conversation is not None
    assert gone.conversation.participants == ("ana", "bea")
    assert (gone.messages, gone.attachments) == (0, ())


def test_idempotency_keys_go_with_their_conversation(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea"))
    say(store, draft("old", key="k1"))
    store.conversations.delete("g1")
    store.conversations.create_group(group("ana", "bea"))
    appended = store.messages.append(draft("new", key="k1"), fingerprint="new")
    assert not appended.duplicate
    assert appended.message.seq == 1


def test_a_file_that_another_conversation_shows_is_not_gone(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1"))
    store.conversations.create_group(group("ana", "bea", id="g2"))
    for conversation_id in ("g1", "g2"):
        say(store, draft("photo", file=PHOTO, to=conversation_id))
    say(store, draft("plan", file=PLAN, to="g1"))
    assert store.conversations.delete("g1").attachments == (PLAN,)
    assert store.conversations.delete("g2").attachments == (PHOTO,)


def test_deleting_one_conversation_leaves_the_others(store: Store) -> None:
    store.conversations.create_group(group("ana", "bea", id="g1"))
    store.conversations.create_group(group("ana", "bea", id="g2"))
    kept = say(store, "kept", to="g2")
    store.conversations.delete("g1")
    assert store.messages.history("g2", limit=10) == [kept]
    assert unread(store, "g2", "bea") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.conversations.delete("g1"),
        lambda store: store.conversations.entry("g1", "ana"),
        lambda store: store.conversations.mark_read("g1", "ana", now=START),
        lambda store: store.conversations.add_participants("g1", ["bea"], by="ana", now=START),
        lambda store: store.conversations.remove_participant("g1", "ana", by="ana", now=START),
    ],
)
def test_a_deleted_conversation_is_not_found(store: Store, call: Callable[[Store], object]) -> None:
    store.conversations.create_group(group("ana"))
    store.conversations.delete("g1")
    with pytest.raises(ConversationNotFound):
        call(store)


def test_errors_name_what_they_are_about(store: Store) -> None:
    store.conversations.create_group(group("ana"))
    error = failure(lambda: store.conversations.entry("g1", "bea"))
    assert isinstance(error, ChatError)
    assert error.details == {"conversationId": "g1", "userId": "bea"}

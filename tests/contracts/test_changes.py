"""What ``ports.ConversationStore.changes`` promises, and who takes a ``rev``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gevent
import pytest

from chatapp.domain.changes import (
    Change,
    Changes,
    DetailsChanged,
    MarkMoved,
    MembersAction,
    MembersChanged,
    MessageAppended,
    MessageRetracted,
    MessageRevised,
    MessagesRemoved,
)
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import ChatError, ConversationNotFound, MessageNotFound, NotAGroup, NotAParticipant
from chatapp.domain.models import Conversation, Message
from chatapp.ports import Deleted, ReadMark, Retracted, Store
from tests.contracts.builders import at, draft, group, private, save_people, say, together
from tests.fakes import START


@pytest.fixture(autouse=True)
def _people_and_conversations(store: Store) -> None:
    save_people(store)
    store.conversations.create_group(group("ana", "bea", "carlos"))
    store.conversations.open_private(private("ana", "bea"))


def changes(store: Store, since: int = 0, *, of: str = "g1", limit: int = 1000, user_id: str | None = None) -> Changes:
    return store.conversations.changes(of, since=since, limit=limit, user_id=user_id)


def head(store: Store, conversation_id: str = "g1") -> Conversation:
    conversation = store.conversations.get(conversation_id)
    assert conversation is not None
    return conversation


def shown(store: Store, message: Message) -> Message:
    found = store.messages.get(message.id)
    assert found is not None
    return found


def revs(found: Changes) -> list[int]:
    return [item.rev for item in found.items]


def edit(store: Store, message: Message, content: str = "better") -> tuple[Message, int]:
    return store.messages.edit(message.id, content=content, preview=content, now=at(60))


def add(store: Store, *user_ids: str, by: str = "ana") -> int:
    return store.conversations.add_participants("g1", user_ids, by=by, now=at(61))[0].rev


def remove(store: Store, user_id: str, *, by: str | None = None) -> int:
    return store.conversations.remove_participant("g1", user_id, by=by or user_id, now=at(62)).conversation.rev


def rename(store: Store, name: str, description: str | None = None) -> int:
    made, _ = store.conversations.set_details("g1", name=name, description=description, by="bea", now=at(63))
    return made.rev


def read(store: Store, user_id: str, *, seconds: float = 64) -> int:
    return store.conversations.mark_read("g1", user_id, now=at(seconds)).rev


# ---------------------------------------------------------------- messages
@pytest.mark.parametrize("conversation_id", ["g1", "p1"])
def test_a_new_conversation_has_no_changes(store: Store, conversation_id: str) -> None:
    assert head(store, conversation_id).rev == 0
    assert changes(store, of=conversation_id) == Changes(0, ())


@pytest.mark.parametrize("conversation_id", ["g1", "p1"])
def test_each_message_takes_one(store: Store, conversation_id: str) -> None:
    first = store.messages.append(draft("one", to=conversation_id), fingerprint="f")
    second = say(store, "two", by="bea", to=conversation_id)
    assert (first.message.rev, first.conversation.rev, second.rev) == (1, 1, 2)
    assert head(store, conversation_id).rev == 2
    expected = (MessageAppended(1, first.message), MessageAppended(2, second))
    assert changes(store, of=conversation_id) == Changes(2, expected)


def test_a_message_is_shown_everywhere_with_the_rev_of_its_sending(store: Store) -> None:
    rename(store, "before")
    original = say(store, "one")
    rename(store, "between")
    reply = say(store, draft("two", reply_to=original))
    edit(store, original)
    assert (original.rev, reply.rev) == (2, 4)
    assert [m.rev for m in store.messages.history("g1", limit=9)] == [2, 4]
    assert [m.rev for m in store.messages.list_all(limit=9).items] == [2, 4]
    assert [m.rev for m in store.messages.replies(original.id)] == [4]
    assert shown(store, original).rev == 2


def test_a_repeated_send_takes_none(store: Store) -> None:
    given = draft("one", key="k1")
    first = say(store, given)
    rename(store, "between")
    again = store.messages.append(replace(given, id=draft().id), fingerprint=given.content)
    assert again.duplicate
    assert again.message == first
    assert again.conversation.rev == head(store).rev == 2
    assert store.messages.find_repeated(given, fingerprint=given.content) == first


def test_an_edit_takes_one_and_the_message_is_shown_as_it_is_now(store: Store) -> None:
    sent = say(store, "one")
    edited, rev = edit(store, sent)
    assert (edited.rev, rev, head(store).rev) == (1, 2, 2)
    assert changes(store) == Changes(2, (MessageAppended(1, edited), MessageRevised(2, edited)))

    again, rev = edit(store, sent, "best")
    assert rev == 3
    assert changes(store, 1) == Changes(3, (MessageRevised(2, again), MessageRevised(3, again)))


def test_a_deletion_takes_one_and_the_repeated_one_none(store: Store) -> None:
    sent = say(store, "oops")
    edit(store, sent)
    retracted = store.messages.delete(sent.id)
    tombstone = retracted.message
    assert (retracted.rev, tombstone.rev, tombstone.is_deleted) == (3, 1, True)
    assert store.messages.delete(sent.id) == Retracted(tombstone, Deleted(None, 0, ()), 0)
    expected = (MessageAppended(1, tombstone), MessageRevised(2, tombstone), MessageRetracted(3, tombstone))
    assert changes(store) == Changes(3, expected)


def test_a_reply_whose_original_is_deleted_is_shown_without_its_preview(store: Store) -> None:
    original = say(store, "secret")
    reply = say(store, draft("so?", reply_to=original))
    store.messages.delete(original.id)
    found = changes(store, 1)
    assert found.items == (
        MessageAppended(2, replace(reply, reply_preview="")),
        MessageRetracted(3, shown(store, original)),
    )


def test_ten_deletions_at_once_take_one(store: Store) -> None:
    sent = say(store, "oops")
    outcomes = together([lambda: store.messages.delete(sent.id) for _ in range(10)])
    assert sorted(outcome.rev for outcome in outcomes) == [0] * 9 + [2]
    assert head(store).rev == 2


def test_messages_are_shown_with_their_senders_profile_of_today(store: Store) -> None:
    sent = say(store, "one")
    edit(store, sent)
    profile = SaveUser(id="ana", name="Ana María", email="ana@example.com", avatar="/new.png")
    store.users.save(profile, user_id="ana", now=at(9))
    messages = [item.message for item in changes(store).items if isinstance(item, MessageAppended | MessageRevised)]
    assert [(m.sender.name, m.sender.avatar) for m in messages] == [("Ana María", "/new.png")] * 2


# ---------------------------------------------------------------- read marks
def test_a_mark_that_moves_takes_one_and_one_that_does_not_takes_none(store: Store) -> None:
    say(store, "one")
    assert store.conversations.mark_read("g1", "bea", now=at(5)) == ReadMark(True, 1, at(5), rev=2)
    assert store.conversations.mark_read("g1", "bea", now=at(6)) == ReadMark(False, 1, at(5), rev=0)
    assert head(store).rev == 2
    assert changes(store, 1) == Changes(2, (MarkMoved(2, "bea", 1, at(5)),))


def test_the_senders_own_mark_takes_none(store: Store) -> None:
    say(store, "one", by="bea")
    assert not store.conversations.mark_read("g1", "bea", now=at(5)).moved
    assert [type(item) for item in changes(store).items] == [MessageAppended]


def test_of_several_marks_of_one_user_the_latest_is_kept(store: Store) -> None:
    say(store, "one")
    read(store, "bea", seconds=1)
    read(store, "carlos", seconds=2)
    say(store, "two")
    read(store, "bea", seconds=3)
    found = changes(store)
    assert revs(found) == [1, 3, 4, 5]
    assert found.items[1::2] == (MarkMoved(3, "carlos", 1, at(2)), MarkMoved(5, "bea", 2, at(3)))
    assert (found.rev, found.truncated) == (5, False)


def test_a_mark_is_shown_where_it_is_now(store: Store) -> None:
    say(store, "one")
    read(store, "bea", seconds=1)
    say(store, "two", by="bea", seconds=2)
    mark = changes(store, 1).items[0]
    assert isinstance(mark, MarkMoved)
    assert (mark.rev, mark.user_id, mark.last_read_seq) == (2, "bea", 2)


def test_two_devices_that_read_at_once_take_one(store: Store) -> None:
    say(store, "one")
    marks = together([lambda n=n: store.conversations.mark_read("g1", "bea", now=at(n)) for n in range(8)])
    assert sorted(mark.rev for mark in marks) == [0] * 7 + [2]
    assert changes(store).rev == 2


def test_a_mark_of_somebody_who_left_is_not_shown_even_when_they_are_back(store: Store) -> None:
    say(store, "one")
    assert read(store, "bea") == 2
    assert remove(store, "bea") == 3
    assert revs(changes(store)) == [1, 3]
    assert add(store, "bea") == 4
    assert revs(changes(store)) == [1, 3, 4]
    say(store, "two")
    assert read(store, "bea") == 6
    assert changes(store, 5).items == (MarkMoved(6, "bea", 2, at(64)),)


# ---------------------------------------------------------------- members
def test_members_who_come_together_are_one_change(store: Store) -> None:
    say(store, "one")
    conversation, added = store.conversations.add_participants("g1", ["dora", "bea", "eva"], by="bea", now=at(5))
    assert (conversation.rev, head(store).rev, added) == (2, 2, ("dora", "eva"))
    expected = MembersChanged(2, MembersAction.ADD, ("dora", "eva"), by="bea", at=at(5))
    assert changes(store, 1) == Changes(2, (expected,))


def test_adding_nobody_new_takes_none(store: Store) -> None:
    assert add(store, "bea", "ana") == 0
    assert add(store) == 0
    assert changes(store) == Changes(0, ())


def test_hundreds_who_come_together_are_all_told(store: Store) -> None:
    """An engine whose transactions are small may need several changes."""
    newcomers = [f"u{number:03}" for number in range(120)]
    rev = add(store, *newcomers)
    found = changes(store)
    assert found.rev == rev == head(store).rev
    assert revs(found) == list(range(1, rev + 1))
    assert all(isinstance(item, MembersChanged) and item.action is MembersAction.ADD for item in found.items)
    told = [user_id for item in found.items if isinstance(item, MembersChanged) for user_id in item.user_ids]
    assert sorted(told) == newcomers


def test_a_departure_names_who_did_it_and_who_is_the_new_owner(store: Store) -> None:
    departure = store.conversations.remove_participant("g1", "carlos", by="ana", now=at(5))
    assert departure.conversation.rev == 1
    assert remove(store, "ana") == 2
    assert changes(store).items == (
        MembersChanged(1, MembersAction.REMOVE, ("carlos",), by="ana", at=at(5)),
        MembersChanged(2, MembersAction.REMOVE, ("ana",), by="ana", at=at(62), new_owner_id="bea"),
    )


def test_somebody_added_by_twelve_at_once_is_one_change(store: Store) -> None:
    together([lambda: add(store, "dora") for _ in range(12)])
    assert [item.user_ids for item in changes(store).items if isinstance(item, MembersChanged)] == [("dora",)]


# ---------------------------------------------------------------- details
def test_a_new_name_and_description_are_one_change(store: Store) -> None:
    before = head(store)
    made, changed = store.conversations.set_details("g1", name="Ñandú 🎸", description="new", by="bea", now=at(5))
    assert changed
    assert made == replace(before, name="Ñandú 🎸", description="new", updated_at=at(5), rev=1) == head(store)
    assert changes(store) == Changes(1, (DetailsChanged(1, "Ñandú 🎸", "new", "bea", at(5)),))


@pytest.mark.parametrize(
    ("name", "description"), [("Other", "for tests"), ("Group g1", "other"), ("Group g1", None), ("Group g1", "")]
)
def test_either_detail_may_change_alone(store: Store, name: str, description: str | None) -> None:
    made, changed = store.conversations.set_details("g1", name=name, description=description, by="ana", now=at(5))
    assert (made.name, made.description, made.rev, changed) == (name, description, 1, True)
    assert changes(store).items == (DetailsChanged(1, name, description, "ana", at(5)),)


def test_details_that_are_so_already_are_not_written(store: Store) -> None:
    before = head(store)
    same = {"name": "Group g1", "description": "for tests", "by": "ana", "now": at(5)}
    assert store.conversations.set_details("g1", **same) == (before, False)  # type: ignore[arg-type]
    assert head(store) == before
    assert changes(store) == Changes(0, ())


def test_each_change_of_details_shows_what_it_made(store: Store) -> None:
    rename(store, "A", "a")
    rename(store, "B", None)
    assert changes(store).items == (
        DetailsChanged(1, "A", "a", "bea", at(63)),
        DetailsChanged(2, "B", None, "bea", at(63)),
    )


def test_the_same_details_set_by_ten_at_once_are_one_change(store: Store) -> None:
    together([lambda: rename(store, "New") for _ in range(10)])
    assert revs(changes(store)) == [1]


def test_only_a_group_has_details(store: Store) -> None:
    with pytest.raises(NotAGroup):
        store.conversations.set_details("p1", name="x", description=None, by="ana", now=START)
    with pytest.raises(ConversationNotFound):
        store.conversations.set_details("nothing", name="x", description=None, by="ana", now=START)
    assert (head(store, "p1").name, head(store, "p1").rev) == (None, 0)


# ---------------------------------------------------------------- purging
def test_a_purge_tells_how_far_it_went_and_leaves_out_what_is_gone(store: Store) -> None:
    first, second, third = (say(store, text) for text in ("one", "two", "three"))
    edit(store, first)
    store.messages.delete(second.id)
    edit(store, third)
    assert store.messages.purge(limit=2).messages == 2

    assert head(store).rev == 7
    kept = shown(store, third)
    assert changes(store) == Changes(
        7, (MessageAppended(3, kept), MessageRevised(6, kept), MessagesRemoved(7, 2)), truncated=True
    )


def test_only_asking_for_a_purged_message_is_truncated(store: Store) -> None:
    rename(store, "first")
    for text in ("one", "two", "three"):
        say(store, text)
    edit(store, store.messages.history("g1", limit=9)[0])
    store.messages.purge(limit=2)  # those with rev 2 and 3; the edit, rev 5, is of one of them
    truncated = {since: changes(store, since).truncated for since in range(7)}
    assert truncated == {0: True, 1: True, 2: True, 3: False, 4: False, 5: False, 6: False}
    assert revs(changes(store)) == [1, 4, 6]
    assert revs(changes(store, 3)) == [4, 6]


def test_each_purge_is_a_change_of_the_conversations_it_touched(store: Store) -> None:
    for text in ("one", "two", "three"):
        say(store, text)
    store.messages.purge(limit=1)
    store.messages.purge(limit=1)
    assert changes(store, 3).items == (MessagesRemoved(4, 1), MessagesRemoved(5, 2))
    say(store, "hi", to="p1")
    assert store.messages.purge(limit=100).messages == 2
    assert changes(store, 5).items == (MessagesRemoved(6, 3),)
    assert changes(store, 1, of="p1") == Changes(2, (MessagesRemoved(2, 1),))


def test_purging_nothing_takes_none(store: Store) -> None:
    assert store.messages.purge(limit=10).messages == 0
    say(store, "one")
    store.messages.purge(limit=10)
    assert store.messages.purge(limit=10).messages == 0
    assert (head(store).rev, head(store, "p1").rev) == (2, 0)


def test_numbering_and_asking_go_on_after_everything_was_purged(store: Store) -> None:
    say(store, "one")
    say(store, "two")
    store.messages.purge(limit=10)
    assert changes(store) == Changes(3, (MessagesRemoved(3, 2),), truncated=True)
    assert changes(store, 2) == Changes(3, (MessagesRemoved(3, 2),))
    later = say(store, "three")
    assert (later.seq, later.rev) == (3, 4)
    assert changes(store, 3) == Changes(4, (MessageAppended(4, later),))


# ---------------------------------------------------------------- asking
def busy_past(store: Store) -> None:
    """Fourteen changes of all kinds; a purge, and holes where marks were."""
    for number in range(5):
        say(store, f"m{number}", by=("ana", "bea")[number % 2])  # 1-5
    read(store, "carlos")  # 6, superseded
    messages = store.messages.history("g1", limit=9)
    edit(store, messages[0])  # 7, its message is purged
    edit(store, messages[3])  # 8
    store.messages.delete(messages[4].id)  # 9
    add(store, "dora")  # 10
    store.messages.purge(limit=2)  # 11
    rename(store, "new")  # 12
    say(store, "late")  # 13
    read(store, "carlos")  # 14


def test_a_busy_past_in_the_order_of_rev(store: Store) -> None:
    busy_past(store)
    found = changes(store)
    assert [(item.rev, type(item)) for item in found.items] == [
        (3, MessageAppended),
        (4, MessageAppended),
        (5, MessageAppended),
        (8, MessageRevised),
        (9, MessageRetracted),
        (10, MembersChanged),
        (11, MessagesRemoved),
        (12, DetailsChanged),
        (13, MessageAppended),
        (14, MarkMoved),
    ]
    assert (found.rev, found.more, found.truncated) == (14, False, True)


@pytest.mark.parametrize("limit", range(1, 12))
def test_pages_of_any_size_say_the_same_in_the_end(store: Store, limit: int) -> None:
    busy_past(store)
    collected: list[Change] = []
    since, more = 0, True
    while more:
        page = changes(store, since, limit=limit)
        assert 1 <= len(page.items) <= limit
        assert page.truncated == (since < 2)
        assert page.rev == (page.items[-1].rev if page.more else 14)
        collected += page.items
        assert page.rev > since
        since, more = page.rev, page.more
    assert tuple(collected) == changes(store).items


def test_every_since_shows_what_is_after_it(store: Store) -> None:
    busy_past(store)
    everything = changes(store).items
    for since in range(15):
        assert changes(store, since).items == tuple(item for item in everything if item.rev > since)


def test_a_full_last_page_says_that_there_is_no_more(store: Store) -> None:
    sent = [say(store, f"{number}") for number in range(3)]
    assert changes(store, limit=3) == Changes(3, tuple(MessageAppended(m.rev, m) for m in sent))
    assert changes(store, limit=2).more


def test_who_knows_all_is_told_nothing(store: Store) -> None:
    busy_past(store)
    assert changes(store, 14) == Changes(14, ())


def test_a_rev_that_has_never_been_starts_from_the_beginning(store: Store) -> None:
    assert changes(store, 1) == Changes(0, (), truncated=True)
    sent = [say(store, f"{number}") for number in range(3)]
    expected = tuple(MessageAppended(m.rev, m) for m in sent)
    assert changes(store, 4) == Changes(3, expected, truncated=True)
    assert changes(store, 2**53, limit=2) == Changes(2, expected[:2], more=True, truncated=True)
    assert changes(store, 2) == Changes(3, expected[2:])


def test_somebody_who_asks_must_be_a_participant(store: Store) -> None:
    say(store, "one")
    assert changes(store, user_id="bea") == changes(store)
    with pytest.raises(NotAParticipant):
        changes(store, user_id="dora")
    remove(store, "bea")
    with pytest.raises(NotAParticipant):
        changes(store, user_id="bea")
    add(store, "bea")
    assert changes(store, user_id="bea").rev == 3


def test_an_unknown_or_deleted_conversation_has_no_changes(store: Store) -> None:
    say(store, "one")
    store.conversations.delete("g1")
    for conversation_id in ("g1", "nothing"):
        for user_id in (None, "ana"):
            with pytest.raises(ConversationNotFound):
                changes(store, of=conversation_id, user_id=user_id)


def test_a_group_under_the_id_of_a_deleted_one_begins_anew(store: Store) -> None:
    busy_past(store)
    store.conversations.delete("g1")
    store.conversations.create_group(group("ana", "bea"))
    assert changes(store) == Changes(0, ())
    sent = say(store, "one")
    assert changes(store) == Changes(1, (MessageAppended(1, sent),))


def test_conversations_have_changes_of_their_own(store: Store) -> None:
    busy_past(store)
    sent = say(store, "hi", to="p1")
    store.conversations.mark_read("p1", "bea", now=at(1))
    assert changes(store, of="p1") == Changes(2, (MessageAppended(1, sent), MarkMoved(2, "bea", 1, at(1))))
    assert changes(store).rev == 14


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (NotAParticipant, lambda store: say(store, "x", by="dora")),
        (NotAParticipant, lambda store: store.conversations.mark_read("g1", "dora", now=START)),
        (NotAParticipant, lambda store: remove(store, "dora")),
        (MessageNotFound, lambda store: store.messages.delete("nothing")),
    ],
)
def test_what_is_refused_takes_none(store: Store, error: type[ChatError], call: Callable[[Store], object]) -> None:
    say(store, "one")
    with pytest.raises(error):
        call(store)
    assert head(store).rev == 1
    assert revs(changes(store)) == [1]


# ---------------------------------------------------------------- at once
def test_changes_of_all_kinds_at_once_each_have_a_rev(store: Store) -> None:
    sent = [say(store, f"{number}") for number in range(6)]
    calls: list[Callable[[], int]] = [
        *(lambda m=m: edit(store, m)[1] for m in sent[:3]),
        *(lambda m=m: store.messages.delete(m.id).rev for m in sent[3:]),
        *(lambda n=n: say(store, f"late {n}", by=("ana", "bea")[n % 2]).rev for n in range(6)),
        lambda: read(store, "carlos"),
        lambda: add(store, "dora"),
        lambda: rename(store, "new"),
    ]
    together(calls)
    found = changes(store, 6)
    assert revs(found) == list(range(7, 6 + len(calls) + 1))
    assert found.rev == head(store).rev
    kinds = [type(item) for item in found.items]
    assert [kinds.count(kind) for kind in (MessageRevised, MessageRetracted, MessageAppended)] == [3, 3, 6]
    assert [kinds.count(kind) for kind in (MarkMoved, MembersChanged, DetailsChanged)] == [1, 1, 1]


def test_an_answer_is_from_one_moment(store: Store) -> None:
    """While others write, no answer has a hole or a change later than its ``rev``; a message may show one already."""
    sent = say(store, "first")

    def write() -> None:
        for number in range(10):
            edit(store, sent, f"edit {number}")
            say(store, f"message {number}")

    writing = gevent.spawn(write)
    answers: list[Changes] = []
    while not writing.ready():
        answers.append(changes(store))
        gevent.sleep(0)
    writing.get()
    assert any(1 < answer.rev < 21 for answer in answers), "nothing was asked meanwhile"
    for answer in answers:
        assert revs(answer) == list(range(1, answer.rev + 1))
        newest = [item.message.content for item in answer.items if isinstance(item, MessageAppended | MessageRevised)]
        edits = sum(isinstance(item, MessageRevised) for item in answer.items)
        assert newest[0] in [f"edit {number}" for number in range(max(0, edits - 1), 10)] + ["first"] * (edits == 0)
    assert changes(store).rev == 21

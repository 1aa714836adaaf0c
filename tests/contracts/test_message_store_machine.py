"""Any order of calls leaves the message store where a model of plain lists and numbers is.

The model says: a message's number is one more than the last; sending moves the sender's mark to the own message; a
newcomer's mark is the last number; purging lifts marks to the newest message purged; a mark's distance from the last
number is what is unread. Everything that changes something takes one ``rev``; who was told all up to any rev, and is
told the changes since, knows what the model knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from chatapp.domain.errors import (
    ChatError,
    ConversationNotFound,
    IdempotencyKeyReused,
    MessageDeletedAlready,
    MessageNotFound,
    NotAParticipant,
)
from chatapp.domain.models import Attachment, Message
from chatapp.ports import Store
from tests.contracts.builders import NAMES, OpenStore, draft, group, save_people
from tests.contracts.folding import Known
from tests.fakes import FakeClock

PROFILE = settings(
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
"""About eight seconds; the same steps on every machine."""

USERS = st.sampled_from(sorted(NAMES))
GROUPS = st.sampled_from(["g1", "g2"])
CONTENTS = st.sampled_from(["hello", "adiós", "🎸", "x" * 150, ""])
FILES = st.sampled_from([None, None, Attachment("/api/files/a.png", "a.png", 1, "image/png"), Attachment("/b")])


@dataclass
class Room:
    """The model of one group."""

    owner: str
    marks: dict[str, int]  # longest-standing first
    name: str
    description: str | None
    last_seq: int = 0
    rev: int = 0
    purged_rev: int = 0
    last: tuple[str, str] | None = None  # id and preview of the newest message
    messages: list[Message] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[str, str, int]] = field(default_factory=dict)  # → fingerprint, id, seq
    past: list[Known] = field(default_factory=list)  # what was to be known at each rev

    def known(self) -> Known:
        messages = {message.seq: message for message in self.messages}
        return Known(self.name, self.description, self.owner, dict(self.marks), self.last_seq, messages)


def shown(content: str, file: Attachment | None) -> str:
    text = f"Archivo: {file.name or file.url.removeprefix('/')}" if file else content
    return text if len(text) <= 100 else text[:99] + "…"


def comparable(known: Known) -> Known:
    """Without the previews of originals that are purged: that one had been deleted before is told no more."""
    there = {message.id for message in known.messages.values()}
    messages = {
        seq: message if message.reply_to in there else replace(message, reply_preview=None)
        for seq, message in known.messages.items()
    }
    return replace(known, messages=messages)


class MessageStoreMachine(RuleBasedStateMachine):
    sends: Bundle[Message] = Bundle("sends")

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.clock = FakeClock()
        self.rooms: dict[str, Room] = {}
        self.ever_numbered: dict[str, int] = {}
        save_people(store)

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def make_two_groups(self) -> None:
        for group_id in ("g1", "g2"):
            self.make_group(group_id)

    def make_group(self, group_id: str) -> None:
        made = self.store.conversations.create_group(group("ana", "bea", id=group_id))
        self.rooms[group_id] = Room("ana", {"ana": 0, "bea": 0}, f"Group {group_id}", made.description)
        self.ever_numbered[group_id] = 0

    # ------------------------------------------------------------ sending
    @rule(
        target=sends, by=USERS, to=GROUPS, content=CONTENTS, file=FILES, key=st.sampled_from([None, "k1", "k2", "k3"])
    )
    def send(self, by: str, to: str, content: str, file: Attachment | None, key: str | None) -> Any:
        return self.append(draft(content, by=by, to=to, key=key, file=file))

    @rule(target=sends, by=USERS, original=sends, content=CONTENTS)
    def reply(self, by: str, original: Message, content: str) -> Any:
        quoted = self.find(original.id)
        return (
            self.append(draft(content, by=by, to=original.conversation_id, reply_to=quoted)) if quoted else multiple()
        )

    @rule(sent=sends)
    def retry(self, sent: Message) -> None:
        self.append(replace(sent, id=draft().id))

    @rule(sent=sends, content=CONTENTS)
    def retry_with_other_content(self, sent: Message, content: str) -> None:
        if sent.client_message_id is not None:
            self.append(replace(sent, id=draft().id, content=content + "!"))

    def append(self, given: Message) -> Any:
        """Do it to both; what was sent goes into the bundle, a refusal does not."""
        self.clock.advance(1)
        given = replace(given, timestamp=self.clock.now())
        fingerprint = given.content
        expected = self.expect_append(given, fingerprint)
        if isinstance(expected, type):
            self.refused(expected, lambda: self.store.messages.append(given, fingerprint=fingerprint))
            return multiple()
        appended = self.store.messages.append(given, fingerprint=fingerprint)
        assert appended.message == expected
        assert appended.duplicate == (expected.id != given.id)
        room = self.rooms[given.conversation_id]
        assert (appended.conversation.last_seq, appended.conversation.rev) == (room.last_seq, room.rev)
        return given

    def expect_append(self, given: Message, fingerprint: str) -> Message | type[ChatError]:
        room = self.rooms.get(given.conversation_id)
        if room is None:
            return ConversationNotFound
        if given.sender_id not in room.marks:
            return NotAParticipant
        known = room.keys.get((given.sender_id, given.client_message_id or ""))
        if known is not None:
            return self.expect_duplicate(given, fingerprint, *known)
        room.last_seq += 1
        room.rev += 1
        message = replace(given, seq=room.last_seq, rev=room.rev)
        room.messages.append(message)
        room.marks[given.sender_id] = room.last_seq
        room.last = (given.id, shown(given.content, given.attachment))
        if given.client_message_id is not None:
            room.keys[given.sender_id, given.client_message_id] = (fingerprint, given.id, room.last_seq)
        return message

    def expect_duplicate(
        self, given: Message, fingerprint: str, first_fingerprint: str, message_id: str, seq: int
    ) -> Message | type[ChatError]:
        if fingerprint != first_fingerprint:
            return IdempotencyKeyReused
        if found := self.find(message_id):
            return found
        purged = self.store.messages.append(given, fingerprint=fingerprint).message
        assert (purged.id, purged.seq, purged.content, purged.is_deleted) == (message_id, seq, "", True)
        return purged

    # ------------------------------------------------------------ changing
    @rule(sent=sends, content=CONTENTS)
    def edit(self, sent: Message, content: str) -> None:
        self.clock.advance(1)
        now, found = self.clock.now(), self.find(sent.id)

        def call() -> tuple[Message, int]:
            return self.store.messages.edit(sent.id, content=content, preview=f"> {content[:9]}", now=now)

        if found is None or found.is_deleted:
            self.refused(MessageDeletedAlready if found else MessageNotFound, call)
            return
        edited = replace(found, content=content, is_edited=True, edited_at=now)
        assert call() == (edited, self.next_rev(found.conversation_id))
        self.put(edited, preview=f"> {content[:9]}")

    @rule(sent=sends)
    def delete(self, sent: Message) -> None:
        found = self.find(sent.id)
        if found is None:
            self.refused(MessageNotFound, lambda: self.store.messages.delete(sent.id))
            return
        expected = replace(found, content="", attachment=None, is_deleted=True)
        retracted = self.store.messages.delete(sent.id)
        assert retracted.message == expected
        assert retracted.gone.messages == (not found.is_deleted)
        assert retracted.rev == (0 if found.is_deleted else self.next_rev(found.conversation_id))
        if not found.is_deleted:
            self.put(expected, preview="")
            room = self.rooms[found.conversation_id]
            room.messages = [replace(m, reply_preview="") if m.reply_to == sent.id else m for m in room.messages]
        self.check_files([found.attachment] if found.attachment else [], retracted.gone.attachments)

    @rule(limit=st.integers(1, 6))
    def purge(self, limit: int) -> None:
        before = {room_id: list(room.messages) for room_id, room in self.rooms.items()}
        gone = self.store.messages.purge(limit=limit)
        assert gone.messages == min(limit, sum(map(len, before.values())))
        removed: list[Message] = []
        for room_id, room in self.rooms.items():
            # Which conversation comes first is the store's affair; inside one the oldest go first.
            left = len(self.store.messages.history(room_id, limit=1000))
            cut = len(room.messages) - left
            removed += room.messages[:cut]
            if cut:
                room.rev += 1
                room.purged_rev = room.messages[cut - 1].rev
                room.marks = {user_id: max(mark, room.messages[cut - 1].seq) for user_id, mark in room.marks.items()}
            room.messages = room.messages[cut:]
            if room.last and not any(message.id == room.last[0] for message in room.messages):
                room.last = None
        assert len(removed) == gone.messages
        self.check_files([message.attachment for message in removed if message.attachment], gone.attachments)

    # ------------------------------------------------------------ people
    @rule(user_id=USERS, group_id=GROUPS)
    def mark_read(self, user_id: str, group_id: str) -> None:
        room = self.rooms.get(group_id)

        def call() -> Any:
            return self.store.conversations.mark_read(group_id, user_id, now=self.clock.now())

        if room is None or user_id not in room.marks:
            self.refused(NotAParticipant if room else ConversationNotFound, call)
            return
        mark = call()
        moved = room.marks[user_id] < room.last_seq
        assert (mark.moved, mark.seq) == (moved, room.last_seq)
        assert mark.rev == (self.next_rev(group_id) if moved else 0)
        room.marks[user_id] = room.last_seq

    @rule(user_id=USERS, group_id=GROUPS)
    def add(self, user_id: str, group_id: str) -> None:
        room = self.rooms.get(group_id)
        if room is None:
            self.make_group(group_id)  # a new group under the old id: nothing of the old one may show
            return
        _, added = self.store.conversations.add_participants(group_id, [user_id], by="ana", now=self.clock.now())
        assert added == (() if user_id in room.marks else (user_id,))
        room.rev += len(added)
        room.marks.setdefault(user_id, room.last_seq)

    @rule(user_id=USERS, group_id=GROUPS)
    def leave(self, user_id: str, group_id: str) -> None:
        room = self.rooms.get(group_id)

        def call() -> Any:
            return self.store.conversations.remove_participant(group_id, user_id, by=user_id, now=self.clock.now())

        if room is None or user_id not in room.marks:
            self.refused(NotAParticipant if room else ConversationNotFound, call)
            return
        departure = call()
        del room.marks[user_id]
        room.rev += 1
        assert departure.conversation.participants == tuple(room.marks)
        assert (departure.gone is not None) == (not room.marks)
        if departure.gone:
            assert departure.gone.messages == len(room.messages)
            del self.rooms[group_id]
            files = [message.attachment for message in room.messages if message.attachment]
            self.check_files(files, departure.gone.attachments)
        elif room.owner == user_id:
            room.owner = next(iter(room.marks))
            assert departure.new_owner_id == room.owner
        else:
            assert departure.new_owner_id is None

    @rule(group_id=GROUPS, name=st.sampled_from(["A", "B"]), description=st.sampled_from([None, "", "more"]))
    def set_details(self, group_id: str, name: str, description: str | None) -> None:
        room = self.rooms.get(group_id)

        def call() -> Any:
            return self.store.conversations.set_details(
                group_id, name=name, description=description, by="ana", now=self.clock.now()
            )

        if room is None:
            self.refused(ConversationNotFound, call)
            return
        _, changed = call()
        assert changed == ((room.name, room.description) != (name, description))
        room.rev += changed
        room.name, room.description = name, description

    # ------------------------------------------------------------ catching up
    @rule(group_id=GROUPS, back=st.integers(0, 5) | st.integers(0, 50), limit=st.integers(1, 8))
    def catch_up(self, group_id: str, back: int, limit: int) -> None:
        room = self.rooms.get(group_id)
        if room is None:
            return
        since = max(0, room.rev - back)
        known, more = room.past[since].copy(), True
        while more:
            page = self.store.conversations.changes(group_id, since=since, limit=limit)
            assert page.truncated == (since < room.purged_rev)
            assert [item.rev for item in page.items] == sorted({item.rev for item in page.items})
            assert all(since < item.rev <= page.rev for item in page.items)
            for item in page.items:
                known.apply(item)
            since, more = page.rev, page.more
        assert since == room.rev
        assert comparable(known) == comparable(room.known())
        assert list(known.marks) == list(room.marks)

    @rule(group_id=GROUPS, ahead=st.integers(1, 9), limit=st.integers(1, 60))
    def ask_for_what_has_never_been(self, group_id: str, ahead: int, limit: int) -> None:
        if room := self.rooms.get(group_id):
            page = self.store.conversations.changes(group_id, since=room.rev + ahead, limit=limit)
            assert page == replace(self.store.conversations.changes(group_id, since=0, limit=limit), truncated=True)

    @invariant()
    def remember(self) -> None:
        for room in self.rooms.values():
            if len(room.past) <= room.rev:
                room.past.append(room.known())
            assert len(room.past) == room.rev + 1, "a call took more than one rev"

    # ------------------------------------------------------------ what holds at all times
    @invariant()
    def history_is_the_models(self) -> None:
        for group_id, room in self.rooms.items():
            found = self.store.messages.history(group_id, limit=1000)
            assert found == room.messages
            assert [message.seq for message in found] == list(
                range(room.last_seq - len(found) + 1, room.last_seq + 1)
            ), "a gap, or not the newest"

    @invariant()
    def numbering_never_restarts(self) -> None:
        for group_id in self.rooms:
            conversation = self.store.conversations.get(group_id)
            assert conversation is not None
            assert conversation.last_seq >= self.ever_numbered[group_id]
            self.ever_numbered[group_id] = conversation.last_seq

    @invariant()
    def heads_are_the_models(self) -> None:
        for group_id in ("g1", "g2"):
            conversation, room = self.store.conversations.get(group_id), self.rooms.get(group_id)
            assert (conversation is None) == (room is None)
            if conversation and room:
                last = (conversation.last.id, conversation.last.preview) if conversation.last else None
                assert last == room.last
                assert (conversation.last_seq, conversation.rev) == (room.last_seq, room.rev)
                assert conversation.created_by == room.owner
                assert (conversation.name, conversation.description) == (room.name, room.description)
                assert conversation.participants == tuple(room.marks)

    @invariant()
    def unread_counts_are_the_models(self) -> None:
        for user_id in NAMES:
            expected = {
                group_id: (room.marks[user_id], room.last_seq - room.marks[user_id])
                for group_id, room in self.rooms.items()
                if user_id in room.marks
            }
            entries = self.store.conversations.marks(user_id)
            assert {e.conversation.id: (e.last_read_seq, e.unread_count) for e in entries} == expected

    # ------------------------------------------------------------ helpers
    def find(self, message_id: str) -> Message | None:
        everything = (message for room in self.rooms.values() for message in room.messages)
        return next((message for message in everything if message.id == message_id), None)

    def put(self, message: Message, *, preview: str) -> None:
        room = self.rooms[message.conversation_id]
        room.messages = [message if m.id == message.id else m for m in room.messages]
        if room.last and room.last[0] == message.id:
            room.last = (message.id, preview)

    def next_rev(self, group_id: str) -> int:
        self.rooms[group_id].rev += 1
        return self.rooms[group_id].rev

    def refused(self, error: type[ChatError], call: Any) -> None:
        with pytest.raises(error):
            call()

    def check_files(self, candidates: list[Attachment], named: tuple[Attachment, ...]) -> None:
        """A store names exactly the files that no message of the model carries any more."""
        kept = {m.attachment.url for room in self.rooms.values() for m in room.messages if m.attachment}
        expected = {attachment.url for attachment in candidates} - kept
        assert sorted(attachment.url for attachment in named) == sorted(expected)
        for attachment in candidates:
            assert self.store.messages.refers_to_file(attachment.url) == (attachment.url in kept)
            for user_id in NAMES:
                expected_shown = self.is_shown(attachment.url, user_id)
                assert self.store.messages.shows_file([attachment.url], user_id=user_id) == expected_shown

    def is_shown(self, url: str, user_id: str) -> bool:
        rooms = [room for room in self.rooms.values() if user_id in room.marks]
        return any(m.attachment and m.attachment.url == url for room in rooms for m in room.messages)


def test_any_order_of_calls_leaves_the_store_where_the_model_is(open_store: OpenStore) -> None:
    run_state_machine_as_test(lambda: MessageStoreMachine(open_store()), settings=PROFILE)

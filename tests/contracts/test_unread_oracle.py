"""What is unread equals what a model of plain numbers says, after thousands of operations in random order.

The model: a message's number is one more than the last; sending and reading move a mark to the last number; a newcomer
begins there; a purge lifts every mark to it; what is unread is the distance. Several conversations go on at once, each
in a greenlet of its own; people come online and go, and purges happen, when all of them pause.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chatapp.adapters.dynamodb_store import client, outbox
from chatapp.domain.commands import (
    AddParticipants,
    EditMessage,
    LeaveGroup,
    LeaveRoom,
    MarkAsRead,
    RemoveParticipant,
)
from chatapp.domain.errors import ChatError
from chatapp.domain.events import MessageUnread
from chatapp.domain.models import OPERATOR, Actor, Conversation, Message
from chatapp.ports import Store
from tests.contracts.builders import together
from tests.services.conftest import GRACE_SECONDS, World

SEED = os.environ.get("UNREAD_SEED", "1")
"""Another one tries another ten thousand."""

PEOPLE = ("ana", "bea", "carlos", "dora", "eva", "fidel")
PAIRS = (("ana", "bea"), ("bea", "carlos"), ("dora", "ana"))
GROUPS = 5
PAUSES = 25
PURGE_AFTER = (8, 17)
"""Pauses in which everything is purged."""

OPERATIONS = {"SqliteStore": 10_000, "DynamoStore": int(os.environ.get("UNREAD_OPERATIONS", "2000"))}
"""moto takes milliseconds where SQLite takes microseconds; ``UNREAD_OPERATIONS=10000`` takes minutes."""


@dataclass
class Room:
    """The model of one conversation."""

    conversation: Conversation
    marks: dict[str, int]
    owner: str
    last_seq: int = 0
    viewers: set[str] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)

    @property
    def unread(self) -> dict[str, tuple[int, int]]:
        """Of each member the mark, and how much is unread."""
        return {user_id: (mark, self.last_seq - mark) for user_id, mark in self.marks.items()}

    def say(self, message: Message, online: set[str]) -> dict[tuple[str, str], int]:
        """Who is told of it outside the room, and what number of unread messages."""
        self.last_seq += 1
        assert message.seq == self.last_seq
        self.messages.append(message)
        self.marks[message.sender_id] = self.last_seq
        told = (self.marks.keys() & online) - self.viewers - {message.sender_id}
        return {(message.id, user_id): self.last_seq - self.marks[user_id] for user_id in told}

    def forget(self, user_id: str) -> None:
        del self.marks[user_id]
        self.viewers.discard(user_id)

    def purge(self) -> None:
        self.messages.clear()
        self.marks = dict.fromkeys(self.marks, self.last_seq)


class Talk:
    """One conversation under random operations; ``online`` is who has a socket."""

    def __init__(self, world: World, name: str, online: set[str], pair: tuple[str, str] | None) -> None:
        self._world = world
        self._random = random.Random(f"{SEED}/{name}")
        self._online = online
        self._pair = pair
        self._seen = 0
        self.room = self._make()

    def _make(self) -> Room:
        if self._pair:
            made = self._world.private(*self._pair)
        else:
            made = self._world.group(*self._random.sample(PEOPLE, self._random.randint(2, 4)))
        return Room(made, dict.fromkeys(made.participants, 0), made.created_by)

    def operate(self, count: int) -> None:
        self._seen = len(self._world.published.events)
        while count > 0:
            choices = (self.send, self.reply, self.read, self.enter, self.leave_room, self.edit, self.delete)
            weights = [30, 10, 20, 8, 5, 2, 8]
            if not self._pair:
                choices += (self.add, self.remove, self.leave, self.send_from_outside, self.end)
                weights += [8, 5, 2, 2, 0.3]
            (operation,) = self._random.choices(choices, weights)
            count -= operation() or 1

    # ------------------------------------------------------------ messages
    def send(self) -> int:
        """Up to sixteen of them at the same time."""
        senders = self._random.choices(list(self.room.marks), k=self._random.choice((1, 2, 8, 16)))
        self._say([lambda by=by: self._world.say(self.room.conversation, by=by) for by in senders])  # type: ignore[misc]
        return len(senders)

    def reply(self) -> None:
        if original := self._message():
            by = self._member()
            self._say([lambda: self._world.say(self.room.conversation, by=by, reply_to=original.id)])

    def _say(self, sends: list[Callable[[], Message]]) -> None:
        sent = sorted(together(sends), key=lambda message: message.seq)
        expected: dict[tuple[str, str], int] = {}
        for message in sent:
            expected |= self.room.say(message, self._online)
        assert self._notices() == expected

    def send_from_outside(self) -> None:
        with self._refused_to_strangers() as by:
            self._world.say(self.room.conversation, by=by)

    def edit(self) -> None:
        mine = [message for message in self.room.messages if message.sender_id in self.room.marks]
        if mine:
            message = self._random.choice(mine)
            self._world.messages.edit(
                EditMessage(message_id=message.id, new_content="other"), actor=Actor(message.sender_id)
            )

    def delete(self) -> None:
        """What was deleted has been sent all the same: the counts stay."""
        if message := self._message():
            self._world.messages.delete(message.id, actor=OPERATOR)
            self.room.messages.remove(message)

    # ------------------------------------------------------------ marks and rooms
    def read(self) -> None:
        by = self._member()
        mark = self._world.conversations.mark_as_read(self._command(MarkAsRead), actor=Actor(by))
        assert (mark.moved, mark.seq) == (self.room.marks[by] < self.room.last_seq, self.room.last_seq)
        self.room.marks[by] = self.room.last_seq

    def enter(self) -> None:
        by = self._member()
        if by in self._online:
            self._world.enter(self.room.conversation, by)
            self.room.viewers.add(by)

    def leave_room(self) -> None:
        if self.room.viewers:
            by = self._random.choice(sorted(self.room.viewers))
            self._world.conversations.leave_room(self._command(LeaveRoom), actor=Actor(by), socket_id=f"{by}-1")
            self.room.viewers.remove(by)

    # ------------------------------------------------------------ members
    def add(self) -> None:
        chosen = tuple(self._random.sample(PEOPLE, 2))
        command = self._command(AddParticipants, participants=chosen)
        _, added = self._world.conversations.add_participants(command, actor=Actor(self._member()))
        assert set(added) == set(chosen) - self.room.marks.keys()
        self.room.marks |= dict.fromkeys(added, self.room.last_seq)

    def remove(self) -> None:
        others = [user_id for user_id in self.room.marks if user_id != self.room.owner]
        if others:
            gone = self._random.choice(others)
            command = self._command(RemoveParticipant, user_id=gone)
            self._world.conversations.remove_participant(command, actor=Actor(self.room.owner))
            self.room.forget(gone)

    def leave(self) -> None:
        """The last one out takes the group along, and the talk goes on in a new one."""
        by = self._member()
        left = self._world.conversations.leave_group(self._command(LeaveGroup), actor=Actor(by))
        self.room.forget(by)
        assert left.group_deleted == (not self.room.marks)
        self.room.owner = left.new_owner.id if left.new_owner else self.room.owner
        if left.group_deleted:
            self.room = self._make()

    def end(self) -> None:
        self._world.conversations.delete(self.room.conversation.id, actor=OPERATOR)
        self.room = self._make()

    # ------------------------------------------------------------ helpers
    def _member(self) -> str:
        return self._random.choice(list(self.room.marks))

    def _message(self) -> Message | None:
        return self._random.choice(self.room.messages) if self.room.messages else None

    def _command(self, kind: type, **fields: object) -> object:
        return kind(conversation_id=self.room.conversation.id, **fields)

    @contextmanager
    def _refused_to_strangers(self) -> Iterator[str]:
        by = self._random.choice(PEOPLE)
        if by in self.room.marks:
            by = "nobody"
        with pytest.raises(ChatError):
            yield by

    def _notices(self) -> dict[tuple[str, str], int]:
        """What was told of this conversation's messages since the last time."""
        new, self._seen = self._world.published.events[self._seen :], len(self._world.published.events)
        return {
            (event.last.id, event.user_id): event.unread_count
            for event in new
            if isinstance(event, MessageUnread) and event.conversation.id == self.room.conversation.id
        }


class People:
    """Who is online. They come and go while the talks pause."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = random.Random(f"{SEED}/people")
        self.online: set[str] = set()
        for user_id in PEOPLE:
            world.join(user_id)
            self.online.add(user_id)

    def change(self, rooms: list[Room]) -> None:
        for user_id in self._random.sample(PEOPLE, 2):
            if user_id in self.online:
                self._go(user_id, rooms)
            else:
                self._come(user_id, rooms)

    def _go(self, user_id: str, rooms: list[Room]) -> None:
        self._world.presence.disconnect(user_id, f"{user_id}-1")
        self._world.scheduler.advance(GRACE_SECONDS)
        self.online.remove(user_id)
        for room in rooms:
            room.viewers.discard(user_id)

    def _come(self, user_id: str, rooms: list[Room]) -> None:
        """Who joins is told of everything unread."""
        self._world.events()
        self._world.join(user_id)
        self.online.add(user_id)
        told = {event.conversation.id: event.unread_count for event in self._world.published.of(MessageUnread)}
        unread = {room.conversation.id: room.unread[user_id][1] for room in rooms if user_id in room.marks}
        assert told == {conversation_id: count for conversation_id, count in unread.items() if count}


def check_inboxes(world: World, rooms: list[Room]) -> None:
    for user_id in PEOPLE:
        found = {
            e.conversation.id: (e.last_read_seq, e.unread_count)
            for e in world.conversations.inbox(user_id, actor=OPERATOR)
        }
        assert found == {room.conversation.id: room.unread[user_id] for room in rooms if user_id in room.marks}


@pytest.fixture(autouse=True)
def slow_engines_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal on a busy machine would be right, and no part of the model."""
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(outbox, "LONGEST_WAIT_SECONDS", 60.0)


def test_unread_counts_equal_a_model_after_thousands_of_operations(store: Store, tmp_path: Path) -> None:
    print(f"UNREAD_SEED={SEED}")
    world = World(tmp_path, store=store)
    people = People(world)
    talks = [Talk(world, f"pair {pair}", people.online, pair) for pair in PAIRS]
    talks += [Talk(world, f"group {number}", people.online, None) for number in range(GROUPS)]
    each = OPERATIONS[type(store).__name__] // PAUSES // len(talks)
    for pause in range(1, PAUSES + 1):
        world.events()
        together([lambda talk=talk: talk.operate(each) for talk in talks])  # type: ignore[misc]
        rooms = [talk.room for talk in talks]
        check_inboxes(world, rooms)
        people.change(rooms)
        if pause in PURGE_AFTER:
            world.messages.purge(batch_size=100, actor=OPERATOR)
            for room in rooms:
                room.purge()
            check_inboxes(world, rooms)
    world.files.close()

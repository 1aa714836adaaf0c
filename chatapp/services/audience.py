"""Which members of a conversation are online here, and how far each has read.

It answers "who must be told of this message" from memory, so that a send costs the same in a group of 2 and of
2,000: nothing is read or written per recipient. It is filled when a user joins and follows every change after that;
the store stays the truth, and offline members get their counts from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from chatapp.domain.errors import NotIdentified
from chatapp.domain.models import Conversation, InboxEntry, Message
from chatapp.domain.text import last_message

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Arrival:
    """Somebody on the way in while the store is asked whether they may. Much can happen while it answers."""

    user_id: str
    conversation_id: str | None
    """None: all of the user's conversations."""
    socket_id: str | None
    is_gone: bool = False
    is_outdated: bool = False
    told: dict[str, Conversation] = field(default_factory=dict)
    """Conversations in which something was said meanwhile, as of the latest."""

    def ask(self, question: Callable[[], T]) -> T:
        """The store's answer, asked again when it was overtaken. Raises NotIdentified when the socket has closed."""
        while True:
            self.is_outdated = False
            answer = question()
            if self.is_gone:
                raise NotIdentified
            if not self.is_outdated:
                return answer

    def updated(self, entry: InboxEntry) -> InboxEntry:
        """With what was said since the store answered."""
        head = self.told.get(entry.conversation.id)
        return replace(entry, conversation=head) if head and head.last_seq > entry.conversation.last_seq else entry

    def concerns(self, conversation_id: str) -> bool:
        return self.conversation_id in (None, conversation_id)


class Audience:
    def __init__(self, *, keeps: Callable[[str], bool] | None = None) -> None:
        """``keeps`` says who is counted although they are offline, because they may yet hear what they missed."""
        self._keeps = keeps
        self._marks: defaultdict[str, dict[str, int]] = defaultdict(dict)  # conversation → user → last read seq
        self._conversations: defaultdict[str, set[str]] = defaultdict(set)  # user → conversations
        self._present: set[str] = set()
        self._arrivals: set[Arrival] = set()
        self.on_new_conversation: Callable[[Conversation], object] | None = None
        """Called with a conversation that has its first member here."""

    @contextmanager
    def arrival(
        self, user_id: str, *, conversation_id: str | None = None, socket_id: str | None = None
    ) -> Iterator[Arrival]:
        """Ask the store inside it, and use the answer before anything else waits."""
        arrival = Arrival(user_id, conversation_id, socket_id)
        self._arrivals.add(arrival)
        try:
            yield arrival
        finally:
            self._arrivals.discard(arrival)

    def turn_away(self, socket_id: str) -> None:
        """The socket is gone; what it is still waiting for must not bring it back."""
        for arrival in self._arrivals:
            if arrival.socket_id == socket_id:
                arrival.is_gone = True

    def admit(self, user_id: str, entries: Iterable[InboxEntry]) -> None:
        """The user is online, with these conversations."""
        self._present.add(user_id)
        self.refresh(user_id, entries)

    def refresh(self, user_id: str, entries: Iterable[InboxEntry]) -> None:
        """What the store says by now; nothing when the user is not online."""
        for entry in entries:
            self.add(entry.conversation, user_id, entry.last_read_seq)

    def dismiss(self, user_id: str) -> None:
        if self._keeps and self._keeps(user_id):
            return
        self._present.discard(user_id)
        for conversation_id in self._conversations.pop(user_id, ()):
            self._drop_mark(conversation_id, user_id)

    def add(self, conversation: Conversation, user_id: str, last_read_seq: int) -> None:
        """A member who is not online is left out; a mark never moves back."""
        if user_id not in self._present:
            self._outdate(conversation.id, user_id)
            return
        if conversation.id not in self._marks and self.on_new_conversation:
            self.on_new_conversation(conversation)
        marks = self._marks[conversation.id]
        marks[user_id] = max(last_read_seq, marks.get(user_id, 0))
        self._conversations[user_id].add(conversation.id)

    def remove(self, conversation_id: str, user_id: str) -> None:
        self._outdate(conversation_id, user_id)
        if user_id in self._conversations:
            self._conversations[user_id].discard(conversation_id)
        self._drop_mark(conversation_id, user_id)

    def close(self, conversation_id: str) -> None:
        self._outdate(conversation_id)
        for user_id in self.members(conversation_id):
            self.remove(conversation_id, user_id)

    def read(self, conversation_id: str, user_id: str, seq: int) -> None:
        marks = self._marks.get(conversation_id)
        if marks and user_id in marks:
            marks[user_id] = max(seq, marks[user_id])
        else:
            self._outdate(conversation_id, user_id)

    def said(self, message: Message, conversation: Conversation) -> None:
        """The message has just been told to those who are here. Whoever is about to be has it from this."""
        for arrival in self._arrivals:
            if arrival.conversation_id is None:
                head = replace(conversation, last=last_message(message), last_seq=message.seq)
                arrival.told[conversation.id] = head

    def mark(self, conversation_id: str, user_id: str) -> int | None:
        """How far a member has read; None when they are not online or no member."""
        return self._marks.get(conversation_id, {}).get(user_id)

    def members(self, conversation_id: str) -> tuple[str, ...]:
        return tuple(self._marks.get(conversation_id, ()))

    def counts(self, conversation_id: str, user_id: str) -> bool:
        """Whether the user is an online member."""
        return user_id in self._marks.get(conversation_id, ())

    def conversations(self, user_id: str) -> frozenset[str]:
        """Those in which the user is counted."""
        return frozenset(self._conversations.get(user_id, ()))

    def present(self) -> tuple[str, ...]:
        return tuple(self._present)

    def unread(self, conversation_id: str, seq: int, *, viewers: Collection[str]) -> list[tuple[str, int]]:
        """Online members outside the room, each with the number of messages up to ``seq`` they have not read."""
        marks = self._marks.get(conversation_id)
        if not marks:
            return []
        return [(user_id, seq - mark) for user_id, mark in marks.items() if mark < seq and user_id not in viewers]

    def _outdate(self, conversation_id: str, user_id: str | None = None) -> None:
        """What the store is just telling of this conversation (and user) may be old when it arrives."""
        for arrival in self._arrivals:
            if user_id in (None, arrival.user_id) and arrival.concerns(conversation_id):
                arrival.is_outdated = True

    def _drop_mark(self, conversation_id: str, user_id: str) -> None:
        marks = self._marks.get(conversation_id)
        if marks is not None:
            marks.pop(user_id, None)
            if not marks:
                del self._marks[conversation_id]

"""A history and the truth, laid out so that the rules find what they ask for. And what they find."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from chatapp.torture.history import History, Mark, Membership, Send, Stored, Truth

Kind: TypeAlias = Literal["lost", "duplicated", "reordered", "ghost", "unread", "outsider"]

KINDS: tuple[Kind, ...] = ("lost", "duplicated", "reordered", "ghost", "unread", "outsider")


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    what: str
    """One sentence, for people."""
    evidence: dict[str, Any]
    """The same for programs: conversation, user, seq and what else there is."""


class Case:
    def __init__(self, history: History, truth: Truth) -> None:
        self.history = history
        self.truth = truth
        self.sends = {(send.sender, send.conversation, send.key): send for send in history.sends}
        self.stored = {
            message.message_id: (conversation, message)
            for conversation, messages in truth.messages.items()
            for message in messages
        }
        self._copies: defaultdict[tuple[str, str, str | None], list[Stored]] = defaultdict(list)
        self._own: defaultdict[tuple[str, str], list[Stored]] = defaultdict(list)
        for conversation, message in self.stored.values():
            self._copies[message.sender, conversation, message.key].append(message)
            self._own[message.sender, conversation].append(message)
        self._memberships: defaultdict[tuple[str, str], list[Membership]] = defaultdict(list)
        for membership in history.memberships:
            self._memberships[membership.user, membership.conversation].append(membership)
        self._marks: defaultdict[tuple[str, str], list[Mark]] = defaultdict(list)
        for mark in history.marks:
            self._marks[mark.user, mark.conversation].append(mark)
        self._acknowledged = _acknowledged(history.sends)

    # ------------------------------------------------------------ messages
    def last_seq(self, conversation: str) -> int:
        return max((message.seq for message in self.truth.messages.get(conversation, ())), default=0)

    def copies(self, send: Send) -> list[Stored]:
        return self._copies[send.sender, send.conversation, send.key]

    def send_of(self, conversation: str, message: Stored) -> Send | None:
        return self.sends.get((message.sender, conversation, message.key or ""))

    def own(self, user: str, conversation: str) -> list[Stored]:
        return self._own[user, conversation]

    def acknowledged_before(self, conversation: str, time: float) -> int:
        """The highest ``seq`` that the server had acknowledged by then: whoever asks now must see it."""
        times, highest = self._acknowledged.get(conversation, ((), ()))
        index = bisect_left(times, time)
        return highest[index - 1] if index else 0

    def sent_at(self, message_id: str, otherwise: float) -> float:
        conversation, message = self.stored.get(message_id, ("", None))
        send = self.send_of(conversation, message) if message else None
        return send.began if send else otherwise

    # ------------------------------------------------------------ people
    def marks(self, user: str, conversation: str) -> list[Mark]:
        return self._marks[user, conversation]

    def memberships(self, user: str, conversation: str) -> list[Membership]:
        return self._memberships[user, conversation]

    def may_know(self, user: str, conversation: str, *, began: float, at: float) -> bool:
        """Whether something that began then may reach the user at ``at``."""
        return any(
            membership.began <= at and (membership.ended is None or began <= membership.ended)
            for membership in self.memberships(user, conversation)
        )

    def lasting(self) -> Iterator[Membership]:
        """Those that have certainly not ended."""
        return (one for one in self.history.memberships if one.ended is None and one.certain)


def _acknowledged(sends: tuple[Send, ...]) -> dict[str, tuple[list[float], list[int]]]:
    """For each conversation the times of acknowledgements, and the highest seq up to each."""
    answers: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for send in sends:
        answers[send.conversation] += [(answer.at, answer.seq) for answer in send.answers]
    found: dict[str, tuple[list[float], list[int]]] = {}
    for conversation, pairs in answers.items():
        pairs.sort()
        highest: list[int] = []
        for _, seq in pairs:
            highest.append(max(seq, highest[-1] if highest else 0))
        found[conversation] = ([at for at, _ in pairs], highest)
    return found

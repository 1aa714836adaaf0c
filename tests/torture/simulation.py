"""A chat server without faults, in a few lines: whatever is done to it, its history must be acquitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chatapp.torture.history import (
    Answer,
    Asked,
    CaughtUp,
    Cut,
    Entered,
    Heard,
    History,
    Left,
    Mark,
    Membership,
    Noticed,
    Seen,
    Send,
    Stored,
    Truth,
    Unread,
)

ROOM = "room"
MEMBERS = ("ana", "bea")
ROVER = "rover"
OUTSIDER = "out"


class Simulation:
    """One conversation. ``ana`` and ``bea`` are always members, ``rover`` at times, ``out`` never."""

    def __init__(self) -> None:
        self.time = 0.0
        self.sends: list[Send] = []
        self.marks: list[Mark] = []
        self.memberships = [Membership(user, ROOM, 0.0) for user in MEMBERS]
        self.seen: dict[str, list[Seen]] = {user: [] for user in (*MEMBERS, ROVER, OUTSIDER)}
        self.stored: list[Stored] = []
        self.read = dict.fromkeys(MEMBERS, 0)
        self.inside: set[str] = set()
        self.got = dict.fromkeys(self.seen, 0)

    def now(self) -> float:
        self.time += 1
        return self.time

    # ------------------------------------------------------------ what can happen
    def send(self, user: str, *, stored: bool = True, answers: int = 1) -> None:
        key, began = f"k{len(self.sends)}", self.now()
        send = Send(user, ROOM, key, f"content of {key}", began)
        if user not in self.read:
            self.sends.append(replace(send, refused="not_a_participant"))
            return
        if stored:
            message = Stored(f"m{len(self.stored) + 1}", len(self.stored) + 1, user, send.content, key)
            self.stored.append(message)
            self.read[user] = message.seq
            self._tell(message)
            given = tuple(Answer(self.now(), message.message_id, message.seq) for _ in range(answers))
            send = replace(send, answers=given)
        self.sends.append(send)

    def _tell(self, message: Stored) -> None:
        for user, mark in self.read.items():
            if user in self.inside:
                heard = Heard(self.now(), ROOM, message.message_id, message.seq, message.sender, message.content)
                self.seen[user].append(heard)
                self.got[user] = message.seq
            elif user != message.sender:
                self.seen[user].append(Noticed(self.now(), ROOM, message.message_id, message.seq - mark))

    def enter(self, user: str) -> None:
        if user not in self.read or user in self.inside:
            return
        asked, last_seq, mark = self.now(), len(self.stored), self.read[user]
        self.inside.add(user)
        after, self.got[user] = self.got[user], last_seq
        self.seen[user] += [
            Asked(asked, ROOM),
            Entered(self.now(), ROOM, asked, last_seq, mark, last_seq - mark),
            CaughtUp(self.now(), ROOM, asked, after, tuple(range(after + 1, last_seq + 1))),
        ]

    def leave(self, user: str) -> None:
        if user in self.inside:
            self.inside.discard(user)
            self.seen[user].append(Left(self.now(), ROOM))

    def cut(self, user: str) -> None:
        self.inside.discard(user)
        self.seen[user].append(Cut(self.now()))

    def mark(self, user: str, *, answered: bool = True) -> None:
        if user in self.read:
            began, self.read[user] = self.now(), len(self.stored)
            answer = (self.now(), len(self.stored)) if answered else (None, None)
            self.marks.append(Mark(user, ROOM, began, *answer))

    def rove(self, _user: str) -> None:
        if ROVER in self.read:
            del self.read[ROVER]
            self.inside.discard(ROVER)
            self.memberships[-1] = replace(self.memberships[-1], ended=self.now())
        else:
            self.read[ROVER] = len(self.stored)
            member = Membership(ROVER, ROOM, self.now(), None, len(self.stored), len(self.stored))
            self.memberships.append(member)

    # ------------------------------------------------------------ the end
    def end(self) -> tuple[History, Truth]:
        for user in list(self.read):
            self.enter(user)
        seen = {user: tuple(entries) for user, entries in self.seen.items()}
        history = History(tuple(self.sends), tuple(self.marks), tuple(self.memberships), seen)
        last_seq = len(self.stored)
        inboxes = {
            user: {ROOM: Unread(last_seq, self.read[user], last_seq - self.read[user])} if user in self.read else {}
            for user in self.seen
        }
        return history, Truth({ROOM: tuple(self.stored)}, inboxes)


def played(operations: Iterable[tuple[str, str]]) -> tuple[History, Truth]:
    """Each operation is what happens, and to whom."""
    simulation = Simulation()
    acts = {
        "send": simulation.send,
        "repeat": lambda user: simulation.send(user, answers=2),
        "unanswered": lambda user: simulation.send(user, answers=0),
        "swallowed": lambda user: simulation.send(user, stored=False),
        "enter": simulation.enter,
        "leave": simulation.leave,
        "cut": simulation.cut,
        "mark": simulation.mark,
        "mark unanswered": lambda user: simulation.mark(user, answered=False),
        "rove": simulation.rove,
    }
    for act, user in operations:
        acts[act](user)
    return simulation.end()


ACTS = ("send", "repeat", "unanswered", "swallowed", "enter", "leave", "cut", "mark", "mark unanswered", "rove")

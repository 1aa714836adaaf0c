"""The users and conversations of one run: made, asked for the truth, and removed, all over REST."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chatapp.torture.client import PAGE, Unusable, code_of, person, usable
from chatapp.torture.connection import Refused
from chatapp.torture.history import Stored, Truth, Unread
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest

GROUP_SIZE = 8
USERS_PER_OUTSIDER = 10
INSIST_SECONDS = 30.0
"""How long the server may be away, for what must be answered in the end."""


@dataclass(frozen=True, slots=True)
class Group:
    """``rover`` leaves, is taken out and added again; the others stay."""

    id: str
    owner: str
    rover: str


@dataclass(frozen=True, slots=True)
class World:
    members: tuple[str, ...]
    outsiders: tuple[str, ...]
    """Members of nothing, who must hear nothing."""
    rooms: dict[str, tuple[str, ...]]
    """The conversations of each member, those it roves in left out."""
    groups: tuple[Group, ...]

    @property
    def conversations(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(room for rooms in self.rooms.values() for room in rooms), *self.rovings]))

    @property
    def rovings(self) -> tuple[str, ...]:
        return tuple(group.id for group in self.groups)

    def roves_in(self, user: str) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.rover == user)


def insist(rest: Rest, method: str, path: str, body: Any = None, *, seconds: float = INSIST_SECONDS) -> Any:
    """Asks until the answer is a good one. Raises Refused (a definite no), Unusable (none in time)."""
    waiting, tries = threading.Event(), max(1, int(seconds / 0.5))
    problem = ""
    for _ in range(tries):
        try:
            status, answer = rest.ask(method, path, body)
        except Gone as exc:
            problem = str(exc)
        else:
            if status < 300:
                return answer
            refusal = Refused(code_of(answer))
            if usable(refusal) and status < 500:
                raise refusal
            problem = f"{status} {refusal.code}"
        waiting.wait(0.5)
    raise Unusable(f"{method} {path} was not answered well: {problem}")


# ---------------------------------------------------------------- making
def make_world(rest: Rest, recorder: Recorder, users: int) -> World:
    """Raises Unusable."""
    run = uuid.uuid4().hex[:8]
    members = tuple(f"torture-{run}-u{number}" for number in range(users))
    outsiders = tuple(f"torture-{run}-out{number}" for number in range(1 + users // USERS_PER_OUTSIDER))
    for index, user in enumerate((*members, *outsiders)):
        # The first says whether there is a server at all; that one is not waited for.
        insist(rest, "POST", "/api/users", person(user), seconds=INSIST_SECONDS if index else 0)
    rooms: dict[str, list[str]] = {user: [] for user in members}
    alone = [(members[-1], members[0])] if users % 2 else []
    for pair in [*zip(members[::2], members[1::2], strict=False), *alone]:
        _open(rest, recorder, rooms, pair, {"type": "private"})
    groups = []
    for number, chunk in enumerate(_chunks(members)):
        *staying, rover = chunk
        group = _open(rest, recorder, rooms, tuple(staying), {"type": "group", "name": f"Torture {number}"})
        groups.append(Group(group, staying[0], rover))
    return World(members, outsiders, {user: tuple(own) for user, own in rooms.items()}, tuple(groups))


def _chunks(members: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Groups of ``GROUP_SIZE`` that overlap by half, so that most people are in two."""
    for start in range(0, len(members) - 2, GROUP_SIZE // 2):
        yield members[start : start + GROUP_SIZE]


def _open(
    rest: Rest, recorder: Recorder, rooms: dict[str, list[str]], people: tuple[str, ...], kind: dict[str, Any]
) -> str:
    body = {**kind, "participants": list(people), "createdBy": people[0]}
    conversation: str = insist(rest, "POST", "/api/conversations", body)["id"]
    for user in people:
        recorder.begin_membership(user, conversation)  # nobody is connected yet who could hear of it sooner
        rooms[user].append(conversation)
    return conversation


# ---------------------------------------------------------------- the truth
def fetch_truth(rest: Rest, world: World) -> Truth:
    """Raises Unusable."""
    messages = {conversation: tuple(_messages(rest, conversation)) for conversation in world.conversations}
    inboxes = {user: _inbox(rest, user) for user in (*world.members, *world.outsiders)}
    return Truth(messages, inboxes)


def _messages(rest: Rest, conversation: str) -> Iterator[Stored]:
    after = 0
    while True:
        page = insist(rest, "GET", f"/api/messages/{conversation}?after={after}&limit={PAGE}")
        for said in page:
            yield Stored(said["id"], said["seq"], said["senderId"], said["content"], said["clientMessageId"])
        if len(page) < PAGE:
            return
        after = page[-1]["seq"]


def _inbox(rest: Rest, user: str) -> dict[str, Unread]:
    answer = insist(rest, "GET", f"/api/conversations/user/{user}")
    lines = answer if isinstance(answer, list) else answer["conversations"]  # a list for the first front end
    return {line["id"]: Unread(line["lastSeq"], line["lastReadSeq"], line["unreadCount"]) for line in lines}


def last_seqs(rest: Rest, world: World) -> dict[str, int]:
    """Raises Unusable."""
    return {one: insist(rest, "GET", f"/api/conversations/{one}")["lastSeq"] for one in world.conversations}


# ---------------------------------------------------------------- cleaning
def remove_world(rest: Rest, world: World) -> None:
    """Raises Unusable, Refused."""
    for conversation in world.conversations:
        insist(rest, "DELETE", f"/api/conversations/{conversation}")
    for user in (*world.members, *world.outsiders):
        insist(rest, "DELETE", f"/api/users/{user}")

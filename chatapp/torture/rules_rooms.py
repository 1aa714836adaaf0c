"""What clients heard in their rooms and read afterwards: all of it, once, in order, and nothing else.

The measure is strict. Whoever stays in a room hears every message of it live; that a gap could be filled over REST
afterwards does not excuse it, for the last message of a conversation has no successor that would show a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chatapp.torture.case import Case, Finding
from chatapp.torture.history import Asked, CaughtUp, Cut, Entered, Heard, Left, Seen


@dataclass(slots=True)
class Stay:
    """From the asking for a room to leaving it, on one connection."""

    user: str
    conversation: str
    asked: float
    entered: Entered | None = None
    heard: list[Heard] = field(default_factory=list)
    is_open: bool = True
    """It lasted until the truth was fetched."""

    @property
    def known(self) -> int:
        """What the client knew of when it came in."""
        return self.entered.last_seq if self.entered else 0


def stays_of(user: str, seen: tuple[Seen, ...]) -> Iterator[Stay]:
    """In the order of their ends."""
    rooms: dict[str, Stay] = {}
    for entry in seen:
        match entry:
            case Asked(at, conversation):
                yield from _close(rooms, conversation)
                rooms[conversation] = Stay(user, conversation, at)
            case Entered(conversation=conversation) if conversation in rooms:
                rooms[conversation].entered = entry
            case Heard(conversation=conversation) if conversation in rooms:
                rooms[conversation].heard.append(entry)
            case Left(conversation=conversation):
                yield from _close(rooms, conversation)
            case Cut():
                for conversation in list(rooms):
                    yield from _close(rooms, conversation)
    yield from rooms.values()


def _close(rooms: dict[str, Stay], conversation: str) -> Iterator[Stay]:
    if stay := rooms.pop(conversation, None):
        stay.is_open = False
        yield stay


# ---------------------------------------------------------------- hearing
def stays(case: Case) -> Iterator[Finding]:
    lasting = {(member.user, member.conversation): member for member in case.lasting()}
    arrived: set[tuple[str, str]] = set()
    for user, seen in case.history.seen.items():
        for stay in stays_of(user, seen):
            membership = lasting.get((user, stay.conversation))
            is_final = stay.is_open and membership is not None and membership.began <= stay.asked
            if is_final and stay.entered:
                arrived.add((user, stay.conversation))
            yield from _stay(stay, last_seq=case.last_seq(stay.conversation) if is_final else 0)
    for user, conversation in lasting.keys() - arrived:
        about = {"conversation": conversation, "user": user}
        yield Finding("lost", f"{user} could not come back into its room", about)


def _stay(stay: Stay, *, last_seq: int) -> Iterator[Finding]:
    """``last_seq`` is what must have been heard by its end."""
    about = {"conversation": stay.conversation, "user": stay.user, "since": stay.asked}
    highest, heard, missing = stay.known, set[int](), set[int]()
    newest = 0
    for message in stay.heard:
        if message.seq in heard:
            yield Finding("duplicated", f"{stay.user} heard {message.seq} twice", {**about, "seq": message.seq})
        elif message.seq < newest:
            found = {**about, "seq": message.seq, "after": newest}
            yield Finding("reordered", f"{stay.user} heard {message.seq} after {newest}", found)
        elif stay.entered or newest:
            missing.update(range(highest + 1, message.seq))
        heard.add(message.seq)
        missing.discard(message.seq)
        newest, highest = max(newest, message.seq), max(highest, message.seq)
    if stay.entered:
        missing.update(range(highest + 1, last_seq + 1))
    if missing:
        found = {**about, "seqs": sorted(missing), "known": stay.known, "heard": sorted(heard)}
        yield Finding("lost", f"{stay.user} was in the room and never heard {sorted(missing)[:10]}", found)


def ghosts(case: Case) -> Iterator[Finding]:
    for user, seen in case.history.seen.items():
        for entry in seen:
            if isinstance(entry, Heard):
                about = {"conversation": entry.conversation, "user": user, "id": entry.message_id, "seq": entry.seq}
                conversation, message = case.stored.get(entry.message_id, ("", None))
                if message is None:
                    yield Finding("ghost", f"{user} heard message {entry.seq}, which is not stored", about)
                elif (conversation, message.seq, message.sender, message.content) != (
                    entry.conversation,
                    entry.seq,
                    entry.sender,
                    entry.content,
                ):
                    yield Finding("ghost", f"{user} heard another message {entry.seq} than is stored", about)


# ---------------------------------------------------------------- reading
def reads(case: Case) -> Iterator[Finding]:
    """Whoever asks sees everything that was acknowledged before."""
    for user, seen in case.history.seen.items():
        for entry in seen:
            if isinstance(entry, Entered | CaughtUp):
                told = entry.last_seq if isinstance(entry, Entered) else max(entry.seqs, default=entry.after)
                due = case.acknowledged_before(entry.conversation, entry.asked)
                about = {"conversation": entry.conversation, "user": user, "told": told, "acknowledged": due}
                if told < due:
                    yield Finding("lost", f"{user} was told of {told} messages when there were {due}", about)
                if isinstance(entry, CaughtUp):
                    yield from _page(user, entry)


def _page(user: str, page: CaughtUp) -> Iterator[Finding]:
    about = {"conversation": page.conversation, "user": user, "after": page.after, "seqs": list(page.seqs)}
    once = sorted(set(page.seqs))
    if len(once) < len(page.seqs):
        yield Finding("duplicated", f"{user} caught up and got a message twice", about)
    elif once != list(page.seqs):
        yield Finding("reordered", f"{user} caught up and got messages out of order", about)
    if once != list(range(page.after + 1, page.after + 1 + len(once))):
        yield Finding("lost", f"{user} caught up and got messages with gaps", about)


def completeness(case: Case) -> Iterator[Finding]:
    """Live or afterwards, a member has got everything in the end."""
    for membership in case.lasting():
        got: set[int] = set()
        for entry in case.history.seen.get(membership.user, ()):
            if isinstance(entry, Heard) and entry.conversation == membership.conversation:
                got.add(entry.seq)
            elif isinstance(entry, CaughtUp) and entry.conversation == membership.conversation:
                got.update(entry.seqs)
        missing = sorted(set(range(1, case.last_seq(membership.conversation) + 1)) - got)
        if missing:
            about = {"conversation": membership.conversation, "user": membership.user, "seqs": missing}
            yield Finding("lost", f"{membership.user} has never got {missing[:10]}, live or afterwards", about)

"""Writes the story into an empty store, by the services that every client uses, in the order in which it happened."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from chatapp.administration.demo.media import FILES
from chatapp.administration.demo.story import PEOPLE, TALKS, Line, Talk
from chatapp.domain.commands import (
    CreateConversation,
    DeleteMessage,
    EditMessage,
    MarkAsRead,
    SaveUser,
    SendMessage,
    UploadFile,
)
from chatapp.domain.events import Event
from chatapp.domain.models import Actor, Message
from chatapp.services.chat import Chat
from chatapp.services.files import IncomingFile

AFTERTHOUGHT = timedelta(minutes=1)
"""So long after it a line is corrected or taken back."""


class StoryClock:
    """Stands at the moment that is being told."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now


class StoryIds:
    """The same ids for the same story: colours come from them."""

    def __init__(self) -> None:
        self._chance = Random(2027)

    def new(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


class Nobody:
    """The sockets, and their publisher, of a server that nobody is connected to."""

    def publish(self, *events: Event) -> None: ...

    def deliver(self, event: Event, *, rooms: Collection[str] | None = None) -> None: ...

    def relay(self, event: Event, *, rooms: Collection[str] | None = None) -> None: ...

    def admit(self, socket_id: str, user_id: str, *, parts: Collection[str] = ()) -> None: ...

    def set_parts(self, socket_id: str, parts: Collection[str]) -> None: ...

    def dismiss(self, socket_id: str, user_id: str) -> None: ...

    def enter(self, socket_id: str, conversation_id: str) -> None: ...

    def leave(self, socket_id: str, conversation_id: str) -> None: ...

    def evict(self, user_id: str, conversation_id: str) -> None: ...

    def close(self, conversation_id: str) -> None: ...

    def disconnect(self, user_id: str) -> None: ...

    def take_part(self, socket_id: str, participant_id: str, user_id: str) -> None: ...

    def part(self, participant_id: str, user_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Said:
    at: datetime
    talk: Talk
    line: Line
    left: int
    """How many lines of the talk come after it."""


def fill(chat: Chat, clock: StoryClock, *, now: datetime) -> None:
    """The whole story, as of ``now``."""
    told = sorted((said for talk in TALKS for said in _timed(talk, now)), key=lambda said: said.at)
    clock.set(told[0].at - timedelta(days=1))
    for person in PEOPLE:
        chat.users.save(
            SaveUser(id=person.id, name=person.name, email=person.email, roles=person.roles, filials=person.filials),
            actor=Actor(person.id),
        )
    teller = _Teller(chat, clock)
    for said in told:
        teller.tell(said)
    for person in PEOPLE:
        chat.store.users.touch(person.id, last_seen=now - timedelta(hours=person.seen_hours_ago))


def _timed(talk: Talk, now: datetime) -> Iterator[_Said]:
    for place, line in enumerate(talk.lines, start=1):
        yield _Said(_time(line.when, now), talk, line, left=len(talk.lines) - place)


def _time(when: str, now: datetime) -> datetime:
    day, _, at = when.partition(" ")
    number, unit = int(day[:-1]), day[-1]
    before = now - timedelta(**{{"d": "days", "h": "hours", "m": "minutes"}[unit]: number})
    if not at:
        return before
    hour, minute = at.split(":")
    return before.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)


class _Teller:
    def __init__(self, chat: Chat, clock: StoryClock) -> None:
        self._chat, self._clock = chat, clock
        self._conversations: dict[int, str] = {}
        self._messages: dict[str, Message] = {}

    def tell(self, said: _Said) -> None:
        line, actor = said.line, Actor(said.line.who)
        self._clock.set(said.at)
        conversation_id = self._conversation(said.talk)
        message = self._say(conversation_id, line, actor)
        self._messages[line.key] = message
        self._clock.set(said.at + AFTERTHOUGHT)
        if line.correction:
            self._chat.messages.edit(EditMessage(message_id=message.id, new_content=line.correction), actor=actor)
        if line.taken_back:
            self._chat.messages.delete_own(DeleteMessage(message_id=message.id), actor=actor)
        self._read(conversation_id, said)

    def _conversation(self, talk: Talk) -> str:
        known = self._conversations.get(id(talk))
        if known:
            return known
        command = CreateConversation(
            participants=talk.participants,
            is_group=talk.name is not None,
            name=talk.name,
            description=talk.description,
            actor_id=talk.participants[0],
        )
        made, _ = self._chat.conversations.create(command, actor=Actor(talk.participants[0]))
        self._conversations[id(talk)] = made.id
        return made.id

    def _say(self, conversation_id: str, line: Line, actor: Actor) -> Message:
        answered = self._messages[line.answers].id if line.answers else None
        if line.file:
            upload = UploadFile(conversation_id=conversation_id, content=line.text or None, reply_to=answered)
            message = self._chat.files.upload(upload, self._staged(line.file), actor=actor).message
            assert message is not None, "it names a conversation"
            return message
        said = SendMessage(conversation_id=conversation_id, content=line.text, reply_to=answered)
        return self._chat.messages.send(said, actor=actor)

    def _staged(self, name: str) -> IncomingFile:
        data = FILES[name]()
        path = self._chat.file_store.staging() / name
        path.write_bytes(data)
        return IncomingFile(path, name, len(data), hashlib.sha256(data).hexdigest())

    def _read(self, conversation_id: str, said: _Said) -> None:
        """Those read who read no further than this line."""
        for user_id in said.talk.participants:
            if said.talk.unread.get(user_id, 0) == said.left:
                self._chat.conversations.mark_as_read(MarkAsRead(conversation_id=conversation_id), actor=Actor(user_id))

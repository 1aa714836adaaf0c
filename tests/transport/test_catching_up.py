"""Somebody who was away, over REST: after catching up they have what a fresh fetch would give them, byte for byte."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatapp.application import create_app
from chatapp.domain import commands
from chatapp.domain.errors import ChatError
from chatapp.domain.models import OPERATOR, Actor
from chatapp.services.chat import Chat
from chatapp.settings import Settings

PEOPLE = ("ana", "bea", "carlos", "dora", "eva")
AWAY = "eva"
PAGE = 4

Json = dict[str, Any]


class Server:
    """Shared by all examples; each has a group of its own."""

    def __init__(self, folder: Path) -> None:
        quiet = Settings(rate_limit_enabled=False, log_level="error")
        self.app = create_app(quiet, sqlite_path=folder / "chat.db", upload_path=folder / "uploads")
        self.client: FlaskClient = self.app.test_client()
        self.chat: Chat = self.app.extensions["chatapp"].chat
        for user_id in PEOPLE:
            self.post("/api/users", {"id": user_id, "name": user_id.title(), "email": f"{user_id}@example.com"})

    def post(self, path: str, body: Json) -> Json:
        answer = self.client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        told: Json = answer.get_json()
        return told

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def close(self) -> None:
        self.app.extensions["chatapp"].close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        yield server
    finally:
        server.close()
        root.handlers, root.level = handlers, level


# ---------------------------------------------------------------- a client, as docs/protocol.md tells it to be one
class Copy:
    """What a client keeps of a group."""

    def __init__(self, server: Server, conversation_id: str) -> None:
        self._server = server
        self._id = conversation_id
        self.rev = 0
        self.last_seq = 0
        self.messages: dict[int, Json] = {}
        self.marks: dict[str, int] = {}
        self._read_conversation()

    def _read_conversation(self) -> None:
        shown = self._server.get(f"/api/conversations/{self._id}")
        self.name, self.description, self.owner = shown["name"], shown["description"], shown["createdBy"]
        self.marks = {user_id: self.marks.get(user_id, 0) for user_id in shown["participants"]}

    def catch_up(self) -> None:
        while True:
            page = self._server.get(f"/api/conversations/{self._id}/changes", since=self.rev, limit=PAGE)
            if page["truncated"]:
                self.messages.clear()
                self._read_conversation()
            for change in page["changes"]:
                assert change["rev"] > self.rev
                self.rev = change["rev"]
                self._apply(change)
            assert page["rev"] >= self.rev
            self.rev = page["rev"]
            if not page["hasMore"]:
                return

    def _apply(self, change: Json) -> None:
        match change["type"]:
            case "message":
                message = change["message"]
                self.messages[message["seq"]] = message
                self.last_seq = message["seq"]
                self._read(message["senderId"], message["seq"])
            case "edit":
                self.messages[change["message"]["seq"]] = change["message"]
            case "delete":
                gone = change["message"]
                self.messages[gone["seq"]] = gone
                for message in self.messages.values():
                    if message["replyTo"] == gone["id"]:
                        message["replyPreview"] = ""
            case "read":
                self._read(change["read"]["userId"], change["read"]["lastReadSeq"])
            case "members":
                self._change_members(change["members"])
            case "details":
                self.name, self.description = change["details"]["name"], change["details"]["description"]
            case "purge":
                through = change["throughSeq"]
                self.messages = {seq: message for seq, message in self.messages.items() if seq > through}
                self.last_seq = max(self.last_seq, through)
                for user_id in self.marks:
                    self._read(user_id, through)

    def _read(self, user_id: str, seq: int) -> None:
        if user_id in self.marks:
            self.marks[user_id] = max(seq, self.marks[user_id])

    def _change_members(self, change: Json) -> None:
        for user_id in change["userIds"]:
            self.marks.pop(user_id, None)  # who is added is the last, also when they are known already
            if change["action"] == "add":
                self.marks[user_id] = self.last_seq
        self.owner = change["newOwnerId"] or self.owner

    def shown(self) -> bytes:
        head = {"name": self.name, "description": self.description, "createdBy": self.owner, "rev": self.rev}
        return _bytes(head, list(self.marks), [self.messages[seq] for seq in sorted(self.messages)])

    @property
    def unread(self) -> int:
        return self.last_seq - self.marks[AWAY]


def fresh(server: Server, conversation_id: str) -> bytes:
    shown = server.get(f"/api/conversations/{conversation_id}")
    messages = server.get(f"/api/messages/{conversation_id}", after=0, limit=500)
    head = {name: shown[name] for name in ("name", "description", "createdBy", "rev")}
    return _bytes(head, shown["participants"], messages)


def _bytes(*parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()


def inbox_entry(server: Server, conversation_id: str) -> Json:
    entries = server.get(f"/api/conversations/user/{AWAY}")["conversations"]
    (entry,) = [entry for entry in entries if entry["id"] == conversation_id]
    found: Json = entry
    return found


# ---------------------------------------------------------------- what the five do
Act = Callable[[Chat, Actor, str, list[str]], object]


def _send(text: str) -> Act:
    def act(chat: Chat, actor: Actor, group: str, sent: list[str]) -> None:
        sent.append(chat.messages.send(commands.SendMessage(conversation_id=group, content=text), actor=actor).id)

    return act


def _about(index: int, do: Callable[[Chat, Actor, str, str], object]) -> Act:
    """Something about one of the messages there are."""

    def act(chat: Chat, actor: Actor, group: str, sent: list[str]) -> None:
        if sent:
            do(chat, actor, group, sent[index % len(sent)])

    return act


def _reply(chat: Chat, actor: Actor, group: str, message_id: str) -> None:
    chat.messages.send(commands.SendMessage(conversation_id=group, content="re", reply_to=message_id), actor=actor)


def _edit(chat: Chat, actor: Actor, _group: str, message_id: str) -> None:
    chat.messages.edit(commands.EditMessage(message_id=message_id, new_content="corrected"), actor=actor)


def _delete(chat: Chat, actor: Actor, _group: str, message_id: str) -> None:
    chat.messages.delete_own(commands.DeleteMessage(message_id=message_id), actor=actor)


def _in_group(do: Callable[[Chat, Actor, str], object]) -> Act:
    return lambda chat, actor, group, _sent: do(chat, actor, group)


def _read(chat: Chat, actor: Actor, group: str) -> None:
    chat.conversations.mark_as_read(commands.MarkAsRead(conversation_id=group), actor=actor)


def _leave(chat: Chat, actor: Actor, group: str) -> None:
    if actor.user_id != AWAY:
        chat.conversations.leave_group(commands.LeaveGroup(conversation_id=group), actor=actor)


def _add(user_id: str) -> Act:
    command = commands.AddParticipants
    return _in_group(
        lambda chat, actor, group: chat.conversations.add_participants(
            command(conversation_id=group, participants=(user_id,)), actor=actor
        )
    )


def _remove(user_id: str) -> Act:
    command = commands.RemoveParticipant
    return _in_group(
        lambda chat, actor, group: chat.conversations.remove_participant(
            command(conversation_id=group, user_id=user_id), actor=actor
        )
    )


def _rename(name: str) -> Act:
    return _in_group(
        lambda chat, actor, group: chat.conversations.update_group(
            commands.UpdateGroup(conversation_id=group, name=name, keep_description=True), actor=actor
        )
    )


def _purge(chat: Chat, _actor: Actor, _group: str) -> None:
    chat.messages.purge(batch_size=25, actor=OPERATOR)


others = st.sampled_from([user_id for user_id in PEOPLE if user_id != AWAY])
acts = st.one_of(
    st.sampled_from(["hola", "¿qué tal?", "🎸", "x" * 200]).map(_send),
    st.builds(_about, st.integers(0, 50), st.sampled_from([_reply, _edit, _delete])),
    st.sampled_from([_read, _read, _leave, _purge]).map(_in_group),
    others.map(_add),
    others.map(_remove),
    st.sampled_from(["Equipo", "Team", "Ñandú"]).map(_rename),
)
operations = st.lists(st.tuples(st.sampled_from(PEOPLE), acts), max_size=25)


def perform(server: Server, group: str, sent: list[str], done: list[tuple[str, Act]]) -> None:
    for user_id, act in done:
        with suppress(ChatError):  # refused: nothing has happened
            act(server.chat, Actor(user_id), group, sent)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=operations, meanwhile=operations, afterwards=operations)
def test_who_was_away_has_after_catching_up_what_a_fresh_fetch_gives(
    server: Server,
    before: list[tuple[str, Act]],
    meanwhile: list[tuple[str, Act]],
    afterwards: list[tuple[str, Act]],
) -> None:
    body = {"type": "group", "name": "Five", "participants": list(PEOPLE), "createdBy": "ana"}
    group = server.post("/api/conversations", body)["id"]
    sent: list[str] = []
    copy = Copy(server, group)
    for done in (before, meanwhile, afterwards):
        perform(server, group, sent, done)
        copy.catch_up()
        assert copy.shown() == fresh(server, group)
        entry = inbox_entry(server, group)
        assert (copy.last_seq, copy.marks[AWAY], copy.unread) == (
            entry["lastSeq"],
            entry["lastReadSeq"],
            entry["unreadCount"],
        )
    late = Copy(server, group)
    late.catch_up()
    assert late.shown() == copy.shown()

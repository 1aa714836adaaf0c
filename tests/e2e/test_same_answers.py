"""One, two or four workers: the same conversation gets the same answers and makes everybody hear the same."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.sample_files import picture
from tests.e2e.server import Server, free_port, running
from tests.e2e.wire import PATIENCE, Client, person, text_message
from tests.engines.redis import running_redis

CHANGING = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})(?:-\d{13})?"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"
)
PLAYERS = {"ana": "websocket", "bea": "polling", "carlos": "websocket", "ana again": "polling", "dora": "websocket"}
"""Sockets and their transports, each on the next worker."""

Entry = tuple[str, Any, dict[str, list[str]]]
"""What was done, what was answered, and what each socket then heard."""


class Conversation:
    """Does one thing after the other, and writes down what comes of it.

    ``model`` is what came of it on one worker: with several, what others tell takes its time, and is waited for.
    """

    def __init__(self, server: Server, workers: int, model: list[Entry] | None = None) -> None:
        self.server = server
        self.entries: list[Entry] = []
        self._workers = workers
        self._model = model or []
        self._clients: dict[str, Client] = {}
        self._read: dict[str, int] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    # ------------------------------------------------------------ doing
    def connect(self, player: str) -> None:
        """On the worker whose turn it is."""
        turn = list(PLAYERS).index(player) % self._workers
        give_up_at = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < give_up_at, "the kernel does not spread connections"
            client = Client(self.server.url, PLAYERS[player])
            owner = str(client.sid).partition(".")[0]
            if self._workers == 1 or int(owner, 16) == sorted(self.server.workers())[turn]:
                break
            client.close()
        self._clients[player], self._read[player] = client, 0

    def emit(self, player: str, event: str, *arguments: Any) -> Any:
        return self._note(f"{player}: {event}", lambda: self._clients[player].call(event, *arguments))

    def ask(self, method: str, path: str, **kwargs: Any) -> Any:
        def answer() -> dict[str, Any]:
            got = requests.request(method, self.server.url + path, timeout=PATIENCE, **kwargs)
            return (
                {"status": got.status_code, "body": {k: v for k, v in got.json().items() if k != "requestId"}}
                if isinstance(got.json(), dict)
                else {"status": got.status_code, "body": got.json()}
            )

        return self._note(f"{method} {path}", answer)["body"]

    def leave(self, player: str) -> None:
        """As when a page is closed; nobody else's turn before all others know."""

        def close() -> None:
            self._clients.pop(player).close()
            for other in self._clients.values():
                other.expect("user_disconnected")

        self._note(f"{player} leaves", close)

    # ------------------------------------------------------------ writing down
    def _note(self, what: str, action: Callable[[], Any]) -> Any:
        result = action()
        self._settle()
        heard = {player: self._new(player) for player in self._clients}
        self.entries.append((what, result, heard))
        return result

    def _settle(self) -> None:
        """On one worker what was sent before has arrived after two round trips: one until it is handled, one for what
        it caused."""
        if self._model:
            _, _, due = self._model[len(self.entries)]
            give_up_at = time.monotonic() + PATIENCE
            while any(
                len(self._clients[player].seen) - self._read[player] < len(due[player]) for player in self._clients
            ):
                if time.monotonic() > give_up_at:  # the comparison shows what is missing
                    break
                time.sleep(0.002)
        for _ in range(2):
            for client in self._clients.values():
                client.call("leave_room", {"conversationId": "nowhere"})

    def _new(self, player: str) -> list[str]:
        """Without the offsets, which name a worker. What two workers say at once may come in either order: that of one
        room's messages is their ``seq``."""
        seen = self._clients[player].seen[self._read[player] :]
        self._read[player] += len(seen)
        told = [(name, arguments[0]) for name, arguments in seen]
        return sorted((json.dumps(event, sort_keys=True) for event in told), key=lambda said: CHANGING.sub("", said))


def normal(entries: list[Entry]) -> list[str]:
    """A line for each entry; ids by the order in which they came up, times as such."""
    ids: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return "<time>" if found["time"] else ids.setdefault(found["id"], f"<id {len(ids) + 1}>")

    return [CHANGING.sub(name, json.dumps(entry, sort_keys=True, ensure_ascii=False)) for entry in entries]


# ---------------------------------------------------------------- the conversation
def hold(talk: Conversation) -> None:
    for user_id in ("ana", "bea", "carlos", "dora"):
        body = {"id": user_id, "name": f"Name of {user_id}", "email": f"{user_id}@example.com"}
        talk.ask("POST", "/api/users", json=body)
    for player in PLAYERS:
        talk.connect(player)
        talk.emit(player, "send_message", text_message("nowhere", "ana"))
        talk.emit(player, "user_join", person(player.split()[0]))
    two_of_us(talk)
    a_group(talk)
    refusals(talk)
    goodbyes(talk)


def two_of_us(talk: Conversation) -> None:
    body = {"type": "private", "participants": ["ana", "bea"], "createdBy": "ana"}
    room = talk.ask("POST", "/api/conversations", json=body)["id"]
    talk.ask("POST", "/api/conversations", json=body)
    talk.emit("ana", "send_message", text_message(room, "ana", "¿estás?"))
    for player in ("ana", "bea", "ana again"):
        talk.emit(player, "join_room", {"conversationId": room, "userId": player.split()[0]})
    talk.emit("bea", "mark_messages_as_read", {"conversationId": room, "userId": "bea"})
    first = talk.emit("bea", "send_message", text_message(room, "bea", "sí", clientMessageId="una vez"))["data"]["id"]
    talk.emit("bea", "send_message", text_message(room, "bea", "sí", clientMessageId="una vez"))
    talk.emit("bea", "send_message", text_message(room, "bea", "no", clientMessageId="una vez"))
    talk.emit("ana again", "typing_start", {"conversationId": room, "userId": "ana", "userName": "Ana"})
    talk.emit("ana again", "typing_stop", {"conversationId": room, "userId": "ana"})
    reply = {"conversationId": room, "senderId": "ana", "content": "bien", "messageType": "text", "replyTo": first}
    answer = talk.emit("ana", "send_reply", reply)["data"]["id"]
    talk.emit("ana", "edit_message", {"messageId": answer, "newContent": "muy bien", "userId": "ana"})
    talk.emit("bea", "edit_message", {"messageId": answer, "newContent": "mal", "userId": "bea"})
    talk.emit("bea", "delete_message", {"messageId": first, "userId": "bea"})
    talk.ask("GET", f"/api/messages/{answer}/with-replies")
    talk.ask("GET", f"/api/messages/{first}/replies")
    photo = {"file": ("foto.png", picture("PNG"), "image/png")}
    talk.ask("POST", "/api/upload", files=photo, data={"conversationId": room, "senderId": "bea"})
    talk.emit("bea", "leave_room", {"conversationId": room, "userId": "bea"})
    talk.emit("ana", "send_message", text_message(room, "ana", "¿sigues?"))
    talk.ask("POST", f"/api/conversations/{room}/mark-as-read", json={"userId": "bea"})
    talk.ask("GET", f"/api/messages/{room}?after=1&limit=2")
    talk.ask("GET", f"/api/messages/{room}")
    for user_id in ("ana", "bea"):
        talk.ask("GET", f"/api/conversations/user/{user_id}")


def a_group(talk: Conversation) -> None:
    body = {"name": "Equipo", "participants": ["bea", "carlos"], "createdBy": "ana"}
    group = talk.emit("ana", "create_group", body)["data"]["id"]
    for player in ("ana", "bea", "carlos"):
        talk.emit(player, "join_room", {"conversationId": group, "userId": player})
    for number, player in enumerate(("carlos", "bea", "ana") * 2):
        talk.emit(player, "send_message", text_message(group, player, f"{number}"))
    talk.emit("dora", "join_room", {"conversationId": group, "userId": "dora"})
    talk.emit("bea", "add_user_to_group", {"conversationId": group, "participants": ["dora"]})
    talk.emit("carlos", "send_message", text_message(group, "carlos", "hola, dora"))
    talk.emit("dora", "join_room", {"conversationId": group, "userId": "dora"})
    talk.ask("DELETE", f"/api/conversations/{group}/participants/bea?removedBy=ana")
    talk.emit("bea", "send_message", text_message(group, "bea", "¿y yo?"))
    talk.emit("carlos", "send_message", text_message(group, "carlos", "sin bea"))
    talk.emit("ana", "leave_group", {"conversationId": group, "userId": "ana"})
    talk.ask("GET", f"/api/conversations/{group}")
    talk.ask("GET", f"/api/messages/{group}")
    talk.emit("carlos", "leave_group", {"conversationId": group, "userId": "carlos"})
    talk.emit("dora", "leave_group", {"conversationId": group, "userId": "dora"})
    talk.ask("GET", f"/api/conversations/{group}")


def refusals(talk: Conversation) -> None:
    talk.emit("carlos", "dance", {})
    talk.emit("carlos", "join_room", {"conversationId": "nowhere", "userId": "carlos"})
    talk.emit("carlos", "send_message", {"conversationId": "nowhere"})
    talk.emit("carlos", "send_message", text_message("nowhere", "ana"))
    talk.ask("POST", "/api/users", json={"id": "x"})
    talk.ask("GET", "/api/users/nobody")
    talk.ask("GET", "/api/messages/nowhere")


def goodbyes(talk: Conversation) -> None:
    talk.emit("carlos", "user_status", {"userId": "carlos", "status": "away"})
    talk.ask("GET", "/api/users?limit=100")
    talk.leave("carlos")
    talk.leave("dora")
    talk.ask("DELETE", "/api/users/dora")
    for player in ("ana", "bea", "ana again"):  # had anything been told late or twice, it had come before these
        talk.emit(player, "user_status", {"userId": player.split()[0], "status": "online"})
    talk.ask("GET", "/api/users?limit=100")


# ---------------------------------------------------------------- the comparison
@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int, bool], list[Entry]]]:
    """The entries for so many workers, with Redis or without."""
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(free_port()))

        @cache
        def hold_on(workers: int, with_redis: bool) -> list[Entry]:
            folder = tmp_path_factory.mktemp("same")
            return _hold(folder, workers, redis.url if with_redis else None, hold_on(1, False) if with_redis else None)

        yield hold_on


def _hold(folder: Path, workers: int, redis_url: str | None, model: list[Entry] | None) -> list[Entry]:
    env = {"PRESENCE_GRACE_SECONDS": "0.3", "WEB_CONCURRENCY": str(workers)}
    with running(folder, **env, **({"REDIS_URL": redis_url} if redis_url else {})) as server:
        give_up_at = time.monotonic() + PATIENCE
        while len(server.workers()) < workers:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        talk = Conversation(server, workers, model)
        try:
            hold(talk)
        finally:
            talk.close()
    assert "Traceback" not in server.log()
    return talk.entries


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_answers_as_one_alone(held: Callable[[int, bool], list[Entry]], workers: int) -> None:
    alone, together = normal(held(1, False)), normal(held(workers, True))
    assert len(alone) == len(together)
    for expected, got in zip(alone, together, strict=True):
        assert got == expected


def test_the_conversation_is_worth_comparing(held: Callable[[int, bool], list[Entry]]) -> None:
    entries = held(1, False)
    events = {json.loads(said)[0] for _, _, heard in entries for all_ in heard.values() for said in all_}
    assert len(events) > 20, sorted(events)
    assert len(entries) > 60

"""One user's client: comes back by itself, catches up, and repeats what was not acknowledged with the same key."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from chatapp.torture.connection import Connection, Refused
from chatapp.torture.history import Asked, CaughtUp, Cut, Entered, Left
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest

PAGE = 500
"""The most that ``GET /api/messages/:id`` gives at once."""

RETRY_SECONDS = 0.2


class Unusable(Exception):
    """Nothing can be judged on this server as it is; the sentence is for the operator."""


class Client:
    """Used by one thread; ``rooms`` are those it wants to hear."""

    def __init__(
        self, user_id: str, rest: Rest, recorder: Recorder, *, url: str, socket_path: str, transport: str
    ) -> None:
        self.user_id = user_id
        self.rooms: set[str] = set()
        self._rest, self._recorder = rest, recorder
        self._where = (url, socket_path, transport)
        self._connection: Connection | None = None
        self._inside: set[str] = set()
        self._lock = threading.Lock()
        self._got: defaultdict[str, set[int]] = defaultdict(set)
        self._known: defaultdict[str, int] = defaultdict(int)

    # ------------------------------------------------------------ being there
    def come(self) -> Connection:
        """Connected, and in all rooms that let it in. Raises Gone, Unusable."""
        connection = self._connection
        if connection is None or not connection.is_open:
            self._inside = set()
            connection = self._connection = self._connect()
        for room in self.rooms - self._inside:
            try:
                self.enter(connection, room)
            except Refused as refusal:
                usable(refusal)  # the judge will say what it means that a member was not let in
        return connection

    def _connect(self) -> Connection:
        connection: Connection | None = None
        try:
            connection = Connection(*self._where, heard=self._hear, ended=self._ended)
            connection.call("user_join", _joining(self.user_id))
        except Refused as refusal:
            if connection is not None:
                connection.close()
            usable(refusal)
            raise Gone(refusal.code) from refusal
        return connection

    def enter(self, connection: Connection, room: str) -> None:
        """Raises Refused, Gone."""
        asked = self._recorder.now()
        self._see(Asked(asked, room))
        about = {"conversationId": room, "userId": self.user_id}
        connection.call("join_room", about, answered=lambda said: self._entered(asked, said))
        self._inside.add(room)
        self.catch_up(room)

    def _entered(self, asked: float, said: Any) -> None:
        state = (said["lastSeq"], said["lastReadSeq"], said["unreadCount"])
        self._see(Entered(self._recorder.now(), said["conversationId"], asked, *state))

    def catch_up(self, room: str) -> None:
        """Raises Gone."""
        asked, after, seqs = self._recorder.now(), self.known(room), list[int]()
        while True:
            start = seqs[-1] if seqs else after
            status, page = self._rest.ask("GET", f"/api/messages/{room}?after={start}&limit={PAGE}")
            if status != 200:
                usable(Refused(code_of(page)))
                raise Gone(f"catching up was answered with {status}")
            seqs += [message["seq"] for message in page]
            if len(page) < PAGE:
                break
        self._see(CaughtUp(self._recorder.now(), room, asked, after, tuple(seqs)))
        with self._lock:
            self._got[room].update(seqs)

    def leave_room(self, room: str) -> None:
        """Raises Gone."""
        self.rooms.discard(room)
        self._inside.discard(room)
        about = {"conversationId": room, "userId": self.user_id}
        try:
            self.come().call("leave_room", about, answered=lambda _: self._see(Left(self._recorder.now(), room)))
        except Refused as refusal:
            usable(refusal)

    def forget_room(self, room: str) -> None:
        """It is no member any more."""
        self.rooms.discard(room)
        self._inside.discard(room)

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def known(self, room: str) -> int:
        """The ``seq`` up to which it has got everything."""
        with self._lock:
            while self._known[room] + 1 in self._got[room]:
                self._known[room] += 1
            return self._known[room]

    def is_up_to_date(self, room: str, last_seq: int) -> bool:
        is_here = self._connection is not None and self._connection.is_open
        return is_here and room in self._inside and self.known(room) >= last_seq

    # ------------------------------------------------------------ doing
    def begin_send(self, key: str, conversation: str, content: str) -> dict[str, Any]:
        self._recorder.begin_send(self.user_id, conversation, key, content)
        return {
            "conversationId": conversation,
            "senderId": self.user_id,
            "content": content,
            "messageType": "text",
            "clientMessageId": key,
        }

    def send(self, message: dict[str, Any], *, until: float, is_first: bool = True) -> bool:
        """Until there is a definite answer; True when it is stored. ``is_first``: nothing was tried before."""
        key = message["clientMessageId"]
        while self._recorder.now() < until:
            try:
                connection = self.come()
                connection.call("send_message", message, answered=lambda said: self._recorder.answer_send(key, said))
            except Refused as refusal:
                if usable(refusal):
                    if is_first:
                        self._recorder.refuse_send(key, refusal.code)
                    return False
                is_first = False
            except Gone:
                is_first = False
            else:
                return True
            threading.Event().wait(RETRY_SECONDS)
        return False

    def fling(self, message: dict[str, Any]) -> None:
        """Send it and cut the connection, without waiting for anything. Raises Gone."""
        self.come().tell("send_message", message)
        self.cut()

    def mark_as_read(self, conversation: str) -> None:
        """Raises Gone."""
        number = self._recorder.begin_mark(self.user_id, conversation)
        about = {"conversationId": conversation, "userId": self.user_id}
        try:
            self.come().call(
                "mark_messages_as_read", about, answered=lambda said: self._recorder.answer_mark(number, said)
            )
        except Refused as refusal:
            usable(refusal)

    # ------------------------------------------------------------ the reading thread
    def _hear(self, event: str, said: Any) -> None:
        heard = self._recorder.hear(self.user_id, event, said)
        if heard is not None:
            with self._lock:
                self._got[heard.conversation].add(heard.seq)

    def _ended(self) -> None:
        self._see(Cut(self._recorder.now()))

    def _see(self, entry: Any) -> None:
        self._recorder.see(self.user_id, entry)


def usable(refusal: Refused) -> bool:
    """False when the refusal says nothing but to try again. Raises Unusable where limits would spoil everything."""
    if refusal.code == "rate_limited":
        raise Unusable("the server limits rates: start it with RATE_LIMIT_ENABLED=off to have it tortured")
    return not (refusal.code.endswith("_unavailable") or refusal.code in ("internal_error", "not_identified"))


def code_of(body: Any) -> str:
    return str(body.get("code")) if isinstance(body, dict) else "unknown"


def person(user_id: str) -> dict[str, Any]:
    return {"id": user_id, "name": user_id, "email": f"{user_id}@torture.example"}


def _joining(user_id: str) -> dict[str, Any]:
    return {"userId": user_id, "name": user_id, "email": f"{user_id}@torture.example"}

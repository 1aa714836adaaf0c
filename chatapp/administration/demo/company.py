"""The demo's people who are here: online, reading, and never at a loss for an answer to a visitor."""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import cycle
from typing import Any

from chatapp.administration.demo.story import ANSWERS, PEOPLE, Person
from chatapp.torture.connection import Connection, Refused
from chatapp.torture.transports import Gone, Rest

HERE = tuple(person for person in PEOPLE if person.status is not None)

READS_AFTER_SECONDS, WRITES_AFTER_SECONDS, SENDS_AFTER_SECONDS = 0.8, 1.6, 4.0
"""As people do: they look, begin to write, and are done."""


class Company:
    def __init__(self, url: str, socket_path: str) -> None:
        self._colleagues = [Colleague(person, url, socket_path) for person in HERE]

    def close(self) -> None:
        for colleague in self._colleagues:
            colleague.leave()


class Colleague:
    """One of them, by a client's means alone. Whatever the server refuses, such as too many answers in a minute, is
    not said."""

    def __init__(self, person: Person, url: str, socket_path: str) -> None:
        self._id = person.id
        self._answers = cycle(ANSWERS)
        self._private: set[str] = set()
        self._timers: set[threading.Timer] = set()
        self._connection = Connection(url, socket_path, "websocket", heard=self._hear, ended=_nothing)
        joining = {"userId": person.id, "name": person.name, "email": person.email}
        self._connection.call("user_join", joining)
        self._connection.call("user_status", {"userId": person.id, "status": person.status})
        _, inbox = Rest(url).ask("GET", f"/api/conversations/user/{person.id}")
        for conversation in inbox["conversations"]:
            if conversation["type"] == "private":
                self._private.add(conversation["id"])
            self._connection.call("join_room", {"conversationId": conversation["id"]})

    def leave(self) -> None:
        for timer in list(self._timers):
            timer.cancel()
        self._connection.close()

    def _hear(self, event: str, data: Any) -> None:
        """The reading thread must not wait for answers: what is to be done is done by timers."""
        if event == "unread_message_private":  # by somebody who has never written before
            self._private.add(data["conversationId"])
            self._later(0, "join_room", data)
            self._take_up(data)
        elif event == "unread_message_group":
            self._later(0, "join_room", data)
        elif event in ("message_received", "reply_received"):
            self._take_up(data)

    def _take_up(self, message: Any) -> None:
        if message["senderId"] == self._id:
            return
        self._later(READS_AFTER_SECONDS, "mark_messages_as_read", message)
        if message["conversationId"] in self._private:
            self._later(WRITES_AFTER_SECONDS, "typing_start", message)
            self._later(SENDS_AFTER_SECONDS, "send_message", message, content=next(self._answers), messageType="text")

    def _later(self, seconds: float, event: str, about: Any, **more: Any) -> None:
        payload = {"conversationId": about["conversationId"], **more}
        if event == "send_message":
            payload["senderId"] = self._id

        def act() -> None:
            self._timers.discard(timer)
            with suppress(Refused, Gone):
                self._connection.call(event, payload)

        timer = threading.Timer(seconds, act)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()


def _nothing() -> None: ...

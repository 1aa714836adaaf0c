"""Writes the history down while many threads make it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chatapp.torture.history import Answer, Heard, History, Mark, Membership, Noticed, Seen, Send

MESSAGES = ("message_received", "reply_received")
NOTICES = ("unread_message_private", "unread_message_group")


class Recorder:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._lock = threading.Lock()
        self._sends: dict[str, Send] = {}  # keys are the run's own: no two are equal
        self._marks: list[Mark] = []
        self._memberships: list[Membership] = []
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)

    def history(self) -> History:
        with self._lock:
            seen = {user: tuple(entries) for user, entries in self._seen.items()}
            return History(tuple(self._sends.values()), tuple(self._marks), tuple(self._memberships), seen)

    # ------------------------------------------------------------ what a client sees
    def see(self, user: str, entry: Seen) -> None:
        with self._lock:
            self._seen[user].append(entry)

    def hear(self, user: str, event: str, said: Any) -> Heard | None:
        """Whatever event it is; the message, if it is one."""
        if event in MESSAGES:
            sender, content = said["senderId"], said["content"]
            heard = Heard(self.now(), said["conversationId"], said["id"], said["seq"], sender, content)
            self.see(user, heard)
            return heard
        if event in NOTICES:
            self.see(user, Noticed(self.now(), said["conversationId"], said["messageId"], said["unreadCount"]))
        return None

    # ------------------------------------------------------------ what is asked
    def begin_send(self, sender: str, conversation: str, key: str, content: str) -> None:
        """Once for each key."""
        with self._lock:
            self._sends[key] = Send(sender, conversation, key, content, self.now())

    def answer_send(self, key: str, said: Any) -> None:
        with self._lock:
            send = self._sends[key]
            self._sends[key] = replace(send, answers=(*send.answers, Answer(self.now(), said["id"], said["seq"])))

    def refuse_send(self, key: str, code: str) -> None:
        with self._lock:
            self._sends[key] = replace(self._sends[key], refused=code)

    def begin_mark(self, user: str, conversation: str) -> int:
        with self._lock:
            self._marks.append(Mark(user, conversation, self.now()))
            return len(self._marks) - 1

    def answer_mark(self, number: int, said: Any) -> None:
        with self._lock:
            self._marks[number] = replace(self._marks[number], acknowledged=self.now(), seq=said["lastReadSeq"])

    # ------------------------------------------------------------ who is a member
    def begin_membership(self, user: str, conversation: str, *, certain: bool = True) -> int:
        """Its number. Not certain, until ``confirm``, is one that has only been asked for."""
        with self._lock:
            self._memberships.append(Membership(user, conversation, self.now(), certain=certain))
            return len(self._memberships) - 1

    def confirm(self, number: int, *, read_from: int, read_to: int) -> None:
        with self._lock:
            self._memberships[number] = replace(
                self._memberships[number], certain=True, read_from=read_from, read_to=read_to
            )

    def doubt(self, number: int) -> None:
        """Its end has been asked for."""
        with self._lock:
            self._memberships[number] = replace(self._memberships[number], certain=False)

    def end_membership(self, number: int) -> None:
        with self._lock:
            self._memberships[number] = replace(self._memberships[number], ended=self.now(), certain=True)

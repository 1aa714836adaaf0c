"""Sessions: connections that broke without a goodbye, kept a while for the client that may come back for them.

Socket.IO calls it connection state recovery. The sessions themselves, and what each has missed, belong to the sockets
(``transport/sockets/recovery.py``). Here stands what the rules need to know of them: while a session is kept, its user
is offline to everybody else, and yet this worker goes on to hear and to count for them.
"""

from __future__ import annotations

from typing import Protocol

from chatapp.domain.events import WorkerEvent
from chatapp.services.following import Here


class Sessions(Protocol):
    def keeps(self, user_id: str) -> bool:
        """Whether a lost session of this user is kept here."""

    def forget_all(self) -> None:
        """Something may have been missed that they should have heard."""

    def receive(self, origin: str, event: WorkerEvent) -> None:
        """What another worker says. Never waits."""


class NoSessions:
    def keeps(self, user_id: str) -> bool:
        return False

    def forget_all(self) -> None: ...

    def receive(self, origin: str, event: WorkerEvent) -> None: ...


class HereOrKept:
    """Who is on this worker, lost sessions included. What these have open is followed for its members' sake."""

    def __init__(self, here: Here, sessions: Sessions) -> None:
        self._here = here
        self._sessions = sessions

    def is_here(self, user_id: str) -> bool:
        return self._here.is_here(user_id) or self._sessions.keeps(user_id)

    def is_viewed_here(self, conversation_id: str) -> bool:
        return self._here.is_viewed_here(conversation_id)

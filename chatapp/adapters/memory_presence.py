"""Presence in this process's memory: the embedded default, for one worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from chatapp.domain.models import Status

Viewers = dict[str, set[str]]
"""User → their sockets in one conversation; a user without any has no entry."""


class MemoryPresence:
    def __init__(self) -> None:
        self._sockets: defaultdict[str, set[str]] = defaultdict(set)  # user → sockets
        self._statuses: dict[str, Status] = {}  # everyone who is not offline by absence
        self._rooms: defaultdict[str, Viewers] = defaultdict(dict)
        self._viewed: defaultdict[str, set[str]] = defaultdict(set)  # user → conversations
        self._entered: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)  # socket → (conversation, user)

    def add(self, user_id: str, socket_id: str) -> bool:
        first = user_id not in self._sockets
        self._sockets[user_id].add(socket_id)
        self._statuses.setdefault(user_id, Status.ONLINE)
        return first

    def remove(self, user_id: str, socket_id: str) -> bool:
        for conversation_id, viewer_id in self.entered(socket_id):
            self.leave(conversation_id, viewer_id, socket_id)
        sockets = self._sockets.get(user_id)
        if not sockets or socket_id not in sockets:
            return False
        sockets.discard(socket_id)
        if sockets:
            return False
        del self._sockets[user_id]
        return True

    def has_sockets(self, user_id: str) -> bool:
        return user_id in self._sockets

    def set_status(self, user_id: str, status: Status) -> None:
        self._statuses[user_id] = status

    def forget(self, user_id: str) -> None:
        self._statuses.pop(user_id, None)

    def statuses(self, user_ids: Collection[str]) -> Mapping[str, Status]:
        return {user_id: self._statuses.get(user_id, Status.OFFLINE) for user_id in user_ids}

    def online(self) -> Collection[str]:
        return [user_id for user_id, status in self._statuses.items() if status is not Status.OFFLINE]

    def enter(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        viewers = self._rooms[conversation_id]
        first = user_id not in viewers
        viewers.setdefault(user_id, set()).add(socket_id)
        self._viewed[user_id].add(conversation_id)
        self._entered[socket_id].add((conversation_id, user_id))
        return first

    def leave(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        viewers = self._rooms.get(conversation_id)
        if not viewers or socket_id not in viewers.get(user_id, ()):
            return False
        self._forget_entry(conversation_id, user_id, socket_id)
        viewers[user_id].discard(socket_id)
        if viewers[user_id]:
            return False
        del viewers[user_id]
        if not viewers:
            del self._rooms[conversation_id]
        self._viewed[user_id].discard(conversation_id)
        if not self._viewed[user_id]:
            del self._viewed[user_id]
        return True

    def viewers(self, conversation_id: str) -> Collection[str]:
        return self._rooms.get(conversation_id, {}).keys()

    def evict(self, conversation_id: str, user_id: str) -> None:
        viewers = self._rooms.get(conversation_id, {})
        for socket_id in tuple(viewers.get(user_id, ())):
            self.leave(conversation_id, user_id, socket_id)

    def entered(self, socket_id: str) -> tuple[tuple[str, str], ...]:
        """The conversations the socket is in, and for whom."""
        return tuple(self._entered.get(socket_id, ()))

    def viewing(self, user_id: str) -> Collection[str]:
        """The conversations that a user's sockets are in."""
        return tuple(self._viewed.get(user_id, ()))

    def pairs(self) -> list[tuple[str, str]]:
        """Every conversation that a socket is in, and for whom."""
        return [(conversation_id, user_id) for conversation_id, viewers in self._rooms.items() for user_id in viewers]

    def knows(self, user_id: str) -> bool:
        """Whether the user shows any status, be it offline."""
        return user_id in self._statuses

    def users(self) -> Collection[str]:
        """Ids of all users with sockets."""
        return self._sockets.keys()

    def _forget_entry(self, conversation_id: str, user_id: str, socket_id: str) -> None:
        entered = self._entered[socket_id]
        entered.discard((conversation_id, user_id))
        if not entered:
            del self._entered[socket_id]

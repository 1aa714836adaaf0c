"""Who a sender is, remembered: every message carries its sender's name and avatar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from chatapp.domain.errors import Unavailable, UnknownUsers
from chatapp.domain.models import Sender, User
from chatapp.ports import UserStore

log = logging.getLogger(__name__)

MAX_REMEMBERED = 10_000
"""A sender is about 300 bytes here; the oldest make room."""


class Profiles:
    def __init__(self, users: UserStore, *, changed: Callable[[str], object] | None = None) -> None:
        """``changed`` is called with the id of a user whose profile other workers may still remember."""
        self._users = users
        self._changed = changed or (lambda _user_id: None)
        self._senders: dict[str, Sender] = {}
        self._changes = 0

    def require(self, user_id: str) -> Sender:
        """Raises UnknownUsers."""
        sender = self._senders.get(user_id) or self._load(user_id)
        if sender is None:
            raise UnknownUsers(userIds=[user_id])
        return sender

    def find(self, user_id: str) -> Sender:
        """Never fails, because what it names has happened: a user who is gone, or out of reach, has an empty name."""
        try:
            return self.require(user_id)
        except UnknownUsers:
            return Sender(user_id, "", None)
        except Unavailable as exc:
            log.warning("the name of %s was not read: %s", user_id, exc)
            return Sender(user_id, "", None)

    def prepare(self, user_ids: Iterable[str]) -> None:
        """Read those not remembered yet, all at once: to find them afterwards waits for nothing."""
        changes = self._changes
        unknown = [user_id for user_id in user_ids if user_id not in self._senders]
        users = self._users.get_many(unknown).values() if unknown else ()
        if changes == self._changes:  # else what we have read may be old already
            for user in users:
                self._keep(user)

    def remember(self, user: User) -> None:
        """Call it with every profile that was just written."""
        known = self._senders.get(user.id)
        self.forget(user.id)
        if self._keep(user) != known:
            self._changed(user.id)

    def drop(self, user_id: str) -> None:
        """The profile has changed, or is gone."""
        self.forget(user_id)
        self._changed(user_id)

    def forget(self, user_id: str) -> None:
        self._changes += 1
        self._senders.pop(user_id, None)

    def _load(self, user_id: str) -> Sender | None:
        changes = self._changes
        user = self._users.get(user_id)
        if user is None:
            return None
        return self._keep(user) if changes == self._changes else _sender(user)

    def _keep(self, user: User) -> Sender:
        while len(self._senders) >= MAX_REMEMBERED:
            del self._senders[next(iter(self._senders))]
        sender = self._senders[user.id] = _sender(user)
        return sender


def _sender(user: User) -> Sender:
    return Sender(user.id, user.name, user.avatar)

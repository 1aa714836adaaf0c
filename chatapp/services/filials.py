"""Whom somebody may find and write to: people of a branch they share, or of none."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from chatapp.domain.errors import OtherFilial, Unavailable
from chatapp.domain.models import Actor, Standing, User
from chatapp.domain.rooms import UNBOUNDED, filial_room
from chatapp.ports import UserStore

log = logging.getLogger(__name__)


class Filials:
    def __init__(self, users: UserStore, *, isolated: bool) -> None:
        """``isolated`` False: everybody sees everybody."""
        self._users = users
        self._isolated = isolated

    # ------------------------------------------------------------ whom an actor sees
    def of(self, actor: Actor, user: User | None = None) -> frozenset[str] | None:
        """By which the actor's view is bounded; None when it is not: administrators, API keys, people of no branch.

        ``user`` is the actor's profile where it is known; else this may wait. Raises StoreUnavailable.
        """
        if not self._isolated or actor.is_admin or actor.standing is Standing.KEY or actor.user_id is None:
            return None
        if actor.identity is not None and actor.identity.filials is not None:
            return frozenset(actor.identity.filials) or None
        user = user or self._users.get(actor.user_id)
        return frozenset(user.filials) or None if user else None

    def require_visible(self, actor: Actor, users: Iterable[User]) -> None:
        """Raises OtherFilial with those whom the actor may not see."""
        bounds = self.of(actor)
        if bounds is None:
            return
        hidden = [user.id for user in users if user.id != actor.user_id and not shares(user, bounds)]
        if hidden:
            raise OtherFilial(userIds=hidden)

    def rooms_of(self, actor: Actor, user: User | None = None) -> tuple[str, ...]:
        """The parts of everyone that the actor hears. As ``of``."""
        if not self._isolated:
            return ()
        bounds = self.of(actor, user)
        return (UNBOUNDED,) if bounds is None else tuple(map(filial_room, sorted(bounds)))

    # ------------------------------------------------------------ who sees a user
    def audience_of(self, user: User) -> tuple[str, ...] | None:
        """The branches whose people may know of this user; None: everyone."""
        return user.filials or None if self._isolated else None

    def audience_of_id(self, user_id: str) -> tuple[str, ...] | None:
        """As ``audience_of``. May wait, never fails: where the store does not say, no branch is told."""
        if not self._isolated:
            return None
        try:
            user = self._users.get(user_id)
        except Unavailable as exc:
            log.warning("the filials of %s were not read: %s", user_id, exc)
            return ()
        return self.audience_of(user) if user else ()


def shares(user: User, filials: frozenset[str]) -> bool:
    """Whether somebody of these branches may see the user."""
    return not user.filials or not filials.isdisjoint(user.filials)

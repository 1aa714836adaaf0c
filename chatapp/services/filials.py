"""Whom somebody may find and write to: people of a branch they share, or of none."""

from __future__ import annotations

from collections.abc import Iterable

from chatapp.domain.errors import OtherFilial
from chatapp.domain.models import Actor, Standing, User
from chatapp.ports import UserStore


class Filials:
    def __init__(self, users: UserStore, *, isolated: bool) -> None:
        """``isolated`` False: everybody sees everybody."""
        self._users = users
        self._isolated = isolated

    def of(self, actor: Actor) -> frozenset[str] | None:
        """By which the actor's view is bounded; None when it is not: administrators, API keys, people of no branch."""
        if not self._isolated or actor.is_admin or actor.standing is Standing.KEY or actor.user_id is None:
            return None
        if actor.identity is not None and actor.identity.filials is not None:
            return frozenset(actor.identity.filials) or None
        user = self._users.get(actor.user_id)
        return frozenset(user.filials) or None if user else None

    def require_visible(self, actor: Actor, users: Iterable[User]) -> None:
        """Raises OtherFilial with those whom the actor may not see."""
        bounds = self.of(actor)
        if bounds is None:
            return
        hidden = [user.id for user in users if user.id != actor.user_id and not shares(user, bounds)]
        if hidden:
            raise OtherFilial(userIds=hidden)


def shares(user: User, filials: frozenset[str]) -> bool:
    """Whether somebody of these branches may see the user."""
    return not user.filials or not filials.isdisjoint(user.filials)

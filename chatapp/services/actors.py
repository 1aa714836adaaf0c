"""What an actor must be for what they ask: have a name, be an administrator, hold a scope.

Whether a conversation or a message is theirs the services ask where they know it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from chatapp.domain.commands import JoinChat, SaveUser
from chatapp.domain.errors import AdminOnly, IdentityMismatch, NotIdentified, ScopeMissing
from chatapp.domain.models import Actor, Scope, Standing

Profile = TypeVar("Profile", JoinChat, SaveUser)


def require_name(actor: Actor) -> str:
    """The actor's user id. Raises NotIdentified."""
    if actor.user_id is None:
        raise NotIdentified
    return actor.user_id


def require_admin(actor: Actor) -> None:
    """Raises AdminOnly, ScopeMissing."""
    if not actor.is_admin:
        raise ScopeMissing(scope=Scope.ADMIN.value) if actor.standing is Standing.KEY else AdminOnly


def require_scope(actor: Actor, scope: Scope) -> None:
    """For what users may do too; only an API key needs the scope for it. Raises ScopeMissing."""
    if actor.standing is Standing.KEY and not actor.scopes & {scope, Scope.ADMIN}:
        raise ScopeMissing(scope=scope.value)


def require_admin_or(actor: Actor, scope: Scope) -> None:
    """For administrators, and for API keys with this scope. Raises AdminOnly, ScopeMissing."""
    if actor.standing is Standing.KEY:
        require_scope(actor, scope)
    else:
        require_admin(actor)


def require_self(actor: Actor, user_id: str, scope: Scope = Scope.ADMIN) -> None:
    """For what is this user's own; administrators too, and API keys with the scope.

    Raises IdentityMismatch, ScopeMissing.
    """
    if actor.standing is Standing.KEY:
        require_scope(actor, scope)
    elif not actor.is_admin and actor.user_id != user_id:
        raise IdentityMismatch(userId=user_id)


def membership_of(actor: Actor) -> str | None:
    """Who must be a participant for this actor to read a conversation; None: nobody, all are theirs to read.

    Raises ScopeMissing.
    """
    if actor.standing is Standing.TRUSTED:
        return actor.user_id
    if actor.is_admin:
        return None
    require_scope(actor, Scope.MESSAGES_SEND)
    if actor.user_id is None:  # a key that names nobody
        raise ScopeMissing(scope=Scope.ADMIN.value)
    return actor.user_id


def vouched(command: Profile, actor: Actor) -> Profile:
    """The profile as far as its user may say it: roles and filials are the token's to say, and so is what else it
    names. Where it says nothing of them they stay as they are."""
    identity = actor.identity
    if identity is None:
        return command
    said = {"name": identity.name, "email": identity.email, "avatar": identity.avatar}
    known: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if "avatar" in known and isinstance(command, SaveUser):
        known["keep_avatar"] = False
    return replace(command, **known, roles=identity.roles, filials=identity.filials)

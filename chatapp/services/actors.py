"""What an actor must be for what they ask: have a name, be an administrator, hold a scope.

Whether a conversation or a message is theirs the services ask where they know it.
"""

from __future__ import annotations

from chatapp.domain.errors import AdminOnly, NotIdentified, ScopeMissing
from chatapp.domain.models import Actor, Scope, Standing


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

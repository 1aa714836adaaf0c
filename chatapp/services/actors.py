"""Who asks must have a name for most of what the services do."""

from __future__ import annotations

from chatapp.domain.errors import NotIdentified
from chatapp.domain.models import Actor


def require_name(actor: Actor) -> str:
    """The actor's user id. Raises NotIdentified."""
    if actor.user_id is None:
        raise NotIdentified
    return actor.user_id

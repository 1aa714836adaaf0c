"""Who a request or an event really comes from. Open mode believes what it is told; that is for development."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from chatapp.domain.errors import InvalidData
from chatapp.domain.models import Actor
from chatapp.protocol.requests import HandshakeSchema

HANDSHAKE = HandshakeSchema()


def actor_for(claimed: str | None, *, known: str | None = None) -> Actor:
    """``claimed`` is whom the payload names, ``known`` whom the connection belongs to."""
    return Actor(claimed or known)


def request_actor() -> Actor:
    """Whoever makes the current HTTP request."""
    return Actor()


def handshake_user(auth: Any) -> str | None:
    """Whom the handshake's ``auth`` names; None when it names nobody. Raises InvalidData."""
    try:
        user_id: str | None = HANDSHAKE.load({} if auth is None else auth)["user_id"]
    except ValidationError as exc:
        raise InvalidData(exc.normalized_messages()) from exc
    return user_id

"""Who is believed, for tests that are not about it."""

from __future__ import annotations

from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import KeyInvalid
from chatapp.transport.auth import ANYBODY, Authenticator, Caller
from chatapp.transport.sockets.connections import Connection


def find_no_key(_secret: str) -> ApiKey:
    raise KeyInvalid


OPEN = Authenticator(None, find_no_key, lambda _user_id, _issued_at: False, admin_roles=())
"""Open mode."""


def connection(socket_id: str, user_id: str | None = None, *, caller: Caller = ANYBODY) -> Connection:
    return Connection(socket_id, "127.0.0.1", "en", caller, lambda _token: None, user_id)

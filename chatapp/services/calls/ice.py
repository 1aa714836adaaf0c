"""How the devices of a call find each other: STUN, and TURN with credentials that are good for an hour.

coturn's ``use-auth-secret`` (draft-uberti-behave-turn-rest-00): the username is the time of expiry and the user, the
credential what the shared secret makes of it. TURN servers ask nobody; nothing is stored anywhere.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from chatapp.ports import Clock

CREDENTIAL_LIFETIME = timedelta(hours=1)
"""A connection that is set up goes on; a new one, or an ICE restart, needs new credentials after that."""

NAME_MAX_CHARS = 128


class IceServers:
    def __init__(self, stun_urls: Sequence[str], turn_urls: Sequence[str], *, secret: str, clock: Clock) -> None:
        self._stun_urls = stun_urls
        self._turn_urls = turn_urls
        self._secret = secret
        self._clock = clock

    def of(self, user_id: str) -> list[dict[str, Any]]:
        """As ``RTCPeerConnection`` takes them."""
        servers: list[dict[str, Any]] = []
        if self._stun_urls:
            servers.append({"urls": list(self._stun_urls)})
        if self._turn_urls:
            servers.append({"urls": list(self._turn_urls), **self._credentials(user_id)})
        return servers

    def _credentials(self, user_id: str) -> dict[str, str]:
        expires_at = int((self._clock.now() + CREDENTIAL_LIFETIME).timestamp())
        username = f"{expires_at}:{_name(user_id)}"
        digest = hmac.digest(self._secret.encode(), username.encode(), "sha1")  # what the draft and coturn use
        return {"username": username, "credential": b64encode(digest).decode()}


def _name(user_id: str) -> str:
    """STUN takes names of up to 512 bytes, which both sides must prepare alike (RFC 8489, 14.3): what might need
    that, or is long, is told by its hash. Only coturn's log and quotas look at it."""
    is_plain = user_id.isascii() and user_id.isprintable() and " " not in user_id and len(user_id) <= NAME_MAX_CHARS
    return user_id if is_plain else hashlib.sha256(user_id.encode()).hexdigest()

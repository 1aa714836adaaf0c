"""LiveKit, which takes the media of large calls: all it needs of us are tokens that it can check by itself."""

from __future__ import annotations

from datetime import timedelta

import jwt

from chatapp.domain.calls import Call, Participant
from chatapp.ports import Clock

LIFETIME = timedelta(hours=1)
"""To come in with; LiveKit renews the token of whoever is in."""


class LiveKitRooms:
    """``MediaServer``. Claims as LiveKit documents its access tokens."""

    def __init__(self, url: str, *, key: str, secret: str, clock: Clock) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._clock = clock

    def admit(self, call: Call, participant: Participant, *, name: str) -> tuple[str, str]:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._key,
            "sub": participant.id,
            "name": name,
            "nbf": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "video": {
                "room": call.id,
                "roomJoin": True,
                "canPublish": True,
                "canSubscribe": True,
                "canPublishData": True,
            },
        }
        return self._url, jwt.encode(claims, self._secret, algorithm="HS256")

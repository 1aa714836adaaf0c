"""Tokens as LiveKit documents them."""

from __future__ import annotations

import jwt
import pytest

from chatapp.adapters.livekit_rooms import LiveKitRooms
from tests.fakes import START, FakeClock
from tests.protocol.test_outgoing import CALL, CALLEE

SECRET = "a secret of LiveKit's, which is long enough"


def test_a_token_lets_one_participant_into_one_room_for_an_hour() -> None:
    url, token = LiveKitRooms("wss://sfu.example", key="key", secret=SECRET, clock=FakeClock()).admit(
        CALL, CALLEE, name="María"
    )
    assert url == "wss://sfu.example"
    unlimited = {"verify_exp": False, "verify_nbf": False}
    now = int(START.timestamp())
    assert jwt.decode(token, SECRET, algorithms=["HS256"], options=unlimited) == {
        "iss": "key",
        "sub": "p2",
        "name": "María",
        "nbf": now,
        "exp": now + 3600,
        "video": {
            "room": "call1",
            "roomJoin": True,
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
        },
    }
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, SECRET[::-1], algorithms=["HS256"], options=unlimited)

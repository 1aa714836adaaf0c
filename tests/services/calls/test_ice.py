"""STUN and TURN as browsers are told of them."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha1

import pytest

from chatapp.services.calls.ice import IceServers
from tests.fakes import START, FakeClock

HOUR = int(START.timestamp()) + 3600


def test_turn_credentials_are_what_coturns_shared_secret_makes_of_them() -> None:
    servers = IceServers(("stun:a:3478",), ("turn:a:3478", "turns:a"), secret="s3cret", clock=FakeClock())
    stun, turn = servers.of("ana")
    assert stun == {"urls": ["stun:a:3478"]}
    expected = b64encode(hmac.new(b"s3cret", f"{HOUR}:ana".encode(), sha1).digest()).decode()
    assert turn == {"urls": ["turn:a:3478", "turns:a"], "username": f"{HOUR}:ana", "credential": expected}


def test_where_there_are_no_servers_none_are_told() -> None:
    assert IceServers((), (), secret="", clock=FakeClock()).of("ana") == []


@pytest.mark.parametrize("user_id", ["é" * 128, "ana maría", "🎸", "x" * 128 + "y"])
def test_a_name_that_turn_would_not_take_is_replaced_by_one_that_it_does(user_id: str) -> None:
    (turn,) = IceServers((), ("turn:a",), secret="s3cret", clock=FakeClock()).of(user_id)
    name = turn["username"].partition(":")[2]
    assert name.isascii()
    assert name.isalnum()
    assert len(name) == 64

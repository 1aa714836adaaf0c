"""What a call's acknowledgement says of TURN, tried with a real coturn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatapp.services.calls.ice import IceServers
from tests.e2e.server import running
from tests.e2e.wire import clients, make_conversation
from tests.engines.coturn import CoturnEngine, running_coturn
from tests.fakes import FakeClock

SECRET = "north wind"


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoturnEngine]:
    with running_coturn(tmp_path_factory.mktemp("coturn"), SECRET) as engine:
        yield engine


@pytest.fixture(scope="module")
def server_s(coturn: CoturnEngine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The entry for TURN in the acknowledgement of a real call."""
    env = {"TURN_URLS": coturn.url, "TURN_SECRET": SECRET}
    with (
        running(tmp_path_factory.mktemp("turn") / "server", **env) as server,
        clients(server.url, "ana", "bea") as (ana, bea),
    ):
        conversation_id = make_conversation(server.url, "ana", "bea")
        call = ana.ok("call_start", {"conversationId": conversation_id, "clientCallId": "k", "media": "audio"})
        taken = bea.ok("call_accept", {"callId": call["callId"]})
        assert SECRET not in server.log()
        return call["iceServers"] + taken["iceServers"]


def test_who_is_in_a_call_gets_a_relay(coturn: CoturnEngine, server_s: Any) -> None:
    assert [each["urls"] for each in server_s] == [[coturn.url]] * 2
    for each in server_s:
        assert coturn.relays(each["username"], each["credential"])


def test_who_guesses_gets_none(coturn: CoturnEngine, server_s: Any) -> None:
    username, credential = server_s[0]["username"], server_s[0]["credential"]
    later = str(int(username.partition(":")[0]) + 3600)
    assert not coturn.relays(username, credential[::-1])
    assert not coturn.relays(f"{later}:ana", credential)
    assert not coturn.relays(username.replace("ana", "eva"), credential)


def test_who_comes_an_hour_later_gets_none(coturn: CoturnEngine) -> None:
    def made(ago: timedelta) -> tuple[str, str]:
        clock = FakeClock(datetime.now(UTC) - ago)
        (turn,) = IceServers((), (coturn.url,), secret=SECRET, clock=clock).of("ana")
        return turn["username"], turn["credential"]

    assert coturn.relays(*made(timedelta(minutes=59)))
    assert not coturn.relays(*made(timedelta(minutes=61)))

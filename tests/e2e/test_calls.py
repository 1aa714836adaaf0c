"""Calls over a real server: every step as two people's devices see it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.server import Server, running
from tests.e2e.wire import Client, clients, make_conversation

OFFER = {"type": "offer", "sdp": "v=0\r\n"}
ANSWER = {"type": "answer", "sdp": "v=0\r\n"}
CANDIDATE = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("calls") / "server", STUN_URLS="stun:127.0.0.1:3478") as server:
        yield server


def people(count: int = 2) -> list[str]:
    """Of this test alone."""
    return [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("ana", "bea", "carlos", "dora")[:count]]


def start(client: Client, conversation_id: str, **more: Any) -> Any:
    return client.ok(
        "call_start", {"conversationId": conversation_id, "clientCallId": uuid.uuid4().hex, "media": "video", **more}
    )


def test_two_people_call_signal_and_hang_up(server: Server) -> None:
    pair = people()
    with clients(server.url, *pair) as (ana, bea):
        conversation_id = make_conversation(server.url, *pair)
        call = start(ana, conversation_id)
        assert (call["state"], call["polite"], call["participants"]) == ("ringing", False, [])
        assert call["iceServers"] == [{"urls": ["stun:127.0.0.1:3478"]}]
        rung = bea.expect("call_ringing")
        assert (rung["callId"], rung["caller"]["id"], rung["media"]) == (call["callId"], pair[0], "video")

        taken = bea.ok("call_accept", {"callId": call["callId"]})
        (peer,) = taken["participants"]
        assert (taken["state"], taken["polite"], peer["participantId"]) == ("ongoing", True, call["participantId"])
        assert ana.expect("call_accepted")["participantId"] == taken["participantId"]
        joined = ana.expect("call_participant_joined")["participant"]
        assert (joined["participantId"], joined["polite"]) == (taken["participantId"], False)

        ana.ok("call_signal", {"callId": call["callId"], "to": joined["participantId"], "description": OFFER})
        heard = bea.expect("call_signal")
        assert (heard["from"], heard["description"]) == (call["participantId"], OFFER)
        bea.ok("call_signal", {"callId": call["callId"], "to": heard["from"], "description": ANSWER})
        assert ana.expect("call_signal")["description"] == ANSWER
        bea.ok("call_signal", {"callId": call["callId"], "to": heard["from"], "candidate": CANDIDATE})
        assert ana.expect("call_signal")["candidate"] == CANDIDATE
        bea.ok("call_media", {"callId": call["callId"], "audio": True, "video": False})
        assert ana.expect("call_media")["video"] is False

        bea.ok("call_hangup", {"callId": call["callId"]})
        for client in (ana, bea):
            assert client.expect("call_ended")["reason"] == "hangup"
        (message,) = server.get(f"/api/messages/{conversation_id}").json()
        assert (message["messageType"], message["senderId"]) == ("call", pair[0])
        assert message["call"]["callId"] == call["callId"]
        assert (message["call"]["state"], message["call"]["tookPart"]) == ("hangup", pair)

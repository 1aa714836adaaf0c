"""Calls over a real server: every step as two people's devices see it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.e2e.proofs import ENVIRONMENT, bearer, token
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


def test_nothing_of_a_signal_is_in_the_log(tmp_path: Path) -> None:
    """An SDP and a candidate hold people's addresses."""
    secret = "10.98.76.54"
    offer = {"type": "offer", "sdp": f"v=0\r\nc=IN IP4 {secret}\r\n"}
    candidate = {"candidate": f"candidate:1 1 udp 1 {secret} 9 typ host"}
    pair = people()
    with running(tmp_path / "server", LOG_LEVEL="debug") as server, clients(server.url, *pair) as (ana, bea):
        call = start(ana, make_conversation(server.url, *pair))
        taken = bea.ok("call_accept", {"callId": call["callId"]})
        signal = {"callId": call["callId"], "to": taken["participantId"]}
        ana.ok("call_signal", {**signal, "description": offer})
        ana.ok("call_signal", {**signal, "candidate": candidate})
        for wrong in (
            {**signal, "to": "nobody", "description": offer},
            {**signal, "description": offer, "candidate": candidate},
            {**signal, "candidate": {**candidate, "url": secret}},
            {**signal, "callId": "unknown", "description": offer},
        ):
            assert not ana.call("call_signal", wrong)["ok"]
        ana.ok("call_hangup", {"callId": call["callId"]})
        bea.expect("call_ended")
        log = server.log()
        assert f"call {call['callId']} begins" in log
        assert secret not in log


def test_who_calls_or_signals_too_often_waits(tmp_path: Path) -> None:
    pair = people()
    limits = {"RATE_LIMIT_ENABLED": "on", "RATE_LIMIT_CALLS": "3/minute", "RATE_LIMIT_CALL_SIGNALS": "5/minute"}
    with running(tmp_path / "server", **limits) as server, clients(server.url, *pair) as (ana, bea):
        conversation_id = make_conversation(server.url, *pair)
        call = start(ana, conversation_id)
        taken = bea.ok("call_accept", {"callId": call["callId"]})
        signal = {"callId": call["callId"], "to": taken["participantId"], "candidate": None}
        answers = [ana.call("call_signal", signal) for _ in range(6)]
        assert [answer["ok"] for answer in answers] == [True] * 5 + [False]
        assert answers[-1]["error"]["code"] == "rate_limited"
        assert answers[-1]["error"]["details"]["limit"] == "call_signals"
        again = {"conversationId": conversation_id, "clientCallId": "other", "media": "audio"}
        answers = [ana.call("call_start", again) for _ in range(3)]
        assert [answer["ok"] for answer in answers] == [True, True, False]
        assert answers[-1]["error"]["details"]["limit"] == "calls"


def test_whose_token_expires_leaves_the_call(tmp_path: Path) -> None:
    with running(tmp_path / "server", **ENVIRONMENT) as server, ExitStack() as stack:
        phones = []
        for user_id, lasts in (("ana", 3600), ("bea", 3)):
            phone = Client(server.url, auth={"token": token(user_id, lasts=lasts)})
            stack.callback(phone.close)
            phone.ok("user_join", {"userId": user_id, "name": user_id, "email": f"{user_id}@example.com"})
            phones.append(phone)
        ana, bea = phones
        body = {"type": "private", "participants": ["ana", "bea"], "createdBy": "ana"}
        conversation = server.post("/api/conversations", json=body, headers=bearer(token("ana"))).json()
        call = start(ana, conversation["id"])
        bea.ok("call_accept", {"callId": call["callId"]})
        assert ana.expect("call_ended")["reason"] == "hangup"
        bea.wait_until_ended()


def test_who_is_taken_out_of_a_group_is_out_of_its_call(server: Server) -> None:
    trio = people(3)
    with clients(server.url, *trio) as (ana, bea, carlos):
        group = make_conversation(server.url, *trio, group=True)
        call = start(ana, group)
        mine = bea.ok("call_accept", {"callId": call["callId"]})["participantId"]
        carlos.ok("call_accept", {"callId": call["callId"]})
        server.delete(f"/api/conversations/{group}/participants/{trio[1]}?removedBy={trio[0]}").raise_for_status()
        for client in (ana, bea, carlos):
            left = client.expect("call_participant_left")
            assert (left["participantId"], left["reason"]) == (mine, "removed")
        refused = bea.call("call_accept", {"callId": call["callId"]})
        assert refused["error"]["code"] == "not_a_participant"
        ana.ok("call_hangup", {"callId": call["callId"]})


def test_a_device_that_joins_the_chat_while_it_rings_rings_too(server: Server) -> None:
    pair = people()
    with clients(server.url, *pair) as (ana, _):
        call = start(ana, make_conversation(server.url, *pair))
        with clients(server.url, pair[1]) as (late,):
            assert late.expect("call_ringing")["callId"] == call["callId"]
        ana.ok("call_hangup", {"callId": call["callId"]})


def test_a_call_of_more_than_the_mesh_goes_through_livekit(tmp_path: Path) -> None:
    secret = "what LiveKit and we know, and nobody else"
    livekit = {"LIVEKIT_URL": "ws://127.0.0.1:7880", "LIVEKIT_KEY": "key", "LIVEKIT_SECRET": secret}
    trio = people(3)
    with (
        running(tmp_path / "server", **livekit, CALL_MESH_MAX="2") as server,
        clients(server.url, *trio) as (ana, bea, carlos),
    ):
        private = start(ana, make_conversation(server.url, *trio[:2]))
        assert private["mediaServer"] is None
        ana.ok("call_hangup", {"callId": private["callId"]})
        call = start(ana, make_conversation(server.url, *trio, group=True))
        for client in (bea, carlos):
            taken = client.ok("call_accept", {"callId": call["callId"]})
            assert taken["mediaServer"]["url"] == livekit["LIVEKIT_URL"]
            claims = jwt.decode(taken["mediaServer"]["token"], secret, algorithms=["HS256"])
            assert (claims["iss"], claims["sub"]) == ("key", taken["participantId"])
            assert (claims["video"]["room"], claims["video"]["roomJoin"]) == (call["callId"], True)
        log = server.log()
        assert secret not in log
        assert call["mediaServer"]["token"] not in log


def test_calls_may_always_go_through_livekit(tmp_path: Path) -> None:
    livekit = {"LIVEKIT_URL": "wss://sfu.example", "LIVEKIT_KEY": "key", "LIVEKIT_SECRET": "s" * 40}
    pair = people()
    with (
        running(tmp_path / "server", **livekit, LIVEKIT_ALWAYS="on") as server,
        clients(server.url, *pair) as (ana, _),
    ):
        assert start(ana, make_conversation(server.url, *pair))["mediaServer"]["url"] == "wss://sfu.example"


def test_without_livekit_a_call_is_full_at_some_time(tmp_path: Path) -> None:
    trio = people(3)
    with (
        running(tmp_path / "server", CALL_MESH_MAX="2") as server,
        clients(server.url, *trio) as (ana, bea, carlos),
    ):
        call = start(ana, make_conversation(server.url, *trio, group=True))
        bea.ok("call_accept", {"callId": call["callId"]})
        refused = carlos.call("call_accept", {"callId": call["callId"]})
        assert (refused["error"]["code"], refused["error"]["details"]["maxParticipants"]) == ("call_full", 2)

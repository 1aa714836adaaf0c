"""The torturer's own client, when the server is not at its best."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatapp.torture import connection as connections
from chatapp.torture.client import Client, Unusable
from chatapp.torture.connection import Connection, Refused
from chatapp.torture.drivers import Driver, MemberDriver, Pace
from chatapp.torture.faults import Faults, Process, WrongTarget
from chatapp.torture.history import Asked, CaughtUp, Cut, Entered, Left
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest, WebSocketTransport
from chatapp.torture.world import Group, World, fetch_truth, insist
from tests.torture.stub import CONNECTED, OPENED, Peer, acknowledge, refusal, serving

Talk = Callable[[Peer], None]


def connected(url: str, transport: str = "websocket", **more: Any) -> Connection:
    quiet: dict[str, Any] = {"heard": lambda *_: None, "ended": lambda: None, **more}
    return Connection(url, "/socket.io", transport, **quiet)


def client(url: str, recorder: Recorder) -> Client:
    return Client("ana", Rest(url), recorder, url=url, socket_path="/socket.io", transport="websocket")


# ---------------------------------------------------------------- a connection
def test_pings_of_both_protocols_are_answered_and_large_frames_read() -> None:
    heard: list[Any] = []
    answers: list[tuple[int, str]] = []
    done = threading.Event()

    def talk(peer: Peer) -> None:
        peer.upgrade()
        peer.say(OPENED, CONNECTED, "2")
        peer.say("are you there", opcode=9)
        peer.say("42" + json.dumps(["news", "x" * 70_000]), "42" + json.dumps(["end"]))
        answers.extend(peer.hear() for _ in range(3))
        done.set()
        peer.say("", opcode=8)

    ended = threading.Event()
    with serving(talk) as url:
        connection = connected(url, heard=lambda name, said: heard.append((name, said)), ended=ended.set)
        assert done.wait(10)
        assert ended.wait(10)
        connection.close()
    assert [name for name, _ in heard] == ["news", "end"]
    assert len(heard[0][1]) == 70_000
    assert (1, "3") in answers
    assert (10, "are you there") in answers
    with pytest.raises(Gone):
        connection.call("anything", {})


@pytest.mark.parametrize("goodbye", ["1", "41", "43x[", "4{"])
def test_a_goodbye_or_nonsense_ends_the_connection(goodbye: str) -> None:
    ended = threading.Event()

    def talk(peer: Peer) -> None:
        peer.upgrade()
        peer.say(OPENED, CONNECTED)
        peer.hear()
        peer.say(goodbye, "1")

    with serving(talk) as url:
        connected(url, ended=ended.set)
        assert ended.wait(10)


def test_a_refused_connection_says_why() -> None:
    def talk(peer: Peer) -> None:
        peer.upgrade()
        peer.say(OPENED)
        peer.hear()
        peer.say('44{"message":"no","data":{"code":"rate_limited"}}')

    with serving(talk) as url, pytest.raises(Refused, match="rate_limited"):
        connected(url)


def test_an_acknowledgement_that_does_not_come_cuts_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.1)
    with serving(lambda peer: acknowledge(peer, {})) as url:
        connection = connected(url)
        with pytest.raises(Gone, match="no answer"):
            connection.call("send_message", {})
        assert not connection.is_open
        with pytest.raises(Gone):
            connection.call("send_message", {})


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_server_that_refuses_the_transport(transport: str) -> None:
    with serving(lambda peer: peer.answer(503, "no")) as url, pytest.raises(Gone, match="503"):
        connected(url, transport)


def test_a_server_that_hangs_up_in_the_handshake() -> None:
    with serving(lambda _: None) as url, pytest.raises(Gone):
        WebSocketTransport(url, "/socket.io")


def test_nobody_listens() -> None:
    with pytest.raises(Gone):
        connected("http://127.0.0.1:9")


def test_a_tls_server_is_spoken_to_in_tls() -> None:
    with serving(lambda _: None) as url, pytest.raises(Gone):
        WebSocketTransport(url.replace("http", "https"), "/socket.io")


def test_a_polling_session_that_the_server_has_forgotten() -> None:
    def talk(peer: Peer) -> None:
        if "sid=" not in peer.request:
            peer.answer(200, OPENED)
        else:
            peer.answer(400, "unknown session")

    with serving(talk) as url, pytest.raises(Gone):
        connected(url, "polling")


# ---------------------------------------------------------------- a user's client
def test_who_is_not_let_into_a_room_stays_connected() -> None:
    answers = {"user_join": {"ok": True, "data": {}}, "join_room": refusal("not_a_participant")}
    recorder = Recorder()
    with serving(lambda peer: acknowledge(peer, answers)) as url:
        ana = client(url, recorder)
        ana.rooms.add("r1")
        assert ana.come().is_open
        assert not ana.is_up_to_date("r1", 0)
        ana.cut()
    assert [type(entry) for entry in recorder.history().seen["ana"]] == [Asked, Cut]


def test_who_may_not_join_is_gone_and_limits_are_said_to_be_unusable() -> None:
    codes = iter(["store_unavailable", "rate_limited"])
    with serving(lambda peer: acknowledge(peer, {"user_join": refusal(next(codes))})) as url:
        ana = client(url, Recorder())
        with pytest.raises(Gone, match="store_unavailable"):
            ana.come()
        with pytest.raises(Unusable, match="RATE_LIMIT_ENABLED=off"):
            ana.come()


def test_a_refusal_after_an_unanswered_try_proves_nothing() -> None:
    recorder = Recorder()
    verdicts = iter([refusal("store_unavailable"), refusal("not_a_participant"), refusal("not_a_participant")])
    good = {"ok": True, "data": {}}

    def talk(peer: Peer) -> None:
        acknowledge(peer, _Answers(user_join=good, send_message=verdicts, leave_room=refusal("x"), **marking))

    marking = {"mark_messages_as_read": refusal("not_a_participant")}
    with serving(talk) as url:
        ana = client(url, recorder)
        assert not ana.send(ana.begin_send("k1", "r1", "hola"), until=recorder.now() + 5)
        assert not ana.send(ana.begin_send("k2", "r1", "hola"), until=recorder.now() + 5)
        assert not ana.send(ana.begin_send("k3", "r1", "hola"), until=recorder.now() - 1)
        ana.leave_room("r1")
        ana.mark_as_read("r1")
        ana.cut()
    first, second, third = recorder.history().sends
    assert (first.refused, second.refused, third.refused) == (None, "not_a_participant", None)
    assert recorder.history().marks[0].acknowledged is None
    assert not any(isinstance(entry, Left) for entry in recorder.history().seen["ana"])


class _Answers(dict[str, Any]):
    """An iterator among the answers gives its next one each time."""

    def __getitem__(self, name: str) -> Any:
        answer = super().__getitem__(name)
        return next(answer) if hasattr(answer, "__next__") else answer


def test_catching_up_takes_as_many_pages_as_there_are() -> None:
    def talk(peer: Peer) -> None:
        after = int(peer.request.partition("after=")[2].partition("&")[0])
        page = [_message(seq) for seq in range(after + 1, min(after + 500, 501) + 1)]
        peer.answer(200, json.dumps(page))

    recorder = Recorder()
    with serving(talk) as url:
        ana = client(url, recorder)
        ana.catch_up("r1")
        assert ana.known("r1") == 501
        world = World((), (), {"ana": ("r1",)}, ())
        truth = fetch_truth(Rest(url), world)
    assert [message.seq for message in truth.messages["r1"]] == list(range(1, 502))
    (page,) = recorder.history().seen["ana"]
    assert isinstance(page, CaughtUp)
    assert len(page.seqs) == 501


def _message(seq: int) -> dict[str, Any]:
    return {"id": f"m{seq}", "seq": seq, "senderId": "bea", "content": "hola", "clientMessageId": None}


def test_catching_up_from_a_server_that_cannot_just_now() -> None:
    with serving(lambda peer: peer.answer(503, '{"code":"store_unavailable"}')) as url, pytest.raises(Gone):
        client(url, Recorder()).catch_up("r1")


# ---------------------------------------------------------------- insisting
def test_what_must_be_answered_is_asked_again_until_it_is() -> None:
    answers = iter([(503, "{}"), (502, "<html>"), (200, '{"fine": 1}'), (404, '{"code": "user_not_found"}')])
    with serving(lambda peer: peer.answer(*next(answers))) as url:
        assert insist(Rest(url), "GET", "/x") == {"fine": 1}
        with pytest.raises(Refused, match="user_not_found"):
            insist(Rest(url), "GET", "/x")


def test_what_is_never_answered_makes_the_server_unusable() -> None:
    with pytest.raises(Unusable, match="GET /x was not answered well"):
        insist(Rest("http://127.0.0.1:9"), "GET", "/x", seconds=0)


# ---------------------------------------------------------------- drivers
class Broken(Driver):
    def _actions(self) -> Any:
        raise KeyError("lastSeq")


class Unlucky(Driver):
    tries = 0

    def _actions(self) -> Any:
        self.tries += 1
        raise Gone


def pace(recorder: Recorder, seconds: float) -> Pace:
    until = recorder.now() + seconds
    return Pace(1000.0, until, until, random.Random(1))


def test_a_client_that_cannot_go_on_makes_the_run_unusable() -> None:
    recorder = Recorder()
    driver = Broken(client("http://127.0.0.1:9", recorder), recorder, pace(recorder, 5))
    driver.start()
    assert driver.is_home.wait(10)
    assert "KeyError" in str(driver.problem)


def test_a_lost_connection_is_tried_again_until_the_driver_is_stopped() -> None:
    recorder = Recorder()
    driver = Unlucky(client("http://127.0.0.1:9", recorder), recorder, pace(recorder, 0.5))
    driver.start()
    assert not driver.is_home.wait(0.8)  # nobody listens: it cannot come home
    driver.stop()
    driver.join()
    assert driver.problem is None
    assert driver.tries > 1


@pytest.mark.parametrize(
    ("code", "ends", "raises"),
    [("not_a_participant", True, None), ("store_unavailable", False, None), ("not_a_group", False, Refused)],
)
def test_leaving_a_group_again_after_the_answer_was_lost(code: str, ends: bool, raises: type[Exception] | None) -> None:
    answers = {"user_join": {"ok": True, "data": {}}, "leave_group": refusal(code)}
    entered = {"conversationId": "g1", "lastSeq": 0, "lastReadSeq": 0, "unreadCount": 0}
    answers["join_room"] = {"ok": True, "data": entered}

    def talk(peer: Peer) -> None:
        if peer.request.startswith("POST"):
            peer.answer(201, '{"lastSeq": 7, "addedUsers": []}')
        elif peer.request.startswith("GET /api"):
            peer.answer(200, "[]")
        else:
            acknowledge(peer, answers)

    recorder = Recorder()
    dice = random.Random(1)
    with serving(talk) as url:
        ana = client(url, recorder)
        world = World(("ana",), (), {"ana": ()}, (Group("g1", "bea", "ana"),))
        driver = MemberDriver(ana, recorder, Rest(url), world, Pace(1.0, 0, 0, dice))
        roving = driver._rovings[0]
        roving.turn(dice)
        assert recorder.history().memberships[0].read_to == 7
        if raises:
            with pytest.raises(raises):
                roving._leave(by_oneself=True)
        else:
            roving._leave(by_oneself=True)
        ana.cut()
    (membership,) = recorder.history().memberships
    assert (membership.ended is not None, membership.certain, roving.is_in) == (ends, ends, not ends)
    assert any(isinstance(entry, Entered) for entry in recorder.history().seen["ana"])


# ---------------------------------------------------------------- faults
def test_only_the_named_processes_get_a_signal_and_a_dead_one_is_passed_over() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        named = Process.named(child.pid)
        faults = Faults((named,), signal.SIGKILL, every=0.05, pause=0, workers=False)
        faults.start()
        child.wait(10)
        assert faults.sent == [child.pid]
        faults.stop()
        assert not named.signal(signal.SIGKILL)
        assert named.children() == []
    childless = Faults((named,), signal.SIGKILL, every=0.01, pause=0, workers=True)
    childless.start()
    childless._thread.join(0.1)
    childless.stop()
    assert childless.sent == []


def test_another_users_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    parent = Path(f"/proc/{os.getppid()}")
    assert parent.exists()
    with pytest.raises(WrongTarget, match="another user's"):
        Process.named(os.getppid())

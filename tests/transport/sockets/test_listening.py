"""A WebSocket that lives by itself: called by the event loop, handled by a greenlet of the pool."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from typing import Any

import gevent
import greenlet
import pytest
from gevent import socket as gevent_socket
from gevent.event import Event

from chatapp.transport.sockets import websocket as module
from chatapp.transport.sockets.frames import CLOSE, NORMAL, PONG, TEXT
from chatapp.transport.sockets.pool import MAX_IDLE, GreenletPool
from chatapp.transport.sockets.websocket import INBOX_MAX, WebSocket, wait_until_all_are_closed
from tests.e2e.wire import PING, client_frame, server_frame

PATIENCE = 10.0


class Listener:
    def __init__(self, received: bytes = b"") -> None:
        ours, self.peer = gevent_socket.socketpair()
        self.peer.settimeout(PATIENCE)
        self.websocket = WebSocket(ours, received, max_message_bytes=1_000_000)
        self.heard: list[str | bytes] = []
        self.gate = Event()
        self.gate.set()
        self.ended = Event()
        self.busy = self.busiest = 0
        self.websocket.listen(self._hear, self.ended.set)

    def _hear(self, message: str | bytes) -> None:
        self.busy += 1
        self.busiest = max(self.busy, self.busiest)
        self.gate.wait()
        self.heard.append(message)
        self.busy -= 1

    def say(self, *texts: str) -> None:
        self.peer.sendall(b"".join(client_frame(TEXT, text.encode()) for text in texts))

    def frame(self) -> tuple[int, bytes]:
        return server_frame(self._exactly)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.peer.recv(size - len(data)) or pytest.fail("it has ended")
        return data

    def wait_until_released(self) -> None:
        with gevent.Timeout(PATIENCE):
            while self.websocket in module._OPEN:
                gevent.sleep(0.001)
        assert self.websocket._sock.fileno() == -1

    def wait_for(self, count: int) -> list[str | bytes]:
        with gevent.Timeout(PATIENCE):
            while len(self.heard) < count:
                gevent.sleep(0.001)
        return self.heard

    def close(self) -> None:
        self.gate.set()
        self.websocket.abort()
        assert self.ended.wait(PATIENCE)
        self.peer.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_messages_are_handled_one_after_the_other_in_the_order_sent(listener: Listener) -> None:
    texts = [str(number) for number in range(30)]
    listener.gate.clear()
    for text in texts:
        listener.say(text)
        gevent.sleep(0)
    listener.gate.set()
    assert listener.wait_for(30) == texts
    assert listener.busiest == 1


def test_frames_cut_anywhere_arrive_whole() -> None:
    dice = random.Random(4)
    texts = ["ñ" * dice.choice((0, 1, 60, 63, 125, 126, 4000, 70_000)) for _ in range(60)]
    stream = b"".join(client_frame(TEXT, text.encode()) for text in texts)
    listener = Listener(received=stream[:37])
    try:
        at = 37
        while at < len(stream):
            size = dice.choice((1, 2, 3, 7, 500, 66_000))
            listener.peer.sendall(stream[at : at + size])
            at += size
            gevent.sleep(0)
        assert listener.wait_for(60) == texts
    finally:
        listener.close()


def test_what_was_read_before_is_heard_although_nothing_more_comes() -> None:
    listener = Listener(received=client_frame(TEXT, b"early"))
    try:
        assert listener.wait_for(1) == ["early"]
    finally:
        listener.close()


def test_a_ping_is_answered_while_a_message_is_handled(listener: Listener) -> None:
    listener.gate.clear()
    listener.say("slow")
    listener.peer.sendall(client_frame(PING, b"alive?"))
    assert listener.frame() == (PONG, b"alive?")
    assert listener.heard == []


def test_what_is_not_handled_yet_stays_with_the_client(listener: Listener) -> None:
    """A client that says more than is handled fills the kernel's buffers, not our memory."""
    listener.gate.clear()
    count = 2000
    sending = gevent.spawn(listener.say, *["x" * 60_000] * count)
    with gevent.Timeout(PATIENCE):
        while not listener.websocket._is_paused:
            gevent.sleep(0.001)
    assert not sending.ready(), "120 MB cannot be in the kernel"
    assert INBOX_MAX < len(listener.websocket._inbox) <= INBOX_MAX + 2
    listener.gate.set()
    assert len(listener.wait_for(count)) == count


def test_messages_before_a_goodbye_are_handled_before_the_end(listener: Listener) -> None:
    listener.gate.clear()
    listener.say("one", "two")
    listener.peer.sendall(client_frame(CLOSE, NORMAL.to_bytes(2, "big")))
    gevent.sleep(0.01)
    assert not listener.ended.is_set()
    listener.gate.set()
    assert listener.ended.wait(PATIENCE)
    assert listener.heard == ["one", "two"]
    assert listener.frame() == (CLOSE, NORMAL.to_bytes(2, "big"))
    assert listener.peer.recv(1) == b""


@pytest.mark.parametrize("how", ["half closed", "gone", "no frame at all"])
def test_every_end_is_told_once_and_closes_the_socket(listener: Listener, how: str) -> None:
    if how == "half closed":
        listener.peer.shutdown(gevent_socket.SHUT_WR)
    elif how == "gone":
        listener.peer.close()
    else:
        listener.peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert listener.ended.wait(PATIENCE)
    listener.wait_until_released()


def test_who_does_not_answer_our_goodbye_is_cut_off(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 0.05)
    listener.websocket.close()
    assert listener.ended.wait(PATIENCE)


def test_nor_does_one_hold_us_that_reads_nothing(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 0.05)
    for _ in range(20):
        listener.websocket.send(b"x" * 100_000)
    assert listener.websocket._backlog
    listener.websocket.close()
    assert listener.ended.wait(PATIENCE)
    listener.wait_until_released()


def test_last_words_reach_a_client_that_has_said_goodbye_and_reads_slowly(listener: Listener) -> None:
    for _ in range(20):
        listener.websocket.send(b"x" * 100_000)
    listener.peer.sendall(client_frame(CLOSE, b""))
    assert listener.ended.wait(PATIENCE)
    assert [listener.frame()[0] for _ in range(21)][-1] == CLOSE
    assert listener.peer.recv(1) == b""
    listener.wait_until_released()


def test_nor_does_one_that_has_said_goodbye_and_reads_nothing(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 0.05)
    for _ in range(20):
        listener.websocket.send(b"x" * 100_000)
    listener.peer.sendall(client_frame(CLOSE, b""))
    assert listener.ended.wait(PATIENCE)
    listener.wait_until_released()


def test_a_stop_waits_for_what_is_being_handled(listener: Listener) -> None:
    listener.gate.clear()
    listener.say("last")
    gevent.sleep(0.01)
    waiting = gevent.spawn(wait_until_all_are_closed, Event())
    listener.websocket.close()
    listener.peer.sendall(client_frame(CLOSE, b""))
    gevent.sleep(0.05)
    assert not waiting.ready()
    listener.gate.set()
    waiting.get(timeout=PATIENCE)
    assert listener.heard == ["last"]


def test_a_stop_in_a_hurry_does_not(listener: Listener) -> None:
    hurry = Event()
    waiting = gevent.spawn(wait_until_all_are_closed, hurry)
    gevent.sleep(0)
    assert not waiting.ready()
    hurry.set()
    waiting.get(timeout=PATIENCE)


# ---------------------------------------------------------------- greenlets
def _greenlets() -> int:
    gc.collect()
    return sum(isinstance(thing, greenlet.greenlet) for thing in gc.get_objects())


def test_a_client_that_says_nothing_has_no_greenlet() -> None:
    before = _greenlets()
    listeners = [Listener() for _ in range(20)]
    try:
        gevent.sleep(0.01)
        assert _greenlets() <= before + 1
        for listener in listeners:
            listener.say("hola")
        for listener in listeners:
            listener.wait_for(1)
        gevent.sleep(0.01)
        assert _greenlets() <= before + 2, "handled one after the other: one greenlet does for all"
    finally:
        for listener in listeners:
            listener.close()


def test_the_pool_has_as_many_as_there_are_tasks_at_a_time_and_keeps_few() -> None:
    pool = GreenletPool()
    gate, done = Event(), []

    def wait(number: int) -> None:
        gate.wait()
        done.append(number)

    def begin(tasks: list[Any]) -> None:
        gevent.get_hub().loop.run_callback(lambda: [pool.run(task) for task in tasks])

    begin([lambda number=number: wait(number) for number in range(MAX_IDLE + 10)])
    gevent.sleep(0.01)
    assert done == []
    gate.set()
    gevent.sleep(0.01)
    assert sorted(done) == list(range(MAX_IDLE + 10))
    assert len(pool._idle) == MAX_IDLE


def test_a_task_that_fails_costs_no_greenlet(caplog: pytest.LogCaptureFixture) -> None:
    pool = GreenletPool()
    begin = gevent.get_hub().loop.run_callback
    begin(pool.run, lambda: 1 // 0)
    gevent.sleep(0.01)
    assert "a task failed" in caplog.text
    assert len(pool._idle) == 1
    done = []
    begin(pool.run, lambda: done.append(1))
    gevent.sleep(0)
    assert done == [1]

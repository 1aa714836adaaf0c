from __future__ import annotations

import time

import gevent
import pytest

from chatapp.transport.sockets.heartbeat import Heartbeat


class Client:
    def __init__(self, heartbeat: Heartbeat, *, fails: bool = False) -> None:
        self._heartbeat = heartbeat
        self._fails = fails
        self.beats: list[float] = []

    def beat(self) -> None:
        self.beats.append(time.monotonic())
        if self._fails:
            raise OSError("gone")
        self._heartbeat.expect(self)  # it has answered

    def wait_for(self, count: int) -> None:
        with gevent.Timeout(10):
            while len(self.beats) < count:
                gevent.sleep(0.005)


def test_each_is_pinged_an_interval_after_its_answer() -> None:
    heartbeat = Heartbeat(0.05)
    clients = []
    for _ in range(3):
        clients.append(Client(heartbeat))
        heartbeat.expect(clients[-1])
        gevent.sleep(0.02)
    for client in clients:
        client.wait_for(3)
        first, second, third = client.beats[:3]
        assert min(second - first, third - second) >= 0.049


def test_one_that_is_forgotten_or_fails_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    heartbeat = Heartbeat(0.02)
    gone, broken, well = Client(heartbeat), Client(heartbeat, fails=True), Client(heartbeat)
    for client in (gone, broken, well):
        heartbeat.expect(client)
    heartbeat.forget(gone)
    well.wait_for(2)
    assert (gone.beats, len(broken.beats)) == ([], 1)
    assert "a ping failed" in caplog.text


def test_it_goes_on_after_it_had_nobody() -> None:
    heartbeat = Heartbeat(0.01)
    first = Client(heartbeat, fails=True)
    heartbeat.expect(first)
    first.wait_for(1)
    gevent.sleep(0.02)
    second = Client(heartbeat)
    heartbeat.expect(second)
    second.wait_for(1)

"""Who is to stop waits for workers that are on their way, and not for ever."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event

from chatapp.transport import newcomers as module
from chatapp.transport.newcomers import Newcomers, newcomers


def test_nobody_is_waited_for_when_all_serve() -> None:
    coming = Newcomers()
    coming.expect(1)
    coming.welcome(1)
    began = time.monotonic()
    coming.wait(Event())
    assert time.monotonic() - began < module.LOOK_SECONDS


def test_the_last_of_them_ends_the_waiting() -> None:
    coming = Newcomers()
    for age in (5, 6):
        coming.expect(age)
    waiting = gevent.spawn(coming.wait, Event())
    coming.welcome(5)
    gevent.sleep(2 * module.LOOK_SECONDS)
    assert not waiting.ready()
    coming.welcome(6)
    waiting.get(timeout=10)


def test_one_that_never_comes_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    coming = Newcomers()
    coming.expect(1)
    began = time.monotonic()
    coming.wait(Event())
    assert time.monotonic() - began >= 0.1
    assert coming.are_awaited


def test_a_hurry_waits_for_nobody() -> None:
    coming, hurry = Newcomers(), Event()
    coming.expect(1)
    waiting = gevent.spawn(coming.wait, hurry)
    gevent.sleep(0)
    assert not waiting.ready()
    hurry.set()
    waiting.get(timeout=module.PATIENCE_SECONDS / 2)


def test_a_master_has_one_book() -> None:
    assert newcomers() is newcomers()

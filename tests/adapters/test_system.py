"""Timers as the event loop gives them."""

from __future__ import annotations

import gc

import gevent
from gevent.event import Event

from chatapp.adapters.system import GeventScheduler
from chatapp.ports import Timer

PATIENCE = 10.0


def test_what_is_due_runs_in_a_greenlet_of_its_own_and_in_the_order_due() -> None:
    ran, last = [], Event()
    scheduler = GeventScheduler()
    scheduler.call_later(0.03, last.set)
    scheduler.call_later(0.01, ran.append, "first")
    scheduler.call_later(0, gevent.sleep, 60)  # may wait: nobody waits for it
    scheduler.call_later(0.02, ran.append, "second")
    assert last.wait(PATIENCE)
    assert ran == ["first", "second"]


def test_a_cancelled_timer_does_not_run_and_may_be_cancelled_again() -> None:
    ran, later = [], Event()
    scheduler = GeventScheduler()
    timer = scheduler.call_later(0.01, ran.append, "cancelled")
    timer.cancel()
    timer.cancel()
    scheduler.call_later(0.03, later.set)
    assert later.wait(PATIENCE)
    assert ran == []


def test_an_action_may_cancel_its_own_timer_and_goes_on() -> None:
    done = Event()
    timers: list[Timer] = []

    def action() -> None:
        timers[0].cancel()
        gevent.sleep(0)
        done.set()

    timers.append(GeventScheduler().call_later(0, action))
    assert done.wait(PATIENCE)
    timers[0].cancel()


def test_a_timer_that_nobody_keeps_runs() -> None:
    done = Event()
    GeventScheduler().call_later(0.01, done.set)
    gc.collect()
    assert done.wait(PATIENCE)


def test_an_action_that_fails_harms_no_other() -> None:
    done = Event()

    def fail() -> None:
        raise gevent.GreenletExit  # the quietest of failures

    GeventScheduler().call_later(0, fail)
    GeventScheduler().call_later(0.01, done.set)
    assert done.wait(PATIENCE)

"""Ids and timers as the machine gives them."""

from __future__ import annotations

import gc
import time
import uuid

import gevent
from gevent.event import Event

from chatapp.adapters.system import GeventScheduler, TimeOrderedIds
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


# ---------------------------------------------------------------- ids
def test_an_id_is_a_uuid_of_version_7_in_its_usual_form() -> None:
    for _ in range(1000):
        made = TimeOrderedIds().new()
        read = uuid.UUID(made)
        assert (str(read), read.version, read.variant) == (made, 7, uuid.RFC_4122)


def test_an_id_says_when_it_was_made_and_later_ones_are_greater() -> None:
    ids = TimeOrderedIds()
    for _ in range(3):
        before = time.time_ns() // 1_000_000
        earlier = ids.new()
        made_at = uuid.UUID(earlier).int >> 80
        assert before <= made_at <= time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == made_at:
            pass
        assert ids.new() > earlier


def test_ids_of_one_moment_differ() -> None:
    ids = TimeOrderedIds()
    assert len({ids.new() for _ in range(100_000)}) == 100_000

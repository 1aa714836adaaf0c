"""The end of a connection's token, on a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatapp.transport.sockets.expiry import TokenExpiry
from tests.fakes import FakeClock, ManualScheduler

HOUR = timedelta(hours=1)


class Told:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.scheduler = ManualScheduler(self.clock)
        self.events: list[tuple[str, float | None]] = []
        self.expiry = TokenExpiry(
            self.scheduler,
            self.clock,
            warn=lambda socket_id, left: self.events.append((socket_id, left.total_seconds())),
            end=lambda socket_id: self.events.append((socket_id, None)),
        )

    def watch(self, socket_id: str, lasts: timedelta) -> None:
        self.expiry.watch(socket_id, self.clock.now() + lasts)

    def after(self, seconds: float) -> list[tuple[str, float | None]]:
        """What is told in these seconds."""
        self.events.clear()
        self.scheduler.advance(seconds)
        return list(self.events)


@pytest.fixture
def told() -> Told:
    return Told()


def test_it_is_announced_a_minute_ahead_and_then_enforced(told: Told) -> None:
    told.watch("a", HOUR)
    told.watch("b", 2 * HOUR)
    assert told.after(3539) == []
    assert told.after(1) == [("a", 60.0)]
    assert told.after(59) == []
    assert told.after(1) == [("a", None)]
    assert told.after(3600) == [("b", 60.0), ("b", None)]


def test_less_than_a_minute_is_announced_at_once(told: Told) -> None:
    told.watch("a", timedelta(seconds=20))
    assert told.after(0) == [("a", 20.0)]
    assert told.after(20) == [("a", None)]


@pytest.mark.parametrize("ago", [0, 5])
def test_what_has_expired_ends_at_once(told: Told, ago: int) -> None:
    told.watch("a", -timedelta(seconds=ago))
    assert told.after(0) == [("a", 0.0), ("a", None)]


@pytest.mark.parametrize("waited", [10, 3580], ids=["before it is announced", "after"])
def test_a_newer_token_takes_the_place(told: Told, waited: int) -> None:
    told.watch("a", HOUR)
    told.after(waited)
    told.watch("a", 2 * HOUR)
    assert told.after(7139) == []
    assert told.after(61) == [("a", 60.0), ("a", None)]


@pytest.mark.parametrize("waited", [10, 3580])
def test_who_has_gone_is_told_nothing(told: Told, waited: int) -> None:
    told.watch("a", HOUR)
    told.after(waited)
    told.expiry.forget("a")
    told.expiry.forget("a")
    assert told.after(4000) == []

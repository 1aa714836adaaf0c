"""Who shares requests with whom, and that nobody waits for longer than it takes."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import pytest
from gevent.event import Event

from chatapp.adapters.dynamodb_store import sharing
from chatapp.adapters.dynamodb_store.sharing import UNDER_WAY, Sharing
from chatapp.domain.errors import StoreUnavailable


class Road:
    """Carries when it is opened, and remembers who went together."""

    def __init__(self) -> None:
        self.open = Event()
        self.gone: list[list[int]] = []

    def carry(self, works: Sequence[int]) -> list[int | Exception]:
        self.gone.append(list(works))
        self.open.wait()
        return [-work if work else ValueError("zero") for work in works]


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> Road:
    monkeypatch.setattr(sharing, "LONGEST_WAIT_SECONDS", 3600.0)
    return Road()


def settle() -> None:
    for _ in range(10):
        gevent.sleep(0)


def tens(works: Sequence[int], _more: int) -> bool:
    return len(works) < 10


def test_who_comes_while_others_are_under_way_leaves_with_all_who_wait_by_then(road: Road) -> None:
    shared = Sharing(road.carry, fits=tens)
    asked = []
    for n in range(UNDER_WAY):
        asked.append(gevent.spawn(shared.do, n + 1))
        settle()
    asked += [gevent.spawn(shared.do, n) for n in range(101, 126)]
    settle()
    assert road.gone == [[n + 1] for n in range(UNDER_WAY)]
    road.open.set()
    gevent.joinall(asked, timeout=5)
    assert [len(works) for works in road.gone[UNDER_WAY:]] == [10, 10, 5]
    assert [greenlet.value for greenlet in asked] == [-n for works in road.gone for n in works]


def test_a_failure_is_his_whose_it_is(road: Road) -> None:
    shared = Sharing(road.carry, fits=tens)
    road.open.set()
    asked = [gevent.spawn(shared.do, n) for n in (1, 0, 2)]
    gevent.joinall(asked, timeout=5)
    assert road.gone == [[1, 0, 2]]
    assert [type(greenlet.exception) for greenlet in asked] == [type(None), ValueError, type(None)]


def test_nobody_waits_longer_than_the_longest_wait(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LONGEST_WAIT_SECONDS", 0.01)
    shared = Sharing(road.carry, fits=tens)
    asked = []
    for n in range(UNDER_WAY + 1):
        asked.append(gevent.spawn(shared.do, n + 1))
        settle()
    with gevent.Timeout(5):
        while len(road.gone) <= UNDER_WAY:
            gevent.sleep(0.005)
    road.open.set()
    gevent.joinall(asked, timeout=5)
    assert all(greenlet.successful() for greenlet in asked)


def test_when_who_asks_for_all_is_ended_the_others_hear_of_it(road: Road) -> None:
    shared = Sharing(road.carry, fits=tens)
    asked = [gevent.spawn(shared.do, n) for n in (1, 2, 3)]
    settle()
    assert road.gone == [[1, 2, 3]]
    asked[0].kill()
    gevent.joinall(asked, timeout=5)
    assert [type(greenlet.exception) for greenlet in asked[1:]] == [StoreUnavailable] * 2
    road.open.set()
    assert shared.do(4) == -4

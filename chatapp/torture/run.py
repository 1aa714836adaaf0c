"""One run: make users, drive them while faults happen, let all come to rest, fetch the truth, judge."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from chatapp.torture.case import Finding
from chatapp.torture.client import Client
from chatapp.torture.drivers import Driver, MemberDriver, OutsiderDriver, Pace
from chatapp.torture.faults import Faults
from chatapp.torture.history import History
from chatapp.torture.judge import judge
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest
from chatapp.torture.world import World, fetch_truth, last_seqs, make_world, remove_world

HOME_SECONDS = 30.0
"""How long after the faults everybody may take to be answered and back in their rooms."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``rate`` is each user's actions in a second; ``settle`` how many seconds live messages may take to arrive."""

    url: str
    users: int
    seconds: float
    rate: float
    settle: float
    seed: int
    socket_path: str
    keep: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    history: History
    findings: tuple[Finding, ...]
    hurt: tuple[int, ...]
    """The processes that got a signal."""


def torture(plan: Plan, faults: Faults) -> Outcome:
    """Raises Unusable, when there is nothing to be judged."""
    rest, recorder = Rest(plan.url), Recorder()
    world = make_world(rest, recorder, plan.users)
    until = recorder.now() + plan.seconds
    members, outsiders = _drivers(plan, world, rest, recorder, until)
    with _running((*members, *outsiders), faults):
        _wait((*members, *outsiders), recorder, until)
        faults.stop()
        _wait_until_home((*members, *outsiders), recorder)
        _settle(plan, [driver.client for driver in members], last_seqs(rest, world))
        history, truth = recorder.history(), fetch_truth(rest, world)
    findings = judge(history, truth)
    if not (findings or plan.keep):  # what convicts is left for the operator to look at
        remove_world(rest, world)
    return Outcome(history, findings, tuple(faults.sent))


def _drivers(
    plan: Plan, world: World, rest: Rest, recorder: Recorder, until: float
) -> tuple[list[Driver], list[Driver]]:
    """Members and outsiders."""
    drivers: list[Driver] = []
    for number, user in enumerate((*world.members, *world.outsiders)):
        transport = "polling" if number % 3 == 2 else "websocket"
        client = Client(user, rest, recorder, url=plan.url, socket_path=plan.socket_path, transport=transport)
        dice = random.Random(f"{plan.seed}-{number}")  # noqa: S311 - no secret is made of it
        pace = Pace(plan.rate, until, until + HOME_SECONDS, dice)
        if user in world.rooms:
            drivers.append(MemberDriver(client, recorder, rest, world, pace))
        else:
            drivers.append(OutsiderDriver(client, recorder, world, pace))
    return drivers[: len(world.members)], drivers[len(world.members) :]


@contextmanager
def _running(drivers: Sequence[Driver], faults: Faults) -> Iterator[None]:
    faults.start()
    for driver in drivers:
        driver.start()
    try:
        yield
    finally:
        faults.stop()
        for driver in drivers:
            driver.stop()
        for driver in drivers:
            driver.join()
            driver.client.cut()


def _wait(drivers: Sequence[Driver], recorder: Recorder, until: float) -> None:
    waiting = threading.Event()
    while recorder.now() < until:
        _check(drivers)
        waiting.wait(min(0.1, max(0.0, until - recorder.now())))


def _wait_until_home(drivers: Sequence[Driver], recorder: Recorder) -> None:
    """Whoever is not back in time is the judge's business."""
    home_by = recorder.now() + HOME_SECONDS
    for driver in drivers:
        driver.is_home.wait(max(0.0, home_by - recorder.now()))
    _check(drivers)


def _check(drivers: Sequence[Driver]) -> None:
    for driver in drivers:
        if driver.problem is not None:
            raise driver.problem


def _settle(plan: Plan, clients: Sequence[Client], last_seqs: dict[str, int]) -> None:
    """Wait for what is still on its way live; whoever has not got it then, asks for it."""
    rooms = [(client, room) for client in clients for room in client.rooms]
    waiting = threading.Event()
    for _ in range(int(plan.settle / 0.05)):
        rooms = [(client, room) for client, room in rooms if not client.is_up_to_date(room, last_seqs[room])]
        if not rooms:
            return
        waiting.wait(0.05)
    for client, room in rooms:
        with suppress(Gone):  # the judge sees that it has not got everything
            client.catch_up(room)

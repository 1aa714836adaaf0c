"""One cell of the matrix: people talk, a fault happens, they fall silent, and what each of them saw is judged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chatapp.torture.history import History, Membership
from chatapp.torture.transports import Rest
from chatapp.torture.world import World, fetch_truth, last_seqs
from tests.e2e.matrix.crowd import Crowd
from tests.e2e.matrix.faults import FAULTS, Scene, Site
from tests.e2e.matrix.figures import Fault, Figures, figures
from tests.e2e.matrix.members import Part
from tests.e2e.matrix.tunnel import Tunnel
from tests.e2e.test_cluster import until
from tests.e2e.wire import log_lines, make_conversation, save_users

WORKERS = 4
READERS = 8
SPREAD_SECONDS = 60.0
GIVE_UP_SECONDS = 60.0
"""The server's ping interval and timeout are 45 s together."""
BEFORE_SECONDS, AFTER_SECONDS = 1.5, 2.0
"""How long people talk before the fault, and busy ones after it. A quiet writer has fallen silent when a fault ends,
or says one thing more when a fault had no length."""


@dataclass(frozen=True, slots=True)
class Load:
    """``writers`` send ``rate`` messages a second each, into ``groups`` of everybody and a private conversation."""

    writers: int
    rate: float
    groups: int


LOADS = {"quiet": Load(writers=1, rate=1.0, groups=1), "50 messages/s": Load(writers=5, rate=10.0, groups=2)}


def run_cell(site: Site, fault: str, load: str, folder: Path) -> Figures:
    folder.mkdir()
    began = time.monotonic()
    with playing(site, LOADS[load], folder) as (scene, world):
        spread(scene)
        for crowd in (scene.exposed, scene.steady):
            crowd.tell("write")
        time.sleep(BEFORE_SECONDS)
        happened = FAULTS[fault](scene)
        if not scene.is_quiet:
            time.sleep(AFTER_SECONDS)
        elif happened.over == happened.began:
            assert scene.steady.ask("say") == []  # and nothing after it that would betray its loss
        return judged(scene, world, happened, began)


def judged(scene: Scene, world: World, happened: Fault, began: float) -> Figures:
    """Everybody falls silent, and gets what is still on its way. ``began`` is before the world was made."""
    history = fall_silent(scene, world)
    memberships = tuple(Membership(user, room, began) for user in world.members for room in world.rooms[user])
    truth = fetch_truth(Rest(scene.site.server.url), world)
    return figures(replace(history, memberships=memberships), truth, happened)


@contextmanager
def playing(site: Site, load: Load, folder: Path) -> Iterator[tuple[Scene, World]]:
    """Everybody is connected and in all of their rooms."""
    readers = [f"{folder.name}-r{number}" for number in range(READERS)]
    writers = [f"{folder.name}-w{number}" for number in range(load.writers)]
    everybody = (*writers, *readers)
    save_users(site.server.url, *everybody)
    groups = [make_conversation(site.server.url, *everybody, group=True) for _ in range(load.groups)]
    rooms = {user: list(groups) for user in everybody}
    for writer, reader in zip(writers, readers, strict=False):
        private = make_conversation(site.server.url, writer, reader)
        rooms[writer].append(private)
        rooms[reader].append(private)
    tunnel = Tunnel(site.server.port)
    exposed = {*readers[: READERS // 2], *writers[: load.writers // 2]}
    parts = [
        Part(
            user=user,
            url=tunnel.url if user in exposed else site.server.url,
            transport="polling" if number % 3 == 2 else "websocket",
            rooms=tuple(rooms[user]),
            rate=load.rate if user in writers else 0.0,
        )
        for number, user in enumerate(everybody)
    ]
    crowds = (
        Crowd(folder, "exposed", [part for part in parts if part.user in exposed]),
        Crowd(folder, "steady", [part for part in parts if part.user not in exposed]),
    )
    try:
        for crowd in crowds:
            assert crowd.ask("home") == []
        scene = Scene(site, tunnel, *crowds, is_quiet=load.writers == 1)
        yield scene, World(everybody, (), {user: tuple(own) for user, own in rooms.items()}, ())
    finally:
        for crowd in crowds:
            crowd.close()
        tunnel.close()


def spread(scene: Scene) -> None:
    """Until there is a reader on every worker; the kernel gives connections to whom it likes."""
    give_up_at = time.monotonic() + SPREAD_SECONDS
    while time.monotonic() < give_up_at:
        crowd_of = {
            part.user: crowd for crowd in (scene.exposed, scene.steady) for part in crowd.parts if not part.rate
        }
        workers = {**scene.exposed.ask("where"), **scene.steady.ask("where")}
        found = Counter(workers[user] for user in crowd_of)
        if len(found) == WORKERS:
            return
        crowded, _ = found.most_common(1)[0]
        user = next(user for user in crowd_of if workers[user] == crowded)
        crowd_of[user].tell("move", user)
        for crowd in (scene.exposed, scene.steady):
            assert crowd.ask("home") == []
    raise AssertionError("the kernel does not spread connections")


def fall_silent(scene: Scene, world: World) -> History:
    crowds = (scene.exposed, scene.steady)
    for crowd in crowds:
        crowd.tell("hush")
    for crowd in crowds:
        assert crowd.ask("idle") == [], "a message was never acknowledged"
    seqs = last_seqs(Rest(scene.site.server.url), world)
    exposed, steady = (crowd.finish(seqs) for crowd in crowds)
    return History((*exposed.sends, *steady.sends), (), (), {**exposed.seen, **steady.seen})


# ---------------------------------------------------------------- too long
class LongSleep:
    """Clients who are asleep until the server has given them up, and what is said to them meanwhile."""

    def __init__(self, scene: Scene, world: World, began: float) -> None:
        self._scene, self._world, self._began = scene, world, began
        self._slept = time.monotonic()
        scene.exposed.sleep()
        self._say()

    def wake(self) -> Figures:
        until(lambda: self._given_up >= len(self._scene.exposed.parts), "the server gives them up", GIVE_UP_SECONDS)
        self._say()
        over = time.monotonic()
        self._scene.exposed.wake()
        hurt = frozenset(part.user for part in self._scene.exposed.parts)
        return judged(self._scene, self._world, Fault(self._slept, over, hurt), self._began)

    def _say(self) -> None:
        """One thing: they would disturb the other cells."""
        self._scene.steady.tell("write")
        assert self._scene.steady.ask("say") == []
        self._scene.steady.tell("hush")

    @property
    def _given_up(self) -> int:
        return sum(line.get("reason") == "ping timeout" for line in log_lines(self._scene.site.server.log()))


@contextmanager
def long_sleep(site: Site, folder: Path) -> Iterator[LongSleep]:
    folder.mkdir()
    began = time.monotonic()
    with playing(site, LOADS["quiet"], folder) as (scene, world):
        yield LongSleep(scene, world, began)

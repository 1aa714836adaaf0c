"""Presence over several workers that tell each other: what all see, and what is left when one is cut off or dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from chatapp.adapters.shared_presence import LEASE_SECONDS, SharedPresence
from chatapp.domain.events import (
    Event,
    StatusShown,
    UserArrived,
    UserDeparted,
    ViewerEntered,
    ViewerLeft,
    WorkerBeat,
    WorkerReported,
)
from chatapp.domain.models import Status
from chatapp.domain.rooms import EVERYONE, conversation_room, user_room
from tests.fakes import FakeBus, JoinedBuses

ROOMS = ("g1", "g2")


class Time:
    """Monotonic seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds


class Worker:
    """Presence on a bus, and what the services around it do: follow the rooms of those here, forget who is gone."""

    def __init__(self, buses: JoinedBuses, time: Time, worker_id: str) -> None:
        self.bus = buses.bus(worker_id)
        self.presence = SharedPresence(self.bus, now=time.now)
        self.lost: list[str] = []
        """Users of whom another worker was the last to have a socket."""
        self.sockets: dict[str, set[str]] = {}  # user → sockets; what is really there
        self.open: dict[str, set[tuple[str, str]]] = {}  # socket → (conversation, user)
        self.bus.subscribe([EVERYONE])
        self.bus.start(self._receive, recovered=self.presence.recovered)

    def _receive(self, _room: str, origin: str, event: Event) -> None:
        self._gone(self.presence.hear(origin, event))

    def _gone(self, user_ids: Any) -> None:
        for user_id in user_ids:
            self.lost.append(user_id)
            self.presence.forget(user_id)

    def beat(self) -> None:
        self.bus.publish([EVERYONE], WorkerBeat())
        self._gone(self.presence.lapse())

    def connect(self, user_id: str, socket_id: str) -> bool:
        self.bus.subscribe([user_room(user_id), *map(conversation_room, ROOMS)])
        self.sockets.setdefault(user_id, set()).add(socket_id)
        self.open.setdefault(socket_id, set())
        return self.presence.add(user_id, socket_id)

    def disconnect(self, user_id: str, socket_id: str) -> bool:
        self.sockets[user_id].discard(socket_id)
        if not self.sockets[user_id]:
            del self.sockets[user_id]
        del self.open[socket_id]
        last = self.presence.remove(user_id, socket_id)
        if last:
            self.presence.forget(user_id)
        if user_id not in self.sockets:
            self.bus.unsubscribe([user_room(user_id)])
        if not self.sockets:
            self.bus.unsubscribe([*map(conversation_room, ROOMS)])
        return last

    def enter(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        self.open[socket_id].add((conversation_id, user_id))
        return self.presence.enter(conversation_id, user_id, socket_id)

    def leave(self, conversation_id: str, user_id: str, socket_id: str) -> bool:
        self.open[socket_id].discard((conversation_id, user_id))
        return self.presence.leave(conversation_id, user_id, socket_id)

    def status(self, user_id: str) -> Status:
        return self.presence.statuses([user_id])[user_id]


class Cluster:
    def __init__(self, *names: str) -> None:
        self.time = Time()
        self.buses = JoinedBuses()
        self.workers = [Worker(self.buses, self.time, name) for name in names]

    def pass_time(self, seconds: float) -> None:
        """With everybody's beat each second."""
        for _ in range(int(seconds)):
            self.time.seconds += 1
            for worker in self.workers:
                worker.beat()

    def kill(self, worker: Worker) -> None:
        worker.bus.kill()
        self.workers.remove(worker)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster("one", "two", "three")


def see(cluster: Cluster, question: Callable[[Worker], Any]) -> list[Any]:
    """Each worker's answer."""
    return [question(worker) for worker in cluster.workers]


# ---------------------------------------------------------------- who is here
def test_whoever_arrives_anywhere_is_online_everywhere(cluster: Cluster) -> None:
    assert cluster.workers[0].connect("ana", "a1") is True
    assert see(cluster, lambda w: w.presence.has_sockets("ana")) == [True] * 3
    assert see(cluster, lambda w: w.status("ana")) == [Status.ONLINE] * 3
    assert see(cluster, lambda w: list(w.presence.online())) == [["ana"]] * 3
    assert see(cluster, lambda w: w.presence.is_here("ana")) == [True, False, False]


def test_a_socket_on_another_worker_is_not_the_first(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    assert two.connect("ana", "a2") is False


def test_only_the_last_socket_anywhere_is_the_last(cluster: Cluster) -> None:
    one, two, three = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    assert one.disconnect("ana", "a1") is False
    assert see(cluster, lambda w: w.lost) == [[], [], []]
    assert one.presence.has_sockets("ana")
    assert two.disconnect("ana", "a2") is True
    assert see(cluster, lambda w: w.lost) == [["ana"], [], ["ana"]]
    assert see(cluster, lambda w: w.presence.has_sockets("ana")) == [False] * 3
    assert three.status("ana") is Status.OFFLINE


def test_two_last_sockets_gone_at_once_are_nobodys_and_everybody_learns_it(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    with cluster.buses.held():
        assert one.disconnect("ana", "a1") is False
        assert two.disconnect("ana", "a2") is False
    assert see(cluster, lambda w: w.lost) == [["ana"]] * 3


def test_a_status_shows_everywhere(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    one.presence.set_status("ana", Status.BUSY)
    assert see(cluster, lambda w: w.status("ana")) == [Status.BUSY] * 3
    two.connect("ana", "a2")
    one.disconnect("ana", "a1")
    assert see(cluster, lambda w: w.status("ana")) == [Status.BUSY] * 3
    two.presence.set_status("ana", Status.OFFLINE)
    assert see(cluster, lambda w: w.status("ana")) == [Status.OFFLINE] * 3
    assert see(cluster, lambda w: w.presence.has_sockets("ana")) == [True] * 3
    assert see(cluster, lambda w: list(w.presence.online())) == [[]] * 3


def test_a_new_worker_learns_from_the_others(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("bea", "b1")
    one.presence.set_status("ana", Status.AWAY)
    four = Worker(cluster.buses, cluster.time, "four")
    assert dict(four.presence.statuses(["ana", "bea"])) == {"ana": Status.AWAY, "bea": Status.ONLINE}
    assert four.connect("ana", "a2") is False


# ---------------------------------------------------------------- conversations
def test_viewers_are_those_of_all_workers(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    assert one.enter("g1", "ana", "a1") is True
    assert two.enter("g1", "ana", "a2") is False
    assert one.leave("g1", "ana", "a1") is False
    assert set(one.presence.viewers("g1")) == {"ana"}
    assert one.presence.is_viewed_here("g1") is False
    assert two.presence.is_viewed_here("g1") is True
    assert two.leave("g1", "ana", "a2") is True
    assert see(cluster, lambda w: set(w.presence.viewers("g1"))) == [set()] * 3


def test_who_comes_to_another_worker_is_known_to_view_what_is_open_on_the_first(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    one.enter("g1", "ana", "a1")
    assert set(two.presence.viewers("g1")) == set(), "two does not listen there yet"
    two.connect("ana", "a2")
    assert set(two.presence.viewers("g1")) == {"ana"}


def test_what_was_left_while_nobody_listened_is_not_open_any_more(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    one.enter("g1", "ana", "a1")
    two.disconnect("ana", "a2")  # two stops listening
    one.leave("g1", "ana", "a1")
    two.connect("ana", "a3")
    assert set(two.presence.viewers("g1")) == set()


def test_a_closed_socket_leaves_everywhere(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    for conversation_id in ROOMS:
        one.enter(conversation_id, "ana", "a1")
    one.disconnect("ana", "a1")
    assert set(two.presence.viewers("g1")) | set(two.presence.viewers("g2")) == set()


def test_evicting_takes_out_the_sockets_here_and_what_is_known_of_the_others(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    two.connect("bea", "b1")
    two.enter("g1", "ana", "a2")
    two.enter("g1", "bea", "b1")
    one.enter("g1", "ana", "a1")
    one.presence.evict("g1", "ana")
    assert set(one.presence.viewers("g1")) == {"bea"}
    one.presence.evict("g2", "ana")
    two.presence.evict("g1", "ana")
    assert set(two.presence.viewers("g1")) == {"bea"}


def test_viewers_here_are_the_sockets_of_this_worker_alone(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    one.enter("g1", "ana", "a1")
    two.enter("g2", "ana", "a2")
    assert list(one.presence.viewers_here()) == [("g1", "ana")]
    assert one.presence.is_here("ana")
    two.presence.enter("g1", "eva", "unnamed")
    assert two.presence.is_here("eva"), "known by the handshake alone"


# ---------------------------------------------------------------- deafness
def test_who_was_deaf_asks_and_all_agree_again(cluster: Cluster) -> None:
    one, two, three = cluster.workers
    one.connect("ana", "a1")
    two.connect("bea", "b1")
    two.connect("ana", "a2")
    two.enter("g1", "ana", "a2")
    one.bus.cut()
    two.disconnect("bea", "b1")
    two.connect("carlos", "c1")
    two.presence.set_status("carlos", Status.BUSY)
    two.leave("g1", "ana", "a2")
    two.enter("g2", "ana", "a2")
    one.connect("dora", "d1")
    assert not three.presence.has_sockets("dora")
    one.bus.join()
    assert see(cluster, lambda w: sorted(w.presence.online())) == [["ana", "carlos", "dora"]] * 3
    assert one.lost == ["bea"]
    assert one.status("carlos") is Status.BUSY
    assert set(one.presence.viewers("g1")) == set()
    assert set(one.presence.viewers("g2")) == {"ana"}
    assert not one.presence.has_sockets("bea")


def test_the_later_of_two_statuses_holds_though_one_worker_was_deaf(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    one.presence.set_status("ana", Status.BUSY)
    one.bus.cut()
    two.presence.set_status("ana", Status.ONLINE)
    one.bus.join()
    assert see(cluster, lambda w: w.status("ana")) == [Status.ONLINE] * 3


def test_two_statuses_shown_at_once_are_the_same_everywhere(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.connect("ana", "a2")
    with cluster.buses.held():
        one.presence.set_status("ana", Status.BUSY)
        two.presence.set_status("ana", Status.AWAY)
    assert len(set(see(cluster, lambda w: w.status("ana")))) == 1


def test_who_arrives_where_a_status_was_missed_gets_it_from_the_others(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    two.bus.rooms.discard(EVERYONE)
    one.presence.set_status("ana", Status.BUSY)
    two.bus.subscribe([EVERYONE])
    two.connect("ana", "a2")
    assert see(cluster, lambda w: w.status("ana")) == [Status.BUSY] * 3


def test_viewers_known_to_a_third_worker_survive_a_report(cluster: Cluster) -> None:
    one, two, three = cluster.workers
    two.connect("ana", "a2")
    three.connect("ana", "a3")
    two.enter("g1", "ana", "a2")
    one.bus.cut()
    one.bus.join()
    assert set(three.presence.viewers("g1")) == {"ana"}


# ---------------------------------------------------------------- death
def test_users_of_a_dead_worker_are_gone_after_the_lease_and_not_before(cluster: Cluster) -> None:
    one, two, three = cluster.workers
    one.connect("ana", "a1")
    one.connect("bea", "b1")
    two.connect("bea", "b2")
    one.enter("g1", "bea", "b1")
    cluster.pass_time(LEASE_SECONDS)
    cluster.kill(one)
    cluster.pass_time(LEASE_SECONDS - 1)
    assert see(cluster, lambda w: w.lost) == [[], []]
    assert three.presence.has_sockets("ana")
    cluster.pass_time(1)
    assert see(cluster, lambda w: w.lost) == [["ana"], ["ana"]]
    assert set(two.presence.viewers("g1")) == set()
    assert see(cluster, lambda w: w.presence.has_sockets("bea")) == [True, True]


def test_the_deaf_judge_nobody(cluster: Cluster) -> None:
    one, two, _ = cluster.workers
    one.connect("ana", "a1")
    cluster.pass_time(LEASE_SECONDS)
    two.bus.cut()
    cluster.pass_time(3 * LEASE_SECONDS)
    assert two.lost == []
    assert two.presence.has_sockets("ana")


def test_who_has_just_recovered_judges_nobody_for_a_lease(cluster: Cluster) -> None:
    one, two, three = cluster.workers
    one.connect("ana", "a1")
    cluster.pass_time(LEASE_SECONDS)
    two.bus.cut()
    cluster.kill(one)
    cluster.pass_time(2 * LEASE_SECONDS)
    two.bus.join()
    cluster.pass_time(LEASE_SECONDS - 1)
    assert two.lost == []
    assert three.lost == ["ana"]
    cluster.pass_time(1)
    assert two.lost == ["ana"]


def test_a_new_worker_judges_nobody_for_a_lease() -> None:
    time = Time()
    presence = SharedPresence(FakeBus("one"), now=time.now)
    presence.hear("two", UserArrived("ana", Status.ONLINE, 0))
    time.seconds += LEASE_SECONDS - 0.1
    assert presence.lapse() == ()
    time.seconds += 0.1
    assert presence.lapse() == ["ana"]


def test_who_was_taken_for_dead_is_asked_when_heard_again(cluster: Cluster) -> None:
    """A frozen process misses nothing that the kernel keeps for it, so that nobody tells it to recover."""
    one, two, three = cluster.workers
    one.connect("ana", "a1")
    cluster.pass_time(LEASE_SECONDS)
    cluster.workers.remove(one)
    cluster.pass_time(LEASE_SECONDS)
    assert two.lost == three.lost == ["ana"]
    cluster.workers.append(one)
    cluster.pass_time(1)
    assert see(cluster, lambda w: w.presence.has_sockets("ana")) == [True] * 3
    assert see(cluster, lambda w: w.status("ana")) == [Status.ONLINE] * 3


# ---------------------------------------------------------------- what is said
def test_only_first_and_last_sockets_are_told_to_the_others() -> None:
    bus = FakeBus("one")
    presence = SharedPresence(bus, now=lambda: 0.0)
    for socket_id in ("a1", "a2"):
        presence.add("ana", socket_id)
        presence.enter("g1", "ana", socket_id)
    presence.set_status("ana", Status.AWAY)
    presence.report(asks=False)
    for socket_id in ("a1", "a2"):
        presence.leave("g1", "ana", socket_id)
        presence.remove("ana", socket_id)
    assert bus.published == [
        (EVERYONE, UserArrived("ana", Status.ONLINE, 0)),
        (conversation_room("g1"), ViewerEntered("g1", "ana")),
        (EVERYONE, StatusShown("ana", Status.AWAY, 1)),
        (EVERYONE, WorkerReported({"ana": (Status.AWAY, 1)}, asks=False)),
        (conversation_room("g1"), ViewerLeft("g1", "ana")),
        (EVERYONE, UserDeparted("ana")),
    ]


def test_nothing_is_kept_of_others_who_are_gone() -> None:
    presence = SharedPresence(FakeBus("one"), now=lambda: 0.0)
    empty = {name: repr(value) for name, value in vars(presence).items() if name == "_changes"}
    presence.hear("two", UserArrived("ana", Status.ONLINE, 3))
    for conversation_id in ROOMS:
        presence.hear("two", ViewerEntered(conversation_id, "ana"))
    presence.hear("two", ViewerLeft("g1", "ana"))
    presence.evict("g2", "ana")
    presence.hear("two", ViewerLeft("g2", "ana"))
    assert presence.hear("two", UserDeparted("ana")) == ["ana"]
    presence.forget("ana")
    assert {name: repr(value) for name, value in vars(presence).items() if name == "_changes"} == empty
    worker = presence._workers["two"]
    assert (worker.users, dict(worker.viewers)) == (set(), {})


# ---------------------------------------------------------------- any order of all that
PROFILE = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
"""About five seconds; the same steps on every machine."""

USERS = st.sampled_from(["ana", "bea"])
WHERE = st.integers(0, 2)
SOCKETS = st.integers(0, 11)
CONVERSATIONS = st.sampled_from(ROOMS)


class Presences(RuleBasedStateMachine):
    """The model is what sockets there really are: ``Worker.sockets`` and ``Worker.open``."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster("w1", "w2", "w3")
        self.count = 3

    def pick(self, number: int) -> tuple[Worker, str, str]:
        """A worker, user and socket; a new one when there are none."""
        workers = self.cluster.workers
        found = [
            (w, user_id, socket_id)
            for w in workers
            for user_id in sorted(w.sockets)
            for socket_id in sorted(w.sockets[user_id])
        ]
        if not found:
            self.connect(number % len(workers), "ana")
            return self.pick(number)
        return found[number % len(found)]

    @rule(where=WHERE, user_id=USERS)
    def connect(self, where: int, user_id: str) -> None:
        self.count += 1
        self.cluster.workers[where].connect(user_id, f"s{self.count}")

    @rule(number=SOCKETS)
    def disconnect(self, number: int) -> None:
        worker, user_id, socket_id = self.pick(number)
        worker.disconnect(user_id, socket_id)

    @rule(number=SOCKETS, conversation_id=CONVERSATIONS)
    def enter(self, number: int, conversation_id: str) -> None:
        worker, user_id, socket_id = self.pick(number)
        worker.enter(conversation_id, user_id, socket_id)

    @rule(number=SOCKETS)
    def leave(self, number: int) -> None:
        worker, user_id, socket_id = self.pick(number)
        for conversation_id, _ in sorted(worker.open[socket_id])[:1]:
            worker.leave(conversation_id, user_id, socket_id)

    @rule(number=SOCKETS, status=st.sampled_from([Status.BUSY, Status.AWAY, Status.ONLINE]))
    def show(self, number: int, status: Status) -> None:
        worker, user_id, _ = self.pick(number)
        worker.presence.set_status(user_id, status)

    @rule(where=WHERE)
    def cut(self, where: int) -> None:
        self.cluster.workers[where].bus.cut()

    @rule(where=WHERE)
    def join(self, where: int) -> None:
        self.cluster.workers[where].bus.join()

    @rule(where=WHERE)
    def kill_and_replace(self, where: int) -> None:
        self.count += 1
        self.cluster.kill(self.cluster.workers[where])
        self.cluster.workers.insert(where, Worker(self.cluster.buses, self.cluster.time, f"w{self.count}"))

    @rule(seconds=st.integers(1, 12))
    def pass_time(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)

    def teardown(self) -> None:
        """All agree in the end."""
        for worker in self.cluster.workers:
            worker.bus.join()
        self.cluster.pass_time(2 * LEASE_SECONDS)
        online = {user_id for worker in self.cluster.workers for user_id in worker.sockets}
        statuses = {user_id: self.cluster.workers[0].status(user_id) for user_id in ("ana", "bea")}
        for worker in self.cluster.workers:
            assert set(worker.presence.online()) == online
            assert dict(worker.presence.statuses(["ana", "bea"])) == statuses
            for user_id in ("ana", "bea"):
                assert worker.presence.has_sockets(user_id) is (user_id in online)
            for conversation_id in ROOMS:
                self._check_viewers(worker, conversation_id)

    def _check_viewers(self, worker: Worker, conversation_id: str) -> None:
        """Of those who have a socket on this worker: only they can be told here what is unread."""
        everywhere = {
            user_id
            for each in self.cluster.workers
            for pairs in each.open.values()
            for opened, user_id in pairs
            if opened == conversation_id
        }
        here = set(worker.sockets)
        assert set(worker.presence.viewers(conversation_id)) & here == everywhere & here


def test_no_ghosts_after_any_sequence() -> None:
    run_state_machine_as_test(Presences, settings=PROFILE)  # type: ignore[no-untyped-call]

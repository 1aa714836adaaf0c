"""The tests of ``RedisBus`` over a real Redis. ``test_redis_bus.py`` runs them with pytest in a process of their own.

The bus lives in gevent's world: its greenlets wait on sockets that must not block the whole process, so that the
standard library is patched before anything else is imported, as ``python -m gevent.monkey`` does. The suite's own
process is not patched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import monkey

from chatapp.adapters import redis_bus
from chatapp.adapters.event_codec import encode
from chatapp.adapters.redis_bus import CANARY_SECONDS, DEAF_SECONDS, PREFIX, RedisBus
from chatapp.domain.errors import BusUnavailable
from chatapp.domain.events import Event, ProfileChanged, ResyncNeeded
from chatapp.domain.rooms import EVERYONE
from tests.e2e.server import free_port
from tests.engines.redis import RedisEngine, running_redis

assert monkey.is_module_patched("socket"), "run it by test_redis_bus.py"

PATIENCE = 10.0
RECOVERY_SECONDS = 5.0
"""docs/reliability.md: within this they hear again by themselves."""
QUIET = 0.15
"""Long enough for something to arrive that should not."""


class Node:
    """A bus, and what it has heard: ``said`` holds the users named, by room."""

    def __init__(self, url: str, worker_id: str) -> None:
        self.bus = RedisBus(url, worker_id=worker_id)
        self.heard: list[tuple[str, str, Event]] = []
        self.recoveries = 0
        self.bus.start(self._receive, recovered=self._recovered)

    def _receive(self, room: str, origin: str, event: Event) -> None:
        self.heard.append((room, origin, event))

    def _recovered(self) -> None:
        self.recoveries += 1

    def say(self, room: str, *names: str) -> None:
        for name in names:
            self.bus.publish([room], ProfileChanged(name))

    def said(self, room: str) -> list[str]:
        return [event.user_id for heard, _, event in self.heard if heard == room and isinstance(event, ProfileChanged)]


Open = Callable[..., Node]


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0.01)


@pytest.fixture(scope="module")
def engine() -> Iterator[RedisEngine]:
    with running_redis(free_port()) as engine:
        yield engine


@pytest.fixture
def node(engine: RedisEngine) -> Iterator[Open]:
    opened: list[Node] = []

    def node(*rooms: str, url: str | None = None) -> Node:
        new = Node(url or engine.url, f"worker-{len(opened)}")
        opened.append(new)
        if url is None:
            until(lambda: new.bus.hears)
            new.bus.subscribe(rooms)
        return new

    yield node
    for each in opened:
        each.bus.close()


# ---------------------------------------------------------------- what is heard
def test_only_the_rooms_asked_for_are_heard(node: Open) -> None:
    speaker, listener = node(), node("a", "b")
    speaker.say("a", "1")
    speaker.say("c", "2")
    speaker.bus.publish(["b", "c", "a"], ProfileChanged("3"))
    until(lambda: len(listener.heard) == 3)
    gevent.sleep(QUIET)
    assert listener.heard == [
        ("a", "worker-0", ProfileChanged("1")),
        ("b", "worker-0", ProfileChanged("3")),
        ("a", "worker-0", ProfileChanged("3")),
    ]
    assert speaker.heard == []


def test_own_publications_are_not_heard(node: Open) -> None:
    both, other = node("a"), node("a")
    both.say("a", "mine")
    other.say("a", "other")
    until(lambda: both.said("a") and other.said("a"))
    gevent.sleep(QUIET)
    assert (both.said("a"), other.said("a")) == (["other"], ["mine"])


def test_what_still_waits_at_the_end_is_sent(node: Open, engine: RedisEngine) -> None:
    speaker, listener = node(), node("a")
    engine.freeze()
    speaker.say("a", "sent, and not answered")
    gevent.sleep(QUIET)
    speaker.say("a", "last")
    engine.thaw()
    speaker.bus.close()
    until(lambda: "last" in listener.said("a"))


def test_each_room_is_heard_in_order_without_gaps(node: Open) -> None:
    speaker, listener = node(), node("a", "b")
    names = [str(number) for number in range(1500)]  # several batches
    for name in names:
        speaker.bus.publish(["a", "b"], ProfileChanged(name))
    until(lambda: len(listener.heard) == 2 * len(names))
    assert listener.said("a") == listener.said("b") == names


def test_whoever_has_subscribed_hears_what_is_published_from_then_on(node: Open, engine: RedisEngine) -> None:
    listener = node()
    with engine.client() as client:
        for number in range(50):
            listener.bus.subscribe([f"room-{number}"])
            payload = encode(ProfileChanged("x"), origin="elsewhere")
            assert client.publish(f"{PREFIX}room-{number}", payload) == 1
    until(lambda: len(listener.heard) == 50)


def test_subscribing_again_and_to_nothing_asks_for_nothing(node: Open) -> None:
    listener = node("a")
    began = time.monotonic()
    listener.bus.subscribe(["a"])
    listener.bus.subscribe([])
    listener.bus.unsubscribe(["never"])
    assert time.monotonic() - began < QUIET


def test_after_unsubscribing_nothing_is_heard_until_the_next_time(node: Open, engine: RedisEngine) -> None:
    speaker, listener = node(), node("a", "b")
    listener.bus.unsubscribe(["a"])
    with engine.client() as client:
        until(lambda: client.pubsub_numsub(f"{PREFIX}a")[0][1] == 0)
    speaker.say("a", "1")
    speaker.say("b", "2")
    until(lambda: listener.said("b"))
    listener.bus.subscribe(["a"])
    speaker.say("a", "3")
    until(lambda: listener.said("a"))
    assert listener.said("a") == ["3"]


def test_junk_on_a_channel_does_not_deafen(node: Open, engine: RedisEngine, caplog: pytest.LogCaptureFixture) -> None:
    speaker, listener = node(), node("a")
    with engine.client() as client:
        for junk in (b"", b"\xff", b"{}", b"[" * 50_000):
            client.publish(f"{PREFIX}a", junk)
    speaker.say("a", "1")
    until(lambda: listener.said("a"))
    assert [record.message for record in caplog.records].count("what came over the bus was not understood") == 4


def test_a_receiver_that_fails_does_not_deafen(node: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker, listener = node(), node("a")

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(listener.bus, "_receive", fail)
        speaker.say("a", "1")
        gevent.sleep(QUIET)
    speaker.say("a", "2")
    until(lambda: listener.said("a") == ["2"])


# ---------------------------------------------------------------- faults
def restart(engine: RedisEngine) -> None:
    engine.stop()
    gevent.sleep(0.3)
    engine.start()


def kill_pubsub(engine: RedisEngine) -> None:
    with engine.client() as client:
        assert client.client_kill_filter(_type="pubsub") >= 2


def kill_normal(engine: RedisEngine) -> None:
    """Takes the connections that publish."""
    with engine.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("fault", [restart, kill_pubsub])
def test_who_may_have_missed_something_is_told_so_and_hears_again(
    node: Open, engine: RedisEngine, fault: Callable[[RedisEngine], None]
) -> None:
    speaker, listener = node("a"), node("a")
    assert listener.recoveries == 1
    fault(engine)
    until(lambda: listener.recoveries == 2, RECOVERY_SECONDS)
    speaker.say("a", "1")
    until(lambda: listener.said("a") == ["1"], RECOVERY_SECONDS)
    gevent.sleep(2 * CANARY_SECONDS)
    assert listener.recoveries == 2
    assert listener.bus.hears


def test_what_is_published_while_the_engine_is_away_arrives_afterwards(node: Open, engine: RedisEngine) -> None:
    speaker, listener = node(), node("a")
    speaker.say("a", "0")
    until(lambda: listener.said("a"))
    engine.stop()
    names = [str(number) for number in range(1, 50)]
    speaker.say("a", *names)
    gevent.sleep(QUIET)
    with pytest.MonkeyPatch.context() as patch:  # what is sent before anybody listens is lost, and the store knows
        patch.setattr(speaker.bus, "_send_batch", lambda _batch: False)
        engine.start()
        until(lambda: listener.recoveries == 2)
    until(lambda: listener.said("a")[-1] == names[-1])
    assert list(dict.fromkeys(listener.said("a"))) == ["0", *names]


def test_connections_that_publish_are_made_again(node: Open, engine: RedisEngine) -> None:
    speaker, listener = node(), node("a")
    speaker.say("a", "0")
    until(lambda: listener.said("a"))
    kill_normal(engine)
    speaker.say("a", "1")
    until(lambda: listener.said("a")[-1] == "1", RECOVERY_SECONDS)


def test_a_frozen_engine_is_noticed_and_all_is_well_when_it_goes_on(node: Open, engine: RedisEngine) -> None:
    speaker, listener = node(), node("a")
    listener.bus.check()
    engine.freeze()
    try:
        began = time.monotonic()
        until(lambda: not listener.bus.hears)
        assert DEAF_SECONDS - 2 * CANARY_SECONDS < time.monotonic() - began < DEAF_SECONDS + CANARY_SECONDS
        with pytest.raises(BusUnavailable):
            listener.bus.check()
        began = time.monotonic()
        listener.bus.subscribe(["b"])
        assert time.monotonic() - began < QUIET, "nobody waits for what is away"
        gevent.sleep(1.5 * CANARY_SECONDS)  # the listener hangs up and calls again
    finally:
        engine.thaw()
    until(lambda: listener.recoveries >= 2, RECOVERY_SECONDS)
    listener.bus.check()
    for room in ("a", "b"):
        speaker.say(room, "1")
        until(lambda room=room: listener.said(room) == ["1"], RECOVERY_SECONDS)  # type: ignore[misc]


def test_a_room_that_is_confirmed_late_counts_as_a_recovery(node: Open, engine: RedisEngine) -> None:
    """Its caller went on, and what was published in between was not heard."""
    listener = node()
    engine.freeze()
    try:
        listener.bus.subscribe(["a"])
    finally:
        engine.thaw()
    assert listener.recoveries == 1
    until(lambda: listener.recoveries == 2, RECOVERY_SECONDS)


def test_rooms_asked_for_before_the_engine_is_there_are_heard_when_it_is(engine: RedisEngine, node: Open) -> None:
    engine.stop()
    early = node(url=engine.url)
    early.bus.subscribe(["a"])
    assert not early.bus.hears
    engine.start()
    until(lambda: early.recoveries == 1, RECOVERY_SECONDS)
    node().say("a", "1")
    until(lambda: early.said("a") == ["1"])


def test_a_room_asked_for_while_the_listener_connects_is_heard(
    node: Open, engine: RedisEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = node("a")
    real = redis_bus.redis.client.PubSub.subscribe
    asked = []

    def slow(pubsub: object, *channels: str) -> None:
        if not asked:
            asked.append(True)
            real(pubsub, *channels)
            gevent.spawn(listener.bus.subscribe, ["b"])
            gevent.sleep(QUIET)
        else:
            real(pubsub, *channels)

    with monkeypatch.context() as patch:
        patch.setattr(redis_bus.redis.client.PubSub, "subscribe", slow)
        kill_by_type = engine.client()
        kill_by_type.client_kill_filter(_type="pubsub")
        kill_by_type.close()
        until(lambda: listener.recoveries == 2, RECOVERY_SECONDS)
    node().say("b", "1")
    until(lambda: listener.said("b") == ["1"], RECOVERY_SECONDS)


def test_more_than_the_outbox_holds_makes_everybody_ask_the_store(
    node: Open, engine: RedisEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker, listener = node(), node("a", EVERYONE)
    monkeypatch.setattr(redis_bus, "OUTBOX_MAX", 10)
    with monkeypatch.context() as patch:
        patch.setattr(speaker.bus, "_send_batch", lambda _batch: False)
        speaker.say("a", *(str(number) for number in range(25)))
        gevent.sleep(QUIET)
        assert len(speaker.bus._outbox) <= 10
    until(lambda: (EVERYONE, "worker-0", ResyncNeeded()) in listener.heard, RECOVERY_SECONDS)
    assert listener.said("a")[-1] == "24"
    assert len(listener.said("a")) <= 10


def test_publishing_never_waits_and_never_fails(node: Open) -> None:
    nobody = node(url=f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()
    nobody.say("a", *map(str, range(1000)))
    assert time.monotonic() - began < 1
    assert not nobody.bus.hears


def test_a_library_that_connects_again_by_itself_is_found_out(node: Open, engine: RedisEngine) -> None:
    """It would subscribe again and say nothing of what was missed in between."""
    speaker, listener = node(), node("a")
    pubsub = listener.bus._pubsub
    real, lost = pubsub.get_message, []

    def lose_the_connection_once(**kwargs: float) -> object:
        if not lost:
            lost.append(True)
            pubsub.connection.disconnect()
        return real(**kwargs)

    pubsub.get_message = lose_the_connection_once
    until(lambda: lost)
    until(lambda: listener.recoveries == 2, RECOVERY_SECONDS)
    speaker.say("a", "1")
    until(lambda: listener.said("a") == ["1"], RECOVERY_SECONDS)


def test_a_request_that_the_connection_does_not_take_is_made_up_for(
    node: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener = node("a")

    def broken(*_: str) -> None:
        raise OSError("no")

    with caplog.at_level(logging.INFO), monkeypatch.context() as patch:
        patch.setattr(listener.bus._pubsub, "unsubscribe", broken)
        listener.bus.unsubscribe(["a"])
    assert any("did not take unsubscribe" in record.message for record in caplog.records)


# ---------------------------------------------------------------- the end
@contextmanager
def clients_of(engine: RedisEngine) -> Iterator[Callable[[], int]]:
    with engine.client() as client:
        yield lambda: len(client.client_list())


def test_closing_leaves_nothing_behind_and_may_be_repeated(engine: RedisEngine, node: Open) -> None:
    with clients_of(engine) as count:
        count()
        until(lambda: count() == 1)
        listener = node("a")
        assert count() > 1
        listener.bus.close()
        listener.bus.close()
        until(lambda: count() == 1)
    assert all(greenlet.dead for greenlet in listener.bus._greenlets)


def test_a_bus_that_never_started_closes(engine: RedisEngine) -> None:
    RedisBus(engine.url, worker_id="x").close()

"""Calls over several workers: their state is the store's, and signals cross the bus in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from chatapp.domain.calls import Call, CallEnd, CallState, Leaving
from chatapp.domain.errors import NotInCall
from chatapp.domain.events import CallEnded, CallParticipantLeft, CallRang, CallSignalled, SignalPassed
from chatapp.services.calls import signals
from tests.services.calls.phones import Phone, call_message
from tests.services.conftest import Cluster, Overtake, World


@dataclass
class Talk:
    """Ana, on the first worker, and Bea, on the second, are in a call; nobody has signalled anything yet."""

    cluster: Cluster
    ana: Phone
    bea: Phone

    def pass_time(self, seconds: float) -> None:
        self.cluster.pass_time(seconds)


@pytest.fixture
def talk(cluster: Cluster) -> Iterator[Talk]:
    one, two, three = cluster.one, cluster.two, cluster.three
    ana, bea = Phone(one, "ana"), Phone(two, "bea")
    call = ana.start(one.private("ana", "bea")).call
    bea.accept(call.id)
    for world in (two, three):  # the first may die
        world.sweeper.start()
    return Talk(cluster, ana, bea)


def ends(world: World) -> list[CallEnd | None]:
    return [event.call.end for event in world.published.of(CallEnded)]


# ---------------------------------------------------------------- one call for all workers
def test_both_calling_each_other_at_different_workers_are_in_one_call(cluster: Cluster) -> None:
    ana, bea = Phone(cluster.one, "ana"), Phone(cluster.two, "bea")
    pair = cluster.one.private("ana", "bea")
    with cluster.buses.held():  # neither hears of the other
        first, second = ana.start(pair), bea.start(pair)
    assert first.call.id == second.call.id
    assert second.call.state is CallState.ONGOING
    assert len(cluster.one.store.calls.list_all()) == 1


def test_everybody_is_told_wherever_they_are(cluster: Cluster) -> None:
    phones = [
        Phone(world, user_id)
        for world, user_id in ((cluster.one, "ana"), (cluster.two, "bea"), (cluster.three, "carlos"))
    ]
    ana, bea, carlos = phones
    group = cluster.one.group("ana", "bea", "carlos")
    call = ana.start(group).call
    assert [len(phone.world.published.of(CallRang)) for phone in phones] == [1, 1, 1]
    bea.accept(call.id)
    carlos.accept(call.id)
    ana.hang_up()
    for phone in (bea, carlos):
        (left,) = phone.world.published.of(CallParticipantLeft)
        assert left.participant.id == ana.id
    bea.hang_up()
    assert [ends(phone.world)[0] for phone in phones] == [CallEnd.HANGUP] * 3
    assert not any(phone.world.seats.all() for phone in phones)


# ---------------------------------------------------------------- signals
def test_signals_arrive_in_the_order_sent(talk: Talk) -> None:
    for number in range(500):
        talk.ana.signal(talk.bea, number)
    assert talk.bea.heard() == [str(number) for number in range(500)]


def test_what_the_bus_brings_twice_is_told_once(talk: Talk) -> None:
    talk.ana.signal(talk.bea, 1)
    (passed,) = [event for _, event in talk.cluster.one.bus.published if isinstance(event, SignalPassed)]
    talk.cluster.two.hearing.hear(passed)
    assert len(talk.cluster.two.published.of(CallSignalled)) == 1


def test_signals_for_somebody_who_is_lost_are_held(talk: Talk) -> None:
    talk.ana.signal(talk.bea, 1)
    talk.bea.disconnect()
    talk.ana.signal(talk.bea, 2)
    talk.pass_time(10)
    talk.ana.signal(talk.bea, 3)
    talk.bea.connect(talk.cluster.three)
    talk.bea.accept(talk.ana.call_id)
    talk.ana.signal(talk.bea, 4)
    assert talk.bea.heard() == ["1", "2", "3", "4"]


def test_signals_are_held_for_thirty_seconds(talk: Talk) -> None:
    talk.ana.signal(talk.bea, "old")
    talk.pass_time(29)
    talk.ana.signal(talk.bea, "young")
    talk.bea.disconnect()
    talk.pass_time(1)
    talk.bea.connect()
    talk.cluster.clear()
    talk.bea.accept(talk.ana.call_id)
    assert talk.bea.heard() == ["young"]


def test_no_more_is_held_than_may_be(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "HELD_MAX", 3)
    talk.bea.disconnect()
    for number in range(5):
        talk.ana.signal(talk.bea, number)
    talk.bea.connect(talk.cluster.three)
    talk.bea.accept(talk.ana.call_id)
    assert talk.bea.heard() == ["2", "3", "4"]
    monkeypatch.setattr(signals, "HELD_MAX_CHARS", 1000)
    talk.bea.disconnect()
    for number in range(5):
        talk.ana.signal(talk.bea, str(number) * 300)
    talk.bea.connect(talk.cluster.two)
    talk.cluster.clear()
    talk.bea.accept(talk.ana.call_id)
    assert talk.bea.heard() == ["3" * 300, "4" * 300]


def test_a_new_signal_waits_for_those_that_are_held(talk: Talk) -> None:
    talk.bea.disconnect()
    talk.ana.signal(talk.bea, 1)
    talk.bea.connect(talk.cluster.three)
    with talk.cluster.buses.held():
        talk.bea.accept(talk.ana.call_id)  # its question is on its way
        talk.ana.signal(talk.bea, 2)  # comes before the answer
    assert talk.bea.heard() == ["1", "2"]
    assert len(talk.cluster.three.published.of(CallSignalled)) == 2


def test_a_new_signal_does_not_wait_for_a_worker_that_is_dead(talk: Talk) -> None:
    talk.bea.disconnect()
    talk.bea.connect(talk.cluster.three)
    with talk.cluster.buses.held():
        talk.bea.accept(talk.ana.call_id)
        talk.cluster.one.bus.kill()  # so nobody answers
    late = CallSignalled(talk.ana.call_id, talk.ana.id, talk.bea.id, "bea", 1 << 40, {"candidate": None})
    talk.cluster.three.hearing.hear(SignalPassed(late))
    assert talk.cluster.three.published.of(CallSignalled) == []
    talk.pass_time(2)
    assert talk.cluster.three.published.of(CallSignalled) == [late]


def test_a_sender_that_comes_back_is_heard_with_higher_numbers(talk: Talk) -> None:
    first = talk.ana.signal(talk.bea, 1)
    talk.ana.disconnect()
    talk.ana.connect(talk.cluster.three)
    talk.ana.accept(talk.bea.call_id)
    second = talk.ana.signal(talk.bea, 2)
    assert first < second <= 2**53
    assert talk.bea.heard() == ["1", "2"]


def test_what_the_bus_has_lost_is_asked_for(talk: Talk) -> None:
    talk.cluster.two.bus.cut()
    talk.ana.signal(talk.bea, 1)
    assert talk.bea.heard() == []
    talk.cluster.two.bus.join()
    assert talk.bea.heard() == ["1"]


def test_nothing_is_held_of_a_call_that_is_over(talk: Talk) -> None:
    talk.ana.signal(talk.bea, 1)
    talk.bea.hang_up()
    for world in (talk.cluster.one, talk.cluster.two):
        assert world.signals.held == 0


def test_signals_go_from_one_participant_to_another_alone(talk: Talk) -> None:
    carlos = Phone(talk.cluster.three, "carlos")
    carlos.joined = talk.ana.joined
    for sender, to in ((talk.ana, "nobody"), (talk.ana, talk.ana.id)):
        with pytest.raises(NotInCall):
            sender.signal(to, 1)
    talk.bea.disconnect()
    with pytest.raises(NotInCall):
        talk.bea.signal(talk.ana, 1)


# ---------------------------------------------------------------- a worker dies
def test_a_participant_of_a_dead_worker_comes_back_to_another(talk: Talk) -> None:
    talk.cluster.one.bus.kill()
    talk.pass_time(10)
    talk.ana.connect(talk.cluster.three)
    talk.ana.accept(talk.bea.call_id)
    talk.pass_time(120)
    assert ends(talk.cluster.two) == []
    talk.bea.signal(talk.ana, 1)
    assert talk.ana.heard() == ["1"]


def test_a_call_whose_participant_died_with_its_worker_has_failed(talk: Talk) -> None:
    talk.cluster.one.bus.kill()
    talk.pass_time(40)
    assert ends(talk.cluster.two) == []
    talk.pass_time(15)
    assert ends(talk.cluster.two) == [CallEnd.FAILED]
    conversation = talk.cluster.two.store.conversations.inbox("bea")[0].conversation
    assert call_message(talk.cluster.two, conversation).content == "Llamada interrumpida"
    assert talk.cluster.two.store.calls.busy(["ana", "bea"]) == {}


def test_a_worker_that_stops_releases_its_lease(talk: Talk) -> None:
    talk.ana.disconnect()
    talk.cluster.one.calls.close()
    assert set(talk.cluster.two.store.calls.leases()) == {talk.cluster.two.leases.worker}


def test_who_comes_back_after_their_worker_has_stopped_goes_on(talk: Talk) -> None:
    talk.pass_time(10)
    talk.cluster.one.calls.close()  # and nobody has stored that Ana's connection is gone
    talk.pass_time(25)
    assert ends(talk.cluster.two) == []
    talk.ana.connect(talk.cluster.three)
    talk.ana.accept(talk.bea.call_id)
    talk.pass_time(60)
    assert ends(talk.cluster.two) == []


def test_who_has_not_heard_that_a_call_is_over_reads_it(talk: Talk) -> None:
    talk.cluster.two.bus.cut()
    talk.ana.hang_up()
    assert ends(talk.cluster.two) == []
    talk.pass_time(5)
    assert ends(talk.cluster.two) == [CallEnd.HANGUP]
    assert talk.cluster.two.seats.all() == {}


def test_who_was_dropped_by_mistake_is_told(talk: Talk) -> None:
    carlos = Phone(talk.cluster.three, "carlos")
    group = talk.cluster.three.group("ana", "bea", "carlos")
    for phone in (talk.ana, talk.bea):
        with suppress(NotInCall):
            phone.hang_up()
    call = talk.ana.start(group).call
    for phone in (talk.bea, carlos):
        phone.accept(call.id)
    talk.cluster.two.bus.cut()
    (of_bea,) = [each for each in talk.cluster.three.ledger.get(call.id).participants if each.user_id == "bea"]
    talk.cluster.three.endings.drop(call.id, of_bea)
    talk.pass_time(5)
    (left,) = talk.cluster.two.published.of(CallParticipantLeft)
    assert (left.participant.id, left.why) == (talk.bea.id, Leaving.LOST)
    assert talk.cluster.two.seats.all() == {}


def test_who_comes_in_while_the_store_is_read_stays(talk: Talk, overtake: Overtake) -> None:
    talk.bea.disconnect()
    talk.bea.connect()
    two = talk.cluster.two
    overtake(two.sweeper.sweep, two.store.calls, "list_all", meanwhile=lambda: talk.bea.accept(talk.ana.call_id))
    assert [seat.user_id for seat in two.seats.all().values()] == ["bea"]
    talk.ana.signal(talk.bea, 1)
    assert talk.bea.heard() == ["1"]


def test_who_comes_back_while_the_store_is_asked_stays(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    two = talk.cluster.two
    real = two.store.calls.list_all

    def list_all() -> list[Call]:
        talk.bea.accept(talk.ana.call_id)  # once more, with the same connection
        return real()

    monkeypatch.setattr(two.store.calls, "list_all", list_all)
    two.sweeper.sweep()
    assert [seat.connections for seat in two.seats.all().values()] == [2]


def test_an_old_connections_end_at_another_worker_means_nothing(talk: Talk) -> None:
    talk.cluster.one.sweeper.start()
    talk.cluster.two.bus.cut()  # so it does not hear that Bea has gone elsewhere
    before = talk.bea.socket_id
    talk.bea.connect(talk.cluster.three)
    talk.bea.accept(talk.ana.call_id)
    talk.cluster.two.calls.disconnect(before)
    talk.pass_time(60)
    assert ends(talk.cluster.three) == []


def test_who_is_back_is_not_dropped(talk: Talk) -> None:
    talk.cluster.one.sweeper.start()
    (of_bea,) = [each for each in talk.cluster.one.ledger.get(talk.ana.call_id).participants if each.user_id == "bea"]
    talk.bea.disconnect()
    talk.bea.connect(talk.cluster.three)
    talk.bea.accept(talk.ana.call_id)
    talk.cluster.one.endings.drop(talk.ana.call_id, of_bea)
    assert ends(talk.cluster.one) == []


def test_nothing_is_held_longer_than_it_may_be(talk: Talk) -> None:
    talk.cluster.one.sweeper.start()
    talk.ana.signal(talk.bea, 1)
    talk.pass_time(29)
    assert talk.cluster.one.signals.held == 1
    talk.pass_time(6)
    assert talk.cluster.one.signals.held == 0


def test_the_same_device_at_another_worker_takes_its_own_place(talk: Talk) -> None:
    talk.cluster.one.sweeper.start()
    before = talk.bea.socket_id
    talk.bea.connect(talk.cluster.three)
    talk.bea.accept(talk.ana.call_id)
    assert talk.cluster.two.rooms.devices == {}
    talk.cluster.two.calls.disconnect(before)
    talk.pass_time(60)
    assert ends(talk.cluster.three) == []
    assert [event.why for event in talk.cluster.one.published.of(CallParticipantLeft)] == []
    talk.ana.signal(talk.bea, 1)
    assert talk.bea.heard() == ["1"]


def test_without_a_bus_there_are_no_two_calls(cluster: Cluster) -> None:
    pair = cluster.one.private("ana", "bea")
    ana, bea = Phone(cluster.one, "ana"), Phone(cluster.two, "bea")
    for world in (cluster.one, cluster.two, cluster.three):
        world.bus.cut()
    first, second = ana.start(pair), bea.start(pair)
    assert first.call.id == second.call.id
    assert len(cluster.one.store.calls.list_all()) == 1

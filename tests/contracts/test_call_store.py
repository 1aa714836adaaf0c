"""What ``ports.CallStore`` promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatapp.domain.calls import Call, CallEnd, CallKind, Media, Participant
from chatapp.domain.errors import InAnotherCall
from chatapp.ports import Store
from tests.contracts.builders import at, failure, together


def participant(user_id: str, number: int = 1) -> Participant:
    return Participant(
        id=f"{user_id}-in",
        user_id=user_id,
        device_id="phone 🎸",
        number=number,
        media=Media(audio=True, video=False, screen=True),
        worker="w1",
        lost_at=at(1.234),
    )


def call(*user_ids: str, id: str = "c1", to: str = "g1") -> Call:
    return Call(
        id=id,
        conversation_id=to,
        started_by=user_ids[0],
        kind=CallKind.VIDEO,
        started_at=at(0),
        rings_until=at(30),
        participants=tuple(participant(user_id, number) for number, user_id in enumerate(user_ids, start=1)),
        max_participants=6,
        took_part=user_ids,
        declined=("dora",),
    )


def later(before: Call, **changes: object) -> Call:
    return replace(before, version=before.version + 1, **changes)


def over(before: Call) -> Call:
    return later(before, ended_at=at(60), end=CallEnd.HANGUP, participants=())


# ---------------------------------------------------------------- beginning
def test_a_call_comes_back_as_it_went_in(store: Store) -> None:
    begun = call("ana", "bea")
    assert store.calls.begin(begun) == (begun, True)
    assert store.calls.get("c1") == begun
    assert store.calls.list_all() == [begun]
    assert store.calls.get("c2") is None


def test_a_conversation_has_one_call(store: Store) -> None:
    first, second = call("ana"), call("bea", id="c2")
    store.calls.begin(first)
    assert store.calls.begin(second) == (first, False)
    assert store.calls.begin(call("bea", id="c3", to="g2"))[1] is True
    assert store.calls.get("c2") is None
    assert store.calls.busy(["ana", "bea"]) == {"ana": "c1", "bea": "c3"}


def test_of_many_who_call_at_once_one_begins(store: Store) -> None:
    names = [f"user-{number}" for number in range(8)]
    begun = together([lambda name=name: store.calls.begin(call(name, id=f"call-{name}")) for name in names])
    (winner,) = [one for one, is_new in begun if is_new]
    assert [one for one, _ in begun] == [winner] * len(names)
    assert store.calls.busy(names) == {winner.started_by: winner.id}


def test_the_same_call_begins_once(store: Store) -> None:
    first = call("ana")
    store.calls.begin(first)
    again = replace(first, participants=(replace(first.participants[0], id="other"),))
    assert store.calls.begin(again) == (first, False)
    ended = over(first)
    assert store.calls.replace(ended)
    assert store.calls.begin(again) == (ended, False)


def test_once_it_is_over_there_may_be_another(store: Store) -> None:
    first, second = call("ana", "bea"), call("bea", id="c2")
    store.calls.begin(first)
    assert store.calls.replace(over(first))
    assert store.calls.begin(second) == (second, True)
    assert {each.id for each in store.calls.list_all()} == {"c1", "c2"}
    store.calls.remove("c1")
    store.calls.remove("c1")
    assert store.calls.list_all() == [second]
    assert store.calls.busy(["ana", "bea"]) == {"bea": "c2"}


# ---------------------------------------------------------------- changing
def test_only_the_next_version_takes_the_place(store: Store) -> None:
    first = call("ana")
    store.calls.begin(first)
    second = later(first, participants=(*first.participants, participant("bea", 2)), answered_at=at(5))
    assert store.calls.replace(second)
    assert store.calls.get("c1") == second
    assert not store.calls.replace(later(first, declined=()))
    assert not store.calls.replace(later(later(second)))
    assert not store.calls.replace(later(call("ana", id="unknown")))
    assert store.calls.get("c1") == second


def test_of_many_who_change_it_at_once_one_does(store: Store) -> None:
    first = call("ana")
    store.calls.begin(first)
    changes = [later(first, declined=(f"user-{number}",)) for number in range(8)]
    done = together([lambda change=change: store.calls.replace(change) for change in changes])
    assert sum(done) == 1
    assert store.calls.get("c1") == changes[done.index(True)]


# ---------------------------------------------------------------- who is where
def test_a_user_is_in_one_call_at_a_time(store: Store) -> None:
    first, second = call("ana", "bea"), call("carlos", id="c2", to="g2")
    store.calls.begin(first)
    store.calls.begin(second)
    joined = later(second, participants=(*second.participants, participant("bea", 2)))
    for refused in (
        lambda: store.calls.replace(joined),
        lambda: store.calls.begin(call("bea", id="c3", to="g3")),
    ):
        with pytest.raises(InAnotherCall) as raised:
            refused()
        assert raised.value.details == {"callId": "c1", "userId": "bea"}
    assert store.calls.get("c2") == second
    assert store.calls.get("c3") is None
    assert store.calls.replace(later(first, participants=first.participants[:1]))
    assert store.calls.replace(joined)
    assert store.calls.busy(["ana", "bea", "carlos", "dora"]) == {"ana": "c1", "bea": "c2", "carlos": "c2"}


def test_of_two_calls_that_a_user_joins_at_once_one_has_them(store: Store) -> None:
    calls = [call("ana"), call("bea", id="c2", to="g2")]
    for each in calls:
        store.calls.begin(each)
    joined = [later(each, participants=(*each.participants, participant("carlos", 2))) for each in calls]
    raised = together([lambda one=one: failure(lambda: store.calls.replace(one)) for one in joined])
    assert sorted(type(error) for error in raised if error) == [InAnotherCall]
    assert store.calls.busy(["carlos"]) == {"carlos": calls[raised.index(None)].id}


def test_nobody_is_busy_whom_nobody_asked_for(store: Store) -> None:
    store.calls.begin(call("ana"))
    assert store.calls.busy([]) == {}
    assert store.calls.busy([f"user-{number}" for number in range(250)]) == {}


# ---------------------------------------------------------------- leases
def test_a_lease_holds_until_it_is_renewed_or_released(store: Store) -> None:
    assert store.calls.leases() == {}
    store.calls.renew("w1", until=at(15))
    store.calls.renew("w2", until=at(15.5))
    store.calls.renew("w1", until=at(20))
    assert store.calls.leases() == {"w1": at(20), "w2": at(15.5)}
    store.calls.release("w1")
    store.calls.release("w1")
    assert store.calls.leases() == {"w2": at(15.5)}

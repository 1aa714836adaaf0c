"""Messages in the order of their numbers, whatever the bus does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatapp.domain.events import MessageSent
from chatapp.domain.models import Message
from chatapp.services.deliveries import PATIENCE_SECONDS, RETRY_SECONDS, Deliveries
from chatapp.services.replay import PAGE, Replay
from tests.contracts.builders import group, say
from tests.services.conftest import Overtake, World, store_down


class Receiver:
    """Deliveries over the world's store, and what they have told: ``seqs``, in order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told: list[Any] = []
        replay = Replay(world.store, world.profiles)
        self.deliveries = Deliveries(replay, self.told.append, world.published, scheduler=world.scheduler)
        world.store.conversations.create_group(group("ana", "bea"))

    def stored(self, count: int) -> list[MessageSent]:
        """So many new messages, as they would come over the bus."""
        return [MessageSent(self._say(), self.world.store.conversations.get("g1")) for _ in range(count)]

    def _say(self) -> Message:
        return say(self.world.store, "hello")

    def offer(self, *events: MessageSent) -> None:
        for event in events:
            self.deliveries.offer(event)

    @property
    def seqs(self) -> list[int]:
        return [event.message.seq for event in self.told]


@pytest.fixture
def receiver(world: World) -> Receiver:
    """Follows g1 from its beginning."""
    receiver = Receiver(world)
    receiver.deliveries.begin("g1", 0)
    return receiver


def counted(monkeypatch: pytest.MonkeyPatch, part: object, method: str) -> list[Any]:
    calls: list[Any] = []
    real: Callable[..., Any] = getattr(part, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(part, method, call)
    return calls


# ---------------------------------------------------------------- order
def test_what_is_next_is_told_at_once_and_the_store_is_not_asked(
    receiver: Receiver, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = receiver.stored(3)
    asked = counted(monkeypatch, world.store.conversations, "changes")
    receiver.offer(*events)
    assert receiver.told == events
    assert receiver.told[0].conversation is events[0].conversation
    world.scheduler.advance(10)
    assert asked == []
    assert world.scheduler.pending == 0


def test_a_late_one_is_waited_for(receiver: Receiver, world: World) -> None:
    one, two, three = receiver.stored(3)
    receiver.offer(three, two)
    assert receiver.seqs == []
    receiver.offer(one)
    assert receiver.seqs == [1, 2, 3]
    assert world.scheduler.pending == 0, "nothing to ask the store any more"


def test_nothing_is_told_twice(receiver: Receiver) -> None:
    one, two, three = receiver.stored(3)
    receiver.offer(one, one, three, three, two, two, one, three)
    assert receiver.seqs == [1, 2, 3]


def test_what_does_not_come_is_taken_from_the_store(receiver: Receiver, world: World) -> None:
    *_, four = receiver.stored(4)
    receiver.offer(four)
    world.scheduler.advance(PATIENCE_SECONDS - 0.01)
    assert receiver.seqs == []
    world.scheduler.advance(0.01)
    assert receiver.seqs == [1, 2, 3, 4]
    assert [event.conversation is not None for event in receiver.told] == [True] * 4
    receiver.offer(*receiver.stored(1), four)
    assert receiver.seqs == [1, 2, 3, 4, 5]


def test_what_was_known_before_is_not_told(world: World) -> None:
    receiver = Receiver(world)
    one, two, three = receiver.stored(3)
    receiver.deliveries.begin("g1", 2)
    receiver.offer(one, two, three)
    assert receiver.seqs == [3]


def test_beginning_again_changes_nothing(receiver: Receiver) -> None:
    receiver.offer(*receiver.stored(2))
    receiver.deliveries.begin("g1", 0)
    receiver.deliveries.begin("g1", 9)
    receiver.offer(*receiver.stored(1))
    assert receiver.seqs == [1, 2, 3]


# ---------------------------------------------------------------- not followed
def test_where_nobody_listens_it_is_told_as_it_comes(world: World) -> None:
    receiver = Receiver(world)
    one, two = receiver.stored(2)
    receiver.offer(two, one)
    assert receiver.seqs == [2, 1]
    assert not receiver.deliveries.follows("g1")


def test_the_end_forgets_what_was_waited_for(receiver: Receiver, world: World) -> None:
    _, two = receiver.stored(2)
    receiver.offer(two)
    assert receiver.deliveries.follows("g1")
    receiver.deliveries.end("g1")
    receiver.deliveries.end("g1")
    receiver.deliveries.end("never begun")
    assert not receiver.deliveries.follows("g1")
    world.scheduler.advance(10)
    assert receiver.seqs == []


def test_catching_up_where_nobody_listens_asks_nobody(receiver: Receiver, world: World) -> None:
    receiver.deliveries.end("g1")
    receiver.stored(1)
    receiver.deliveries.catch_up("g1")
    assert receiver.seqs == []


# ---------------------------------------------------------------- the store
def test_resync_asks_for_every_conversation(receiver: Receiver, world: World) -> None:
    world.store.conversations.create_group(group("ana", id="g2"))
    receiver.deliveries.begin("g2", 0)
    receiver.stored(2)
    say(world.store, "hello", to="g2")
    receiver.deliveries.resync()
    receiver.deliveries.resync()
    assert sorted((event.message.conversation_id, event.message.seq) for event in receiver.told) == [
        ("g1", 1),
        ("g1", 2),
        ("g2", 1),
    ]


def test_more_than_a_page_is_read_page_by_page(
    receiver: Receiver, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch, world.store.conversations, "changes")
    count = 2 * PAGE + 1
    for _ in range(count):
        receiver._say()
    receiver.deliveries.catch_up("g1")
    assert receiver.seqs == list(range(1, count + 1))
    assert [call["since"] for call in asked] == [0, PAGE, 2 * PAGE]


def test_a_store_that_is_down_is_asked_again(
    receiver: Receiver, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    _, two = receiver.stored(2)
    with store_down(world.store.conversations, "changes"):
        receiver.offer(two)
        world.scheduler.advance(PATIENCE_SECONDS)
        world.scheduler.advance(3 * RETRY_SECONDS)
        assert receiver.seqs == []
        assert len(caplog.records) == 4
        receiver.offer(*receiver.stored(1))
    world.scheduler.advance(RETRY_SECONDS)
    assert receiver.seqs == [1, 2, 3]
    assert world.scheduler.pending == 0


def test_holes_that_a_purge_left_are_passed(receiver: Receiver, world: World) -> None:
    receiver.stored(3)
    world.store.messages.purge(limit=100)
    four, _, six = receiver.stored(3)
    receiver.offer(four)
    world.scheduler.advance(PATIENCE_SECONDS)
    assert receiver.seqs == [4, 5, 6]
    receiver.offer(six)
    assert receiver.seqs == [4, 5, 6]


def test_what_is_purged_on_its_way_is_waited_for_no_longer(receiver: Receiver, world: World) -> None:
    _, _, three = receiver.stored(3)
    world.store.messages.purge(limit=100)
    receiver.offer(three)
    world.scheduler.advance(PATIENCE_SECONDS)
    assert receiver.seqs == []
    assert world.scheduler.pending == 0
    receiver.offer(*receiver.stored(1))
    assert receiver.seqs == [4]


def test_what_the_store_does_not_know_is_waited_for_no_longer(receiver: Receiver, world: World) -> None:
    """The conversation is gone, or the store is an older one than it was."""
    *_, five = receiver.stored(5)
    world.store.conversations.delete("g1")
    receiver.offer(five)
    world.scheduler.advance(PATIENCE_SECONDS)
    assert receiver.told == []
    assert world.scheduler.pending == 0


def test_a_store_that_went_back_is_not_told_again(world: World) -> None:
    receiver = Receiver(world)
    receiver.stored(2)
    receiver.deliveries.begin("g1", 9)
    receiver.deliveries.catch_up("g1")
    assert receiver.told == []


def test_what_was_purged_behind_a_later_one_is_not_told_out_of_order(receiver: Receiver, world: World) -> None:
    _, two = receiver.stored(2)
    receiver.offer(two)
    world.store.messages.purge(limit=100)
    receiver.stored(1)
    world.scheduler.advance(PATIENCE_SECONDS)
    assert receiver.seqs == [3]
    assert world.scheduler.pending == 0


def test_of_a_conversation_that_is_gone_nothing_is_told(receiver: Receiver, world: World, overtake: Overtake) -> None:
    receiver.stored(1)
    overtake(
        lambda: receiver.deliveries.catch_up("g1"),
        world.store.conversations,
        "changes",
        meanwhile=lambda: world.store.conversations.delete("g1"),
    )
    assert receiver.told == []


# ---------------------------------------------------------------- while the store answers
def while_the_store_answers(receiver: Receiver, overtake: Overtake, meanwhile: Callable[[], Any]) -> None:
    store = receiver.world.store
    overtake(lambda: receiver.deliveries.catch_up("g1"), store.conversations, "changes", meanwhile=meanwhile)


def test_what_the_answer_is_too_old_for_is_not_taken_for_a_hole(receiver: Receiver, overtake: Overtake) -> None:
    """The answer was given before 1 to 3 were stored; 3 overtakes it and must not hide the others."""

    def meanwhile() -> None:
        receiver.late = receiver.stored(3)  # type: ignore[attr-defined]
        receiver.offer(receiver.late[2])  # type: ignore[attr-defined]

    while_the_store_answers(receiver, overtake, meanwhile)
    assert receiver.seqs == []
    receiver.offer(*receiver.late[:2])  # type: ignore[attr-defined]
    assert receiver.seqs == [1, 2, 3]


def test_what_the_answer_is_too_old_for_is_asked_for_again(receiver: Receiver, overtake: Overtake) -> None:
    def meanwhile() -> None:
        receiver.offer(receiver.stored(3)[2])

    while_the_store_answers(receiver, overtake, meanwhile)
    receiver.world.scheduler.advance(PATIENCE_SECONDS)
    assert receiver.seqs == [1, 2, 3]
    assert receiver.world.scheduler.pending == 0


def test_what_the_bus_brings_first_is_not_told_again_by_the_store(receiver: Receiver, overtake: Overtake) -> None:
    events = receiver.stored(2)
    while_the_store_answers(receiver, overtake, lambda: receiver.offer(*events, *receiver.stored(1)))
    assert receiver.seqs == [1, 2, 3]


def test_an_answer_after_the_end_is_not_told(receiver: Receiver, overtake: Overtake) -> None:
    receiver.stored(2)

    def end_and_begin_again() -> None:
        receiver.deliveries.end("g1")
        receiver.deliveries.begin("g1", 2)

    while_the_store_answers(receiver, overtake, end_and_begin_again)
    assert receiver.seqs == []
    receiver.offer(*receiver.stored(1))
    assert receiver.seqs == [3]


def test_two_who_catch_up_at_once_tell_once(receiver: Receiver, overtake: Overtake) -> None:
    receiver.stored(2)
    while_the_store_answers(receiver, overtake, lambda: receiver.deliveries.catch_up("g1"))
    assert receiver.seqs == [1, 2]

"""Calls by one worker: ringing, answering, ending, and what a call leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.system import TimeOrderedIds
from chatapp.domain.calls import Answer, CallEnd, CallKind, CallState, CallSummary, Leaving, Media
from chatapp.domain.commands import AcceptCall, LeaveGroup, RemoveParticipant, StartCall
from chatapp.domain.errors import (
    AnsweredElsewhere,
    CallFull,
    CallNotFound,
    CallOver,
    ConversationNotFound,
    IdentityMismatch,
    InAnotherCall,
    NotAParticipant,
    NotIdentified,
    NotInCall,
)
from chatapp.domain.events import (
    CallAccepted,
    CallAnsweredElsewhere,
    CallEnded,
    CallMediaChanged,
    CallParticipantJoined,
    CallParticipantLeft,
    CallRang,
    MessageSent,
)
from chatapp.domain.models import Actor, MessageType
from chatapp.domain.text import call_text
from chatapp.protocol.event_bodies import render
from chatapp.services.journal import Journal
from tests.fakes import FakeClock
from tests.services.calls.phones import Phone, call_message, unread
from tests.services.conftest import Overtake, World, store_down


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.sweeper.start()
    yield world
    world.close()


def ends(world: World) -> list[CallEnd | None]:
    return [event.call.end for event in world.published.of(CallEnded)]


# ---------------------------------------------------------------- ringing
def test_everybody_but_the_caller_rings(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana = Phone(world, "ana")
    call = ana.start(group, kind=CallKind.VIDEO).call
    assert (call.state, call.kind, call.started_by) == (CallState.RINGING, CallKind.VIDEO, "ana")
    assert call.rings_until - call.started_at == call.rings_until - world.clock.now()
    (rung,) = world.published.of(CallRang)
    assert (rung.user_ids, rung.caller.name, rung.conversation.id) == (("bea", "carlos"), "Ana Álvarez", group.id)


def test_a_device_that_comes_while_it_rings_rings_too(world: World) -> None:
    ana = Phone(world, "ana")
    call = ana.start(world.private("ana", "bea")).call
    world.published.clear()
    bea = Phone(world, "bea")
    stranger = Phone(world, "carlos")
    for phone in (bea, stranger, ana):
        world.calls.ring_late(phone.user_id, phone.socket_id)
    world.scheduler.advance(0)
    (rung,) = world.published.of(CallRang)
    assert (rung.call.id, rung.socket_id) == (call.id, bea.socket_id)
    world.published.clear()
    bea.accept(call.id)
    world.calls.ring_late("bea", bea.socket_id)
    world.scheduler.advance(0)
    assert world.published.of(CallRang) == []


def test_a_call_that_nobody_answers_is_missed_after_thirty_seconds(world: World) -> None:
    pair = world.private("ana", "bea")
    Phone(world, "ana").start(pair)
    world.scheduler.advance(29.9)
    assert ends(world) == []
    world.scheduler.advance(0.1)
    assert ends(world) == [CallEnd.MISSED]
    (ended,) = world.published.of(CallEnded)
    assert (ended.user_ids, ended.call.duration_ms) == (("ana", "bea"), 0)
    assert call_message(world, pair).content == "Llamada perdida"
    assert unread(world, pair) == {"ana": 0, "bea": 1}


def test_a_ringing_whose_timer_died_with_its_worker_ends_by_the_sweeper(world: World) -> None:
    pair = world.private("ana", "bea")
    ana = Phone(world, "ana")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.scheduler, "call_later", lambda *_: None)
        ana.start(pair)
    world.scheduler.advance(31)
    assert ends(world) == []
    world.scheduler.advance(6)
    assert ends(world) == [CallEnd.MISSED]


def test_a_sweeper_that_is_stopped_sweeps_no_more(world: World) -> None:
    pair = world.private("ana", "bea")
    ana = Phone(world, "ana")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.scheduler, "call_later", lambda *_: None)
        ana.start(pair)
    world.sweeper.stop()
    world.scheduler.advance(120)
    assert ends(world) == []


def test_who_calls_may_give_up(world: World) -> None:
    ana = Phone(world, "ana")
    ana.start(world.private("ana", "bea"))
    ana.hang_up()
    assert ends(world) == [CallEnd.MISSED]


# ---------------------------------------------------------------- answering
def test_an_answer_begins_the_call_and_ends_the_ringing_elsewhere(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(pair).call
    world.scheduler.advance(7)
    world.published.clear()
    answered = bea.accept(call.id)
    assert (answered.call.state, answered.call.answered_at) == (CallState.ONGOING, world.clock.now())
    assert [type(event) for event in world.published.events] == [
        CallAccepted,
        CallParticipantJoined,
        CallAnsweredElsewhere,
    ]
    elsewhere = world.published.of(CallAnsweredElsewhere)[0]
    assert (elsewhere.user_id, elsewhere.answer, elsewhere.socket_id) == ("bea", Answer.ACCEPTED, bea.socket_id)
    world.scheduler.advance(60)
    assert ends(world) == []


def test_a_call_that_was_answered_says_how_long_it_was(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(pair, kind=CallKind.VIDEO).call
    world.scheduler.advance(5)
    bea.accept(call.id)
    world.scheduler.advance(192.5)
    bea.hang_up()
    (ended,) = world.published.of(CallEnded)
    assert (ended.call.end, ended.call.duration_ms) == (CallEnd.HANGUP, 192_500)
    message = call_message(world, pair)
    assert message.call == CallSummary(call.id, CallEnd.HANGUP, 192_500, CallKind.VIDEO, ("ana", "bea"))
    assert (message.content, message.sender_id) == ("Videollamada · 3:12", "ana")
    assert unread(world, pair) == {"ana": 0, "bea": 0}


def test_no_other_device_answers_too(world: World) -> None:
    ana, phone, laptop = Phone(world, "ana"), Phone(world, "bea"), Phone(world, "bea", "laptop")
    call = ana.start(world.private("ana", "bea")).call
    phone.accept(call.id)
    with pytest.raises(AnsweredElsewhere):
        laptop.accept(call.id)
    with pytest.raises(NotInCall):
        laptop.hang_up(call.id)
    assert ends(world) == []


def test_a_device_takes_the_place_of_one_that_is_lost(world: World) -> None:
    ana, phone, laptop = Phone(world, "ana"), Phone(world, "bea"), Phone(world, "bea", "laptop")
    call = ana.start(world.private("ana", "bea")).call
    phone.accept(call.id)
    phone.disconnect()
    laptop.accept(call.id)
    (left,) = world.published.of(CallParticipantLeft)
    assert (left.participant.id, left.why) == (phone.id, Leaving.REPLACED)
    assert [each.id for each in world.store.calls.list_all()[0].participants] == [ana.id, laptop.id]
    world.scheduler.advance(60)
    assert ends(world) == []


# ---------------------------------------------------------------- declining, being busy
def test_who_is_called_alone_ends_the_call_by_declining(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.decline(ana.start(pair).call.id)
    assert ends(world) == [CallEnd.DECLINED]
    assert call_message(world, pair).content == "Llamada rechazada"


def test_a_group_rings_until_all_have_declined(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.decline(call.id)
    assert ends(world) == []
    (elsewhere,) = world.published.of(CallAnsweredElsewhere)
    assert (elsewhere.user_id, elsewhere.answer) == ("bea", Answer.DECLINED)
    carlos.decline(call.id)
    assert ends(world) == [CallEnd.DECLINED]


def test_who_has_declined_may_think_better_of_it(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.decline(call.id)
    bea.accept(call.id)
    carlos.decline(call.id)
    bea.decline(call.id)
    assert ends(world) == []


def test_who_is_in_a_call_is_busy(world: World) -> None:
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    bea.accept(ana.start(world.private("ana", "bea")).call.id)
    pair = world.private("carlos", "bea")
    world.published.clear()
    call = carlos.start(pair)
    assert (call.call.state, call.call.end, call.participant) == (CallState.ENDED, CallEnd.BUSY, None)
    assert world.published.of(CallRang) == []
    assert call_message(world, pair).content == "Llamada sin respuesta: ocupado"
    assert unread(world, pair) == {"carlos": 0, "bea": 1}


def test_in_a_group_the_busy_do_not_ring_and_the_others_go_on(world: World) -> None:
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    bea.accept(ana.start(world.private("ana", "bea")).call.id)
    world.published.clear()
    call = carlos.start(world.group("carlos", "bea", "dora")).call
    (rung,) = world.published.of(CallRang)
    assert rung.user_ids == ("dora",)
    Phone(world, "dora").accept(call.id)
    assert ends(world) == []


def test_nobody_is_in_two_calls(world: World) -> None:
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    first = ana.start(world.private("ana", "bea")).call
    with pytest.raises(InAnotherCall) as refused:
        ana.start(world.private("ana", "carlos"))
    assert refused.value.details["callId"] == first.id
    second = carlos.start(world.private("carlos", "bea")).call
    bea.accept(first.id)
    with pytest.raises(InAnotherCall):
        bea.accept(second.id)
    bea.hang_up()
    bea.accept(second.id)


# ---------------------------------------------------------------- one call for a conversation
def test_who_calls_back_at_the_same_time_is_in_the_same_call(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    first, second = ana.start(pair), bea.start(pair)
    assert first.call.id == second.call.id
    assert second.call.state is CallState.ONGOING
    assert [each.user_id for each in second.call.participants] == ["ana", "bea"]
    bea.hang_up()
    assert len(world.store.messages.history(pair.id, limit=10)) == 1


def test_a_start_said_twice_is_one_call_and_one_participant(world: World) -> None:
    pair = world.private("ana", "bea")
    ana = Phone(world, "ana")
    first = ana.start(pair, "key")
    ana.disconnect()
    ana.connect()
    again = ana.start(pair, "key")
    assert again.call.id == first.call.id
    assert again.participant is not None
    assert first.participant is not None
    assert (again.participant.id, again.participant.connections) == (first.participant.id, 2)
    ana.hang_up()
    with pytest.raises(CallOver):
        ana.start(pair, "key")
    assert len(world.store.messages.history(pair.id, limit=10)) == 1
    assert ana.start(pair, "other").call.id != first.call.id


# ---------------------------------------------------------------- groups
def test_of_each_pair_just_one_is_polite(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    phones = [Phone(world, user_id) for user_id in ("ana", "bea", "carlos")]
    call = phones[0].start(group).call
    for phone in phones[1:]:
        phone.accept(call.id)
    people = world.store.calls.list_all()[0].participants
    assert [each.number for each in people] == [1, 2, 3]
    for one in people:
        for other in people:
            if one is not other:
                assert one.is_polite_to(other) != other.is_polite_to(one)
    phones[0].hang_up()
    again = phones[0].accept(call.id)
    assert again.participant is not None
    assert all(again.participant.is_polite_to(other) for other in people[1:])


def test_a_group_goes_on_until_the_last_but_one_leaves(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.accept(call.id)
    world.scheduler.advance(100)
    carlos.accept(call.id)
    ana.hang_up()
    (left,) = world.published.of(CallParticipantLeft)
    assert (left.participant.user_id, left.why) == ("ana", Leaving.HANGUP)
    bea.hang_up()
    assert ends(world) == [CallEnd.HANGUP]
    assert call_message(world, group).call is not None
    assert unread(world, group) == {"ana": 0, "bea": 0, "carlos": 0}


def test_a_call_from_peer_to_peer_is_full_at_some_time(world: World) -> None:
    group = world.group("ana", "bea", "carlos", "dora")
    ana, bea, carlos, dora = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos", "dora"))
    call = ana.start(group).call
    bea.accept(call.id)
    carlos.accept(call.id)
    with pytest.raises(CallFull) as refused:
        dora.accept(call.id)
    assert refused.value.details["maxParticipants"] == 3
    carlos.hang_up()
    dora.accept(call.id)


def test_what_a_participant_shows_is_told(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(world.private("ana", "bea")).call.id)
    for _ in range(2):
        bea.show(Media(audio=False, video=True, screen=True))
    (changed,) = world.published.of(CallMediaChanged)
    assert (changed.participant.id, changed.participant.media) == (bea.id, Media(False, True, True))


# ---------------------------------------------------------------- lost connections
def test_who_does_not_come_back_in_thirty_seconds_is_out(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(pair).call.id)
    bea.disconnect()
    world.scheduler.advance(29)
    assert ends(world) == []
    world.scheduler.advance(6)
    assert ends(world) == [CallEnd.FAILED]
    assert call_message(world, pair).content == "Llamada interrumpida"


def test_of_a_group_one_is_lost_and_the_others_go_on(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.accept(call.id)
    carlos.accept(call.id)
    bea.disconnect()
    world.scheduler.advance(35)
    (left,) = world.published.of(CallParticipantLeft)
    assert (left.participant.id, left.why) == (bea.id, Leaving.LOST)
    assert ends(world) == []


def test_who_comes_back_with_the_same_device_is_the_same_participant(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(world.private("ana", "bea")).call
    bea.accept(call.id)
    before = bea.id
    bea.disconnect()
    world.scheduler.advance(20)
    bea.connect()
    world.published.clear()
    bea.accept(call.id)
    assert bea.id == before
    assert world.published.events == []
    world.scheduler.advance(60)
    assert ends(world) == []
    assert world.rooms.devices[bea.id] == {bea.socket_id}


def test_an_old_connections_end_means_nothing_for_a_newer_one(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(world.private("ana", "bea")).call
    bea.accept(call.id)
    old = bea.socket_id
    bea.connect()
    bea.accept(call.id)
    world.calls.disconnect(old)
    world.scheduler.advance(60)
    assert ends(world) == []


def test_a_recovered_connection_goes_on(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(world.private("ana", "bea")).call
    bea.accept(call.id)
    bea.disconnect()
    world.join("bea", bea.socket_id)
    world.calls.resume(bea.socket_id, bea.id, "bea")
    bea.signal(ana, "at once")
    ana.signal(bea, 1)
    world.scheduler.advance(60)
    assert ends(world) == []
    assert bea.heard() == ["1"]
    bea.hang_up()


def test_a_connection_that_closes_while_the_store_answers_is_lost(world: World, overtake: Overtake) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(world.private("ana", "bea")).call
    overtake(lambda: bea.accept(call.id), world.store.calls, "replace", meanwhile=bea.disconnect)
    world.scheduler.advance(36)
    assert ends(world) == [CallEnd.FAILED]


def test_that_a_connection_is_lost_is_stored_once_the_store_is_back(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(world.private("ana", "bea")).call.id)
    with store_down(world.store.calls, "replace"):
        bea.disconnect()
        world.scheduler.advance(3)
    world.scheduler.advance(36)
    assert ends(world) == [CallEnd.FAILED]


# ---------------------------------------------------------------- who may not be in it any more
def test_who_logs_out_leaves_at_once(world: World) -> None:
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(world.private("ana", "bea")).call.id)
    bea.log_out()
    assert ends(world) == [CallEnd.HANGUP]


def test_who_is_taken_out_of_the_conversation_leaves_at_once(world: World) -> None:
    group = world.group("ana", "bea", "carlos", "dora")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.accept(call.id)
    carlos.accept(call.id)
    command = RemoveParticipant(conversation_id=group.id, user_id="bea")
    world.conversations.remove_participant(command, actor=Actor("ana"))
    world.scheduler.advance(0)
    (left,) = world.published.of(CallParticipantLeft)
    assert (left.participant.id, left.why) == (bea.id, Leaving.REMOVED)
    with pytest.raises(NotAParticipant):
        bea.accept(call.id)


def test_a_call_whose_starter_has_left_the_group_is_told_by_another(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    ana, bea, carlos = (Phone(world, user_id) for user_id in ("ana", "bea", "carlos"))
    call = ana.start(group).call
    bea.accept(call.id)
    carlos.accept(call.id)
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("ana"))
    world.scheduler.advance(0)
    bea.hang_up()
    assert call_message(world, group).sender_id == "bea"


def test_a_conversation_that_goes_takes_its_call_along(world: World) -> None:
    group = world.group("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(group).call.id)
    world.conversations.delete(group.id, actor=Actor())
    world.scheduler.advance(0)
    assert len(ends(world)) == 1
    world.scheduler.advance(70)
    assert world.store.calls.list_all() == []
    assert world.store.calls.busy(["ana", "bea"]) == {}


def test_only_members_who_have_joined_the_chat_call_and_answer(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, carlos = Phone(world, "ana"), Phone(world, "carlos")
    with pytest.raises(NotAParticipant):
        carlos.start(pair)
    call = ana.start(pair).call
    for refused in (carlos.accept, carlos.decline, carlos.hang_up):
        with pytest.raises(NotAParticipant):
            refused(call.id)
    for command in (
        StartCall(conversation_id="nowhere", client_call_id="k", media=CallKind.AUDIO),
        StartCall(conversation_id=pair.id, client_call_id="k", media=CallKind.AUDIO),
    ):
        with pytest.raises((NotIdentified, ConversationNotFound)):
            world.calls.start(command, actor=Actor("bea"), socket_id="nobody")
    with pytest.raises(IdentityMismatch):
        world.calls.accept(AcceptCall(call_id=call.id), actor=Actor("bea"), socket_id=ana.socket_id)
    for refused in (ana.accept, ana.decline, ana.hang_up):
        with pytest.raises(CallNotFound):
            refused("unknown")


# ---------------------------------------------------------------- the message
def test_the_message_comes_as_soon_as_the_store_takes_it(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(pair).call.id)
    with store_down(world.store.messages, "append"):
        bea.hang_up()
    assert ends(world) == [CallEnd.HANGUP]
    assert world.store.messages.history(pair.id, limit=10) == []
    world.scheduler.advance(10)
    assert call_message(world, pair).message_type is MessageType.CALL
    world.scheduler.advance(70)
    assert len(world.published.of(MessageSent)) == 1
    assert world.store.calls.list_all() == []


def test_who_answers_too_late_is_told_why(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    call = ana.start(pair).call
    ana.hang_up()
    world.scheduler.advance(50)
    with pytest.raises(CallOver) as refused:
        bea.accept(call.id)
    assert refused.value.details["reason"] is CallEnd.MISSED
    with pytest.raises(CallOver):
        bea.decline(call.id)
    world.scheduler.advance(20)
    with pytest.raises(CallNotFound):
        bea.accept(call.id)


def test_who_has_older_messages_to_read_has_one_more(world: World) -> None:
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    world.say(pair, by="ana")
    bea.accept(ana.start(pair).call.id)
    bea.hang_up()
    assert unread(world, pair) == {"ana": 0, "bea": 2}


@pytest.mark.parametrize(
    ("kind", "end", "duration_ms", "text"),
    [
        (CallKind.AUDIO, CallEnd.HANGUP, 59_999, "Llamada · 0:59"),
        (CallKind.VIDEO, CallEnd.HANGUP, 3_600_000, "Videollamada · 60:00"),
        (CallKind.VIDEO, CallEnd.MISSED, 0, "Videollamada perdida"),
        (CallKind.AUDIO, CallEnd.DECLINED, 0, "Llamada rechazada"),
        (CallKind.AUDIO, CallEnd.BUSY, 0, "Llamada sin respuesta: ocupado"),
        (CallKind.VIDEO, CallEnd.FAILED, 5_000, "Videollamada interrumpida"),
    ],
)
def test_a_line_says_what_became_of_it(kind: CallKind, end: CallEnd, duration_ms: int, text: str) -> None:
    assert call_text(kind, end, duration_ms) == text


def test_a_backend_hears_of_the_end_before_the_message_of_it(tmp_path: Path) -> None:
    clock = FakeClock()
    journal = Journal(render, clock=clock, ids=TimeOrderedIds(), now=lambda: 0.0, always=True)
    world = World(tmp_path, store=SqliteStore(tmp_path / "journalled.db", journal))
    pair = world.private("ana", "bea")
    ana, bea = Phone(world, "ana"), Phone(world, "bea")
    bea.accept(ana.start(pair).call.id)
    world.clock.advance(2)
    ana.hang_up()
    told = [orjson.loads(event.body) for event in world.store.events.page(after=None, limit=10).events]
    ended = next(number for number, event in enumerate(told) if event["event"] == "call.ended")
    assert [event["event"] for event in told[ended : ended + 2]] == ["call.ended", "message.sent"]
    data = told[ended]["data"]
    assert (data["callId"], data["conversationId"], data["startedBy"]) == (ana.call_id, pair.id, "ana")
    assert (data["participants"], data["reason"], data["durationMs"]) == (["ana", "bea"], "hangup", 2_000)
    world.close()

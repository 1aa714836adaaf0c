"""What was told lately, and how much of it is still known."""

from __future__ import annotations

import json

from chatapp.transport.sockets.packet_log import ENTRY_BYTES, PacketLog
from tests.fakes import FakeClock

TOLD = '2["told",{"number":1}]'


def make(clock: FakeClock, *, max_bytes: int = 10**6) -> PacketLog:
    return PacketLog("w1", keep_seconds=60, now=lambda: clock.now().timestamp(), max_bytes=max_bytes)


def test_numbers_have_no_gaps_and_a_packet_is_found_by_the_one_before() -> None:
    log = make(FakeClock())
    assert [log.record("room", (), f'2["told",{number}]') for number in range(3)] == [1, 2, 3]
    assert [entry.number for entry in log.after(1)] == [2, 3]
    assert [entry.text for entry in log.after(0)] == ['2["told",0]', '2["told",1]', '2["told",2]']
    assert list(log.after(3)) == []
    assert [log.covers(number) for number in (-1, 0, 3, 4)] == [False, True, True, False]


def test_an_offset_is_one_more_argument_and_names_its_worker() -> None:
    log = make(FakeClock())
    packet = log.stamped(TOLD, log.record("room", (), TOLD))
    event, body, offset = json.loads(packet[1:])
    assert (packet[0], event, body) == ("2", "told", {"number": 1})
    assert log.read(offset) == 1
    assert offset == "w1.1"


def test_nothing_but_an_offset_of_this_worker_is_read() -> None:
    log = make(FakeClock())
    for offset in (None, "", "w1", "w1.", "w2.1", "w1.x", "w1.-1", "w1.²", "w1. 1", "w1.1" + "0" * 20, "1"):
        assert log.read(offset) is None, offset


def test_what_is_too_old_is_forgotten_and_known_to_be() -> None:
    clock = FakeClock()
    log = make(clock)
    log.record("room", (), TOLD)
    clock.advance(30)
    log.record("room", (), TOLD)
    clock.advance(31)
    log.record("room", (), TOLD)
    assert [entry.number for entry in log.after(0)] == [2, 3]
    assert [log.covers(number) for number in (0, 1, 2, 3)] == [False, True, True, True]


def test_what_is_too_much_is_forgotten() -> None:
    log = make(FakeClock(), max_bytes=10 * (ENTRY_BYTES + 1000))
    for _ in range(100):
        log.record("room", (), "x" * 900)
    kept = len(list(log.after(0)))
    assert 8 <= kept <= 10
    assert log.covers(100 - kept)
    assert not log.covers(100 - kept - 1)


def test_what_is_too_much_by_itself_leaves_nothing() -> None:
    log = make(FakeClock(), max_bytes=1000)
    log.record("room", (), TOLD)
    log.record("room", (), "x" * 2000)
    assert (list(log.after(0)), log.covers(1), log.covers(2)) == ([], False, True)
    assert log.record("room", (), TOLD) == 3
    assert log.covers(2)


def test_the_many_rooms_of_a_packet_count_too() -> None:
    log = make(FakeClock(), max_bytes=100_000)
    for _ in range(10):
        log.record([f"user:{number}" for number in range(500)], (), TOLD)
    assert len(list(log.after(0))) <= 2


def test_rooms_are_awaited_one_or_several() -> None:
    log = make(FakeClock())
    assert not log.is_awaited("room")
    log.awaited = {"room"}
    assert log.is_awaited("room")
    assert log.is_awaited(["other", "room"])
    assert not log.is_awaited(["other"])
    assert not log.is_awaited("other")
    assert not log.is_awaited(None)

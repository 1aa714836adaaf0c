"""Sessions without a connection: how long they are kept, what they have missed, and the rooms they lose."""

from __future__ import annotations

import pytest

from chatapp.transport.sockets import lost_sessions
from chatapp.transport.sockets.lost_sessions import LostSessions, Session
from chatapp.transport.sockets.packet_log import PacketLog
from tests.fakes import ManualScheduler

KEEP_SECONDS = 120


class Kept:
    def __init__(self) -> None:
        self.scheduler = ManualScheduler()
        now = self.scheduler.clock.now
        self.log = PacketLog("w", keep_seconds=KEEP_SECONDS + 60, now=lambda: now().timestamp())
        self.lost = LostSessions(self.log, keep_seconds=KEEP_SECONDS, scheduler=self.scheduler)
        self.released: list[str] = []
        self.lost.released = self.released.append

    def lose(self, name: str, *rooms: str, user: str | None = "ana", sent: int | None = None) -> Session:
        here = self.log.number
        sent = here if sent is None else sent
        session = Session(name, f"s-{name}", user, dict.fromkeys(rooms, 0), None, 0, sent, here)
        self.lost.keep(session)
        return session

    def tell(self, room: str | list[str], what: str, *skipped: str) -> int:
        return self.log.record(room, skipped, what)

    def missed(self, session: Session, offset: str | None) -> list[str] | None:
        after = self.lost.first_missed(session, offset)
        return None if after is None else [entry.text for entry in self.lost.missed(session, after)]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_session_has_missed_what_was_told_in_its_rooms_since_its_offset(kept: Kept) -> None:
    first, second = kept.tell("room", "one"), kept.tell("room", "two")
    session = kept.lose("a", "room", "user:ana")
    kept.tell("elsewhere", "not for it")
    kept.tell(["elsewhere", "user:ana", "room"], "three")
    kept.tell("room", "not for it either", "s-a")
    assert kept.missed(session, f"w.{first}") == ["two", "three"]
    assert kept.missed(session, f"w.{second}") == ["three"]


def test_who_got_nothing_yet_has_missed_all_since_the_session_began(kept: Kept) -> None:
    kept.tell("room", "before")
    began = kept.log.number
    kept.tell("room", "one")
    session = Session("a", "s-a", "ana", {"room": began}, "old.5", began, began + 1, kept.log.number)
    kept.lost.keep(session)
    assert kept.missed(session, "old.5") == ["one"]
    assert kept.missed(session, None) is None, "its client would have said old.5"


def test_what_was_told_before_it_came_into_a_room_is_not_missed(kept: Kept) -> None:
    offset = kept.tell("other", "heard")
    kept.tell("room", "before")
    came_in = kept.log.number
    kept.tell("room", "on its way")
    session = kept.lose("a", "other")
    session.rooms["room"] = came_in
    kept.tell("room", "after")
    assert kept.missed(session, f"w.{offset}") == ["on its way", "after"]


def test_an_offset_that_it_cannot_have_is_no_offset(kept: Kept) -> None:
    kept.tell("room", "one")
    session = kept.lose("a", "room")
    kept.tell("room", "two")
    for offset in ("w.2", "w.99", "other.1", "w.one"):
        assert kept.missed(session, offset) is None, offset


def test_a_quiet_client_needs_no_more_of_the_log_than_since_its_loss(kept: Kept) -> None:
    offset = kept.tell("room", "long ago")
    kept.tell("elsewhere", "long ago")
    kept.scheduler.advance(3600)
    kept.tell("elsewhere", "since")
    session = kept.lose("a", "room", sent=offset)
    kept.tell("room", "new")
    assert not kept.log.covers(offset)
    assert kept.missed(session, f"w.{offset}") == ["new"]


def test_what_is_not_all_there_any_more_is_not_missed_in_part(kept: Kept) -> None:
    first = kept.tell("room", "one")
    kept.tell("room", "on its way")
    kept.scheduler.advance(KEEP_SECONDS + 61)
    kept.tell("elsewhere", "since")
    session = kept.lose("a", "room", sent=2)
    assert kept.missed(session, f"w.{first}") is None


# ---------------------------------------------------------------- how long
def test_a_session_is_kept_for_its_time_and_its_user_released_then(kept: Kept) -> None:
    session = kept.lose("a", "room")
    kept.scheduler.advance(KEEP_SECONDS - 1)
    assert kept.lost.find("a") is session
    assert kept.lost.keeps("ana")
    kept.scheduler.advance(1)
    assert kept.lost.find("a") is None
    assert kept.released == ["ana"]
    assert not kept.lost.keeps("ana")
    assert not kept.lost.hears("room")


def test_a_user_is_released_with_the_last_session(kept: Kept) -> None:
    first, second = kept.lose("a", "room"), kept.lose("b", "room")
    kept.lost.forget(first)
    assert (kept.released, kept.lost.hears("room")) == ([], True)
    kept.lost.forget(second)
    kept.lost.forget(second)
    assert (kept.released, kept.lost.hears("room")) == (["ana"], False)


def test_a_session_that_goes_on_releases_nobody_and_is_not_forgotten_later(kept: Kept) -> None:
    session = kept.lose("a", "room")
    assert kept.lost.take(session)
    assert not kept.lost.take(session)
    again = kept.lose("a", "room")
    kept.lost.forget(session)
    kept.scheduler.advance(KEEP_SECONDS - 1)
    assert kept.lost.find("a") is again
    assert kept.released == []


def test_the_oldest_make_room(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_sessions, "MAX_SESSIONS", 2)
    for name in ("a", "b", "c"):
        kept.lose(name, "room", user=name)
    assert [kept.lost.find(name) is None for name in ("a", "b", "c")] == [True, False, False]
    assert kept.released == ["a"]


def test_nothing_is_left_of_what_is_gone(kept: Kept) -> None:
    kept.lose("a", "room")
    kept.lose("b", "room", user=None)
    kept.lost.clear()
    assert (kept.lost._sessions, kept.lost._users, kept.lost._rooms) == ({}, {}, {})
    assert kept.scheduler.pending == 0
    assert kept.released == ["ana"]


# ---------------------------------------------------------------- membership
def test_who_is_taken_out_of_a_room_has_missed_nothing_there(kept: Kept) -> None:
    session, other = kept.lose("a", "room", "user:ana"), kept.lose("b", "room", user="bea")
    kept.tell("room", "secret")
    kept.lost.evict("ana", "room")
    kept.tell("room", "secret too")
    assert kept.missed(session, None) == []
    assert kept.missed(other, None) == ["secret", "secret too"]
    assert kept.lost.sockets_in("room") == ["s-b"]


def test_a_room_that_is_closed_has_nobody(kept: Kept) -> None:
    session = kept.lose("a", "room", "user:ana")
    kept.lost.close("room")
    kept.lost.close("room")
    assert (list(session.rooms), kept.lost.hears("room"), kept.lost.hears("user:ana")) == (["user:ana"], False, True)


def test_a_user_who_is_gone_has_no_sessions(kept: Kept) -> None:
    kept.lose("a", "room")
    kept.lose("b", "room", user="bea")
    kept.lost.drop("ana")
    assert (kept.lost.sockets_of("ana"), kept.lost.sockets_of("bea")) == ([], ["s-b"])

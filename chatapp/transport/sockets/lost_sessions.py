"""Sessions without a connection, each for a while: what it hears meanwhile stands in the packet log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatapp.ports import Scheduler, Timer
from chatapp.transport.sockets.packet_log import Entry, PacketLog

MAX_SESSIONS = 20_000
"""At 1 to 2 kB each. The oldest make room."""


@dataclass(eq=False, slots=True)
class Session:
    """``pid`` is its secret: whoever knows it goes on with it. All numbers are of this worker's packet log.

    ``rooms``: room → the newest packet when the session came in. ``began_with``: what its client had as offset when
    the session began here, at ``began_at``, and has until it gets another. ``sent``: the last packet on its way to it;
    ``lost_at``: the newest of all when its connection ended.
    """

    pid: str
    socket_id: str
    user_id: str | None
    rooms: dict[str, int]
    began_with: str | None
    began_at: int
    sent: int
    lost_at: int
    is_claimed: bool = False
    """Somebody is just about to go on with it."""
    timer: Timer | None = field(default=None, repr=False)


class LostSessions:
    def __init__(self, log: PacketLog, *, keep_seconds: float, scheduler: Scheduler) -> None:
        self._log = log
        self._keep_seconds = keep_seconds
        self._scheduler = scheduler
        self._sessions: dict[str, Session] = {}  # by pid
        self._users: dict[str, set[Session]] = {}
        self._rooms: dict[str, set[Session]] = {}
        log.awaited = self._rooms.keys()
        self.released: Callable[[str], object] = lambda _user_id: None
        """Called with a user whose last session here has been forgotten."""

    def keep(self, session: Session) -> None:
        while len(self._sessions) >= MAX_SESSIONS:
            self.forget(next(iter(self._sessions.values())))
        self._sessions[session.pid] = session
        if session.user_id is not None:
            self._users.setdefault(session.user_id, set()).add(session)
        for room in session.rooms:
            self._rooms.setdefault(room, set()).add(session)
        session.timer = self._scheduler.call_later(self._keep_seconds, self.forget, session)

    def find(self, pid: str) -> Session | None:
        return self._sessions.get(pid)

    def forget(self, session: Session) -> None:
        """Again is harmless."""
        if self.take(session) and session.user_id is not None and session.user_id not in self._users:
            self.released(session.user_id)

    def take(self, session: Session) -> bool:
        """It is kept no more, because it goes on; False when it was not. ``released`` is not called."""
        if self._sessions.get(session.pid) is not session:
            return False
        del self._sessions[session.pid]
        if session.timer is not None:
            session.timer.cancel()
        for room in session.rooms:
            _discard(self._rooms, room, session)
        if session.user_id is not None:
            _discard(self._users, session.user_id, session)
        return True

    # ------------------------------------------------------------ what they missed
    def first_missed(self, session: Session, offset: str | None) -> int | None:
        """The number after which packets are missing at a client that has got everything up to ``offset``. None when
        that cannot be known, or not all of them are here any more."""
        number = session.began_at if offset == session.began_with else self._log.read(offset)
        if number is None or not session.began_at <= number <= session.sent:
            return None
        after = session.lost_at if number == session.sent else number
        return after if self._log.covers(after) else None

    def missed(self, session: Session, after: int) -> list[Entry]:
        """The packets for this session after that number, in the order told."""
        return [
            entry
            for entry in self._log.after(after)
            if session.socket_id not in entry.skipped
            and any(session.rooms.get(room, entry.number) < entry.number for room in entry.rooms)
        ]

    # ------------------------------------------------------------ membership, as for sockets
    def leave(self, session: Session, room: str) -> None:
        session.rooms.pop(room, None)
        _discard(self._rooms, room, session)

    def evict(self, user_id: str, room: str) -> None:
        for session in tuple(self._users.get(user_id, ())):
            self.leave(session, room)

    def close(self, room: str) -> None:
        for session in tuple(self._rooms.get(room, ())):
            self.leave(session, room)

    def drop(self, user_id: str) -> None:
        for session in tuple(self._users.get(user_id, ())):
            self.forget(session)

    def clear(self) -> None:
        for session in tuple(self._sessions.values()):
            self.forget(session)

    # ------------------------------------------------------------ who is kept
    def keeps(self, user_id: str) -> bool:
        return user_id in self._users

    def hears(self, room: str) -> bool:
        return room in self._rooms

    def sockets_of(self, user_id: str) -> list[str]:
        return [session.socket_id for session in self._users.get(user_id, ())]

    def sockets_in(self, room: str) -> list[str]:
        return [session.socket_id for session in self._rooms.get(room, ())]


def _discard(index: dict[str, set[Session]], key: str, session: Session) -> None:
    sessions = index.get(key)
    if sessions is not None:
        sessions.discard(session)
        if not sessions:
            del index[key]

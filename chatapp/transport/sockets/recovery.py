"""Socket.IO's connection state recovery: a client that lost its connection goes on as if it had not.

A session stays with the worker that lost it. Its client may come back to any other, which asks that one for it: see
``docs/decisions/0008-recovery-asks-the-owner.md``. A session is taken up whole or not at all.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import engineio
from gevent.event import AsyncResult

from chatapp.domain.errors import ChatError
from chatapp.domain.events import (
    ResyncNeeded,
    SessionClaimed,
    SessionFound,
    SessionHandedOver,
    SessionRefused,
    SessionSought,
    WorkerBeat,
    WorkerEvent,
)
from chatapp.domain.models import Actor, User
from chatapp.domain.rooms import conversation_of, conversation_room, device_of, is_part, worker_room
from chatapp.ports import Bus, Scheduler
from chatapp.services.chat import Chat
from chatapp.transport.sockets import UNNOTICED_SECONDS
from chatapp.transport.sockets.connections import Connection
from chatapp.transport.sockets.direct import DirectSocket
from chatapp.transport.sockets.fanout import FanoutManager
from chatapp.transport.sockets.lost_sessions import LostSessions, Session
from chatapp.transport.sockets.packet_log import Entry, PacketLog

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
"""How long a client waits for its CONNECT at most while another worker is asked for its session. No longer than the bus
waits for a subscription: who had to go on without one has no time left to ask."""
SILENT_SECONDS = 3.0
"""Workers tell that they live each second; who has not for so long is not asked."""
HOPS = 3
"""A session that has moved is asked for where it went."""
MISSED_MAX_BYTES = 1024 * 1024
"""Of what one client has missed. Over the bus it is one publication, for which everybody else waits; and what waits for
a client that does not read has its limit too (``BACKLOG_MAX_BYTES``)."""
MAX_MOVED = 10_000
"""Of how many sessions it is known where they went; about 200 bytes each."""
WORKER_CHARS = 8
"""Of a worker's id, in each offset and so in each packet: 32 bits tell the workers of one chat apart."""
TOKEN_MAX_CHARS = 100
"""More than any ``pid`` or ``offset`` of ours has."""

LOSSES = (
    engineio.Server.reason.TRANSPORT_CLOSE,
    engineio.Server.reason.TRANSPORT_ERROR,
    engineio.Server.reason.PING_TIMEOUT,
)
"""Without a goodbye from either side."""

PYTHON_TIME = re.compile(r"[0-9]+\.[0-9]+")
"""What python-engineio's client sends as ``t``; in JavaScript it has no point. python-socketio's client would hand the
offset to event handlers that take one argument, and knows no recovery."""


@dataclass(frozen=True, slots=True)
class Returning:
    """A session about to go on; nothing may wait from here on. What its client has missed is either ``missed``, out of
    our log after the number ``after``, or ``brought``: packets of a session that another worker has just handed over.
    """

    session: Session
    user: User | None
    after: int = 0
    missed: Sequence[Entry] = ()
    brought: Sequence[str] | None = None


class Recovery:
    """``Sessions`` of ``services/sessions.py``."""

    def __init__(self, bus: Bus, *, keep_seconds: float, scheduler: Scheduler, now: Callable[[], float]) -> None:
        """``keep_seconds`` of 0: no client is offered to come back. ``now`` is monotonic."""
        self._bus = bus
        self._keep_seconds = keep_seconds
        self._scheduler = scheduler
        self._now = now
        self._worker = bus.worker_id[:WORKER_CHARS]
        self._started_at = now()
        self.log = PacketLog(self._worker, keep_seconds=keep_seconds + UNNOTICED_SECONDS, now=now)
        self.lost = LostSessions(self.log, keep_seconds=keep_seconds, scheduler=scheduler)
        self._live: dict[str, _Live] = {}  # by pid
        self._moved: dict[str, str] = {}  # pid → worker
        self._beats: dict[str, float] = {}  # worker → when it was last heard
        self._questions: dict[str, AsyncResult[WorkerEvent]] = {}

    def serve(self, chat: Chat, sockets: FanoutManager) -> None:
        """To be called before the first client comes."""
        self._chat = chat
        self._sockets = sockets
        self.lost.released = chat.presence.expect_no_more
        self._bus.subscribe([worker_room(self._worker)])

    # ------------------------------------------------------------ a connection's life
    def is_offered(self, environ: Mapping[str, Any]) -> bool:
        """Whether this client can come back for its session; ``environ`` is its first request's."""
        times = parse_qs(environ.get("QUERY_STRING", "")).get("t", [""])
        return self._keep_seconds > 0 and not PYTHON_TIME.fullmatch(times[0])

    def new_pid(self) -> str:
        return f"{self._worker}.{secrets.token_urlsafe(18)}"

    def begin(self, connection: Connection, transport: DirectSocket, auth: Any, returning: Returning | None) -> None:
        """The CONNECT, which had this ``auth``, has been answered. Never waits."""
        if connection.pid is None:
            return
        is_ours = returning is not None and returning.brought is None
        transport.sent = returning.after if returning and is_ours else self.log.number
        # A client keeps its offset until it gets another, be its session a new one.
        self._live[connection.pid] = _Live(transport, _token(auth, "offset"), transport.sent)
        self._moved.pop(connection.pid, None)
        if returning:
            self._tell_missed(returning, transport)
            self._let_in(returning, connection)
            if is_ours:  # what it has missed stays in the log as told in these rooms
                self._sockets.backdate(connection.socket_id, returning.session.rooms)

    def _tell_missed(self, returning: Returning, transport: DirectSocket) -> None:
        packets = [(entry.number, entry.text) for entry in returning.missed]
        for text in returning.brought or ():
            packets.append((self.log.record(returning.session.socket_id, (), text), text))
        self._sockets.tell_again(transport, packets)

    def _let_in(self, returning: Returning, connection: Connection) -> None:
        session, user = returning.session, returning.user
        self.lost.take(session)
        if user:
            conversations = [id_ for room in session.rooms if (id_ := conversation_of(room))]
            actor = connection.caller.acting_for(None, known=user.id)
            self._chat.presence.resume(user, actor=actor, socket_id=session.socket_id, conversation_ids=conversations)
            for device in filter(None, map(device_of, session.rooms)):
                self._chat.calls.resume(session.socket_id, *device)

    def lose(self, connection: Connection, reason: str) -> None:
        """The connection is over: its session is kept, unless somebody has said goodbye. Never waits.

        To be called while its rooms are known.
        """
        live = self._live.pop(connection.pid, None) if connection.pid else None
        if live is None or connection.pid is None or reason not in LOSSES:
            return
        rooms = self._sockets.entered(connection.socket_id)
        user_id = self._chat.presence.user_of(connection.socket_id)
        if user_id is None and len(rooms) > 1:  # a room without user_join; nobody knows whom to let in again
            return
        self.lost.keep(
            Session(
                pid=connection.pid,
                socket_id=connection.socket_id,
                user_id=user_id,
                rooms=rooms,
                began_with=live.began_with,
                began_at=live.began_at,
                sent=live.transport.sent or 0,
                lost_at=self.log.number,
            )
        )

    # ------------------------------------------------------------ a client comes back
    def find(self, auth: Any, actor: Actor) -> Returning | None:
        """The session that the client asks for, if it can go on, and as who it is now. Waits, never raises.

        To be followed by ``begin`` or ``give_up`` without waiting.
        """
        pid, offset = _token(auth, "pid"), _token(auth, "offset")
        if pid is None:
            return None
        try:
            self._cut(pid)
            return self._find_here(pid, offset, actor) if self.lost.find(pid) else self._fetch(pid, offset, actor)
        except ChatError as exc:
            log.info("a session does not go on: %r", exc)
        except Exception:
            log.exception("recovering a session failed")
        return None

    def give_up(self, returning: Returning | None) -> None:
        """The client has gone once more."""
        if returning is None:
            return
        returning.session.is_claimed = False
        if returning.brought is not None:  # what its worker has handed over is nowhere else
            self.lost.forget(returning.session)

    def _cut(self, pid: str) -> None:
        """The client knows better than we that its connection is lost."""
        live = self._live.get(pid)
        if live:
            live.transport.close(wait=False, abort=True, reason=engineio.Server.reason.TRANSPORT_CLOSE)

    def _find_here(self, pid: str, offset: str | None, actor: Actor) -> Returning | None:
        session = self._claimable(pid, offset, actor.user_id)
        if session is None:
            return None
        session.is_claimed = True
        returning = None
        try:
            user, _ = self._admissible(session, actor)
            after = self.lost.first_missed(session, offset)
            if self.lost.find(pid) is session and after is not None:
                missed = self.lost.missed(session, after)
                returning = Returning(session, user, after, missed) if _is_bearable(_texts(missed)) else None
        finally:
            if returning is None:  # the client begins anew, and will not ask for it again
                self.lost.forget(session)
        return returning

    def _claimable(self, pid: str, offset: str | None, user_id: str | None = None) -> Session | None:
        """Nobody else may be about to take it. What cannot go on whole is forgotten, for its client begins anew."""
        session = self.lost.find(pid)
        if session is None or session.is_claimed:
            return None
        if not _fits(session.user_id, user_id) or self.lost.first_missed(session, offset) is None:
            self.lost.forget(session)
            return None
        return session

    def _admissible(self, session: Session, actor: Actor) -> tuple[User | None, list[str]]:
        """Its user, heard and counted from now on, and their conversations. What they are no member of any more the
        session leaves, and branches that are not theirs any more. Waits. Raises UserNotFound, StoreUnavailable."""
        if session.user_id is None:
            return None, []
        user, entries = self._chat.presence.expect(session.user_id)
        conversations = [entry.conversation.id for entry in entries]
        theirs = {*map(conversation_room, conversations), *self._chat.presence.parts_of(user, actor=actor)}
        for room in tuple(session.rooms):
            if (conversation_of(room) or is_part(room)) and room not in theirs:
                self.lost.leave(session, room)
        return user, conversations

    # ------------------------------------------------------------ from another worker
    def _fetch(self, pid: str, offset: str | None, actor: Actor) -> Returning | None:
        deadline = self._now() + ANSWER_SECONDS
        worker, found = self._seek(pid, offset, deadline)
        if found is None or not _fits(found.user_id, actor.user_id):
            log.info("no worker that is heard of has the session")
            return None
        # From here on what is told in its rooms is in our log; what was told before is in its worker's.
        now = self.log.number
        rooms = dict.fromkeys(found.rooms, now)
        session = Session(pid, found.socket_id, found.user_id, rooms, offset, now, now, now, is_claimed=True)
        self.lost.keep(session)
        returning = None
        try:
            user, conversations = self._admissible(session, actor)
            self._bus.subscribe([conversation_room(id_) for id_ in conversations])  # some may be just about to be heard
            packets = self._claim(worker, session, offset, conversations, deadline)
            if packets is not None and self.lost.find(pid) is session and self.log.covers(now):
                held = self.lost.missed(session, now)
                returning = Returning(session, user, brought=packets + _without(packets, _texts(held)))
        finally:
            if returning is None:
                log.info("worker %s has not handed the session over, or not all of it", worker)
                self.lost.forget(session)
        return returning

    def _seek(self, pid: str, offset: str | None, deadline: float) -> tuple[str, SessionFound | None]:
        """The worker that has it, by what the client has of it: it may have moved since it was given its name."""
        worker: str | None = (offset or pid).partition(".")[0]
        for _ in range(HOPS):
            if worker == self._worker:
                worker = self._moved.get(pid)
            if worker is None or not self._lives(worker):
                break
            question = SessionSought(secrets.token_hex(8), self._worker, pid, offset)
            answer = self._ask(worker, question.request, question, deadline)
            if isinstance(answer, SessionFound):
                return worker, answer
            worker = answer.moved_to if isinstance(answer, SessionRefused) else None
        return "", None

    def _claim(
        self, worker: str, session: Session, offset: str | None, conversations: Iterable[str], deadline: float
    ) -> list[str] | None:
        """What the client has missed; None when it stays where it is, or some of it cannot be known.

        Each side makes sure that it has told the changes which the other will not tell.
        """
        rooms, told = tuple(session.rooms), self._told(conversations)
        claim = SessionClaimed(secrets.token_hex(8), self._worker, session.pid, offset, rooms, told)
        answer = self._ask(worker, claim.request, claim, deadline)
        return list(answer.packets) if isinstance(answer, SessionHandedOver) and self._has_told(answer.told) else None

    def _told(self, conversations: Iterable[str]) -> dict[str, int]:
        return {id_: self._chat.deliveries.told(id_) or 0 for id_ in conversations}

    def _has_told(self, told: Mapping[str, int]) -> bool:
        """Whether everything up to these numbers has been told here. Waits. Raises StoreUnavailable."""
        for conversation_id, rev in self._told(told).items():
            if rev < told[conversation_id]:
                self._chat.deliveries.catch_up(conversation_id)
        return all(rev >= told[conversation_id] for conversation_id, rev in self._told(told).items())

    def _lives(self, worker: str) -> bool:
        """Who has just started has not heard everybody yet."""
        return self._bus.hears and self._now() - self._beats.get(worker, self._started_at) < SILENT_SECONDS

    def _ask(self, worker: str, request: str, question: WorkerEvent, deadline: float) -> WorkerEvent | None:
        """None: no answer in time."""
        answer = self._questions[request] = AsyncResult()
        self._bus.publish([worker_room(worker)], question)
        try:
            return answer.wait(timeout=max(0.0, deadline - self._now()))
        finally:
            del self._questions[request]

    # ------------------------------------------------------------ for another worker
    def receive(self, origin: str, event: WorkerEvent) -> None:
        match event:
            case WorkerBeat():
                self._hear_beat(origin[:WORKER_CHARS])
            case SessionSought():
                self._scheduler.call_later(0, self._show, event)
            case SessionClaimed():
                self._scheduler.call_later(0, self._answer_claim, event)
            case SessionFound(request) | SessionHandedOver(request) | SessionRefused(request):
                if request in self._questions:
                    self._questions[request].set(event)
            case ResyncNeeded():
                self.forget_all()

    def _hear_beat(self, worker: str) -> None:
        if worker not in self._beats:  # one more: time to forget those before it
            self._beats = {each: at for each, at in self._beats.items() if self._now() - at < SILENT_SECONDS}
        self._beats[worker] = self._now()

    def _show(self, question: SessionSought) -> None:
        self._cut(question.pid)
        session = self._claimable(question.pid, question.offset)
        answer: WorkerEvent = SessionRefused(question.request, self._moved.get(question.pid))
        if session is not None:
            answer = SessionFound(question.request, session.socket_id, session.user_id, tuple(session.rooms))
        self._bus.publish([worker_room(question.asker)], answer)

    def _answer_claim(self, claim: SessionClaimed) -> None:
        answer: WorkerEvent = SessionRefused(claim.request)
        try:
            answer = self._hand_over(claim) or answer
        except ChatError as exc:
            log.info("a session is not handed over: %r", exc)
        self._bus.publish([worker_room(claim.asker)], answer)

    def _hand_over(self, claim: SessionClaimed) -> SessionHandedOver | None:
        """Its packets are all that this worker has heard before its answer. Whatever reaches the bus after that the
        asker hears itself, and what it has heard before too, it has heard before this answer."""
        if not self._has_told(claim.told):
            return None
        session = self._claimable(claim.pid, claim.offset)  # from here on nothing waits
        after = self.lost.first_missed(session, claim.offset) if session else None
        if session is None or after is None:
            return None
        for room in set(session.rooms).difference(claim.rooms):
            self.lost.leave(session, room)
        packets = _texts(self.lost.missed(session, after))
        self.lost.forget(session)
        if not _is_bearable(packets):
            return None
        while len(self._moved) >= MAX_MOVED:
            del self._moved[next(iter(self._moved))]
        self._moved[claim.pid] = claim.asker
        return SessionHandedOver(claim.request, tuple(packets), self._told(claim.told))

    # ------------------------------------------------------------ what the rules ask
    def keeps(self, user_id: str) -> bool:
        return self.lost.keeps(user_id)

    def forget_all(self) -> None:
        self.lost.clear()


@dataclass(frozen=True, slots=True)
class _Live:
    """As ``Session`` has it."""

    transport: DirectSocket
    began_with: str | None
    began_at: int


def _fits(session_user: str | None, named: str | None) -> bool:
    """Whether a session of this user may go on for a client that names that one."""
    return session_user is None or named in (None, session_user)


def _token(auth: Any, name: str) -> str | None:
    value = auth.get(name) if isinstance(auth, dict) else None
    return value if isinstance(value, str) and len(value) <= TOKEN_MAX_CHARS else None


def _texts(entries: Iterable[Entry]) -> list[str]:
    return [entry.text for entry in entries]


def _is_bearable(packets: Iterable[str]) -> bool:
    return sum(len(packet.encode()) for packet in packets) <= MISSED_MAX_BYTES


def _without(packets: Iterable[str], held: Iterable[str]) -> list[str]:
    """What of ``held`` is not in ``packets``; as often as it is there."""
    known = Counter(packets)
    left = []
    for packet in held:
        if known[packet] > 0:
            known[packet] -= 1
        else:
            left.append(packet)
    return left

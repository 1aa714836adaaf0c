"""The server's side of one WebSocket, after its handshake.

Nothing waits for a client that says nothing: the event loop calls when something has come, and one of a pool's
greenlets handles it. Frames are written with one system call where the kernel takes them, from whichever greenlet has
something to say. What the kernel does not take waits in a bounded queue; a client that does not read is closed before
it can hurt others.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

import gevent
from gevent import get_hub
from gevent.event import Event

from chatapp.transport.sockets.frames import CLOSE, NORMAL, PONG, End, FrameReader, Ping, frame, message_frame
from chatapp.transport.sockets.pool import GreenletPool

log = logging.getLogger(__name__)

BACKLOG_MAX_BYTES = 4 * 1024 * 1024
"""What may wait for one client. A broadcast's bytes are shared by all that wait for it."""

INBOX_MAX = 64
"""Messages of one client that wait to be handled; more stay in the kernel, which slows the client down."""

GOODBYE_SECONDS = 3.0
"""How long a client may take to answer a close before its connection is cut."""

SHORT_WRITE_SECONDS = 0.0002
PAUSE_FACTOR = 2
PAUSE_MAX_SECONDS = 0.01
"""Writing to fewer than some 30 sockets is followed by no pause, to more than 500 by none longer than this."""

READ_BYTES = 65536
TOGETHER_MAX_BYTES = 65536
"""What waits for many is copied with each frame that comes to it; beyond this each has a list of its own."""

FRAMES_PER_WRITE = 64
"""Buffers in one ``sendmsg``; Linux takes up to 1,024 (IOV_MAX)."""

READABLE, WRITABLE = 1, 2
"""libev's, for its watchers."""

_POOL = GreenletPool()

_NO_BACKLOG: deque[bytes | memoryview] = deque()
"""Of nearly everybody; nothing is put into it."""

_OPEN: set[WebSocket] = set()
_NONE_OPEN = Event()
_NONE_OPEN.set()
"""Of those that live by themselves."""


def wait_until_all_are_closed(hurry: Event) -> None:
    """What they have begun to handle is done by then. Nobody may be added meanwhile."""
    gevent.wait([_NONE_OPEN, hurry], count=1)


class _Turn:
    """Who has something to write at the end of this turn of the event loop; there is one loop in a process.

    A turn that took long to write, and so went to many, is followed by a pause twice as long: what is told meanwhile
    leaves together. On a server with time to spare the pause is over before anybody has something to say.
    """

    def __init__(self) -> None:
        self.due: list[WebSocket] = []
        self._pause_until = 0.0

    def begin(self) -> None:
        """Before the first is due."""
        pause = self._pause_until - time.monotonic()
        loop = get_hub().loop
        if pause <= 0:
            loop.run_callback(self._write)
        else:
            loop.update_now()
            self._timer = loop.timer(pause)
            self._timer.start(self._write_after_pause)

    def _write_after_pause(self) -> None:
        self._timer.close()
        self._write()

    def _write(self) -> None:
        """``write_turn`` of each, without three calls for each: it is what a broadcast to a full room consists of."""
        began = time.monotonic()
        due = self.due[:]
        self.due.clear()
        for websocket in due:
            frames, websocket._turn = websocket._turn, None
            if frames is None or websocket.is_closed:
                continue
            data = frames if isinstance(frames, bytes) else b"".join(frames)
            if websocket._backlog:
                websocket.write(data)
                continue
            try:
                sent = websocket._kernel.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                websocket.abort()
                continue
            if sent < len(data):
                websocket._wait_to_write(memoryview(data)[sent:])
        ended = time.monotonic()
        took = ended - began
        if took > SHORT_WRITE_SECONDS:
            self._pause_until = ended + min(PAUSE_FACTOR * took, PAUSE_MAX_SECONDS)


_TURN = _Turn()


def write_soon_to_all(websockets: Iterable[WebSocket], frame: bytes) -> None:
    """``write_soon`` of each, without a call for each. Those for whom the same waits are told the same again: it is put
    together once for all of them."""
    due = _TURN.due
    was_empty = not due
    waiting: bytes | None = None
    together = frame
    for websocket in websockets:
        turn = websocket._turn
        if turn is None:
            websocket._turn = frame  # one that is closed is passed over when it is its turn
            due.append(websocket)
        elif turn is waiting:
            websocket._turn = together
        elif isinstance(turn, list):
            turn.append(frame)
        elif len(turn) > TOGETHER_MAX_BYTES:
            websocket._turn = [turn, frame]
        else:
            waiting, together = turn, turn + frame
            websocket._turn = together
    if was_empty and due:
        _TURN.begin()


class WebSocket:
    """``sock`` is a gevent socket, and ``received`` what has been read of it already.

    At first whoever has it may ``receive``. After ``listen`` it lives by itself, and closes the socket at its end.
    """

    # What a broadcast touches stands first: of a thousand sockets it is in no cache, and has to be fetched.
    __slots__ = (
        *("_turn", "is_closed", "_backlog", "_kernel", "_sock", "_frames", "_inbox", "_on_message", "_on_end"),
        *("_reader", "_is_handling", "_is_paused", "_has_ended", "_backlog_bytes", "_writer", "_deadline"),
    )

    def __init__(self, sock: Any, received: bytes = b"", *, max_message_bytes: int) -> None:
        self._sock = sock
        self._kernel = sock._sock  # the non-blocking socket beneath: a gevent send would switch greenlets
        self._frames = FrameReader(max_message_bytes=max_message_bytes)
        self._inbox: list[str | bytes | End | None] = []  # short, and a deque takes 600 bytes for nothing
        self._on_message: Callable[[str | bytes], object] | None = None
        self._on_end: Callable[[], object] | None = None
        self._reader: Any = None
        self._is_handling = self._is_paused = self._has_ended = False
        self._turn: bytes | list[bytes] | None = None  # nearly always one frame
        self._backlog = _NO_BACKLOG
        self._backlog_bytes = 0
        self._writer: Any = None
        self._deadline: Any = None
        self.is_closed = False
        if received:
            self._take(received)

    # ------------------------------------------------------------ writing
    def send(self, message: str | bytes) -> None:
        self.write_turn()  # nothing overtakes
        self.write(message_frame(message))

    def write_soon(self, frame: bytes) -> None:
        """Put a frame on its way at the end of this turn of the event loop: what a client is told in one turn leaves
        in one system call."""
        turn = self._turn
        if turn is None:
            if not self.is_closed:
                self._turn = frame
                if not _TURN.due:
                    _TURN.begin()
                _TURN.due.append(self)
        elif isinstance(turn, list):
            turn.append(frame)
        else:
            self._turn = [turn, frame]

    def write_turn(self) -> None:
        """Write what ``write_soon`` has collected."""
        frames, self._turn = self._turn, None
        if frames is not None:
            self.write(frames if isinstance(frames, bytes) else b"".join(frames))

    def write(self, data: bytes) -> None:
        """Put whole frames on their way. Never blocks, never switches greenlets, never raises."""
        if self.is_closed:
            return
        if not self._backlog:
            try:
                sent = self._kernel.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return
            if sent == len(data):
                return
            self._wait_to_write(memoryview(data)[sent:])
        else:
            self._wait_to_write(data)

    def close(self, code: int = NORMAL) -> None:
        """Say goodbye after everything that waits. What the client sends until it answers, or is gone, is still read:
        to cut it off could lose it our words."""
        if self.is_closed:
            return
        self.write_turn()
        self.write(frame(CLOSE, code.to_bytes(2, "big")))
        self.is_closed = True
        self._deadline = get_hub().loop.timer(GOODBYE_SECONDS)
        self._deadline.start(self.abort)
        if not self._backlog:
            self._shutdown(SHUT_WR)

    def abort(self) -> None:
        """The connection is over, whatever waits."""
        self.is_closed = True
        self._turn = None
        self._backlog = _NO_BACKLOG
        self._backlog_bytes = 0
        self._writer = _stopped(self._writer)
        self._deadline = _stopped(self._deadline)
        self._shutdown(SHUT_RDWR)
        if self._has_ended:
            self._release()

    def _wait_to_write(self, data: bytes | memoryview) -> None:
        if not self._backlog:
            self._backlog = deque()
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        if self._backlog_bytes > BACKLOG_MAX_BYTES:
            log.info("cut off: a client does not read, and %d bytes wait for it", self._backlog_bytes)
            self.abort()
        elif self._writer is None:
            self._writer = get_hub().loop.io(self._sock.fileno(), WRITABLE)
            self._writer.start(self._write_backlog)

    def _write_backlog(self) -> None:
        """The kernel has room again; runs in the hub."""
        try:
            while self._backlog:
                waiting = [self._backlog[i] for i in range(min(len(self._backlog), FRAMES_PER_WRITE))]
                self._forget_written(self._kernel.sendmsg(waiting))
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self._backlog = _NO_BACKLOG
        self._writer = _stopped(self._writer)
        if self._has_ended:
            self._release()
        elif self.is_closed:
            self._shutdown(SHUT_WR)

    def _forget_written(self, sent: int) -> None:
        self._backlog_bytes -= sent
        while sent:
            first = self._backlog.popleft()
            if sent < len(first):
                self._backlog.appendleft(memoryview(first)[sent:])
                return
            sent -= len(first)

    def _shutdown(self, how: int) -> None:
        with suppress(OSError):  # the client was quicker
            self._sock.shutdown(how)  # of both sides: also tells who reads

    # ------------------------------------------------------------ reading
    def receive(self) -> str | bytes | None:
        """Wait for the next whole message; None when the connection is over, for whatever reason."""
        while not self._inbox:
            try:
                data = self._sock.recv(READ_BYTES)
            except OSError:
                data = b""
            self._take(data)
        message = self._inbox.pop(0)
        if isinstance(message, str | bytes):
            return message
        self._inbox.append(None)  # so it is for whoever asks again
        self._part(message)
        return None

    @property
    def is_listening(self) -> bool:
        return self._on_message is not None

    def listen(self, on_message: Callable[[str | bytes], object], on_end: Callable[[], object]) -> None:
        """From now on call ``on_message`` with each message, one after the other, and ``on_end`` once after the last.
        Both may wait. Returns at once."""
        self._on_message, self._on_end = on_message, on_end
        _OPEN.add(self)
        _NONE_OPEN.clear()
        loop = get_hub().loop
        self._reader = loop.io(self._sock.fileno(), READABLE)
        self._reader.start(self._read)
        if self._inbox:
            loop.run_callback(self._handle_soon)

    def _read(self) -> None:
        """Something has come, or the end; runs in the hub."""
        try:
            data = self._kernel.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._take(data)
        self._handle_soon()

    def _take(self, data: bytes) -> None:
        if not data:
            self._inbox.append(None)
            self._reader = _stopped(self._reader)
            return
        for received in self._frames.feed(data):
            if isinstance(received, Ping):
                self.write_turn()
                self.write(frame(PONG, received.payload))
            else:
                self._inbox.append(received)

    def _handle_soon(self) -> None:
        if len(self._inbox) > INBOX_MAX and not self._is_paused and self._reader is not None:
            self._reader.stop()
            self._is_paused = True
        if self._inbox and not self._is_handling:
            self._is_handling = True
            _POOL.run(self._handle)

    def _handle(self) -> None:
        """In a greenlet of the pool, until nothing waits any more."""
        assert self._on_message is not None
        while self._inbox:
            message = self._inbox.pop(0)
            if not isinstance(message, str | bytes):
                self._end(message)
                return
            self._on_message(message)
        self._is_handling = False
        if self._is_paused and self._reader is not None:
            self._is_paused = False
            self._reader.start(self._read)

    def _part(self, end: End | None) -> None:
        """The client has said goodbye, or something it must not say; or it is gone."""
        if end is None:
            self.abort()
        else:
            self.close(end.code)

    def _end(self, end: End | None) -> None:
        self._part(end)
        self._reader = _stopped(self._reader)
        on_end, self._on_message, self._on_end = self._on_end, None, None
        try:
            if on_end:
                on_end()
        finally:
            self._has_ended = True
            if not self._backlog:
                self._release()

    def _release(self) -> None:
        """Nothing more is read or written: the socket is the kernel's again."""
        self.is_closed = True
        self._deadline = _stopped(self._deadline)
        with suppress(OSError):
            self._kernel.recv(READ_BYTES)  # a socket that closes with something unread takes our last words along
        self._sock.close()
        _OPEN.discard(self)
        if not _OPEN:
            _NONE_OPEN.set()


def _stopped(watcher: Any) -> Any:
    """What is left of it: None."""
    if watcher is not None:
        watcher.stop()
        watcher.close()
    return None

"""What this worker has lately told its sockets, numbered: a client that comes back gets from here what it missed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection
from itertools import islice
from sys import getsizeof
from typing import NamedTuple

LOG_MAX_BYTES = 32 * 1024 * 1024
"""Of one worker. At about 1 kB for each packet it holds the default of 120 s up to 180 packets a second; beyond that
the time in which a connection can be taken up gets shorter."""

ENTRY_BYTES, ROOM_BYTES = 300, 90
"""What an entry, and each room that it names, takes beside its text."""

NUMBER = re.compile(r"[0-9]{1,15}")

Rooms = str | Collection[str] | None


class Entry(NamedTuple):
    number: int
    at: float
    rooms: Collection[str]
    skipped: Collection[str]
    text: str
    size: int


class PacketLog:
    """``worker`` begins every offset, so that nobody mistakes another worker's numbers for its own."""

    def __init__(
        self, worker: str, *, keep_seconds: float, now: Callable[[], float], max_bytes: int = LOG_MAX_BYTES
    ) -> None:
        self._prefix = f"{worker}."
        self._keep_seconds = keep_seconds
        self._now = now
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self.awaited: Collection[str] = ()
        """Rooms in which what is told is kept also when nobody hears it."""
        self.number = 0
        """Of the newest packet."""

    # ------------------------------------------------------------ writing
    def is_awaited(self, rooms: Rooms) -> bool:
        if not self.awaited or rooms is None:
            return False
        return rooms in self.awaited if isinstance(rooms, str) else any(room in self.awaited for room in rooms)

    def record(self, rooms: Rooms, skipped: Collection[str], text: str) -> int:
        """Its number. ``text`` is the Socket.IO packet of an event, without an offset; ``skipped`` are sockets."""
        self.number += 1
        names = (rooms,) if isinstance(rooms, str) else rooms or ()
        now = self._now()
        size = getsizeof(text) + ENTRY_BYTES + ROOM_BYTES * len(names)
        self._entries.append(Entry(self.number, now, names, skipped, text, size))
        self._bytes += size
        oldest = now - self._keep_seconds
        while self._entries and (self._bytes > self._max_bytes or self._entries[0].at < oldest):
            self._bytes -= self._entries.popleft().size
        return self.number

    # ------------------------------------------------------------ reading
    def stamped(self, text: str, number: int) -> str:
        """The packet with its offset, which the client takes for one more argument."""
        return f'{text[:-1]},"{self._prefix}{number}"]'

    def read(self, offset: str | None) -> int | None:
        """The number in an offset of ours."""
        if offset is None or not offset.startswith(self._prefix):
            return None
        digits = offset[len(self._prefix) :]
        return int(digits) if NUMBER.fullmatch(digits) else None

    def covers(self, number: int) -> bool:
        """Whether every packet after this one is still here."""
        return self.number - len(self._entries) <= number <= self.number

    def after(self, number: int) -> list[Entry]:
        """In the order told."""
        newest_first = islice(reversed(self._entries), max(0, self.number - number))
        return list(newest_first)[::-1]

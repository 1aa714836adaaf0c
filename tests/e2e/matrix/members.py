"""What a good front end does, many times over: it comes back, catches up, and repeats what was not acknowledged.

Each member is a thread with one ``chatapp.torture`` client, which records what it saw.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from chatapp.torture.client import Client, usable
from chatapp.torture.connection import Connection, Refused
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest

RETRY_SECONDS = 0.2
"""How long a client waits before it tries again, to connect or to send. It is part of the time to catch up."""

LOOK_SECONDS = 0.02
"""How often it looks whether it is still connected."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one member does. ``rate`` is the messages it sends in a second, to its rooms in turn."""

    user: str
    url: str
    transport: str
    rooms: tuple[str, ...]
    rate: float = 0.0


class Member:
    def __init__(self, part: Part, recorder: Recorder, *, writing: threading.Event) -> None:
        self.part = part
        self._recorder = recorder
        self._writing = writing
        self._over = threading.Event()
        self._due = 0.0
        self.begun = 0
        """How many messages it has begun to send."""
        self.is_sending = False
        self._problem: Exception | None = None
        self.client = Client(
            part.user, Rest(part.url), recorder, url=part.url, socket_path="/socket.io", transport=part.transport
        )
        self.client.rooms |= set(part.rooms)
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Raises what the member did not understand."""
        self._over.set()
        self._thread.join()
        self.client.cut()
        if self._problem is not None:
            raise self._problem

    def hurry(self) -> None:
        """Its next message is due now."""
        self._due = 0.0

    # ------------------------------------------------------------ for others to look at
    @property
    def is_home(self) -> bool:
        """Connected, and in all its rooms."""
        return all(self.client.is_up_to_date(room, 0) for room in self.part.rooms)

    @property
    def is_idle(self) -> bool:
        """All that it sent was acknowledged."""
        return not (self.is_sending or self._writing.is_set())

    @property
    def worker(self) -> int:
        """The process that has its session (docs/decisions/0005); 0 when it has none."""
        connection = self._connection
        return int(connection.session_id.partition(".")[0], 16) if connection and connection.is_open else 0

    def has_all(self, last_seqs: dict[str, int]) -> bool:
        return all(self.client.is_up_to_date(room, last_seqs[room]) for room in self.part.rooms)

    # ------------------------------------------------------------ its thread
    def _run(self) -> None:
        try:
            self._live()
        except Exception as exc:
            self._problem = exc

    def _live(self) -> None:
        rooms = cycle(self.part.rooms)
        while not self._over.is_set():
            if self._come() and self._writes and self._recorder.now() >= self._due:
                self._due = max(self._due, self._recorder.now()) + 1 / self.part.rate  # nothing missed is made up for
                self._send(next(rooms), f"{self.part.user}-{self.begun}")
            left = self._due - self._recorder.now() if self._writes else LOOK_SECONDS
            self._over.wait(min(LOOK_SECONDS, max(0.0, left)))

    @property
    def _writes(self) -> bool:
        return self.part.rate > 0 and self._writing.is_set()

    def _come(self) -> Connection | None:
        """None when it must be tried again; it has waited then."""
        try:
            self._connection = self.client.come()
        except Gone:
            self.client.cut()  # entering a room without catching up would leave a gap
            self._over.wait(RETRY_SECONDS)
            return None
        return self._connection

    def _send(self, room: str, key: str) -> None:
        message = self.client.begin_send(key, room, f"content of {key}")
        self.is_sending = True
        self.begun += 1
        while not self._over.is_set() and not self._is_acknowledged(message):
            self._over.wait(RETRY_SECONDS)
        self.is_sending = False

    def _is_acknowledged(self, message: dict[str, Any]) -> bool:
        key = message["clientMessageId"]
        connection = self._come()
        if connection is None:
            return False
        try:
            connection.call("send_message", message, answered=lambda said: self._recorder.answer_send(key, said))
        except Refused as refusal:
            if usable(refusal):
                raise  # a member was told a definite no
            return False
        except Gone:
            return False
        return True

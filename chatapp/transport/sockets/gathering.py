"""What one room was told and its sockets have not been sent yet: it waits a moment, and leaves in one write for each.

Nothing is decided late: who hears a packet, and its number, are settled when it is told. See
``docs/decisions/0013-gathered-presence.md``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from engineio import packet as engine_packet

from chatapp.transport.sockets.frames import message_frame
from chatapp.transport.sockets.packet_log import PacketLog


class Told(NamedTuple):
    """``text`` is the Socket.IO packet without an offset; ``skipped`` are sockets. ``number`` is 0 where no socket
    in the room counts."""

    number: int
    text: str
    skipped: Collection[str]


class Due(NamedTuple):
    """What waits for one socket: whole frames as one piece, and the number of the last."""

    frames: bytes
    last: int


class Gathering:
    """In the order told. Each socket of the room is due what it has not been sent since it came in."""

    def __init__(self, log: PacketLog) -> None:
        self._log = log
        self._told: list[Told] = []
        self._since: dict[str, int] = {}  # socket → how many had been told when it came in, or was sent the last
        self._skipped: set[str] = set()
        self._frames: dict[bool, list[bytes]] = {True: [], False: []}  # with offsets, and without
        self._pieces: dict[tuple[bool, int], bytes] = {}  # all from one on
        self.size = 0
        """Characters gathered."""

    def __len__(self) -> int:
        return len(self._told)

    def add(self, told: Told) -> None:
        self._told.append(told)
        self._skipped.update(told.skipped)
        self._pieces.clear()
        self.size += len(told.text)

    def enter(self, sid: str) -> None:
        """The socket comes in now. To be called once."""
        if self._told:
            self._since[sid] = len(self._told)

    def take(self, sid: str, *, stamped: bool) -> Due | None:
        """What waits for a socket that is in the room; it is regarded as sent."""
        first, last = self._pass(sid)
        if first == last:
            return None
        frames = self._framed(stamped)
        if sid not in self._skipped:
            return Due(self._piece(stamped, first), self._told[-1].number)
        mine = [at for at in range(first, last) if sid not in self._told[at].skipped]
        if not mine:
            return None
        if len(mine) == last - mine[0]:  # it was told of itself, as it came in
            return Due(self._piece(stamped, mine[0]), self._told[-1].number)
        return Due(b"".join([frames[at] for at in mine]), self._told[mine[-1]].number)

    def take_packets(self, sid: str, *, stamped: bool) -> tuple[list[engine_packet.Packet], int]:
        """The same for who polls, one by one."""
        first, _ = self._pass(sid)
        mine = [told for told in self._told[first:] if sid not in told.skipped]
        packets = [engine_packet.Packet(engine_packet.MESSAGE, self._text(told, stamped=stamped)) for told in mine]
        return packets, mine[-1].number if mine else 0

    def clear(self) -> None:
        """Everybody was sent what waited for them."""
        self._told.clear()
        self._since.clear()
        self._skipped.clear()
        self._pieces.clear()
        for frames in self._frames.values():
            frames.clear()
        self.size = 0

    def _pass(self, sid: str) -> tuple[int, int]:
        first, last = self._since.get(sid, 0), len(self._told)
        self._since[sid] = last
        return first, last

    def _piece(self, stamped: bool, first: int) -> bytes:
        piece = self._pieces.get((stamped, first))
        if piece is None:
            piece = self._pieces[stamped, first] = b"".join(self._framed(stamped)[first:])
        return piece

    def _framed(self, stamped: bool) -> list[bytes]:
        frames = self._frames[stamped]
        for told in self._told[len(frames) :]:
            frames.append(message_frame("4" + self._text(told, stamped=stamped)))
        return frames

    def _text(self, told: Told, *, stamped: bool) -> str:
        return self._log.stamped(told.text, told.number) if stamped else told.text

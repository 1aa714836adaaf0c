"""Socket.IO packets as clients send them, read so that nothing a client writes can raise.

The library hands a packet's data to the namespace as ``(event, *arguments)``. Ours is a single ``Call`` instead: it
knows whether an acknowledgement is awaited and what was wrong with the packet, and no client can forge the library's
own ``connect`` and ``disconnect``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet

from chatapp.domain.errors import BinaryNotSupported, ChatError, MalformedPayload, TooLarge

EVENT_MAX_BYTES = 64 * 1024
"""An event, its name and its acknowledgement number included, counted in UTF-8."""

KNOWN_TYPES = (CONNECT, DISCONNECT, ACK)
NAME = re.compile(r'\["((?:[^"\\]){1,100})"')
ID_MAX_DIGITS = 15
HEADER_MAX_CHARS = 300
"""More than a packet's type, namespace, number and event name ever take here."""


@dataclass(frozen=True, slots=True)
class Call:
    """One event of a client. ``refusal`` is set where the packet itself is no good, whatever it asks for."""

    event: str
    arguments: tuple[Any, ...]
    wants_ack: bool
    refusal: ChatError | None = None


class ChatPacket(Packet):
    data: Any
    uses_binary_events = False
    """Nothing of ours is binary; the library would look through all that is sent."""

    def decode(self, encoded_packet: Any) -> int:
        """Never raises and never waits for attachments: the count it returns is always 0."""
        if isinstance(encoded_packet, bytes):
            self.packet_type = ACK  # an attachment whose event has been refused; an unasked ack is ignored
            return 0
        if _exceeds(encoded_packet, EVENT_MAX_BYTES):
            self._refuse_unread(encoded_packet)
            return 0
        try:
            if not self._read_plain_event(encoded_packet):
                super().decode(encoded_packet)
        except (ValueError, TypeError, IndexError, AttributeError):
            self._refuse(MalformedPayload())
            return 0
        if self.packet_type in (EVENT, BINARY_EVENT):
            self._read_event()
        elif self.packet_type == BINARY_ACK:
            self.packet_type = ACK  # unasked; as it is, the library would take all that follows for its attachments
        elif self.packet_type not in KNOWN_TYPES:
            self._refuse(MalformedPayload())
        return 0

    def _read_plain_event(self, text: str) -> bool:
        """What nearly all packets are: an event of our namespace, with a number or without."""
        start = text.find("[", 1, ID_MAX_DIGITS + 2)
        number = text[1:start]
        if text[0] != "2" or start < 0 or not (start == 1 or (number.isascii() and number.isdigit())):
            return False
        self.packet_type = EVENT
        self.id = int(number) if number else None
        self.data = self.json.loads(text[start:])
        return True

    def _read_event(self) -> None:
        data = self.data
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            self._refuse(MalformedPayload())
        elif self.packet_type == BINARY_EVENT:
            self._refuse(BinaryNotSupported(), data[0])
        else:
            self.data = [Call(data[0], tuple(data[1:]), self.id is not None)]

    def _refuse(self, error: ChatError, event: str = "") -> None:
        if self.packet_type == CONNECT:
            self.data = Call("", (), wants_ack=False, refusal=error)  # the connect handler refuses what is no object
            return
        self.packet_type = EVENT
        self.data = [Call(event, (), self.id is not None, error)]

    def _refuse_unread(self, encoded_packet: str) -> None:
        """Whom to tell is read from the head alone: to parse megabytes would stall every other client."""
        head = encoded_packet[:HEADER_MAX_CHARS]
        try:
            super().decode(head[: head.find("[")])
        except (ValueError, TypeError, IndexError):
            self.packet_type = EVENT
        name = NAME.search(head)
        self._refuse(TooLarge(maxBytes=EVENT_MAX_BYTES), name[1] if name else "")


def ack(number: int, answer: Any) -> str:
    """The packet that acknowledges an event of the client's."""
    return f"{ACK}{number}{ChatPacket.json.dumps([answer])}"


def _exceeds(text: Any, limit: int) -> bool:
    if not isinstance(text, str) or len(text) * 4 <= limit:  # a character takes at most four bytes
        return False
    return len(text) > limit or len(text.encode(errors="replace")) > limit

"""How much each thing may cost, and what it did when the bound was set.

Counts of CPython 3.11 with the locked versions: the same on every machine, however busy. Who makes something cheaper
lowers its bound; who has to raise one says why in the commit. ``pytest tests/costs -s`` prints what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """``most`` is about a tenth above what was ``measured``, where that is no whole number by nature."""

    most: float
    measured: float


DELIVERY = {
    "socket_writes": Bound(1.01, 1),
    "switches": Bound(0.01, 0),
    "serialisations": Bound(0.01, 0),
    "python_calls": Bound(0.3, 0),
    "builtin_calls": Bound(5.4, 4.9),
}
"""One more member of a room that a message is sent to."""

SEND = {
    "socket_writes": Bound(2.1, 2),
    "switches": Bound(9, 8),
    "serialisations": Bound(2.1, 2),
    "statements": Bound(6.5, 6),
    "python_calls": Bound(174, 158),
    "builtin_calls": Bound(150, 137),
}
"""One message between two people, from its frame to the acknowledgement and both deliveries."""

JOIN = {
    "python_calls": Bound(845, 767),
    "builtin_calls": Bound(900, 815),
    "statements": Bound(6.5, 6),
}
"""One more user: handshake, CONNECT and ``user_join``, with five others online who hear of it."""

JOIN_HEARD = {
    "socket_writes": Bound(1.2, 0.01),
    "python_calls": Bound(12, 0.07),
    "switches": Bound(0.4, 0),
}
"""One more user online who hears of one that joins. Those who come together are told of together, and how little that
is depends on time; that it is one write for all is counted apart. When the few are told together and the many one by
one, it is as much as this."""

HISTORY = {
    "python_calls": Bound(1_930, 1_804),
    "builtin_calls": Bound(1_270, 1_204),
    "statements": Bound(3.5, 3),
}
"""The newest 50 messages by REST."""

IDLE_SOCKET = {"blocks": Bound(80, 62.4), "objects": Bound(42, 32)}
"""One more user who is connected and joined: blocks of pymalloc, and objects that the collector knows.
On a busy machine some of what makes them is still there (a sixth more was seen)."""

"""How a worker that stops parts with its clients: each is told when, and the moments are spread.

The transport ends, and no Socket.IO DISCONNECT is sent: after that the stock client would not come back by itself.
"""

from __future__ import annotations

import random
import time

import gevent
import socketio
from gevent.event import Event

from chatapp.protocol.outgoing import SERVER_DRAINING
from chatapp.transport.sockets.rooms import NAMESPACE

NOTICE_SECONDS = 0.5
"""Nobody's socket is closed sooner than this after the notice: a polling client must have read it and asked again, or
it would find an unknown session instead of the end."""

DRAIN_SPREAD_SECONDS = 5.0
"""The closings are spread over so long at most: it leaves most of the graceful timeout to what was begun, and the
stock client adds 0.5 to 1.5 s of its own chance before it comes back."""

ALONE_SPREAD_SECONDS = 1.0
"""The same without Redis, where a worker and its successor do not hear each other: the successor of a rolling restart
is not up so soon, so nobody talks past those who have not moved yet."""

CLOSINGS_PER_SECOND = 100
"""What the spread is for: so many clients connect and join in a second beside a worker's other work. A few sockets
need no spread."""


def drain(server: socketio.Server, hurry: Event, *, spread_max_seconds: float) -> None:
    """Returns when every socket is closed, which ``hurry`` makes at once."""
    connected = server.manager.sid_from_eio_sid
    names = {transport: connected(transport, NAMESPACE) for transport in list(server.eio.sockets)}
    for transport in [transport for transport, name in names.items() if name is None]:
        _close(server, transport)
    told = [transport for transport, name in names.items() if name is not None]
    random.shuffle(told)
    began = time.monotonic()
    moments = [began + after for after in closings(len(told), 0 if hurry.is_set() else spread_max_seconds)]
    for transport, moment in zip(told, moments, strict=True):
        _tell(server, names[transport], 0 if hurry.is_set() else moment - time.monotonic())
        gevent.sleep(0)  # the others' turn: there may be thousands to tell
    for transport, moment in zip(told, moments, strict=True):
        hurry.wait(max(0.0, moment - time.monotonic()))
        _close(server, transport)
    for transport in list(server.eio.sockets):  # was being opened when all were told
        _close(server, transport)


def closings(count: int, spread_max_seconds: float) -> list[float]:
    """When to close so many sockets: seconds from now, ascending, each at random in a share of its own."""
    spread = min(spread_max_seconds, count / CLOSINGS_PER_SECOND)
    return [NOTICE_SECONDS + spread * (number + random.random()) / count for number in range(count)]  # noqa: S311 - no secret


def _tell(server: socketio.Server, socket_id: str | None, seconds: float) -> None:
    body = SERVER_DRAINING.schema.dump({"reconnect_in_ms": max(0, round(seconds * 1000))})
    server.emit(SERVER_DRAINING.name, body, to=socket_id, namespace=NAMESPACE)


def _close(server: socketio.Server, transport: str) -> None:
    """A WebSocket is closed with nothing more: at Engine.IO's CLOSE packet the Python client would stay away. A
    polling client has nothing else by which to know."""
    server.manager.settle_all()
    socket = server.eio.sockets.pop(transport, None)
    if socket is not None:
        socket.close(wait=False, abort=socket.upgraded, reason=server.eio.reason.SERVER_DISCONNECT)

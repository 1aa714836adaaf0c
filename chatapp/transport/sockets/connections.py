"""What is known of each connected socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatapp.transport.auth import Caller
from chatapp.transport.sockets.direct import DirectSocket


@dataclass(slots=True)
class Connection:
    """``user_id`` is whom the socket speaks for: from the handshake, or from ``user_join``. ``pid`` is the secret by
    which the client may take the connection up again; None when it cannot. ``renew`` takes a newer token of the same
    user, and says until when it is good; None in open mode. It raises what ``Authenticator.by_token`` does,
    and IdentityMismatch."""

    socket_id: str
    address: str
    language: str
    caller: Caller
    renew: Callable[[str], datetime | None]
    user_id: str | None = None
    pid: str | None = None


@dataclass(frozen=True, slots=True)
class Welcome:
    """How a CONNECT is answered. ``begin`` is called with the client's transport right after ``answer`` was sent, and
    ``cancel`` instead when the client has gone meanwhile. Neither waits."""

    socket_id: str
    answer: dict[str, Any]
    begin: Callable[[DirectSocket], object]
    cancel: Callable[[], object]

"""What is known of each connected socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Connection:
    """``user_id`` is whom the socket speaks for: from the handshake, or from ``user_join``."""

    socket_id: str
    address: str
    language: str
    user_id: str | None = None

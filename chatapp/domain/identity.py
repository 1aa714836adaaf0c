"""What proves who somebody is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What a user's token says. None is what it does not say."""

    user_id: str
    issued_at: datetime
    expires_at: datetime
    name: str | None = None
    email: str | None = None
    avatar: str | None = None
    roles: tuple[str, ...] | None = None
    filials: tuple[str, ...] | None = None

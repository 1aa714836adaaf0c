"""Tokens that are worth nothing any more, although they have not expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """Of this user's tokens, of everybody's where it is None: those issued before ``before``."""

    user_id: str | None
    before: datetime

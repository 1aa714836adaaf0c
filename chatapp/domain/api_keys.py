"""API keys of the company's own backend.

Only ``digest``, the secret's SHA-256, is kept. A secret has 256 random bits: nobody guesses one from its digest, so a
slow hash with a salt, as passwords need, would cost every request and protect nothing. A key's id is the beginning of
its digest: who finds a secret where it does not belong can tell which key to revoke, without asking anybody::

    printf %s "$SECRET" | sha256sum | cut -c1-16
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from chatapp.domain.models import Scope

PREFIX = "ck_"
"""So that people and scanners know a key when they see one; no token begins so."""

SECRET_BYTES = 32
ID_DIGITS = 16

_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
"""``token_urlsafe`` writes 32 bytes in 43 characters."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    digest: str = field(repr=False)
    last_used_at: datetime | None = None
    """To a minute or so."""
    revoked_at: datetime | None = None

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Whether it could be one; saves a question to the store."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def id_of(digest: str) -> str:
    return digest[:ID_DIGITS]

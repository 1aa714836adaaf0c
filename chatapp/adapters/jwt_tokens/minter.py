"""Signs tokens with the configured secret, as a company's backend does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson

from chatapp.adapters.jwt_tokens.keys import JWS, SECRET
from chatapp.adapters.jwt_tokens.verifier import CLAIMS
from chatapp.ports import Clock


class TokenMinter:
    """``audience`` and ``issuer`` are put into every token; None leaves them out."""

    def __init__(
        self,
        secrets: Iterable[tuple[str | None, str]],
        *,
        clock: Clock,
        audience: str | None = None,
        issuer: str | None = None,
    ) -> None:
        """``secrets``: name and secret, at least one. The first signs where nobody names another."""
        self._secrets, self._clock = dict(secrets), clock
        self._meant_for = {"aud": audience, "iss": issuer}

    def mint(self, claims: dict[str, Any], *, lifetime: timedelta, kid: str | None = None) -> str:
        """``claims`` as a token says them; None leaves one out. Raises ValidationError, and KeyError for ``kid``."""
        kid = next(iter(self._secrets)) if kid is None else kid
        secret = self._secrets[kid]
        issued_at = int(self._clock.now().timestamp())
        times = {"iat": issued_at, "exp": issued_at + int(lifetime.total_seconds())}
        said = {name: value for name, value in (claims | times | self._meant_for).items() if value is not None}
        CLAIMS.load(said)
        headers = None if kid is None else {"kid": kid}
        return JWS.encode(orjson.dumps(said), secret, algorithm=SECRET, headers=headers)

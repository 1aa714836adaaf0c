"""Verifies tokens: the signature by a key of ours, then what it says, then whether it counts now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from jwt import InvalidSignatureError, PyJWTError
from marshmallow import ValidationError

from chatapp.adapters.jwt_tokens.cache import Proven, ProvenTokens
from chatapp.adapters.jwt_tokens.keys import JWS, Key, KeySource
from chatapp.domain.errors import TokenExpired, TokenInvalid
from chatapp.domain.identity import Identity
from chatapp.ports import Clock
from chatapp.protocol.claims import TokenClaimsSchema

TOKEN_MAX_CHARS = 8 * 1024
LONGEST_LIFE = timedelta(hours=24)
LEEWAY = timedelta(seconds=30)
"""How far the issuer's clock may be ahead of ours. None for ``exp``: what has expired has expired."""

COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
CLAIMS = TokenClaimsSchema()


class Unproven(Exception):
    """Why a token does not count, in words for the log."""


class JwtVerifier:
    """``audience`` and ``issuer``: what a token must say; None where it may say anything.

    A token is verified once, and known again by its hash as long as its key counts.
    """

    def __init__(
        self, sources: Sequence[KeySource], *, clock: Clock, audience: str | None = None, issuer: str | None = None
    ) -> None:
        self._sources, self._clock = tuple(sources), clock
        self._audience, self._issuer = audience, issuer
        self._proven = ProvenTokens()

    def verify(self, token: str) -> Identity:
        """Raises TokenInvalid, TokenExpired; Unavailable while no key could be fetched yet."""
        if len(token) > TOKEN_MAX_CHARS or not COMPACT.fullmatch(token):
            raise TokenInvalid from Unproven("it is no token, or too long")
        digest = sha256(token.encode()).digest()
        known = self._proven.get(digest)
        if known is None or not any(source.holds(known.key) for source in self._sources):
            known = self._prove(token)
        if known.identity.expires_at <= self._clock.now():
            self._proven.forget(digest)
            raise TokenExpired
        self._proven.keep(digest, known)
        return known.identity

    def _prove(self, token: str) -> Proven:
        try:
            key, payload = self._signed(token)
            claims = orjson.loads(payload)
            self._require_meant_for_us(claims)
            said = CLAIMS.load(claims)
            _require_timely(said, self._clock.now())
        except (PyJWTError, Unproven, ValidationError, orjson.JSONDecodeError) as exc:
            raise TokenInvalid from exc
        del said["not_before"]
        return Proven(key, Identity(**said))

    def _signed(self, token: str) -> tuple[Key, bytes]:
        header = JWS.get_unverified_header(token)
        for key in self._candidates(header):
            try:
                return key, JWS.decode(token, key.material, algorithms=[key.algorithm])
            except InvalidSignatureError:
                continue
        raise Unproven("no key of ours has signed it")

    def _candidates(self, header: dict[str, Any]) -> Iterator[Key]:
        """A source is asked only when those before it had no key for it: one of them may have to fetch."""
        algorithm = header.get("alg")
        if not isinstance(algorithm, str):
            raise Unproven("its header names no algorithm")
        for source in self._sources:
            yield from source.find(algorithm, header.get("kid"))

    def _require_meant_for_us(self, claims: Any) -> None:
        if not isinstance(claims, dict):
            raise Unproven("its claims are no object")
        said = claims.get("aud")
        audiences = said if isinstance(said, list) else [said]
        if self._audience is not None and self._audience not in audiences:
            raise Unproven("it is meant for another audience")
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise Unproven("it is another issuer's")


def _require_timely(said: dict[str, Any], now: datetime) -> None:
    """So ``exp`` is never further away than LONGEST_LIFE, and LEEWAY. Whether it is over is asked each time."""
    if said["issued_at"] > now + LEEWAY:
        raise Unproven("it was issued in the future")
    if not timedelta(0) < said["expires_at"] - said["issued_at"] <= LONGEST_LIFE:
        raise Unproven(f"it does not expire within {LONGEST_LIFE} of being issued")
    if said["not_before"] is not None and said["not_before"] > now + LEEWAY:
        raise Unproven("it does not count yet")

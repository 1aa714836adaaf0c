"""Who a request or an event really comes from.

Open mode believes what it is told; that is for development. Otherwise a user's token or an API key decides, and what
names somebody else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from chatapp.domain.api_keys import PREFIX as API_KEY_PREFIX
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import IdentityMismatch, InvalidData, NoProof, TokenInvalid, TokenRevoked
from chatapp.domain.identity import Identity
from chatapp.domain.models import Actor, Scope, Standing
from chatapp.protocol.requests import HandshakeSchema

HANDSHAKE = HandshakeSchema()


@dataclass(frozen=True, slots=True)
class Caller:
    """What has been proved of a request or a connection."""

    standing: Standing = Standing.TRUSTED
    identity: Identity | None = None
    scopes: frozenset[Scope] = frozenset()
    key_id: str | None = None

    @property
    def user_id(self) -> str | None:
        """Whose token it is."""
        return self.identity.user_id if self.identity else None

    def acting_for(self, claimed: str | None, *, known: str | None = None) -> Actor:
        """``claimed`` is whom the payload names, ``known`` whom the connection speaks for. Raises IdentityMismatch."""
        if self.identity is None:
            return Actor(claimed or known, self.standing, self.scopes, key_id=self.key_id)
        if claimed is not None and claimed != self.identity.user_id:
            raise IdentityMismatch(userId=claimed)
        return Actor(self.identity.user_id, self.standing, identity=self.identity)


ANYBODY = Caller()
"""Everybody in open mode."""


class Authenticator:
    def __init__(
        self,
        verify: Callable[[str], Identity] | None,
        find_key: Callable[[str], ApiKey],
        is_revoked: Callable[[str, datetime], bool],
        *,
        admin_roles: Collection[str],
    ) -> None:
        """Without ``verify``, which raises TokenInvalid and TokenExpired, it is open mode. ``find_key`` raises
        KeyInvalid; ``is_revoked`` is asked with a user and when the token was issued."""
        self._verify = verify
        self._find_key = find_key
        self._is_revoked = is_revoked
        self._admin_roles = frozenset(admin_roles)

    def of_request(self, authorization: str) -> Caller:
        """From the header of that name. Raises NoProof and its kinds."""
        if self._verify is None:
            return ANYBODY
        scheme, _, proof = authorization.partition(" ")
        proof = proof.strip()
        if not proof:
            raise NoProof
        if scheme.lower() != "bearer":
            raise TokenInvalid
        return self._by_key(proof) if proof.startswith(API_KEY_PREFIX) else self.by_token(proof)

    def of_handshake(self, auth: Any) -> tuple[Caller, str | None]:
        """From ``auth`` of a connection: who it is, and whom the connection speaks for until somebody joins.

        Raises InvalidData, IdentityMismatch, NoProof and its kinds.
        """
        try:
            said = HANDSHAKE.load({} if auth is None else auth)
        except ValidationError as exc:
            raise InvalidData(exc.normalized_messages()) from exc
        if self._verify is None:
            return ANYBODY, said["user_id"]
        if said["token"] is None:
            raise NoProof
        caller = self.by_token(said["token"])
        return caller, caller.acting_for(said["user_id"]).user_id

    def by_token(self, token: str) -> Caller:
        """Raises TokenInvalid, TokenExpired, TokenRevoked."""
        if self._verify is None:
            return ANYBODY
        identity = self._verify(token)
        is_admin = not self._admin_roles.isdisjoint(identity.roles or ())
        caller = Caller(Standing.ADMIN if is_admin else Standing.USER, identity)
        if self.is_revoked(caller):
            raise TokenRevoked
        return caller

    def is_revoked(self, caller: Caller) -> bool:
        """Whether its token has been revoked since it was taken."""
        identity = caller.identity
        return identity is not None and self._is_revoked(identity.user_id, identity.issued_at)

    def _by_key(self, secret: str) -> Caller:
        key = self._find_key(secret)
        return Caller(Standing.KEY, scopes=key.scopes, key_id=key.id)

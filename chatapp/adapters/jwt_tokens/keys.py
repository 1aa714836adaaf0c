"""What a token can be verified with. A key has one algorithm, and only that: a token cannot choose another.

A JSON Web Key Set (RFC 7517) may hold what is of no use here: those keys are passed over, and the log says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWS, PyJWTError

if TYPE_CHECKING:
    from jwt.algorithms import AllowedPublicKeys

log = structlog.get_logger(__name__)

SECRET = "HS256"  # noqa: S105 - an algorithm
PUBLIC = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""JWK type and curve → the algorithm of such a key."""
PUBLIC_ALGORITHMS = frozenset(PUBLIC.values())

JWS = PyJWS([SECRET, *PUBLIC_ALGORITHMS], {"verify_signature": True, "enforce_minimum_key_length": True})
"""Our own: nobody can teach it ``none`` by registering it with the library's global one."""

RSA_MIN_BITS = 2048
"""RFC 7518, 3.3."""

JWKS_MAX_BYTES = 256 * 1024
JWKS_MAX_KEYS = 32
"""A token that names no key is tried with each."""


class KeysUnusable(Exception):
    """A key set that nothing can be verified with; the text is meant for the operator."""


class KeyUnusable(Exception):
    """One of a set's keys, likewise."""


@dataclass(frozen=True, slots=True)
class Key:
    kid: str | None
    """None where it has no name; it is then tried for every token of its algorithm."""
    algorithm: str
    material: AllowedPublicKeys | bytes = field(repr=False)


class KeySource(Protocol):
    """Where keys come from. May change between two calls."""

    def find(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        """The keys that can have signed a token with this header. Raises Unavailable while nobody can know."""

    def holds(self, key: Key) -> bool:
        """Whether it still counts."""


class FixedKeys:
    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def find(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        return matching(self._keys, algorithm, kid)

    def holds(self, key: Key) -> bool:
        return key in self._keys


def secret_key(kid: str | None, secret: str) -> Key:
    return Key(kid, SECRET, secret.encode())


def matching(keys: Iterable[Key], algorithm: str, kid: str | None) -> list[Key]:
    return [key for key in keys if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)]


# ---------------------------------------------------------------- key sets
def read_jwks(text: bytes) -> tuple[Key, ...]:
    """The usable keys of a key set. Raises KeysUnusable when it is none, or has none."""
    keys = []
    for jwk in _members(text):
        try:
            keys.append(_public_key(jwk))
        except KeyUnusable as exc:
            log.warning("a key of the key set is passed over", kid=_kid(jwk), reason=str(exc))
    if not keys:
        raise KeysUnusable("it holds no key for RS256, ES256 or EdDSA")
    return tuple(keys)


def _members(text: bytes) -> list[Any]:
    if len(text) > JWKS_MAX_BYTES:
        raise KeysUnusable(f"it is larger than {JWKS_MAX_BYTES} bytes")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise KeysUnusable("it is not JSON") from None
    members = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(members, list):
        raise KeysUnusable('it is not a key set, like {"keys": […]}')
    if len(members) > JWKS_MAX_KEYS:
        raise KeysUnusable(f"it holds more than {JWKS_MAX_KEYS} keys")
    return members


def _kid(jwk: Any) -> str | None:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    return kid if isinstance(kid, str) else None


def _public_key(jwk: Any) -> Key:
    algorithm = _algorithm(jwk)
    try:
        material = PyJWK(jwk, algorithm).key
    except PyJWTError:  # whose text may quote the key
        raise KeyUnusable("its numbers make no key") from None
    if isinstance(material, RSAPublicKey) and material.key_size < RSA_MIN_BITS:
        raise KeyUnusable(f"it has {material.key_size} bits, fewer than {RSA_MIN_BITS}")
    return Key(_kid(jwk), algorithm, material)


def _algorithm(jwk: Any) -> str:
    """Raises KeyUnusable for a key that is not made to verify tokens with."""
    if not isinstance(jwk, dict):
        raise KeyUnusable("it is no object")
    kind = jwk.get("kty"), jwk.get("crv")
    algorithm = next((algorithm for known, algorithm in PUBLIC.items() if known == kind), None)
    if algorithm is None:
        raise KeyUnusable("it is neither RSA nor on P-256 nor on Ed25519")
    if jwk.get("alg", algorithm) != algorithm:
        raise KeyUnusable(f"it is not for {algorithm}")
    uses = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not (isinstance(uses, list) and "verify" in uses):
        raise KeyUnusable("it is not for signatures")
    if "d" in jwk:
        raise KeyUnusable("it is private, and should not be here")
    return algorithm

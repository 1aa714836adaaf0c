"""Tokens that were verified before. Verifying one again takes many times as long: ``docs/security.md``."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.adapters.jwt_tokens.keys import Key
from chatapp.domain.identity import Identity

MAX_PROVEN = 10_000
"""Some 10 MB. Only what was verified gets in, so no stranger can fill it."""


@dataclass(frozen=True, slots=True)
class Proven:
    """``key`` is the one that signed it: when that no longer counts, neither does this."""

    key: Key
    identity: Identity


class ProvenTokens:
    """By the token's hash, so that memory holds nothing to sign in with. The longest unused make room."""

    def __init__(self) -> None:
        self._proven: dict[bytes, Proven] = {}

    def get(self, digest: bytes) -> Proven | None:
        return self._proven.get(digest)

    def keep(self, digest: bytes, proven: Proven) -> None:
        self._proven.pop(digest, None)
        self._proven[digest] = proven
        if len(self._proven) > MAX_PROVEN:
            del self._proven[next(iter(self._proven))]

    def forget(self, digest: bytes) -> None:
        self._proven.pop(digest, None)

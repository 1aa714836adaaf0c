"""How long it takes to verify a user's token, the first time and again: ``python -m benchmarks.tokens``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from timeit import repeat
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt import PyJWS

from chatapp.adapters.jwt_tokens import FixedKeys, JwtVerifier, Key, secret_key
from chatapp.adapters.system import SystemClock

TIMES, RUNS = 500, 5
CLAIMS = {"sub": "ana", "name": "Ana Pérez", "email": "ana@example.com", "roles": ["agent"], "filials": ["lima"]}


def main() -> None:
    print("| algorithm | first, µs | again, µs |\n| --- | --- | --- |")
    for key, private in _keys():
        token = _token(private, key.algorithm)
        first = _microseconds(partial(_verify_anew, key, token))
        again = _microseconds(partial(_verifier(key).verify, token))
        print(f"| {key.algorithm} | {first:.0f} | {again:.1f} |")


def _keys() -> list[tuple[Key, Any]]:
    secret = secrets.token_hex(32)
    rsa, ec, ed = generate_rsa_key(65537, 2048), generate_private_key(SECP256R1()), Ed25519PrivateKey.generate()
    public: list[tuple[str, Any]] = [("RS256", rsa), ("ES256", ec), ("EdDSA", ed)]
    return [
        (secret_key(None, secret), secret),
        *((Key(None, algorithm, private.public_key()), private) for algorithm, private in public),
    ]


def _token(private: Any, algorithm: str) -> str:
    now = SystemClock().now()
    times = {"iat": int(now.timestamp()), "exp": int((now + timedelta(hours=1)).timestamp())}
    return PyJWS().encode(orjson.dumps(CLAIMS | times), private, algorithm=algorithm)


def _verify_anew(key: Key, token: str) -> None:
    """What making a verifier costs is nothing beside it."""
    _verifier(key).verify(token)


def _verifier(key: Key) -> JwtVerifier:
    return JwtVerifier([FixedKeys([key])], clock=SystemClock())


def _microseconds(call: Callable[[], object]) -> float:
    """Of the quickest run: what else the machine does only makes it longer."""
    return min(repeat(call, number=TIMES, repeat=RUNS)) / TIMES * 1e6


if __name__ == "__main__":
    main()

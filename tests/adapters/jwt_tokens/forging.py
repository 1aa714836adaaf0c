"""Keys, key sets, and tokens of every kind: what a good issuer makes, and what a forger would."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from tests.fakes import START

SECRET = "the secret of these tests is long enough"
OTHER_SECRET = "another secret of these tests is as long"

Sign = Callable[[bytes], bytes]


# ---------------------------------------------------------------- keys
@cache
def rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def ed_key(name: str = "") -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    """Its public half, as issuers publish it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        found = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        found = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        found = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {**found, **more}


def key_set(*jwks: Any) -> bytes:
    return json.dumps({"keys": jwks}).encode()


# ---------------------------------------------------------------- signatures
def by_secret(secret: str | bytes = SECRET, digest: Any = hashlib.sha256) -> Sign:
    key = secret.encode() if isinstance(secret, str) else secret
    return lambda text: hmac.new(key, text, digest).digest()


def by_key(key: Any, digest: type[hashes.HashAlgorithm] = hashes.SHA256) -> Sign:
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda text: key.sign(text, padding.PKCS1v15(), digest())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda text: _raw(key.sign(text, ec.ECDSA(digest())), (key.key_size + 7) // 8)
    return key.sign


def by_pss(key: rsa.RSAPrivateKey) -> Sign:
    return lambda text: key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def _raw(signature: bytes, size: int) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


# ---------------------------------------------------------------- tokens
def claims(now: datetime = START, /, *, life: float = 3600, **said: Any) -> dict[str, Any]:
    """Good ones for an hour, but for what is said."""
    at = int(now.timestamp())
    return {"sub": "ana", "iat": at, "exp": at + life, **said}


def without(name: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
    return {key: value for key, value in (said or claims()).items() if key != name}


def token(payload: Any = None, *, sign: Sign | None = None, header: Any = None, **headers: Any) -> str:
    """``header`` and ``payload`` as bytes are taken as they are."""
    parts = [{"alg": "HS256", "typ": "JWT", **headers} if header is None else header, payload or claims()]
    text = b".".join(base64url_encode(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
    return (text + b"." + base64url_encode((sign or by_secret())(text))).decode()

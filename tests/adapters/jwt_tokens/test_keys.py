"""Key sets: what is taken from them, and what is passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from chatapp.adapters.jwt_tokens.keys import JWKS_MAX_BYTES, JWKS_MAX_KEYS, KeysUnusable, read_jwks
from tests.adapters.jwt_tokens.forging import ec_key, ed_key, jwk, key_set, rsa_key

GOOD = jwk(ec_key(), kid="good")


def test_a_keys_type_decides_its_algorithm() -> None:
    found = read_jwks(key_set(jwk(rsa_key(), kid="r"), jwk(ec_key(), kid="e"), jwk(ed_key(), kid="o")))
    assert [(key.kid, key.algorithm) for key in found] == [("r", "RS256"), ("e", "ES256"), ("o", "EdDSA")]


def test_a_key_as_identity_providers_publish_it() -> None:
    said = jwk(rsa_key(), kid="1", use="sig", alg="RS256", key_ops=["verify"], x5c=["…"], x5t="…", issuer="…")
    assert [key.kid for key in read_jwks(key_set(said))] == ["1"]


def test_a_key_needs_no_name() -> None:
    assert [key.kid for key in read_jwks(key_set(jwk(rsa_key())))] == [None]


PASSED_OVER: dict[str, Any] = {
    "no object": "key",
    "null": None,
    "empty": {},
    "a secret": {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA", "alg": "HS256"},
    "RSA of 1024 bits": jwk(rsa_key(bits=1024)),
    "P-384": jwk(ec_key("x", ec.SECP384R1)),
    "secp256k1": jwk(ec_key("x", ec.SECP256K1)),
    "P-256 by name, not by size": {**jwk(ec_key("x", ec.SECP384R1)), "crv": "P-256"},
    "not on the curve": {**jwk(ec_key()), "y": jwk(ec_key("other"))["y"]},
    "Ed448": {**jwk(ed_key()), "crv": "Ed448"},
    "a curve that is a list": {"kty": "EC", "crv": ["P-256"]},
    "for encryption": jwk(rsa_key(), use="enc"),
    "to sign with": jwk(rsa_key(), key_ops=["sign"]),
    "key_ops no list": jwk(rsa_key(), key_ops=7),
    "for PS256": jwk(rsa_key(), alg="PS256"),
    "for RS512": jwk(rsa_key(), alg="RS512"),
    "an RSA key for HS256": jwk(rsa_key(), alg="HS256"),
    "private": json.loads(RSAAlgorithm.to_jwk(rsa_key())) | {"key_ops": ["verify"]},
    "without its numbers": {"kty": "RSA", "e": "AQAB"},
    "numbers that are none": {"kty": "RSA", "n": 5, "e": ["AQAB"]},
    "even exponent": jwk(rsa_key(), e="Ag"),
}


@pytest.mark.parametrize("kind", PASSED_OVER)
def test_useless_key_is_passed_over_and_the_log_says_so(kind: str) -> None:
    with capture_logs() as logged:
        assert [key.kid for key in read_jwks(key_set(PASSED_OVER[kind], GOOD))] == ["good"]
    assert [entry["event"] for entry in logged] == ["a key of the key set is passed over"]
    assert logged[0]["reason"]


def test_private_numbers_do_not_get_into_the_log() -> None:
    private = json.loads(RSAAlgorithm.to_jwk(rsa_key()))
    with capture_logs() as logged:
        read_jwks(key_set(private, GOOD))
    assert private["d"] not in str(logged)


UNUSABLE = {
    "empty": b"",
    "no JSON": b"<html>",
    "no UTF-8": b'{"keys": "\xff"}',
    "a list": b"[]",
    "no keys": b"{}",
    "keys an object": b'{"keys": {}}',
    "no key in it": b'{"keys": []}',
    "no usable key": key_set(PASSED_OVER["RSA of 1024 bits"]),
    "deep": b"[" * 100_000,
    "too many": key_set(*[GOOD] * (JWKS_MAX_KEYS + 1)),
    "too large": key_set(GOOD, "x" * JWKS_MAX_BYTES),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_is_no_key_set_is_unusable(kind: str) -> None:
    with pytest.raises(KeysUnusable):
        read_jwks(UNUSABLE[kind])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["kty", "crv", "n", "e", "x", "y", "kid", "use", "key_ops", "alg"]


@given(st.sampled_from([jwk(rsa_key()), jwk(ec_key()), jwk(ed_key())]), st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_key_is_taken_or_passed_over(good: dict[str, Any], changed: dict[str, Any]) -> None:
    try:
        found = read_jwks(key_set(good | changed))
    except KeysUnusable:
        return
    assert all(key.algorithm in ("RS256", "ES256", "EdDSA") for key in found)

"""One row for each way into somebody else's account that is known. None of them opens."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.utils import base64url_decode, base64url_encode

from chatapp.adapters.jwt_tokens import FixedKeys, JwtVerifier, keys, secret_key
from chatapp.adapters.jwt_tokens.keys import read_jwks
from chatapp.domain.errors import TokenExpired, TokenInvalid
from tests.adapters.jwt_tokens.forging import (
    OTHER_SECRET,
    SECRET,
    by_key,
    by_pss,
    by_secret,
    claims,
    ec_key,
    ed_key,
    jwk,
    key_set,
    pem,
    rsa_key,
    token,
    without,
)
from tests.fakes import FakeClock

HOURS = 3600


def verifier() -> JwtVerifier:
    """Knows a secret without a name and one of each kind of key: ``rsa``, ``ec``, ``ed``."""
    public = read_jwks(key_set(jwk(rsa_key(), kid="rsa"), jwk(ec_key(), kid="ec"), jwk(ed_key(), kid="ed")))
    return JwtVerifier([FixedKeys([secret_key(None, SECRET)]), FixedKeys(public)], clock=FakeClock())


GOOD = {
    "HS256": token(),
    "HS256 with a kid": token(kid="whatever"),
    "RS256": token(sign=by_key(rsa_key()), alg="RS256", kid="rsa"),
    "ES256": token(sign=by_key(ec_key()), alg="ES256", kid="ec"),
    "EdDSA": token(sign=by_key(ed_key()), alg="EdDSA", kid="ed"),
    "RS256 without a kid": token(sign=by_key(rsa_key()), alg="RS256"),
    "no typ": token(header={"alg": "HS256"}),
    "unknown headers": token(jku="https://evil.example/jwks", x5u="https://evil.example", cty="x"),
    "unknown claims": token(claims(jti="1", scope="x", aud=["any"], iss="any", acr={"deep": [1]})),
}


@pytest.mark.parametrize("kind", GOOD)
def test_good_token_verifies(kind: str) -> None:
    assert verifier().verify(GOOD[kind]).user_id == "ana"


def unsigned(**headers: Any) -> str:
    return token(sign=lambda _: b"", **headers)


def swapped(part: int, new: bytes, good: str | None = None) -> str:
    parts = (good or token()).split(".")
    parts[part] = base64url_encode(new).decode()
    return ".".join(parts)


def der_signature() -> str:
    key = ec_key()
    return token(sign=lambda text: key.sign(text, ec.ECDSA(hashes.SHA256())), alg="ES256", kid="ec")


ATTACKER = rsa_key("attacker")
NOT_OURS = {
    # no signature, or a broken one
    "alg none": unsigned(alg="none"),
    "alg None": unsigned(alg="None"),
    "alg nOnE, by the secret": token(alg="nOnE"),
    "no alg": token(header={"typ": "JWT"}),
    "alg null": token(alg=None),
    "alg empty": token(alg=""),
    "alg a list": token(alg=["HS256"]),
    "alg an object": token(alg={"HS256": 1}),
    "two algs": token(header=b'{"alg":"HS256","alg":"none"}'),
    "empty signature": GOOD["HS256"].rsplit(".", 1)[0] + ".",
    "no signature part": GOOD["HS256"].rsplit(".", 1)[0],
    "signature of zeros": unsigned() + "A" * 43,
    "signature cut": GOOD["HS256"][:-4],
    "signature and more": GOOD["HS256"] + "AAAA",
    "payload swapped": swapped(1, json.dumps(claims(sub="admin")).encode()),
    "header swapped": swapped(0, b'{"alg":"HS256","typ":"JWT","kid":"rsa"}'),
    "ECDSA of zeros": token(sign=lambda _: bytes(64), alg="ES256", kid="ec"),
    "ECDSA in DER": der_signature(),
    # another key, or another algorithm
    "another secret": token(sign=by_secret(OTHER_SECRET)),
    "empty secret": token(sign=by_secret("")),
    "another RSA key": token(sign=by_key(ATTACKER), alg="RS256", kid="rsa"),
    "another EC key": token(sign=by_key(ec_key("attacker")), alg="ES256", kid="ec"),
    "another Ed25519 key": token(sign=by_key(ed_key("attacker")), alg="EdDSA", kid="ed"),
    "HS256 by the public RSA key": token(sign=by_secret(pem(rsa_key())), kid="rsa"),
    "HS256 by the public EC key": token(sign=by_secret(pem(ec_key())), kid="ec"),
    "HS256 by the key set's n": token(sign=by_secret(base64url_decode(jwk(rsa_key())["n"])), kid="rsa"),
    "HS256 by the Ed25519 key's bytes": token(sign=by_secret(ed_key().public_key().public_bytes_raw()), kid="ed"),
    "HS384 by the secret": token(sign=by_secret(digest=hashlib.sha384), alg="HS384"),
    "HS512 by the secret": token(sign=by_secret(digest=hashlib.sha512), alg="HS512"),
    "RS512 by the RSA key": token(sign=by_key(rsa_key(), hashes.SHA512), alg="RS512", kid="rsa"),
    "PS256 by the RSA key": token(sign=by_pss(rsa_key()), alg="PS256", kid="rsa"),
    "PSS called RS256": token(sign=by_pss(rsa_key()), alg="RS256", kid="rsa"),
    "RS256 with an EC kid": token(sign=by_key(rsa_key()), alg="RS256", kid="ec"),
    "ES256 on P-384": token(sign=by_key(ec_key("x", ec.SECP384R1)), alg="ES256", kid="ec"),
    "ES384 by the EC key": token(sign=by_key(ec_key(), hashes.SHA384), alg="ES384", kid="ec"),
    "ES256K": token(sign=by_key(ec_key("x", ec.SECP256K1)), alg="ES256K", kid="ec"),
    # the token brings its own key
    "jwk": token(sign=by_key(ATTACKER), alg="RS256", jwk=jwk(ATTACKER)),
    "jku": token(sign=by_key(ATTACKER), alg="RS256", kid="x", jku="http://127.0.0.1:1/jwks.json"),
    "x5u": token(sign=by_key(ATTACKER), alg="RS256", x5u="http://127.0.0.1:1/cert.pem"),
    "x5c": token(sign=by_key(ATTACKER), alg="RS256", x5c=[base64url_encode(pem(ATTACKER)).decode()]),
    "jwk of a secret": token(sign=by_secret("mine"), jwk={"kty": "oct", "k": base64url_encode(b"mine").decode()}),
    # kid
    "unknown kid": token(sign=by_key(rsa_key()), alg="RS256", kid="other"),
    "kid a file": token(sign=by_secret(""), kid="../../../../dev/null"),
    "kid SQL": token(sign=by_secret("x"), kid="' UNION SELECT 'x"),
    "kid a command": token(sign=by_secret("x"), kid="|/bin/true"),
    "kid null": token(kid=None),
    "kid a number": token(kid=1),
    "kid a list": token(sign=by_key(rsa_key()), alg="RS256", kid=["rsa"]),
    # headers that must be understood
    "crit": token(crit=["exp"], exp=1),
    "crit unknown": token(crit=["x"], x=1),
    "crit empty": token(crit=[]),
    "b64 false": token(b64=False, crit=["b64"]),
    # no token at all
    "empty": "",
    "dots": "..",
    "one part": "abc",
    "four parts": GOOD["HS256"] + ".AAAA",
    "five parts, as encrypted ones have": "a.b.c.d.e",
    "a space before": " " + GOOD["HS256"],
    "a newline after": GOOD["HS256"] + "\n",
    "padding": GOOD["HS256"] + "=",
    "Bearer": f"Bearer {GOOD['HS256']}",
    "base64, not base64url": GOOD["HS256"].replace(".", "+.", 1),
    "not ASCII": GOOD["HS256"] + "é",
    "half of a pair": GOOD["HS256"] + "\ud800",
    "NUL": GOOD["HS256"] + "\0",
    "too long": token(claims(x="x" * 8192)),
    "megabytes": "a" * 10_000_000 + ".b.c",
    "header no JSON": token(header=b"{"),
    "header no object": token(header=b'["HS256"]'),
    "header deep": token(header=b"[" * 5000),
    "header a long number": token(header=b"9" * 5000),
    "header not UTF-8": token(header=b'{"alg":"\xff"}'),
    # signed by the issuer, but good for nothing
    "payload no JSON": token(b"{"),
    "payload no object": token(b'["ana"]'),
    "payload deep": token(b"[" * 5000),
    "payload not UTF-8": token(b'{"sub":"\xff"}'),
    "payload NaN": token(b'{"sub":"ana","iat":NaN,"exp":NaN}'),
    "no sub": token(without("sub")),
    "no iat": token(without("iat")),
    "no exp": token(without("exp")),
    "sub null": token(claims(sub=None)),
    "sub empty": token(claims(sub="")),
    "sub blank": token(claims(sub=" \t")),
    "sub a number": token(claims(sub=7)),
    "sub a list": token(claims(sub=["ana"])),
    "sub with NUL": token(claims(sub="ana\0")),
    "sub with half of a pair": token(claims(sub="\ud800")),
    "sub too long": token(claims(sub="x" * 129)),
    "name blank": token(claims(name=" ")),
    "name too long": token(claims(name="x" * 201)),
    "name a number": token(claims(name=1)),
    "email wrong": token(claims(email="ana")),
    "avatar too long": token(claims(avatar="x" * 2049)),
    "roles a word": token(claims(roles="admin")),
    "roles with numbers": token(claims(roles=["agent", 1])),
    "roles too many": token(claims(roles=["r"] * 101)),
    "filials blank": token(claims(filials=[""])),
    "filials an object": token(claims(filials={"lima": True})),
    # times
    "exp a text": token(claims(exp=str(claims()["exp"]))),
    "exp true": token(claims(exp=True)),
    "exp null": token(claims(exp=None)),
    "exp endless": token(b'{"sub":"ana","iat":0,"exp":1e999}'),
    "exp of 300 digits": token(claims(exp=10**300)),
    "exp negative": token(claims(exp=-1)),
    "exp in milliseconds": token(claims(exp=claims()["exp"] * 1000)),
    "times in milliseconds": token(claims(iat=claims()["iat"] * 1000, exp=claims()["exp"] * 1000)),
    "25 hours": token(claims(life=25 * HOURS)),
    "for ever": token(claims(life=10**9)),
    "exp before iat": token(claims(life=-1)),
    "exp at iat": token(claims(life=0)),
    "issued in an hour": token(claims(iat=claims()["iat"] + HOURS, exp=claims()["exp"] + HOURS)),
    "counts in an hour": token(claims(nbf=claims()["iat"] + HOURS)),
    "nbf a text": token(claims(nbf="now")),
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_forged_token_is_invalid(kind: str) -> None:
    with pytest.raises(TokenInvalid) as refused:
        verifier().verify(NOT_OURS[kind])
    assert str(refused.value.__cause__), "the log would not say why"
    assert refused.value.details == {}, "the client would be told why"


@pytest.mark.parametrize("kind", NOT_OURS)
def test_a_good_token_before_it_does_not_help(kind: str) -> None:
    asked = verifier()
    for good in GOOD.values():
        asked.verify(good)
    with pytest.raises(TokenInvalid):
        asked.verify(NOT_OURS[kind])


@given(st.one_of(st.text(), st.text("abcAZ09-_.=", max_size=200), st.binary().map(lambda raw: raw.decode("latin-1"))))
@example("\ud800.a.b")
def test_any_text_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises((TokenInvalid, TokenExpired)):
        verifier().verify(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["HS256", "RS256", "ES256", "EdDSA", "none"]) | JSON},
    optional={"kid": st.sampled_from(["rsa", "ec", "ed"]) | JSON, "b64": JSON, "crit": JSON, "typ": JSON},
)


@given(header=JSON | HEADERS, signature=st.binary(max_size=80), said=st.dictionaries(st.text(), JSON, max_size=5))
def test_any_header_without_a_signature_of_ours_is_refused(header: Any, signature: bytes, said: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        verifier().verify(token(said, header=header or b"{}", sign=lambda _: signature))


@given(st.dictionaries(st.sampled_from(["sub", "iat", "exp", "nbf", "name", "email", "roles", "filials"]), JSON))
def test_any_claims_that_the_issuer_signs_are_read_or_refused(said: dict[str, Any]) -> None:
    try:
        identity = verifier().verify(token(claims(**said)))
    except (TokenInvalid, TokenExpired):
        return
    assert identity.user_id == said.get("sub", "ana")


# ---------------------------------------------------------------- the library cannot be talked out of it
def test_every_signature_is_verified_with_the_keys_own_algorithm_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str], dict[str, Any]]] = []
    verify_signature = keys.JWS._verify_signature

    def watched(text: Any, header: Any, signature: Any, key: Any, algorithms: Any, options: Any) -> None:
        asked.append((header["alg"], algorithms, options))
        verify_signature(text, header, signature, key, algorithms, options=options)

    monkeypatch.setattr(keys.JWS, "_verify_signature", watched)
    for good in GOOD.values():
        verifier().verify(good)
    assert {alg for alg, _, _ in asked} == {"HS256", "RS256", "ES256", "EdDSA"}
    for alg, algorithms, options in asked:
        assert algorithms == [alg]
        assert options == {"verify_signature": True, "enforce_minimum_key_length": True}


def test_the_library_here_knows_no_other_algorithm() -> None:
    assert sorted(keys.JWS.get_algorithms()) == ["ES256", "EdDSA", "HS256", "RS256"]


def test_what_is_done_to_the_librarys_globals_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jwt.api_jws._jws_global_obj.options, "verify_signature", False)
    monkeypatch.setattr(jwt.PyJWS, "_get_default_options", staticmethod(lambda: {"verify_signature": False}))
    for kind in ("alg none", "another secret", "payload swapped"):
        with pytest.raises(TokenInvalid):
            verifier().verify(NOT_OURS[kind])


def test_with_signatures_unverified_these_tests_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the option that must not be weakened would let in."""
    monkeypatch.setitem(keys.JWS.options, "verify_signature", False)
    assert verifier().verify(NOT_OURS["payload swapped"]).user_id == "admin"

"""Minting: what is minted here is what is verified here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from marshmallow import ValidationError

from chatapp.adapters.jwt_tokens import FixedKeys, JwtVerifier, TokenMinter, secret_key
from chatapp.domain.errors import TokenInvalid
from chatapp.domain.identity import Identity
from tests.adapters.jwt_tokens.forging import OTHER_SECRET, SECRET
from tests.fakes import START, FakeClock

HOUR = timedelta(hours=1)
SECRETS = [("new", SECRET), ("old", OTHER_SECRET)]


def minter(secrets: list[tuple[str | None, str]] | None = None, **meant_for: Any) -> TokenMinter:
    return TokenMinter(secrets or [(None, SECRET)], clock=FakeClock(), **meant_for)


def verifier(secrets: list[tuple[str | None, str]] | None = None, **expected: Any) -> JwtVerifier:
    keys = [secret_key(kid, secret) for kid, secret in secrets or [(None, SECRET)]]
    return JwtVerifier([FixedKeys(keys)], clock=FakeClock(), **expected)


def test_minted_token_verifies() -> None:
    said = {"sub": "ana", "name": "Ana", "email": "ana@example.com", "roles": ["admin"], "filials": ["lima"]}
    assert verifier().verify(minter().mint({**said, "avatar": None}, lifetime=HOUR)) == Identity(
        "ana", START, START + HOUR, name="Ana", email="ana@example.com", roles=("admin",), filials=("lima",)
    )


def test_minted_token_says_whom_it_is_meant_for_and_who_made_it() -> None:
    meant_for = {"audience": "chat", "issuer": "https://id.example"}
    verifier(**meant_for).verify(minter(**meant_for).mint({"sub": "ana"}, lifetime=HOUR))
    with pytest.raises(TokenInvalid):
        verifier(**meant_for).verify(minter().mint({"sub": "ana"}, lifetime=HOUR))


def test_the_first_secret_signs_unless_another_is_named() -> None:
    minted = {kid: minter(SECRETS).mint({"sub": "ana"}, lifetime=HOUR, kid=kid) for kid in (None, "new", "old")}
    assert {kid: jwt.get_unverified_header(token).get("kid") for kid, token in minted.items()} == {
        None: "new",
        "new": "new",
        "old": "old",
    }
    for token in minted.values():
        verifier(SECRETS).verify(token)
    with pytest.raises(KeyError):
        minter(SECRETS).mint({"sub": "ana"}, lifetime=HOUR, kid="other")
    with pytest.raises(KeyError):
        minter().mint({"sub": "ana"}, lifetime=HOUR, kid="new")


def test_a_secret_without_a_name_puts_none_into_the_token() -> None:
    token = minter().mint({"sub": "ana"}, lifetime=HOUR)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("wrong", [{"sub": " "}, {"email": "ana"}, {"roles": [""]}, {"name": ""}], ids=str)
def test_what_would_not_be_accepted_is_not_minted(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        minter().mint({"sub": "ana", **wrong}, lifetime=HOUR)

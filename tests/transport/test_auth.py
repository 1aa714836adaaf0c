"""From a header or a handshake to an actor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import (
    ChatError,
    IdentityMismatch,
    InvalidData,
    KeyInvalid,
    NoProof,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from chatapp.domain.identity import Identity
from chatapp.domain.models import Actor, Scope, Standing
from chatapp.transport.auth import ANYBODY, Authenticator
from tests.transport.authenticators import OPEN

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def identity(user_id: str, *roles: str) -> Identity:
    return Identity(user_id, NOW, NOW + timedelta(hours=1), roles=roles or None)


TOKENS = {"of-ana": identity("ana"), "of-root": identity("root", "sales", "boss"), "of-gone": identity("gone", "boss")}


def verify(token: str) -> Identity:
    if token == "old":
        raise TokenExpired
    if token not in TOKENS:
        raise TokenInvalid
    return TOKENS[token]


def find_key(secret: str) -> ApiKey:
    if secret != "ck_good":
        raise KeyInvalid
    return ApiKey("key-1", "the shop", frozenset({Scope.MESSAGES_SEND}), NOW, digest="")


JWT = Authenticator(
    verify, find_key, lambda user_id, issued_at: (user_id, issued_at) == ("gone", NOW), admin_roles=("boss", "chief")
)


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("", NoProof),
        ("Bearer", NoProof),
        ("Bearer   ", NoProof),
        ("of-ana", NoProof),
        ("Basic of-ana", TokenInvalid),
        ("Bearer of-nobody", TokenInvalid),
        ("Bearer of-ana x", TokenInvalid),
        ("Bearer old", TokenExpired),
        ("Bearer of-gone", TokenRevoked),
        ("Bearer ck_bad", KeyInvalid),
        ("Bearer ck_", KeyInvalid),
    ],
)
def test_what_proves_nothing_is_refused(header: str, refusal: type[ChatError]) -> None:
    with pytest.raises(refusal) as refused:
        JWT.of_request(header)
    assert type(refused.value) is refusal


@pytest.mark.parametrize("header", ["Bearer of-ana", "bearer of-ana", "BEARER  of-ana "])
def test_a_token_is_its_user(header: str) -> None:
    caller = JWT.of_request(header)
    ana = Actor("ana", Standing.USER, identity=TOKENS["of-ana"])
    assert caller.acting_for(None) == caller.acting_for("ana") == caller.acting_for(None, known="bea") == ana
    with pytest.raises(IdentityMismatch) as refused:
        caller.acting_for("bea")
    assert refused.value.details == {"userId": "bea"}


def test_one_role_of_several_makes_an_administrator_who_is_still_one_person() -> None:
    caller = JWT.of_request("Bearer of-root")
    assert caller.acting_for(None).standing is Standing.ADMIN
    with pytest.raises(IdentityMismatch):
        caller.acting_for("ana")


def test_a_key_acts_for_whom_it_names() -> None:
    caller = JWT.of_request("Bearer ck_good")
    assert caller.acting_for("bea") == Actor("bea", Standing.KEY, frozenset({Scope.MESSAGES_SEND}), key_id="key-1")
    assert caller.acting_for(None).user_id is None


@pytest.mark.parametrize("header", ["", "Bearer of-nobody", "Bearer ck_bad"])
def test_open_mode_believes_everybody(header: str) -> None:
    assert OPEN.of_request(header) is ANYBODY
    assert OPEN.of_handshake({"userId": "ana", "token": "x"}) == (ANYBODY, "ana")
    assert OPEN.of_handshake(None) == (ANYBODY, None)
    assert ANYBODY.acting_for("bea", known="ana") == Actor("bea")
    assert ANYBODY.acting_for(None, known="ana") == Actor("ana")


@pytest.mark.parametrize(
    ("auth", "refusal"),
    [
        (None, NoProof),
        ({}, NoProof),
        ({"userId": "ana"}, NoProof),
        ({"token": None}, NoProof),
        ({"token": ""}, TokenInvalid),
        ({"token": "of-nobody"}, TokenInvalid),
        ({"token": "old"}, TokenExpired),
        ({"token": "of-gone"}, TokenRevoked),
        ({"token": "ck_good"}, TokenInvalid),
        ({"token": "of-ana", "userId": "bea"}, IdentityMismatch),
        ({"token": 7}, InvalidData),
        ({"token": "x" * 10_000}, InvalidData),
        ("of-ana", InvalidData),
    ],
    ids=str,
)
def test_a_handshake_that_proves_nothing_is_refused(auth: object, refusal: type[ChatError]) -> None:
    with pytest.raises(refusal) as refused:
        JWT.of_handshake(auth)
    assert type(refused.value) is refusal


def test_a_handshake_says_whom_the_connection_speaks_for() -> None:
    caller, user_id = JWT.of_handshake({"token": "of-ana", "version": "1.2"})
    assert (caller.user_id, user_id) == ("ana", "ana")


def test_a_token_may_be_revoked_after_it_was_taken() -> None:
    revoked: set[str] = set()
    authenticator = Authenticator(verify, find_key, lambda user_id, _: user_id in revoked, admin_roles=())
    caller = authenticator.by_token("of-ana")
    assert not authenticator.is_revoked(caller)
    revoked.add("ana")
    assert authenticator.is_revoked(caller)
    assert not authenticator.is_revoked(ANYBODY)

"""What a good token says, until when it counts, and with which keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatapp.adapters.jwt_tokens import FixedKeys, JwtVerifier, Key, cache, secret_key
from chatapp.adapters.jwt_tokens.keys import KeySource, matching
from chatapp.adapters.jwt_tokens.verifier import LEEWAY, LONGEST_LIFE, TOKEN_MAX_CHARS
from chatapp.domain.errors import TokenExpired, TokenInvalid
from chatapp.domain.identity import Identity
from tests.adapters.jwt_tokens.forging import OTHER_SECRET, SECRET, by_key, by_secret, claims, rsa_key, token
from tests.fakes import START, FakeClock

NOW = int(START.timestamp())
LEEWAY_SECONDS = int(LEEWAY.total_seconds())
DAY = int(LONGEST_LIFE.total_seconds())


class ChangingKeys:
    """A source whose keys the test changes, and that counts how often it was asked for one."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.asked = 0

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        self.asked += 1
        return matching(self.keys, algorithm, kid)

    def holds(self, key: Key) -> bool:
        return key in self.keys


def verifier(*sources: KeySource, clock: FakeClock | None = None, **expected: Any) -> JwtVerifier:
    return JwtVerifier(sources or [FixedKeys([secret_key(None, SECRET)])], clock=clock or FakeClock(), **expected)


def is_valid(asked: JwtVerifier, given: str) -> bool:
    try:
        asked.verify(given)
    except TokenInvalid:
        return False
    return True


# ---------------------------------------------------------------- what it says
def test_identity_is_all_that_the_token_says() -> None:
    said = {
        "name": "Ana Pérez",
        "email": "ana@example.com",
        "avatar": "https://example.com/ana.png",
        "roles": ["agent", "admin"],
        "filials": ["lima"],
    }
    assert verifier().verify(token(claims(**said))) == Identity(
        user_id="ana",
        issued_at=START,
        expires_at=START + timedelta(hours=1),
        name="Ana Pérez",
        email="ana@example.com",
        avatar="https://example.com/ana.png",
        roles=("agent", "admin"),
        filials=("lima",),
    )


def test_what_it_does_not_say_or_says_null_is_none() -> None:
    bare = Identity("ana", START, START + timedelta(hours=1))
    nulls = dict.fromkeys(("name", "email", "avatar", "roles", "filials"))
    assert verifier().verify(token(claims())) == verifier().verify(token(claims(**nulls))) == bare


def test_no_filials_is_not_the_same_as_not_saying() -> None:
    assert verifier().verify(token(claims(filials=[]))).filials == ()


def test_times_may_have_fractions() -> None:
    identity = verifier().verify(token(claims(iat=NOW - 0.25, exp=NOW + 0.5)))
    assert identity.issued_at == START - timedelta(seconds=0.25)
    assert identity.expires_at == START + timedelta(seconds=0.5)


def test_a_token_of_the_greatest_length_is_read() -> None:
    fill = TOKEN_MAX_CHARS - len(token(claims(x="")))
    longest = token(claims(x="x" * (fill * 3 // 4)))
    assert TOKEN_MAX_CHARS - 4 < len(longest) <= TOKEN_MAX_CHARS
    assert verifier().verify(longest).user_id == "ana"


# ---------------------------------------------------------------- whom it is meant for
@pytest.mark.parametrize(
    ("audience", "said", "valid"),
    [
        (None, {}, True),
        (None, {"aud": "chat"}, True),
        ("chat", {"aud": "chat"}, True),
        ("chat", {"aud": ["shop", "chat"]}, True),
        ("chat", {}, False),
        ("chat", {"aud": "shop"}, False),
        ("chat", {"aud": "chatter"}, False),
        ("chat", {"aud": []}, False),
        ("chat", {"aud": ["shop"]}, False),
        ("chat", {"aud": {"chat": 1}}, False),
        ("chat", {"aud": None}, False),
    ],
    ids=str,
)
def test_audience(audience: str | None, said: dict[str, Any], valid: bool) -> None:
    assert is_valid(verifier(audience=audience), token(claims(**said))) is valid


@pytest.mark.parametrize(
    ("issuer", "said", "valid"),
    [
        (None, {"iss": "https://id.example"}, True),
        ("https://id.example", {"iss": "https://id.example"}, True),
        ("https://id.example", {"iss": "https://id.example/"}, False),
        ("https://id.example", {"iss": ["https://id.example"]}, False),
        ("https://id.example", {}, False),
    ],
    ids=str,
)
def test_issuer(issuer: str | None, said: dict[str, Any], valid: bool) -> None:
    assert is_valid(verifier(issuer=issuer), token(claims(**said))) is valid


# ---------------------------------------------------------------- when it counts
@pytest.mark.parametrize(
    ("said", "valid"),
    [
        ({"iat": NOW + LEEWAY_SECONDS}, True),
        ({"iat": NOW + LEEWAY_SECONDS + 1}, False),
        ({"nbf": NOW + LEEWAY_SECONDS}, True),
        ({"nbf": NOW + LEEWAY_SECONDS + 1}, False),
        ({"exp": NOW + DAY}, True),
        ({"exp": NOW + DAY + 1}, False),
        ({"iat": NOW + LEEWAY_SECONDS, "exp": NOW + LEEWAY_SECONDS + DAY}, True),
        ({"iat": NOW - DAY + 1, "exp": NOW + 1}, True),
        ({"iat": NOW - DAY, "exp": NOW + 1}, False),
        ({"iat": 0}, False),
    ],
    ids=str,
)
def test_edges_of_its_times(said: dict[str, Any], valid: bool) -> None:
    assert is_valid(verifier(), token(claims(**said))) is valid


def test_a_token_counts_until_the_moment_of_exp_and_no_longer() -> None:
    clock = FakeClock()
    asked, given = verifier(clock=clock), token(claims(life=60))
    clock.advance(seconds=59.999)
    assert asked.verify(given).expires_at == datetime.fromtimestamp(NOW + 60, UTC)
    clock.advance(seconds=0.001)
    with pytest.raises(TokenExpired):
        asked.verify(given)
    with pytest.raises(TokenExpired):
        verifier(clock=clock).verify(given)


def test_a_token_that_did_not_count_yet_counts_later() -> None:
    clock = FakeClock()
    asked, given = verifier(clock=clock), token(claims(nbf=NOW + 60))
    assert not is_valid(asked, given)
    clock.advance(seconds=30)
    assert is_valid(asked, given)


def test_expired_is_said_only_of_what_was_ours() -> None:
    clock = FakeClock(START + timedelta(hours=2))
    with pytest.raises(TokenInvalid):
        verifier(clock=clock).verify(token(sign=by_secret(OTHER_SECRET)))
    with pytest.raises(TokenInvalid):
        verifier(clock=clock, audience="chat").verify(token(claims(aud="shop")))
    with pytest.raises(TokenExpired):
        verifier(clock=clock).verify(token())


# ---------------------------------------------------------------- which key
def test_a_named_secret_verifies_its_own_tokens_and_those_without_a_name() -> None:
    asked = verifier(FixedKeys([secret_key("new", SECRET), secret_key("old", OTHER_SECRET)]))
    assert is_valid(asked, token(kid="new"))
    assert is_valid(asked, token(kid="old", sign=by_secret(OTHER_SECRET)))
    assert is_valid(asked, token())
    assert is_valid(asked, token(sign=by_secret(OTHER_SECRET)))
    assert not is_valid(asked, token(kid="old"))
    assert not is_valid(asked, token(kid="new", sign=by_secret(OTHER_SECRET)))
    assert not is_valid(asked, token(kid="other"))


def test_a_secret_that_was_taken_out_takes_its_tokens_with_it() -> None:
    old, new = secret_key("old", OTHER_SECRET), secret_key("new", SECRET)
    source = ChangingKeys(old)
    asked, given = verifier(source), token(sign=by_secret(OTHER_SECRET))
    assert is_valid(asked, given)
    source.keys = (new, old)
    assert is_valid(asked, given)
    source.keys = (new,)
    assert not is_valid(asked, given)
    source.keys = (old,)
    assert is_valid(asked, given)


def test_later_sources_are_asked_only_when_those_before_had_no_key_for_it() -> None:
    first, second = ChangingKeys(secret_key(None, SECRET)), ChangingKeys(Key(None, "RS256", rsa_key().public_key()))
    asked = verifier(first, second)
    asked.verify(token())
    assert (first.asked, second.asked) == (1, 0)
    asked.verify(token(sign=by_key(rsa_key()), alg="RS256"))
    assert (first.asked, second.asked) == (2, 1)


def test_without_any_key_nothing_verifies() -> None:
    assert not is_valid(verifier(FixedKeys([])), token())


# ---------------------------------------------------------------- known again
def test_a_token_is_verified_once() -> None:
    source = ChangingKeys(secret_key(None, SECRET))
    asked, given = verifier(source), token()
    assert asked.verify(given) is asked.verify(given)
    assert source.asked == 1


def test_the_longest_unused_token_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_PROVEN", 2)
    source = ChangingKeys(secret_key(None, SECRET))
    asked = verifier(source)
    ana, eva, leo = (token(claims(sub=name)) for name in ("ana", "eva", "leo"))
    for given in (ana, eva, ana, leo):
        asked.verify(given)
    assert source.asked == 3
    asked.verify(ana)
    asked.verify(leo)
    assert source.asked == 3
    asked.verify(eva)
    assert source.asked == 4


def test_what_was_refused_is_not_remembered() -> None:
    source = ChangingKeys(secret_key(None, SECRET))
    asked, forged = verifier(source), token(sign=by_secret(OTHER_SECRET))
    assert not is_valid(asked, forged)
    source.keys = (secret_key(None, OTHER_SECRET),)
    assert is_valid(asked, forged)


def test_an_expired_token_is_forgotten() -> None:
    clock, source = FakeClock(), ChangingKeys(secret_key(None, SECRET))
    asked, given = verifier(source, clock=clock), token(claims(life=1))
    asked.verify(given)
    clock.advance(seconds=1)
    for times in (1, 2):
        with pytest.raises(TokenExpired):
            asked.verify(given)
        assert source.asked == times


def test_secrets_are_not_shown() -> None:
    key = secret_key("new", SECRET)
    assert SECRET not in repr(key)
    assert SECRET not in repr(vars(verifier(FixedKeys([key]))))

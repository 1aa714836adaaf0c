"""``chatapp token mint``, and the verifier that the same settings make."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chatapp.adapters.system import SystemClock
from chatapp.cli import main
from chatapp.domain.errors import TokenInvalid
from chatapp.domain.identity import Identity
from chatapp.settings import Settings, SettingsError
from chatapp.wiring import build_tokens
from tests.adapters.jwt_tokens.forging import by_key, claims, ec_key, jwk, key_set, token

SECRET = "the secret of these tests is long enough"
OTHER = "another secret of these tests is as long"


@pytest.fixture(autouse=True)
def jwt_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_MODE", "jwt")
    monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)


def mint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["token", "mint", *arguments]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count("\n") == 1
    return said.out.strip()


def verify(text: str, **settings: object) -> Identity:
    found = build_tokens(Settings(auth_mode="jwt", **{"auth_jwt_secret": ((None, SECRET),), **settings}))
    assert found is not None
    return found.verify(text)


def exit_status(arguments: tuple[str, ...]) -> object:
    try:
        return main(["token", "mint", *arguments])
    except SystemExit as exited:  # argparse's own
        return exited.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert exit_status(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_minted_token_alone_is_printed_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    identity = verify(mint(capsys, "--user", "ana"))
    assert identity.user_id == "ana"
    assert identity.expires_at - identity.issued_at == timedelta(hours=1)
    assert (identity.name, identity.roles, identity.filials) == (None, None, None)


def test_all_that_a_token_can_say(capsys: pytest.CaptureFixture[str]) -> None:
    person = ("--user", "ana", "--name", "Ana", "--email", "a@example.com", "--avatar", "/a.png", "--expires-in", "90s")
    belongs = ("--role", "admin", "--role", "agent", "--filial", "lima", "--filial", "quito")
    identity = verify(mint(capsys, *person, *belongs))
    assert (identity.name, identity.email, identity.avatar) == ("Ana", "a@example.com", "/a.png")
    assert (identity.roles, identity.filials) == (("admin", "agent"), ("lima", "quito"))
    assert identity.expires_at - identity.issued_at == timedelta(seconds=90)


def test_the_named_secret_signs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_JWT_SECRET", f"new:{SECRET},old:{OTHER}")
    minted = mint(capsys, "--user", "ana", "--kid", "old")
    assert verify(minted, auth_jwt_secret=(("old", OTHER),)).user_id == "ana"
    with pytest.raises(TokenInvalid):
        verify(minted, auth_jwt_secret=(("new", SECRET),))


def test_audience_and_issuer_are_the_configured_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_JWT_AUDIENCE", "chat")
    monkeypatch.setenv("AUTH_JWT_ISSUER", "us")
    minted = mint(capsys, "--user", "ana")
    verify(minted, auth_jwt_audience="chat", auth_jwt_issuer="us")
    with pytest.raises(TokenInvalid):
        verify(minted, auth_jwt_audience="shop")
    with pytest.raises(TokenInvalid):
        verify(minted, auth_jwt_issuer="them")


@pytest.mark.parametrize("time", ["1h", "24h", "1440m", "86400s", "30s"])
def test_times_up_to_a_day(capsys: pytest.CaptureFixture[str], time: str) -> None:
    verify(mint(capsys, "--user", "ana", "--expires-in", time))


@pytest.mark.parametrize("time", ["25h", "1441m", "0s", "-1h", "1d", "3600", "h", "1.5h", "999999h", ""])
def test_other_times_are_refused_with_a_sentence(capsys: pytest.CaptureFixture[str], time: str) -> None:
    assert "must be a time like 90s, 15m or 1h, at most 24h" in refused(capsys, "--user", "ana", f"--expires-in={time}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "the following arguments are required: --user"),
        (("--user", " "), "the server would not accept this token: {'sub': ['Must not be blank.']}"),
        (("--user", "ana", "--email", "ana"), "Not a valid email address"),
        (("--user", "ana", "--kid", "new"), "AUTH_JWT_SECRET has no secret named 'new'"),
    ],
    ids=str,
)
def test_wrong_usage_is_refused_with_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    said = refused(capsys, *arguments)
    assert expected in said
    assert SECRET not in said


def test_without_a_secret_there_is_nothing_to_sign_with(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_JWT_SECRET", "")
    monkeypatch.setenv("AUTH_JWKS_URL", "https://id.example/jwks")
    assert "AUTH_JWT_SECRET must be set to mint tokens" in refused(capsys, "--user", "ana")


# ---------------------------------------------------------------- wiring
def test_open_mode_verifies_nothing() -> None:
    assert build_tokens(Settings(auth_jwt_secret=((None, SECRET),))) is None


def test_key_set_file_verifies(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(jwk(ec_key(), kid="1")))
    signed = token(claims(SystemClock().now()), sign=by_key(ec_key()), alg="ES256", kid="1")
    assert verify(signed, auth_jwt_secret=(), auth_jwks_file=path).user_id == "ana"


def test_key_set_file_that_is_none_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    with pytest.raises(
        SettingsError, match=r"^AUTH_JWKS_FILE must be a JSON Web Key Set, got '.*jwks.json': it cannot"
    ):
        build_tokens(Settings(auth_mode="jwt", auth_jwks_file=path))
    path.write_text("{}")
    with pytest.raises(SettingsError, match="it is not a key set"):
        build_tokens(Settings(auth_mode="jwt", auth_jwks_file=path))

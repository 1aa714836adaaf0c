"""A key set in a file, which changes while the server runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chatapp.adapters.jwt_tokens import JwksFile, KeysUnusable
from chatapp.adapters.jwt_tokens.jwks import LOOK_SECONDS
from tests.adapters.jwt_tokens.forging import ec_key, ed_key, jwk, key_set

OLD, NEW = jwk(ec_key(), kid="old"), jwk(ed_key(), kid="new")


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(OLD))
    return path


def names(keys: JwksFile) -> list[str | None]:
    return [key.kid for algorithm in ("RS256", "ES256", "EdDSA") for key in keys.find(algorithm, None)]


def replace(path: Path, text: bytes) -> None:
    """As configuration is rolled out: whole, under another name first."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text)
    os.replace(fresh, path)


def test_changed_file_is_noticed(path: Path) -> None:
    seconds = Seconds()
    keys = JwksFile(path, now=seconds)
    (old,) = keys.find("ES256", "old")
    replace(path, key_set(NEW))
    seconds.now += LOOK_SECONDS - 0.1
    assert names(keys) == ["old"]
    assert keys.holds(old)
    seconds.now += 0.1
    assert not keys.holds(old)
    assert names(keys) == ["new"]


@pytest.mark.parametrize("text", [b"", b"nonsense", b'{"keys": []}'])
def test_nonsense_leaves_the_keys_as_they_were_until_it_is_mended(path: Path, text: bytes) -> None:
    seconds = Seconds()
    keys = JwksFile(path, now=seconds)
    path.write_bytes(text)
    seconds.now += LOOK_SECONDS
    with capture_logs() as logged:
        assert names(keys) == ["old"]
    assert [entry["event"] for entry in logged] == ["the key set stays as it was"]
    path.write_bytes(key_set(OLD, NEW))
    seconds.now += LOOK_SECONDS
    assert names(keys) == ["old", "new"]


def test_missing_file_leaves_the_keys_as_they_were(path: Path) -> None:
    seconds = Seconds()
    keys = JwksFile(path, now=seconds)
    path.unlink()
    seconds.now += LOOK_SECONDS
    assert names(keys) == ["old"]


def test_file_that_is_not_there_or_unusable_at_first_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="cannot be read: No such file"):
        JwksFile(tmp_path / "other.json")
    with pytest.raises(KeysUnusable, match="cannot be read: Is a directory"):
        JwksFile(tmp_path)
    path.write_bytes(b"nonsense")
    with pytest.raises(KeysUnusable, match="not JSON"):
        JwksFile(path)

"""Signatures are those of botocore's own signer, whoever asks for what and when."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import botocore.auth
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from chatapp.adapters.dynamodb_store import signing
from chatapp.adapters.dynamodb_store.connection import Connection
from chatapp.adapters.dynamodb_store.signing import CONTENT_TYPE, Signer
from tests.adapters.test_dynamodb_http import OK, scripted

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
credentials = st.builds(
    ReadOnlyCredentials, words, words, st.none() | words | st.text("aA+/= \t", max_size=9), st.none()
)
urls = st.sampled_from([
    "https://dynamodb.eu-west-1.amazonaws.com/",
    "https://DynamoDB.example.com:443/",
    "http://127.0.0.1:8000/",
    "http://127.0.0.1:80/",
    "http://[::1]:8000/",
    "http://name:word@db.example.com:443/some/../long%20way/~me ñ/",
])  # fmt: skip
regions = st.sampled_from(["us-east-1", "eu-west-1", "local"])
times = st.integers(1_000_000_000, 4_000_000_000).map(partial(datetime.fromtimestamp, tz=UTC))
requests = st.tuples(credentials, words, st.binary(max_size=300), times)


@given(urls, regions, st.lists(requests, min_size=1, max_size=4))
def test_a_signature_is_botocores(
    url: str, region: str, asked: list[tuple[ReadOnlyCredentials, str, bytes, datetime]]
) -> None:
    """One signer signs all of them, so that keys are known and others take their place."""
    signer = Signer(url, region=region, agent="test")
    for who, target, body, now in asked:
        with pytest.MonkeyPatch.context() as clock:
            clock.setattr(signing, "gmtime", now.timetuple)
            clock.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
            signed = signer.headers(who, target, body)
            assert signed == botocores(url, region, who, target, body)


def botocores(url: str, region: str, who: ReadOnlyCredentials, target: str, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": CONTENT_TYPE, "User-Agent": "test", "X-Amz-Target": target}
    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(who, "dynamodb", region).add_auth(request)
    return {name: " ".join(value.split()) for name, value in request.headers.items()}


def test_a_signature_is_of_now() -> None:
    who = ReadOnlyCredentials("key", "secret", None, None)
    signed = Signer("http://127.0.0.1:8000/", region="us-east-1", agent="test").headers(who, "Query", b"{}")
    at = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - at) < timedelta(seconds=60)


ISSUING = """
import json, pathlib
count = pathlib.Path(__file__).with_name("count")
number = int(count.read_text()) + 1
count.write_text(str(number))
names = "AccessKeyId", "SecretAccessKey", "SessionToken"
print(json.dumps({{"Version": 1, "Expiration": {expiration!r}, **{{name: f"{{name}}{{number}}" for name in names}}}}))
"""
"""A company's own program, which gives out keys that are good for a while."""


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual one finds nothing but what is in this folder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize(("lifetime", "numbers"), [(timedelta(seconds=30), [2, 3]), (timedelta(hours=6), [1, 1])])
def test_keys_are_renewed_before_they_expire_and_no_sooner(
    chain: Path, lifetime: timedelta, numbers: list[int]
) -> None:
    (chain / "count").write_text("0")
    (chain / "issue.py").write_text(ISSUING.format(expiration=(datetime.now(UTC) + lifetime).isoformat()))
    (chain / "config").write_text(f"[default]\ncredential_process = {sys.executable} {chain / 'issue.py'}\n")
    with scripted([OK] * len(numbers)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        connection = Connection(endpoint=url, region="us-east-1", access_key=None, secret_key=None)
        for _ in numbers:
            connection.ask("Query", {}, orjson.loads)
        connection.close()
    for number, request in zip(numbers, server.requests, strict=True):
        assert f"Credential=AccessKeyId{number}/".encode() in request
        assert f"X-Amz-Security-Token: SessionToken{number}\r\n".encode() in request


def test_without_keys_nothing_is_sent(chain: Path) -> None:
    with scripted([OK]) as server:
        url = f"http://127.0.0.1:{server.port}/"
        connection = Connection(endpoint=url, region="us-east-1", access_key=None, secret_key=None)
        with pytest.raises(NoCredentialsError):
            connection.ask("Query", {}, orjson.loads)
        connection.close()
        assert server.requests == []

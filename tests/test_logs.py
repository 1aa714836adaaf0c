"""What is logged, and what never is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from chatapp.logs import configure_logs
from chatapp.redaction import REDACTED, Redactor
from chatapp.settings import Settings

PASSWORD = 'p@ss/w"rd-8141'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2VjcmV0LXNpZ25hdHVyZQ"
API_KEY = "ck_" + "Ab-_" * 10 + "xyz"


@pytest.fixture(params=["json", "text"])
def begin_logging(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """To be called by the test itself: its stream is another than the fixtures'."""
    names = (None, "chatapp.library", "geventwebsocket")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers
    settings = Settings(log_level="debug", log_format=request.param, redis_password=PASSWORD)
    yield lambda: configure_logs(settings)
    logging.getLogger().handlers = handlers
    for logger, level in before:
        logger.setLevel(level)


@pytest.mark.parametrize("secret", [PASSWORD, JWT, API_KEY, "p%40ss%2Fw%22rd-8141"])
def test_no_secret_leaves_by_a_log(
    begin_logging: Callable[[], None], secret: str, capfd: pytest.CaptureFixture[str]
) -> None:
    begin_logging()
    ours, theirs = structlog.get_logger("chatapp.test"), logging.getLogger("some.library")
    ours.debug("one", value=secret, inside={"deep": [secret]})
    ours.info(f"two {secret}")
    theirs.error("three %s", secret)
    try:
        raise RuntimeError(f"four redis://:{secret}@cache")
    except RuntimeError:
        ours.exception("failed")
        theirs.exception("failed too")
    said = capfd.readouterr().err
    assert all(word in said for word in ("one", "two", "three", "four", "failed too", REDACTED))
    for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert form not in said


def test_libraries_say_nothing_below_a_warning(
    begin_logging: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    begin_logging()
    for name in ("botocore.endpoint", "urllib3.connectionpool", "chatapp.library.engineio"):
        logging.getLogger(name).debug("the whole request")
        logging.getLogger(name).info("the whole request")
        logging.getLogger(name).warning("a warning of %s", name)
    structlog.get_logger("chatapp.test").debug("ours")
    said = capfd.readouterr().err
    assert "the whole request" not in said
    assert said.count("a warning of") == 3
    assert "ours" in said


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"token {JWT}.", f"token {REDACTED}."),
        (f"/api/users/{JWT}", f"/api/users/{REDACTED}"),
        (f"key {API_KEY}!", f"key {REDACTED}!"),
        (f"whsec_{'ab+/' * 10}= signs", f"{REDACTED} signs"),
        (f"whsk_{'ab+/' * 10}= signs", f"{REDACTED} signs"),
        ("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("Authorization: Bearer abc.def.ghi", f"Authorization: Bearer {REDACTED}"),
        ("{'authorization': 'basic YW5hOng='}", f"{{'authorization': 'basic {REDACTED}'}}"),
        ("to rediss://ana:a:b@cache:1/0 failed", f"to rediss://{REDACTED}@cache:1/0 failed"),
        ("to redis://:abc@cache", f"to redis://{REDACTED}@cache"),
        ("GET /uploads/x?exp=1&sig=abc%3D&y=1", f"GET /uploads/x?exp=1&sig={REDACTED}&y=1"),
        (
            "/x?X-Amz-Credential=AK%2F1&X-Amz-Signature=ab12&z",
            f"/x?X-Amz-Credential={REDACTED}&X-Amz-Signature={REDACTED}&z",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AK/1, Signature=ab",
            f"AWS4-HMAC-SHA256 Credential={REDACTED}, Signature={REDACTED}",
        ),
    ],
)
def test_what_has_the_shape_of_a_secret_is_one(text: str, redacted: str) -> None:
    assert Redactor()(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of news",
        "https://app.example.com:8443/ana@example.com",
        "ana@example.com: 12:30",
        "track_number_of_everything",
        "/api/messages/0198c7ab-1111-7000-8000-000000000000",
        "design=1&signature",
        "keyJob.one.two",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redactor(["", "abc", "another-secret"])(text + " abc") == text + " abc"

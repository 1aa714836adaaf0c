"""The one place that talks to botocore for files: one policy of retries, one translation of errors.

Every request is safe to repeat, and is tried again, with full jitter, while the engine throttles, fails or is silent.
No attempt begins later than ``PATIENCE_SECONDS`` after the first, and none waits longer than
``CONNECT_TIMEOUT_SECONDS`` or ``SILENCE_SECONDS`` for the engine's next move: an engine that is down is
FilesUnavailable within ``GIVES_UP_WITHIN_SECONDS``. A slow link is no failure: what moves may take its time.
"""

from __future__ import annotations

import random
from io import BytesIO
from time import monotonic
from typing import Any

import boto3
import gevent
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from chatapp.domain.errors import FilesUnavailable

PATIENCE_SECONDS = 9.0
"""Room for two attempts that meet with silence."""

CONNECT_TIMEOUT_SECONDS = 2.0
"""Also how long a send may stand still."""

SILENCE_SECONDS = 4.0

GIVES_UP_WITHIN_SECONDS = PATIENCE_SECONDS + SILENCE_SECONDS

CONNECTIONS = 50
"""Kept open in a process; requests beyond these open a connection each and close it again."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0

ABSENT = {"404", "NoSuchKey", "NoSuchUpload"}
"""An answer to HEAD has no body, and so no code but its status."""

PASSING = {
    "BadDigest",  # the bytes were damaged on their way
    "ConditionalRequestConflict",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}
"""Errors below status 500 that the same request may not meet again."""

_random = random.SystemRandom()


class Absent(FilesUnavailable):
    """There is no such object or upload. ``doubt``: an earlier attempt of this request had no answer."""

    def __init__(self, *, reason: str, doubt: bool) -> None:
        super().__init__(engine="s3", reason=reason)
        self.doubt = doubt


class Bucket:
    def __init__(
        self, name: str, *, region: str, endpoint: str | None, access_key: str | None, secret_key: str | None
    ) -> None:
        """Asks nobody yet. Without an endpoint it is AWS's own; without keys they come by boto3's usual chain."""
        self._name = name
        try:
            self.client = boto3.session.Session().client(
                "s3",
                endpoint_url=endpoint,
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                config=Config(
                    signature_version="s3v4",  # or us-east-1 presigns by the old version, which fixes no headers
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=SILENCE_SECONDS,
                    max_pool_connections=CONNECTIONS,
                    retries={"total_max_attempts": 1},  # the policy is ours
                    tcp_keepalive=True,
                    # Content-MD5 is given with each body, signed as a header, and known to every engine: no second
                    # hash of megabytes on the event loop, and none of AWS's newer checksums that others refuse.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={"payload_signing_enabled": False, "addressing_style": _addressing(name, endpoint)},
                ),
            )
        except (BotoCoreError, ValueError) as exc:  # ValueError: no URL at all
            raise FilesUnavailable(engine="s3", reason=f"{type(exc).__name__}: {exc}") from exc

    def call(
        self, operation: str, *, body: bytes | None = None, patience_seconds: float | None = None, **request: Any
    ) -> dict[str, Any]:
        """One request, tried again while that may help. Raises Absent, FilesUnavailable."""
        patience, doubt = Patience(PATIENCE_SECONDS if patience_seconds is None else patience_seconds), False
        while True:
            try:
                return self._attempt(operation, body, request)
            except (ClientError, BotoCoreError, ResponseParserError) as exc:
                reason = _reason(exc)
                if reason in ABSENT:
                    raise Absent(reason=reason, doubt=doubt) from exc
                if not _is_passing(exc) or not patience.pause():
                    raise FilesUnavailable(engine="s3", reason=reason) from exc
                doubt = True

    def presign(self, *, expires_seconds: int, **request: Any) -> str:
        """A URL that answers one GET as ``request`` says, and then no more. Raises FilesUnavailable."""
        try:
            url: str = self.client.generate_presigned_url(
                "get_object", Params={"Bucket": self._name, **request}, ExpiresIn=expires_seconds
            )
        except BotoCoreError as exc:  # no credentials
            raise FilesUnavailable(engine="s3", reason=_reason(exc)) from exc
        return url

    def close(self) -> None:
        self.client.close()

    def _attempt(self, operation: str, body: bytes | None, request: dict[str, Any]) -> dict[str, Any]:
        """The body goes as a file: piece by piece, each with a time limit of its own."""
        given = {} if body is None else {"Body": BytesIO(body)}
        answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self._name, **request, **given)
        return answer


class Patience:
    """How long something may still be tried."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = self._attempt_began = monotonic()
        self._longest_pause = FIRST_PAUSE_SECONDS

    def pause(self) -> bool:
        """After a failed attempt: wait for the next; False when there is none, or it would end too late if it
        took as long as the last."""
        pause = _random.uniform(0, self._longest_pause)
        now = monotonic()
        if now - self._began + pause + (now - self._attempt_began) > self._seconds:
            return False
        self._longest_pause = min(2 * self._longest_pause, LONGEST_PAUSE_SECONDS)
        gevent.sleep(pause)
        self._attempt_began = monotonic()
        return True


def _addressing(bucket: str, endpoint: str | None) -> str:
    """Other engines seldom have a host for each bucket, and AWS's certificate covers no further dots. Not botocore's
    ``auto``: that presigns for a global host, which knows nothing of buckets in younger regions."""
    return "path" if endpoint or "." in bucket else "virtual"


def _is_passing(exc: Exception) -> bool:
    if isinstance(exc, ClientError):
        status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
        return status == 429 or (status >= 500 and status != 501) or _reason(exc) in PASSING
    return isinstance(exc, HTTPClientError | ResponseParserError)  # all that goes wrong between the engine and us


def _reason(exc: Exception) -> str:
    """The engine's code or botocore's class; neither has keys or addresses in it."""
    return str(exc.response["Error"]["Code"]) if isinstance(exc, ClientError) else type(exc).__name__

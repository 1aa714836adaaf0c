"""One signed POST to a webhook endpoint, whoever that is.

urllib3 speaks HTTP and TLS over a socket that ``public_addresses`` has connected; it knows the host by its name, for
SNI, the certificate and ``Host``. No proxy is asked, no redirect followed, no cookie kept, and of an answer's body only
a little is read.
"""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

import gevent
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ProtocolError
from urllib3.util import Timeout, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from chatapp.adapters.public_addresses import AddressNotAllowed, connect, is_literal, resolve
from chatapp.adapters.standard_webhooks import headers_of
from chatapp.domain.webhooks import Answer, Endpoint, LoggedEvent
from chatapp.version import VERSION

log = logging.getLogger(__name__)

EXCHANGE_SECONDS = 20.0
"""From the question to the name server to the last byte read, however slowly the other side talks."""

READ_MAX_BYTES = 1024
"""Of an answer's body. Its status is all that counts."""

RETRY_AFTER_MAX = timedelta(hours=24)
"""As long as the longest pause between two tries."""


class _Socket:
    allow_private = False
    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        """Fails as urllib3's own does: of a bare reset it would think that a request had been sent."""
        try:
            return connect(self.host, self.port, timeout=EXCHANGE_SECONDS, allow_private=self.allow_private)
        except OSError as exc:
            raise NewConnectionError(self, str(exc)) from exc  # type: ignore[arg-type]


class _PublicHttp(_Socket, HTTPConnection):
    pass


class _PublicHttps(_Socket, HTTPSConnection):
    pass


class _AnyHttp(_PublicHttp):
    allow_private = True


class _AnyHttps(_PublicHttps):
    allow_private = True


class HttpSender:
    def __init__(self, *, allow_private: bool) -> None:
        """``allow_private``: also to addresses that are not public, and without TLS."""
        self._allow_private = allow_private
        self._tls = create_urllib3_context()
        self._tls.load_default_certs()  # once: it takes longer than all of a request

    def objection(self, url: str) -> str | None:
        """What can be said without asking anybody; the rest is seen when it is connected to."""
        try:
            parsed = parse_url(url)
        except HTTPError:
            return "invalid"
        if parsed.scheme not in ("https", "http") or not parsed.host or parsed.auth or parsed.fragment:
            return "invalid"
        if self._allow_private:
            return None
        if parsed.scheme != "https":
            return "https_only"
        return None if _may_be_public(parsed.host.strip("[]")) else "address_not_public"

    def post(self, endpoint: Endpoint, event: LoggedEvent, *, now: datetime) -> Answer:
        began = monotonic()
        status, error, retry_after = None, None, None
        try:
            with gevent.Timeout(EXCHANGE_SECONDS):
                status, retry_after = self._exchange(endpoint, event, now)
        except gevent.Timeout:
            error = f"no whole answer within {EXCHANGE_SECONDS:.0f} s"
        except AddressNotAllowed:
            error = "the address is not public"
        except (HTTPError, OSError, ValueError) as exc:
            error = _reason(exc)
        return Answer(status, error, round((monotonic() - began) * 1000), _seconds(retry_after, now))

    def _exchange(self, endpoint: Endpoint, event: LoggedEvent, now: datetime) -> tuple[int, str | None]:
        url = parse_url(endpoint.url)
        if url.scheme != "https" and not self._allow_private:
            raise AddressNotAllowed(url.host)
        headers = {
            **headers_of(endpoint, event, now),
            "Content-Type": "application/json",
            "User-Agent": f"chatapp/{VERSION}",
            "Accept-Encoding": "identity",
        }
        pool = self._pool(url.scheme or "", url.host or "", url.port)
        try:
            answer = pool.urlopen(
                "POST",
                url.request_uri,
                body=event.body.encode(),
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
            answer.read(READ_MAX_BYTES, decode_content=False)
            return answer.status, answer.headers.get("Retry-After")
        finally:
            pool.close()

    def _pool(self, scheme: str, host: str, port: int | None) -> HTTPConnectionPool:
        timeout = Timeout(EXCHANGE_SECONDS)
        if scheme == "https":
            secure = HTTPSConnectionPool(host.strip("[]"), port, maxsize=1, timeout=timeout, ssl_context=self._tls)
            secure.ConnectionCls = _AnyHttps if self._allow_private else _PublicHttps
            return secure
        plain = HTTPConnectionPool(host.strip("[]"), port, maxsize=1, timeout=timeout)
        plain.ConnectionCls = _AnyHttp if self._allow_private else _PublicHttp
        return plain


def _may_be_public(host: str) -> bool:
    if not is_literal(host):
        return True
    try:
        resolve(host, None, allow_private=False)
    except (AddressNotAllowed, OSError):
        return False
    return True


def _reason(exc: Exception) -> str:
    """In a line, for who looks after the endpoint."""
    cause = exc
    while isinstance(cause, MaxRetryError | NewConnectionError | ProtocolError) and cause.__cause__:
        cause = cause.__cause__  # type: ignore[assignment]
    return f"{type(cause).__name__}: {cause}"[:200]


def _seconds(retry_after: str | None, now: datetime) -> timedelta | None:
    """Of the header, which is a number of seconds or a date; None for anything else."""
    if retry_after is None:
        return None
    try:
        if retry_after.strip().isdigit():
            wait = timedelta(seconds=min(int(retry_after), int(RETRY_AFTER_MAX.total_seconds())))
        else:
            at = parsedate_to_datetime(retry_after)
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return max(timedelta(0), min(wait, RETRY_AFTER_MAX))

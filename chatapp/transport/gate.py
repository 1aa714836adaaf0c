"""What every HTTP request passes first and every answer last: REST, Engine.IO's polling and WebSocket handshakes alike.

It is WSGI around the application, because Engine.IO answers before Flask is asked.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import structlog

from chatapp.domain.errors import ChatError, OriginNotAllowed, TokenInUrl
from chatapp.settings import Settings
from chatapp.transport.addresses import client_address, is_encrypted
from chatapp.transport.errors import Failure, describe, error_text, language_of
from chatapp.transport.origins import Origins, is_preflight, preflight_headers
from chatapp.transport.security_headers import HSTS, Headers, completed, policies, policy_of

log = structlog.get_logger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)

TOKEN_PARAMETERS = frozenset(
    {"token", "access_token", "id_token", "jwt", "auth", "authorization", "api_key", "apikey", "password"}
)
"""URLs are kept in histories, proxies' logs and referrers. Whoever put a secret into one is told so at the first try,
before anybody begins to rely on it."""

LIVEKIT_CLOUD = (".livekit.cloud", ".livekit.run")


class Gate:
    def __init__(self, application: Application, settings: Settings) -> None:
        self._application = application
        self._settings = settings
        self._origins = Origins(settings.cors_origins)
        self._policies = policies(settings.socket_path, file_hosts(settings), media_hosts(settings))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = self._headers(environ)

        def start(status: str, given: Headers, exc_info: Any = None) -> Any:
            return start_response(status, completed(given, headers), exc_info)

        try:
            self._admit(environ)
        except ChatError as refusal:
            return self._refuse(refusal, environ, start)
        if is_preflight(environ):
            start("200 OK", preflight_headers(environ))
            return []
        return self._application(environ, start)

    def _headers(self, environ: Environ) -> Headers:
        headers = self._origins.headers(environ) + policy_of(environ.get("PATH_INFO", ""), self._policies)
        if self._settings.is_production and is_encrypted(environ, self._settings.trusted_proxies):
            headers.append(HSTS)
        return headers

    def _admit(self, environ: Environ) -> None:
        """Raises OriginNotAllowed, TokenInUrl."""
        if not self._origins.admits(environ):
            raise OriginNotAllowed
        found = token_in(environ.get("QUERY_STRING", ""))
        if found is not None:
            raise TokenInUrl(parameter=found)

    def _refuse(self, refusal: ChatError, environ: Environ, start: StartResponse) -> list[bytes]:
        failure = describe(refusal, language_of(environ.get("HTTP_ACCEPT_LANGUAGE", "")))
        request_id = request_id_of(environ)
        _log_refusal(failure, request_id, environ, client_address(environ, self._settings.trusted_proxies))
        body = error_text(failure, request_id).encode()
        start(
            f"{failure.status} {failure.phrase}",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("X-Request-Id", request_id),
            ],
        )
        return [body] if environ["REQUEST_METHOD"] != "HEAD" else []


def token_in(query: str) -> str | None:
    """The name of the first parameter that is for secrets."""
    if not query:
        return None
    names = (name.lower() for name, _ in parse_qsl(query, keep_blank_values=True, errors="replace"))
    return next((name for name in names if name in TOKEN_PARAMETERS), None)


def request_id_of(environ: Mapping[str, str]) -> str:
    """The client's own when it is fit for a log, else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def file_hosts(settings: Settings) -> tuple[str, ...]:
    """Where downloads are redirected to, as a content policy says it: the bucket's hosts, however it is addressed."""
    if settings.file_engine != "s3":
        return ()
    bucket, region = settings.s3_bucket, settings.s3_region
    if settings.s3_endpoint is None:
        return (
            f"https://{bucket}.s3.{region}.amazonaws.com",
            f"https://{bucket}.s3.amazonaws.com",
            f"https://s3.{region}.amazonaws.com",
        )
    scheme, host = _scheme_and_host(settings.s3_endpoint)
    return (f"{scheme}://{host}", f"{scheme}://{bucket}.{host}")


def media_hosts(settings: Settings) -> tuple[str, ...]:
    """Of the LiveKit server, as a content policy says it: its client opens a WebSocket, and asks by HTTP for the reason
    when it may not. The hosts of LiveKit's cloud name others that are nearer."""
    if settings.livekit_url is None:
        return ()
    scheme, host = _scheme_and_host(settings.livekit_url)
    hosts = [host, *(f"*{domain}" for domain in LIVEKIT_CLOUD if host.endswith(domain))]
    return tuple(f"{each}://{name}" for name in hosts for each in (scheme, scheme.replace("ws", "http")))


def _scheme_and_host(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    return scheme, rest.partition("/")[0]


def _log_refusal(failure: Failure, request_id: str, environ: Environ, address: str) -> None:
    log.info(
        "request refused",
        request_id=request_id,
        address=address,
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        status=failure.status,
        code=failure.code,
    )

"""Which web pages may use the server. REST, polling and WebSockets are all held to the one list.

Browsers keep a page from reading other sites' answers only, and not from opening WebSockets to them; so whoever is not
on the list is refused. Who sends no ``Origin`` is no page: servers and mobile apps have their tokens, not a browser's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]

CODE = "/client/"
DESCRIPTION = "/client/config.json"

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
EXPOSED = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Link, Retry-After, X-Request-Id"

NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*", re.ASCII)

PREFLIGHT_SECONDS = 600
"""As long as any browser keeps an answer but Firefox, which would keep it for a day."""


class Origins:
    """``allowed`` is ``*`` or the origins as browsers write them."""

    def __init__(self, allowed: str | tuple[str, ...]) -> None:
        self._everybody = allowed == "*"
        self._listed = frozenset(() if self._everybody else allowed)

    def admits(self, environ: Mapping[str, str]) -> bool:
        if is_for_everybody(environ.get("PATH_INFO", "")):
            return True
        origin = environ.get("HTTP_ORIGIN")
        return not origin or self._everybody or origin in self._listed or _is_our_own(origin, environ)

    def headers(self, environ: Mapping[str, str]) -> Headers:
        """For every answer. Nobody's cookies are wanted here, but a balancer in front may tell its clients by one."""
        if self._everybody or is_for_everybody(environ.get("PATH_INFO", "")):
            return [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", EXPOSED)]
        headers = [("Vary", "Origin")]  # also where there is none, or a cache would answer a page with it
        origin = environ.get("HTTP_ORIGIN")
        if origin and self.admits(environ):
            headers += [
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
                ("Access-Control-Expose-Headers", EXPOSED),
            ]
        return headers


def is_for_everybody(path: str) -> bool:
    """The web client's code, which is no secret: the widget has to be on a page before it can say that the page is not
    on the list. What the server says of itself, and all that is asked for then, is for listed pages."""
    return path.startswith(CODE) and path != DESCRIPTION


def is_preflight(environ: Mapping[str, str]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def preflight_headers(environ: Mapping[str, str]) -> Headers:
    """A page may send what headers it likes: clients have some of their own, and none of ours is believed for being
    there."""
    headers = [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))]
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    if NAMES.fullmatch(asked):
        headers.append(("Access-Control-Allow-Headers", asked))
    return [*headers, ("Vary", "Access-Control-Request-Headers"), ("Content-Length", "0")]


def _is_our_own(origin: str, environ: Mapping[str, str]) -> bool:
    """Whether the page comes from this very server. The host says so without its scheme, which a proxy in front may
    have changed: who owns the one owns the other."""
    host = environ.get("HTTP_HOST")
    return bool(host) and urlsplit(origin).netloc == host

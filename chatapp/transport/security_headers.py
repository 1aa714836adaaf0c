"""What browsers are told about our answers: the policy of each part of the site, in one table.

``Referrer-Policy`` is ``no-referrer``: our URLs carry ids and signatures that are nobody else's, and no page of ours
needs to know where somebody came from. Nothing here allows inline scripts or styles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Headers = list[tuple[str, str]]

HSTS = ("Strict-Transport-Security", "max-age=31536000")
"""A year. Neither ``includeSubDomains`` nor ``preload``: other hosts of the domain are not ours to decide upon."""

NO_DEVICES = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
OWN_DEVICES = "camera=(self), display-capture=(self), geolocation=(), microphone=(self), payment=(), usb=()"


@dataclass(frozen=True, slots=True)
class Policy:
    """``framed_by`` is ``'none'`` or ``'self'``. ``used_by`` says whose pages may use an answer as a picture, a script
    and the like without asking: ``same-origin`` or ``cross-origin``. A ``fetch`` is the origins' list's affair."""

    content: str
    framed_by: str = "'none'"
    used_by: str = "same-origin"
    devices: str | None = None

    def headers(self) -> Headers:
        headers = [
            ("Content-Security-Policy", f"{self.content}; frame-ancestors {self.framed_by}"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "SAMEORIGIN" if self.framed_by == "'self'" else "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", self.used_by),
        ]
        return [*headers, ("Permissions-Policy", self.devices)] if self.devices else headers


DATA = Policy("default-src 'none'")
"""JSON, and whatever is not named below: nothing that could be shown may do anything."""

DOWNLOAD = Policy("default-src 'none'; form-action 'none'; base-uri 'none'", framed_by="'self'", used_by="cross-origin")
"""Files of strangers. A page of a listed origin shows them by ``<img src=fileUrl>``, for which browsers ask nobody;
our own page may frame a PDF. No ``sandbox``: browsers' own PDF viewers do not open in one."""

CODE = Policy("default-src 'none'", used_by="cross-origin")
"""The web client's scripts, styles and pictures: other pages show the widget that they make."""

API_BROWSER = Policy(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'",
    devices=NO_DEVICES,
)
"""Swagger UI has its icons as ``data:`` URLs in its style sheet."""


def web_client(file_hosts: Iterable[str], media_hosts: Iterable[str] = ()) -> Policy:
    """The bundled client's page. ``file_hosts`` are where downloads are redirected to: a policy looks at those too;
    ``media_hosts`` take the media of large calls.

    ``connect-src 'self'`` covers WebSockets to the page's own host, ``blob:`` what was recorded or chosen and is not
    sent yet."""
    files = " ".join(["'self'", *file_hosts])
    asked = " ".join([files, *media_hosts])
    return Policy(
        f"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src {files} blob: data:; "
        f"media-src {files} blob:; connect-src {asked}; frame-src {files}; worker-src 'self'; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'",
        framed_by="'self'",
        devices=OWN_DEVICES,
    )


Policies = tuple[tuple[str, Headers], ...]
"""The first of these prefixes that a path has decides."""


def policies(socket_path: str, file_hosts: Iterable[str], media_hosts: Iterable[str] = ()) -> Policies:
    parts = (
        ("/api/files/", DOWNLOAD),
        ("/uploads/", DOWNLOAD),
        ("/api/docs", API_BROWSER),
        ("/client/config.json", DATA),
        ("/client/", CODE),
        *((path, DATA) for path in (f"{socket_path}/", "/api/", "/healthz", "/readyz")),
        ("/", web_client(file_hosts, media_hosts)),
        ("", DATA),
    )
    return tuple((prefix, policy.headers()) for prefix, policy in parts)


def policy_of(path: str, table: Policies) -> Headers:
    return next(headers for prefix, headers in table if path.startswith(prefix))


BARE: Headers = DATA.headers()
"""For what is answered below the application."""


def completed(headers: Iterable[tuple[str, str]], wanted: Headers) -> Headers:
    """``headers`` and those of ``wanted`` that they do not have; ``Vary`` may come twice."""
    headers = list(headers)
    present = {name.lower() for name, _ in headers} - {"vary"}
    return headers + [pair for pair in wanted if pair[0].lower() not in present]

"""How the variables that say what verifies tokens are read. What is wrong is a ValueError that quotes no secret."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

SECRET_MIN_BYTES = 32
"""RFC 7518, 3.2: no shorter than what HS256 computes."""

KEY_FILE = re.compile(r"-----BEGIN |^(ssh|ecdsa)-")
"""PyJWT signs and verifies nothing with what might be a public key."""

PAIR = re.compile(r"([\w.-]{1,64}):([^:]+)", re.ASCII)


def token_secrets(value: str) -> tuple[tuple[str | None, str], ...]:
    """Name and secret of each; None for the name of one that stands alone."""
    if KEY_FILE.search(value):
        raise ValueError("a secret, not a key file: public keys belong in a key set, see AUTH_JWKS_FILE")
    if not re.search("[,:]", value):
        return ((None, _long_enough(value)),)
    pairs = [PAIR.fullmatch(part.strip()) for part in value.split(",")]
    found = tuple((pair[1], _long_enough(pair[2])) for pair in pairs if pair)
    if len(dict(found)) < len(pairs):
        raise ValueError("one secret without commas and colons, or kid:secret pairs, each kid once")
    return found


def _long_enough(secret: str) -> str:
    if len(secret.encode()) < SECRET_MIN_BYTES:
        raise ValueError(f"at least {SECRET_MIN_BYTES} bytes long, each secret")
    return secret


def key_set_url(value: str) -> str:
    """Whoever can change what comes from there lets themselves in: it must be fetched over TLS."""
    if not _is_safe(value):
        raise ValueError("a URL beginning with https:// (http:// only to this machine), without user and password")
    return value


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0  # a wrong port is a ValueError here
    except ValueError:
        return False
    is_plain = has_host and parts.username is None and not re.search(r"\s", url)
    return is_plain and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(str(parts.hostname))))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

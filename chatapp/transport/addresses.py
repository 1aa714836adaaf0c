"""Which address a request comes from, and whether it was encrypted on its way, when proxies stand in front."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

from chatapp.settings import TrustedProxies


def client_address(environ: Mapping[str, str], trusted: TrustedProxies) -> str:
    """The nearest address that is not a trusted proxy's. What lies beyond it in the header is the client's own word."""
    chain = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    chain.append(environ.get("REMOTE_ADDR") or "unknown")
    if trusted.hops:
        return chain[max(0, len(chain) - 1 - trusted.hops)]
    while len(chain) > 1 and _is_trusted(chain[-1], trusted):
        chain.pop()
    return chain[-1]


def is_encrypted(environ: Mapping[str, str], trusted: TrustedProxies) -> bool:
    """Whether the client came over TLS, as far as a trusted proxy says so or we know it ourselves."""
    if environ.get("wsgi.url_scheme") == "https":
        return True
    if not trusted.hops and not _is_trusted(environ.get("REMOTE_ADDR") or "unknown", trusted):
        return False
    nearest = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2]
    return nearest.strip().lower() == "https"


def _is_trusted(address: str, trusted: TrustedProxies) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:  # how a listener on :: sees IPv4
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted.networks)

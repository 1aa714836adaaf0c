"""Which addresses belong to the Internet at large, and a socket to one of them and no other.

A name is resolved once and the socket connects to the address that was looked at. So neither a name that resolves to
something else a moment later (DNS rebinding), nor another spelling of an address (decimal, octal, hexadecimal, mapped
into IPv6) gets anywhere that its address may not.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address

Found = tuple[int, int, int, str, tuple[Any, ...]]
"""As ``getaddrinfo`` has it."""

NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
            "168.63.129.16/32",  # Azure's metadata, at a public address
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.88.99.0/24",  # the old relays to 6to4
            "198.18.0.0/15",  # benchmarks
            "240.0.0.0/4",  # reserved, broadcast
            "::/96",  # IPv4-compatible
            "64:ff9b:1::/48",  # NAT64 of one's own network
            "100::/64",  # discard
            "2001::/23",  # protocol assignments, Teredo with them
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "fec0::/10",  # site-local
        ),
    )
)
"""Beside those that Python calls private, loopback, link-local, multicast, reserved or unspecified. By hand, because
which those are depends on the version of Python."""

NAT64 = ip_network("64:ff9b::/96")
SIX_TO_FOUR = ip_network("2002::/16")


class AddressNotAllowed(Exception):
    """The host has no address that may be asked."""


def is_public(address: Address) -> bool:
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        return False
    if address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that this IPv6 one leads to."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in SIX_TO_FOUR:
        return IPv4Address((int(address) >> 80) & 0xFFFF_FFFF)
    return None


def is_literal(host: str) -> bool:
    """Whether it is an address and no name, by one of the spellings that engines understand."""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True


def resolve(host: str, port: int | None, *, allow_private: bool) -> list[Found]:
    """As ``getaddrinfo``, those that may be asked. Raises AddressNotAllowed when there is none, OSError."""
    found: list[Found] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[assignment]
    allowed = [entry for entry in found if allow_private or is_public(_address_of(entry[4][0]))]
    if not allowed:
        raise AddressNotAllowed(host)
    return allowed


def connect(host: str, port: int, *, timeout: float, allow_private: bool) -> socket.socket:
    """To the first address of this host that answers, of those that may be asked.

    Raises AddressNotAllowed when there is none of these, OSError.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, place in resolve(host, port, allow_private=allow_private):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(place)
        except OSError as exc:
            connection.close()
            failure = exc
        else:
            return connection
    raise failure or OSError("no address")


def _address_of(text: str | int) -> Address:
    return ip_address(str(text).partition("%")[0])

"""Whose address counts. A client may write into ``X-Forwarded-For`` whatever it likes."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from chatapp.settings import TrustedProxies
from chatapp.transport.addresses import client_address, is_encrypted

NOBODY = TrustedProxies()
TEN = TrustedProxies(networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


def address(forwarded: str | None, remote: str | None, trusted: TrustedProxies) -> str:
    environ = {"HTTP_X_FORWARDED_FOR": forwarded, "REMOTE_ADDR": remote}
    return client_address({name: value for name, value in environ.items() if value is not None}, trusted)


@pytest.mark.parametrize("forwarded", [None, "", "1.1.1.1", "1.1.1.1, 2.2.2.2"])
def test_without_trusted_proxies_the_header_is_only_the_clients_word(forwarded: str | None) -> None:
    assert address(forwarded, "203.0.113.9", NOBODY) == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "hops", "expected"),
    [
        ("203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2", 2, "203.0.113.9"),
        (" 203.0.113.9 ,", 1, "203.0.113.9"),
        ("203.0.113.9", 5, "203.0.113.9"),
        (None, 1, "10.0.0.1"),
    ],
)
def test_as_many_hops_as_there_are_proxies(forwarded: str | None, hops: int, expected: str) -> None:
    assert address(forwarded, "10.0.0.1", TrustedProxies(hops=hops)) == expected


@pytest.mark.parametrize(
    ("forwarded", "remote", "expected"),
    [
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
        ("203.0.113.9", "fd00::1", "203.0.113.9"),
        ("2001:db8::7", "10.0.0.1", "2001:db8::7"),
        ("10.1.1.1, 10.1.1.2", "10.0.0.1", "10.1.1.1"),
        (None, "10.0.0.1", "10.0.0.1"),
    ],
)
def test_nearest_address_outside_the_trusted_networks(forwarded: str | None, remote: str, expected: str) -> None:
    assert address(forwarded, remote, TEN) == expected


def test_a_stranger_cannot_speak_for_others() -> None:
    assert address("10.0.0.5", "203.0.113.9", TEN) == "203.0.113.9"


def test_what_is_no_address_is_not_trusted() -> None:
    assert address("6.6.6.6, <script>", "10.0.0.1", TEN) == "<script>"
    assert address("6.6.6.6", "unix:", TEN) == "unix:"


@pytest.mark.parametrize("trusted", [NOBODY, TrustedProxies(hops=1), TEN], ids=["nobody", "hops", "networks"])
def test_without_any_address(trusted: TrustedProxies) -> None:
    assert address(None, None, trusted) == "unknown"
    assert address(None, "", trusted) == "unknown"


def test_a_proxy_s_ipv4_address_counts_however_the_listener_writes_it() -> None:
    assert address("203.0.113.9", "::ffff:10.0.0.2", TEN) == "203.0.113.9"


# ---------------------------------------------------------------- TLS
@pytest.mark.parametrize(
    ("trusted", "remote", "proto", "encrypted"),
    [
        (NOBODY, "203.0.113.9", "https", False),
        (TrustedProxies(hops=1), "203.0.113.9", "https", True),
        (TrustedProxies(hops=1), "203.0.113.9", "HTTPS", True),
        (TrustedProxies(hops=1), "203.0.113.9", "http", False),
        (TrustedProxies(hops=1), "203.0.113.9", None, False),
        (TrustedProxies(hops=2), "203.0.113.9", "https, http", False),
        (TEN, "10.1.2.3", "https", True),
        (TEN, "203.0.113.9", "https", False),
        (TEN, None, "https", False),
    ],
)
def test_only_a_trusted_proxy_is_believed_that_the_client_came_over_tls(
    trusted: TrustedProxies, remote: str | None, proto: str | None, encrypted: bool
) -> None:
    environ = {"HTTP_X_FORWARDED_PROTO": proto, "REMOTE_ADDR": remote, "wsgi.url_scheme": "http"}
    given = {name: value for name, value in environ.items() if value is not None}
    assert is_encrypted(given, trusted) is encrypted
    assert is_encrypted({**given, "wsgi.url_scheme": "https"}, trusted)

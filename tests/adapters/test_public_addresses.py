"""Which addresses a webhook may go to, however they are written."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from chatapp.adapters import public_addresses
from chatapp.adapters.public_addresses import AddressNotAllowed, connect, is_public, resolve

NOT_PUBLIC = [
    # this host, loopback
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "::", "::1",
    # private
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254", "fec0::1",
    # link-local, and with it most clouds' metadata
    "169.254.169.254", "169.254.170.2", "169.254.0.1", "fe80::1",
    # other metadata
    "100.100.100.200", "192.0.0.192", "168.63.129.16",
    # carrier-grade NAT
    "100.64.0.1", "100.127.255.255",
    # multicast, broadcast, reserved
    "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "ff02::1", "ff0e::1",
    # documentation, benchmarks, discard
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1", "3fff::1", "100::1", "192.88.99.1",
    # IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
    "168.63.129.17",
    "2606:4700:4700::1111", "2a00:1450:4003:80e::200e", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8",
]  # fmt: skip

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "0x0",
    "127.0.0.1.", "localhost", "LOCALHOST", "[::1]", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[64:ff9b::7f00:1]", "fe80::1%1",
]  # fmt: skip
"""Of loopback and of the metadata service, as resolvers understand them."""


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_the_internet_at_large_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_at_large_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_an_address_gets_past(host: str) -> None:
    with pytest.raises((AddressNotAllowed, socket.gaierror)):
        connect(host.strip("[]"), 80, timeout=1, allow_private=False)


def found(*addresses: str) -> list[Any]:
    return [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
        for address in addresses
    ]


def test_of_several_addresses_only_the_public_ones_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found("10.0.0.1", "1.1.1.1", "::1"))
    assert [entry[4][0] for entry in resolve("example.com", 80, allow_private=False)] == ["1.1.1.1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found("10.0.0.1", "::1"))
    with pytest.raises(AddressNotAllowed):
        resolve("example.com", 80, allow_private=False)


def test_a_name_that_changes_its_mind_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is looked at, loopback a moment later. The socket goes where was looked."""
    answers = [found("1.1.1.1"), found("127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers.pop(0))
    went: list[Any] = []

    class Socket:
        def __init__(self, *_: Any) -> None: ...
        def settimeout(self, _seconds: float) -> None: ...
        def connect(self, place: Any) -> None:
            went.append(place)

    monkeypatch.setattr(public_addresses.socket, "socket", Socket)
    connect("rebinding.example", 80, timeout=1, allow_private=False)
    assert went == [("1.1.1.1", 80)]
    assert len(answers) == 1


def test_where_one_address_does_not_answer_the_next_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        places = [("127.0.0.1", nobody.getsockname()[1]), ("127.0.0.1", listener.getsockname()[1])]
        entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: entries)
        with connect("example.com", 80, timeout=5, allow_private=True) as connection:
            assert connection.getpeername() == places[1]

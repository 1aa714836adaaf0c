"""The tests of ``JwksUrl`` over a real server. ``test_jwks_url.py`` runs them with pytest in a process of their own, as
``test_redis_bus.py`` does and for the same reason."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent import monkey
from gevent.event import Event
from gevent.server import StreamServer
from gevent.socket import socket
from structlog.testing import capture_logs

from chatapp.adapters.jwt_tokens import JwksUrl, JwtVerifier, download
from chatapp.adapters.jwt_tokens.jwks import REFRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS
from chatapp.adapters.jwt_tokens.keys import JWKS_MAX_BYTES
from chatapp.domain.errors import TokenInvalid, Unavailable
from tests.adapters.jwt_tokens.forging import by_key, by_secret, claims, ec_key, ed_key, jwk, key_set, token
from tests.engines.tls import tls_in_front_of
from tests.fakes import FakeClock

assert monkey.is_module_patched("socket"), "run it by test_jwks_url.py"

OLD = token(sign=by_key(ec_key()), alg="ES256", kid="old")
NEW = token(sign=by_key(ed_key()), alg="EdDSA", kid="new")
OLD_SET, NEW_SET = key_set(jwk(ec_key(), kid="old")), key_set(jwk(ed_key(), kid="new"))
QUICK = 0.5
"""Seconds that a fetch may take where it takes as long as it may."""

Answer = Callable[[socket], None]


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    said = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in said.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Issuer:
    """Answers every request with what the test has given it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answer: Answer = lambda _: None
        self.server = StreamServer(("127.0.0.1", 0), self._serve)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def says(self, answer: bytes) -> None:
        self.answer = lambda client: client.sendall(answer)

    def _serve(self, client: socket, _address: object) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += client.recv(4096)
        self.requests.append(asked.split(b" ", 2)[1].decode())
        try:
            self.answer(client)
        except OSError:  # the other side has had enough
            pass
        finally:
            client.close()


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.says(http(OLD_SET))
    yield issuer
    issuer.server.stop()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def verifier(issuer: Issuer, seconds: Seconds) -> JwtVerifier:
    return JwtVerifier([JwksUrl(issuer.url, now=seconds)], clock=FakeClock())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FETCH_SECONDS", QUICK)


def is_valid(verifier: JwtVerifier, given: str) -> bool:
    try:
        verifier.verify(given)
    except TokenInvalid:
        return False
    return True


def unknown(number: int) -> str:
    return token(sign=by_key(ed_key()), alg="EdDSA", kid=f"random-{number}")


# ---------------------------------------------------------------- fetching
def test_keys_are_fetched_with_the_first_token_and_not_again(issuer: Issuer, verifier: JwtVerifier) -> None:
    assert issuer.requests == []
    for name in ("ana", "eva", "leo"):
        given = token(claims(sub=name), sign=by_key(ec_key()), alg="ES256", kid="old")
        assert verifier.verify(given).user_id == name
    assert issuer.requests == ["/jwks.json"]


def test_an_unknown_kid_fetches_anew(issuer: Issuer, verifier: JwtVerifier, seconds: Seconds) -> None:
    verifier.verify(OLD)
    issuer.says(http(NEW_SET))
    seconds.now += RETRY_SECONDS
    assert is_valid(verifier, NEW)
    assert not is_valid(verifier, OLD)


def test_random_kids_fetch_no_more_than_once_in_a_while(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    verifier.verify(OLD)
    for number in range(100):
        assert not is_valid(verifier, unknown(number))
    assert len(issuer.requests) == 1
    seconds.now += RETRY_SECONDS
    for number in range(100):
        assert not is_valid(verifier, unknown(number))
    assert len(issuer.requests) == 2


def test_random_kids_fetch_no_more_often_while_the_issuer_is_down(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    verifier.verify(OLD)
    issuer.says(http(b"", "503 Service Unavailable"))
    seconds.now += RETRY_SECONDS
    for number in range(100):
        assert not is_valid(verifier, unknown(number))
    assert len(issuer.requests) == 2


def test_who_asks_at_once_shares_a_fetch(issuer: Issuer, verifier: JwtVerifier) -> None:
    go = Event()

    def answer(client: socket) -> None:
        go.wait()
        client.sendall(http(OLD_SET))

    issuer.answer = answer
    asking = [gevent.spawn(is_valid, verifier, given) for given in [OLD] * 50 + [unknown(n) for n in range(50)]]
    gevent.wait(asking, timeout=0.1)
    assert not any(each.ready() for each in asking)
    go.set()
    gevent.joinall(asking, raise_error=True)
    assert [each.value for each in asking] == [True] * 50 + [False] * 50
    assert len(issuer.requests) == 1


def test_what_no_public_key_can_have_signed_fetches_nothing(issuer: Issuer, verifier: JwtVerifier) -> None:
    for alg in ("HS256", "HS512", "none", "PS256", "ES384", "http://evil.example", ["EdDSA"], {"EdDSA": 1}, None):
        assert not is_valid(verifier, token(alg=alg, kid="new", sign=by_secret("x")))
    assert issuer.requests == []


def test_where_a_token_says_its_key_is_nobody_looks(issuer: Issuer, verifier: JwtVerifier) -> None:
    verifier.verify(OLD)
    elsewhere = f"{issuer.url}.evil"
    assert not is_valid(verifier, token(sign=by_key(ed_key()), alg="EdDSA", jku=elsewhere, x5u=elsewhere))
    assert issuer.requests == ["/jwks.json"]


# ---------------------------------------------------------------- refreshing
def test_a_removed_key_stops_counting_after_the_next_refresh(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    verifier.verify(OLD)
    issuer.says(http(NEW_SET))
    seconds.now += REFRESH_SECONDS - 1
    assert is_valid(verifier, OLD)
    assert len(issuer.requests) == 1
    seconds.now += 1
    assert is_valid(verifier, OLD), "nobody waits for a refresh"
    deadline = time.monotonic() + 10
    while is_valid(verifier, OLD):
        assert time.monotonic() < deadline
        gevent.sleep(0.005)
    assert is_valid(verifier, NEW)
    assert len(issuer.requests) == 2


def test_stale_keys_count_for_nobody_before_they_are_fetched_anew(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    verifier.verify(OLD)
    issuer.says(http(NEW_SET))
    seconds.now += STALE_SECONDS + 1
    asking = [gevent.spawn(is_valid, verifier, OLD) for _ in range(10)]
    gevent.joinall(asking, raise_error=True)
    assert not any(each.value for each in asking)
    assert len(issuer.requests) == 2


# ---------------------------------------------------------------- an issuer in trouble
def redirect(issuer: Issuer) -> bytes:
    return http(b"", "302 Found", Location=f"{issuer.url}?elsewhere")


BAD: dict[str, Callable[[Issuer], bytes]] = {
    "no HTTP": lambda _: b"nonsense\r\n\r\n",
    "nothing": lambda _: b"",
    "500": lambda _: http(NEW_SET, "500 Internal Server Error"),
    "404": lambda _: http(NEW_SET, "404 Not Found"),
    "204": lambda _: http(b"", "204 No Content"),
    "a redirect": redirect,
    "HTML": lambda _: http(b"<html>"),
    "no keys": lambda _: http(b'{"keys": []}'),
    "cut off": lambda _: http(NEW_SET, Content_Length=str(len(NEW_SET) + 1)),
    "too large": lambda _: http(NEW_SET + b" " * JWKS_MAX_BYTES),
    "packed": lambda _: http(gzip.compress(NEW_SET), Content_Encoding="gzip"),
    "endless headers": lambda _: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_an_answer_that_is_no_key_set_leaves_the_keys_as_they_were(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds, kind: str
) -> None:
    verifier.verify(OLD)
    issuer.says(BAD[kind](issuer))
    seconds.now += STALE_SECONDS + 1
    with capture_logs() as logged:
        assert is_valid(verifier, OLD)
        assert not is_valid(verifier, NEW)
    assert [entry["event"] for entry in logged] == ["the key set stays as it was"]
    assert logged[0]["reason"]
    assert issuer.requests == ["/jwks.json"] * 2
    issuer.says(http(NEW_SET))
    seconds.now += RETRY_SECONDS
    assert is_valid(verifier, NEW)


def test_an_answer_without_end_is_read_no_further_than_a_key_set_may_be_long(
    issuer: Issuer, verifier: JwtVerifier
) -> None:
    def answer(client: socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            client.sendall(b" " * 65536)

    issuer.answer = answer
    with capture_logs() as logged, pytest.raises(Unavailable):
        verifier.verify(OLD)
    assert logged[0]["reason"] == f"it is larger than {JWKS_MAX_BYTES} bytes"


def test_an_issuer_that_is_gone_leaves_the_keys_as_they_were(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    verifier.verify(OLD)
    issuer.server.stop()
    seconds.now += STALE_SECONDS + 1
    assert is_valid(verifier, OLD)
    assert not is_valid(verifier, NEW)


def test_without_ever_having_had_keys_nobody_can_say_and_it_recovers(
    issuer: Issuer, verifier: JwtVerifier, seconds: Seconds
) -> None:
    issuer.says(http(b"", "503 Service Unavailable"))
    for _ in range(10):
        with pytest.raises(Unavailable):
            verifier.verify(OLD)
    assert len(issuer.requests) == 1
    issuer.says(http(OLD_SET))
    seconds.now += RETRY_SECONDS
    assert is_valid(verifier, OLD)


def silent(client: socket) -> None:
    gevent.sleep(20 * QUICK)


def dripping(client: socket) -> None:
    for byte in http(OLD_SET):
        client.sendall(bytes([byte]))
        gevent.sleep(QUICK / 5)


@pytest.mark.parametrize("answer", [silent, dripping])
@pytest.mark.usefixtures("quick")
def test_a_slow_issuer_holds_up_who_waits_for_it_no_longer_than_said_and_nobody_else(
    issuer: Issuer, verifier: JwtVerifier, answer: Answer
) -> None:
    issuer.answer = answer
    began = time.monotonic()
    asking = gevent.spawn(is_valid, verifier, OLD)
    turns = 0
    while not asking.ready():
        gevent.sleep(0.01)
        turns += 1
    assert isinstance(asking.exception, Unavailable)
    assert QUICK * 0.9 < time.monotonic() - began < QUICK * 4
    assert turns >= 5, "the event loop stood still"


def test_a_certificate_that_nobody_vouches_for_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    with tls_in_front_of(issuer.server.server_port, tmp_path) as port:
        verifier = JwtVerifier([JwksUrl(f"https://127.0.0.1:{port}/jwks.json")], clock=FakeClock())
        with capture_logs() as logged, pytest.raises(Unavailable):
            verifier.verify(OLD)
    assert "certificate verify failed" in logged[0]["reason"]
    assert issuer.requests == []

"""Which pages may use the server, and what they are told."""

from __future__ import annotations

import pytest

from chatapp.transport.origins import Origins, is_preflight, preflight_headers

LISTED = ("https://app.example.com", "http://localhost:8080")


def environ(origin: str | None, host: str | None = "chat.example.com") -> dict[str, str]:
    given = {"HTTP_ORIGIN": origin, "HTTP_HOST": host, "REQUEST_METHOD": "GET"}
    return {name: value for name, value in given.items() if value is not None}


ADMITTED = [None, "", "https://app.example.com", "http://localhost:8080", "https://chat.example.com"]
REFUSED = [
    "null",
    "https://evil.com",
    "https://app.example.com.evil.com",
    "https://evil.com/https://app.example.com",
    "https://evilapp.example.com",
    "https://app.example.co",
    "https://app.example.com/",
    "https://app.example.com:8443",
    "http://app.example.com",
    "HTTPS://APP.EXAMPLE.COM",
    "https://APP.example.com",
    "http://localhost:80",
    "https://chat.example.com:8443",
    "https://chat.example.com.evil.com",
    "https://app.example.com, https://evil.com",
    "https://app.example.com https://evil.com",
    "file://",
    "*",
]


@pytest.mark.parametrize("origin", ADMITTED)
def test_a_listed_page_our_own_and_who_is_no_page_are_admitted(origin: str | None) -> None:
    assert Origins(LISTED).admits(environ(origin))


@pytest.mark.parametrize("origin", REFUSED)
def test_all_others_are_refused_and_told_nothing(origin: str) -> None:
    origins = Origins(LISTED)
    assert not origins.admits(environ(origin))
    assert origins.headers(environ(origin)) == [("Vary", "Origin")]


@pytest.mark.parametrize("path", ["/client/embed.js", "/client/assets/index-abc.js"])
def test_the_widget_s_code_is_for_every_page(path: str) -> None:
    asked = {**environ("https://evil.com"), "PATH_INFO": path}
    assert Origins(LISTED).admits(asked)
    assert dict(Origins(LISTED).headers(asked))["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/client/config.json", "/client", "/clients/x", "/api/users", "/"])
def test_what_the_server_knows_is_for_listed_pages(path: str) -> None:
    assert not Origins(LISTED).admits({**environ("https://evil.com"), "PATH_INFO": path})
    assert Origins(LISTED).admits({**environ(LISTED[0]), "PATH_INFO": path})


@pytest.mark.parametrize("host", [None, ""])
def test_who_names_no_host_has_no_page_of_its_own(host: str | None) -> None:
    for origin in ("null", "https://", "https:///x"):
        assert not Origins(LISTED).admits(environ(origin, host))


@pytest.mark.parametrize("origin", [*ADMITTED, *REFUSED])
def test_everybody_is_admitted_by_a_star_and_nobody_with_credentials(origin: str | None) -> None:
    origins = Origins("*")
    assert origins.admits(environ(origin))
    told = dict(origins.headers(environ(origin)))
    assert told["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in told


def test_a_listed_page_is_named_and_a_cache_keeps_answers_apart() -> None:
    told = dict(Origins(LISTED).headers(environ(LISTED[0])))
    assert told["Access-Control-Allow-Origin"] == LISTED[0]
    assert told["Access-Control-Allow-Credentials"] == "true"
    assert told["Vary"] == "Origin"
    assert Origins(LISTED).headers(environ(None)) == [("Vary", "Origin")]


def test_a_preflight_is_an_options_that_a_page_asks() -> None:
    asked = {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "x", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    assert is_preflight(asked)
    assert not is_preflight({**asked, "REQUEST_METHOD": "GET"})
    for name in ("HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"):
        assert not is_preflight({kept: value for kept, value in asked.items() if kept != name})


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("authorization, content-type", "authorization, content-type"),
        ("x-mine", "x-mine"),
        (None, None),
        ("", None),
        ("a b", None),
        ("a\r\nset-cookie: x", None),
        ("a,,b", None),
        ("ñ", None),
    ],
)
def test_a_page_may_send_the_headers_that_it_asks_for(asked: str | None, allowed: str | None) -> None:
    given = {} if asked is None else {"HTTP_ACCESS_CONTROL_REQUEST_HEADERS": asked}
    assert dict(preflight_headers(given)).get("Access-Control-Allow-Headers") == allowed

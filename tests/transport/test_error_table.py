"""Every error has its status and its sentence, in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from chatapp.domain import errors
from chatapp.domain.errors import ChatError, InvalidData, NotAParticipant, RateLimited, StoreUnavailable
from chatapp.transport.errors import ERRORS, describe, language_of

RULED = {
    errors.InvalidData: 400,
    errors.UnknownUsers: 400,
    errors.NotAGroup: 400,
    errors.NotIdentified: 401,
    errors.NoProof: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooSlow: 408,
    errors.TooLarge: 413,
    errors.FileTypeNotAllowed: 415,
    errors.FileInfected: 422,
    errors.IdempotencyKeyReused: 422,
    errors.RateLimited: 429,
    errors.ChatError: 500,
    errors.Unavailable: 503,
}


def tree(kind: type[ChatError] = ChatError) -> Iterator[type[ChatError]]:
    """The domain's; what adapters tell apart among themselves has its parent's code."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == kind.__module__:
            yield from tree(child)


def ruled_status(kind: type[ChatError]) -> int:
    return next(RULED[ancestor] for ancestor in kind.__mro__ if ancestor in RULED)


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_error_is_in_the_table_with_its_ruled_status(kind: type[ChatError]) -> None:
    assert ERRORS[kind.code][0] == ruled_status(kind)


def test_codes_are_stable_words_and_no_two_errors_share_one() -> None:
    codes = [kind.code for kind in tree()]
    assert len(set(codes)) == len(codes)
    for code in ERRORS:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_has_both_languages_and_a_phrase(code: str) -> None:
    status, (spanish, english) = ERRORS[code]
    assert describe(code, "es").message == spanish != english
    assert describe(code, "en").message == english
    assert describe(code, "es").phrase == HTTPStatus(status).phrase
    assert describe(code, "es").code == describe(code, "en").code == code


# ---------------------------------------------------------------- what is told
def test_details_of_a_clients_error_are_told() -> None:
    failure = describe(InvalidData({"name": ["Must not be blank."]}), "es")
    assert (failure.status, failure.code) == (400, "invalid_data")
    assert failure.details == {"fields": {"name": ["Must not be blank."]}}
    assert failure.retry_after_ms is None
    assert describe("not_found", "es", {"path": "/x"}).details == {"path": "/x"}


def test_what_an_engine_says_is_not_told() -> None:
    failure = describe(StoreUnavailable(engine="sqlite", text="disk I/O error"), "en")
    assert (failure.status, failure.details) == (503, {})
    assert "sqlite" not in failure.message


@pytest.mark.parametrize(("seconds", "ms"), [(1.5, 1500), (0.0, 1), (0.0001, 1), (59.9994, 60000)])
def test_limited_is_told_when_to_come_back(seconds: float, ms: int) -> None:
    failure = describe(RateLimited(limit="messages", retry_after=seconds), "es")
    assert failure.status == 429
    assert failure.retry_after_ms == ms
    assert failure.details == {"limit": "messages", "retryAfterMs": ms}


def test_text_of_an_error_shows_its_details() -> None:
    error = NotAParticipant(conversationId="conv123", userId="user123")
    assert str(error) == "not_a_participant(conversationId='conv123', userId='user123')"
    assert str(ChatError()) == "internal_error()"


# ---------------------------------------------------------------- language
@pytest.mark.parametrize(
    "header",
    ["", "es", "es-MX,es;q=0.9,en;q=0.8", "fr", "*", "de,fr;q=0.5", "en;q=0.5,es", "en;q=0", "en;q=x", ";;,,="],
)
def test_spanish_unless_english_is_preferred(header: str) -> None:
    assert language_of(header) == "es"


@pytest.mark.parametrize(
    "header", ["en", "en-US", "EN-gb", "en-US,en;q=0.9", "es;q=0.8,en", "fr,en;q=0.3", "en; q=0.9"]
)
def test_english_when_the_header_prefers_it(header: str) -> None:
    assert language_of(header) == "en"


def test_equally_liked_means_spanish() -> None:
    assert language_of("en,es") == "es"

"""How media types are compared, and what becomes of each."""

from __future__ import annotations

import pytest

from chatapp.domain.media_types import (
    ALIASES,
    EXTENSIONS,
    canonical,
    extension_for,
    is_allowed,
    is_inline,
    is_picture,
    with_other_names,
)
from chatapp.settings import DOCUMENTED_TYPES

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOCUMENTED = tuple(DOCUMENTED_TYPES.split(","))

SAME_KINDS = [
    ("audio/mp3", "audio/mpeg"),
    ("audio/wav", "audio/wave", "audio/x-wav", "audio/x-pn-wav", "audio/vnd.wave"),
    ("audio/m4a", "audio/mp4", "audio/x-m4a"),
    ("audio/ogg", "application/ogg"),
    ("text/plain", "text/csv"),
]


@pytest.mark.parametrize(
    ("media_type", "extension"),
    [
        ("image/jpeg", "jpg"),
        ("image/png", "png"),
        ("image/gif", "gif"),
        ("image/webp", "webp"),
        ("application/pdf", "pdf"),
        ("application/msword", "doc"),
        (DOCX, "docx"),
        ("text/plain", "txt"),
        ("audio/mp3", "mp3"),
        ("audio/x-wav", "wav"),
        ("audio/ogg", "ogg"),
        ("audio/x-m4a", "m4a"),
        ("audio/webm", "webm"),
        ("video/webm", "webm"),
        ("application/octet-stream", "bin"),
        ("application/x-unheard-of", "bin"),
        ("", "bin"),
        ("../../etc", "bin"),
    ],
)
def test_each_type_has_an_ending_and_an_unknown_one_is_bin(media_type: str, extension: str) -> None:
    assert extension_for(media_type) == extension


@pytest.mark.parametrize("media_type", DOCUMENTED)
def test_every_documented_type_has_an_ending_of_its_own(media_type: str) -> None:
    assert extension_for(media_type) != "bin"


def test_endings_are_safe_in_a_name() -> None:
    assert all(extension.isalnum() and extension.isascii() for extension in EXTENSIONS.values())


@pytest.mark.parametrize("names", SAME_KINDS)
def test_the_names_of_one_kind_allow_each_other(names: tuple[str, ...]) -> None:
    assert all(is_allowed(one, [other]) for one in names for other in names)


def test_different_kinds_do_not_allow_each_other() -> None:
    firsts = [names[0] for names in SAME_KINDS]
    assert not any(is_allowed(one, [other]) for one in firsts for other in firsts if one != other)


def test_a_name_of_a_name_does_not_exist() -> None:
    assert not ALIASES.keys() & set(ALIASES.values())
    assert not EXTENSIONS.keys() & ALIASES.keys()


@pytest.mark.parametrize(
    "media_type",
    ["video/webm", "video/mp4", "application/zip", "text/html", "image/svg+xml", "application/octet-stream", ""],
)
def test_what_the_document_does_not_list_is_refused(media_type: str) -> None:
    assert not is_allowed(media_type, DOCUMENTED)


def test_a_wildcard_allows_its_family_alone() -> None:
    assert is_allowed("image/tiff", ["text/plain", "image/*"])
    assert not is_allowed("imagex/tiff", ["image/*"])
    assert not is_allowed("audio/mpeg", ["image/*"])
    assert is_allowed("audio/mpeg", ["*/*"])
    assert not is_allowed("image/png", [])


def test_case_and_parameters_do_not_count() -> None:
    assert canonical(" Audio/WebM; codecs=opus") == "audio/webm"
    assert is_allowed("TEXT/PLAIN; charset=utf-8", ["text/plain"])
    assert is_allowed("image/png", ["Image/*"])


@pytest.mark.parametrize(
    "media_type",
    ["image/jpeg", "image/png", "image/webp", "audio/mpeg", "audio/x-wav", "video/webm", "application/pdf"],
)
def test_browsers_may_show_pictures_sound_and_pdf(media_type: str) -> None:
    assert is_inline(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "image/svg+xml",
        "IMAGE/SVG+XML; charset=utf-8",
        "text/html",
        "text/plain",
        "text/xml",
        "application/xhtml+xml",
        "application/octet-stream",
        DOCX,
        "",
    ],
)
def test_whatever_could_carry_a_script_is_only_downloaded(media_type: str) -> None:
    assert not is_inline(media_type)


def test_svg_is_not_a_picture() -> None:
    assert is_picture("image/png")
    assert not is_picture("image/svg+xml")
    assert not is_picture("audio/mpeg")


def test_an_allowed_type_is_told_under_all_its_names() -> None:
    told = with_other_names(("image/*", "audio/m4a"))
    assert told == ("image/*", "audio/m4a", "audio/mp4", "audio/x-m4a")
    assert all(is_allowed(name, DOCUMENTED) for name in with_other_names(DOCUMENTED))
    assert {"audio/mp4", "audio/webm", "audio/ogg"} <= set(with_other_names(DOCUMENTED)), "what browsers record"

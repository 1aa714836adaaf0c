"""Hostile uploads: each is refused with a code, or what is served of it does no harm (docs/security-files.md)."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.http import parse_options_header
from werkzeug.test import encode_multipart

from chatapp.application import create_app
from chatapp.domain.media_types import is_inline
from chatapp.settings import Settings
from tests import hostile_files as hostile
from tests.e2e.sample_files import recording
from tests.hostile_files import JPEG, PNG, SCRIPT, archive, picture

Make = Callable[[], bytes]

MARKS = (b"SECRETO", b"<script")


class House:
    def __init__(self, client: FlaskClient, uploads: Path) -> None:
        self.client, self._uploads = client, uploads

    def upload(self, data: bytes, name: str = "foto.jpg") -> Any:
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(data), name)})
        return self.client.post("/api/upload", data=body, content_type=f"multipart/form-data; boundary={boundary}")

    def take(self, data: bytes, name: str = "foto.jpg") -> dict[str, Any]:
        answer = self.upload(data, name)
        assert answer.status_code == 201, answer.text
        taken: dict[str, Any] = answer.get_json()
        return taken

    def serve(self, url: str) -> tuple[bytes, Any]:
        with self.client.get(url) as answer:
            assert answer.status_code == 200
            return answer.data, answer.headers

    def kept(self) -> list[Path]:
        return [path for path in self._uploads.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = Settings(rate_limit_enabled=False, log_level="error", upload_path=folder / "uploads")
    app = create_app(settings, sqlite_path=folder / "chat.db")
    try:
        yield House(app.test_client(), folder / "uploads")
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


# ---------------------------------------------------------------- refused
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: SCRIPT, "text/html"),
        (lambda: b"hola " * 300 + SCRIPT, "text/html"),
        (lambda: b"\xff\xd8\xff\xe0" + SCRIPT, "application/octet-stream"),
        (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image/svg+xml"),
        (hostile.only_begins_like_a_gif, "application/octet-stream"),
        (lambda: archive(hostile.BOMB), "application/zip"),
        (lambda: archive({"hola.txt": b"hola"}), "application/zip"),
        (lambda: b"MZ" + bytes(64) + b"PE\0\0" + bytes(200), "application/x-dosexec"),
        (hostile.entity_bomb, "text/xml"),
    ],
    ids=[
        "page",
        "page-behind-text",
        "page-like-jpeg",
        "svg",
        "script-like-gif",
        "zip-bomb",
        "zip",
        "program",
        "entities",
    ],
)
@pytest.mark.parametrize("name", ["foto.jpg", "carta.docx", "notas.txt"])
def test_what_may_not_come_in_is_refused_whatever_its_name(house: House, make: Make, kind: str, name: str) -> None:
    before = house.kept()
    refused = house.upload(make(), name)
    assert (refused.status_code, refused.get_json()["code"]) == (415, "file_type_not_allowed")
    assert refused.get_json()["details"]["fileType"] == kind
    assert house.kept() == before


# ---------------------------------------------------------------- made harmless
PICTURES: dict[str, Make] = {
    "page-behind-jpeg": lambda: JPEG + SCRIPT,
    "page-behind-png": lambda: PNG + SCRIPT,
    "page-behind-webp": lambda: picture("WEBP") + SCRIPT,
    "page-in-jpegs-comment": lambda: picture("JPEG", comment=SCRIPT),
    "gif-and-javascript": hostile.gif_and_javascript,
    "place-in-jpeg": lambda: hostile.photo_with_a_place("JPEG"),
    "place-in-png": lambda: hostile.photo_with_a_place("PNG"),
    "place-in-webp": lambda: hostile.photo_with_a_place("WEBP"),
    "jpeg-of-metadata": hostile.jpeg_of_metadata,
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_of_a_picture_only_the_picture_is_served(house: House, make: Make) -> None:
    data = make()
    assert any(mark in data for mark in MARKS)
    taken = house.take(data)
    served, headers = house.serve(taken["fileUrl"])
    assert len(served) == taken["fileSize"] == int(headers["Content-Length"])
    for url in filter(None, (taken["fileUrl"], taken["thumbnailUrl"])):
        assert not any(mark in house.serve(url)[0] for mark in MARKS)
    Image.open(io.BytesIO(served)).load()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_loses_its_place_and_stays_the_same_way_up(house: House, kind: str) -> None:
    taken = house.take(hostile.photo_with_a_place(kind))
    served = Image.open(io.BytesIO(house.serve(taken["fileUrl"])[0]))
    small = Image.open(io.BytesIO(house.serve(taken["thumbnailUrl"])[0]))
    assert dict(served.getexif()) == {0x0112: 6}, "lying on its side"
    assert served.size == (64, 48)
    assert small.size == (48, 64), "upright"
    assert dict(small.getexif()) == {}


def test_metadata_that_is_larger_than_its_picture_is_not_served(house: House) -> None:
    data = hostile.jpeg_of_metadata()
    taken = house.take(data)
    assert len(data) > 3_000_000
    assert taken["fileSize"] < 2_000


OTHERS: dict[str, tuple[Make, str]] = {
    "hundred-megapixels": (hostile.hundred_megapixels, "image/png"),
    "thousands-of-frames": (hostile.gif_of_thousands_of_frames, "image/gif"),
    "docx-bomb": (
        lambda: archive(hostile.DOCUMENT | hostile.BOMB),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "pdf-with-javascript": (hostile.pdf_with_javascript, "application/pdf"),
    "mp3-with-html": (hostile.mp3_with_html, "audio/mpeg"),
    "svg-behind-a-long-comment": (
        lambda: b"<!-- " + b"x" * 5000 + b"--><svg><script>alert(1)</script></svg>",
        "text/plain",
    ),
    "javascript": (lambda: b"alert(document.cookie); function f() { return 1 }\n", "text/plain"),
}
INERT = ("image/png", "image/gif", "audio/mpeg", "application/pdf", "text/plain", OTHERS["docx-bomb"][1])
"""No browser makes a page or a script of these, where it may not guess."""


@pytest.mark.parametrize(("make", "kind"), OTHERS.values(), ids=OTHERS)
def test_what_cannot_be_cleaned_is_served_as_what_it_is_and_nothing_else(house: House, make: Make, kind: str) -> None:
    taken = house.take(make())
    assert taken["fileType"] == kind
    _, headers = house.serve(taken["fileUrl"])
    assert parse_options_header(headers["Content-Type"])[0] == kind in INERT
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    shown = "inline" if is_inline(kind) else "attachment"
    assert parse_options_header(headers["Content-Disposition"])[0] == shown


def test_a_picture_too_large_to_decode_is_stored_and_not_decoded(house: House) -> None:
    assert house.take(hostile.hundred_megapixels())["thumbnailUrl"] is None


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [
        ("webm", "libopus", "audio/webm"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ogg", "libopus", "audio/ogg"),
    ],
)
def test_sound_that_broke_off_is_described_as_what_is_there(
    house: House, container: str, codec: str, kind: str
) -> None:
    data = recording(container, codec)
    taken = house.take(data[: len(data) // 2], "nota.txt")
    assert (taken["fileType"], taken["fileSize"], taken["thumbnailUrl"]) == (kind, len(data) // 2, None)


# ---------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../../etc/passwd", "passwd"),
        ("a" * 251 + ".txt", "a" * 251 + ".txt"),
        ("a" * 252 + ".txt", "a" * 251 + ".txt"),
        ("ñ" * 300 + ".txt", "ñ" * 125 + ".txt"),
        ("factura\u202egpj.txt", "facturagpj.txt"),
        ("a\x01\x7f\x85b.txt", "ab.txt"),
        ("a; filename=evil.html; x.txt", "a; filename=evil.html; x.txt"),
        ("..", "archivo"),
    ],
)
def test_a_hostile_name_is_kept_and_served_without_its_harm(house: House, given: str, kept: str) -> None:
    taken = house.take(b"hola", given)
    assert taken["fileName"] == kept
    assert taken["fileUrl"].endswith(".txt")
    _, headers = house.serve(taken["fileUrl"])
    kind, options = parse_options_header(headers["Content-Disposition"])
    assert (kind, options["filename"]) == ("attachment", kept)
    assert headers["Content-Disposition"].isascii()

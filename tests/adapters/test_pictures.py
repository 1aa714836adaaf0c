"""What is left of a picture: its pixels and which way up they are."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from chatapp.adapters import pictures
from chatapp.adapters.pictures.reading import PIECE_BYTES, PROFILE_MAX_BYTES
from tests.hostile_files import JPEG, PNG, SECRET, chunk, segment, tagged_exif

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
KINDS = sorted(TYPES)
PHOTOS = ["JPEG", "PNG", "WEBP"]

Clean = Callable[[bytes, str], "bytes | None"]


@pytest.fixture
def clean(tmp_path: Path) -> Clean:
    """None when the bytes are no picture; then they stay as they were."""

    def clean(data: bytes, kind: str) -> bytes | None:
        path = tmp_path / "upload"
        path.write_bytes(data)
        done = pictures.clean(path, TYPES.get(kind, kind))
        left = path.read_bytes()
        assert list(tmp_path.iterdir()) == [path], "nothing stays behind"
        assert done or left == data
        return left if done else None

    return clean


def noise(mode: str = "RGB", size: tuple[int, int] = (97, 61)) -> Image.Image:
    seeded = random.Random(f"{mode}{size}")
    drawn = Image.frombytes("RGBA", size, seeded.randbytes(4 * size[0] * size[1]))
    return drawn.convert(mode)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def frames(data: bytes) -> list[bytes]:
    """All that is shown, decoded."""
    shown = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown.append(image.convert("RGBA").tobytes())
    return shown


def left(clean: Clean, data: bytes, kind: str) -> bytes:
    cleaned = clean(data, kind)
    assert cleaned is not None, "it is a picture"
    return cleaned


# ---------------------------------------------------------------- what stays
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True, "quality": 90}),
        ("JPEG", "L", {"restart_marker_blocks": 2}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"keep_rgb": True}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {"transparency": 3}),
        ("PNG", "I;16", {}),
        ("PNG", "1", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGBA", {"quality": 40}),
        ("GIF", "P", {"transparency": 1}),
        ("GIF", "L", {"interlace": 1}),
    ],
    ids=str,
)
def test_no_pixel_changes(clean: Clean, kind: str, mode: str, options: dict[str, Any]) -> None:
    image = noise("L").convert("I;16") if mode == "I;16" else noise(mode)
    data = encode(image, kind, **options)
    cleaned = left(clean, data, kind)
    assert frames(cleaned) == frames(data)
    assert left(clean, cleaned, kind) == cleaned, "there is nothing more to clean"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_keeps_its_frames_and_their_times(clean: Clean, kind: str) -> None:
    first, *others = [noise(size=(40, 30)).rotate(turn) for turn in (0, 90, 180)]
    data = encode(first, kind, save_all=True, append_images=others, duration=[100, 200, 300], loop=2)
    cleaned = left(clean, data, kind)
    assert frames(cleaned) == frames(data)
    for each in (data, cleaned):
        with Image.open(io.BytesIO(each)) as image:
            assert image.info["loop"] == 2
            image.seek(1)
            image.load()
            assert image.info["duration"] == 200


@pytest.mark.parametrize("kind", PHOTOS)
def test_a_colour_profile_stays(clean: Clean, kind: str) -> None:
    cleaned = left(clean, encode(noise(), kind, icc_profile=profile()), kind)
    assert Image.open(io.BytesIO(cleaned)).info["icc_profile"] == profile()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photo_stays_the_same_way_up(clean: Clean, kind: str, orientation: int, order: str) -> None:
    data = encode(noise(), kind, exif=tagged_exif(orientation, order))
    cleaned = left(clean, data, kind)
    exif = Image.open(io.BytesIO(cleaned)).getexif()
    assert dict(exif) == ({} if orientation == 1 else {0x0112: orientation})
    assert frames(cleaned) == frames(data)


@pytest.mark.parametrize("size", range(PIECE_BYTES - 7, PIECE_BYTES))
def test_a_scan_that_goes_on_in_the_next_piece_is_not_cut(clean: Clean, size: int) -> None:
    """Wherever the border falls: in pixels, in FF00, in a marker."""
    head, tail = JPEG[: JPEG.index(b"\xff\xda")], JPEG[JPEG.index(b"\xff\xda") :]
    scan, restart = tail[:14], b"\xff\x00\xff\xd0"
    body = scan + b"\x7f" * (size % 7) + restart * (size // 4 + 400)
    data = head + body + b"\xff\xd9"
    assert clean(data, "JPEG") == data


# ---------------------------------------------------------------- what goes
@pytest.mark.parametrize("kind", PHOTOS)
def test_where_and_with_what_it_was_taken_goes(clean: Clean, kind: str) -> None:
    data = encode(noise(), kind, exif=tagged_exif(6), **({"xmp": SECRET} if kind != "PNG" else {}))
    assert SECRET in data
    cleaned = left(clean, data, kind)
    assert SECRET not in cleaned
    assert Image.open(io.BytesIO(cleaned)).getexif().get_ifd(0x8825) == {}


def test_comments_texts_and_times_go(clean: Clean) -> None:
    said = SECRET.decode()
    info = PngInfo()
    info.add_text("Author", said)
    info.add_text("Comment", said, zip=True)
    info.add_itxt("XML:com.adobe.xmp", said)
    info.add(b"tIME", SECRET[:7])
    info.add(b"prIv", SECRET)
    for kind, data in (
        ("PNG", encode(noise(), "PNG", pnginfo=info)),
        ("JPEG", encode(noise(), "JPEG", comment=SECRET)),
        ("GIF", encode(noise("P"), "GIF", comment=SECRET)),
    ):
        cleaned = left(clean, data, kind)
        assert SECRET[:7] not in cleaned
        assert {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"prIv"} & {
            cleaned[at : at + 4] for at in range(len(cleaned))
        } == set()
        assert frames(cleaned) == frames(data)


def test_a_jpegs_own_small_picture_goes(clean: Clean) -> None:
    small = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + SECRET) + segment(0xE0, b"JFXX\0\x10" + SECRET)
    cleaned = left(clean, JPEG[:2] + small + JPEG[20:], "JPEG")
    assert cleaned == JPEG[:2] + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + JPEG[20:]


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_end_is_cut(clean: Clean, kind: str) -> None:
    data = encode(noise(), kind)
    assert clean(data + b"<script>" + SECRET, kind) == clean(data, kind)


def test_a_profile_larger_than_any_printers_goes(clean: Clean) -> None:
    parts = 1 + PROFILE_MAX_BYTES // 65_000
    hidden = b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, parts)) + SECRET.ljust(65_000))
        for number in range(1, parts + 1)
    )
    assert clean(JPEG[:2] + hidden + JPEG[2:], "JPEG") == JPEG
    large = chunk(b"iCCP", SECRET.ljust(PROFILE_MAX_BYTES + 1))
    assert clean(PNG[:33] + large + PNG[33:], "PNG") == PNG
    webp = encode(noise(), "WEBP", icc_profile=SECRET.ljust(PROFILE_MAX_BYTES + 1))
    assert SECRET not in left(clean, webp, "WEBP")
    assert "icc_profile" not in Image.open(io.BytesIO(left(clean, webp, "WEBP"))).info


def test_other_applications_data_goes_from_an_animation(clean: Clean) -> None:
    data = encode(noise("P"), "GIF")
    hidden = b"\x21\xff\x0bXMP DataXMP" + bytes((len(SECRET),)) + SECRET + b"\0"
    at = 13 + 3 * 256
    assert clean(data[:at] + hidden + data[at:], "GIF") == clean(data, "GIF")


# ---------------------------------------------------------------- what is damaged
@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere_it_is_a_picture_or_none_and_never_an_error(clean: Clean, kind: str) -> None:
    data = encode(noise(size=(20, 20)), kind)
    outcomes = [clean(data[:end], kind) is not None for end in range(len(data))]
    assert not outcomes[10]
    assert outcomes[-1]
    assert outcomes == sorted(outcomes), "what is a picture stays one when more of it is there"


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_anywhere_it_is_a_picture_or_none_and_never_an_error(clean: Clean, kind: str) -> None:
    seeded = random.Random(kind)
    data = encode(noise(size=(20, 20)), kind, **({"exif": tagged_exif(3)} if kind in PHOTOS else {}))
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(seeded.randint(1, 4)):
            damaged[seeded.randrange(len(damaged))] = seeded.randrange(256)
        cleaned = clean(bytes(damaged), kind)
        assert cleaned is None or len(cleaned) <= len(damaged) + 64


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("JPEG", b"\xff\xd8\xff\xe0<html><script>alert(1)</script></html>"),
        ("JPEG", b"\xff\xd8\xff\xd9"),
        ("JPEG", b"\xff\xd8" + b"\xff" * 100_000),
        ("JPEG", b"\xff\xd8" + b"-" * 100_000),
        ("JPEG", b"\xff\xd8\xff\xdb\0\1"),
        ("PNG", b"\x89PNG\r\n\x1a\n<html>"),
        ("PNG", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IDAT" + bytes(17)),
        ("PNG", PNG[:33] + chunk(b"CRIT", b"") + PNG[33:]),
        ("PNG", PNG[:33] + PNG[8:]),
        ("WEBP", b"RIFF\x20\0\0\0WEBP<html>" + bytes(30)),
        ("WEBP", b"RIFF\x20\0\0\0WEBPVP8X\2\0\0\0" + bytes(30)),
        ("WEBP", b"RIFF\x12\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10)),
        ("GIF", b"GIF89a/*" + bytes(5) + b"*/=1;alert(1)"),
        ("GIF", b"GIF89a" + bytes(7) + b";"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_what_only_begins_like_a_picture_is_none(clean: Clean, kind: str, data: bytes) -> None:
    assert clean(data, kind) is None


def test_checksums_of_what_we_write_are_right(clean: Clean) -> None:
    cleaned = left(clean, encode(noise(), "PNG", exif=tagged_exif(8)), "PNG")
    at = cleaned.index(b"eXIf")
    length = int.from_bytes(cleaned[at - 4 : at], "big")
    stored = int.from_bytes(cleaned[at + 4 + length : at + 8 + length], "big")
    assert stored == zlib.crc32(cleaned[at : at + 4 + length])


@pytest.mark.parametrize("kind", ["text/plain", "image/bmp", "application/pdf", "image/tiff"])
def test_other_files_stay_as_they_are(clean: Clean, kind: str) -> None:
    assert clean(SECRET, kind) == SECRET

"""Files that mean harm, each made here. No third party's file, and nothing that runs."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from itertools import pairwise

from PIL import Image

from tests.e2e.sample_files import recording

SECRET = b"SECRETO-41.38N-2.17E"
"""Where and by whom: it must not be in what is served."""


# ---------------------------------------------------------------- parts
def segment(marker: int, body: bytes) -> bytes:
    """Of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tagged_exif(orientation: int, order: str = "<") -> bytes:
    """As a phone writes it: its owner (315), which way up it was (274), and where (34853, with GPSAreaInformation)."""
    said = SECRET + b"\0"
    first, gps = 8, 8 + 2 + 3 * 12 + 4
    text = gps + 2 + 1 * 12 + 4
    entries = (
        struct.pack(f"{order}HHIHH", 274, 3, 1, orientation, 0),
        struct.pack(f"{order}HHII", 315, 2, len(said), text),
        struct.pack(f"{order}HHII", 34853, 4, 1, gps),
    )
    where = struct.pack(f"{order}HHII", 28, 7, len(said), text)
    return (
        b"Exif\0\0"
        + {"<": b"II*\0", ">": b"MM\0*"}[order]
        + struct.pack(f"{order}IH", first, len(entries))
        + b"".join(entries)
        + struct.pack(f"{order}IH", 0, 1)
        + where
        + struct.pack(f"{order}I", 0)
        + said
    )


def picture(kind: str, size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    written = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(written, kind, **options)
    return written.getvalue()


JPEG, PNG = picture("JPEG"), picture("PNG")


# ---------------------------------------------------------------- whole files
SCRIPT = b"<html><script>alert('SECRETO')</script></html>"
JAVASCRIPT = b"*/=1;alert('SECRETO')//"


def gif_and_javascript() -> bytes:
    """``GIF89a/*…*/=1;alert()``: a picture to one reader, a script to another."""
    return b"GIF89a/*" + picture("GIF")[8:] + JAVASCRIPT


def only_begins_like_a_gif() -> bytes:
    return b"GIF89a/*" + bytes(5) + JAVASCRIPT


def archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as output:
        for name, data in files.items():
            output.writestr(name, data)
    return written.getvalue()


BOMB = {"bomb.bin": bytes(64 * 1024 * 1024)}
"""A thousandth of it when packed."""

DOCUMENT = dict.fromkeys(("[Content_Types].xml", "_rels/.rels", "word/document.xml"), b"<?xml version='1.0'?><none/>")


def hundred_megapixels() -> bytes:
    """300 kB that a careless decoder makes 300 MB of."""
    packer = zlib.compressobj()
    row = bytes(1 + 10_000 * 3)
    pixels = b"".join(packer.compress(row) for _ in range(10_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return PNG[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def photo_with_a_place(kind: str) -> bytes:
    return picture(kind, exif=tagged_exif(6))


def jpeg_of_metadata() -> bytes:
    """4 MB around a picture of 1 kB: a profile, EXIF, comments."""
    parts = 20
    profile = b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, parts)) + SECRET.ljust(65_000))
        for number in range(1, parts + 1)
    )
    exif = segment(0xE1, tagged_exif(6).ljust(65_000)) * 20
    return JPEG[:2] + exif + profile + segment(0xFE, SECRET.ljust(65_000)) * 20 + JPEG[2:]


def gif_of_thousands_of_frames() -> bytes:
    whole = picture("GIF", (8, 8))
    start = whole.index(b"\x2c\0\0\0\0")
    return whole[:start] + whole[start:-1] * 5000 + whole[-1:]


def pdf_with_javascript() -> bytes:
    action = b"<</S/JavaScript/JS(app.alert\\('SECRETO'\\))>>"
    return b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction" + action + b">>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def mp3_with_html() -> bytes:
    """An ID3v2.4 tag with a title (TIT2) that is a page, before real sound."""
    title = b"\3" + SCRIPT
    frame = b"TIT2" + struct.pack(">I", len(title)) + b"\0\0" + title
    return b"ID3\4\0\0" + struct.pack(">I", len(frame)) + frame + recording("mp3", "libmp3lame")


def entity_bomb() -> bytes:
    """A billion laughs."""
    names = "abcdefghij"
    entities = "".join(f'<!ENTITY {one} "{f"&{before};" * 10}">' for before, one in pairwise(names))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ja">{entities}]><x>&j;</x>'.encode()

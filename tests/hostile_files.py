"""Files that mean harm, each made here. No third party's file, and nothing that runs."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

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

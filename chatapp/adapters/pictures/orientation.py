"""The one thing in EXIF that a picture needs: which way up it is (TIFF 6.0, tag 274)."""

from __future__ import annotations

import struct

UPRIGHT = 1
TAG, SHORT = 0x0112, 3
EXIF_MAX_BYTES = 64 * 1024
"""So much of it is looked at; the tag stands in the first directory, and that at the beginning."""

PREFIX = b"Exif\0\0"
"""Before the data in JPEG, and by mistake in some WebP files."""


def orientation_in(exif: bytes) -> int:
    """1 to 8; upright when it does not say, or cannot be read."""
    exif = exif.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        return UPRIGHT if order is None else _find(exif, order)
    except struct.error:
        return UPRIGHT


def _find(exif: bytes, order: str) -> int:
    """Raises struct.error."""
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for number in range(entries):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * number)
        if (tag, kind) == (TAG, SHORT) and UPRIGHT <= value <= 8:
            return int(value)
    return UPRIGHT


def exif_of(orientation: int) -> bytes:
    """All of the EXIF data that a picture is left with."""
    return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, TAG, SHORT, 1, orientation, 0, 0)

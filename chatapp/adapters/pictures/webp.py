"""WebP (RFC 9649): RIFF chunks, padded to an even length; the first may say which others there are."""

from __future__ import annotations

import struct

from chatapp.adapters.pictures.orientation import EXIF_MAX_BYTES, UPRIGHT, exif_of, orientation_in
from chatapp.adapters.pictures.reading import PROFILE_MAX_BYTES, Damaged, Reader, Writer

EXTENDED, PROFILE, EXIF = b"VP8X", b"ICCP", b"EXIF"
PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
FIRST = frozenset({EXTENDED, b"VP8 ", b"VP8L"})
EXTENDED_BYTES = 10

HAS_PROFILE, HAS_EXIF, HAS_XMP = 0x20, 0x08, 0x04
"""In the first byte of VP8X."""

FLAGS_AT = 20
"""Of a file that begins with VP8X."""


def clean(source: Reader, target: Writer) -> None:
    """Raises Damaged."""
    head = source.take(12)
    if head[:4] != b"RIFF" or head[8:] != b"WEBP":
        raise Damaged
    end = 8 + int.from_bytes(head[4:8], "little")
    target.write(head)
    flags: int | None = None
    kept: set[bytes] = set()
    first = True
    while source.at() + 8 <= end and len(chunk := source.up_to(8)) == 8:
        kind, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        if first and kind not in FIRST:
            raise Damaged
        if kind == EXTENDED and first:
            flags = _copy_extended(source, target, length)
        elif _take_over(source, target, kind, length):
            kept.add(kind)
        first = False
    if not kept & PIXELS:
        raise Damaged
    _finish(target, flags, kept)


def _copy_extended(source: Reader, target: Writer, length: int) -> int:
    """Its flags, which are written at the end."""
    if length < EXTENDED_BYTES:
        raise Damaged
    data = source.take(EXTENDED_BYTES)
    source.skip(length + length % 2 - EXTENDED_BYTES)
    _write(target, EXTENDED, data)
    return data[0]


def _take_over(source: Reader, target: Writer, kind: bytes, length: int) -> bool:
    """Whether anything of the chunk was written."""
    padded = length + length % 2
    if kind in PIXELS or (kind == PROFILE and length <= PROFILE_MAX_BYTES):
        target.write(kind + struct.pack("<I", length))
        copied = source.copy(padded, target)
        target.write(bytes(copied % 2))
        return True
    if kind != EXIF:
        source.skip(padded)
        return False
    looked_at = source.up_to(min(length, EXIF_MAX_BYTES))
    source.skip(padded - len(looked_at))
    orientation = orientation_in(looked_at)
    if orientation != UPRIGHT:
        _write(target, EXIF, exif_of(orientation))
    return orientation != UPRIGHT


def _write(target: Writer, kind: bytes, data: bytes) -> None:
    target.write(kind + struct.pack("<I", len(data)) + data)


def _finish(target: Writer, flags: int | None, kept: set[bytes]) -> None:
    size = target.tell()
    target.seek(4)
    target.write(struct.pack("<I", size - 8))
    if flags is not None:
        has = (HAS_PROFILE if PROFILE in kept else 0) | (HAS_EXIF if EXIF in kept else 0)
        target.seek(FLAGS_AT)
        target.write(bytes((flags & ~(HAS_PROFILE | HAS_EXIF | HAS_XMP) | has,)))

"""PNG (ISO/IEC 15948): chunks, each with a length, a type and a checksum."""

from __future__ import annotations

import struct
import zlib

from chatapp.adapters.pictures.orientation import EXIF_MAX_BYTES, UPRIGHT, exif_of, orientation_in
from chatapp.adapters.pictures.reading import PROFILE_MAX_BYTES, Damaged, Reader, Writer

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER, END, EXIF = b"IHDR", b"IEND", b"eXIf"
PIXELS = frozenset({b"IDAT", b"fdAT"})
OTHERS = frozenset({b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD"})
"""Colours. No text, no time, nothing private."""

SHAPE = frozenset({HEADER, b"pHYs", b"acTL", b"fcTL"})
CHECKSUM_BYTES = 4


def clean(source: Reader, target: Writer) -> None:
    """Raises Damaged."""
    if source.take(8) != SIGNATURE:
        raise Damaged
    target.write(SIGNATURE)
    seen: set[bytes] = set()
    while END not in seen:
        head = source.up_to(8)
        kind = head[4:]
        if not _follows(seen, head):
            return  # what is there of the pixels stays; what follows them is none of the picture
        _take_over(source, target, kind, int.from_bytes(head[:4], "big"))
        seen.add(kind)


def _follows(seen: set[bytes], head: bytes) -> bool:
    """False when the picture has broken off. Raises Damaged when it had not begun."""
    kind, length = head[4:], int.from_bytes(head[:4], "big")
    is_chunk = len(head) == 8 and kind.isalpha() and length < 2**31
    if is_chunk and (kind == HEADER) == (not seen) and (kind != HEADER or length == 13) and not _is_strange(kind):
        return True
    if seen & PIXELS:
        return False
    raise Damaged


def _is_strange(kind: bytes) -> bool:
    """A capital letter in front: it cannot be decoded without this chunk, which nobody knows."""
    return kind[:1].isupper() and kind not in PIXELS | OTHERS | SHAPE | {END}


def _take_over(source: Reader, target: Writer, kind: bytes, length: int) -> None:
    if kind in PIXELS or (kind in OTHERS | SHAPE | {END} and length <= PROFILE_MAX_BYTES):
        target.write(struct.pack(">I", length) + kind)
        source.copy(length + CHECKSUM_BYTES, target)
        return
    if kind == EXIF:
        looked_at = source.up_to(min(length, EXIF_MAX_BYTES))
        orientation, length = orientation_in(looked_at), length - len(looked_at)
        if orientation != UPRIGHT:
            data = EXIF + exif_of(orientation)
            target.write(struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data)))
    source.skip(length + CHECKSUM_BYTES)

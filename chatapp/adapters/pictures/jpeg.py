"""JPEG (ITU-T T.81): segments, each with a marker and a length, and scans of coded pixels that end at a marker."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatapp.adapters.pictures.orientation import PREFIX, UPRIGHT, exif_of, orientation_in
from chatapp.adapters.pictures.reading import PIECE_BYTES, PROFILE_MAX_BYTES, Damaged, Reader, Writer

START, END, SCAN = 0xD8, 0xD9, 0xDA
JFIF, EXIF, PROFILE, ADOBE = 0xE0, 0xE1, 0xE2, 0xEE

NEEDED = frozenset({*range(0xC0, 0xD0), SCAN, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF} - {0xC8})
"""Frames, tables, scans, restart intervals: what decoding takes."""

LONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment. Outside a scan none means anything."""

SCAN_ENDS = re.compile(rb"\xff\xff*([^\x00\xff\xd0-\xd7])")
"""In a scan FF00 is a byte of the pixels, and FFD0 to FFD7 are restarts. A pattern that begins with one plain byte is
searched for by memchr: 16 MB in 5 ms, and with ``\xff+`` in 94."""

JUNK_MAX_BYTES = 4096
"""Decoders skip what stands between segments, and some cameras pad there."""

PROFILE_NAME = b"ICC_PROFILE\0"
PARTS_MAX = PROFILE_MAX_BYTES // 65_519
"""A segment holds so much of a profile; its second number is how many there are."""


def clean(source: Reader, target: Writer) -> None:
    """Raises Damaged."""
    if source.take(2) != bytes((0xFF, START)):
        raise Damaged
    target.write(bytes((0xFF, START)))
    scans = 0
    try:
        for marker in _segments(source, target):
            scans += marker == SCAN
    except Damaged:
        if not scans:
            raise
    if not scans:
        raise Damaged
    target.write(bytes((0xFF, END)))


def _segments(source: Reader, target: Writer) -> Iterator[int]:
    """The marker of each, as it begins. Raises Damaged."""
    turned = False
    marker = _next_marker(source)
    while marker != END:
        body = source.take(_length(source))
        yield marker
        if marker == EXIF and not turned and body.startswith(PREFIX):
            kept, turned = _upright(body), True
        else:
            kept = _kept(marker, body)
        if kept is not None:
            target.write(bytes((0xFF, marker)) + (len(kept) + 2).to_bytes(2, "big") + kept)
        marker = _copy_scan(source, target) if marker == SCAN else _next_marker(source)


def _upright(body: bytes) -> bytes | None:
    orientation = orientation_in(body)
    return PREFIX + exif_of(orientation) if orientation != UPRIGHT else None


def _length(source: Reader) -> int:
    length = int.from_bytes(source.take(2), "big") - 2
    if length < 0:
        raise Damaged
    return length


def _kept(marker: int, body: bytes) -> bytes | None:
    """What remains of a segment; None of one that is not the picture."""
    if marker in NEEDED:
        return body
    if marker == JFIF and body.startswith(b"JFIF\0"):
        return body[:12].ljust(12, b"\0") + b"\0\0"  # without the small picture that may follow
    if marker == ADOBE and body.startswith(b"Adobe"):
        return body[:12]  # how colours are to be read
    if marker == PROFILE and body.startswith(PROFILE_NAME) and body[13:14] <= bytes((PARTS_MAX,)):
        return body
    return None


def _next_marker(source: Reader) -> int:
    """Raises Damaged."""
    for _ in range(JUNK_MAX_BYTES):
        if source.take(1) == b"\xff":
            marker = source.take(1)[0]
            while marker == 0xFF:
                marker = source.take(1)[0]
            if marker and marker not in LONE:
                return marker
    raise Damaged


def _copy_scan(source: Reader, target: Writer) -> int:
    """The marker that ends it; the picture's end when there is none."""
    held = b""
    while piece := source.up_to(PIECE_BYTES):
        data = held + piece
        if found := SCAN_ENDS.search(data):
            target.write(data[: found.start()])
            source.back(len(data) - found.end())
            return found.group(1)[0]
        whole = data.rstrip(b"\xff")  # the marker may be in the next piece
        held = b"\xff" if len(whole) < len(data) else b""
        target.write(whole)
    return END

"""GIF (89a): a screen, and blocks of frames and extensions whose data comes in pieces of up to 255 bytes."""

from __future__ import annotations

from chatapp.adapters.pictures.reading import Damaged, Reader, Writer

FRAME, EXTENSION, END = b"\x2c", b"\x21", b"\x3b"
CONTROL, APPLICATION = b"\xf9", b"\xff"
LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")
"""How often an animation is repeated. Other applications' data is metadata."""


def clean(source: Reader, target: Writer) -> None:
    """Raises Damaged."""
    head = source.take(13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        raise Damaged
    target.write(head + source.take(_table_bytes(head[10])))
    frames = 0
    try:
        while (block := source.take(1)) != END:
            if block == FRAME:
                frames += 1
                _copy_frame(source, target)
            elif block == EXTENSION:
                _copy_extension(source, target)
            else:
                raise Damaged
    except Damaged:
        if not frames:
            raise
    if not frames:
        raise Damaged
    target.write(END)


def _table_bytes(packed: int) -> int:
    """Of the table of colours that may follow."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _copy_frame(source: Reader, target: Writer) -> None:
    place = source.take(9)
    table = source.take(_table_bytes(place[8]))
    target.write(FRAME + place + table + source.take(1))
    _copy_pieces(source, target)


def _copy_extension(source: Reader, target: Writer) -> None:
    """Comments and texts are dropped."""
    label = source.take(1)
    size = source.take(1)
    first = size + source.take(size[0])
    if (label == CONTROL and size == b"\x04") or (label == APPLICATION and first in LOOPS):
        target.write(EXTENSION + label + first)
        _copy_pieces(source, target)
        return
    while size != b"\0":
        size = source.take(1)
        source.skip(size[0])


def _copy_pieces(source: Reader, target: Writer) -> None:
    """Always whole: where the file breaks off, so do the pieces."""
    try:
        while size := source.take(1):
            piece = source.take(size[0])
            target.write(size + piece)
            if not piece:
                return
    except Damaged:
        target.write(b"\0")
        raise

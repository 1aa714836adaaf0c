"""What bytes are: libmagic names their type, FFmpeg's demuxers tell sound from pictures, Pillow makes thumbnails.

The bytes come from strangers. Only demuxers and decoders that we name are let loose on them, and whatever these make
of damaged or hostile input, it is an answer here and not an error. It takes milliseconds, and so runs in threads.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import av
import av.logging
from gevent.threadpool import ThreadPool
from PIL import Image, ImageOps

from chatapp.adapters import pictures
from chatapp.adapters.threads import in_thread
from chatapp.domain.errors import FilesUnavailable
from chatapp.domain.media_types import UNKNOWN, canonical, is_picture
from chatapp.ports import Inspection

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def _surroundings_kept() -> Iterator[None]:
    """pylibmagic patches ctypes.CDLL for good, so that python-magic finds its library, and puts its folder into
    LD_LIBRARY_PATH, LIBRARY_PATH and MAGIC, which every process we start would inherit. python-magic needs both only
    while it is imported. A python-magic that somebody imported before us stays theirs, and we get a second one: theirs
    is bound to the machine's libmagic, which takes the wheel's database for text and finds nothing in it."""
    before, load = dict(os.environ), ctypes.CDLL.__init__
    theirs = {name: sys.modules.pop(name) for name in tuple(sys.modules) if name.partition(".")[0] == "magic"}
    try:
        yield
    finally:
        sys.modules.update(theirs)
        ctypes.CDLL.__init__ = load  # type: ignore[method-assign]
        for key in os.environ.keys() - before.keys():
            del os.environ[key]
        os.environ.update(before)


with _surroundings_kept():
    import pylibmagic  # isort: skip  (first: it brings the library that the next one looks for)
    import magic

THREADS = 2
"""libmagic and Pillow keep a core busy, and the machines we run on have few."""

DATABASE = str(pylibmagic.data / "magic.mgc")
"""The one that belongs to the library; the machine's own may be of another version."""

TRACKS = {
    "video/webm": ("matroska", "video/webm", "audio/webm"),
    "video/x-matroska": ("matroska", "video/x-matroska", "audio/x-matroska"),
    "audio/ogg": ("ogg", "video/ogg", "audio/ogg"),
    "video/ogg": ("ogg", "video/ogg", "audio/ogg"),
    "audio/mp4": ("mov", "video/mp4", "audio/mp4"),
    "video/mp4": ("mov", "video/mp4", "audio/mp4"),
    "video/3gpp": ("mov", "video/3gpp", "audio/3gpp"),
}
"""Containers of which libmagic does not say what is in them: FFmpeg's demuxer, the type with and without pictures.

The demuxer is named because FFmpeg's own guess may fall on playlists, which make it open other files and addresses.
"""

TRACKS_FIRST = "matroska"
"""WebM lists its tracks before all else: where none can be read, there was no picture yet. A browser's voice note that
broke off at once stays a voice note. The others may list them at the end."""

DEMUXER_OPTIONS = {"probesize": "32768", "analyzeduration": "1"}
"""The list of tracks is enough; nothing needs to be decoded."""

DEMUXER_TIMEOUT_SECONDS = 5.0

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOCX_ENTRY = re.compile(rb"PK\x01\x02.{42}word/document\.xml", re.DOTALL)
ZIP_DIRECTORY_MAX_BYTES = 1024 * 1024
"""libmagic looks at the first entries of a ZIP only; a .docx may begin with a picture. The directory is at its end."""

CONTROLS = bytes({*range(0x20), 0x7F} - {*range(0x07, 0x0E), 0x1B})
"""What libmagic does not take for text either, but it looks at the first 64 kB only."""

WIDE_TEXT_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
"""UTF-16 and UTF-32 begin so, and have zeros in between."""

THUMBNAIL_SIZE = (320, 320)
IMAGE_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""Pillow knows more, one of which starts Ghostscript."""

IMAGE_MAX_PIXELS = 24_000_000
"""Measured: a WebP of 64 million takes 986 MB while it is decoded (114 kB as a file), a PNG up to 740 MB, and that in
each thread. Pillow's own guard begins at 89 million."""

JPEG_MAX_PIXELS = 64_000_000
"""What large cameras make; decoding it at an eighth of its size takes 12 MB, or 375 MB if it is progressive."""


class ContentInspector:
    def __init__(self) -> None:
        # Both for the whole process: neither can be confined to a thread.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        av.logging.set_level(None)
        self._threads = ThreadPool(THREADS)
        self._idle_magics: list[Any] = []

    def inspect(self, path: Path) -> Inspection:
        media_type = self._run(self._type_of, path)
        return Inspection(media_type, is_image=is_picture(media_type), is_audio=media_type.startswith("audio/"))

    def clean(self, path: Path, media_type: str) -> bool:
        return self._run(pictures.clean, path, media_type)

    def thumbnail(self, path: Path, target: Path) -> bool:
        return self._run(_make_thumbnail, path, target)

    def close(self) -> None:
        """May be called twice."""
        self._threads.join()
        self._threads.kill()

    def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return in_thread(self._threads, call, *args, **kwargs)
        except OSError as exc:
            raise FilesUnavailable(engine="local") from exc

    # ------------------------------------------------------------ in threads
    def _type_of(self, path: Path) -> str:
        found = canonical(self._ask_magic(path))
        if found in TRACKS:
            return _type_by_tracks(path, *TRACKS[found], otherwise=found)
        if found == "text/plain" or path.stat().st_size == 1:  # one byte is too little for libmagic
            return "text/plain" if _is_text(path) else UNKNOWN
        if found in ("application/zip", UNKNOWN) and _is_docx(path):
            return DOCX
        return found if "/" in found and not found.startswith("inode/") else UNKNOWN

    def _ask_magic(self, path: Path) -> str:
        try:
            finder = self._idle_magics.pop()  # one for each thread at work: they cannot be shared
        except IndexError:
            finder = magic.Magic(mime=True, magic_file=DATABASE)
        try:
            return str(finder.from_file(str(path)))
        except magic.MagicException:
            return UNKNOWN
        finally:
            self._idle_magics.append(finder)


# ---------------------------------------------------------------- what libmagic cannot tell
def _type_by_tracks(path: Path, demuxer: str, with_pictures: str, without: str, *, otherwise: str) -> str:
    try:
        has_pictures = _has_pictures(path, demuxer)
    except Exception:  # FFmpeg's errors are of many kinds, and every one means that it could not read this
        return without if demuxer == TRACKS_FIRST else otherwise
    return with_pictures if has_pictures else without


def _has_pictures(path: Path, demuxer: str) -> bool:
    """Whether there is a track of moving pictures; the cover of an album is none."""
    with (
        path.open("rb") as file,  # a file and no name, which could be a URL to FFmpeg
        av.open(
            file,
            mode="r",
            format=demuxer,
            options=DEMUXER_OPTIONS,
            timeout=DEMUXER_TIMEOUT_SECONDS,
            metadata_errors="replace",
        ) as container,
    ):
        covers = av.stream.Disposition.attached_pic
        return any(not stream.disposition & covers for stream in container.streams.video)


def _is_docx(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(4)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - ZIP_DIRECTORY_MAX_BYTES))
        return begins == b"PK\x03\x04" and DOCX_ENTRY.search(file.read()) is not None


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4).startswith(WIDE_TEXT_MARKS):
            return True
        file.seek(0)
        return all(len(chunk.translate(None, CONTROLS)) == len(chunk) for chunk in iter(lambda: file.read(65536), b""))


# ---------------------------------------------------------------- thumbnails
def _make_thumbnail(path: Path, target: Path) -> bool:
    with path.open("rb") as source:
        try:
            small = _shrink(source)
        except Exception:  # Pillow's decoders raise what they stumble over: OSError, SyntaxError, struct.error, …
            return False
    target.write_bytes(small)
    return True


def _shrink(source: Any) -> bytes:
    with Image.open(source, formats=IMAGE_FORMATS) as image:
        if image.width * image.height > (JPEG_MAX_PIXELS if image.format == "JPEG" else IMAGE_MAX_PIXELS):
            raise Image.DecompressionBombError(f"{image.width} × {image.height}")
        image.draft("RGB", THUMBNAIL_SIZE)  # a JPEG decodes straight to an eighth of its size
        mode = "RGBA" if image.has_transparency_data else "RGB"
        small: Image.Image = image if image.mode == mode else image.convert(mode)
        small.thumbnail(THUMBNAIL_SIZE)
        ImageOps.exif_transpose(small, in_place=True)
        small.info.clear()  # where and with what it was taken, whatever Pillow makes of it (today: nothing)
        written = BytesIO()
        small.save(written, "WEBP", quality=80)
    return written.getvalue()

"""What ContentInspector makes of real files, and of files that mean harm."""

from __future__ import annotations

import ctypes
import ctypes.util
import io
import os
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import gevent
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from chatapp.adapters import file_inspector
from chatapp.adapters.file_inspector import IMAGE_MAX_PIXELS, JPEG_MAX_PIXELS, THREADS, ContentInspector
from chatapp.domain.errors import FilesUnavailable
from chatapp.ports import Inspection
from tests.contracts.builders import together

ROOT = Path(__file__).parents[2]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def inspector() -> Iterator[ContentInspector]:
    opened = ContentInspector()
    yield opened
    opened.close()


@pytest.fixture
def see(inspector: ContentInspector, tmp_path: Path) -> Callable[[bytes], Inspection]:
    """Inspects bytes under a name that lies about them."""

    def inspect(data: bytes) -> Inspection:
        path = tmp_path / "audio.wav"
        path.write_bytes(data)
        return inspector.inspect(path)

    return inspect


See = Callable[[bytes], Inspection]


# ---------------------------------------------------------------- real files
def picture(kind: str, size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind, **options)
    return written.getvalue()


def recording(container: str, sound: str | None, vision: str | None = None) -> bytes:
    """Half a second, made by FFmpeg."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:  # which wants all tracks before the first packet
        hears = output.add_stream(sound, rate=48000, layout="mono") if sound else None
        sees = add_pictures(output, vision, (64, 48)) if vision else None
        if hears:
            record_sound(output, hears)
        if sees:
            record_pictures(output, sees)
    return written.getvalue()


def add_pictures(output: Any, codec: str, size: tuple[int, int], pix_fmt: str = "yuv420p") -> Any:
    stream = output.add_stream(codec, rate=10)
    (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
    return stream


def record_sound(output: Any, stream: Any) -> None:
    frame = av.AudioFrame(format="s16", layout="mono", samples=24000)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    for packet in [*stream.encode(frame), *stream.encode()]:
        output.mux(packet)


def record_pictures(output: Any, stream: Any) -> None:
    for number in range(5):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = number
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def archive(*names: str, size: int = 100) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as output:
        for name in names:
            output.writestr(name, b"<?xml version='1.0'?>" + os.urandom(size))
    return written.getvalue()


def compound(stream: str) -> bytes:
    """A compound file (what .doc and .xls are) that holds one empty stream of this name."""
    nothing, end, table = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

    def entry(name: str, kind: int, child: int = nothing) -> bytes:
        text = name.encode("utf-16le") + b"\0\0"
        links = struct.pack("<HBBIII", len(text), kind, 1, nothing, nothing, child)
        return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", end, 0)

    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0)
    sectors = struct.pack("<I", 0) + struct.pack("<I", nothing) * 108
    chain = struct.pack("<3I", table, end, end) + struct.pack("<I", nothing) * 125
    return head + sectors + chain + entry("Root Entry", 5, 1) + entry(stream, 2) + bytes(256) + bytes(512)


PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

REAL_FILES = {
    "jpeg": (picture("JPEG"), "image/jpeg"),
    "png": (picture("PNG"), "image/png"),
    "gif": (picture("GIF"), "image/gif"),
    "webp": (picture("WEBP"), "image/webp"),
    "mp3": (recording("mp3", "libmp3lame"), "audio/mpeg"),
    "wav": (recording("wav", "pcm_s16le"), "audio/wav"),
    "ogg": (recording("ogg", "libopus"), "audio/ogg"),
    "m4a": (recording("ipod", "aac"), "audio/mp4"),
    "sound in mp4": (recording("mp4", "aac"), "audio/mp4"),
    "sound in webm": (recording("webm", "libopus"), "audio/webm"),
    "sound in matroska": (recording("matroska", "libopus"), "audio/x-matroska"),
    "sound in 3gp": (recording("3gp", "aac"), "audio/3gpp"),
    "flac": (recording("flac", "flac"), "audio/flac"),
    "aac": (recording("adts", "aac"), "audio/aac"),
    "webm": (recording("webm", "libopus", "libvpx"), "video/webm"),
    "silent webm": (recording("webm", None, "libvpx"), "video/webm"),
    "mp4": (recording("mp4", "aac", "mpeg4"), "video/mp4"),
    "silent mp4": (recording("mp4", None, "mpeg4"), "video/mp4"),
    "video that calls itself m4a": (recording("ipod", "aac", "libx264"), "video/mp4"),
    "matroska": (recording("matroska", "libopus", "libvpx"), "video/x-matroska"),
    "mov": (recording("mov", "aac", "mpeg4"), "video/quicktime"),
    "pdf": (PDF, "application/pdf"),
    "doc": (compound("WordDocument"), "application/msword"),
    "xls": (compound("Workbook"), "application/vnd.ms-excel"),
    "docx": (archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"), DOCX),
    "docx by LibreOffice": (archive("_rels/.rels", "docProps/app.xml", "word/document.xml", size=400_000), DOCX),
    "docx with a preview": (
        archive("[Content_Types].xml", "_rels/.rels", "docProps/app.xml", "docProps/thumb.jpeg", "word/document.xml"),
        DOCX,
    ),
    "xlsx": (archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), XLSX),
    "zip": (archive("notes.txt", "photo.jpg"), "application/zip"),
    "text": ("¿Qué tal, Ñuñez? 🎸\n".encode(), "text/plain"),
    "text in latin-1": ("canción número uno\n".encode("latin-1"), "text/plain"),
    "text in utf-16": ("hola".encode("utf-16"), "text/plain"),
    "text of one letter": (b"a", "text/plain"),
    "long text": (b"palabra " * 50_000, "text/plain"),
    "prose with commas": (b"Hola, Ana\nBien, gracias\nPues, nada\n", "text/plain"),
    "html": (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "text/html"),
    "html without a head": (b"<script>alert(1)</script>", "text/html"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "image/svg+xml"),
    "xml": (b'<?xml version="1.0"?><a/>', "text/xml"),
    "json": (b'{"a": [1, 2]}', "application/json"),
    "shell script": (b"#!/bin/sh\nrm -rf /\n", "text/x-shellscript"),
    "php": (b"<?php system($_GET[0]);", "text/x-php"),
    "program": (Path("/proc/self/exe").read_bytes()[:100_000], "application/x-pie-executable"),
    "nothing": (b"", "application/octet-stream"),
    "one byte": (b"\x01", "application/octet-stream"),
    "zeros": (bytes(1000), "application/octet-stream"),
    "text, then machine code": (b"palabra " * 20_000 + b"\x7fELF\0\1", "application/octet-stream"),
}


@pytest.mark.parametrize(("data", "media_type"), REAL_FILES.values(), ids=REAL_FILES)
def test_the_type_is_what_the_bytes_are(see: See, data: bytes, media_type: str) -> None:
    if media_type.endswith("executable"):  # not every Python is built the same way
        assert see(data).media_type in (media_type, "application/x-executable")
    else:
        assert see(data).media_type == media_type


def test_a_picture_is_an_image_and_a_recording_is_audio(see: See) -> None:
    assert see(picture("PNG")) == Inspection("image/png", is_image=True)
    assert see(recording("webm", "libopus")) == Inspection("audio/webm", is_audio=True)
    assert see(recording("webm", None, "libvpx")) == Inspection("video/webm")
    assert see(PDF) == Inspection("application/pdf")


def test_svg_is_a_document_and_no_image(see: See) -> None:
    assert see(b'<svg xmlns="http://www.w3.org/2000/svg"/>') == Inspection("image/svg+xml")


def test_a_song_with_a_cover_is_audio(see: See) -> None:
    song = io.BytesIO()
    with av.open(song, "w", format="mp4") as output:
        hears = output.add_stream("aac", rate=48000, layout="mono")
        shows = add_pictures(output, "mjpeg", (64, 64), "yuvj420p")
        shows.disposition = av.stream.Disposition.attached_pic
        record_sound(output, hears)
        cover = av.Packet(picture("JPEG", (64, 64)))
        cover.stream, cover.pts, cover.dts, cover.time_base = shows, 0, 0, Fraction(1, 1)
        output.mux(cover)
    with av.open(io.BytesIO(song.getvalue())) as made:
        assert made.streams.video  # FFmpeg shows the cover as a track
    assert see(song.getvalue()) == Inspection("audio/mp4", is_audio=True)


def test_a_missing_file_is_files_unavailable(inspector: ContentInspector, tmp_path: Path) -> None:
    with pytest.raises(FilesUnavailable) as caught:
        inspector.inspect(tmp_path / "missing")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


# ---------------------------------------------------------------- hostile and broken files
@pytest.mark.parametrize("name", ["sound in webm", "webm", "ogg", "m4a", "mp4", "docx", "doc", "jpeg", "pdf", "mp3"])
def test_a_file_cut_anywhere_is_inspected_without_complaint(see: See, name: str) -> None:
    data = REAL_FILES[name][0]
    for length in range(1, len(data), max(1, len(data) // 40)):
        assert "/" in see(data[:length]).media_type


def test_a_voice_note_that_broke_off_at_once_is_still_one(see: See) -> None:
    assert see(recording("webm", "libopus")[:60]) == Inspection("audio/webm", is_audio=True)


def test_a_video_whose_end_is_missing_does_not_pass_for_sound(see: See) -> None:
    assert see(recording("mp4", "aac", "mpeg4")[:60]).media_type == "video/mp4"
    assert see(recording("webm", "libopus", "libvpx")[:-100]).media_type == "video/webm"


def test_noise_behind_a_known_beginning_is_survived(see: See) -> None:
    for beginning in (b"\x1aE\xdf\xa3", b"OggS\0", b"\0\0\0 ftypisom", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"PK\x03\x04"):
        assert "/" in see(beginning + os.urandom(5000)).media_type


def test_a_playlist_opens_nothing(see: See, tmp_path: Path) -> None:
    (tmp_path / "secret.webm").write_bytes(recording("webm", None, "libvpx"))
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'secret.webm'}\n"
    assert not see(playlist.encode()).media_type.startswith("video/")


def test_ffmpeg_is_told_how_to_read_and_given_no_name(see: See, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[bool, str]] = []
    original = av.open

    def watched(file: Any, **options: Any) -> Any:
        opened.append((isinstance(file, io.BufferedReader), options["format"]))
        return original(file, **options)

    monkeypatch.setattr(av, "open", watched)
    for name in ("webm", "mp4", "ogg"):
        see(REAL_FILES[name][0])
    assert opened == [(True, "matroska"), (True, "mov"), (True, "ogg")]


def test_ffmpeg_does_not_write_to_our_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    av.logging.set_level(av.logging.DEBUG)
    inspector = ContentInspector()
    for name in ("mp4", "sound in webm"):
        for length in (60, 200, 400):
            (tmp_path / "cut").write_bytes(REAL_FILES[name][0][:length])
            inspector.inspect(tmp_path / "cut")
    inspector.close()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_what_libmagic_gives_up_on_is_unknown(see: See, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> str:
        raise magic.MagicException("regex error")

    magic = vars(file_inspector)["magic"]
    monkeypatch.setattr(magic.Magic, "from_file", failing)
    assert see(PDF) == Inspection("application/octet-stream")


# ---------------------------------------------------------------- thumbnails
@pytest.fixture
def shrink(inspector: ContentInspector, tmp_path: Path) -> Callable[[bytes], Image.Image | None]:
    """The thumbnail of these bytes, or None; it never leaves half of one."""

    def thumbnail(data: bytes) -> Image.Image | None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(data)
        made = inspector.thumbnail(source, target)
        assert made == target.exists()
        return Image.open(io.BytesIO(target.read_bytes())) if made else None

    return thumbnail


Shrink = Callable[[bytes], "Image.Image | None"]


def colour(image: Image.Image, x: int, y: int) -> str:
    red, green, blue = image.convert("RGB").getpixel((x, y))  # type: ignore[misc]
    return "red" if red > 150 > green else "green" if green > 150 > red else "blue" if blue > 150 else "other"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize(
    ("size", "expected"), [((640, 480), (320, 240)), ((300, 1200), (80, 320)), ((40, 30), (40, 30)), ((1, 1), (1, 1))]
)
def test_a_thumbnail_is_webp_within_320_pixels(
    shrink: Shrink, kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    small = shrink(picture(kind, size))
    assert small is not None
    assert (small.format, small.size) == ("WEBP", expected)
    assert colour(small, 0, 0) == "red"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "RGBA"])
def test_every_kind_of_pixel_is_shrunk(shrink: Shrink, mode: str) -> None:
    written = io.BytesIO()
    Image.new(mode, (400, 400)).save(written, "TIFF" if mode == "CMYK" else "PNG")
    small = shrink(written.getvalue())
    assert small is not None
    assert small.size == (320, 320)


def test_transparency_is_kept(shrink: Shrink) -> None:
    written = io.BytesIO()
    Image.new("RGBA", (400, 400), (0, 0, 0, 0)).save(written, "PNG")
    small = shrink(written.getvalue())
    assert small is not None
    assert small.mode == "RGBA"
    assert small.getpixel((5, 5))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_turned_upright_and_loses_its_metadata(shrink: Shrink, kind: str) -> None:
    photo, exif = Image.new("RGB", (640, 320), (0, 0, 250)), Image.Exif()
    photo.paste((250, 0, 0), (0, 0, 320, 320))
    exif[0x0112] = 6  # the camera was held upright: top is the right-hand side
    exif.get_ifd(0x8825)[1] = "N"
    profile, place = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "<x>at home</x>"
    said: dict[str, Any] = {"xmp": place.encode()}
    if kind == "JPEG":
        said["comment"] = b"at home"
    if kind == "PNG":
        said["pnginfo"] = PngInfo()
        said["pnginfo"].add_itxt("XML:com.adobe.xmp", place)
    written = io.BytesIO()
    photo.save(written, kind, exif=exif, icc_profile=profile, **said)
    original = Image.open(io.BytesIO(written.getvalue()))
    assert original.getexif().get_ifd(0x8825)
    assert original.info.keys() >= {"xmp", "icc_profile"}
    small = shrink(written.getvalue())
    assert small is not None
    assert small.size == (160, 320)
    assert (colour(small, 80, 20), colour(small, 80, 300)) == ("red", "blue")
    assert dict(small.getexif()) == {}
    assert not small.info.keys() & {"exif", "xmp", "comment", "icc_profile"}


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_shown_by_its_first_frame(shrink: Shrink, kind: str) -> None:
    frames = [Image.new("RGB", (400, 400), shade) for shade in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    written = io.BytesIO()
    frames[0].save(written, kind, save_all=True, append_images=frames[1:], duration=100)
    assert getattr(Image.open(io.BytesIO(written.getvalue())), "n_frames", 1) == 3
    small = shrink(written.getvalue())
    assert small is not None
    assert getattr(small, "n_frames", 1) == 1
    assert colour(small, 100, 100) == "red"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_has_no_thumbnail(shrink: Shrink, kind: str) -> None:
    noise = Image.effect_noise((600, 600), 90).convert("RGB")
    written = io.BytesIO()
    noise.save(written, kind)
    data = written.getvalue()
    assert shrink(data[: len(data) // 2]) is None
    assert shrink(data[:40]) is None


@pytest.mark.parametrize(
    "data", [b"", b"hola", PDF, b'<svg xmlns="http://www.w3.org/2000/svg"/>', b"%!PS-Adobe-3.0 EPSF"]
)
def test_what_is_no_picture_has_no_thumbnail(shrink: Shrink, data: bytes) -> None:
    assert shrink(data) is None


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "PCX"])
def test_a_format_that_is_not_named_is_not_decoded(shrink: Shrink, kind: str) -> None:
    assert Image.open(io.BytesIO(picture(kind, (64, 64)))).format == kind
    assert shrink(picture(kind, (64, 64))) is None


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is this large, in some hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "size", [(IMAGE_MAX_PIXELS // 8000 + 1, 8000), (10_000, 10_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_decompression_bomb_is_not_decoded(
    shrink: Shrink, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    def exploding(*_: object) -> None:
        raise SystemExit("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exploding)
    assert shrink(bomb(*size)) is None


def test_a_large_cameras_jpeg_is_shrunk(shrink: Shrink) -> None:
    assert shrink(picture("JPEG", (IMAGE_MAX_PIXELS // 8000 + 1, 8000))) is not None


def test_a_jpeg_is_decoded_at_a_fraction_of_its_size(shrink: Shrink, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    original = Image.Image.thumbnail

    def watched(image: Image.Image, size: tuple[int, int]) -> None:
        decoded.append(image.size)
        original(image, size)

    monkeypatch.setattr(Image.Image, "thumbnail", watched)
    assert shrink(picture("JPEG", (6400, 4800))) is not None
    assert decoded == [(800, 600)]


def test_a_jpeg_larger_than_any_camera_makes_is_not_decoded(shrink: Shrink) -> None:
    assert shrink(picture("JPEG", (JPEG_MAX_PIXELS // 8000 + 1, 8000))) is None


def test_a_thumbnail_that_cannot_be_written_is_files_unavailable(inspector: ContentInspector, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(picture("PNG"))
    with pytest.raises(FilesUnavailable):
        inspector.thumbnail(source, tmp_path / "missing" / "target")


# ---------------------------------------------------------------- threads and surroundings
def test_many_files_at_once(inspector: ContentInspector, tmp_path: Path) -> None:
    names = ["jpeg", "mp3", "ogg", "sound in webm", "mp4", "docx", "doc", "text", "pdf"] * 6
    for number, name in enumerate(names):
        (tmp_path / str(number)).write_bytes(REAL_FILES[name][0])
    found = together(
        [lambda number=number: inspector.inspect(tmp_path / str(number)) for number in range(len(names))]  # type: ignore[misc]
    )
    assert [inspection.media_type for inspection in found] == [REAL_FILES[name][1] for name in names]
    assert len(inspector._idle_magics) <= THREADS


def test_a_slow_picture_does_not_hold_up_the_hub(
    inspector: ContentInspector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entered, opened = threading.Event(), threading.Event()

    def slow(_: object) -> bytes:
        entered.set()
        assert opened.wait(20), "nobody opened the gate: is the hub blocked?"
        return b"small"

    monkeypatch.setattr(file_inspector, "_shrink", slow)
    (tmp_path / "source").write_bytes(b"")
    shrinking = gevent.spawn(inspector.thumbnail, tmp_path / "source", tmp_path / "target")
    with gevent.Timeout(20):
        while not entered.is_set():
            gevent.sleep(0.001)
    assert inspector.inspect(tmp_path / "source") == Inspection("application/octet-stream")
    opened.set()
    assert shrinking.get(timeout=20)


def test_closing_twice_is_fine_and_leaves_no_threads(tmp_path: Path) -> None:
    inspector = ContentInspector()
    (tmp_path / "file").write_bytes(PDF)
    inspector.inspect(tmp_path / "file")
    inspector.close()
    inspector.close()
    assert inspector._threads.size == 0


SURROUNDINGS = """
import ctypes, os
before, load = dict(os.environ), ctypes.CDLL.__init__
import chatapp.adapters.file_inspector
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
assert ctypes.CDLL.__init__ is load
"""


@pytest.mark.parametrize("extra", [{}, {"LD_LIBRARY_PATH": "/opt/lib", "MAGIC": "/nowhere"}], ids=["unset", "set"])
def test_importing_it_leaves_the_process_as_it_was(extra: dict[str, str]) -> None:
    environment = {"PATH": os.environ["PATH"], **extra}
    subprocess.run([sys.executable, "-c", SURROUNDINGS], cwd=ROOT, env=environment, timeout=60, check=True)


MAGIC_OF_OTHERS = """
import sys
from pathlib import Path
import magic
from chatapp.adapters.file_inspector import ContentInspector
inspector = ContentInspector()
print(inspector.inspect(Path(sys.argv[1])).media_type)
inspector.close()
assert sys.modules["magic"] is magic
print(magic.from_file(sys.argv[1], mime=True))
"""


@pytest.mark.skipif(not ctypes.util.find_library("magic"), reason="the machine has no libmagic of its own")
def test_the_machines_libmagic_and_ours_leave_each_other_alone(tmp_path: Path) -> None:
    """Each library takes the other's database for text, says so a thousand times, and finds nothing in it."""
    (tmp_path / "file").write_bytes(PDF)
    command = [sys.executable, "-c", MAGIC_OF_OTHERS, str(tmp_path / "file")]
    ran = subprocess.run(command, cwd=ROOT, timeout=60, check=True, capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["application/pdf"] * 2, "")


def test_libraries_are_still_loaded_by_name() -> None:
    assert ctypes.CDLL("libc.so.6").getpid() == os.getpid()

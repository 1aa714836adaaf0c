"""Small real files, made by the libraries that browsers' recordings and cameras would use, for uploads."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
RATE = 48000


def write_all(folder: Path) -> None:
    for name, data in _contents().items():
        (folder / name).write_bytes(data)


def _contents() -> dict[str, bytes]:
    return {
        "foto.jpg": picture("JPEG"),
        "foto.png": picture("PNG"),
        "foto.gif": picture("GIF"),
        "foto.webp": picture("WEBP"),
        "informe.pdf": PDF,
        "carta.docx": word_document(),
        "notas.txt": "Acentos: ñ, ü, ¿qué?\n".encode() * 40,
        "voz.webm": recording("webm", "libopus"),
        "voz.wav": recording("wav", "pcm_s16le"),
        "voz.mp3": recording("mp3", "libmp3lame"),
        "voz.ogg": recording("ogg", "libopus"),
        "voz.m4a": recording("ipod", "aac"),
        "pagina.html": b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>",
        "programa.exe": b"MZ" + bytes(64) + b"PE\0\0" + bytes(200),
        "vacio.txt": b"",
        "grande.txt": b"Demasiado grande. " * 80_000,
    }


def picture(kind: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 30, 30)).save(written, kind)
    return written.getvalue()


def recording(container: str, codec: str) -> bytes:
    """Half a second of silence."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=RATE // 2)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for packet in [*stream.encode(frame), *stream.encode()]:
            output.mux(packet)
    return written.getvalue()


def word_document() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as output:
        for name in ("[Content_Types].xml", "_rels/.rels", "word/document.xml"):
            output.writestr(name, "<?xml version='1.0' encoding='UTF-8'?><none/>")
    return written.getvalue()

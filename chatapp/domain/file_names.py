"""What people call their files, made safe to show and to save under."""

from __future__ import annotations

import unicodedata

FILE_NAME_MAX_BYTES = 255
"""In UTF-8: as much as file systems take."""

ENDING_MAX_BYTES = 16
"""What is longer behind the last dot is no ending."""

UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control and format characters, which turn the direction of text (``gpj.exe`` must not show as
``exe.jpg``), of halves of surrogate pairs, and of breaks between lines."""

JOINERS = frozenset("\u200c\u200d")
"""Format characters that Persian and many emoji are written with."""


def clean_file_name(given: str) -> str:
    """Without folders and what does not print, in at most ``FILE_NAME_MAX_BYTES``, the ending kept. May be empty."""
    base = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in base if _is_printable(char)).strip()
    return _cut(name) if name.strip(".") else ""


def _is_printable(char: str) -> bool:
    return unicodedata.category(char) not in UNPRINTABLE or char in JOINERS


def _cut(name: str) -> str:
    if len(name.encode()) <= FILE_NAME_MAX_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > ENDING_MAX_BYTES:
        stem, dot, ending = name, "", ""
    room = FILE_NAME_MAX_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + ending

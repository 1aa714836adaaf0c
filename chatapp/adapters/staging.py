"""What every file store does alike: which names are ours, and the folder for uploads in progress."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9]+)?")
"""No separators, no dot in front, nothing that a file system or a URL reads in its own way."""

NAME_MAX_CHARS = 200
"""File systems take 255 bytes, and a description's ending comes behind."""

ABANDONED_AFTER_SECONDS = 3600
"""An upload not written to for so long was left by a crash; a younger one may be another worker's."""


def is_name(name: str) -> bool:
    return len(name) <= NAME_MAX_CHARS and NAME.fullmatch(name) is not None


def prepare_staging(folder: Path, *, abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS) -> None:
    """Make the folder, and sweep what crashes left there. Several processes may do so at once. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    abandoned = time() - abandoned_after_seconds
    for path in folder.iterdir():
        with absence_forgiven():  # another worker sweeps too
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) and found.st_mtime < abandoned:
                path.unlink()


@contextmanager
def absence_forgiven() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return

"""How the formats are read and copied: never more than a piece at a time, whatever they say of themselves."""

from __future__ import annotations

import os
from typing import BinaryIO

Writer = BinaryIO

PIECE_BYTES = 256 * 1024
"""In memory at once."""

PROFILE_MAX_BYTES = 1024 * 1024
"""The largest colour profiles that printers use; what is larger hides something else."""


class Damaged(Exception):
    """The bytes are not of their format."""


class Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def take(self, count: int) -> bytes:
        """Exactly so many bytes, which the caller has bounded. Raises Damaged."""
        data = self._file.read(count)
        if len(data) != count:
            raise Damaged
        return data

    def up_to(self, count: int) -> bytes:
        """Fewer only at the end of the file."""
        return self._file.read(count)

    def skip(self, count: int) -> None:
        """Beyond the end of the file too."""
        self._file.seek(count, os.SEEK_CUR)

    def back(self, count: int) -> None:
        self._file.seek(-count, os.SEEK_CUR)

    def at(self) -> int:
        return self._file.tell()

    def copy(self, count: int, target: Writer) -> int:
        """How many there were: fewer only at the end of the file."""
        left = count
        while left and (piece := self._file.read(min(left, PIECE_BYTES))):
            target.write(piece)
            left -= len(piece)
        return count - left

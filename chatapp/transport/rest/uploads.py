"""Multipart bodies that go to disk while they are read, counted and hashed on the way."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import IO, Any, cast

from flask import Request, current_app, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from chatapp.domain.errors import InvalidData, TooLarge
from chatapp.domain.file_names import clean_file_name
from chatapp.services.files import IncomingFile
from chatapp.transport.extension import Extension

FORM_ALLOWANCE_BYTES = 1024 * 1024
"""What a form may have beside its file: other fields, boundaries, headers."""

NAMELESS = "archivo"


class StagedFile:
    """A part of the form on its way to disk. Raises TooLarge as soon as it is."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.path = folder / uuid.uuid4().hex
        self.size = 0
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._file: IO[bytes] = self.path.open("xb", buffering=0)

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self._max_bytes:
            raise TooLarge(maxBytes=self._max_bytes)
        self._hash.update(data)
        self._file.write(data)
        return len(data)

    def seek(self, *_: int) -> int:
        """The form parser rewinds what it has written; we read by the path."""
        return 0

    def close(self) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class UploadRequest(Request):
    """``max_file_bytes`` is set by the view that takes a file; elsewhere files are not read at all."""

    max_form_parts = 20
    max_file_bytes = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.staged: list[StagedFile] = []

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """Of a body in chunks the library reads as much as is allowed, and passes that off as all."""
        data = super().get_data(*args, **kwargs)
        if self.content_length is None and self.max_content_length and len(data) >= self.max_content_length:
            raise RequestEntityTooLarge
        return data

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        extension: Extension = current_app.extensions["chatapp"]
        staged = StagedFile(extension.chat.file_store.staging(), self.max_file_bytes)
        self.staged.append(staged)
        return cast(IO[bytes], staged)

    def discard_staged(self) -> None:
        """Remove what nobody took over."""
        for staged in self.staged:
            staged.close()
            staged.path.unlink(missing_ok=True)


def discard_staged(_: BaseException | None = None) -> None:
    """After every request, however it ended."""
    cast(UploadRequest, request).discard_staged()


def receive_file(field: str, *, max_bytes: int) -> IncomingFile:
    """Read the form, with this file in it. Raises InvalidData, TooLarge."""
    upload = cast(UploadRequest, request)
    upload.max_file_bytes = max_bytes
    upload.max_content_length = max_bytes + FORM_ALLOWANCE_BYTES
    part: FileStorage | None = upload.files.get(field)
    if part is None:
        raise InvalidData({field: ["required"]})
    staged = cast(StagedFile, part.stream)
    staged.close()
    return IncomingFile(staged.path, clean_file_name(part.filename or "") or NAMELESS, staged.size, staged.sha256)

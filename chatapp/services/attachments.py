"""The bytes that go when their last message goes."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from chatapp.domain.errors import FilesUnavailable
from chatapp.domain.models import Attachment
from chatapp.ports import FileStore

log = logging.getLogger(__name__)

FILE_URL_PREFIX = "/api/files/"
"""Every ``fileUrl`` of ours begins so, for every kind of storage."""

AVATAR_PREFIX = "avatar-"
"""So begin the names of what came in as an avatar; only such files go when a profile lets go of them,
and no message may carry one: its deletion would take the avatar along."""

THUMBNAIL_ENDING = "-thumb.webp"
"""So ends the name of a thumbnail, behind the stem of its picture's; it goes with the picture, and no message may carry
it alone: its deletion would take it from the picture's message."""

OTHER_PREFIXES = ("/uploads/",)
"""The document's second name for the same bytes."""


def file_url(name: str) -> str:
    return FILE_URL_PREFIX + name


def file_name_in(url: str) -> str | None:
    """The name of one of our files in a URL; None when the URL is somebody else's."""
    for prefix in (FILE_URL_PREFIX, *OTHER_PREFIXES):
        if url.startswith(prefix):
            return url.removeprefix(prefix)
    return None


class AttachmentSweeper:
    def __init__(self, files: FileStore) -> None:
        self._files = files

    def sweep(self, attachments: Iterable[Attachment]) -> None:
        """Delete these files and their thumbnails."""
        for attachment in attachments:
            self.sweep_url(attachment.url)

    def sweep_url(self, url: str | None) -> None:
        name = file_name_in(url) if url else None
        if name is None:
            return
        try:
            self._files.delete(name)
        except FilesUnavailable as exc:  # what let go of it has happened; only its bytes stay behind
            log.warning("the file %s was not removed: %s", name, exc)

"""Who may have a file: whoever put it there, and whoever is shown a message that carries it, at this moment."""

from __future__ import annotations

from chatapp.domain.errors import FileNotStored, ScopeMissing
from chatapp.domain.media_types import PICTURE_EXTENSIONS
from chatapp.domain.models import Actor, Scope, Standing, StoredFile
from chatapp.ports import FileStore, LocalDownload, RedirectDownload, Store
from chatapp.services.actors import require_name
from chatapp.services.attachments import AVATAR_PREFIX, THUMBNAIL_ENDING, file_url


class FileAccess:
    def __init__(self, store: Store, files: FileStore) -> None:
        self._store = store.messages
        self._files = files

    def open(self, name: str, *, actor: Actor) -> LocalDownload | RedirectDownload:
        """Raises FileNotStored, also for what is not the actor's to see: strangers learn no names. Raises
        NotIdentified, ScopeMissing where nobody's name is said."""
        if actor.standing is Standing.KEY and actor.user_id is None and not actor.is_admin:
            raise ScopeMissing(scope=Scope.ADMIN.value)
        if not actor.is_admin:
            require_name(actor)
        download = self._files.open(name)
        if not self._may_open(download.file, actor):
            raise FileNotStored(name=name)
        return download

    def _may_open(self, file: StoredFile, actor: Actor) -> bool:
        if actor.is_admin or file.name.startswith(AVATAR_PREFIX):  # everybody who is in here sees everybody's face
            return True
        user_id = require_name(actor)
        return file.uploader_id == user_id or self._store.shows_file(_carried_as(file.name), user_id=user_id)


def _carried_as(name: str) -> list[str]:
    """The URLs under which a message may carry it. A thumbnail goes with its picture, whose name begins alike."""
    if not name.endswith(THUMBNAIL_ENDING):
        return [file_url(name)]
    stem = name.removesuffix(THUMBNAIL_ENDING)
    return [file_url(f"{stem}.{extension}") for extension in PICTURE_EXTENSIONS]

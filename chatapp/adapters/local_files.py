"""Files in a folder: the embedded default. Several workers may share it.

    <folder>/<name>                the bytes
    <folder>/.meta/<name>.json     what is known of them
    <folder>/.staging/             uploads in progress

The bytes are moved to their name last, so that whatever bears a name is whole and described. All of it blocks, and so
runs in threads.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from gevent.threadpool import ThreadPool

from chatapp.adapters.staging import ABANDONED_AFTER_SECONDS, absence_forgiven, is_name, prepare_staging
from chatapp.adapters.threads import in_thread
from chatapp.domain.errors import FileNotStored, FilesUnavailable
from chatapp.domain.models import StoredFile
from chatapp.ports import LocalDownload

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
"""An fsync waits for the disk, not for a core."""


class LocalFiles:
    def __init__(self, folder: Path | str) -> None:
        """Makes the folder, and sweeps what crashes left. Raises FilesUnavailable."""
        self._folder = Path(folder).absolute()
        self._meta = self._folder / ".meta"
        self._staging = self._folder / ".staging"
        self._closed = False
        self._threads = ThreadPool(THREADS)
        try:
            in_thread(self._threads, self._prepare)
        except OSError as exc:
            self.close()
            raise FilesUnavailable(engine="local", reason=f"{self._folder}: {exc}") from exc

    # ------------------------------------------------------------ the port
    def staging(self) -> Path:
        return self._staging

    def put(self, file: StoredFile, source: Path) -> None:
        if not is_name(file.name):
            raise ValueError(f"not a name for a file of ours: {file.name!r}")
        self._run(self._put, file, source)

    def open(self, name: str) -> LocalDownload:
        if not is_name(name):
            raise FileNotStored(name=name)
        return self._run(self._open, name)

    def delete(self, name: str) -> None:
        if is_name(name):
            self._run(self._delete, name)

    def check(self) -> None:
        self._run(self._probe)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._threads.join()
            self._threads.kill()

    # ------------------------------------------------------------ in threads
    def _prepare(self) -> None:
        self._meta.mkdir(parents=True, exist_ok=True)
        prepare_staging(self._staging, abandoned_after_seconds=ABANDONED_AFTER_SECONDS)

    def _put(self, file: StoredFile, source: Path) -> None:
        _flush(source)
        path, known = self._folder / file.name, self._write_meta(file)
        try:
            _flush(self._meta)
            source.rename(path)
            _flush(self._folder)
        except BaseException:
            path.unlink(missing_ok=True)
            known.unlink(missing_ok=True)
            raise

    def _write_meta(self, file: StoredFile) -> Path:
        known = asdict(file) | {"created_at": file.created_at.isoformat()}
        draft = self._staging / f"{uuid4()}.json"
        try:
            draft.write_text(json.dumps(known), encoding="ascii")  # escaped: a lone surrogate in a name passes too
            _flush(draft)
            return draft.rename(self._meta_of(file.name))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _open(self, name: str) -> LocalDownload:
        path = self._folder / name
        file = self._read_meta(name)
        if file is None or not _is_file(path):
            raise FileNotStored(name=name)
        return LocalDownload(file, path)

    def _read_meta(self, name: str) -> StoredFile | None:
        """None when nothing is known of it; an unreadable description is as good as none."""
        try:
            known = json.loads(self._meta_of(name).read_text(encoding="ascii"))
            file = StoredFile(**known)
            return replace(file, name=name, created_at=datetime.fromisoformat(known["created_at"]))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _delete(self, name: str) -> None:
        """The description goes last: with it, a delete that was cut short can be repeated."""
        file = self._read_meta(name)
        (self._folder / name).unlink(missing_ok=True)
        thumbnail = file.thumbnail_name if file else None
        if thumbnail is not None and is_name(thumbnail):
            (self._folder / thumbnail).unlink(missing_ok=True)
            self._meta_of(thumbnail).unlink(missing_ok=True)
        _flush(self._folder)
        self._meta_of(name).unlink(missing_ok=True)
        _flush(self._meta)

    def _probe(self) -> None:
        """Goes a new file's way, as far as nobody sees it."""
        probe = self._staging / f"{uuid4()}.probe"
        try:
            probe.write_bytes(b"?")
            probe = probe.rename(self._meta / probe.name)
            probe = probe.rename(self._folder / f".{probe.name}")
        finally:
            probe.unlink(missing_ok=True)

    # ------------------------------------------------------------ common to all
    def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closed:
            raise FilesUnavailable(engine="local", reason="closed")
        try:
            return in_thread(self._threads, call, *args, **kwargs)
        except OSError as exc:
            raise FilesUnavailable(engine="local") from exc

    def _meta_of(self, name: str) -> Path:
        return self._meta / f"{name}.json"


def _is_file(path: Path) -> bool:
    """Not a link: where that leads is not ours to serve."""
    with absence_forgiven():
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _flush(path: Path) -> None:
    """The file's bytes, or the folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

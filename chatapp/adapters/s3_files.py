"""Files in a private S3 bucket, AWS's or any other's that speaks S3.

An object's key is the file's name, and what is known of the file is the object's metadata. S3 shows an object when all
of it has arrived, also one that came in parts. The bucket stays private: no ACL is set and no policy touched; who may
read gets a URL that is good for ``URL_SECONDS``, signed for GET alone. The bucket must exist, and the key needs
``s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload`` on its objects and ``s3:ListBucket`` (without it AWS
answers 403 for what is not there) and ``ListBucketMultipartUploads`` on itself; with versioning also
``GetObjectVersion, DeleteObjectVersion``.

Requests are made in the calling greenlet, which waits without blocking where gevent has patched the sockets; reading
and hashing megabytes is for threads. How long a request is tried is said in ``s3_client``; a put that fails tidies up
behind it with one attempt more, of at most ``SILENCE_SECONDS``.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from gevent.event import Event
from gevent.threadpool import ThreadPool

from chatapp.adapters.s3_client import Absent, Bucket
from chatapp.adapters.s3_objects import described, description, served
from chatapp.adapters.staging import is_name, prepare_staging
from chatapp.adapters.threads import in_thread
from chatapp.domain.errors import FileNotStored, FilesUnavailable
from chatapp.domain.models import StoredFile
from chatapp.ports import Clock, RedirectDownload

URL_SECONDS = 60
"""How long a download may wait to begin. What has begun may take as long as it takes."""

PART_BYTES = 8 * 1024 * 1024
"""A larger file goes in parts, one after the other; an upload holds one in memory. S3 takes 10,000."""

THREADS = 4

PROBE_NAME = "probe"
"""No file of ours is called so: ``check`` begins an upload under this name, which nobody ever sees, and drops it."""

ABANDONED_AFTER = timedelta(days=1)
"""An upload in parts that began so long ago was left by a crash."""

REMAINS_MAX = 1000
REMAINS_PER_CHECK = 10
"""Failed uploads that are remembered, for as long as the engine does not let us tidy up."""

log = structlog.get_logger(__name__)


class S3Files:
    def __init__(
        self,
        *,
        bucket: str,
        region: str,
        endpoint: str | None,
        access_key: str | None,
        secret_key: str | None,
        staging: Path,
        clock: Clock,
    ) -> None:
        """Makes the folder for uploads in progress, and sweeps it. S3 itself is asked by ``check`` first.

        ``endpoint`` None is AWS; keys of None come by boto3's usual chain. Raises FilesUnavailable.
        """
        self._bucket = Bucket(bucket, region=region, endpoint=endpoint, access_key=access_key, secret_key=secret_key)
        self._staging = staging.absolute()
        self._clock = clock
        self._sweep_at = clock.now()
        self._remains: deque[str] = deque(maxlen=REMAINS_MAX)  # of failed puts; their bytes may be at the engine
        self._closed = False
        self._running = 0
        self._idle = Event()
        self._idle.set()
        self._threads = ThreadPool(THREADS)
        try:
            in_thread(self._threads, prepare_staging, self._staging)
        except OSError as exc:
            self.close()
            raise FilesUnavailable(engine="s3", reason=f"{self._staging}: {exc}") from exc

    # ------------------------------------------------------------ the port
    def staging(self) -> Path:
        return self._staging

    def put(self, file: StoredFile, source: Path) -> None:
        if not is_name(file.name):
            raise ValueError(f"not a name for a file of ours: {file.name!r}")
        with self._at_work():
            size = in_thread(self._threads, os.path.getsize, source)
            try:
                self._upload(file, source, size)
            except BaseException:  # the caller may be killed too; what was sent must not stay
                self._remove_remains(file.name)
                raise
            self._forget_remains(file.name)
            with suppress(OSError):  # the file is stored; a source that cannot go is swept some day
                in_thread(self._threads, source.unlink)

    def open(self, name: str) -> RedirectDownload:
        if not is_name(name):
            raise FileNotStored(name=name)
        with self._at_work():
            head = self._head(name)
            file = described(name, head) if head else None
            if file is None:
                raise FileNotStored(name=name)
            return RedirectDownload(file, self._bucket.presign(expires_seconds=URL_SECONDS, Key=name, **served(file)))

    def delete(self, name: str) -> None:
        if is_name(name):
            with self._at_work():
                self._delete(name)

    def check(self) -> None:
        """Goes a new file's way as far as nobody sees it, for the price of one PUT; then tidies up."""
        with self._at_work():
            in_thread(self._threads, _write_probe, self._staging)
            upload = self._bucket.call("create_multipart_upload", Key=PROBE_NAME)
            self._abort(PROBE_NAME, upload["UploadId"])
            for name in list(self._remains)[:REMAINS_PER_CHECK]:
                self._remove_remains(name)
            if self._clock.now() >= self._sweep_at:
                self._sweep_at = self._clock.now() + ABANDONED_AFTER
                self._sweep_uploads()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._idle.wait()
            self._threads.join()
            self._threads.kill()
            self._bucket.close()

    # ------------------------------------------------------------ put
    def _upload(self, file: StoredFile, source: Path, size: int) -> None:
        if size > PART_BYTES:
            self._upload_in_parts(file, source, size)
            return
        part = in_thread(self._threads, _read_part, source, 1)
        self._bucket.call("put_object", Key=file.name, body=part.data, ContentMD5=part.md5, **description(file))

    def _upload_in_parts(self, file: StoredFile, source: Path, size: int) -> None:
        upload = self._bucket.call("create_multipart_upload", Key=file.name, **description(file))
        which: dict[str, Any] = {"Key": file.name, "UploadId": upload["UploadId"]}
        parts = [self._upload_part(which, source, number) for number in range(1, -(-size // PART_BYTES) + 1)]
        try:
            self._bucket.call("complete_multipart_upload", **which, MultipartUpload={"Parts": parts})
        except Absent as exc:
            if not exc.doubt or self._stored(file.name) != file:  # else it had worked, and its answer was lost
                raise

    def _upload_part(self, which: dict[str, Any], source: Path, number: int) -> dict[str, Any]:
        part = in_thread(self._threads, _read_part, source, number)
        answer = self._bucket.call("upload_part", **which, PartNumber=number, body=part.data, ContentMD5=part.md5)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    # ------------------------------------------------------------ what must not stay
    def _delete(self, name: str) -> None:
        """The file goes last: it names its thumbnail, and so a delete that was cut short can be repeated."""
        head = self._head(name)
        file = described(name, head) if head else None
        thumbnail = file.thumbnail_name if file else None
        if thumbnail is not None and is_name(thumbnail):
            self._erase(thumbnail, self._head(thumbnail))
        self._erase(name, head)

    def _erase(self, name: str, head: dict[str, Any] | None, *, patience_seconds: float | None = None) -> None:
        """In a versioned bucket a plain delete only hides the bytes; there each version goes by itself."""
        while head is not None:
            version: dict[str, Any] = {"VersionId": head["VersionId"]} if "VersionId" in head else {}
            self._bucket.call("delete_object", Key=name, patience_seconds=patience_seconds, **version)
            head = self._head(name, patience_seconds=patience_seconds) if version else None

    def _remove_remains(self, name: str) -> None:
        """After a put that failed: one attempt now; when the engine does not answer, again with each ``check``."""
        self._forget_remains(name)
        try:
            for upload in self._uploads(Prefix=name):
                if upload["Key"] == name:
                    self._abort(name, upload["UploadId"], patience_seconds=0)
            self._erase(name, self._head(name, patience_seconds=0), patience_seconds=0)
        except BaseException as exc:
            self._remains.append(name)
            if not isinstance(exc, FilesUnavailable):
                raise
            log.warning("a failed upload may have left bytes", name=name, reason=exc.details.get("reason"))

    def _forget_remains(self, name: str) -> None:
        if name in self._remains:
            self._remains.remove(name)

    def _sweep_uploads(self) -> None:
        """Drop what crashes left half-way. A bucket where that is not allowed still takes files."""
        before = self._clock.now() - ABANDONED_AFTER
        try:
            for upload in self._uploads():
                if is_name(upload["Key"]) and upload["Initiated"] < before:
                    self._abort(upload["Key"], upload["UploadId"], patience_seconds=0)
        except FilesUnavailable as exc:
            log.warning("abandoned uploads cannot be swept", reason=exc.details.get("reason"))

    def _uploads(self, **which: Any) -> list[dict[str, Any]]:
        """The first thousand uploads in parts that are under way."""
        found: list[dict[str, Any]] = self._bucket.call("list_multipart_uploads", patience_seconds=0, **which).get(
            "Uploads", []
        )
        return found

    def _abort(self, name: str, upload_id: str, *, patience_seconds: float | None = None) -> None:
        with suppress(Absent):
            self._bucket.call("abort_multipart_upload", Key=name, UploadId=upload_id, patience_seconds=patience_seconds)

    # ------------------------------------------------------------ common to all
    def _stored(self, name: str) -> StoredFile | None:
        head = self._head(name)
        return described(name, head) if head else None

    def _head(self, name: str, *, patience_seconds: float | None = None) -> dict[str, Any] | None:
        try:
            return self._bucket.call("head_object", Key=name, patience_seconds=patience_seconds)
        except Absent:
            return None

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """``close`` waits for what is in here."""
        if self._closed:
            raise FilesUnavailable(engine="s3", reason="closed")
        self._running += 1
        self._idle.clear()
        try:
            yield
        except OSError as exc:  # of the staging folder: the engine's are translated where they arise
            raise FilesUnavailable(engine="s3") from exc
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()


# ---------------------------------------------------------------- in threads
@dataclass(frozen=True, slots=True)
class _Part:
    data: bytes
    md5: str


def _read_part(source: Path, number: int) -> _Part:
    """``number`` counts from 1."""
    with source.open("rb") as file:
        file.seek((number - 1) * PART_BYTES)
        data = file.read(PART_BYTES)
    return _Part(data, b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode())


def _write_probe(staging: Path) -> None:
    probe = staging / f"{uuid4()}.probe"
    try:
        probe.write_bytes(b"?")
    finally:
        probe.unlink(missing_ok=True)

"""What ``ports.FileStore`` promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.system import SystemClock
from chatapp.domain.errors import FileNotStored, FilesUnavailable
from chatapp.domain.models import StoredFile
from chatapp.ports import FileStore, LocalDownload
from tests.contracts.builders import failure, together
from tests.fakes import START

if TYPE_CHECKING:
    from tests.engines.s3 import S3Engine

pytest_plugins = ["tests.engines.s3"]

OpenFiles = Callable[[], FileStore]

NAME = "00000000-0000-4000-8000-000000000001-1737972000000.txt"

BAD_NAMES = [
    "",
    ".",
    "..",
    "...",
    ".hidden",
    ".meta",
    ".staging",
    "a.",
    "a..txt",
    "a.tar.gz",
    "../a.txt",
    "..\\a.txt",
    "a/b.txt",
    "a\\b.txt",
    "/etc/passwd",
    "./a.txt",
    "a.txt/",
    "%2e%2e%2fa.txt",
    ".meta/a.txt.json",
    "a\0.txt",
    "a.txt\n",
    "\na.txt",
    "a b.txt",
    " a.txt",
    "C:a.txt",
    "~root",
    "-rf",
    "ñ.txt",
    "１.txt",
    "\ud800.txt",
    "\u202etxt.a",
    "a" * 201,
    "a" * 5000,
    "a" * 197 + ".txt",
]
"""Names that ``put`` is never given."""


@pytest.fixture(params=["local", "s3"])
def open_files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenFiles]:
    """Each call opens the same place again, as another process would; all are closed at the end."""
    opened: list[FileStore] = []
    buckets: list[str] = []

    def local() -> FileStore:
        opened.append(LocalFiles(tmp_path / "uploads"))
        return opened[-1]

    def s3() -> FileStore:
        engine: S3Engine = request.getfixturevalue("s3_engine")
        buckets.extend([] if buckets else [engine.new_bucket()])
        opened.append(
            S3Files(
                bucket=buckets[0],
                region=engine.region,
                endpoint=engine.endpoint,
                access_key=engine.access_key,
                secret_key=engine.secret_key,
                staging=tmp_path / "staging",
                clock=SystemClock(),
            )
        )
        return opened[-1]

    yield {"local": local, "s3": s3}[request.param]
    for files in opened:
        files.close()


@pytest.fixture
def files(open_files: OpenFiles) -> FileStore:
    return open_files()


def stored(name: str = NAME, **changes: object) -> StoredFile:
    file = StoredFile(name, "notas.txt", "text/plain", 4, START, uploader_id="ana")
    return replace(file, **changes)  # type: ignore[arg-type]


def stage(files: FileStore, data: bytes = b"hola", *, as_name: str = "upload") -> Path:
    path = files.staging() / as_name
    path.write_bytes(data)
    return path


def put(files: FileStore, file: StoredFile, data: bytes = b"hola") -> StoredFile:
    files.put(file, stage(files, data, as_name=file.name.replace(".", "-")))
    return file


def download(files: FileStore, name: str = NAME) -> tuple[StoredFile, bytes]:
    found = files.open(name)
    if isinstance(found, LocalDownload):
        return found.file, found.path.read_bytes()
    with urlopen(found.url, timeout=10) as answer:
        return found.file, answer.read()


def is_stored(files: FileStore, name: str) -> bool:
    return not isinstance(failure(lambda: files.open(name)), FileNotStored)


# ---------------------------------------------------------------- put and open
def test_what_was_put_is_opened_with_all_that_is_known_of_it(files: FileStore) -> None:
    file = put(files, stored(thumbnail_name="thumb.webp"), b"\x00\xff bytes")
    assert download(files) == (file, b"\x00\xff bytes")


def test_put_takes_the_bytes_over(files: FileStore) -> None:
    source = stage(files)
    files.put(stored(), source)
    assert not source.exists()
    assert list(files.staging().iterdir()) == []


@pytest.mark.parametrize(
    "original", ["Informe Álvarez.txt", "名前 🎸", "../../etc/passwd", 'a"b\n.txt', "\ud800", "", "x" * 300, "e\u0301"]
)
def test_the_uploaders_name_is_kept_as_it_was(files: FileStore, original: str) -> None:
    put(files, stored(original_name=original))
    assert download(files)[0].original_name == original


def test_a_file_may_have_no_uploader(files: FileStore) -> None:
    put(files, stored(uploader_id=None))
    assert download(files)[0].uploader_id is None


def test_files_do_not_meet(files: FileStore) -> None:
    put(files, stored("a.txt"), b"a")
    put(files, stored("b.txt"), b"b")
    put(files, stored("a"), b"no dot")
    assert [download(files, name)[1] for name in ("a.txt", "b.txt", "a")] == [b"a", b"b", b"no dot"]


def test_the_longest_name_is_stored(files: FileStore) -> None:
    name = "a" * 196 + ".txt"
    put(files, stored(name))
    assert download(files, name)[1] == b"hola"


def test_an_empty_file_is_a_file(files: FileStore) -> None:
    put(files, stored(size=0), b"")
    assert download(files)[1] == b""


def test_many_files_at_once(files: FileStore) -> None:
    names = [f"n{number}.txt" for number in range(40)]
    together([lambda name=name: put(files, stored(name), name.encode()) for name in names])  # type: ignore[misc]
    assert [download(files, name)[1] for name in names] == [name.encode() for name in names]


def test_another_process_sees_what_was_put_and_deleted(open_files: OpenFiles) -> None:
    first, second = open_files(), open_files()
    file = put(first, stored())
    assert download(second) == (file, b"hola")
    second.delete(NAME)
    assert not is_stored(first, NAME)


def test_a_name_that_was_not_put_is_not_stored(files: FileStore) -> None:
    put(files, stored())
    with pytest.raises(FileNotStored) as caught:
        files.open("other.txt")
    assert caught.value.details == {"name": "other.txt"}


def test_an_upload_in_progress_is_not_visible(files: FileStore) -> None:
    stage(files, as_name="upload")
    assert not is_stored(files, "upload")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_ours_is_not_stored_and_not_deleted(files: FileStore, name: str) -> None:
    file = put(files, stored())
    with pytest.raises(FileNotStored):
        files.open(name)
    files.delete(name)
    assert download(files) == (file, b"hola")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_ours_is_never_put(files: FileStore, name: str) -> None:
    source = stage(files)
    with pytest.raises(ValueError, match="not a name"):
        files.put(stored(name), source)
    assert source.read_bytes() == b"hola"


def test_a_put_that_fails_leaves_nothing(files: FileStore) -> None:
    with pytest.raises(FilesUnavailable):
        files.put(stored(), files.staging() / "never-written")
    assert not is_stored(files, NAME)
    assert list(files.staging().iterdir()) == []


# ---------------------------------------------------------------- delete
def test_a_deleted_file_is_gone(files: FileStore) -> None:
    put(files, stored())
    put(files, stored("other.txt"))
    files.delete(NAME)
    assert not is_stored(files, NAME)
    assert is_stored(files, "other.txt")


def test_the_thumbnail_goes_with_its_file(files: FileStore) -> None:
    put(files, stored("thumb.webp", media_type="image/webp"))
    put(files, stored(thumbnail_name="thumb.webp"))
    files.delete(NAME)
    assert not is_stored(files, "thumb.webp")


def test_a_deleted_thumbnail_leaves_its_file(files: FileStore) -> None:
    put(files, stored("thumb.webp", media_type="image/webp"))
    file = put(files, stored(thumbnail_name="thumb.webp"))
    files.delete("thumb.webp")
    assert download(files) == (file, b"hola")
    files.delete(NAME)
    assert not is_stored(files, NAME)


def test_deleting_again_or_what_never_was_is_fine(files: FileStore) -> None:
    put(files, stored())
    files.delete(NAME)
    files.delete(NAME)
    files.delete("never.txt")


def test_a_name_is_free_again_after_a_delete(files: FileStore) -> None:
    put(files, stored(), b"one")
    files.delete(NAME)
    put(files, stored(original_name="two"), b"two")
    assert download(files) == (stored(original_name="two"), b"two")


# ---------------------------------------------------------------- the engine
def test_check_is_silent_while_files_can_be_stored_and_leaves_nothing(files: FileStore) -> None:
    files.check()
    assert list(files.staging().iterdir()) == []


def test_a_closed_store_refuses_work(files: FileStore) -> None:
    put(files, stored())
    files.close()
    files.close()
    for call in (lambda: files.open(NAME), lambda: files.delete(NAME), files.check):
        assert isinstance(failure(call), FilesUnavailable)

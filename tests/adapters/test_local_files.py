"""What only the folder does. What every file store does is in ``tests/contracts``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent.threadpool import ThreadPool

from chatapp.adapters import local_files
from chatapp.adapters.local_files import ABANDONED_AFTER_SECONDS, LocalFiles
from chatapp.domain.errors import FileNotStored, FilesUnavailable
from chatapp.domain.models import StoredFile
from tests.fakes import START

ROOT = Path(__file__).parents[2]
NAME = "photo.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "uploads"


@pytest.fixture
def files(folder: Path) -> Iterator[LocalFiles]:
    opened = LocalFiles(folder)
    yield opened
    opened.close()


def stored(name: str = NAME, thumbnail: str | None = None) -> StoredFile:
    return StoredFile(name, "Foto.jpg", "image/jpeg", 5, START, "ana", thumbnail)


def put(files: LocalFiles, name: str = NAME, thumbnail: str | None = None) -> None:
    source = files.staging() / "upload"
    source.write_bytes(b"bytes")
    files.put(stored(name, thumbnail), source)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def meta(folder: Path, name: str = NAME) -> Path:
    return folder / ".meta" / f"{name}.json"


# ---------------------------------------------------------------- what lies where
def test_the_folder_is_made_and_holds_bytes_under_their_names(files: LocalFiles, folder: Path) -> None:
    put(files)
    assert everything(folder) == {NAME, f".meta/{NAME}.json"}
    assert (folder / NAME).read_bytes() == b"bytes"
    assert files.open(NAME).path == folder / NAME


def test_a_relative_folder_stays_where_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    files = LocalFiles("uploads")
    monkeypatch.chdir("/")
    put(files)
    assert (tmp_path / "uploads" / NAME).is_file()
    files.close()


def test_deleting_leaves_no_trace(files: LocalFiles, folder: Path) -> None:
    put(files, "thumb.webp")
    put(files, thumbnail="thumb.webp")
    files.delete(NAME)
    assert everything(folder) == set()


def test_everything_is_flushed_before_a_file_gets_its_name(
    files: LocalFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bool]] = []
    flush = local_files._flush

    def watched(path: Path) -> None:
        flush(path)
        kind = "draft" if path.suffix == ".json" else path.name
        flushed.append((kind, (folder / NAME).exists()))

    monkeypatch.setattr(local_files, "_flush", watched)
    put(files)
    assert flushed == [("upload", False), ("draft", False), (".meta", False), ("uploads", True)]


# ---------------------------------------------------------------- crashes
def age(path: Path, seconds: float) -> None:
    before = path.stat().st_mtime - seconds
    os.utime(path, (before, before))


def test_old_uploads_are_swept_and_young_ones_left(files: LocalFiles, folder: Path) -> None:
    old, young = files.staging() / "old", files.staging() / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    age(old, ABANDONED_AFTER_SECONDS + 60)
    age(young, ABANDONED_AFTER_SECONDS - 60)
    LocalFiles(folder).close()
    assert not old.exists()
    assert young.exists()


def test_the_sweep_leaves_folders_and_what_they_hold(files: LocalFiles, folder: Path) -> None:
    kept = files.staging() / "lost+found"
    kept.mkdir()
    age(kept, ABANDONED_AFTER_SECONDS * 2)
    LocalFiles(folder).close()
    assert kept.is_dir()


def test_a_link_in_staging_is_swept_and_not_followed(files: LocalFiles, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link = files.staging() / "link"
    link.symlink_to(outside)
    os.utime(link, (1, 1), follow_symlinks=False)
    LocalFiles(folder).close()
    assert not link.is_symlink()
    assert outside.read_bytes() == b"mine"


def test_two_workers_may_sweep_the_same_upload(
    files: LocalFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = files.staging() / "old"
    old.write_bytes(b"half")
    age(old, ABANDONED_AFTER_SECONDS * 2)
    unlink = Path.unlink

    def as_the_second(path: Path, missing_ok: bool = False) -> None:
        unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", as_the_second)
    LocalFiles(folder).close()
    assert not old.exists()


CRASH = """
import os, signal, sys
from pathlib import Path
from chatapp.adapters import local_files
from tests.adapters.test_local_files import put

flushes = 0
flush = local_files._flush

def deadly(path):
    global flushes
    if flushes == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    flushes += 1
    flush(path)

local_files._flush = deadly
put(local_files.LocalFiles(sys.argv[1]))
"""


@pytest.mark.parametrize("flushes", range(4))
def test_a_process_that_dies_in_put_leaves_all_of_a_file_or_none(folder: Path, flushes: int) -> None:
    died = subprocess.run([sys.executable, "-c", CRASH, str(folder), str(flushes)], cwd=ROOT, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    files = LocalFiles(folder)
    try:
        if flushes < 3:
            with pytest.raises(FileNotStored):
                files.open(NAME)
        else:  # it has its name, and only the last flush was missing
            assert files.open(NAME).file == stored()
        put(files)  # what the crash left is in nobody's way
        assert files.open(NAME).file == stored()
    finally:
        files.close()


@pytest.mark.parametrize("flushes", range(4))
def test_a_put_that_fails_half_way_leaves_nothing_under_a_name(
    files: LocalFiles, folder: Path, monkeypatch: pytest.MonkeyPatch, flushes: int
) -> None:
    done: list[Path] = []

    def failing(path: Path) -> None:
        if len(done) == flushes:
            raise OSError(28, "No space left on device")
        done.append(path)

    monkeypatch.setattr(local_files, "_flush", failing)
    with pytest.raises(FilesUnavailable) as caught:
        put(files)
    assert isinstance(caught.value.__cause__, OSError)
    assert everything(folder) <= {".staging/upload"}


def test_a_delete_that_was_cut_short_is_finished_by_the_next(files: LocalFiles, folder: Path) -> None:
    put(files, "thumb.webp")
    put(files, thumbnail="thumb.webp")
    (folder / NAME).unlink()  # the first thing a delete does
    with pytest.raises(FileNotStored):
        files.open(NAME)
    files.delete(NAME)
    assert everything(folder) == set()


# ---------------------------------------------------------------- hands in the folder
def test_bytes_without_a_description_are_not_ours(files: LocalFiles, folder: Path) -> None:
    (folder / NAME).write_bytes(b"found")
    with pytest.raises(FileNotStored):
        files.open(NAME)


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"null", b"7", b"{}", b"\xff\xfe", b'{"name": "a"}', b"\0" * 100],
    ids=lambda damage: repr(damage[:16]),
)
def test_a_damaged_description_is_as_good_as_none(files: LocalFiles, folder: Path, damage: bytes) -> None:
    put(files)
    meta(folder).write_bytes(damage)
    with pytest.raises(FileNotStored):
        files.open(NAME)
    files.delete(NAME)
    assert everything(folder) == set()


@pytest.mark.parametrize("moment", ["yesterday", 7, None])
def test_a_description_without_a_time_is_damaged(files: LocalFiles, folder: Path, moment: object) -> None:
    put(files)
    meta(folder).write_text(json.dumps(json.loads(meta(folder).read_text()) | {"created_at": moment}))
    with pytest.raises(FileNotStored):
        files.open(NAME)


def test_a_description_cannot_name_a_file_outside(files: LocalFiles, folder: Path) -> None:
    victim = folder.parent / "victim"
    victim.write_bytes(b"mine")
    put(files, thumbnail="../victim")
    files.delete(NAME)
    assert victim.exists()
    assert everything(folder) == set()


def test_a_link_is_not_followed(files: LocalFiles, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    put(files)
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(secret)
    with pytest.raises(FileNotStored):
        files.open(NAME)
    files.delete(NAME)
    assert secret.exists()


# ---------------------------------------------------------------- a disk that fails
def test_a_folder_that_cannot_be_made_is_named_and_leaves_no_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[ThreadPool] = []

    def remembered(size: int) -> ThreadPool:
        pools.append(ThreadPool(size))
        return pools[-1]

    monkeypatch.setattr(local_files, "ThreadPool", remembered)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FilesUnavailable) as caught:
        LocalFiles(tmp_path / "file" / "uploads")
    assert str(tmp_path / "file" / "uploads") in caught.value.details["reason"]
    assert isinstance(caught.value.__cause__, OSError)
    assert [pool.size for pool in pools] == [0]


def test_closing_leaves_no_threads(files: LocalFiles) -> None:
    put(files)
    files.close()
    assert files._threads.size == 0


@pytest.mark.parametrize("gone", [".staging", ".meta"])
def test_check_raises_when_nothing_can_be_stored(files: LocalFiles, folder: Path, gone: str) -> None:
    (folder / gone).rmdir()
    with pytest.raises(FilesUnavailable):
        files.check()


def test_check_leaves_no_probe_behind(files: LocalFiles, folder: Path) -> None:
    files.check()
    assert everything(folder) == set()


@pytest.mark.parametrize("call", [LocalFiles.open, LocalFiles.delete])
def test_a_failing_disk_is_files_unavailable(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch, call: Callable[[LocalFiles, str], object]
) -> None:
    put(files)

    def failing(path: Path, **_: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_text", failing)
    with pytest.raises(FilesUnavailable) as caught:
        call(files, NAME)
    assert isinstance(caught.value.__cause__, OSError)
    assert "Input" not in str(caught.value)


def test_nothing_is_printed_by_the_threads(files: LocalFiles, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotStored):
        files.open("missing.jpg")
    assert capfd.readouterr() == ("", "")


def test_a_slow_disk_does_not_hold_up_the_hub(files: LocalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, opened = threading.Event(), threading.Event()
    flush = local_files._flush

    def slow(path: Path) -> None:
        entered.set()
        assert opened.wait(20), "nobody opened the gate: is the hub blocked?"
        flush(path)

    monkeypatch.setattr(local_files, "_flush", slow)
    putting = gevent.spawn(put, files)
    with gevent.Timeout(20):
        while not entered.is_set():
            gevent.sleep(0.001)
    with pytest.raises(FileNotStored):
        files.open(NAME)
    opened.set()
    putting.get(timeout=20)
    assert files.open(NAME).file == stored()

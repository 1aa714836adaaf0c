"""What is true of S3 alone: URLs, parts, engines that fail. What every file store does is in ``tests/contracts``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import gevent
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from flask import Flask, send_file

from chatapp.adapters import s3_client, s3_files
from chatapp.adapters.s3_client import GIVES_UP_WITHIN_SECONDS, SILENCE_SECONDS
from chatapp.adapters.s3_files import PART_BYTES, PROBE_NAME, URL_SECONDS, S3Files
from chatapp.adapters.s3_objects import described, description
from chatapp.domain.errors import FileNotStored, FilesUnavailable
from chatapp.domain.media_types import is_inline
from chatapp.domain.models import StoredFile
from tests.fakes import START, FakeClock

if TYPE_CHECKING:
    from tests.engines.s3 import S3Engine

pytest_plugins = ["tests.engines.s3"]

ROOT = Path(__file__).parents[2]
NAME = "photo.jpg"
BIG = bytes(range(256)) * (PART_BYTES // 256) + b"the second part"


class House:
    """One bucket, and stores over it."""

    def __init__(self, engine: S3Engine, folder: Path) -> None:
        self.engine = engine
        self.bucket = engine.new_bucket()
        self.clock = FakeClock(datetime.now(UTC))
        self._folder = folder
        self._opened: list[S3Files] = []
        self.files = self.open()

    def open(self, **changes: Any) -> S3Files:
        given: dict[str, Any] = {
            "bucket": self.bucket,
            "region": self.engine.region,
            "endpoint": self.engine.endpoint,
            "access_key": self.engine.access_key,
            "secret_key": self.engine.secret_key,
            "staging": self._folder / "staging",
            "clock": self.clock,
        }
        self._opened.append(S3Files(**(given | changes)))
        return self._opened[-1]

    def close(self) -> None:
        for files in self._opened:
            files.close()

    def objects(self) -> set[str]:
        found = self.engine.client.list_objects_v2(Bucket=self.bucket)
        return {one["Key"] for one in found.get("Contents", [])}

    def uploads(self) -> set[str]:
        found = self.engine.client.list_multipart_uploads(Bucket=self.bucket)
        return {one["Key"] for one in found.get("Uploads", [])}


@pytest.fixture
def house(s3_engine: S3Engine, tmp_path: Path) -> Iterator[House]:
    opened = House(s3_engine, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def files(house: House) -> S3Files:
    return house.files


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up at once, where a test is not about how long it takes."""
    monkeypatch.setattr(s3_client, "PATIENCE_SECONDS", 0.3)


def stored(name: str = NAME, thumbnail: str | None = None, **changes: Any) -> StoredFile:
    return replace(StoredFile(name, "Foto.jpg", "image/jpeg", 5, START, "ana", thumbnail), **changes)


def put(files: S3Files, file: StoredFile | None = None, data: bytes = b"bytes") -> None:
    source = files.staging() / "upload"
    source.write_bytes(data)
    files.put(file or stored(), source)


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case, body."""
    try:
        with urlopen(Request(url, method=method, headers=headers), timeout=20) as answer:
            return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read()
    except HTTPError as refused:
        with refused:
            return refused.code, {key.lower(): value for key, value in refused.headers.items()}, refused.read()


def url_of(files: S3Files, name: str = NAME) -> str:
    return files.open(name).url


# ---------------------------------------------------------------- who may read
def test_the_url_needs_no_key_and_gives_the_bytes(files: S3Files) -> None:
    put(files)
    assert get(url_of(files))[::2] == (200, b"bytes")


def test_nothing_can_be_read_or_listed_without_a_signature(house: House, files: S3Files) -> None:
    put(files)
    bare = url_of(files).partition("?")[0]
    assert get(bare)[0] == 403
    assert get(bare, "DELETE")[0] == 403
    assert get(f"{house.engine.endpoint}/{house.bucket}")[0] == 403
    assert house.objects() == {NAME}


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("photo.jpg", "other.jpg"),
        ("image%2Fjpeg", "text%2Fhtml"),
        ("=inline", "=attachment"),
        ("X-Amz-Expires=60", "X-Amz-Expires=6000"),
    ],
)
def test_a_changed_url_is_refused(files: S3Files, what: str, instead: str) -> None:
    put(files)
    put(files, stored("other.jpg"))
    url = url_of(files)
    assert url.count(what) == 1
    assert get(url.replace(what, instead))[0] == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_the_url_is_good_for_get_alone(house: House, files: S3Files, method: str) -> None:
    put(files)
    assert get(url_of(files), method)[0] == 403
    assert house.objects() == {NAME}


def test_the_url_expires(files: S3Files, monkeypatch: pytest.MonkeyPatch) -> None:
    put(files)
    assert f"X-Amz-Expires={URL_SECONDS}" in url_of(files)
    monkeypatch.setattr(s3_files, "URL_SECONDS", 1)
    url = url_of(files)
    deadline = time.monotonic() + 20
    while get(url)[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    status, _, said = get(url)
    assert (status, b"expired" in said) == (403, True)


def test_no_request_speaks_of_who_may_read(house: House, files: S3Files) -> None:
    operations, headers = set(), set()

    def watch(model: Any, params: dict[str, Any], **_: Any) -> None:
        operations.add(model.name)
        headers.update(key.lower() for key in params["headers"])

    files._bucket.client.meta.events.register("before-call.s3", watch)
    put(files)
    put(files, stored("big.jpg"), BIG)
    files.open(NAME)
    files.delete(NAME)
    files.check()
    assert not {one for one in operations if re.search("Acl|Policy|Website|PublicAccess|CreateBucket", one)}
    assert not {one for one in headers if "acl" in one or "grant" in one}
    assert "x-amz-meta-original-name" in headers


# ---------------------------------------------------------------- what S3 answers in our place
NAMES = [
    "Informe Álvarez (año 2025).pdf",
    "名前 🎸.txt",
    'a "quoted" name.txt',
    "back\\slash;semi=colon,comma.txt",
    "100%.txt",
    "it's.txt",
    "e\u0301.txt",
    "plain.txt",
    "",
    "ñ" * 255,
]
TYPES = ["image/png", "application/pdf", "audio/webm", "text/plain", "text/html", "image/svg+xml", "application/zip"]


def test_the_headers_are_those_that_our_own_server_sends(files: S3Files, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(b"bytes")
    cases = [(name, "text/plain") for name in NAMES] + [("año.bin", media_type) for media_type in TYPES]
    for number, (original, media_type) in enumerate(cases):
        file = stored(f"f{number}", original_name=original, media_type=media_type)
        put(files, file)
        with Flask(__name__).test_request_context():  # as in transport/rest/files.py
            own = send_file(local, mimetype=media_type, as_attachment=not is_inline(media_type), download_name=original)
            own.close()
        status, headers, _ = get(url_of(files, file.name))
        assert status == 200
        assert headers["content-type"] == own.headers["Content-Type"], original
        assert headers["content-disposition"] == own.headers["Content-Disposition"], original
        assert headers["cache-control"] == "private, max-age=86400"
        assert headers["etag"]
        assert headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/xml", "application/json"])
def test_what_can_carry_a_script_is_never_shown(files: S3Files, media_type: str) -> None:
    put(files, stored(media_type=media_type))
    assert get(url_of(files))[1]["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "original", ["a\r\nSet-Cookie: x=y", 'a"\r\n\r\n<script>', "a\nb", "a\0b", "\x85a", "\ud800.txt", "\r\n"]
)
def test_a_name_cannot_add_a_header(files: S3Files, original: str) -> None:
    put(files, stored(original_name=original))
    url = url_of(files)
    asked = parse_qs(urlsplit(url).query)["response-content-disposition"][0]  # engines differ in what they let pass
    assert re.fullmatch(r"inline; filename=[ -~]*", asked)
    status, headers, body = get(url)
    assert (status, body) == (200, b"bytes")
    assert headers["content-disposition"] == asked
    assert "set-cookie" not in headers
    assert files.open(NAME).file.original_name == original


def test_ranges_and_etags_work_after_the_redirect(files: S3Files) -> None:
    put(files, data=b"0123456789")
    url = url_of(files)
    status, headers, body = get(url, Range="bytes=2-4")
    assert (status, headers["content-range"], body) == (206, "bytes 2-4/10", b"234")
    assert get(url, Range="bytes=-3")[2] == b"789"
    assert get(url, Range="bytes=10-")[0] == 416
    assert get(url, **{"If-None-Match": headers["etag"]})[0] == 304


@pytest.mark.parametrize(
    ("bucket", "region", "host", "path"),
    [
        ("chat-files", "us-east-1", "chat-files.s3.amazonaws.com", f"/{NAME}"),
        ("chat-files", "eu-south-2", "chat-files.s3.eu-south-2.amazonaws.com", f"/{NAME}"),
        ("files.example.com", "eu-south-2", "s3.eu-south-2.amazonaws.com", f"/files.example.com/{NAME}"),
    ],
)
def test_on_aws_the_url_names_the_bucket_as_a_host(
    house: House, bucket: str, region: str, host: str, path: str
) -> None:
    files = house.open(endpoint=None, region=region, bucket=bucket)
    url = urlsplit(files._bucket.presign(expires_seconds=60, Key=NAME))
    assert (url.scheme, url.netloc, url.path) == ("https", host, path)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url.query


# ---------------------------------------------------------------- what is known of a file
@pytest.mark.parametrize(
    "file",
    [
        stored(),
        stored(original_name="🎸" * 255, uploader_id="𐍈" * 128, thumbnail="t" * 196 + ".webp"),
        stored(original_name="%=&" * 85, uploader_id="=" * 128),
        stored(original_name="=abc", uploader_id=""),
        stored(original_name="\ud83c" * 255),
    ],
    ids=["plain", "longest", "signs", "equals", "halves"],
)
def test_the_description_fits_into_the_metadata_of_an_object(file: StoredFile) -> None:
    said = description(file)["Metadata"]
    assert sum(len(key) + len(value.encode("ascii")) for key, value in said.items()) <= 2048
    assert described(file.name, {"Metadata": said}) == file
    assert described(file.name, {"Metadata": {key.title(): value for key, value in said.items() if value}}) == file or (
        file.uploader_id == ""
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"size": "many"},
        {"created-at": "yesterday"},
        {"created-at": "2025-01-27T10:00:00"},
        {"original-name": "%ff"},
        {"original-name": "=!"},
        {"original-name": "=////"},
    ],
    ids=str,
)
def test_an_object_with_a_damaged_description_is_not_ours(house: House, files: S3Files, damage: dict[str, str]) -> None:
    said = description(stored())["Metadata"]
    house.engine.client.put_object(Bucket=house.bucket, Key=NAME, Body=b"?", Metadata=said | damage)
    with pytest.raises(FileNotStored):
        files.open(NAME)
    files.delete(NAME)
    assert house.objects() == set()


def test_an_object_that_others_put_is_not_ours(house: House, files: S3Files) -> None:
    house.engine.client.put_object(Bucket=house.bucket, Key=NAME, Body=b"?")
    with pytest.raises(FileNotStored):
        files.open(NAME)


# ---------------------------------------------------------------- large files
def test_a_large_file_goes_in_parts_and_comes_back_whole(house: House, files: S3Files) -> None:
    put(files, data=BIG)
    head = house.engine.client.head_object(Bucket=house.bucket, Key=NAME)
    assert head["ETag"].endswith('-2"')
    assert get(url_of(files))[2] == BIG
    assert get(url_of(files), Range=f"bytes={PART_BYTES - 1}-{PART_BYTES}")[2] == BIG[PART_BYTES - 1 : PART_BYTES + 1]
    assert files.open(NAME).file == stored()
    assert house.uploads() == set()
    assert list(files.staging().iterdir()) == []


def test_a_file_of_one_part_exactly_goes_at_once(house: House, files: S3Files) -> None:
    put(files, data=BIG[:PART_BYTES])
    assert "-" not in house.engine.client.head_object(Bucket=house.bucket, Key=NAME)["ETag"]


def answering(
    files: S3Files, operation: str, code: str, status: int, *, times: int = 1000, after: int = 0
) -> list[str]:
    """The engine's answers to ``operation`` are this error: the first ``times``, but for ``after`` before them."""
    seen: list[str] = []

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        seen.append(request.url)
        if not after < len(seen) <= after + times:
            return None
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        answer = AWSResponse(request.url, status, {}, None)
        answer._content = body
        return answer

    files._bucket.client.meta.events.register(f"before-send.s3.{operation}", refuse)
    return seen


def losing_answers(files: S3Files, operation: str, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> list[bytes]:
    """The engine does what it is asked for, and its answer does not arrive."""
    lost: list[bytes] = []
    current: list[str] = []
    session = files._bucket.client._endpoint.http_session
    send = session.send

    def silent(request: Any) -> Any:
        answer = send(request)
        if current[-1] == operation and len(lost) < times:
            lost.append(answer.content)
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    files._bucket.client.meta.events.register("before-call.s3", lambda model, **_: current.append(model.name))
    monkeypatch.setattr(session, "send", silent)
    return lost


def test_a_part_that_fails_for_good_leaves_nothing(house: House, files: S3Files) -> None:
    seen = answering(files, "UploadPart", "AccessDenied", 403, after=1)
    with pytest.raises(FilesUnavailable) as caught:
        put(files, data=BIG)
    assert caught.value.details["reason"] == "AccessDenied"
    assert caught.value.__cause__ is not None
    assert len(seen) == 2
    assert (house.objects(), house.uploads()) == (set(), set())
    assert (files.staging() / "upload").exists()  # whoever gave it removes it


def test_a_part_that_fails_once_is_sent_again(house: House, files: S3Files) -> None:
    answering(files, "UploadPart", "SlowDown", 503, times=2, after=1)
    put(files, data=BIG)
    assert get(url_of(files))[2] == BIG


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "CompleteMultipartUpload"])
def test_parts_that_cannot_be_joined_leave_nothing(house: House, files: S3Files, operation: str) -> None:
    answering(files, operation, "InternalError", 500)
    with pytest.raises(FilesUnavailable):
        put(files, data=BIG)
    assert (house.objects(), house.uploads()) == (set(), set())


def test_an_upload_whose_beginning_was_not_answered_leaves_nothing_when_it_fails(
    house: House, files: S3Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = losing_answers(files, "CreateMultipartUpload", monkeypatch)
    answering(files, "UploadPart", "AccessDenied", 403)
    with pytest.raises(FilesUnavailable):
        put(files, data=BIG)
    assert len(lost) == 1
    assert (house.objects(), house.uploads()) == (set(), set())


@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "big"])
def test_a_put_whose_answer_is_lost_is_put_once(
    house: House, files: S3Files, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    operation = "PutObject" if data != BIG else "CompleteMultipartUpload"
    lost = losing_answers(files, operation, monkeypatch)
    if data == BIG:  # as AWS answers some time later; SeaweedFS joins the parts again
        answering(files, operation, "NoSuchUpload", 404, after=1)
    put(files, data=data)
    assert len(lost) == 1
    assert get(url_of(files))[2] == data


def test_parts_that_somebody_dropped_are_a_failure(house: House, files: S3Files) -> None:
    answering(files, "CompleteMultipartUpload", "NoSuchUpload", 404)
    with pytest.raises(FilesUnavailable):
        put(files, data=BIG)
    assert (house.objects(), house.uploads()) == (set(), set())


@pytest.mark.usefixtures("hasty")
def test_a_failed_put_that_had_arrived_is_taken_back(
    house: House, files: S3Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = losing_answers(files, "PutObject", monkeypatch, times=1000)
    with pytest.raises(FilesUnavailable):
        put(files)
    assert lost
    assert house.objects() == set()


def test_a_put_that_is_killed_leaves_nothing(house: House, files: S3Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> Any:
        raise gevent.GreenletExit

    monkeypatch.setattr(files, "_upload_part", killed)
    with pytest.raises(gevent.GreenletExit):
        put(files, data=BIG)
    assert (house.objects(), house.uploads()) == (set(), set())


def test_old_uploads_in_parts_are_swept_by_check_and_young_ones_left(house: House, files: S3Files) -> None:
    for key in (NAME, "not/ours.jpg"):
        house.engine.client.create_multipart_upload(Bucket=house.bucket, Key=key)
    files.check()
    assert house.uploads() == {NAME, "not/ours.jpg"}
    house.clock.advance(seconds=s3_files.ABANDONED_AFTER.total_seconds() + 60)
    files.check()
    assert house.uploads() == {"not/ours.jpg"}


# ---------------------------------------------------------------- delete
def test_deleting_leaves_no_trace(house: House, files: S3Files) -> None:
    put(files, stored("thumb.webp"))
    put(files, stored(thumbnail="thumb.webp"))
    assert house.objects() == {NAME, "thumb.webp"}
    files.delete(NAME)
    assert house.objects() == set()


def test_a_delete_that_was_cut_short_is_finished_by_the_next(house: House, files: S3Files) -> None:
    put(files, stored("thumb.webp"))
    put(files, stored(thumbnail="thumb.webp"))
    answering(files, "DeleteObject", "AccessDenied", 403, times=1, after=1)
    with pytest.raises(FilesUnavailable):
        files.delete(NAME)
    files.delete(NAME)
    assert house.objects() == set()


def test_a_description_cannot_name_what_is_not_ours(house: House, files: S3Files) -> None:
    house.engine.client.put_object(Bucket=house.bucket, Key="backup/all.tar", Body=b"mine")
    put(files, stored(thumbnail="backup/all.tar"))
    files.delete(NAME)
    assert house.objects() == {"backup/all.tar"}


def test_in_a_versioned_bucket_every_version_goes(house: House, files: S3Files) -> None:
    client = house.engine.client
    client.put_bucket_versioning(Bucket=house.bucket, VersioningConfiguration={"Status": "Enabled"})
    put(files)
    put(files)
    put(files, stored("other.jpg"))
    files.delete(NAME)
    found = client.list_object_versions(Bucket=house.bucket)
    assert [one["Key"] for one in found["Versions"]] == ["other.jpg"]
    assert "DeleteMarkers" not in found


# ---------------------------------------------------------------- an engine that fails
@pytest.fixture
def frozen(house: House) -> Iterator[House]:
    house.engine.freeze()
    yield house
    house.engine.thaw()


def timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(FilesUnavailable) as caught:
        call()
    assert isinstance(caught.value.__cause__, Exception)
    assert "127.0.0.1" not in str(caught.value)
    return time.monotonic() - began


def test_an_engine_that_is_down_is_unavailable_in_time_and_comes_back(house: House, files: S3Files) -> None:
    put(files)
    house.engine.kill()
    try:
        assert timed(lambda: files.open(NAME)) < GIVES_UP_WITHIN_SECONDS
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(s3_client, "PATIENCE_SECONDS", 0.3)
            for call in (lambda: put(files, stored("new.jpg")), lambda: files.delete(NAME), files.check):
                assert timed(call) < 5
    finally:
        house.engine.start()
    files.check()
    assert get(url_of(files))[2] == b"bytes"
    put(files, stored("new.jpg"))
    assert house.objects() == {NAME, "new.jpg"}


def test_a_silent_engine_is_unavailable_in_time(frozen: House) -> None:
    files = frozen.files
    assert timed(lambda: put(files)) < GIVES_UP_WITHIN_SECONDS + SILENCE_SECONDS
    frozen.engine.thaw()  # and now it does what it was asked for, too late
    deadline = time.monotonic() + 20
    while NAME not in frozen.objects() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert files._remains
    files.check()
    assert not files._remains
    assert frozen.objects() == set()


@pytest.mark.usefixtures("hasty")
def test_a_name_put_at_last_is_not_taken_back_for_its_first_attempt(house: House, files: S3Files) -> None:
    answering(files, "PutObject", "SlowDown", 503, times=1)
    answering(files, "ListMultipartUploads", "SlowDown", 503, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_client, "PATIENCE_SECONDS", 0)
        with pytest.raises(FilesUnavailable):
            put(files)
    assert list(files._remains) == [NAME]
    put(files)
    files.check()
    assert house.objects() == {NAME}


def test_passing_errors_are_not_seen(house: House, files: S3Files) -> None:
    put(files)
    for operation in ("HeadObject", "DeleteObject", "PutObject"):
        answering(files, operation, "SlowDown", 503, times=3)
    put(files, stored("other.jpg"))
    files.delete("other.jpg")
    assert house.objects() == {NAME}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"secret_key": "wrong"}, {"SignatureDoesNotMatch", "403"}),
        ({"bucket": "never-made"}, {"NoSuchBucket"}),
    ],
    ids=["secret", "bucket"],
)
def test_wrong_settings_are_named_at_once(house: House, changes: dict[str, str], reasons: set[str]) -> None:
    files = house.open(**changes)
    calls = [files.check, lambda: put(files)]
    for call in calls:
        assert timed(call) < 3
        with pytest.raises(FilesUnavailable) as caught:
            call()
        assert caught.value.details["reason"] in reasons


def test_check_needs_a_staging_folder(files: S3Files) -> None:
    files.staging().rmdir()
    with pytest.raises(FilesUnavailable):
        files.check()


def test_check_leaves_nothing(house: House, files: S3Files) -> None:
    files.check()
    assert (house.objects(), house.uploads()) == (set(), set())
    with pytest.raises(FileNotStored):
        files.open(PROBE_NAME)


def test_a_store_that_cannot_be_opened_says_why(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FilesUnavailable, match="file"):
        house.open(staging=tmp_path / "file" / "staging")
    with pytest.raises(FilesUnavailable, match="nonsense"):
        house.open(endpoint="nonsense")


# ---------------------------------------------------------------- as in production
PATCHED = """
import gevent.monkey
gevent.monkey.patch_all()
import json, sys, time
from datetime import datetime, timezone
from pathlib import Path
import gevent
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.system import SystemClock
from chatapp.domain.errors import FilesUnavailable
from chatapp.domain.models import StoredFile

given = json.loads(sys.argv[1])
staging = Path(given.pop("staging"))
files = S3Files(**given, staging=staging, clock=SystemClock())
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.005)

def put(number):
    source = staging / f"{number}"
    source.write_bytes(b"x" * 9_000_000 if number % 5 == 0 else b"small")
    now = datetime.now(timezone.utc)
    files.put(StoredFile(f"n{number}.bin", "n", "image/png", 5, now), source)
    return files.open(f"n{number}.bin").file.name

ticker = gevent.spawn(tick)
putting = [gevent.spawn(put, number) for number in range(20)]
names = [one.get(timeout=60) for one in putting]
print(json.dumps({"names": names}), flush=True)
sys.stdin.readline()  # the engine is frozen now

before = len(ticks)
opening = [gevent.spawn(files.open, "n1.bin") for _ in range(30)]
gevent.sleep(1)
waiting = sum(not one.ready() for one in opening)
print(json.dumps({"waiting": waiting, "ticks": len(ticks) - before}), flush=True)
sys.stdin.readline()  # and has thawed
print(json.dumps({"opened": [one.get(timeout=30).file.name for one in opening]}), flush=True)
closing = gevent.spawn(files.close)
closing.get(timeout=30)
ticker.kill()
"""


def test_in_a_patched_process_greenlets_wait_for_s3_and_nobody_for_them(house: House, tmp_path: Path) -> None:
    given = {
        "bucket": house.bucket,
        "region": house.engine.region,
        "endpoint": house.engine.endpoint,
        "access_key": house.engine.access_key,
        "secret_key": house.engine.secret_key,
        "staging": str(tmp_path / "patched"),
    }
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PATCHED, json.dumps(given)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout

        def next_line() -> dict[str, Any]:
            said: dict[str, Any] = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return said

        try:
            assert set(next_line()["names"]) == house.objects()
            house.engine.freeze()
            process.stdin.write("frozen\n")
            process.stdin.flush()
            seen = next_line()
            assert seen["waiting"] == 30
            assert seen["ticks"] >= 50
            house.engine.thaw()
            process.stdin.write("thawed\n")
            process.stdin.flush()
            assert next_line() == {"opened": ["n1.bin"] * 30}
            assert process.wait(30) == 0
        finally:
            house.engine.thaw()
            process.kill()


def test_close_waits_for_what_was_begun(house: House, files: S3Files, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = files._upload

    def slow(*given: Any) -> None:
        gevent.sleep(0.1)
        upload(*given)

    monkeypatch.setattr(files, "_upload", slow)
    putting = gevent.spawn(put, files)
    gevent.sleep(0.02)
    files.close()
    assert house.objects() == {NAME}
    putting.get(timeout=5)
    assert files._threads.size == 0

"""What access and deletion mean for the bytes, in a folder and in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.system import SystemClock
from chatapp.domain.commands import DeleteMessage, RemoveParticipant
from chatapp.domain.errors import FileNotStored
from chatapp.domain.models import Actor, Attachment, Conversation, MessageType, Standing
from chatapp.ports import FileStore, RedirectDownload
from tests.services.conftest import World

if TYPE_CHECKING:
    from tests.engines.s3 import S3Engine

pytest_plugins = ["tests.engines.s3"]

ANA, BEA, DORA = (Actor(user_id, Standing.USER) for user_id in ("ana", "bea", "dora"))
SMALL, PHOTO = "photo-thumb.webp", "photo.png"


def bucket(request: pytest.FixtureRequest, folder: Path) -> FileStore:
    engine: S3Engine = request.getfixturevalue("s3_engine")
    return S3Files(
        bucket=engine.new_bucket(),
        region=engine.region,
        endpoint=engine.endpoint,
        access_key=engine.access_key,
        secret_key=engine.secret_key,
        staging=folder / "staging",
        clock=SystemClock(),
    )


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    files = LocalFiles(tmp_path / "uploads") if request.param == "local" else bucket(request, tmp_path)
    world = World(tmp_path, files=files)
    yield world
    world.close()


@pytest.fixture
def s3_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, files=bucket(request, tmp_path))
    yield world
    world.close()


def send(world: World, conversation: Conversation) -> str:
    message = world.say(
        conversation, by=ANA, attachment=Attachment(f"/api/files/{PHOTO}"), message_type=MessageType.FILE
    )
    return message.id


def at_rest(world: World) -> set[str]:
    return {name for name in (PHOTO, SMALL) if _is_there(world, name)}


def _is_there(world: World, name: str) -> bool:
    try:
        world.files.open(name)
    except FileNotStored:
        return False
    return True


# ---------------------------------------------------------------- deletion
def test_a_deleted_message_takes_its_files_bytes_and_thumbnail_along(world: World) -> None:
    world.store_file(PHOTO, thumbnail=True)
    sent = send(world, world.group("ana", "bea"))
    assert at_rest(world) == {PHOTO, SMALL}
    world.messages.delete_own(DeleteMessage(message_id=sent), actor=ANA)
    assert at_rest(world) == set()


def test_another_message_that_carries_the_file_keeps_it(world: World) -> None:
    world.store_file(PHOTO, thumbnail=True)
    first, second = send(world, world.group("ana", "bea")), send(world, world.private("ana", "dora"))
    world.messages.delete_own(DeleteMessage(message_id=first), actor=ANA)
    assert at_rest(world) == {PHOTO, SMALL}
    assert world.access.open(PHOTO, actor=DORA).file.name == PHOTO
    world.messages.delete_own(DeleteMessage(message_id=second), actor=ANA)
    assert at_rest(world) == set()


# ---------------------------------------------------------------- access
def test_membership_decides_whatever_holds_the_bytes(world: World) -> None:
    world.store_file(PHOTO, thumbnail=True)
    team = world.group("ana", "bea")
    send(world, team)
    for name in (PHOTO, SMALL):
        assert world.access.open(name, actor=BEA).file.name == name
        with pytest.raises(FileNotStored):
            world.access.open(name, actor=DORA)
    world.conversations.remove_participant(RemoveParticipant(conversation_id=team.id, user_id="bea"), actor=ANA)
    with pytest.raises(FileNotStored):
        world.access.open(PHOTO, actor=BEA)


def test_a_bucket_gives_a_participant_a_url_for_a_minute_and_nobody_anything_without(s3_world: World) -> None:
    s3_world.store_file(PHOTO, thumbnail=True)
    send(s3_world, s3_world.group("ana", "bea"))
    download = s3_world.access.open(PHOTO, actor=BEA)
    assert isinstance(download, RedirectDownload)
    assert int(parse_qs(urlsplit(download.url).query)["X-Amz-Expires"][0]) <= 60
    with urlopen(download.url, timeout=10) as answer:
        assert answer.read() == b"abc"
    with pytest.raises(HTTPError) as refused:
        urlopen(download.url.partition("?")[0], timeout=10)
    refused.value.close()
    assert refused.value.code == 403

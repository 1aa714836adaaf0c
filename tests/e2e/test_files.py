"""Files over real processes: signed URLs at any worker, and what the log says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.adapters.system import SystemClock
from chatapp.domain.models import Actor, Standing, StoredFile
from chatapp.ports import LocalDownload
from chatapp.services.file_access import FileAccess
from chatapp.services.file_links import FileLinks, link_key
from tests.e2e.sample_files import picture
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import until, until_ready
from tests.e2e.wire import make_conversation, save_users
from tests.engines.redis import running_redis
from tests.fakes import START

SECRET = "a secret that all workers know, 40 chars"
TRIES = 20
"""New connections, which the kernel spreads over both workers."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("files")
    with running_redis(free_port()) as redis:
        env = {"WEB_CONCURRENCY": "2", "REDIS_URL": redis.url, "FILE_URL_SECRET": SECRET}
        with running(folder / "server", **env) as started:
            until(lambda: len(started.workers()) == 2, "both workers run")
            until_ready(started)
            save_users(started.url, "ana", "luis")
            yield started


@pytest.fixture
def photo(server: Server) -> tuple[str, str]:
    """A group of Ana and Luis, and the URL of what she sent there."""
    group = make_conversation(server.url, "ana", "luis", group=True)
    form = {"conversationId": group, "senderId": "ana"}
    sent = server.post("/api/upload", data=form, files={"file": ("foto.jpg", picture("JPEG"))})
    assert sent.status_code == 201, sent.text
    return group, sent.json()["fileUrl"]


class _Everything(FileAccess):
    """The test signs in Luis's name what the server would sign for him; whether he may have it the server decides."""

    def __init__(self) -> None:
        pass

    def open(self, name: str, *, actor: Actor) -> LocalDownload:
        return LocalDownload(StoredFile(name, name, "image/jpeg", 0, START), Path(name))


def signed_for(user_id: str, url: str) -> str:
    links = FileLinks(_Everything(), key=link_key(SECRET), clock=SystemClock(), is_revoked=lambda _user_id, _at: False)
    (link,) = links.sign([url], actor=Actor(user_id, Standing.USER))
    assert link.signed_url is not None
    return link.signed_url


def statuses(server: Server, path: str) -> set[int]:
    return {server.get(path).status_code for _ in range(TRIES)}


def test_a_link_from_one_worker_opens_the_file_at_every_other(server: Server, photo: tuple[str, str]) -> None:
    _, url = photo
    (link,) = server.post("/api/files/links", json={"urls": [url]}).json()["links"]
    assert statuses(server, link["signedUrl"]) == {200}
    assert statuses(server, link["signedUrl"] + "x") == {403}
    assert statuses(server, link["signedUrl"].replace("/api/files", "/uploads")) == {200}


def test_a_link_opens_nothing_at_any_worker_once_its_user_is_out(server: Server, photo: tuple[str, str]) -> None:
    group, url = photo
    link = signed_for("luis", url)
    assert statuses(server, link) == {200}
    assert server.delete(f"/api/conversations/{group}/participants/luis?removedBy=ana").status_code == 200
    assert statuses(server, link) == {404}


def test_a_deleted_message_takes_its_bytes_along_for_links_too(server: Server, photo: tuple[str, str]) -> None:
    group, url = photo
    link = signed_for("luis", url)
    message = server.get(f"/api/messages/{group}").json()[0]["id"]
    assert server.delete(f"/api/messages/{message}").status_code == 200
    assert statuses(server, link) == {404}


def test_the_log_knows_the_path_and_never_the_signature(server: Server, photo: tuple[str, str]) -> None:
    _, url = photo
    link = signed_for("luis", url)
    assert server.get(link).status_code == 200
    forged = link + "FORGED"
    assert server.get(forged).status_code == 403
    until(lambda: server.log().count(url) >= 2, "both requests are logged")
    assert "sig=" not in server.log()
    assert link.partition("sig=")[2] not in server.log()

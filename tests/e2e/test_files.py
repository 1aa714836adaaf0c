"""Files over real processes: signed URLs at any worker, what the log says of them, and a real virus scanner."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.proofs import ENVIRONMENT, bearer, token
from tests.e2e.sample_files import picture
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import until, until_ready
from tests.e2e.wire import make_conversation, save_users
from tests.engines.clamd import FOUND_AS, MALWARE, ClamdEngine, running_clamd
from tests.engines.redis import running_redis
from tests.hostile_files import SECRET as SECRET_PLACE
from tests.hostile_files import photo_with_a_place

TRIES = 20
"""New connections, which the kernel spreads over both workers."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that believe tokens alone."""
    folder = tmp_path_factory.mktemp("files")
    with running_redis(free_port()) as redis:
        env = {"WEB_CONCURRENCY": "2", "REDIS_URL": redis.url, **ENVIRONMENT}
        with running(folder / "server", **env) as started:
            until(lambda: len(started.workers()) == 2, "both workers run")
            until_ready(started)
            for user_id in ("ana", "luis", "eva"):
                post(started, "/api/users", user_id, json={"id": user_id, "name": user_id, "email": "x@example.com"})
            yield started


def proof(user_id: str) -> dict[str, str]:
    return bearer(token(user_id))


def post(server: Server, path: str, user_id: str, **body: Any) -> Any:
    answer = server.post(path, headers=proof(user_id), **body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


@pytest.fixture
def photo(server: Server) -> tuple[str, str]:
    """A group of Ana and Luis, and the URL of what she sent there."""
    group = {"type": "group", "name": "Equipo", "participants": ["ana", "luis"], "createdBy": "ana"}
    group_id = post(server, "/api/conversations", "ana", json=group)["id"]
    form = {"conversationId": group_id, "senderId": "ana"}
    files = {"file": ("foto.jpg", photo_with_a_place("JPEG"))}
    return group_id, post(server, "/api/upload", "ana", data=form, files=files)["fileUrl"]


def link(server: Server, user_id: str, url: str) -> str:
    (row,) = post(server, "/api/files/links", user_id, json={"urls": [url]})["links"]
    signed: str = row["signedUrl"]
    return signed


def statuses(server: Server, path: str, **options: Any) -> set[int]:
    return {server.get(path, **options).status_code for _ in range(TRIES)}


def test_a_photo_is_for_those_who_are_shown_it_and_does_not_say_where_it_was_taken(
    server: Server, photo: tuple[str, str]
) -> None:
    _, url = photo
    assert statuses(server, url, headers=proof("eva")) == {404}
    assert statuses(server, url) == {401}
    served = server.get(url, headers=proof("luis"))
    assert served.status_code == 200
    assert SECRET_PLACE not in served.content


def test_a_stranger_cannot_open_a_photo_by_sending_it_to_themselves(server: Server, photo: tuple[str, str]) -> None:
    _, url = photo
    group = {"type": "group", "name": "Mío", "participants": ["eva"], "createdBy": "eva"}
    own = post(server, "/api/conversations", "eva", json=group)["id"]
    message = {"conversationId": own, "senderId": "eva", "messageType": "file", "fileUrl": url}
    refused = server.post("/api/messages", headers=proof("eva"), json=message)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_file")
    assert statuses(server, url, headers=proof("eva")) == {404}


def test_a_link_from_one_worker_opens_the_file_at_every_other(server: Server, photo: tuple[str, str]) -> None:
    _, url = photo
    signed = link(server, "luis", url)
    assert statuses(server, signed) == {200}
    assert statuses(server, signed + "x") == {403}
    assert statuses(server, signed.replace("/api/files", "/uploads")) == {200}


def test_token_and_link_open_nothing_at_any_worker_once_their_user_is_out(
    server: Server, photo: tuple[str, str]
) -> None:
    group, url = photo
    signed = link(server, "luis", url)
    assert statuses(server, signed) == {200}
    out = server.delete(f"/api/conversations/{group}/participants/luis?removedBy=ana", headers=proof("ana"))
    assert out.status_code == 200
    assert statuses(server, signed) == {404}
    assert statuses(server, url, headers=proof("luis")) == {404}


def test_a_deleted_message_takes_its_bytes_along_for_links_too(server: Server, photo: tuple[str, str]) -> None:
    group, url = photo
    signed = link(server, "luis", url)
    message = server.get(f"/api/messages/{group}", headers=proof("ana")).json()[0]["id"]
    assert server.delete(f"/api/messages/{message}", headers=proof("ana")).status_code == 200
    assert statuses(server, signed) == {404}


def test_the_log_knows_the_path_and_never_the_signature(server: Server, photo: tuple[str, str]) -> None:
    _, url = photo
    signed = link(server, "luis", url)
    assert server.get(signed).status_code == 200
    assert server.get(signed + "FORGED").status_code == 403
    until(lambda: server.log().count(url) >= 2, "both requests are logged")
    assert "sig=" not in server.log()
    assert signed.partition("sig=")[2] not in server.log()


# ---------------------------------------------------------------- the virus scan
@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdEngine]:
    with running_clamd() as engine:
        yield engine


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, clamd: ClamdEngine) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("scanned") / "server", CLAMD_URL=clamd.url) as started:
        save_users(started.url, "ana", "luis")
        yield started


def upload(server: Server, data: bytes, path: str = "/api/upload", field: str = "file") -> requests.Response:
    return server.post(path, files={field: ("foto.jpg", data)})


def kept(server: Server) -> list[Path]:
    """Every file that is left, half-way or at rest."""
    return [path for path in (server.folder / "uploads").rglob("*") if path.is_file()]


@pytest.mark.parametrize(("path", "field"), [("/api/upload", "file"), ("/api/users/ana/avatar", "avatar")])
def test_malware_is_refused_and_nothing_of_it_stays(scanned: Server, path: str, field: str) -> None:
    before = kept(scanned)
    refused = upload(scanned, picture("JPEG") + MALWARE, path, field)
    assert (refused.status_code, refused.json()["code"], refused.json()["details"]) == (422, "file_infected", {})
    assert kept(scanned) == before
    assert FOUND_AS in scanned.log()
    assert upload(scanned, picture("JPEG"), path, field).status_code in (200, 201)


def test_without_its_scanner_a_server_takes_no_file_and_all_else_goes_on(scanned: Server, clamd: ClamdEngine) -> None:
    before = kept(scanned)
    clamd.stop()
    refused = upload(scanned, picture("JPEG"))
    assert (refused.status_code, refused.json()["code"], refused.json()["details"]) == (503, "scanner_unavailable", {})
    assert kept(scanned) == before
    make_conversation(scanned.url, "ana", "luis")
    clamd.start()
    assert upload(scanned, picture("JPEG")).status_code == 201


def test_while_a_file_is_scanned_others_are_served(scanned: Server, clamd: ClamdEngine) -> None:
    clamd.freeze()
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(upload, scanned, picture("JPEG"))
            assert scanned.get("/healthz").status_code == 200
            assert not waiting.done()
            clamd.thaw()
            assert waiting.result(timeout=20).status_code == 201
    finally:
        clamd.thaw()

"""Who gets the bytes over HTTP: by name, by a signed URL, and for how long a browser keeps them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from chatapp.application import create_app
from chatapp.domain.commands import CreateConversation, SaveUser, SendMessage
from chatapp.domain.models import Actor, Attachment, MessageType, Standing, StoredFile
from chatapp.services.chat import Chat
from chatapp.settings import Settings
from chatapp.transport.rest import files
from tests.fakes import START

PHOTO = "/api/files/photo.png"
ANA, LUIS, EVA = (Actor(user_id, Standing.USER) for user_id in ("ana", "luis", "eva"))


class House:
    """``photo.png`` is Ana's and shown to Luis; requests come from ``asks``."""

    def __init__(self, chat: Chat, client: FlaskClient) -> None:
        self.chat, self.client, self.asks = chat, client, LUIS
        for user_id in ("ana", "luis", "eva"):
            chat.users.save(SaveUser(id=user_id, name=user_id, email=f"{user_id}@example.com"))
        source = chat.file_store.staging() / "upload"
        source.write_bytes(b"bytes")
        chat.file_store.put(StoredFile("photo.png", "foto.png", "image/png", 5, START, "ana"), source)
        pair = CreateConversation(participants=("ana", "luis"), is_group=False)
        conversation, _ = chat.conversations.create(pair, actor=Actor("ana"))
        chat.messages.send(
            SendMessage(
                conversation_id=conversation.id,
                content="",
                message_type=MessageType.FILE,
                attachment=Attachment(PHOTO),
            ),
            actor=ANA,
        )

    def status(self, path: str, *, as_: Actor) -> int:
        self.asks = as_
        with self.client.get(path) as answer:
            return answer.status_code

    def link(self, *, to: Actor, url: str = PHOTO) -> str:
        self.asks = to
        answer = self.client.post("/api/files/links", json={"urls": [url]})
        assert answer.status_code == 200, answer.text
        signed: str = answer.get_json()["links"][0]["signedUrl"]
        return signed


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = replace(Settings(), rate_limit_enabled=False, log_level="error")
    app = create_app(settings, sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    house = House(app.extensions["chatapp"].chat, app.test_client())
    monkeypatch.setattr(files, "request_actor", lambda: house.asks)
    try:
        yield house
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


@pytest.mark.parametrize("path", [PHOTO, "/uploads/photo.png"])
def test_both_names_of_a_file_ask_who_wants_it(house: House, path: str) -> None:
    assert [house.status(path, as_=actor) for actor in (ANA, LUIS, EVA)] == [200, 200, 404]


@pytest.mark.parametrize("path", [PHOTO, "/uploads/photo.png"])
def test_a_signed_url_speaks_for_whom_it_was_signed(house: House, path: str) -> None:
    query = house.link(to=LUIS).partition("?")[2]
    assert house.status(f"{path}?{query}", as_=EVA) == 200
    assert house.status(f"{path}?{query}x", as_=LUIS) == 403


def test_head_and_ranges_take_a_signed_url_too(house: House) -> None:
    link = house.link(to=LUIS)
    house.asks = EVA
    with house.client.head(link) as answer:
        assert (answer.status_code, answer.content_length) == (200, 5)
    with house.client.get(link, headers={"Range": "bytes=1-2"}) as answer:
        assert (answer.status_code, answer.data) == (206, b"yt")


def test_a_refused_link_stands_in_its_row(house: House) -> None:
    house.asks = EVA
    answer = house.client.post("/api/files/links", json={"urls": [PHOTO]})
    row = {"url": PHOTO, "signedUrl": None, "expiresAt": None, "code": "file_not_found"}
    assert answer.get_json() == {"links": [row]}


@pytest.mark.parametrize("urls", [[], [PHOTO] * 101, [7], [""], None])
def test_links_are_asked_for_in_lists_of_up_to_a_hundred(house: House, urls: object) -> None:
    assert house.client.post("/api/files/links", json={"urls": urls}).status_code == 400


def test_asking_for_links_is_one_path_and_files_are_others(house: House) -> None:
    answer = house.client.get("/api/files/links")
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"POST", "OPTIONS"})
    assert house.status("/api/files/linksx", as_=LUIS) == 404


def test_a_hundred_links_are_given_at_once(house: House) -> None:
    answer = house.client.post("/api/files/links", json={"urls": [PHOTO] * 100})
    assert [row["code"] for row in answer.get_json()["links"]] == [None] * 100


def test_a_browser_asks_again_each_time_and_gets_no_bytes_again(house: House) -> None:
    link = house.link(to=LUIS)
    with house.client.get(link) as answer:
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        etag = answer.headers["ETag"]
    with house.client.get(house.link(to=LUIS), headers={"If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_in_open_mode_a_browser_keeps_what_it_has(house: House) -> None:
    house.asks = Actor()
    with house.client.get(PHOTO) as answer:
        assert answer.headers["Cache-Control"] == "private, max-age=86400"

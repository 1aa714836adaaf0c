"""Who gets the bytes over HTTP: by name, by a signed URL, and for how long a browser keeps them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from chatapp.application import create_app
from chatapp.domain.commands import CreateConversation, SaveUser, SendMessage
from chatapp.domain.models import OPERATOR, Actor, Attachment, MessageType, StoredFile
from chatapp.services.chat import Chat
from chatapp.settings import Settings
from tests.e2e.proofs import SECRET, bearer, token
from tests.fakes import START

PHOTO = "/api/files/photo.png"
ANA, LUIS, EVA, NOBODY = "ana", "luis", "eva", ""


class House:
    """``photo.png`` is Ana's and shown to Luis; requests come from whoever was said to ask last."""

    def __init__(self, chat: Chat, client: FlaskClient) -> None:
        self.chat, self.client = chat, client
        self.ask_as(LUIS)
        for user_id in (ANA, LUIS, EVA):
            chat.users.save(SaveUser(id=user_id, name=user_id, email=f"{user_id}@example.com"), actor=OPERATOR)
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
            actor=Actor(ANA),
        )

    def ask_as(self, user_id: str) -> None:
        proof = bearer(token(user_id)) if user_id else {}
        self.client.environ_base["HTTP_AUTHORIZATION"] = proof.get("Authorization", "")

    def status(self, path: str, *, as_: str) -> int:
        self.ask_as(as_)
        with self.client.get(path) as answer:
            return answer.status_code

    def link(self, *, to: str, url: str = PHOTO) -> str:
        self.ask_as(to)
        answer = self.client.post("/api/files/links", json={"urls": [url]})
        assert answer.status_code == 200, answer.text
        signed: str = answer.get_json()["links"][0]["signedUrl"]
        return signed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with _house(tmp_path, auth_mode="jwt", auth_jwt_secret=((None, SECRET),)) as house:
        yield house


@contextmanager
def _house(folder: Path, **overrides: Any) -> Iterator[House]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = replace(Settings(), rate_limit_enabled=False, log_level="error")
    app = create_app(settings, sqlite_path=folder / "chat.db", upload_path=folder / "uploads", **overrides)
    try:
        yield House(app.extensions["chatapp"].chat, app.test_client())
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


@pytest.mark.parametrize("path", [PHOTO, "/uploads/photo.png"])
def test_both_names_of_a_file_ask_who_wants_it(house: House, path: str) -> None:
    assert [house.status(path, as_=user_id) for user_id in (ANA, LUIS, EVA, NOBODY)] == [200, 200, 404, 401]


@pytest.mark.parametrize("path", [PHOTO, "/uploads/photo.png"])
def test_a_signed_url_speaks_for_whom_it_was_signed(house: House, path: str) -> None:
    query = house.link(to=LUIS).partition("?")[2]
    assert [house.status(f"{path}?{query}", as_=user_id) for user_id in (EVA, NOBODY)] == [200, 200]
    assert house.status(f"{path}?{query}x", as_=LUIS) == 403


def test_head_and_ranges_take_a_signed_url_too(house: House) -> None:
    link = house.link(to=LUIS)
    house.ask_as(NOBODY)
    with house.client.head(link) as answer:
        assert (answer.status_code, answer.content_length) == (200, 5)
    with house.client.get(link, headers={"Range": "bytes=1-2"}) as answer:
        assert (answer.status_code, answer.data) == (206, b"yt")


def test_a_refused_link_stands_in_its_row(house: House) -> None:
    house.ask_as(EVA)
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


def test_links_are_for_those_who_prove_who_they_are(house: House) -> None:
    house.ask_as(NOBODY)
    assert house.client.post("/api/files/links", json={"urls": [PHOTO]}).status_code == 401


def test_in_open_mode_a_browser_keeps_what_it_has(tmp_path: Path) -> None:
    with _house(tmp_path, auth_mode="open") as house, house.client.get(PHOTO) as answer:
        assert answer.headers["Cache-Control"] == "private, max-age=86400"

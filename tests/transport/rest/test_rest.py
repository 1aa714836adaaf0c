"""REST as a client sees it, on Flask's own test client: forms, names, links, languages, methods, ids."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema

from chatapp.application import create_app
from chatapp.domain.commands import SendMessage
from chatapp.domain.models import Actor
from chatapp.protocol.requests import SendMessageSchema
from chatapp.settings import Settings


@dataclass
class Api:
    app: Flask
    client: FlaskClient
    uploads: Path
    people: list[str] = field(default_factory=lambda: ["ana", "luis"])

    def post(self, path: str, body: Any, **kwargs: Any) -> Any:
        return self.client.post(path, json=body, **kwargs)

    def conversation(self) -> str:
        for user_id in self.people:
            body = {"id": user_id, "name": user_id.title(), "email": f"{user_id}@example.com"}
            assert self.post("/api/users", body).status_code in (200, 201)
        made = self.post("/api/conversations", {"type": "private", "participants": self.people, "createdBy": "ana"})
        conversation_id: str = made.get_json()["id"]
        return conversation_id

    def upload(self, name: str | None, data: bytes = b"hola", **form: Any) -> Any:
        file = (io.BytesIO(data), name) if name is not None else (io.BytesIO(data), "")
        return self.client.post("/api/upload", data={"file": file, **form})

    def download(self, path: str, **headers: str) -> Any:
        with self.client.get(path, headers=headers) as answer:
            assert answer.data is not None  # read before the file is closed
            return answer

    def files(self) -> list[Path]:
        """The bytes that are kept; what is noted about them stands in a folder beside them."""
        kept = [path for path in self.uploads.rglob("*") if path.is_file()]
        return [path for path in kept if ".meta" not in path.parts]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = Settings(rate_limit_enabled=False, upload_max_bytes=100_000, log_level="error")
    app = create_app(settings, sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    try:
        yield Api(app, app.test_client(), tmp_path / "uploads")
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


# ---------------------------------------------------------------- names
def test_an_uploaded_name_comes_back_on_download(api: Api) -> None:
    uploaded = api.upload("../año €.txt")
    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.get_json()["fileName"] == "año €.txt"
    for path in (uploaded.get_json()["fileUrl"], uploaded.get_json()["fileUrl"].replace("/api/files", "/uploads")):
        download = api.download(path)
        assert download.data == b"hola"
        assert "a%C3%B1o%20%E2%82%AC.txt" in download.headers["Content-Disposition"]
        assert download.headers["X-Content-Type-Options"] == "nosniff"
        assert download.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_sender_may_not_call_a_file_what_no_uploader_may(api: Api) -> None:
    message = SendMessageSchema().load(
        {"conversationId": "c", "messageType": "file", "fileUrl": "/api/files/a.txt", "fileName": "../x\u202egpj.exe"}
    )
    assert message.attachment.name == "xgpj.exe"


# ---------------------------------------------------------------- forms
def test_a_form_without_a_file_is_invalid(api: Api) -> None:
    for data in ({}, {"other": (io.BytesIO(b"x"), "x.txt")}, {"file": "text, not a file"}):
        answer = api.client.post("/api/upload", data=data, content_type="multipart/form-data")
        assert answer.status_code == 400, answer.text
        assert answer.get_json()["details"] == {"fields": {"file": ["required"]}}
    assert api.files() == []


def test_of_two_files_of_one_name_the_first_counts_and_none_stays_behind(api: Api) -> None:
    files = [(io.BytesIO(b"uno"), "uno.txt"), (io.BytesIO(b"dos"), "dos.txt")]
    answer = api.client.post("/api/upload", data={"file": files})
    assert answer.status_code == 201
    assert answer.get_json()["fileName"] == "uno.txt"
    assert [path.read_bytes() for path in api.files()] == [b"uno"]


def test_an_empty_form_field_is_one_that_was_not_filled_in(api: Api) -> None:
    conversation = api.conversation()
    answer = api.upload(
        "a.txt", conversationId=conversation, senderId="ana", replyTo="", content="", clientMessageId=""
    )
    assert answer.status_code == 201, answer.text
    assert answer.get_json()["replyTo"] is None


def test_a_form_with_a_field_nobody_knows_is_invalid_and_leaves_nothing(api: Api) -> None:
    answer = api.upload("a.txt", unheard_of="x")
    assert answer.status_code == 400
    assert list(answer.get_json()["details"]["fields"]) == ["unheard_of"]
    assert api.files() == []


def test_a_file_at_the_limit_passes_and_one_byte_more_does_not(api: Api) -> None:
    assert api.upload("a.txt", b"x" * 100_000).status_code == 201
    answer = api.upload("a.txt", b"x" * 100_001)
    assert answer.status_code == 413
    assert answer.get_json()["details"] == {"maxBytes": 100_000}
    assert len(api.files()) == 1


def test_a_sender_who_is_no_participant_leaves_nothing_behind(api: Api) -> None:
    conversation = api.conversation()
    api.post("/api/users", {"id": "eva", "name": "Eva", "email": "eva@example.com"})
    answer = api.upload("a.txt", conversationId=conversation, senderId="eva")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "not_a_participant")
    assert api.files() == []


def test_files_are_not_read_where_none_is_taken(api: Api) -> None:
    answer = api.client.post("/api/users", data={"file": (io.BytesIO(b"x" * 1000), "x.txt")})
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")
    assert api.files() == []


# ---------------------------------------------------------------- pages
def links(answer: Any) -> dict[str, str]:
    return {relation: url for url, relation in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers.get("Link", ""))}


def send(api: Api, conversation: str, count: int) -> None:
    for number in range(count):
        command = SendMessage(conversation_id=conversation, content=str(number))
        api.app.extensions["chatapp"].chat.messages.send(command, actor=Actor("ana"))


def test_links_lead_through_a_conversation_and_back(api: Api) -> None:
    conversation = api.conversation()
    send(api, conversation, 7)
    newest = api.client.get(f"/api/messages/{conversation}?limit=3")
    assert [message["seq"] for message in newest.get_json()] == [5, 6, 7]
    assert set(links(newest)) == {"prev"}
    middle = api.client.get(links(newest)["prev"])
    assert [message["seq"] for message in middle.get_json()] == [2, 3, 4]
    assert set(links(middle)) == {"prev", "next"}
    oldest = api.client.get(links(middle)["prev"])
    assert [message["seq"] for message in oldest.get_json()] == [1]
    assert set(links(oldest)) == {"next"}
    assert api.client.get(links(oldest)["next"]).get_json() == middle.get_json()
    assert links(api.client.get(f"/api/messages/{conversation}")) == {}


@pytest.mark.parametrize("path", ["/api/users", "/api/messages", "/api/conversations"])
def test_next_leads_through_every_list_once(api: Api, path: str) -> None:
    conversation = api.conversation()
    for number in range(5):
        api.post("/api/users", {"id": f"u{number}", "name": f"U {number}", "email": "u@example.com"})
        participants = ["ana", f"u{number}"]
        api.post("/api/conversations", {"type": "private", "participants": participants, "createdBy": "ana"})
    send(api, conversation, 5)
    seen: list[str] = []
    url: str | None = f"{path}?limit=2"
    while url:
        page = api.client.get(url)
        body = page.get_json()
        items = body if isinstance(body, list) else next(iter(body.values()))
        assert 1 <= len(items) <= 2
        seen += [item["id"] for item in items]
        url = links(page).get("next")
    assert len(seen) == len(set(seen)) >= 5


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ("", "Usuario no encontrado"),
        ("es-PE,es;q=0.9,en;q=0.8", "Usuario no encontrado"),
        ("en-US,en;q=0.9,es;q=0.8", "User not found"),
        ("fr,en;q=0.2", "User not found"),
        ("fr", "Usuario no encontrado"),
        ("en;q=x", "Usuario no encontrado"),
    ],
)
def test_errors_speak_spanish_unless_english_is_preferred(api: Api, accepted: str, message: str) -> None:
    answer = api.client.get("/api/users/nobody", headers={"Accept-Language": accepted})
    assert answer.get_json() == {
        "statusCode": 404,
        "error": "Not Found",
        "code": "user_not_found",
        "message": message,
        "details": {"userId": "nobody"},
        "requestId": answer.headers["X-Request-Id"],
    }


def test_a_wrong_method_says_which_are_right(api: Api) -> None:
    for path, allowed in (("/api/users", {"GET", "POST"}), ("/api/users/x", {"GET", "DELETE"})):
        answer = api.client.put(path)
        assert (answer.status_code, answer.get_json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed | {"HEAD", "OPTIONS"}


def test_an_unknown_path_is_an_error_like_all_others(api: Api) -> None:
    for path in ("/api", "/api/nothing", "/nothing", "/client/nothing.js"):
        answer = api.client.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


def test_head_is_get_without_its_body(api: Api) -> None:
    whole, head = api.client.get("/api/users"), api.client.head("/api/users")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert api.client.head("/api/users/nobody").status_code == 404


def test_a_browser_s_preflight_is_answered(api: Api) -> None:
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization",
    }
    answer = api.client.options("/api/users", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://app.example.com")
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Max-Age"] == "600"


def test_an_unexpected_exception_is_a_500_that_says_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the engine")

    monkeypatch.setattr("chatapp.services.users.UserService.get", fail)
    answer = api.client.get("/api/users/ana", headers={"X-Request-Id": "mine"})
    assert answer.status_code == 500
    assert answer.get_json() == {
        "statusCode": 500,
        "error": "Internal Server Error",
        "code": "internal_error",
        "message": "Error interno del servidor",
        "details": {},
        "requestId": "mine",
    }
    assert api.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("given", ["mine-1", "a.b:c_D-9", "x" * 64])
def test_a_good_request_id_is_kept(api: Api, given: str) -> None:
    assert api.client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "<script>", '"', "a,b", "ñ".encode().decode("latin-1")])
def test_a_bad_request_id_is_replaced(api: Api, given: str) -> None:
    kept = api.client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert kept != given
    assert re.fullmatch(r"[0-9a-f-]{36}", kept)


def test_ready_says_which_engine_is_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.client.get("/readyz").get_json()["status"] == "ok"
    api.app.extensions["chatapp"].chat.store.close()
    answer = api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["checks"]["store"] != "ok"
    refused = api.client.get("/api/users")
    assert (refused.status_code, refused.get_json()["code"], refused.get_json()["details"]) == (
        503,
        "store_unavailable",
        {},
    )


def test_a_range_that_is_none_says_how_much_there_is(api: Api) -> None:
    url = api.upload("a.txt", b"0123456789").get_json()["fileUrl"]
    part = api.download(url, Range="bytes=2-4")
    assert (part.status_code, part.data, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    answer = api.download(url, Range="bytes=20-")
    assert (answer.status_code, answer.get_json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["Content-Range"] == "bytes */10"
    whole = api.download(url)
    assert whole.data == b"0123456789"
    assert api.download(url, **{"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_the_first_front_end_gets_bare_arrays(tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    settings = Settings(legacy_front_end=True, log_level="error")
    app = create_app(settings, sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    try:
        api = Api(app, app.test_client(), tmp_path / "uploads")
        api.conversation()
        assert [user["id"] for user in api.client.get("/api/users").get_json()] == ["ana", "luis"]
        assert len(api.client.get("/api/conversations/user/ana").get_json()) == 1
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


# ---------------------------------------------------------------- what a history takes
def calls_of(api: Api, path: str) -> int:
    """How many of Python's functions are called for one request, in the greenlet that answers it."""
    count = 0

    def watch(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    api.client.get(path)  # what is worked out once
    sys.setprofile(watch)
    try:
        answer = api.client.get(path)
    finally:
        sys.setprofile(None)
    assert answer.status_code == 200
    return count


def test_a_message_in_a_history_takes_a_bounded_number_of_calls(api: Api) -> None:
    conversation_id = api.conversation()
    send = api.app.extensions["chatapp"].chat.messages.send
    for number in range(50):
        send(SendMessage(conversation_id=conversation_id, content=str(number)), actor=Actor("ana"))
    few, many = (calls_of(api, f"/api/messages/{conversation_id}?limit={limit}") for limit in (10, 50))
    assert (many - few) / 40 <= CALLS_PER_MESSAGE


CALLS_PER_MESSAGE = 18
"""From a row to the dictionary that is sent. It was 29 with marshmallow's way of asking, and a name for each column
(``docs/decisions/0012``)."""


def test_schemas_of_arguments_are_made_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation_id = api.conversation()
    made: list[str] = []
    make = Schema.__init__

    def watch(self: Schema, *args: Any, **kwargs: Any) -> None:
        made.append(type(self).__name__)
        make(self, *args, **kwargs)

    monkeypatch.setattr(Schema, "__init__", watch)
    assert api.client.get(f"/api/messages/{conversation_id}").status_code == 200
    assert made == []

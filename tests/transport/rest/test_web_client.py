"""How the web client is served: its page, what never changes, what is packed, what it is told."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from chatapp.application import create_app
from chatapp.settings import Settings
from chatapp.transport.rest import web_client

PAGE = "<!doctype html><title>Chat</title>"
SCRIPT = "console.log('hola')"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Over a small build instead of the real one, which a checkout may not have."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    built = tmp_path / "built"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (built / "assets" / "index-abc.js").write_text(SCRIPT)
    (built / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    monkeypatch.setattr(web_client, "BUILT", built)
    settings = Settings(upload_max_bytes=1234, allowed_types=("audio/m4a",), log_level="error")
    app = create_app(settings, sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    try:
        yield app.test_client()
    finally:
        app.extensions["chatapp"].close()
        root.handlers, root.level = handlers, level


def test_the_page_is_asked_for_again_each_time(client: FlaskClient) -> None:
    with client.get("/") as answer:
        assert (answer.status_code, answer.text, answer.mimetype) == (200, PAGE, "text/html")
        assert answer.headers["Cache-Control"] == "no-cache"
        etag = answer.headers["ETag"]
    with client.get("/", headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304


def test_what_has_a_hash_in_its_name_is_kept_for_ever(client: FlaskClient) -> None:
    with client.get("/client/assets/index-abc.js") as answer:
        assert (answer.text, answer.mimetype) == (SCRIPT, "text/javascript")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accepts", "packed"), [("gzip", True), ("br, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False)]
)
def test_who_takes_gzip_gets_it(client: FlaskClient, accepts: str, packed: bool) -> None:
    with client.get("/client/assets/index-abc.js", headers={"Accept-Encoding": accepts}) as answer:
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert (gzip.decompress(answer.data) if packed else answer.data) == SCRIPT.encode()
        assert answer.mimetype == "text/javascript"
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(client: FlaskClient) -> None:
    with client.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", ["nothing.js", "../settings.py", "..%2Fsettings.py", "assets", ".built-from/../../x"])
def test_nothing_but_the_build_is_served(client: FlaskClient, name: str) -> None:
    with client.get(f"/client/{name}") as answer:
        assert answer.status_code == 404


def test_the_client_is_told_the_limits_it_should_keep(client: FlaskClient) -> None:
    answer = client.get("/client/config.json")
    assert answer.get_json() == {
        "authMode": "open",
        "demo": False,
        "socketPath": "/socket.io",
        "uploadMaxBytes": 1234,
        "allowedTypes": ["audio/m4a", "audio/mp4", "audio/x-m4a"],
    }
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_server_without_the_build_says_that_there_is_no_page(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_client, "BUILT", tmp_path / "nowhere")
    assert client.get("/").status_code == 404

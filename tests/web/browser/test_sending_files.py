"""Files in the web client: how far they are, breaking them off, and what is refused before it is uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from random import Random
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.server import Server, running
from tests.web.browser.conftest import Stage, open_private

MAX_BYTES = 300_000
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 60_000}
"""Bytes in a second: the picture takes three of them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), FILE_UPLOAD_MAX_SIZE=str(MAX_BYTES)) as server:
        yield server


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    ana, luis = stage.sign_in("Ana"), stage.sign_in("Luis")
    open_private(ana, "Luis")
    open_private(luis, "Ana")
    return ana, luis


def file(name: str, media_type: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": data}


def picture() -> FilePayload:
    """Of noise: nothing makes it smaller."""
    data = BytesIO()
    Image.frombytes("RGB", (240, 240), Random(1).randbytes(240 * 240 * 3)).save(data, "PNG")
    return file("noise.png", "image/png", data.getvalue())


def choose(page: Page, *files: FilePayload) -> None:
    page.locator("input[type=file]").set_input_files(list(files))


def send(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()


def slow_down(page: Page) -> Any:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)
    return session


def test_a_picture_shows_how_far_it_is_and_arrives_with_its_caption(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    slow_down(ana)
    choose(ana, picture())
    ana.get_by_label("Add a caption").fill("Guess what")
    send(ana)
    progress = ana.get_by_role("progressbar")
    expect(progress).to_be_visible()
    parts = set()
    while progress.count():
        parts.add(progress.evaluate_all("(bars) => bars[0]?.value ?? 1"))
    assert len([part for part in parts if 0 < part < 1]) >= 2, parts
    for page in pair:
        expect(page.locator("button.picture img")).to_have_js_property("naturalWidth", 240)
        expect(page.locator(".row .content")).to_have_text(["Guess what"])
    luis.locator("button.picture").click()
    expect(luis.get_by_role("dialog", name="noise.png").locator("img")).to_have_js_property("naturalWidth", 240)
    luis.keyboard.press("Escape")
    expect(luis.locator("button.picture")).to_be_focused()


def test_an_upload_that_is_broken_off_leaves_nothing(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    slow_down(ana)
    choose(ana, picture())
    send(ana)
    ana.locator(".upload").get_by_role("button", name="Cancel").click()
    expect(ana.locator(".row")).to_have_count(0)
    choose(ana, file("after.txt", "text/plain", b"sent after it"))
    send(ana)
    expect(luis.locator(".card-name")).to_have_text(["after.txt"])
    ana.reload()
    expect(ana.locator(".card-name")).to_have_text(["after.txt"])
    expect(ana.locator("button.picture")).to_have_count(0)


def test_what_the_server_would_refuse_is_refused_before(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    uploads: list[str] = []
    ana.on("request", lambda request: uploads.append(request.url) if "/api/upload" in request.url else None)
    choose(
        ana,
        file("film.mp4", "video/mp4", b"no matter"),
        file("book.txt", "text/plain", b"." * (MAX_BYTES + 1)),
        file("note.txt", "text/plain", b"." * MAX_BYTES),
    )
    dialog = ana.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_have_text(
        ["“film.mp4” is of a type that cannot be sent here.", "“book.txt” is larger than 300 kB."]
    )
    send(ana)
    expect(luis.locator(".card-name")).to_have_text(["note.txt"])
    assert len(uploads) == 1


def test_what_can_only_be_refused_cannot_be_sent(pair: tuple[Page, Page]) -> None:
    ana, _ = pair
    choose(ana, file("film.mp4", "video/mp4", b"no matter"))
    dialog = ana.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    dialog.get_by_role("button", name="Discard film.mp4").click()
    expect(dialog).to_have_count(0)


def test_what_turns_out_to_be_something_else_says_so_and_can_be_discarded(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    choose(ana, file("page.png", "image/png", b"<!DOCTYPE html><script>alert(1)</script>"))
    send(ana)
    failure = ana.locator(".failure")
    expect(failure).to_contain_text("This type of file cannot be sent here.")
    failure.get_by_role("button", name="Discard").click()
    expect(ana.locator(".row")).to_have_count(0)
    expect(luis.locator(".row")).to_have_count(0)

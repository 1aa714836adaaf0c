"""Two people and the web client, in a real browser on a real server."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e import proofs
from tests.e2e.server import running
from tests.web.browser.conftest import Stage, on_both_stores, open_private, say

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "<svg onload='window.hacked = 1'>",
    "[x](javascript:window.hacked=1) javascript:window.hacked=1",
    '"><iframe srcdoc="<script>parent.hacked = 1</script>">',
    "```\n<img src=x onerror='window.hacked = 1'>\n```",
]


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    """Ana and Luis, each with the conversation of the two open."""
    ana, luis = stage.sign_in("Ana"), stage.sign_in("Luis")
    open_private(ana, "Luis")
    say(ana, "Hello Luis")
    open_private(luis, "Ana")
    expect(luis.locator(".row-other .content")).to_have_text("Hello Luis")
    return ana, luis


@on_both_stores
def test_two_people_chat_and_see_what_was_read_and_who_writes(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    expect(ana.locator(".mark-read")).to_have_count(1)
    luis.locator(".composer textarea").press_sequentially("I am")
    expect(ana.locator(".conversation-head .item-typing")).to_have_text("typing…")
    luis.keyboard.press("Enter")
    expect(ana.locator(".row-other .content")).to_have_text("I am")
    expect(ana.locator(".item-typing")).to_have_count(0)


@on_both_stores
def test_nothing_that_is_written_runs(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    for text in HOSTILE:
        say(ana, text)
    expect(luis.locator(".row-other .content")).to_have_count(1 + len(HOSTILE))
    assert luis.evaluate("window.hacked") is None
    assert luis.locator(".messages :is(script, img, svg:not(.icon, .ticks), iframe)").count() == 0


def test_in_jwt_mode_the_host_page_says_who_it_is_and_pictures_are_signed(browser: Browser, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(_png())
    luis = proofs.token("luis", name="Luis", email="luis@example.com")
    ana = proofs.token("ana", name="Ana", email="ana@example.com")
    with running(tmp_path / "jwt", **proofs.ENVIRONMENT) as server:
        stage = Stage(server, browser)
        stage.visit(stage.context(f"window.chatapp = {{ token: {luis!r} }}")).wait_for_selector(".me-name")
        page = stage.visit(stage.context(f"window.chatapp = {{ token: () => Promise.resolve({ana!r}) }}"))
        open_private(page, "Luis")
        page.locator("input[type=file]").set_input_files(picture)
        page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
        shown = page.locator("button.picture img")
        expect(shown).to_have_attribute("src", re.compile(r"[?&]sig="))
        expect(shown).to_have_js_property("naturalWidth", 40)
        stranger = stage.visit(stage.context())
        expect(stranger.get_by_role("status")).to_have_text(re.compile("Waiting for the page"))
        stage.leave()
        assert stage.complaints == []


def _png() -> bytes:
    data = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(data, "PNG")
    return data.getvalue()

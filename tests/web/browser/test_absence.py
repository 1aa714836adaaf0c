"""Without a server, and without the tab: nothing that was written is lost, nothing comes twice, over both stores."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Stage, bubbles, on_both_stores, open_chat, open_private, say, unread

pytestmark = on_both_stores


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    ana, luis = stage.sign_in("Ana"), stage.sign_in("Luis")
    open_private(ana, "Luis")
    say(ana, "Hello Luis")
    open_private(luis, "Ana")
    expect(bubbles(luis)).to_have_text(["Hello Luis"])
    return ana, luis


def test_what_is_written_without_a_server_outlives_the_tab_and_is_sent_once(
    stage: Stage, pair: tuple[Page, Page]
) -> None:
    ana, luis = pair
    stage.server.kill()
    expect(ana.locator(".banner")).to_contain_text("No connection")
    for text in ("first", "second"):
        say(ana, text)
    expect(ana.locator(".row-pending .content")).to_have_text(["first", "second"])
    ana.locator("input[type=file]").set_input_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"third"}])
    ana.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(ana.locator(".row-pending")).to_have_count(3)
    context = ana.context
    ana.close()
    stage.server.start()
    expect(luis.locator(".banner")).to_have_count(0)
    again, beside = stage.visit(context), stage.visit(context)
    open_chat(again, "Luis")
    expect(again.locator(".row-pending")).to_have_count(0)
    for page in (again, luis):
        expect(bubbles(page)).to_have_text(["Hello Luis", "first", "second"])
        expect(page.locator(".card-name")).to_have_text(["a.txt"])
    open_chat(beside, "Luis")
    expect(beside.locator(".row")).to_have_count(4)


def test_after_a_restart_all_goes_on(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    stage.server.stop()
    for page in pair:
        expect(page.locator(".banner")).to_contain_text("No connection")
    say(ana, "said meanwhile")
    stage.server.start()
    for page in pair:
        expect(page.locator(".banner")).to_have_count(0)
        expect(bubbles(page)).to_have_text(["Hello Luis", "said meanwhile"])
    say(luis, "still here")
    expect(bubbles(ana).last).to_have_text("still here")
    expect(ana.locator(".mark-read")).to_have_count(2)


def test_what_was_missed_while_away_is_there_after_it_in_order(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    luis.context.set_offline(True)
    expect(luis.locator(".banner")).to_contain_text("No connection", timeout=60_000)
    for text in ("one", "two", "three"):
        say(ana, text)
    expect(ana.locator(".row-pending")).to_have_count(0)
    say(luis, "and mine")
    luis.context.set_offline(False)
    for page in pair:
        expect(bubbles(page)).to_have_text(["Hello Luis", "one", "two", "three", "and mine"])
    expect(unread(luis, "Ana")).to_have_count(0)

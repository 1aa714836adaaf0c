"""What is unread, and who has read what, over the tabs and the devices of one person."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Stage, bubbles, on_both_stores, open_chat, open_private, say, unread

pytestmark = on_both_stores


@dataclass
class Scene:
    ana: Page
    first: Page
    """Luis, in a tab."""
    second: Page
    """Luis, in another tab of the same browser."""
    phone: Page
    """Luis, in another browser."""


@pytest.fixture
def scene(stage: Stage) -> Scene:
    """Ana has written two messages to Luis, who has opened nothing."""
    ana, first = stage.sign_in("Ana"), stage.sign_in("Luis")
    second = stage.visit(first.context)
    expect(second.locator(".me-status")).to_have_text("Online")
    phone = stage.sign_in("Luis", viewport={"width": 390, "height": 780}, has_touch=True)
    open_private(ana, "Luis")
    say(ana, "one")
    say(ana, "two")
    return Scene(ana, first, second, phone)


def test_unread_counts_on_every_device_until_it_is_read_on_one(scene: Scene) -> None:
    everywhere = (scene.first, scene.second, scene.phone)
    for page in everywhere:
        expect(unread(page, "Ana")).to_have_text("2")
        expect(page).to_have_title("(2) Chats")
    scene.first.bring_to_front()
    open_chat(scene.first, "Ana")
    for page in everywhere:
        expect(unread(page, "Ana")).to_have_count(0)
        expect(page).to_have_title("Chats")


def test_the_sender_sees_when_it_was_read_and_that_it_was_not_before(scene: Scene) -> None:
    expect(unread(scene.phone, "Ana")).to_have_text("2")
    expect(scene.ana.locator(".mark")).to_have_count(2)
    expect(scene.ana.locator(".mark-read")).to_have_count(0)
    scene.phone.locator(".sidebar-list .item", has_text="Ana").click()
    expect(scene.ana.locator(".mark-read")).to_have_count(2)


def test_what_comes_while_nobody_looks_is_unread_below_a_line(scene: Scene) -> None:
    open_chat(scene.first, "Ana")
    expect(unread(scene.first, "Ana")).to_have_count(0)
    scene.first.get_by_role("button", name="Menu").click()  # the tab is in front; its user goes to the list
    scene.first.keyboard.press("Escape")
    scene.first.keyboard.press("Escape")
    expect(scene.first.locator(".conversation-title")).to_have_count(0)
    say(scene.ana, "three")
    for page in (scene.first, scene.second, scene.phone):
        expect(unread(page, "Ana")).to_have_text("1")
    open_chat(scene.first, "Ana")
    expect(scene.first.locator(".new-line + .row, .new-line")).to_have_count(1)
    expect(bubbles(scene.first)).to_have_text(["one", "two", "three"])
    for page in (scene.second, scene.phone):
        expect(unread(page, "Ana")).to_have_count(0)


def test_a_draft_is_in_every_tab_of_the_browser_and_on_no_other_device(scene: Scene) -> None:
    open_chat(scene.first, "Ana")
    scene.first.locator(".composer textarea").fill("I was about to say")
    expect(scene.second.locator(".sidebar-list .item-draft")).to_have_count(1)
    expect(scene.phone.locator(".sidebar-list .item-draft")).to_have_count(0)
    scene.first.close()
    open_chat(scene.second, "Ana")
    expect(scene.second.locator(".composer textarea")).to_have_value("I was about to say")


def test_a_status_is_the_person_s_and_ends_with_the_last_device(scene: Scene) -> None:
    status = scene.ana.locator(".conversation-head .item-preview")
    expect(status).to_have_text("Online")
    scene.first.get_by_role("button", name="Menu").click()
    scene.first.get_by_role("menuitemradio", name="Busy").click()
    expect(status).to_have_text("Busy")
    for page in (scene.second, scene.phone):
        expect(page.locator(".me-status")).to_have_text("Busy")
    scene.first.context.close()
    scene.phone.get_by_role("button", name="Menu").click()
    scene.phone.get_by_role("menuitemradio", name="Away").click()
    expect(status).to_have_text("Away")
    scene.phone.context.close()
    expect(status).to_contain_text("Last seen")

"""A group's life in the web client: made, joined, renamed and left, and seen so by everybody in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Stage, bubbles, on_both_stores, open_chat, say

pytestmark = on_both_stores


@pytest.fixture
def trio(stage: Stage) -> tuple[Page, Page, Page]:
    """Ana, Luis and Marta. Ana has made the group Trip with Luis, and has it open."""
    ana, luis, marta = (stage.sign_in(name) for name in ("Ana", "Luis", "Marta"))
    ana.get_by_role("button", name="New group").click()
    dialog = ana.get_by_role("dialog")
    dialog.get_by_label("Group name").fill("Trip")
    dialog.get_by_label("Description").fill("By train")
    dialog.get_by_role("checkbox", name="Luis").check()
    dialog.get_by_role("button", name="Create group").click()
    expect(ana.locator(".conversation-title")).to_contain_text("Trip")
    return ana, luis, marta


def details(page: Page) -> None:
    page.get_by_role("button", name="Details", exact=True).click()


def participants(page: Page) -> list[str]:
    return page.get_by_role("dialog").locator(".participant .item-name").all_inner_texts()


def listed(page: Page, name: str) -> None:
    expect(page.locator(".sidebar-list .item", has_text=name)).to_have_count(1)


def test_who_is_in_a_new_group_sees_it_at_once_and_nobody_else(trio: tuple[Page, Page, Page]) -> None:
    ana, luis, marta = trio
    open_chat(luis, "Trip")
    say(luis, "Where to?")
    expect(bubbles(ana)).to_have_text(["Where to?"])
    expect(ana.locator(".row-other .sender")).to_have_text(["Luis"])
    expect(marta.locator(".sidebar-list .item")).to_have_count(0)


def test_who_is_added_reads_on_from_there(trio: tuple[Page, Page, Page]) -> None:
    ana, luis, marta = trio
    say(ana, "To the sea")
    details(ana)
    ana.get_by_role("button", name="Add people").click()
    ana.get_by_role("dialog").get_by_role("checkbox", name="Marta").check()
    ana.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(ana.get_by_role("dialog").locator(".participant")).to_have_count(3)
    open_chat(marta, "Trip")
    expect(bubbles(marta)).to_have_text(["To the sea"])
    say(marta, "I am in")
    expect(bubbles(ana)).to_have_text(["To the sea", "I am in"])
    open_chat(luis, "Trip")
    details(luis)
    expect(luis.get_by_role("dialog").locator(".participant")).to_have_count(3)
    assert participants(luis) == ["Ana", "You", "Marta"]


def test_another_name_is_everybody_s(trio: tuple[Page, Page, Page]) -> None:
    ana, luis, _ = trio
    open_chat(luis, "Trip")
    details(luis)
    luis.get_by_role("button", name="Edit group").click()
    luis.get_by_role("dialog").get_by_label("Group name").fill("Sea trip")
    luis.get_by_role("dialog").get_by_role("button", name="Save").click()
    for page in (ana, luis):
        expect(page.locator(".conversation-title")).to_contain_text("Sea trip")
        listed(page, "Sea trip")


def test_who_is_taken_out_has_it_no_longer(trio: tuple[Page, Page, Page]) -> None:
    ana, luis, _ = trio
    open_chat(luis, "Trip")
    details(luis)
    expect(luis.get_by_role("button", name="Remove Ana")).to_have_count(0)  # it is not his group
    luis.keyboard.press("Escape")
    details(ana)
    ana.get_by_role("button", name="Remove Luis from the group").click()
    ana.get_by_role("button", name="Remove Luis?").click()
    expect(ana.get_by_role("dialog").locator(".participant")).to_have_count(1)
    expect(luis.locator(".conversation-title")).to_have_count(0)
    expect(luis.locator(".sidebar-list .item", has_text="Trip")).to_have_count(0)


def test_when_its_owner_leaves_the_group_is_another_s(trio: tuple[Page, Page, Page]) -> None:
    ana, luis, _ = trio
    open_chat(luis, "Trip")
    details(ana)
    ana.get_by_role("button", name="Leave group").click()
    ana.get_by_role("dialog").get_by_role("button", name="Leave group").click()
    expect(ana.locator(".conversation-title")).to_have_count(0)
    expect(ana.locator(".sidebar-list .item", has_text="Trip")).to_have_count(0)
    details(luis)
    only = luis.get_by_role("dialog").locator(".participant")
    expect(only).to_have_count(1)
    expect(only).to_contain_text("Owner")

"""Answers, corrections and what is taken back, between two people in the web client."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Stage, bubbles, choose_in_menu, on_both_stores, open_private, say

pytestmark = on_both_stores

BEFORE = 60
"""Messages between a question and its answer: more than a page, and more than the window holds."""


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    ana, luis = stage.sign_in("Ana"), stage.sign_in("Luis")
    open_private(ana, "Luis")
    say(ana, "What is the plan?")
    open_private(luis, "Ana")
    expect(bubbles(luis)).to_have_text(["What is the plan?"])
    return ana, luis


def answer(page: Page, text: str, with_what: str) -> None:
    row = page.locator(".row", has_text=text)
    row.hover()
    row.get_by_role("button", name="Reply").click()
    say(page, with_what)


def test_a_quote_leads_to_what_it_answers_however_far_away(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    answer(luis, "What is the plan?", "Lunch")
    quote = ana.locator(".row-other .quote")
    expect(quote).to_contain_text("What is the plan?")
    _talk_on(stage)
    ana.reload()
    expect(bubbles(ana).last).to_have_text(f"line {BEFORE - 1}")
    answer(luis, f"line {BEFORE - 1}", "Really")
    expect(bubbles(ana).last).to_have_text("Really")
    assert ana.locator(".row", has_text="Lunch").count() == 0
    answer_again = ana.locator(".row", has_text="Really").locator(".quote")
    answer_again.click()
    expect(ana.locator(".row-highlighted .content")).to_have_text(f"line {BEFORE - 1}")
    ana.locator(".messages-scroll").focus()
    ana.keyboard.press("Home")
    ana.locator(".row", has_text="Lunch").locator(".quote").click()
    expect(ana.locator(".row-highlighted .content")).to_have_text("What is the plan?")
    expect(ana.locator(".row-highlighted")).to_be_in_viewport()


def test_a_correction_reaches_the_other_and_the_list(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    choose_in_menu(ana.locator(".row-own"), "Edit")
    expect(ana.locator(".composer textarea")).to_have_value("What is the plan?")
    say(ana, "What is your plan?")
    for page in (ana, luis):
        expect(bubbles(page)).to_have_text(["What is your plan?"])
        expect(page.locator(".bubble")).to_contain_text("edited")
        expect(page.locator(".item[aria-current] .item-preview")).to_have_text("What is your plan?")


def test_a_correction_that_is_thought_better_of_changes_nothing(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    choose_in_menu(ana.locator(".row-own"), "Edit")
    ana.locator(".composer textarea").fill("Something else")
    ana.keyboard.press("Escape")
    expect(ana.locator(".composer textarea")).to_have_value("")
    expect(bubbles(ana)).to_have_text(["What is the plan?"])
    expect(bubbles(luis)).to_have_text(["What is the plan?"])


def test_what_is_taken_back_is_quoted_no_longer(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    answer(luis, "What is the plan?", "Lunch")
    expect(ana.locator(".row-other .quote")).to_contain_text("What is the plan?")
    choose_in_menu(ana.locator(".row-own"), "Delete")
    ana.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for page in (ana, luis):
        expect(page.locator(".bubble-removed")).to_have_count(1)
        expect(page.locator(".quote")).to_contain_text("This message was deleted")


def _talk_on(stage: Stage) -> None:
    users = {user["name"]: user["id"] for user in stage.server.get("/api/users").json()["users"]}
    inbox = stage.server.get(f"/api/conversations/user/{users['Ana']}").json()["conversations"]
    for number in range(BEFORE):
        body = {"conversationId": inbox[0]["id"], "senderId": users["Ana"], "content": f"line {number}"}
        assert stage.server.post("/api/messages", json=body).ok

"""A conversation of 20,000 messages: what is in the page stays little, and what is seen stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from chatapp.adapters.sqlite_store import SqliteStore
from tests.contracts.builders import NAMES, group, save_people, say, together
from tests.e2e.server import Server, running
from tests.web.browser.conftest import Stage, bubbles, open_chat

MESSAGES = 20_000
AT_ONCE = 1_000
ROWS_MAX = 100
"""What is visible, and as much above and below; however long the conversation is."""

STEP_PX = 1_200
ASKS_WITHIN_PX = 800


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    store = SqliteStore(folder / "chat.db")
    save_people(store)
    store.conversations.create_group(group("ana", "bea"))
    first = say(store, "number 1", by="bea")
    for start in range(2, MESSAGES, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, MESSAGES))
        together(partial(say, store, f"number {n}", by="ana" if n % 3 else "bea", seconds=n) for n in numbers)
    say(store, "Do you remember how it began?", by="bea", reply_to=first, seconds=MESSAGES)
    store.close()
    with running(folder) as server:
        yield server


@pytest.fixture
def page(server: Server, browser: Browser) -> Iterator[Page]:
    """Ana, with the conversation open."""
    stage = Stage(server, browser)
    page = stage.visit(stage.context())
    page.get_by_label("Your name").fill(NAMES["ana"])
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_role("button", name="Start chatting").click()
    open_chat(page, "Group g1")
    expect(bubbles(page).last).to_have_text("Do you remember how it began?")
    yield page
    stage.leave()
    assert stage.complaints == []


def scroll(page: Page, pixels: int) -> None:
    page.locator(".messages-scroll").evaluate("(list, by) => list.scrollBy(0, by)", pixels)


def ask_for_older(page: Page) -> None:
    """Near the top, where the list asks, and not at it: the first row may become the middle of a group."""
    while (top := page.locator(".messages-scroll").evaluate("(list) => list.scrollTop")) > 2 * ASKS_WITHIN_PX:
        scroll(page, -min(STEP_PX, top - 2 * ASKS_WITHIN_PX))
    with page.expect_request("**/api/messages/**"):
        page.locator(".messages-scroll").evaluate("(list, top) => list.scrollTo(0, top)", ASKS_WITHIN_PX - 50)


def height(page: Page) -> int:
    pixels: int = page.locator(".messages-scroll").evaluate("(list) => list.scrollHeight")
    return pixels


def seen(page: Page) -> dict[str, float]:
    """Where the messages stand that are in view, by their text."""
    found: dict[str, float] = page.locator(".messages-scroll").evaluate(
        """(list) => {
          const { top, bottom } = list.getBoundingClientRect();
          return Object.fromEntries([...list.querySelectorAll('.row')]
            .map((row) => [row.querySelector('.content').textContent, row.getBoundingClientRect()])
            .filter(([, at]) => at.top >= top && at.bottom <= bottom)
            .map(([text, at]) => [text, at.top]));
        }"""
    )
    return found


def test_nothing_that_is_seen_jumps_when_older_messages_arrive(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/messages/**", lambda route: held.append(route))  # noqa: PLW0108 - it asks how many it takes
    for _ in range(4):
        ask_for_older(page)
        while not held:
            page.locator(".row").first.wait_for()
        before, tall = seen(page), height(page)
        held.pop().continue_()
        expect(page.locator(".messages-older")).to_have_count(0)
        assert height(page) > tall, "older messages are there"
        after = seen(page)
        assert before
        assert max(abs(after[text] - top) for text, top in before.items()) <= 1


def test_the_very_first_message_is_a_click_away_and_costs_no_more_than_the_last(page: Page) -> None:
    page.evaluate(
        """() => {
          window.rows = { now: 0, added: 0 };
          const count = (nodes) => [...nodes].filter((node) => node.querySelector?.('.row')).length;
          new MutationObserver((changes) => {
            for (const { addedNodes } of changes) window.rows.added += count(addedNodes);
          }).observe(document.querySelector('.messages-scroll'), { childList: true, subtree: true });
        }"""
    )
    newest = most_rows_for_a_step(page)
    scroll(page, 100 * STEP_PX)
    page.get_by_role("button", name="number 1", exact=True).click()
    expect(page.locator(".row-highlighted .content")).to_have_text("number 1")
    expect(page.locator(".row-highlighted")).to_be_in_viewport()
    assert page.locator(".row").count() <= ROWS_MAX
    assert height(page) > MESSAGES * 20, "all of them are there"
    oldest = most_rows_for_a_step(page, down=True)
    assert 0 < oldest <= max(newest, ROWS_MAX)
    page.get_by_role("button", name="Jump to latest").click()
    expect(bubbles(page).last).to_have_text("Do you remember how it began?")
    expect(bubbles(page).last).to_be_in_viewport()
    assert page.locator(".row").count() <= ROWS_MAX


def most_rows_for_a_step(page: Page, *, down: bool = False) -> int:
    """Rows that were made for one step of scrolling, at most; what a frame takes is made of them."""
    most = 0
    for _ in range(12):
        page.evaluate("window.rows.added = 0")
        scroll(page, STEP_PX if down else -STEP_PX)
        expect(page.locator(".messages-older")).to_have_count(0)
        most = max(most, page.evaluate("window.rows.added"))
        assert page.locator(".row").count() <= ROWS_MAX
    return most

"""Two people and the web client, in a real browser on a real server."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import proofs
from tests.e2e.server import running
from tests.web.browser.conftest import Stage, open_private, say

AXE = Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SENT = ":not(.row-pending)"
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


def test_two_people_chat_and_see_what_was_read_and_who_writes(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    expect(ana.locator(".mark-read")).to_have_count(1)
    luis.locator(".composer textarea").press_sequentially("I am")
    expect(ana.locator(".conversation-head .item-typing")).to_have_text("typing…")
    luis.keyboard.press("Enter")
    expect(ana.locator(".row-other .content")).to_have_text("I am")
    expect(ana.locator(".item-typing")).to_have_count(0)


def test_a_message_is_answered_corrected_and_taken_back(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    luis.locator(".row-other").hover()
    luis.get_by_role("button", name="Reply").click()
    say(luis, "Hi")
    expect(ana.locator(".row-other .quote")).to_contain_text("Hello Luis")
    luis.keyboard.press("ArrowUp")
    expect(luis.locator(".composer textarea")).to_have_value("Hi")
    say(luis, "Hi there")
    expect(ana.locator(".row-other .bubble")).to_contain_text("edited")
    luis.locator(".row-own").hover()
    luis.get_by_role("button", name="More").click()
    luis.get_by_role("menuitem", name="Delete").click()
    luis.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(ana.locator(".row-other .bubble")).to_contain_text("This message was deleted")


def test_what_is_written_without_a_server_outlives_the_tab_and_is_sent_once(
    stage: Stage, pair: tuple[Page, Page]
) -> None:
    ana, luis = pair
    stage.server.kill()
    expect(ana.locator(".banner")).to_contain_text("No connection")
    for text in ("first", "second"):
        say(ana, text)
    expect(ana.locator(".row-pending")).to_have_count(2)
    context = ana.context
    ana.close()
    stage.server.start()
    expect(luis.locator(".banner")).to_have_count(0)
    again = stage.visit(context)
    again.locator(".sidebar-list .item", has_text="Luis").click()
    expect(again.locator(f".row-own{SENT} .content")).to_have_text(["Hello Luis", "first", "second"])
    expect(luis.locator(".row-other .content")).to_have_text(["Hello Luis", "first", "second"])


def test_nothing_that_is_written_runs(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    for text in HOSTILE:
        say(ana, text)
    expect(luis.locator(".row-other .content")).to_have_count(1 + len(HOSTILE))
    assert luis.evaluate("window.hacked") is None
    assert luis.locator(".messages :is(script, img, svg:not(.icon, .ticks), iframe)").count() == 0


def test_a_long_conversation_has_only_what_is_visible_in_the_page(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    ana.evaluate(
        """async () => {
          const [{ id }] = (await (await fetch('/api/users?q=ana@')).json()).users;
          const inbox = await (await fetch(`/api/conversations/user/${id}`)).json();
          const conversationId = inbox.conversations[0].id;
          const send = (content) => fetch('/api/messages', {
            method: 'POST', headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ conversationId, senderId: id, content }),
          });
          for (let from = 0; from < 600; from += 50) {
            const sent = await Promise.all(Array.from({ length: 50 }, (_, n) => send(`number ${from + n}`)));
            if (sent.some((answer) => !answer.ok)) throw new Error(`${sent[0].status}: ${await sent[0].text()}`);
          }
        }"""
    )
    luis.reload()
    luis.locator(".sidebar-list .item", has_text="Ana").click()
    expect(luis.locator(".row .content", has_text="number")).not_to_have_count(0)
    most = 0
    while luis.locator(".row .content", has_text="Hello Luis").count() == 0:
        luis.evaluate("document.querySelector('.messages-scroll').scrollBy(0, -1500)")
        luis.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        most = max(most, luis.locator(".row").count())
    assert 0 < most < 100
    luis.get_by_role("button", name="Jump to latest").click()
    expect(luis.locator(".row .content").last).to_have_text(re.compile("number 5"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(stage: Stage, theme: str) -> None:
    page = stage.visit(stage.context(AXE.read_text(), color_scheme=theme))
    _check(page)
    stage.sign_in("Luis")
    ana = stage.sign_in("Ana", script=AXE.read_text(), color_scheme=theme)
    _check(ana)
    open_private(ana, "Luis")
    say(ana, "Look: https://example.com `code`")
    expect(ana.locator(f".row-own{SENT}")).to_have_count(1)
    _check(ana)
    ana.locator(".conversation-title").click()
    _check(ana)
    ana.keyboard.press("Escape")
    ana.get_by_role("button", name="New group").click()
    _check(ana)
    ana.keyboard.press("Escape")
    ana.get_by_role("button", name="Menu").click()
    ana.get_by_role("menuitem", name="Settings").click()
    _check(ana)


def _check(page: Page) -> None:
    page.evaluate("Promise.allSettled(document.getAnimations().map((animation) => animation.finished))")
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", WCAG)["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_in_jwt_mode_the_host_page_says_who_it_is_and_pictures_are_signed(stage: Stage, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    with running(tmp_path / "jwt", **proofs.ENVIRONMENT) as server:
        stage.server = server
        picture.write_bytes(_png())
        luis = proofs.token("luis", name="Luis", email="luis@example.com")
        ana = proofs.token("ana", name="Ana", email="ana@example.com")
        stage.visit(stage.context(f"window.chatapp = {{ token: {luis!r} }}")).wait_for_selector(".me-name")
        page = stage.visit(stage.context(f"window.chatapp = {{ token: () => Promise.resolve({ana!r}) }}"))
        open_private(page, "Luis")
        page.locator("input[type=file]").set_input_files(picture)
        page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
        shown = page.locator("button.picture img")
        expect(shown).to_have_attribute("src", re.compile(r"[?&]sig="))
        page.wait_for_function("document.querySelector('button.picture img').naturalWidth > 0")
        stranger = stage.visit(stage.context())
        expect(stranger.get_by_role("status")).to_have_text(re.compile("Waiting for the page"))
        for context in stage.contexts:
            context.close()
        stage.contexts.clear()


def _png() -> bytes:
    data = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(data, "PNG")
    return data.getvalue()

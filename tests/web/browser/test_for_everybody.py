"""The web client without a mouse, enlarged, in three languages, without motion, and as axe sees each of its screens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.axe import SCRIPT, assert_accessible
from tests.web.browser.conftest import DESK, Stage, bubbles, open_private, say

STEPS_MAX = 40
"""So many times Tab is pressed until what is looked for must have had the focus."""

ZOOMED = {"width": DESK["width"] // 2, "height": DESK["height"] // 2}
"""What a page is given at 200 %."""


# ---------------------------------------------------------------- axe
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_screen(stage: Stage, theme: str) -> None:
    marta = stage.sign_in("Marta")
    ana = stage.visit(stage.context(SCRIPT, color_scheme=theme))
    assert_accessible(ana, "signing in")
    stage.sign_in_at(ana, "Ana")
    assert_accessible(ana, "no conversations")
    ana.get_by_role("tab", name="People").click()
    assert_accessible(ana, "people")
    ana.get_by_label("Search people").fill("nobody at all")
    assert_accessible(ana, "nobody found")
    ana.get_by_label("Search people").fill("")
    open_private(ana, "Marta")
    assert_accessible(ana, "an empty conversation")
    say(ana, "Look: https://example.com `code`\n```\nblock\n```")
    open_private(marta, "Ana")
    say(marta, "Seen")
    expect(bubbles(ana)).to_have_count(2)
    assert_accessible(ana, "a conversation")
    ana.locator(".row-other").hover()
    ana.get_by_role("button", name="Reply").click()
    assert_accessible(ana, "replying")
    say(ana, "👍")
    ana.locator(".row-own").last.hover()
    ana.get_by_role("button", name="More").click()
    expect(ana.get_by_role("menu")).to_be_visible()
    assert_accessible(ana, "a message's menu")
    ana.get_by_role("menuitem", name="Delete").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "asking before deleting")
    ana.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(ana.locator(".bubble-removed")).to_have_count(1)
    assert_accessible(ana, "a deleted message")
    ana.get_by_role("button", name="Emoji").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "emoji")
    ana.keyboard.press("Escape")
    ana.locator(".conversation-title").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "somebody's details")
    ana.keyboard.press("Escape")
    files = [
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"},
        {"name": "a.exe", "mimeType": "a/b", "buffer": b""},
    ]
    ana.locator("input[type=file]").set_input_files(files)
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "sending files")
    ana.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()
    expect(ana.locator(".card-name")).to_have_text(["a.txt"])
    assert_accessible(ana, "a file")
    _axe_on_groups(ana)
    ana.get_by_role("button", name="Menu").click()
    expect(ana.get_by_role("menu")).to_be_visible()
    assert_accessible(ana, "the menu")
    ana.get_by_role("menuitem", name="Settings").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "settings")
    ana.keyboard.press("Escape")
    stage.server.stop()
    expect(ana.locator(".banner")).to_be_visible()
    say(ana, "not sent")
    assert_accessible(ana, "without a server")
    stage.server.start()


def _axe_on_groups(ana: Page) -> None:
    ana.get_by_role("button", name="New group").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    ana.get_by_role("checkbox", name="Marta").check()
    assert_accessible(ana, "a new group")
    ana.get_by_label("Group name").fill("Trip")
    ana.get_by_role("button", name="Create group").click()
    ana.locator(".conversation-title", has_text="Trip").click()
    expect(ana.get_by_role("dialog")).to_be_visible()
    assert_accessible(ana, "a group's details")
    for step in ("Add people", "Edit group", "Leave group"):
        ana.get_by_role("button", name=step).click()
        expect(ana.get_by_role("dialog", name="Details")).to_have_count(0)
        assert_accessible(ana, step)
        ana.keyboard.press("Escape")
        expect(ana.get_by_role("dialog", name="Details")).to_be_visible()
    ana.keyboard.press("Escape")
    expect(ana.get_by_role("dialog")).to_have_count(0)


# ---------------------------------------------------------------- the keyboard alone
def tab_to(page: Page, name: str, *, key: str = "Tab") -> None:
    """Until what has the focus has this name."""
    seen = []
    for _ in range(STEPS_MAX):
        page.keyboard.press(key)
        seen.append(focused(page))
        if seen[-1].startswith(name):
            return
    raise AssertionError(f"{name!r} never had the focus, but {seen}")


def focused(page: Page) -> str:
    name: str = page.evaluate(
        """() => {
          const at = document.activeElement;
          const [label] = at.labels ?? [];
          const text = label?.querySelector('.item-name') ?? label?.querySelector('span') ?? at;
          return at.getAttribute('aria-label') ?? text.innerText;
        }"""
    )
    return name.strip()


def test_the_keyboard_alone_will_do(stage: Stage) -> None:
    luis = stage.sign_in("Luis")
    page = stage.visit(stage.context())
    keys = page.keyboard
    tab_to(page, "Your name")
    keys.type("Ana")
    tab_to(page, "E-mail")
    keys.type("ana@example.com")
    keys.press("Enter")
    expect(page.locator(".me-status")).to_have_text("Online")

    tab_to(page, "Chats")
    keys.press("ArrowRight")
    assert focused(page) == "People"
    tab_to(page, "L")  # the avatar's letter, then Luis
    keys.press("Enter")
    expect(page.locator(".composer textarea")).to_be_focused()
    keys.type("Helo")
    keys.press("Enter")
    open_private(luis, "Ana")
    expect(bubbles(luis)).to_have_text(["Helo"])

    keys.press("ArrowUp")
    expect(page.locator(".composer textarea")).to_have_value("Helo")
    keys.press("ControlOrMeta+A")
    keys.type("Hello")
    keys.press("Enter")
    expect(bubbles(luis)).to_have_text(["Hello"])
    say(luis, "How are you?")
    expect(bubbles(page)).to_have_count(2)

    tab_to(page, "Messages", key="Shift+Tab")
    keys.press("ArrowUp")
    expect(page.get_by_label(re.compile("^Luis, "))).to_be_focused()
    tab_to(page, "Reply")
    keys.press("Enter")
    expect(page.locator(".composer textarea")).to_be_focused()
    keys.type("Fine")
    keys.press("Enter")
    expect(luis.locator(".row-other .quote")).to_contain_text("How are you?")

    tab_to(page, "Messages", key="Shift+Tab")
    keys.press("End")
    expect(page.get_by_label(re.compile("^You, ")).last).to_be_focused()
    tab_to(page, "More")
    keys.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy text")).to_be_focused()
    keys.press("End")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Delete")
    keys.press("Enter")
    expect(luis.locator(".bubble-removed")).to_have_count(1)
    expect(page.locator(".row", has=page.locator(".bubble-removed"))).to_be_focused()


def test_dialogs_give_the_focus_back(stage: Stage) -> None:
    stage.sign_in("Luis")
    page = stage.sign_in("Ana")
    keys = page.keyboard
    tab_to(page, "New group")
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Group name")
    keys.type("Trip")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="New group")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Group name")
    keys.type("Trip")
    tab_to(page, "Luis")
    keys.press("Space")
    tab_to(page, "Create group")
    keys.press("Enter")
    expect(page.locator(".conversation-title")).to_contain_text("Trip")
    expect(page.locator(".composer textarea")).to_be_focused()

    tab_to(page, "Details", key="Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Edit group")
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Edit group")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Details")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Details", exact=True)).to_be_focused()
    tab_to(page, "Menu", key="Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_role("menuitemradio", name="Online")).to_be_focused()
    for _ in range(4):
        keys.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Settings")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Menu")).to_be_focused()


# ---------------------------------------------------------------- languages, zoom, motion
@pytest.mark.parametrize(
    ("locale", "language", "enter", "people", "placeholder"),
    [
        ("es-ES", "es", "Empezar", "Personas", "Mensaje"),
        ("en-US", "en", "Start chatting", "People", "Message"),
        ("pt-BR", "pt", "Começar", "Pessoas", "Mensagem"),
        ("fr-FR", "en", "Start chatting", "People", "Message"),
    ],
)
def test_it_speaks_the_browser_s_language(
    stage: Stage, locale: str, language: str, enter: str, people: str, placeholder: str
) -> None:
    stage.sign_in("Luis")
    page = stage.visit(stage.context(locale=locale))
    page.locator("input[name=name]").fill("Ana")
    page.locator("input[name=email]").fill("ana@example.com")
    page.get_by_role("button", name=enter).click()
    page.get_by_role("tab", name=people).click()
    page.locator(".sidebar-list .item", has_text="Luis").click()
    expect(page.get_by_placeholder(placeholder, exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", language)


def test_another_language_and_look_can_be_chosen_and_stay(stage: Stage) -> None:
    page = stage.sign_in("Ana")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("menuitem", name="Settings").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Appearance").select_option("Dark")
    page.get_by_label("Language").select_option("Português")
    expect(page.get_by_role("dialog", name="Configurações")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab", name="Pessoas")).to_be_visible()
    expect(page.locator(".chatapp")).to_have_attribute("data-theme", "dark")


def test_at_200_percent_nothing_has_to_be_scrolled_sideways(stage: Stage) -> None:
    stage.sign_in("Luis")
    page = stage.visit(stage.context(viewport=ZOOMED, device_scale_factor=2))
    fits(page, "signing in")
    stage.sign_in_at(page, "Ana")
    fits(page, "conversations")
    open_private(page, "Luis")
    say(page, "w" * 400)
    say(page, "```\n" + "code " * 80 + "\n```")
    expect(bubbles(page)).to_have_count(2)
    fits(page, "a conversation")
    page.locator(".conversation-title").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    fits(page, "details")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="New group").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    fits(page, "a new group")
    page.get_by_role("button", name="Create group").scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Create group")).to_be_in_viewport()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("menu")).to_be_visible()
    fits(page, "the menu")
    page.get_by_role("menuitem", name="Settings").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    fits(page, "settings")


def fits(page: Page, screen: str) -> None:
    """What is too wide may scroll within itself, as code does."""
    wide = page.evaluate(
        """() => ['html', '.messages-scroll', '.sidebar-list', '.dialog-body', '.sign-in']
          .flatMap((name) => [...document.querySelectorAll(name)])
          .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.className || each.tagName)"""
    )
    assert (screen, wide) == (screen, [])


def test_who_wants_no_motion_gets_none(stage: Stage) -> None:
    stage.sign_in("Luis")
    page = stage.sign_in("Ana", reduced_motion="reduce")
    page.evaluate(
        """() => {
          window.longest = 0;
          const look = () => {
            for (const each of document.getAnimations()) {
              const { duration, iterations } = each.effect.getComputedTiming();
              if (iterations < 9) window.longest = Math.max(window.longest, duration);
            }
          };
          for (const event of ['animationstart', 'transitionstart', 'transitionrun']) {
            document.addEventListener(event, look, true);
          }
        }"""
    )
    open_private(page, "Luis")
    say(page, "Hello")
    page.locator(".row-own").hover()
    page.locator(".conversation-title").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("window.longest") < 1

"""People who use the web client, each in a browser context of their own, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.e2e.server import Server, running
from tests.engines.dynamodb import DynamoEngine

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BEEPING = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
"""A microphone that beeps, and a user who lets every page use it."""

WAIT_MS = 15_000
"""For what a busy machine takes its time for; nothing waits that long in vain but a failure."""

pytest.register_assert_rewrite("tests.web.browser.axe")

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

DESK = {"width": 1280, "height": 800}

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


on_both_stores = pytest.mark.parametrize("server", ["sqlite", "dynamodb"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests of a module: each finds it without people."""
    folder = tmp_path_factory.mktemp("server")
    if getattr(request, "param", "sqlite") == "sqlite":
        with running(folder) as server:
            yield server
        return
    engine = DynamoEngine()
    try:
        with running(folder, DYNAMODB_ENDPOINT=engine.endpoint, **KEYS) as server:
            yield server
    finally:
        engine.stop()


@dataclass
class Stage:
    """A server and who is on it. Whatever a page complains of is a failure at the end."""

    server: Server
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def context(self, script: str = "", **options: Any) -> BrowserContext:
        context = self.browser.new_context(**{"viewport": DESK, "locale": "en-GB", **options})
        context.set_default_timeout(WAIT_MS)
        if script:
            context.add_init_script(script)
        self.contexts.append(context)
        return context

    def visit(self, context: BrowserContext, url: str | None = None) -> Page:
        """The server's own page, or another one."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self._heard(said.text))
        page.goto(url or self.server.url)
        return page

    def sign_in(self, name: str, **options: Any) -> Page:
        return self.sign_in_at(self.visit(self.context(**options)), name)

    def sign_in_at(self, page: Page, name: str) -> Page:
        page.get_by_label("Your name").fill(name)
        page.get_by_label("E-mail").fill(f"{name.lower()}@example.com")
        page.get_by_role("button", name="Start chatting").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        expect(page.locator(".me-status")).to_have_text("Online")
        return page

    def _heard(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.complaints.append(text)

    def leave(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def forget_everybody(self) -> None:
        if self.server.process.poll() is not None:  # a test has ended it, and then itself
            self.server.start()
        for conversation in self.server.get("/api/conversations").json()["conversations"]:
            self.server.delete(f"/api/conversations/{conversation['id']}")
        for user in self.server.get("/api/users").json()["users"]:
            self.server.delete(f"/api/users/{user['id']}")


@contextmanager
def staged(server: Server, browser: Browser) -> Iterator[Stage]:
    """Cleared at the end, when nothing may have been complained of."""
    stage = Stage(server, browser)
    try:
        yield stage
    finally:
        stage.leave()
    assert stage.complaints == []


@pytest.fixture
def stage(server: Server, browser: Browser) -> Iterator[Stage]:
    try:
        with staged(server, browser) as stage:
            yield stage
    finally:
        stage.forget_everybody()


@pytest.fixture(scope="session")
def recording_browser(browser: Browser) -> Iterator[Browser]:
    """A second one, for such a microphone is there for the whole browser or not at all."""
    with browser.browser_type.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, BEEPING, ALLOWED]) as chromium:
        yield chromium


def open_private(page: Page, name: str) -> None:
    page.get_by_role("tab", name="People").click()
    page.locator(".sidebar-list .item", has_text=name).click()
    expect(page.locator(".conversation-title")).to_contain_text(name)


def open_chat(page: Page, name: str) -> None:
    page.get_by_role("tab", name="Chats").click()
    page.locator(".sidebar-list .item", has_text=name).click()
    expect(page.locator(".conversation-title")).to_contain_text(name)


def say(page: Page, text: str) -> None:
    page.locator(".composer textarea").fill(text)
    page.keyboard.press("Enter")


def bubbles(page: Page) -> Locator:
    """What has been said, as it stands in the list: without what is still on its way."""
    return page.locator(".row:not(.row-pending) .content")


def unread(page: Page, name: str) -> Locator:
    return page.locator(".sidebar-list .item", has_text=name).locator(".badge > [aria-hidden]")


def choose_in_menu(row: Locator, item: str) -> None:
    row.hover()
    row.get_by_role("button", name="More").click()
    row.page.get_by_role("menuitem", name=item).click()

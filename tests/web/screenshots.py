"""Makes ``docs/screenshots/*.webp``, the main screens of the web client, from ``chatapp demo`` at a fixed time.

scripts/screenshots [FOLDER]
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from chatapp.administration.demo.command import fill_store, in_folder, serving
from chatapp.settings import Settings
from tests.e2e.server import ROOT, free_port
from tests.web.browser import calling
from tests.web.browser.conftest import FLAGS

NOW = datetime(2026, 11, 20, 10, 40, tzinfo=UTC)
SHARPNESS = 1.5
QUALITY = 80

DESK = {"width": 1200, "height": 760}
ANSWERING = ("Elena Petrova", "Lucía Fernández", "Diego Molina")

PHONE = {"width": 390, "height": 780}


def open_chat(page: Page, name: str) -> None:
    page.locator(".sidebar-list .item", has_text=name).click()
    expect(page.locator(".messages-loading")).to_have_count(0)
    expect(page.locator(".item[aria-current] .badge")).to_have_count(0)


def signed_in(page: Page) -> None:
    page.get_by_role("button", name="Ana Suárez").click()
    expect(page.locator(".me-status")).to_have_text("Online")


def conversation(page: Page) -> None:
    signed_in(page)
    open_chat(page, "New app")


def details(page: Page) -> None:
    conversation(page)
    page.locator(".conversation-title").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def viewer(page: Page) -> None:
    signed_in(page)
    open_chat(page, "Diego Molina")
    page.locator("button.picture").click()
    expect(page.locator(".viewer > img")).to_have_js_property("complete", True)


def call(page: Page) -> None:
    conversation(page)
    browser = page.context.browser
    assert browser is not None
    others = [browser.new_context(locale="en-GB").new_page() for _ in ANSWERING]
    for other, name in zip(others, ANSWERING, strict=True):
        other.goto(page.url)
        other.get_by_role("button", name=name).click()
        expect(other.locator(".me-status")).to_have_text("Online")
    calling.call(page)
    for other in others:
        calling.answer(other)
    expect(page.locator('.tile-of[data-state="connected"]')).to_have_count(len(others))


SCREENS: dict[str, Callable[[Page], None]] = {
    "sign-in": lambda _: None,
    "conversations": signed_in,
    "conversation": conversation,
    "details": details,
    "viewer": viewer,
    "call": call,
}


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *calling.MEDIA])
        for place, size in (("desk", DESK), ("phone", PHONE)):
            for theme in ("light", "dark"):
                look = {"viewport": size, "color_scheme": theme, "has_touch": place == "phone"}
                with _demo() as url:  # a new one each time: what has been looked at is read
                    for name, go in SCREENS.items():
                        _save(_shot(browser, url, go, **look), target / f"{name}-{place}-{theme}.webp")
        browser.close()


@contextmanager
def _demo() -> Iterator[str]:
    with TemporaryDirectory() as folder:
        settings = in_folder(replace(Settings(), host="127.0.0.1", port=free_port()), Path(folder))
        fill_store(settings, now=NOW)
        with serving(settings):
            yield f"http://127.0.0.1:{settings.port}/"


def _shot(browser: Browser, url: str, go: Callable[[Page], None], **options: object) -> bytes:
    context = browser.new_context(
        locale="en-GB", timezone_id="Europe/Madrid", device_scale_factor=SHARPNESS, reduced_motion="reduce", **options
    )
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    page.goto(url)
    expect(page.get_by_role("button", name="Ana Suárez")).to_be_visible()
    go(page)
    page.mouse.move(0, 0)
    page.evaluate("Promise.allSettled([...document.images].map((picture) => picture.decode()))")
    shot = page.screenshot(animations="disabled", caret="hide")
    for each in browser.contexts:  # also of others, whom a screen needs
        each.close()
    return shot


def _save(shot: bytes, path: Path) -> None:
    Image.open(io.BytesIO(shot)).save(path, "WEBP", quality=QUALITY, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")

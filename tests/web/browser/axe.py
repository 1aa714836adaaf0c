"""What axe-core says of a page as it is shown."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = (Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


SETTLED = """Promise.allSettled(
  document.getAnimations()
    .filter((animation) => animation.effect.getComputedTiming().endTime < Infinity)
    .map((animation) => animation.finished)
)"""
"""Half faded in, everything has too little contrast. What moves for ever, such as a recorder's light, is not waited for."""


def assert_accessible(page: Page) -> None:
    """``SCRIPT`` must be an init script of the page's context."""
    page.evaluate(SETTLED)
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", WCAG)["violations"]
    wrong = [(each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in found]
    assert not wrong, wrong

"""What axe-core says of a page as it is shown."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = (Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SETTLE = """() => {
  for (const animation of document.getAnimations()) {
    if (animation.effect.getComputedTiming().iterations !== Infinity) animation.finish();
  }
}"""


def assert_accessible(page: Page, screen: str = "") -> None:
    """``SCRIPT`` must be an init script of the page's context."""
    page.evaluate(SETTLE)
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", WCAG)["violations"]
    assert [(screen, each["id"], each["nodes"][0]["html"]) for each in found] == []

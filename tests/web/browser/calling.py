"""Browsers with a camera that shows something and a microphone that beeps, and what goes through their connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.browser.conftest import FLAGS, Stage, open_private, say

FAKE_DEVICES = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
MEDIA = [
    FAKE_DEVICES,
    ALLOWED,
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # nobody answers mDNS in a container
    "--auto-select-desktop-capture-source=Entire screen",
]

TWO_OF_EACH = [f"{FAKE_DEVICES}=device-count=2", *MEDIA[1:]]

MAY_LOOK_IN = """
window.links = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(options) {
    super({ ...options, iceTransportPolicy: window.onlyRelay ? 'relay' : 'all' });
    window.links.push(this);
  }
};
window.reports = async () => {
  const open = window.links.filter((link) => link.connectionState === 'connected');
  return Promise.all(open.map(async (link) => [...(await link.getStats()).values()]));
};
"""
"""Tests see the connections themselves, and may forbid all ways but the relay."""

ONLY_RELAY = "window.onlyRelay = true;"


@contextmanager
def launched(browser: Browser, *flags: str) -> Iterator[Browser]:
    """Another Chromium: devices are there for the whole browser or not at all."""
    with browser.browser_type.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *flags]) as chromium:
        yield chromium


def sign_in(stage: Stage, name: str, *scripts: str, **options: object) -> Page:
    return stage.sign_in(name, script="".join([*scripts, MAY_LOOK_IN]), **options)


def acquainted(one: Page, name: str, other: Page, other_name: str) -> None:
    """Each has the conversation of the two open."""
    open_private(one, other_name)
    say(one, "Hello")
    open_private(other, name)
    expect(other.locator(".row-other .content")).to_have_text("Hello")


def make_group(page: Page, others: list[str]) -> None:
    """Of the page's own user and others, open on the page."""
    page.get_by_role("button", name="New group").first.click()
    page.get_by_label("Group name").fill("Friends")
    for name in others:
        page.get_by_role("dialog").get_by_label("Search people").fill(name)
        page.get_by_role("dialog").locator("label", has_text=name).click()
    page.get_by_role("button", name="Create group").click()
    expect(page.locator(".conversation-title")).to_contain_text("Friends")


def call(page: Page, kind: str = "Voice call") -> None:
    page.locator(".conversation-head").get_by_role("button", name=kind).click()


def answer(page: Page, how: str = "Answer") -> None:
    page.get_by_role("dialog").get_by_role("button", name=how, exact=True).click()


def hang_up(page: Page) -> None:
    page.get_by_role("button", name="Hang up").click()


def stage_of(page: Page) -> Locator:
    return page.locator(".call-stage")


def expect_connected(*pages: Page, others: int = 1) -> None:
    for page in pages:
        expect(page.locator(".call-status time")).to_be_visible()
        expect(page.locator('.tile-of[data-state="connected"]')).to_have_count(others)


def expect_over(*pages: Page) -> None:
    for page in pages:
        expect(stage_of(page)).to_have_count(0)


def expect_pictures(page: Page, others: int = 1) -> None:
    """From each of the others, pictures arrive and are decoded: more of them than a moment ago."""
    before = _frames_decoded(page)
    page.wait_for_function(
        f"""async ({{ before, others }}) => {{
          const now = await ({FRAMES_DECODED})();
          return now.length === others && now.every((frames, index) => frames > (before[index] ?? 0));
        }}""",
        arg={"before": before, "others": others},
        polling=100,
    )


FRAMES_DECODED = """async () => (await window.reports()).map((reports) => reports
  .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
  .reduce((sum, { framesDecoded }) => sum + (framesDecoded ?? 0), 0))"""


def _frames_decoded(page: Page) -> list[int]:
    frames: list[int] = page.evaluate(FRAMES_DECODED)
    return frames


def expect_sound(page: Page) -> None:
    """More of it than a moment ago."""
    before = page.evaluate(SAMPLES)
    page.wait_for_function(f"async (before) => (await ({SAMPLES})()) > before", arg=before, polling=100)


SAMPLES = """async () => (await window.reports()).flat()
  .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')
  .reduce((sum, { totalSamplesReceived }) => sum + (totalSamplesReceived ?? 0), 0)"""

SENT = """() => Object.fromEntries(window.links.filter((link) => link.connectionState === 'connected')
  .flatMap((link) => link.getSenders()).filter(({ track }) => track).map(({ track }) => [track.kind, track.label]))"""
"""Which devices the sound and the picture come from: their names."""

WAYS = """async () => (await window.reports()).map((reports) => {
  const pair = reports.find(({ type, nominated }) => type === 'candidate-pair' && nominated);
  return reports.find(({ id }) => id === pair?.localCandidateId)?.candidateType;
})"""
"""How each connection goes: ``host``, ``srflx``, ``relay``."""

"""Calls of the web client through a media server: its own client, LiveKit's, into a room and out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.server import free_port, running
from tests.web.browser import calling
from tests.web.browser.calling import (
    acquainted,
    answer,
    call,
    expect_connected,
    expect_over,
    hang_up,
    make_group,
    sign_in,
    stage_of,
)
from tests.web.browser.conftest import Stage, staged
from tests.web.browser.media_server import MediaServer, media_server

KEY, SECRET = "key", "a secret that LiveKit and the chat know"

WAIT_SECONDS = 15.0


@pytest.fixture(scope="module")
def phones(browser: Browser) -> Iterator[Browser]:
    with calling.launched(browser, *calling.MEDIA) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def media() -> Iterator[MediaServer]:
    with media_server(KEY, SECRET) as media:
        yield media


@pytest.fixture
def stage(tmp_path: Path, phones: Browser, media: MediaServer) -> Iterator[Stage]:
    with (
        running(tmp_path / "server", **settings(media.url), LIVEKIT_ALWAYS="on") as server,
        staged(server, phones) as one,
    ):
        yield one


def settings(url: str, secret: str = SECRET) -> dict[str, str]:
    return {"LIVEKIT_URL": url, "LIVEKIT_KEY": KEY, "LIVEKIT_SECRET": secret}


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    ana, bea = sign_in(stage, "Ana"), sign_in(stage, "Bea")
    acquainted(ana, "Ana", bea, "Bea")
    return ana, bea


def expect_to_grow(page: Page, kind: str, counter: str, others: int) -> None:
    """All streams of a kind come through one connection: each has more by now than a moment ago."""
    counted = f"""async () => (await window.reports()).flat()
      .filter(({{ type, kind }}) => type === 'inbound-rtp' && kind === '{kind}')
      .map((each) => [each.ssrc, each.{counter} ?? 0])"""
    before = page.evaluate(counted)
    page.wait_for_function(
        f"""async ({{ before, others }}) => {{
          const known = new Map(before);
          const grown = (await ({counted})()).filter(([ssrc, count]) => count > (known.get(ssrc) ?? 0));
          return grown.length >= others;
        }}""",
        arg={"before": before, "others": others},
        polling=200,
    )


def expect_pictures(page: Page, others: int = 1) -> None:
    expect_to_grow(page, "video", "framesDecoded", others)


def expect_sound(page: Page, others: int = 1) -> None:
    expect_to_grow(page, "audio", "totalSamplesReceived", others)


def test_two_see_and_hear_each_other_and_leave_nobody_in_the_room(pair: tuple[Page, Page], media: MediaServer) -> None:
    ana, bea = pair
    call(ana, "Video call")
    answer(bea, "Answer with video")
    expect_connected(ana, bea)
    for page in pair:
        expect_pictures(page)
        expect_sound(page)
    hang_up(bea)
    expect(stage_of(ana)).to_contain_text("Call ended")
    expect_over(ana, bea)
    expect(ana.locator(".call-card")).to_contain_text("Video call")
    give_up_at = time.monotonic() + WAIT_SECONDS
    while media.rooms():
        assert time.monotonic() < give_up_at, "both have left the room"
        time.sleep(0.05)


def test_what_one_switches_the_other_sees(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana, "Video call")
    answer(bea, "Answer without video")
    expect_connected(ana, bea)
    expect_pictures(bea)
    ana.get_by_role("button", name="Turn camera off").click()
    expect(bea.locator(".tile-of:not(.tile-floating) video")).to_have_count(0)
    bea.get_by_role("button", name="Turn camera on").click()
    expect_pictures(ana)
    ana.get_by_role("button", name="Mute microphone").click()
    expect(bea.locator(".tile-of").first).to_contain_text("is muted")
    ana.get_by_role("button", name="Share screen").click()
    expect(bea.locator(".tile-screen video")).to_be_visible()
    expect_pictures(bea)
    ana.get_by_role("button", name="Stop sharing").click()
    expect(bea.locator(".tile-screen")).to_have_count(0)


def test_a_call_of_more_than_the_mesh_goes_through_the_server(
    tmp_path: Path, phones: Browser, media: MediaServer
) -> None:
    names = ["Ana", "Bea", "Carlos"]
    with (
        running(tmp_path / "server", **settings(media.url), CALL_MESH_MAX="2") as server,
        staged(server, phones) as stage,
    ):
        pages = [sign_in(stage, name) for name in names]
        make_group(pages[0], names[1:])
        call(pages[0], "Video call")
        for page in pages[1:]:
            answer(page, "Answer with video")
        expect_connected(*pages, others=2)
        for page in pages:
            expect_pictures(page, others=2)
            expect_sound(page, others=2)
        hang_up(pages[2])
        expect_connected(*pages[:2])


@pytest.mark.parametrize("what", [MediaServer.drop, MediaServer.forget])
def test_the_call_goes_on_when_the_media_server_drops_or_forgets_everybody(
    pair: tuple[Page, Page], media: MediaServer, what: Callable[[MediaServer], None]
) -> None:
    ana, bea = pair
    call(ana, "Video call")
    answer(bea, "Answer with video")
    expect_connected(ana, bea)
    what(media)
    for page in pair:
        expect_pictures(page)
        expect_sound(page)
    expect_connected(ana, bea)


def test_one_is_told_that_the_media_server_refuses(tmp_path: Path, phones: Browser, media: MediaServer) -> None:
    expect_told(tmp_path, phones, settings(media.url, secret="another secret altogether"), "refuses us")


def test_one_is_told_that_the_media_server_cannot_be_reached(tmp_path: Path, phones: Browser) -> None:
    expect_told(tmp_path, phones, settings(f"ws://127.0.0.1:{free_port()}"), "cannot be reached from here")


def expect_told(folder: Path, phones: Browser, environment: dict[str, str], told: str) -> None:
    with running(folder / "server", **environment, LIVEKIT_ALWAYS="on") as server, staged(server, phones) as stage:
        ana, bea = sign_in(stage, "Ana"), sign_in(stage, "Bea")
        acquainted(ana, "Ana", bea, "Bea")
        call(ana)
        answer(bea)
        for page in (ana, bea):
            expect(page.locator(".call-note")).to_contain_text(f"The server for large calls {told}")
        hang_up(ana)
        expect_over(ana)

"""Voice notes: recorded with Chromium's fake microphone, which beeps, and heard on the other side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.server import Server, running
from tests.web.browser import axe
from tests.web.browser.conftest import ALLOWED, BEEPING, FLAGS, Stage, open_private, say, staged

ELSEWHERE = "--host-resolver-rules=MAP chat.test 127.0.0.1"

SENT = ":not(.row-pending)"

TOLERANCE_SECONDS = 1.0
"""The clock shows whole seconds, and a codec adds some silence. A pause of two is still noticed."""


@pytest.fixture
def studio(tmp_path: Path, recording_browser: Browser) -> Iterator[Stage]:
    with running(tmp_path / "studio") as server, staged(server, recording_browser) as stage:
        yield stage


@pytest.fixture
def pair(studio: Stage) -> tuple[Page, Page]:
    return _pair(studio)


def _pair(stage: Stage, **options: object) -> tuple[Page, Page]:
    luis, ana = stage.sign_in("Luis", **options), stage.sign_in("Ana", **options)
    open_private(ana, "Luis")
    say(ana, "Listen")
    open_private(luis, "Ana")
    expect(luis.locator(".row-other .content")).to_have_text("Listen")
    return ana, luis


def record(page: Page, seconds: int) -> None:
    page.get_by_role("button", name="Record a voice note").click()
    _wait_for(page, seconds)


def _wait_for(page: Page, seconds: int) -> None:
    """Or a little longer: a busy machine may miss a second."""
    expect(page.locator(".voice-time")).to_have_text(re.compile(f"^0:0[{seconds}-9]$"))


def _seconds(time: Locator) -> int:
    """Of a clock like ``0:04``."""
    minutes, seconds = time.inner_text().split(":")
    return int(minutes) * 60 + int(seconds)


def _slider(place: Locator) -> Locator:
    return place.get_by_role("slider", name="Position")


def _duration(server: Server, source: str) -> float:
    """In seconds, of the sound itself: the file does not say."""
    answer = requests.get(server.url + source, timeout=20)
    path = server.folder / "heard.webm"
    path.write_bytes(answer.content)
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def _sent_file(stage: Stage) -> dict[str, object]:
    """The newest message of the only conversation."""
    server = stage.server
    (me,) = server.get("/api/users?q=ana@").json()["users"]
    (conversation,) = server.get(f"/api/conversations/user/{me['id']}").json()["conversations"]
    message: dict[str, object] = server.get(f"/api/messages/{conversation['id']}").json()[-1]
    return message


def test_a_note_is_recorded_paused_listened_to_gone_on_with_sent_and_heard(
    studio: Stage, pair: tuple[Page, Page]
) -> None:
    ana, luis = pair
    record(ana, 2)
    ana.get_by_role("button", name="Pause, and listen to it").click()
    panel = ana.get_by_role("group", name="Voice note")
    panel.get_by_role("button", name="Play").click()
    expect(panel.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(panel.get_by_role("button", name="Play")).to_be_visible()  # to its end, and back to the beginning
    ana.get_by_role("button", name="Go on recording").click()
    _wait_for(ana, 4)
    ana.get_by_role("button", name="Pause, and listen to it").click()
    said = _seconds(panel.locator(".listening-time"))
    ana.get_by_role("button", name="Send").click()
    expect(ana.locator(f".row-own{SENT} .sound")).to_be_visible()
    expect(ana.locator(".composer textarea")).to_be_focused()

    message = _sent_file(studio)
    assert (message["messageType"], message["fileType"]) == ("audio", "audio/webm")
    assert _duration(studio.server, str(message["fileUrl"])) == pytest.approx(said + 0.5, abs=TOLERANCE_SECONDS)

    sound = luis.locator(".row-other .sound")
    heard = sound.locator(".listening-time")
    expect(heard).not_to_have_text("0:00")
    assert _seconds(heard) == pytest.approx(said, abs=TOLERANCE_SECONDS)
    expect(luis.locator(".sidebar-list .item-preview")).to_have_text("🎤 Voice note")
    sound.get_by_role("button", name="Play").click()
    expect(_slider(sound)).to_have_attribute("aria-valuenow", re.compile("[1-9]"))
    expect(sound.get_by_role("button", name="Play")).to_be_visible()
    assert "Infinity" not in luis.locator(".messages").inner_html()


def test_a_player_is_moved_by_keys_and_pointer_and_made_faster(pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    record(ana, 4)
    ana.get_by_role("button", name="Send").click()
    sound = luis.locator(".row-other .sound")
    slider = _slider(sound)
    expect(slider).to_have_attribute("aria-valuemax", re.compile("^[4-9]$"))
    length = int(slider.get_attribute("aria-valuemax") or "")
    slider.focus()
    luis.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^0:01 of 0:0[4-9]$"))
    luis.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", str(length))
    luis.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    box = slider.bounding_box()
    assert box is not None
    luis.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert int(slider.get_attribute("aria-valuenow") or "") == pytest.approx(length / 2, abs=1)
    sound.get_by_role("button", name="Speed 1×").click()
    sound.get_by_role("button", name="Speed 1.5×").click()
    expect(sound.get_by_role("button", name="Speed 2×")).to_be_visible()
    assert luis.locator(".conversation").is_visible(), "keys and clicks stay with the player"


def test_whoever_looks_elsewhere_finds_what_was_recorded(studio: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    record(ana, 1)
    ana.keyboard.press("Escape")
    expect(ana.locator(".welcome")).to_be_visible()
    expect(ana.locator(".sidebar-list .item-preview")).to_have_text("Draft: 🎤 Voice note")
    ana.locator(".sidebar-list .item").click()
    expect(_slider(ana.locator(".voice"))).to_be_visible()
    ana.get_by_role("button", name="Send").click()
    expect(luis.locator(".row-other .sound")).to_be_visible()
    record(ana, 1)
    ana.get_by_role("button", name="Discard the voice note").click()
    expect(ana.locator(".composer textarea")).to_be_focused()
    expect(ana.locator(".row-own .sound")).to_have_count(1)


def test_a_note_that_is_sent_without_a_server_arrives_when_there_is_one(studio: Stage, pair: tuple[Page, Page]) -> None:
    ana, luis = pair
    record(ana, 1)
    studio.server.kill()
    ana.get_by_role("button", name="Send").click()
    expect(ana.locator(".row-pending .card-name")).to_have_text("Voice note")
    context = ana.context
    ana.close()
    studio.server.start()
    studio.visit(context)
    expect(luis.locator(".row-other .sound")).to_have_count(1)


def test_the_server_s_limit_ends_a_recording_that_can_still_be_sent(tmp_path: Path, recording_browser: Browser) -> None:
    with (
        running(tmp_path / "small", FILE_UPLOAD_MAX_SIZE="20000") as server,
        staged(server, recording_browser) as stage,
    ):
        ana, luis = _pair(stage)
        ana.get_by_role("button", name="Record a voice note").click()
        expect(ana.locator(".voice-advice")).to_contain_text("as long as a voice note can be here (20 kB)")
        ana.get_by_role("button", name="Send").click()
        expect(luis.locator(".row-other .sound")).to_be_visible()
        assert 10_000 < int(str(_sent_file(stage)["fileSize"])) <= 20_000


def test_a_browser_that_records_mp4_is_heard_as_well(studio: Stage) -> None:
    only_mp4 = "MediaRecorder.isTypeSupported = (type) => type.startsWith('audio/mp4')"
    ana, luis = _pair(studio, script=only_mp4)
    record(ana, 2)
    ana.get_by_role("button", name="Send").click()
    expect(luis.locator(".row-other .sound .listening-time")).to_have_text(re.compile("^0:0[2-9]$"))
    message = _sent_file(studio)
    assert (message["messageType"], message["fileType"]) == ("audio", "audio/mp4")
    assert str(message["fileName"]).endswith(".m4a")


@pytest.mark.parametrize(
    ("flags", "script", "sentence"),
    [
        ([BEEPING], "", "The microphone is blocked for this page."),
        ([ALLOWED], "", "No microphone was found."),
        ([BEEPING, ALLOWED], "delete window.MediaRecorder", "This browser cannot record."),
        ([BEEPING, ALLOWED, ELSEWHERE], "", "Browsers give the microphone to secure pages only."),
    ],
    ids=["denied", "absent", "unsupported", "insecure"],
)
def test_without_a_microphone_a_sentence_says_what_to_do(
    tmp_path: Path, browser: Browser, flags: list[str], script: str, sentence: str
) -> None:
    with (
        running(tmp_path / "server") as server,
        browser.browser_type.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *flags]) as chromium,
    ):
        if ELSEWHERE in flags:
            server.url = server.url.replace("127.0.0.1", "chat.test")
        with staged(server, chromium) as stage:
            ana, _ = _pair(stage, script=script)
            ana.get_by_role("button", name="Record a voice note").click()
            expect(ana.locator(".voice .problem")).to_contain_text(sentence)
            expect(ana.get_by_role("button", name="Try again")).to_be_focused()
            ana.get_by_role("button", name="Close").click()
            expect(ana.locator(".composer textarea")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(studio: Stage, theme: str) -> None:
    ana, luis = _pair(studio, script=axe.SCRIPT, color_scheme=theme)
    record(ana, 1)
    axe.assert_accessible(ana)
    ana.get_by_role("button", name="Pause, and listen to it").click()
    axe.assert_accessible(ana)
    ana.get_by_role("button", name="Send").click()
    for page in (ana, luis):
        sound = page.locator(f".row{SENT} .sound")
        sound.get_by_role("button", name="Play").click()
        expect(sound.get_by_role("button", name="Pause")).to_be_visible()
        axe.assert_accessible(page)

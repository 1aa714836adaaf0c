"""Calls of the web client between real browsers: sound and pictures from one to the other, by a real server."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.server import Server, free_port, running
from tests.e2e.wire import clients
from tests.engines.coturn import running_coturn
from tests.web.browser import axe, calling
from tests.web.browser.calling import (
    acquainted,
    answer,
    call,
    expect_connected,
    expect_over,
    expect_pictures,
    expect_sound,
    hang_up,
    make_group,
    sign_in,
    stage_of,
)
from tests.web.browser.conftest import Stage, open_private, staged

ROOT = Path(__file__).parents[3]
CALLS_DOCUMENTED = ROOT / "docs" / "calls.md"
SOCKET_IO = (ROOT / "web" / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js").read_text()

ELSEWHERE = "--host-resolver-rules=MAP chat.test 127.0.0.1"
TURN_SECRET = "the secret of the relay"

HEARS_TONES = """
window.tones = [];
const { start } = AudioScheduledSourceNode.prototype;
AudioScheduledSourceNode.prototype.start = function (...at) {
  if (this instanceof OscillatorNode) window.tones.push(this.frequency.value);
  return start.apply(this, at);
};
"""
PICTURE_IN_PICTURE = """
let elsewhere = null;
Object.defineProperty(document, 'pictureInPictureElement', { get: () => elsewhere });
Object.defineProperty(document, 'pictureInPictureEnabled', { get: () => true });
HTMLVideoElement.prototype.requestPictureInPicture = async function () {
  elsewhere = this;
  this.dataset.elsewhere = '';
};
document.exitPictureInPicture = async () => {
  delete elsewhere.dataset.elsewhere;
  elsewhere = null;
};
"""
"""Chromium without a screen crashes when it is to open the window: here it says for which picture it was asked."""

ROUND_OF_RINGING_MS = 4_800
"""In which the slower of the two sounds of ringing would begin again."""

CALLS_MEASURED = 20
CONNECTED_WITHIN_SECONDS = 3.0
"""From the answer until both hear each other, at the 95th percentile."""


@pytest.fixture(scope="module")
def phones(browser: Browser) -> Iterator[Browser]:
    with calling.launched(browser, *calling.MEDIA) as chromium:
        yield chromium


@pytest.fixture
def stage(server: Server, phones: Browser) -> Iterator[Stage]:
    with staged(server, phones) as stage:
        yield stage


def names(count: int = 2) -> list[str]:
    """Of this test alone: the server is the module's."""
    return [f"{name}{uuid.uuid4().hex[:6]}" for name in ("Ana", "Bea", "Carlos", "Dora")[:count]]


@pytest.fixture
def pair(stage: Stage) -> tuple[Page, Page]:
    ana_name, bea_name = names()
    ana, bea = sign_in(stage, ana_name), sign_in(stage, bea_name)
    acquainted(ana, ana_name, bea, bea_name)
    return ana, bea


def test_two_see_and_hear_each_other_until_one_hangs_up(pair: tuple[Page, Page]) -> None:
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
    expect(ana.locator(".call-card")).to_contain_text(re.compile(r"Video call0:0\d+Call again"))
    expect(bea.locator(".call-card")).to_contain_text("Call back")


def test_what_one_switches_off_the_other_sees(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana, "Video call")
    answer(bea, "Answer without video")
    expect_connected(ana, bea)
    expect(ana.locator(".tile-of:not(.tile-floating) video")).to_have_count(0)
    ana.get_by_role("button", name="Mute microphone").click()
    expect(bea.locator(".tile-of").first).to_contain_text("is muted")
    ana.get_by_role("button", name="Turn camera off").click()
    expect(bea.locator(".tile-of video")).to_have_count(0)
    bea.get_by_role("button", name="Turn camera on").click()
    expect(ana.locator(".tile-of:not(.tile-floating) video")).to_have_count(1)
    expect_pictures(ana)


def test_a_screen_is_shown_beside_its_owner_and_taken_back(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana, "Voice call")
    answer(bea)
    expect_connected(ana, bea)
    ana.get_by_role("button", name="Share screen").click()
    expect(bea.locator(".tile-screen video")).to_be_visible()
    expect_pictures(bea)
    expect(stage_of(ana)).to_contain_text("You are sharing your screen")
    ana.get_by_role("button", name="Stop sharing").click()
    expect(bea.locator(".tile-screen")).to_have_count(0)
    expect_sound(bea)


def test_four_see_each_other(stage: Stage) -> None:
    people = names(4)
    pages = [sign_in(stage, name) for name in people]
    make_group(pages[0], people[1:])
    call(pages[0], "Video call")
    for page in pages[1:]:
        answer(page, "Answer with video")
    expect_connected(*pages, others=3)
    for page in pages:
        expect_pictures(page, others=3)
    hang_up(pages[3])
    expect_connected(*pages[:3], others=2)


def test_who_is_called_declines(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana)
    answer(bea, "Decline")
    expect(stage_of(ana)).to_contain_text("Call declined")
    ana.get_by_role("button", name="Close").click()
    expect_over(ana, bea)
    expect(ana.locator(".call-card")).to_contain_text("Declined")


def test_who_calls_gives_up(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana)
    expect(bea.get_by_role("dialog")).to_be_visible()
    ana.get_by_role("button", name="Cancel call").click()
    expect(bea.get_by_role("dialog")).to_have_count(0)
    expect(bea.locator(".call-missed")).to_contain_text("Missed voice call")


def test_who_is_in_a_call_is_busy(stage: Stage, pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana)
    answer(bea)
    expect_connected(ana, bea)
    (name,) = names(1)
    carlos = sign_in(stage, name)
    open_private(carlos, bea.locator(".me-name").inner_text())
    call(carlos)
    expect(stage_of(carlos)).to_contain_text("They are in another call.")
    expect(bea.get_by_role("dialog")).to_have_count(0)


def test_a_call_that_nobody_answers_is_missed(tmp_path: Path, phones: Browser) -> None:
    with running(tmp_path / "server", CALL_RING_SECONDS="2") as server, staged(server, phones) as stage:
        ana, bea = sign_in(stage, "Ana"), sign_in(stage, "Bea")
        acquainted(ana, "Ana", bea, "Bea")
        call(ana)
        expect(bea.get_by_role("dialog")).to_be_visible()
        expect(stage_of(ana)).to_contain_text("Nobody answered.")
        expect(bea.get_by_role("dialog")).to_have_count(0)
        bea.locator(".call-missed").get_by_role("button", name="Call back").click()
        expect(ana.get_by_role("dialog")).to_contain_text("Incoming voice call")


def test_two_who_call_each_other_at_once_are_in_one_call(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    for _ in range(5):
        for page in pair:  # both before either has heard of the other's
            page.evaluate("setTimeout(() => document.querySelector('[aria-label=\"Voice call\"]').click(), 100)")
        expect_connected(ana, bea)
        expect(ana.get_by_role("dialog")).to_have_count(0)
        hang_up(ana)
        bea.get_by_role("button", name="Close").click()
        expect_over(ana, bea)


def test_what_is_answered_on_one_device_rings_on_no_other(stage: Stage) -> None:
    ana_name, bea_name = names()
    ana, phone, laptop = (sign_in(stage, name) for name in (ana_name, bea_name, bea_name))
    acquainted(ana, ana_name, phone, bea_name)
    call(ana)
    expect(laptop.get_by_role("dialog")).to_be_visible()
    answer(phone)
    expect(laptop.get_by_role("dialog")).to_have_count(0)
    expect_connected(ana, phone)
    expect_over(laptop)


def test_a_call_goes_on_without_the_server_and_is_hung_up_with_it(tmp_path: Path, phones: Browser) -> None:
    with running(tmp_path / "server") as server, staged(server, phones) as stage:
        ana, bea = sign_in(stage, "Ana"), sign_in(stage, "Bea")
        acquainted(ana, "Ana", bea, "Bea")
        call(ana, "Video call")
        answer(bea, "Answer with video")
        expect_connected(ana, bea)
        server.kill()
        for page in (ana, bea):
            expect(stage_of(page)).to_contain_text("The call goes on.")
            expect_pictures(page)
        ana.get_by_role("button", name="Share screen").click()
        server.start()
        for page in (ana, bea):
            expect(stage_of(page)).not_to_contain_text("The call goes on.")
            expect_pictures(page)
        expect(bea.locator(".tile-screen video")).to_be_visible()
        hang_up(ana)
        expect(stage_of(bea)).to_contain_text("Call ended")


def test_all_goes_through_the_relay_where_there_is_no_other_way(tmp_path: Path, phones: Browser) -> None:
    with (
        running_coturn(tmp_path, TURN_SECRET) as coturn,
        running(tmp_path / "server", TURN_URLS=coturn.url, TURN_SECRET=TURN_SECRET) as server,
        staged(server, phones) as stage,
    ):
        ana, bea = (sign_in(stage, name, calling.ONLY_RELAY) for name in ("Ana", "Bea"))
        acquainted(ana, "Ana", bea, "Bea")
        call(ana, "Video call")
        answer(bea, "Answer with video")
        expect_connected(ana, bea)
        for page in (ana, bea):
            expect_pictures(page)
            assert page.evaluate(calling.WAYS) == ["relay"]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("refused", "The relay for calls (TURN) refuses us"),
        ("unreachable", "The relay for calls (TURN) cannot be reached"),
        ("blocked", "Your network blocks the way that calls take (UDP)"),
    ],
)
def test_the_caller_is_told_why_a_call_may_not_connect(
    tmp_path: Path, phones: Browser, problem: str, told: str
) -> None:
    with running_coturn(tmp_path, TURN_SECRET) as coturn:
        network = {
            "refused": {"TURN_URLS": coturn.url, "TURN_SECRET": "another secret altogether"},
            "unreachable": {"TURN_URLS": f"turn:127.0.0.1:{free_port()}?transport=tcp", "TURN_SECRET": TURN_SECRET},
            "blocked": {"STUN_URLS": f"stun:127.0.0.1:{free_port()}"},
        }[problem]
        with running(tmp_path / "server", **network) as server, staged(server, phones) as stage:
            ana, bea = sign_in(stage, "Ana"), sign_in(stage, "Bea")
            acquainted(ana, "Ana", bea, "Bea")
            call(ana)
            expect(ana.locator(".call-note")).to_contain_text(told)


@pytest.mark.parametrize(
    ("flags", "host", "told"),
    [
        ([], "127.0.0.1", "Microphone: None was found."),
        ([calling.FAKE_DEVICES], "127.0.0.1", "Microphone: Your browser does not let this page use it."),
        ([*calling.MEDIA, ELSEWHERE], "chat.test", "Microphone: Browsers give microphone and camera only to pages"),
    ],
)
def test_who_has_no_microphone_is_told_what_to_do(
    server: Server, browser: Browser, flags: list[str], host: str, told: str
) -> None:
    with calling.launched(browser, *flags) as chromium:
        elsewhere = Stage(server, chromium)
        context = elsewhere.context()
        page = context.new_page()
        page.goto(server.url.replace("127.0.0.1", host))
        (name,) = names(1)
        page.get_by_label("Your name").fill(name)
        page.get_by_label("E-mail").fill(f"{name}@example.com")
        page.get_by_role("button", name="Start chatting").click()
        bea = f"bea-{uuid.uuid4().hex[:6]}"
        with clients(server.url, bea):
            open_private(page, bea)
            call(page)
            expect(stage_of(page)).to_contain_text(told)
            expect(page.get_by_role("button", name="Try again")).to_be_visible()
        context.close()


def test_the_front_end_of_the_documentation_calls_ours(stage: Stage) -> None:
    ana_name, bea_name = names()
    ana, bea = (sign_in(stage, name, SOCKET_IO) for name in (ana_name, bea_name))
    acquainted(ana, ana_name, bea, bea_name)
    conversation_id = ana.url.rpartition("/")[2]
    stranger = stage.visit(ana.context)  # the same user, by code that is not ours
    ana.close()
    (code,) = re.findall(r"```js\n(export function calls.*?)```", CALLS_DOCUMENTED.read_text(), re.DOTALL)
    stranger.evaluate(
        f"""async (conversationId) => {{
          {code.removeprefix("export ")}
          const user = JSON.parse(localStorage.getItem('chatapp.session'));
          const socket = io(location.origin, {{ auth: {{ userId: user.id }}, transports: ['websocket'] }});
          const joining = {{ userId: user.id, name: user.name, email: user.email }};
          window.theirs = calls(socket, joining, () => undefined, (reason) => (window.ending = reason));
          await new Promise((connected) => socket.once('connect', connected));
          await window.theirs.start(conversationId);
        }}""",
        conversation_id,
    )
    answer(bea, "Answer with video")
    expect_connected(bea)
    expect_pictures(bea)
    expect_pictures(stranger)
    hang_up(bea)
    stranger.evaluate(
        """() => new Promise((told) => {
          const look = () => (window.ending === 'hangup' ? told() : setTimeout(look, 50));
          look();
        })"""
    )


def test_a_stranger_signals_to_nobody(pair: tuple[Page, Page], server: Server) -> None:
    ana, bea = pair
    heard: list[str] = []
    ana.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    ana.reload()
    expect(ana.locator(".me-status")).to_have_text("Online")
    call(ana)
    answer(bea)
    expect_connected(ana, bea)
    (joined,) = (json.loads(frame[frame.index("[") :])[1] for frame in heard if '"call_participant_joined"' in frame)
    with clients(server.url, f"eve-{uuid.uuid4().hex[:6]}") as (eve,):
        offer = {"type": "offer", "sdp": "v=0\r\n"}
        to = joined["participant"]["participantId"]
        refused = eve.call("call_signal", {"callId": joined["callId"], "to": to, "description": offer})
    assert refused["error"]["code"] == "not_a_participant"
    expect_sound(bea)


def test_calls_connect_quickly(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    took = []
    for _ in range(CALLS_MEASURED):
        call(ana)
        accept = bea.get_by_role("dialog").get_by_role("button", name="Answer", exact=True)
        accept.wait_for()
        began = time.monotonic()
        accept.click()
        for page in pair:
            page.locator(".call-status time").wait_for()
        took.append(time.monotonic() - began)
        hang_up(ana)
        bea.get_by_role("button", name="Close").click()
        expect_over(ana, bea)
    assert sorted(took)[int(0.95 * CALLS_MEASURED) - 1] <= CONNECTED_WITHIN_SECONDS, took


def test_it_rings_where_one_is_called_and_where_one_waits_until_it_is_answered(stage: Stage) -> None:
    ana_name, bea_name = names()
    ana, bea = (sign_in(stage, name, HEARS_TONES) for name in (ana_name, bea_name))
    acquainted(ana, ana_name, bea, bea_name)
    call(ana)
    bea.wait_for_function("() => window.tones.includes(523)")
    ana.wait_for_function("() => window.tones.includes(425)")
    answer(bea)
    expect_connected(ana, bea)
    for page in (ana, bea):
        page.evaluate("window.tones.length = 0")
    ana.wait_for_timeout(ROUND_OF_RINGING_MS)
    assert [page.evaluate("window.tones") for page in (ana, bea)] == [[], []]


def test_a_muted_conversation_rings_without_a_sound(stage: Stage) -> None:
    ana_name, bea_name = names()
    ana, bea = (sign_in(stage, name, HEARS_TONES) for name in (ana_name, bea_name))
    acquainted(ana, ana_name, bea, bea_name)
    bea.locator(".conversation-head").get_by_role("button", name="Mute").click()
    call(ana)
    expect(bea.get_by_role("dialog")).to_be_visible()
    ana.wait_for_function("() => window.tones.includes(425)")
    answer(bea)
    expect_connected(ana, bea)
    assert not bea.evaluate("window.tones.includes(523)")


def test_the_other_s_picture_is_put_into_a_window_of_its_own_and_taken_back(stage: Stage) -> None:
    ana_name, bea_name = names()
    ana, bea = sign_in(stage, ana_name, PICTURE_IN_PICTURE), sign_in(stage, bea_name)
    acquainted(ana, ana_name, bea, bea_name)
    call(ana, "Video call")
    answer(bea, "Answer without video")
    expect_connected(ana, bea)
    expect(ana.get_by_role("button", name="Picture in picture")).to_have_count(0)
    bea.get_by_role("button", name="Turn camera on").click()
    expect_pictures(ana)
    ana.get_by_role("button", name="Picture in picture").click()
    expect(ana.locator(".tile-of:not(.tile-floating) video[data-elsewhere]")).to_have_count(1)
    ana.get_by_role("button", name="Picture in picture").click()
    expect(ana.locator("video[data-elsewhere]")).to_have_count(0)


def test_another_camera_and_microphone_are_taken_in_mid_call_and_kept_for_the_next(
    server: Server, browser: Browser
) -> None:
    with calling.launched(browser, *calling.TWO_OF_EACH) as chromium, staged(server, chromium) as stage:
        ana_name, bea_name = names()
        ana, bea = sign_in(stage, ana_name), sign_in(stage, bea_name)
        acquainted(ana, ana_name, bea, bea_name)
        call(ana, "Video call")
        answer(bea, "Answer with video")
        expect_connected(ana, bea)
        before = ana.evaluate(calling.SENT)
        ana.get_by_role("button", name="Devices").click()
        dialog = ana.get_by_role("dialog")
        expect(dialog.locator("video")).to_be_visible()
        for device in ("Camera", "Microphone"):
            chooser = dialog.get_by_role("combobox", name=device)
            others = set(chooser.locator("option").all_inner_texts()[1:]) - set(before.values())
            chooser.select_option(label=min(others))
        ana.wait_for_function(
            f"""(before) => {{
              const sent = ({calling.SENT})();
              return sent.video !== before.video && sent.audio !== before.audio;
            }}""",
            arg=before,
        )
        chosen = ana.evaluate(calling.SENT)
        expect_pictures(bea)
        expect_sound(bea)
        dialog.get_by_role("button", name="Done").click()
        hang_up(ana)
        expect_over(ana, bea)
        call(ana, "Video call")
        answer(bea, "Answer with video")
        expect_connected(ana, bea)
        assert ana.evaluate(calling.SENT) == chosen


def test_one_chats_while_one_calls(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    call(ana)
    answer(bea)
    expect_connected(ana, bea)
    assert ana.locator(".main").get_attribute("inert") is not None
    ana.keyboard.press("Escape")
    expect(stage_of(ana)).to_have_attribute("data-small", "")
    ana.locator(".composer textarea").fill("Do you hear me?")
    ana.keyboard.press("Enter")
    bea.get_by_role("button", name="Back to the chat").click()
    expect(bea.locator(".row-other .content").last).to_have_text("Do you hear me?")
    expect_sound(bea)
    bea.get_by_role("button", name="Show the call").click()
    expect(bea.get_by_role("button", name="Back to the chat")).to_be_visible()


def test_a_call_is_answered_and_ended_by_the_keyboard(pair: tuple[Page, Page]) -> None:
    ana, bea = pair
    ana.locator(".conversation-head").get_by_role("button", name="Voice call").focus()
    ana.keyboard.press("Enter")
    expect(bea.get_by_role("dialog")).to_be_visible()
    for _ in range(5):
        if bea.evaluate("document.activeElement.textContent") == "Answer":
            break
        bea.keyboard.press("Tab")
    bea.keyboard.press("Enter")
    expect_connected(ana, bea)
    expect(bea.get_by_role("button", name="Mute microphone")).to_be_focused()
    bea.keyboard.press("Enter")
    expect(bea.get_by_role("button", name="Turn microphone on")).to_be_focused()
    bea.get_by_role("button", name="Hang up").focus()
    bea.keyboard.press("Enter")
    expect_over(ana, bea)
    expect(bea.locator(".conversation-title")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_a_call(stage: Stage, theme: str) -> None:
    ana_name, bea_name = names()
    shown = {"color_scheme": theme, "reduced_motion": "reduce"}
    ana, bea = (sign_in(stage, name, axe.SCRIPT, **shown) for name in (ana_name, bea_name))
    acquainted(ana, ana_name, bea, bea_name)
    call(ana, "Video call")
    expect(bea.get_by_role("dialog")).to_be_visible()
    axe.assert_accessible(ana)
    axe.assert_accessible(bea)
    answer(bea, "Answer with video")
    expect_connected(ana, bea)
    axe.assert_accessible(ana)
    ana.get_by_role("button", name="Devices").click()
    expect(ana.get_by_role("dialog").locator("video")).to_be_visible()
    axe.assert_accessible(ana)
    ana.keyboard.press("Escape")
    ana.get_by_role("button", name="Back to the chat").click()
    axe.assert_accessible(ana)
    ana.get_by_role("button", name="Show the call").click()
    hang_up(bea)
    expect(stage_of(ana)).to_contain_text("Call ended")
    axe.assert_accessible(ana)
    expect(bea.locator(".call-card")).to_be_visible()
    axe.assert_accessible(bea)

"""The media server of these tests does for the official client what LiveKit does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.web.browser.calling import MEDIA, launched
from tests.web.browser.conftest import WAIT_MS
from tests.web.browser.media_server import MediaServer, media_server

KEY = "key"
SECRET = "a secret of thirty-two characters"
CLIENT = Path(__file__).parents[1] / "livekit" / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"

JOIN = """async ({ url, token }) => {
  window.room = new LivekitClient.Room({ publishDefaults: { simulcast: false } });
  window.heard = [];
  for (const event of ['trackPublished', 'trackUnpublished', 'trackMuted', 'trackUnmuted'])
    room.on(event, (publication, participant) => heard.push([event, publication.source, participant.identity]));
  for (const event of ['participantConnected', 'participantDisconnected'])
    room.on(event, ({ identity }) => heard.push([event, identity]));
  room.on('trackSubscribed', (track) => document.body.append(track.attach()));
  room.on('trackUnsubscribed', (track) => track.detach().forEach((element) => element.remove()));
  await room.connect(url, token);
}"""

PUBLISH = "() => room.localParticipant.enableCameraAndMicrophone()"
UNPUBLISH = """async () => {
  const me = room.localParticipant;
  for (const { track } of [...me.trackPublications.values()]) await me.unpublishTrack(track);
}"""
ANOTHER_CAMERA = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  const { track } = room.localParticipant.getTrackPublication('camera');
  await track.replaceTrack(stream.getVideoTracks()[0]);
}"""

AWAIT_BACK = "() => { window.isBack = false; room.once('reconnected', () => { window.isBack = true; }); }"

MEDIA_OF = """async () => {
  const received = {};
  for (const { identity, trackPublications } of room.remoteParticipants.values())
    for (const { source, track } of trackPublications.values())
      for (const report of (await track?.getRTCStatsReport())?.values() ?? [])
        if (report.type === 'inbound-rtp')
          received[`${identity}'s ${source}`] = report.framesDecoded ?? report.totalSamplesReceived;
  return received;
}"""
"""What each track of the others has brought so far: decoded pictures or samples."""


@pytest.fixture(scope="module")
def chromium(browser: Browser) -> Iterator[Browser]:
    with launched(browser, *MEDIA) as chromium:
        yield chromium


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server(KEY, SECRET) as server:
        yield server


def token(identity: str, *, secret: str = SECRET, **claims: object) -> str:
    usual = {"iss": KEY, "sub": identity, "exp": int(time.time()) + 600, "video": {"roomJoin": True, "room": "room"}}
    return jwt.encode({**usual, **claims}, secret, "HS256")


def join(chromium: Browser, server: MediaServer, identity: str) -> Page:
    context = chromium.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(server.http_url)
    page.add_script_tag(path=CLIENT)
    page.evaluate(JOIN, {"url": server.url, "token": token(identity)})
    return page


def expect_media(page: Page, *tracks: str) -> None:
    """Of these tracks and no others, and more of it than a moment ago."""
    page.wait_for_function(
        f"""async ({{ before, tracks }}) => {{
          const now = await ({MEDIA_OF})();
          const isComplete = `${{Object.keys(now).sort()}}` === `${{tracks}}`;
          return isComplete && tracks.every((each) => now[each] > (before[each] ?? 0));
        }}""",
        arg={"before": page.evaluate(MEDIA_OF), "tracks": sorted(tracks)},
        polling=100,
    )


def camera_and_microphone(*identities: str) -> list[str]:
    return [f"{identity}'s {source}" for identity in identities for source in ("camera", "microphone")]


@contextmanager
def meeting(chromium: Browser, server: MediaServer) -> Iterator[list[Page]]:
    """Of Ana and Bea, who see and hear each other."""
    pages = [join(chromium, server, "ana"), join(chromium, server, "bea")]
    for page in pages:
        page.evaluate(PUBLISH)
    for page, other in zip(pages, ("bea", "ana"), strict=True):
        expect_media(page, *camera_and_microphone(other))
    yield pages
    for page in pages:
        leave(page)


def leave(page: Page) -> None:
    page.evaluate("() => room.disconnect()")
    page.context.close()


def test_three_people_see_and_hear_each_other(chromium: Browser, server: MediaServer) -> None:
    pages = {name: join(chromium, server, name) for name in ("ana", "bea", "carlos")}
    for page in pages.values():
        page.evaluate(PUBLISH)
    for name, page in pages.items():
        expect_media(page, *camera_and_microphone(*(pages.keys() - {name})))
    assert server.rooms()["room"].keys() == pages.keys()

    leave(pages["carlos"])
    expect_media(pages["ana"], *camera_and_microphone("bea"))
    pages["carlos"] = join(chromium, server, "carlos")
    pages["carlos"].evaluate(PUBLISH)
    expect_media(pages["ana"], *camera_and_microphone("bea", "carlos"))
    expect_media(pages["carlos"], *camera_and_microphone("ana", "bea"))
    for page in pages.values():
        leave(page)
    assert server.rooms() == {}


def test_tracks_come_and_go(chromium: Browser, server: MediaServer) -> None:
    ana, bea = join(chromium, server, "ana"), join(chromium, server, "bea")
    for _ in range(2):
        ana.evaluate(PUBLISH)
        expect_media(bea, *camera_and_microphone("ana"))
        ana.evaluate("() => room.localParticipant.setScreenShareEnabled(true)")
        expect_media(bea, *camera_and_microphone("ana"), "ana's screen_share")
        ana.evaluate(ANOTHER_CAMERA)
        expect_media(bea, *camera_and_microphone("ana"), "ana's screen_share")
        ana.evaluate(UNPUBLISH)
        expect_media(bea)
    leave(ana)
    leave(bea)


def test_muting_is_told(chromium: Browser, server: MediaServer) -> None:
    ana, bea = join(chromium, server, "ana"), join(chromium, server, "bea")
    ana.evaluate(PUBLISH)
    expect_media(bea, *camera_and_microphone("ana"))
    ana.evaluate("() => room.localParticipant.setMicrophoneEnabled(false)")
    bea.wait_for_function("() => `${heard.at(-1)}` === 'trackMuted,microphone,ana'")
    tracks = {track["source"]: track["muted"] for track in server.rooms()["room"]["ana"]["tracks"]}
    assert tracks == {"camera": False, "microphone": True}
    ana.evaluate("() => room.localParticipant.setMicrophoneEnabled(true)")
    bea.wait_for_function("() => `${heard.at(-1)}` === 'trackUnmuted,microphone,ana'")
    leave(ana)
    leave(bea)


def test_who_loses_the_signalling_resumes_and_the_others_do_not_notice(chromium: Browser, server: MediaServer) -> None:
    with meeting(chromium, server) as pages:
        for page in pages:
            page.evaluate("() => { heard.length = 0; }")
            page.evaluate(AWAIT_BACK)
        server.drop()
        for page, other in zip(pages, ("bea", "ana"), strict=True):
            page.wait_for_function("() => isBack")
            expect_media(page, *camera_and_microphone(other))
            assert page.evaluate("() => heard") == []
        carlos = join(chromium, server, "carlos")
        expect_media(carlos, *camera_and_microphone("ana", "bea"))
        leave(carlos)


def test_who_loses_everything_joins_again(chromium: Browser, server: MediaServer) -> None:
    with meeting(chromium, server) as pages:
        for page in pages:
            page.evaluate(AWAIT_BACK)
        server.forget()
        for page, other in zip(pages, ("bea", "ana"), strict=True):
            page.wait_for_function("() => isBack")
            expect_media(page, *camera_and_microphone(other))


def test_who_closes_the_page_has_left(chromium: Browser, server: MediaServer) -> None:
    ana, bea = join(chromium, server, "ana"), join(chromium, server, "bea")
    bea.context.close()
    ana.wait_for_function("() => `${heard.at(-1)}` === 'participantDisconnected,bea'")
    assert server.rooms()["room"].keys() == {"ana"}
    leave(ana)


def test_one_identity_is_in_once(chromium: Browser, server: MediaServer) -> None:
    before = join(chromium, server, "ana")
    after = join(chromium, server, "ana")
    before.wait_for_function("() => room.state === 'disconnected'")
    assert after.evaluate("() => room.state") == "connected"
    leave(after)


@pytest.mark.parametrize(
    "refused",
    [
        token("ana", secret="another secret, thirty-two characters"),
        token("ana", iss="another key"),
        token("ana", exp=int(time.time()) - 1),
        token("ana", video={"room": "room"}),
        token("ana", video={"roomJoin": True}),
        "",
    ],
)
def test_only_valid_tokens_let_in(server: MediaServer, refused: str) -> None:
    for path in ("/rtc", "/rtc/validate"):
        upgrade = {} if path.endswith("validate") else UPGRADE
        answer = requests.get(server.http_url + path, {"access_token": refused}, headers=upgrade, timeout=5)
        assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_a_valid_token_is_valid(server: MediaServer) -> None:
    answer = requests.get(server.http_url + "/rtc/validate", {"access_token": token("ana")}, timeout=5)
    assert answer.status_code == 200


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.web.browser.media_server.PROGRAM", tmp_path / "nowhere")
    with pytest.raises(RuntimeError, match=r"Cannot find module .*nowhere"), media_server(KEY, SECRET):
        pass

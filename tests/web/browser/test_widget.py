"""``<chatapp-widget>`` on a page of another origin, whose content policy allows nothing inline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.e2e import proofs
from tests.e2e.server import Server, running
from tests.web.browser import axe, calling
from tests.web.browser.conftest import Stage, open_private, say, staged
from tests.web.browser.host_page import HostPage, serving

SENT = ":not(.row-pending)"


@pytest.fixture
def host() -> Iterator[HostPage]:
    with serving() as host:
        yield host


@pytest.fixture
def embedded(tmp_path: Path, browser: Browser, host: HostPage) -> Iterator[Stage]:
    """A server in jwt mode that lists the host's origin, and Ana as whom the host knows its user."""
    with (
        running(tmp_path / "jwt", SOCKET_CORS_ORIGIN=host.url, **proofs.ENVIRONMENT) as server,
        _on(server, browser, host) as stage,
    ):
        yield stage


@contextmanager
def _on(server: Server, browser: Browser, host: HostPage) -> Iterator[Stage]:
    host.chat = server.url
    host.token = lambda: proofs.token("ana", name="Ana", email="ana@example.com")
    with staged(server, browser) as stage:
        yield stage


@pytest.fixture
def group(embedded: Stage) -> str:
    """A conversation of Ana and Luis, with a message of Luis's."""
    for name in ("Ana", "Luis"):
        user = {"id": name.lower(), "name": name, "email": f"{name.lower()}@example.com"}
        _post(embedded.server, name, "/api/users", user)
    made = _post(
        embedded.server,
        "Luis",
        "/api/conversations",
        {"type": "group", "name": "Order 7", "participants": ["ana", "luis"], "createdBy": "luis"},
    )
    conversation: str = made["id"]
    tell(embedded.server, conversation, "How can I help?")
    return conversation


def _post(server: Server, name: str, path: str, body: dict[str, Any]) -> Any:
    proof = proofs.token(name.lower(), name=name, email=f"{name.lower()}@example.com")
    answer = requests.post(server.url + path, json=body, headers=proofs.bearer(proof), timeout=20)
    assert answer.ok, answer.text
    return answer.json()


def tell(server: Server, conversation: str, content: str) -> None:
    """Luis does."""
    _post(server, "Luis", "/api/messages", {"conversationId": conversation, "senderId": "luis", "content": content})


def visit(stage: Stage, host: HostPage, query: str = "", *, clock: bool = False, **options: Any) -> Page:
    """``clock``: the page's time can be moved."""
    context = stage.context(**options)
    if clock:
        context.clock.install()
    return stage.visit(context, f"{host.url}/{query}")


def expect_told(page: Page, name: str, detail: str | re.Pattern[str]) -> None:
    """The last event of that name; ``detail`` is JSON."""
    expect(page.locator("body")).to_have_attribute(f"data-{name}", detail)


def test_one_conversation_is_read_and_written_on_another_origin(embedded: Stage, host: HostPage, group: str) -> None:
    host.attributes = f'conversation="{group}"'
    page = visit(embedded, host)
    expect(page.locator(".row-other .content")).to_have_text("How can I help?")
    expect(page.locator(".conversation-title")).to_contain_text("Order 7")
    for absent in (".sidebar", ".back"):
        expect(page.locator(absent)).to_have_count(0)
    assert page.evaluate("document.activeElement === document.body"), "the page's focus is left alone"
    say_there(page, "Where is my order?")
    expect(page.locator(f".row-own{SENT} .content")).to_have_text("Where is my order?")
    tell(embedded.server, group, "On its way")
    expect(page.locator(".row-other .content").last).to_have_text("On its way")
    page.keyboard.press("Escape")
    expect(page.locator(".conversation-title")).to_be_visible()
    expect_told(page, "ready", '{"userId":"ana"}')


def say_there(page: Page, text: str) -> None:
    page.locator(".composer textarea").click()
    say(page, text)


def test_the_page_s_style_stays_outside_and_its_policy_is_kept(embedded: Stage, host: HostPage, group: str) -> None:
    host.attributes = f'conversation="{group}" theme="dark" lang="es"'
    page = visit(embedded, host)
    send = page.get_by_role("button", name="Grabar una nota de voz")
    style = send.evaluate(
        "(button) => ['borderTopWidth', 'textTransform'].map((name) => getComputedStyle(button)[name])"
    )
    assert style == ["0px", "none"]
    size = page.locator(".composer textarea").evaluate("(field) => getComputedStyle(field).fontSize")
    assert size == "16px", "whatever the page makes of rem"
    expect(page.locator(".chatapp")).to_have_attribute("data-theme", "dark")
    page.evaluate("document.querySelector('chatapp-widget').setAttribute('theme', 'light')")
    expect(page.locator(".chatapp")).to_have_attribute("data-theme", "light")


def test_a_token_that_ends_is_asked_for_again_and_the_chat_goes_on(embedded: Stage, host: HostPage, group: str) -> None:
    lives = [62, 3600]  # the server warns a minute before the end
    host.token = lambda: proofs.token(
        "ana", name="Ana", email="ana@example.com", lasts=lives[min(host.tokens_made, 2) - 1]
    )
    host.attributes = f'conversation="{group}"'
    page = visit(embedded, host)
    expect(page.locator(".row-other .content")).to_have_text("How can I help?")
    with page.expect_response(re.compile("/token$")):
        pass
    assert host.tokens_made == 2
    say_there(page, "Still here")
    expect(page.locator(f".row-own{SENT} .content")).to_have_text("Still here")


def test_a_page_may_give_a_token_when_it_has_one(embedded: Stage, host: HostPage, group: str) -> None:
    page = visit(embedded, host, "?later")
    expect(page.get_by_role("status")).to_have_text(re.compile("Waiting for the page"))
    expect_told(page, "token-needed", "{}")
    page.evaluate("(token) => document.querySelector('chatapp-widget').setToken(token)", host.token())
    expect(page.locator(".me-name")).to_have_text("Ana")
    expect_told(page, "unread", '{"count":1}')


def test_the_whole_client_is_there_without_a_conversation(embedded: Stage, host: HostPage, group: str) -> None:
    page = visit(embedded, host)
    page.locator(".sidebar-list .item", has_text="Order 7").click()
    expect(page.locator(".row-other .content")).to_have_text("How can I help?")
    expect(page.locator(".composer textarea")).to_be_focused()
    expect_told(page, "unread", '{"count":0}')
    assert page.evaluate("location.hash") == ""
    page.keyboard.press("Escape")
    expect(page.locator(".welcome")).to_be_visible()


def test_what_is_folded_away_stays_unread(embedded: Stage, host: HostPage, group: str) -> None:
    host.attributes = f'conversation="{group}" hidden'
    page = visit(embedded, host, clock=True)
    expect_told(page, "unread", '{"count":1}')
    tell(embedded.server, group, "Hello?")
    expect_told(page, "unread", '{"count":2}')
    page.clock.run_for(2000)  # whoever sees a message has read it within 300 ms
    tell(embedded.server, group, "Anybody?")
    expect_told(page, "unread", '{"count":3}')
    page.evaluate("document.querySelector('chatapp-widget').hidden = false")
    expect_told(page, "unread", '{"count":0}')
    expect(page.locator(".row-other .content").last).to_have_text("Anybody?")


def test_a_page_that_is_not_listed_says_so(tmp_path: Path, browser: Browser, host: HostPage) -> None:
    with (
        running(tmp_path / "jwt", SOCKET_CORS_ORIGIN="https://shop.example.com", **proofs.ENVIRONMENT) as server,
        _on(server, browser, host) as stage,
    ):
        page = visit(stage, host)
        expect(page.get_by_role("alert")).to_contain_text(f"can put {host.url} on its list of origins")
        expect_told(page, "refused", re.compile("origin_not_allowed"))
        assert host.tokens_made == 0


def test_in_open_mode_people_sign_in_and_out_there(tmp_path: Path, browser: Browser, host: HostPage) -> None:
    with running(tmp_path / "open", SOCKET_CORS_ORIGIN=host.url) as server, _on(server, browser, host) as stage:
        stage.sign_in("Luis")
        page = visit(stage, host)
        page.get_by_label("Your name").fill("Ana")
        page.get_by_label("E-mail").fill("ana@example.com")
        page.get_by_role("button", name="Start chatting").click()
        open_private(page, "Luis")
        say_there(page, "From the shop")
        expect(page.locator(f".row-own{SENT} .content")).to_have_text("From the shop")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect_told(page, "signed-out", "{}")


def test_a_server_that_is_not_there_yet_is_waited_for(embedded: Stage, host: HostPage, group: str) -> None:
    page = visit(embedded, host)
    expect(page.locator(".me-name")).to_have_text("Ana")
    page.evaluate("document.querySelector('chatapp-widget').remove()")
    embedded.server.kill()
    page.evaluate(
        """() => {
          const widget = document.createElement('chatapp-widget');
          widget.getToken = async () => (await fetch('/token')).text();
          document.querySelector('main').append(widget);
        }"""
    )
    expect(page.get_by_role("status")).to_have_text("Connecting…")
    embedded.server.start()
    expect(page.locator(".me-name")).to_have_text("Ana")


def test_a_voice_note_is_recorded_and_heard_there(
    embedded: Stage, recording_browser: Browser, host: HostPage, group: str
) -> None:
    host.attributes = f'conversation="{group}"'
    embedded.browser = recording_browser
    page = visit(embedded, host)
    page.get_by_role("button", name="Record a voice note").click()
    expect(page.locator(".voice-time")).to_have_text(re.compile("^0:0[1-9]$"))
    page.get_by_role("button", name="Send").click()
    sound = page.locator(f".row-own{SENT} .sound")
    expect(sound.locator(".listening-time")).to_have_text(re.compile("^0:0[1-9]$"))
    sound.get_by_role("button", name="Play").click()
    expect(sound.get_by_role("button", name="Pause")).to_be_visible()
    expect(sound.get_by_role("button", name="Play")).to_be_visible()
    expect(sound.get_by_role("alert")).to_have_count(0)


def test_one_calls_and_answers_there(embedded: Stage, browser: Browser, host: HostPage, group: str) -> None:
    host.attributes = f'conversation="{group}"'
    with calling.launched(browser, *calling.MEDIA) as phones:
        embedded.browser = phones
        ana = visit(embedded, host, script=calling.MAY_LOOK_IN)
        expect(ana.locator(".content")).to_have_text("How can I help?")
        host.token = lambda: proofs.token("luis", name="Luis", email="luis@example.com")
        luis = visit(embedded, host, script=calling.MAY_LOOK_IN)
        expect(luis.locator(".content")).to_have_text("How can I help?")
        calling.call(ana, "Video call")
        calling.answer(luis, "Answer with video")
        calling.expect_connected(ana, luis)
        for page in (ana, luis):
            calling.expect_pictures(page)
            calling.expect_sound(page)
        calling.hang_up(luis)
        calling.expect_over(ana, luis)
        expect(ana.locator(".call-card")).to_be_visible()
        embedded.leave()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(embedded: Stage, host: HostPage, group: str, theme: str) -> None:
    host.attributes = f'conversation="{group}"'
    page = visit(embedded, host, script=axe.SCRIPT, color_scheme=theme)
    expect(page.locator(".row-other .content")).to_be_visible()
    axe.assert_accessible(page)
    page.evaluate("document.querySelector('chatapp-widget').removeAttribute('conversation')")
    expect(page.locator(".sidebar-list .item")).to_be_visible()
    axe.assert_accessible(page)

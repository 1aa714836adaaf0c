"""Signed URLs: for one file, one user, a quarter of an hour, and never for more than that user may have."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from chatapp.domain.commands import RemoveParticipant
from chatapp.domain.errors import FileNotStored, LinkExpired, LinkInvalid, ScopeMissing
from chatapp.domain.models import OPERATOR, Actor, Conversation, MessageType, Scope, Standing
from chatapp.services.file_links import LIFETIME, FileLink, FileLinks, link_key
from tests.services.conftest import World

KEY = link_key("a secret of the test")
PHOTO = "/api/files/photo.png"
BEA = Actor("bea", Standing.USER)


def nobody(_user_id: str, _at: datetime) -> bool:
    return False


@pytest.fixture
def links(world: World) -> FileLinks:
    return FileLinks(world.access, key=KEY, clock=world.clock, is_revoked=nobody)


@pytest.fixture
def team(world: World) -> Conversation:
    conversation = world.group("ana", "bea")
    file = world.store_file()
    world.say(conversation, by=Actor("ana", Standing.USER), attachment=file, message_type=MessageType.FILE)
    return conversation


def query_of(link: FileLink) -> dict[str, str]:
    assert link.signed_url is not None, link
    return dict(parse_qsl(urlsplit(link.signed_url).query))


def sign(links: FileLinks, url: str = PHOTO, *, actor: Actor = BEA) -> dict[str, str]:
    return query_of(links.sign([url], actor=actor)[0])


# ---------------------------------------------------------------- signing
def test_a_link_says_whose_it_is_and_when_it_ends(world: World, links: FileLinks, team: Conversation) -> None:
    (link,) = links.sign([PHOTO], actor=BEA)
    ends = world.clock.now() + timedelta(minutes=15)
    assert (link.url, link.expires_at, link.code) == (PHOTO, ends, None)
    assert (link.signed_url or "").startswith(f"{PHOTO}?ex={int(ends.timestamp())}&u=bea&sig=")
    assert links.holder_of("photo.png", query_of(link)) == BEA


def test_what_may_not_be_opened_is_not_signed_and_the_rest_is(links: FileLinks, team: Conversation) -> None:
    urls = ["/api/files/missing.png", PHOTO, "https://example.com/a.png", "/uploads/photo.png", "/api/files/../x"]
    signed = links.sign(urls, actor=BEA)
    assert [link.url for link in signed] == urls
    assert [link.code for link in signed] == ["file_not_found", None, "file_not_found", None, "file_not_found"]
    assert [link.signed_url is None for link in signed] == [link.code is not None for link in signed]
    assert [link.code for link in links.sign([PHOTO], actor=Actor("dora", Standing.USER))] == ["file_not_found"]


@pytest.mark.parametrize(
    ("actor", "holder"),
    [
        (OPERATOR, Actor(None, Standing.ADMIN)),
        (Actor("zoe"), Actor("zoe", Standing.ADMIN)),
        (Actor("zoe", Standing.ADMIN), Actor("zoe", Standing.ADMIN)),
        (Actor("bea", Standing.KEY, frozenset({Scope.ADMIN})), Actor("bea", Standing.ADMIN)),
    ],
)
def test_a_link_gives_no_more_than_its_asker_has(
    links: FileLinks, team: Conversation, actor: Actor, holder: Actor
) -> None:
    assert links.holder_of("photo.png", sign(links, actor=actor)) == holder


def test_a_key_needs_the_scope_that_sees_all(links: FileLinks, team: Conversation) -> None:
    with pytest.raises(ScopeMissing):
        links.sign([PHOTO], actor=Actor("ana", Standing.KEY, frozenset({Scope.MESSAGES_SEND})))
    (link,) = links.sign([PHOTO], actor=Actor(standing=Standing.KEY, scopes=frozenset({Scope.ADMIN})))
    assert links.holder_of("photo.png", query_of(link)).is_admin


# ---------------------------------------------------------------- what ends a link
def test_a_link_ends_after_a_quarter_of_an_hour(world: World, links: FileLinks, team: Conversation) -> None:
    query = sign(links)
    world.clock.advance(LIFETIME.total_seconds() - 0.001)
    assert links.holder_of("photo.png", query) == BEA
    world.clock.advance(0.001)
    with pytest.raises(LinkExpired):
        links.holder_of("photo.png", query)


def test_a_link_opens_nothing_more_once_its_user_is_taken_out(
    world: World, links: FileLinks, team: Conversation
) -> None:
    query = sign(links)
    world.access.open("photo.png", actor=links.holder_of("photo.png", query))
    leave = RemoveParticipant(conversation_id=team.id, user_id="bea")
    world.conversations.remove_participant(leave, actor=Actor("ana"))
    with pytest.raises(FileNotStored):
        world.access.open("photo.png", actor=links.holder_of("photo.png", query))


def test_a_link_ends_when_its_user_is_locked_out(world: World, team: Conversation) -> None:
    locked_out_at: dict[str, datetime] = {}
    links = FileLinks(
        world.access,
        key=KEY,
        clock=world.clock,
        is_revoked=lambda user_id, issued_at: user_id in locked_out_at and issued_at <= locked_out_at[user_id],
    )
    query = sign(links)
    assert links.holder_of("photo.png", query) == BEA
    locked_out_at["bea"] = world.clock.now()
    with pytest.raises(LinkInvalid):
        links.holder_of("photo.png", query)
    world.clock.advance(1)
    assert links.holder_of("photo.png", sign(links)) == BEA


# ---------------------------------------------------------------- forgeries
@pytest.mark.parametrize(
    "change",
    [
        {"u": "ana"},
        {"u": ""},
        {"u": None},
        {"all": "1"},
        {"ex": "9999999999"},
        {"ex": "x"},
        {"ex": None},
        {"sig": ""},
        {"sig": "A" * 43},
        {"sig": "ñ\ud800"},
        {"sig": None},
    ],
)
def test_a_link_that_was_changed_is_none(links: FileLinks, team: Conversation, change: dict[str, str | None]) -> None:
    forged = {name: value for name, value in (sign(links) | change).items() if value is not None}
    with pytest.raises(LinkInvalid):
        links.holder_of("photo.png", forged)


def test_a_link_to_one_file_opens_no_other(world: World, links: FileLinks, team: Conversation) -> None:
    with pytest.raises(LinkInvalid):
        links.holder_of("other.png", sign(links))


def test_a_link_of_another_secret_is_none(world: World, links: FileLinks, team: Conversation) -> None:
    others = FileLinks(world.access, key=link_key("another secret"), clock=world.clock, is_revoked=nobody)
    with pytest.raises(LinkInvalid):
        others.holder_of("photo.png", sign(links))

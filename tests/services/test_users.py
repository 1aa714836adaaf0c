"""The directory of users."""

from __future__ import annotations

import base64
import json
from itertools import chain

import pytest

from chatapp.domain.commands import JoinChat, ListUsers, SaveUser, SetStatus
from chatapp.domain.errors import ConversationNotFound, InvalidData, UnknownUsers, UserNotFound
from chatapp.domain.events import GroupDeleted, UserLeftGroup
from chatapp.domain.models import OPERATOR, Actor, Status, User
from tests.contracts.builders import BAD_CURSORS, NAMES, at
from tests.services.conftest import Overtake, World


def save(world: World, user_id: str, name: str, **fields: object) -> None:
    world.users.save(SaveUser(id=user_id, name=name, email=f"{user_id}@example.com", **fields), actor=OPERATOR)  # type: ignore[arg-type]


def ids(users: list[User]) -> list[str]:
    return [user.id for user in users]


def pages(world: World, **query: object) -> list[list[str]]:
    found, cursor = [], None
    for _ in range(20):  # more than any test here has; a cursor that stands still must fail, not hang
        page = world.users.list_page(ListUsers(cursor=cursor, **query), actor=OPERATOR)  # type: ignore[arg-type]
        found.append(ids(list(page.items)))
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


# ---------------------------------------------------------------- saving
def test_the_first_save_creates_and_the_next_updates(world: World) -> None:
    user, created = world.users.save(SaveUser(id="eva", name="Eva", email="e@x.y"), actor=OPERATOR)
    assert (user.id, user.name, user.status, created) == ("eva", "Eva", Status.OFFLINE, True)
    world.clock.advance(1)
    user, created = world.users.save(SaveUser(id="eva", name="Eve", email="e@x.y"), actor=OPERATOR)
    assert (user.name, user.created_at, user.updated_at, created) == ("Eve", at(0), at(1), False)
    assert world.users.get("eva", actor=OPERATOR) == user


def test_without_an_id_the_server_makes_one(world: World) -> None:
    first, _ = world.users.save(SaveUser(id=None, name="Eva", email="e@x.y"), actor=OPERATOR)
    second, _ = world.users.save(SaveUser(id=None, name="Eva", email="e@x.y"), actor=OPERATOR)
    assert first.id != second.id
    assert world.users.get(first.id, actor=OPERATOR) == first


def test_a_saved_user_shows_their_presence(world: World) -> None:
    world.online("ana")
    world.presence.set_status(SetStatus(status=Status.BUSY), actor=Actor("ana"))
    user, _ = world.users.save(SaveUser(id="ana", name="Ana", email="a@b.c"), actor=OPERATOR)
    assert (user.status, user.is_online) == (Status.BUSY, True)


def test_messages_carry_the_saved_name(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    save(world, "ana", "Anna")
    assert world.say(group).sender.name == "Anna"


def test_an_unknown_user_is_not_found(world: World) -> None:
    with pytest.raises(UserNotFound):
        world.users.get("ghost", actor=OPERATOR)
    with pytest.raises(UserNotFound):
        world.users.set_avatar("ghost", "/a.png")
    with pytest.raises(UserNotFound):
        world.users.delete("ghost", actor=OPERATOR)


def test_a_new_avatar_is_on_the_next_message(world: World) -> None:
    group = world.group("ana", "bea")
    world.say(group)
    user, before = world.users.set_avatar("ana", "/a.png")
    assert (user.avatar, before) == ("/a.png", None)
    assert world.say(group).sender.avatar == "/a.png"
    user, before = world.users.set_avatar("ana", None)
    assert (user.avatar, before) == (None, "/a.png")
    assert world.say(group).sender.avatar is None


# ---------------------------------------------------------------- deleting
def test_a_deleted_user_is_out_of_the_directory_and_every_group(world: World) -> None:
    mine, theirs, lonely = world.group("ana", "bea"), world.group("bea", "ana"), world.group("ana")
    private = world.private("ana", "bea")
    world.online("ana")
    world.events()
    user = world.users.delete("ana", actor=OPERATOR)
    assert (user.id, user.status) == ("ana", Status.ONLINE)
    with pytest.raises(UserNotFound):
        world.users.get("ana", actor=OPERATOR)
    for group in (mine, theirs):
        after = world.conversations.get(group.id)
        assert (after.participants, after.created_by) == (("bea",), "bea")
    with pytest.raises(ConversationNotFound):
        world.conversations.get(lonely.id)
    assert set(world.conversations.get(private.id).participants) == {"ana", "bea"}
    assert {event.conversation.id for event in world.published.of(UserLeftGroup)} == {mine.id, theirs.id, lonely.id}
    assert [event.conversation.id for event in world.published.of(GroupDeleted)] == [lonely.id]
    assert world.rooms.disconnected == ["ana"]


def test_a_deleted_users_messages_keep_their_name(world: World) -> None:
    private = world.private("ana", "bea")
    message = world.say(private)
    world.users.delete("ana", actor=OPERATOR)
    assert world.messages.with_replies(message.id, actor=OPERATOR)[0].sender.name == NAMES["ana"]


def test_a_deleted_user_sends_no_more(world: World) -> None:
    private = world.private("ana", "bea")
    world.say(private)
    world.users.delete("ana", actor=OPERATOR)
    with pytest.raises(UnknownUsers):
        world.say(private)


@pytest.mark.parametrize("way", ["taken_out", "group_deleted"])
def test_a_user_is_deleted_though_a_group_was_faster(world: World, overtake: Overtake, way: str) -> None:
    group, other = world.group("bea", "ana"), world.group("bea", "ana")

    def be_faster() -> None:
        if way == "group_deleted":
            world.conversations.delete(group.id, actor=OPERATOR)
        else:
            world.store.conversations.remove_participant(group.id, "ana", by="bea", now=at(1))

    overtake(lambda: world.users.delete("ana", actor=OPERATOR), world.store.conversations, "inbox", meanwhile=be_faster)
    with pytest.raises(UserNotFound):
        world.users.get("ana", actor=OPERATOR)
    assert world.conversations.get(other.id).participants == ("bea",)


# ---------------------------------------------------------------- listing
@pytest.fixture
def people(world: World) -> World:
    """By name: ana, bea, carlos, dora, élan, Zoe; online are Zoe and bea."""
    save(world, "u1", "Zoe")
    save(world, "u2", "élan", filials=("north", "south"))
    world.users.save(SaveUser(id="bea", name=NAMES["bea"], email="bea@example.com", filials=("north",)), actor=OPERATOR)
    world.join("bea")
    world.presence.join(
        JoinChat(name="Zoe", email="u1@example.com"),
        actor=Actor("u1"),
        socket_id="u1-1",
    )
    return world


ORDER = ["bea", "u1", "ana", "carlos", "dora", "u2"]


def test_users_are_listed_online_first_then_by_name(people: World) -> None:
    page = people.users.list_page(ListUsers(), actor=OPERATOR)
    assert ids(list(page.items)) == ORDER
    assert [user.is_online for user in page.items] == [True, True, False, False, False, False]
    assert page.next_cursor is None


@pytest.mark.parametrize("limit", range(1, 8))
def test_pages_lose_nobody_and_repeat_nobody(people: World, limit: int) -> None:
    found = pages(people, limit=limit)
    assert list(chain(*found)) == ORDER
    assert all(len(page) == limit for page in found[:-1])
    assert 0 < len(found[-1]) <= limit


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("online", [(), ("ana", "bea", "carlos", "dora")], ids=["nobody", "everybody"])
def test_pages_are_whole_when_nobody_or_everybody_is_online(world: World, limit: int, online: tuple[str, ...]) -> None:
    world.online(*online)
    assert list(chain(*pages(world, limit=limit))) == ["ana", "bea", "carlos", "dora"]


def test_people_of_the_same_name_are_all_listed(world: World) -> None:
    for number in range(6):
        save(world, f"n{number}", "Noa")
    world.join("n3")
    world.presence.disconnect("n3", "n3-1")
    for number in (1, 4):
        world.present.add(f"n{number}", f"n{number}-1")
    assert sorted(chain(*pages(world, limit=1, q="noa"))) == ["n0", "n1", "n2", "n4", "n5"]


def test_away_and_busy_are_listed_among_the_online_and_hidden_ones_are_not(people: World) -> None:
    people.presence.set_status(SetStatus(status=Status.AWAY), actor=Actor("u1"))
    people.presence.set_status(SetStatus(status=Status.OFFLINE), actor=Actor("bea"))
    assert list(chain(*pages(people, limit=2))) == ["u1", "ana", "bea", "carlos", "dora", "u2"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "ÁLVAREZ"}, ["ana"]),
        ({"q": "nunez"}, ["bea"]),
        ({"q": "elan"}, ["u2"]),
        ({"q": "U1@EXAMPLE"}, ["u1"]),
        ({"q": "@example.com"}, ORDER),
        ({"q": "nobody at all"}, []),
        ({"q": "%"}, []),
        ({"filial": "north"}, ["bea", "u2"]),
        ({"filial": "south"}, ["u2"]),
        ({"filial": "sou"}, []),
        ({"filial": "north", "q": "bea"}, ["bea"]),
        ({"q": "", "filial": ""}, ORDER),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [1, 500])
def test_users_are_found_by_name_email_and_filial(
    people: World, query: dict[str, str], found: list[str], limit: int
) -> None:
    assert list(chain(*pages(people, limit=limit, **query))) == found


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_cursor_holds_when_somebody_goes_offline_while_the_page_is_read(
    people: World, overtake: Overtake, limit: int
) -> None:
    """The page was ordered by who was online at its start; the next one goes on from there."""

    def go_offline() -> None:
        for user_id in ("bea", "u1"):
            people.presence.disconnect(user_id, f"{user_id}-1")
        people.present.forget("bea")

    page = overtake(
        lambda: people.users.list_page(ListUsers(limit=1), actor=OPERATOR),
        people.store.users,
        "get_many",
        meanwhile=go_offline,
    )
    assert ids(list(page.items)) == ["bea"]
    assert "u1" in ids(
        list(people.users.list_page(ListUsers(cursor=page.next_cursor, limit=limit), actor=OPERATOR).items)
    )


@pytest.mark.parametrize(
    "cursor",
    [
        *BAD_CURSORS,
        *map(
            encoded,
            (
                '[1, "a", "b"]',
                '["true", "a", "b"]',
                '[null, "a", "b"]',
                '[true, 1, "b"]',
                '[true, "a", null]',
                '[true, ["a"], "b"]',
                '[true, "a"]',
                '[true, "a", "b", "c"]',
                '[true, "\\ud800", "b"]',
                '[false, "a", "\\udfff"]',
                '[true,"a","b"]',
                '{"a": 1, "b": 2, "c": 3}',
                '"abc"',
                "[[[[[[[[true]]]]]]]]",
                "NaN",
            ),
        ),
        encoded('[true, "a", "b"]').rstrip("="),
        encoded('[true, "a", "b"]') + "\n",
        "\ud800",
        "\x00",
    ],
    ids=lambda cursor: ascii(cursor)[:30],
)
def test_a_cursor_of_somebody_elses_making_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(InvalidData) as refused:
        world.users.list_page(ListUsers(cursor=cursor), actor=OPERATOR)
    assert refused.value.details == {"fields": {"cursor": ["invalid"]}}


def test_a_cursor_of_our_making_is_taken_whatever_the_name(world: World) -> None:
    for number, name in enumerate(('"quoted"', "日本語", "🎸", "a\\b", "\u0301")):
        save(world, f"x{number}", name)
    assert len(set(chain(*pages(world, limit=1)))) == 9
    assert (
        json.loads(
            base64.urlsafe_b64decode(str(world.users.list_page(ListUsers(limit=1), actor=OPERATOR).next_cursor))
        )[0]
        is False
    )


def test_a_cursor_holds_when_somebody_comes_online_while_the_page_is_read(world: World, overtake: Overtake) -> None:
    first = overtake(
        lambda: world.users.list_page(ListUsers(limit=2), actor=OPERATOR),
        world.store.users,
        "list_by_name",
        meanwhile=lambda: world.online("bea"),
    )
    assert ids(first.items) == ["ana", "bea"]
    assert ids(world.users.list_page(ListUsers(cursor=first.next_cursor), actor=OPERATOR).items) == ["carlos", "dora"]


def test_many_online_users_among_the_others_cost_no_read_each(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        save(world, f"u{number:02}", f"A{number:02}")
        world.present.add(f"u{number:02}", f"s{number}")
    reads: list[object] = []
    real = world.store.users.list_by_name

    def count(**query: object) -> list[User]:
        reads.append(query)
        return real(**query)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store.users, "list_by_name", count)
    assert len(world.users.list_page(ListUsers(limit=60), actor=OPERATOR).items) == 60
    assert len(reads) == 1


def test_more_online_users_than_one_read_skips_are_skipped_in_several(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatapp.services.users.SKIPPED_AT_ONCE", 1)
    for number in range(9):
        save(world, f"u{number}", f"A{number}")
        world.present.add(f"u{number}", f"s{number}")
    assert pages(world, limit=10) == [[*(f"u{number}" for number in range(9)), "ana"], ["bea", "carlos", "dora"]]

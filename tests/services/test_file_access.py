"""Who may open a file, and who may send it on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatapp.domain.commands import DeleteMessage, RemoveParticipant
from chatapp.domain.errors import FileNotStored, NotIdentified, ScopeMissing, UnknownFile
from chatapp.domain.models import Actor, Attachment, Conversation, MessageType, Scope, Standing
from tests.services.conftest import World

TRUSTED = Actor()
ADMIN = Actor("zoe", Standing.ADMIN)
KEY = Actor(standing=Standing.KEY, scopes=frozenset({Scope.MESSAGES_SEND}))
ADMIN_KEY = Actor(standing=Standing.KEY, scopes=frozenset({Scope.ADMIN}))


def user(user_id: str) -> Actor:
    return Actor(user_id, Standing.USER)


def key_for(user_id: str) -> Actor:
    return Actor(user_id, Standing.KEY, frozenset({Scope.MESSAGES_SEND}))


def opens(world: World, actor: Actor, name: str = "photo.png") -> bool:
    try:
        return world.access.open(name, actor=actor).file.name == name
    except FileNotStored:
        return False


def send(world: World, conversation: Conversation, file: Attachment, *, by: Actor) -> str:
    return world.say(conversation, by=by, attachment=file, message_type=MessageType.FILE).id


@pytest.fixture
def team(world: World) -> Conversation:
    """``photo.png``, Ana's, is shown to Bea and Carlos; Dora is a stranger."""
    conversation = world.group("ana", "bea", "carlos")
    send(world, conversation, world.store_file(), by=user("ana"))
    return conversation


# ---------------------------------------------------------------- opening
@pytest.mark.parametrize("actor", [TRUSTED, ADMIN, ADMIN_KEY, user("ana"), user("bea"), key_for("bea")])
def test_a_file_is_open_to_its_conversation_and_to_administrators(
    world: World, team: Conversation, actor: Actor
) -> None:
    assert opens(world, actor)


@pytest.mark.parametrize("actor", [user("dora"), key_for("dora"), user("nobody")])
def test_to_a_stranger_a_file_does_not_exist(world: World, team: Conversation, actor: Actor) -> None:
    for name in ("photo.png", "missing.png"):
        with pytest.raises(FileNotStored) as refused:
            world.access.open(name, actor=actor)
        assert refused.value.details == {"name": name}


def test_whoever_says_no_name_is_refused_before_anything_is_looked_for(world: World) -> None:
    for name in ("photo.png", "missing.png"):
        with pytest.raises(ScopeMissing):
            world.access.open(name, actor=KEY)
        with pytest.raises(NotIdentified):
            world.access.open(name, actor=Actor(standing=Standing.USER))


def test_a_file_that_no_message_carries_is_its_uploaders_alone(world: World) -> None:
    world.store_file()
    assert opens(world, user("ana"))
    assert not opens(world, user("bea"))


def test_a_file_closes_at_once_to_whoever_is_taken_out_and_opens_to_whoever_comes(
    world: World, team: Conversation
) -> None:
    world.conversations.remove_participant(
        RemoveParticipant(conversation_id=team.id, user_id="bea"), actor=Actor("ana")
    )
    assert not opens(world, user("bea"))
    world.store.conversations.add_participants(team.id, ["dora"], by="ana", now=world.clock.now())
    assert opens(world, user("dora"))


def test_a_deleted_message_shows_nothing_and_another_that_carries_the_file_still_does(
    world: World, team: Conversation
) -> None:
    pair = world.private("ana", "dora")
    again = send(world, pair, Attachment("/api/files/photo.png"), by=user("ana"))
    assert opens(world, user("dora"))
    world.messages.delete_own(DeleteMessage(message_id=again), actor=Actor("ana"))
    assert not opens(world, user("dora"))
    assert opens(world, user("bea"))


@pytest.mark.parametrize("prefix", ["/api/files/", "/uploads/"])
def test_either_name_of_a_file_shows_it(world: World, prefix: str) -> None:
    world.store_file()
    send(world, world.group("ana", "bea"), Attachment(f"{prefix}photo.png"), by=user("ana"))
    assert opens(world, user("bea"))


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp", "photo.tiff"])
def test_a_thumbnail_follows_its_picture(world: World, name: str) -> None:
    file = world.store_file(name)
    world.store_file("photo-thumb.webp")
    assert not opens(world, user("bea"), "photo-thumb.webp")
    send(world, world.group("ana", "bea"), file, by=user("ana"))
    assert opens(world, user("bea"), "photo-thumb.webp")
    assert not opens(world, user("dora"), "photo-thumb.webp")


def test_an_avatar_is_open_to_everybody_with_a_name(world: World) -> None:
    world.store_file("avatar-1.png")
    assert opens(world, user("dora"), "avatar-1.png")
    with pytest.raises(NotIdentified):
        world.access.open("avatar-1.png", actor=Actor(standing=Standing.USER))


# ---------------------------------------------------------------- sending on
def test_who_may_not_open_a_file_cannot_send_it_into_a_conversation_of_their_own(
    world: World, team: Conversation
) -> None:
    own = world.group("dora")
    for file in (Attachment("/api/files/photo.png"), Attachment("/uploads/photo.png")):
        with pytest.raises(UnknownFile) as refused:
            send(world, own, file, by=user("dora"))
        assert refused.value.details == {"fileUrl": file.url}
    assert not opens(world, user("dora"))


def test_who_is_shown_a_file_may_send_it_on(world: World, team: Conversation) -> None:
    send(world, world.private("bea", "dora"), Attachment("/api/files/photo.png"), by=user("bea"))
    assert opens(world, user("dora"))


def test_in_open_mode_everybody_may_send_every_file(world: World, team: Conversation) -> None:
    send(world, world.group("dora"), Attachment("/api/files/photo.png"), by=Actor("dora"))


def test_a_thumbnail_cannot_be_sent_alone(world: World) -> None:
    thumbnail = world.store_file("photo-thumb.webp")
    with pytest.raises(UnknownFile):
        send(world, world.group("ana"), thumbnail, by=user("ana"))


def test_only_messages_with_a_file_of_ours_ask_who_may_open_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(world.access, "open", _noting(asked, world.access.open))
    team = world.group("ana")
    world.say(team, by=user("ana"))
    send(world, team, Attachment("https://example.com/a.png"), by=user("ana"))
    assert asked == []
    send(world, team, world.store_file(), by=user("ana"))
    assert asked == ["photo.png"]


def _noting(asked: list[str], call: Callable[..., object]) -> Callable[..., object]:
    def noted(name: str, *, actor: Actor) -> object:
        asked.append(name)
        return call(name, actor=actor)

    return noted

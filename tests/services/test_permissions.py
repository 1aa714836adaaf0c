"""Who may what: by token, as an administrator, by an API key, and as the operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatapp.domain.commands import (
    AddParticipants,
    CreateConversation,
    DeleteMessage,
    EditMessage,
    JoinChat,
    LeaveGroup,
    ListPage,
    ListUsers,
    MarkAsRead,
    ReadChanges,
    ReadHistory,
    RemoveParticipant,
    SaveUser,
    SendMessage,
    SetStatus,
    UpdateGroup,
)
from chatapp.domain.errors import (
    AdminOnly,
    ChatError,
    IdentityMismatch,
    NotAGroup,
    NotAParticipant,
    NotGroupCreator,
    NotIdentified,
    NotMessageSender,
    OtherFilial,
    ScopeMissing,
)
from chatapp.domain.identity import Identity
from chatapp.domain.models import OPERATOR, Actor, Conversation, Message, Scope, Standing, Status
from chatapp.services.catching_up import CatchUpService
from tests.services.conftest import Overtake, World, store_down

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def user(user_id: str, *, standing: Standing = Standing.USER, **claims: Any) -> Actor:
    identity = Identity(user_id, issued_at=NOW, expires_at=NOW + timedelta(hours=1), **claims)
    return Actor(user_id, standing, identity=identity)


def admin(user_id: str = "dora") -> Actor:
    return user(user_id, standing=Standing.ADMIN)


def key(*scopes: Scope, acting_for: str | None = None) -> Actor:
    return Actor(acting_for, Standing.KEY, frozenset(scopes), key_id="key-1")


SENDING, WRITING, ALL = Scope.MESSAGES_SEND, Scope.USERS_WRITE, Scope.ADMIN


class Scene:
    """A group of ana, its creator, and bea. Carlos was in it once, dora never."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.group: Conversation = world.group("ana", "bea", "carlos")
        self.private: Conversation = world.private("ana", "bea")
        self.message: Message = world.say(self.group, by="bea")
        self.of_carlos: Message = world.say(self.group, by="carlos")
        leaving = RemoveParticipant(conversation_id=self.group.id, user_id="carlos")
        world.conversations.remove_participant(leaving, actor=Actor("ana"))
        self.catch_up = CatchUpService(world.store)


Ask = Callable[[Scene, Actor], object]

ASKED: dict[str, Ask] = {
    "history": lambda s, who: s.world.messages.history(ReadHistory(conversation_id=s.group.id), actor=who),
    "replies": lambda s, who: s.world.messages.replies(s.message.id, actor=who),
    "with-replies": lambda s, who: s.world.messages.with_replies(s.message.id, actor=who),
    "conversation": lambda s, who: s.world.conversations.read(s.group.id, actor=who),
    "changes": lambda s, who: s.catch_up.changes(ReadChanges(conversation_id=s.group.id, since=0), actor=who),
    "send": lambda s, who: s.world.messages.send(SendMessage(conversation_id=s.group.id, content="hi"), actor=who),
    "mark-as-read": lambda s, who: s.world.conversations.mark_as_read(
        MarkAsRead(conversation_id=s.group.id), actor=who
    ),
    "add": lambda s, who: s.world.conversations.add_participants(
        AddParticipants(conversation_id=s.group.id, participants=("dora",)), actor=who
    ),
    "rename": lambda s, who: s.world.conversations.update_group(
        UpdateGroup(conversation_id=s.group.id, name="Other"), actor=who
    ),
    "remove-another": lambda s, who: s.world.conversations.remove_participant(
        RemoveParticipant(conversation_id=s.group.id, user_id="bea" if who.user_id != "bea" else "ana"), actor=who
    ),
    "delete-group": lambda s, who: s.world.conversations.delete(s.group.id, actor=who),
    "delete-private": lambda s, who: s.world.conversations.delete(s.private.id, actor=who),
    "edit-bea's": lambda s, who: s.world.messages.edit(
        EditMessage(message_id=s.message.id, new_content="new"), actor=who
    ),
    "take-back-bea's": lambda s, who: s.world.messages.delete_own(DeleteMessage(message_id=s.message.id), actor=who),
    "delete-bea's": lambda s, who: s.world.messages.delete(s.message.id, actor=who),
    "inbox-of-bea": lambda s, who: s.world.conversations.inbox("bea", actor=who),
    "save-bea": lambda s, who: s.world.users.save(SaveUser(id="bea", name="Bea", email="b@example.com"), actor=who),
    "see-bea": lambda s, who: s.world.users.get("bea", actor=who),
    "directory": lambda s, who: s.world.users.list_page(ListUsers(), actor=who),
    "delete-user": lambda s, who: s.world.users.delete("bea", actor=who),
    "all-conversations": lambda s, who: s.world.conversations.list_all(ListPage(), actor=who),
    "all-messages": lambda s, who: s.world.messages.list_all(ListPage(), actor=who),
    "purge": lambda s, who: s.world.messages.purge(batch_size=25, actor=who),
    "group-with-bea": lambda s, who: s.world.conversations.create(
        CreateConversation(name="New", participants=("bea",)), actor=who
    ),
}

ACTORS: dict[str, Actor] = {
    "ana": user("ana"),
    "bea": user("bea"),
    "carlos": user("carlos"),
    "dora": user("dora"),
    "admin": admin(),
    "writer": key(WRITING),
    "as-bea": key(SENDING, acting_for="bea"),
    "as-none": key(SENDING),
    "as-dora": key(SENDING, acting_for="dora"),
    "root-key": key(ALL),
    "operator": OPERATOR,
}

REFUSALS: dict[str, type[ChatError] | None] = {
    "ok": None,
    "name": NotIdentified,
    "self": IdentityMismatch,
    "member": NotAParticipant,
    "sender": NotMessageSender,
    "creator": NotGroupCreator,
    "admin": AdminOnly,
    "scope": ScopeMissing,
}
"""What the words of the table mean: who one would have to be, or have."""

RULED = """
                     ana      bea      carlos   dora     admin    writer   as-bea   as-none as-dora  root-key operator
  history            ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  replies            ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  with-replies       ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  conversation       ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  changes            ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  send               ok       ok       member   member   member   scope    ok       name     member   name     name
  mark-as-read       ok       ok       member   member   member   scope    ok       name     member   name     name
  add                ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  rename             ok       ok       member   member   ok       scope    ok       scope    member   ok       ok
  remove-another     ok       creator  creator  creator  ok       scope    creator  scope    creator  ok       ok
  delete-group       ok       creator  member   member   ok       scope    creator  scope    member   ok       ok
  delete-private     admin    admin    member   member   ok       scope    scope    scope    member   ok       ok
  edit-bea's         sender   ok       sender   sender   sender   scope    ok       scope    sender   sender   sender
  take-back-bea's    sender   ok       sender   sender   sender   scope    ok       scope    sender   sender   sender
  delete-bea's       sender   ok       sender   sender   ok       scope    ok       scope    sender   ok       ok
  inbox-of-bea       self     ok       self     self     ok       scope    scope    scope    scope    ok       ok
  save-bea           self     ok       self     self     ok       ok       scope    scope    scope    ok       ok
  see-bea            ok       ok       ok       ok       ok       ok       scope    scope    scope    ok       ok
  directory          ok       ok       ok       ok       ok       ok       scope    scope    scope    ok       ok
  delete-user        admin    admin    admin    admin    ok       scope    scope    scope    scope    ok       ok
  all-conversations  admin    admin    admin    admin    ok       scope    scope    scope    scope    ok       ok
  all-messages       admin    admin    admin    admin    ok       scope    scope    scope    scope    ok       ok
  purge              admin    admin    admin    admin    ok       scope    scope    scope    scope    ok       ok
  group-with-bea     ok       ok       ok       ok       ok       scope    ok       name     ok       name     name
"""


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def ruled() -> Iterator[tuple[str, str, type[ChatError] | None]]:
    """Every cell: what is asked, by whom, how it is refused."""
    head, *rows = (line.split() for line in RULED.strip().splitlines())
    assert head == list(ACTORS)
    assert [row[0] for row in rows] == list(ASKED)
    for asked, *cells in rows:
        for who, cell in zip(head, cells, strict=True):
            yield asked, who, REFUSALS[cell]


@pytest.mark.parametrize(("asked", "who", "refusal"), list(ruled()))
def test_who_may_what(scene: Scene, asked: str, who: str, refusal: type[ChatError] | None) -> None:
    if refusal is None:
        ASKED[asked](scene, ACTORS[who])
    else:
        with pytest.raises(refusal) as refused:
            ASKED[asked](scene, ACTORS[who])
        assert type(refused.value) is refusal


@pytest.mark.parametrize(
    "asked", ["send", "rename", "remove-another", "delete-group", "delete-bea's", "save-bea", "purge"]
)
def test_what_is_refused_changes_nothing(scene: Scene, asked: str) -> None:
    def everything() -> object:
        world = scene.world
        return (
            world.users.require("bea"),
            world.conversations.list_all(ListPage(), actor=OPERATOR),
            world.messages.list_all(ListPage(), actor=OPERATOR),
        )

    before = everything()
    scene.world.published.clear()
    with pytest.raises(ChatError):
        ASKED[asked](scene, user("dora"))
    assert everything() == before
    assert scene.world.events() == []


def test_a_private_conversation_is_opened_by_one_of_the_two(world: World) -> None:
    pair = CreateConversation(participants=("ana", "bea"), is_group=False)
    for outsider in (user("dora"), admin()):
        with pytest.raises(NotAParticipant):
            world.conversations.create(pair, actor=outsider)
    opened, _ = world.conversations.create(pair, actor=key(SENDING, acting_for="dora"))
    assert set(opened.participants) == {"ana", "bea"}


# ---------------------------------------------------------------- profiles
def test_the_token_decides_over_roles_and_filials(world: World) -> None:
    said = SaveUser(id="bea", name="Bea", email="b@example.com", roles=("admin",), filials=("lima",))
    bea, _ = world.users.save(said, actor=user("bea"))
    assert (bea.roles, bea.filials) == ((), ())
    bea, _ = world.users.save(said, actor=user("bea", roles=("sales",), filials=("cusco",), name="Beatriz"))
    assert (bea.roles, bea.filials, bea.name, bea.email) == (("sales",), ("cusco",), "Beatriz", "b@example.com")


def test_who_joins_is_who_the_token_says(world: World) -> None:
    said = JoinChat(name="Boss", email="x@example.com", roles=("admin",), avatar="/a.png")
    actor = user("bea", name="Beatriz", email="b@example.com", avatar="/b.png", roles=("sales",))
    bea = world.presence.join(said, actor=actor, socket_id="bea-1")
    assert (bea.name, bea.email, bea.avatar, bea.roles) == ("Beatriz", "b@example.com", "/b.png", ("sales",))


def test_an_avatar_that_the_token_names_is_kept(world: World) -> None:
    said = SaveUser(id="bea", name="Bea", email="b@example.com", keep_avatar=True)
    bea, _ = world.users.save(said, actor=user("bea", avatar="/b.png"))
    assert bea.avatar == "/b.png"
    kept, _ = world.users.save(said, actor=user("bea"))
    assert kept.avatar == "/b.png"


def test_without_an_id_a_user_saves_themself_and_a_backend_somebody_new(world: World) -> None:
    said = SaveUser(id=None, name="Bea", email="b@example.com")
    assert world.users.save(said, actor=user("bea"))[0].id == "bea"
    for other in (admin(), key(WRITING)):
        saved, created = world.users.save(said, actor=other)
        assert created
        assert saved.id not in ("bea", "dora")


def test_an_administrator_says_what_others_roles_are(world: World) -> None:
    said = SaveUser(id="bea", name="Bea", email="b@example.com", roles=("sales",))
    assert world.users.save(said, actor=admin())[0].roles == ("sales",)


# ---------------------------------------------------------------- branches
@pytest.fixture
def branches(tmp_path: Path) -> Iterator[World]:
    """Ana is of Lima and Cusco, bea of Cusco, carlos of Puno, dora of none."""
    world = World(tmp_path, isolated=True)
    for user_id, filials in {"ana": ("lima", "cusco"), "bea": ("cusco",), "carlos": ("puno",), "dora": ()}.items():
        found = world.users.require(user_id)
        world.users.save(SaveUser(id=user_id, name=found.name, email=found.email, filials=filials), actor=OPERATOR)
    yield world
    world.close()


def seen(world: World, actor: Actor, **query: Any) -> list[str]:
    names: list[str] = []
    page = world.users.list_page(ListUsers(**query), actor=actor)
    names += [each.id for each in page.items]
    while page.next_cursor:
        page = world.users.list_page(ListUsers(**query, cursor=page.next_cursor), actor=actor)
        names += [each.id for each in page.items]
    return names


EVERYBODY = ["ana", "bea", "carlos", "dora"]


@pytest.mark.parametrize("online", [(), ("bea", "carlos"), tuple(EVERYBODY)], ids=str)
@pytest.mark.parametrize("limit", [1, 100])
@pytest.mark.parametrize(
    ("actor", "found"),
    [
        (user("ana"), ["ana", "bea", "dora"]),
        (user("bea"), ["ana", "bea", "dora"]),
        (user("carlos"), ["carlos", "dora"]),
        (user("dora"), EVERYBODY),
        (user("bea", filials=("puno",)), ["carlos", "dora"]),
        (user("bea", filials=()), EVERYBODY),
        (admin("carlos"), EVERYBODY),
        (key(WRITING), EVERYBODY),
        (OPERATOR, EVERYBODY),
    ],
    ids=str,
)
def test_the_directory_shows_people_of_a_shared_branch_and_of_none(
    branches: World, actor: Actor, found: list[str], limit: int, online: tuple[str, ...]
) -> None:
    for user_id in online:
        branches.presence.join(
            JoinChat(name=user_id, email=f"{user_id}@example.com"), actor=user(user_id), socket_id=f"{user_id}-1"
        )
    assert sorted(seen(branches, actor, limit=limit)) == found


def test_nobody_is_kept_apart_without_isolation(world: World) -> None:
    world.users.save(SaveUser(id="bea", name="Bea", email="b@example.com", filials=("puno",)), actor=OPERATOR)
    assert "bea" in seen(world, user("ana", filials=("lima",)))


def test_people_of_another_branch_are_neither_shown_nor_written_to(branches: World) -> None:
    ana = user("ana")
    tries: list[Callable[[], object]] = [
        lambda: branches.users.get("carlos", actor=ana),
        lambda: branches.conversations.create(
            CreateConversation(participants=("ana", "carlos"), is_group=False), actor=ana
        ),
        lambda: branches.conversations.create(CreateConversation(participants=("bea", "carlos"), name="x"), actor=ana),
    ]
    group, _ = branches.conversations.create(CreateConversation(participants=("bea",), name="x"), actor=ana)
    adding = AddParticipants(conversation_id=group.id, participants=("dora", "carlos"))
    tries.append(lambda: branches.conversations.add_participants(adding, actor=ana))
    for attempt in tries:
        with pytest.raises(OtherFilial) as refused:
            attempt()
        assert refused.value.details == {"userIds": ["carlos"]}
    assert branches.conversations.get(group.id).participants == ("ana", "bea")


def test_a_conversation_across_branches_that_there_is_goes_on(branches: World) -> None:
    private, _ = branches.conversations.create(
        CreateConversation(participants=("ana", "carlos"), is_group=False), actor=key(SENDING, acting_for="ana")
    )
    sent = branches.messages.send(SendMessage(conversation_id=private.id, content="hi"), actor=user("ana"))
    assert branches.messages.history(ReadHistory(conversation_id=private.id), actor=user("carlos")).messages == [sent]


def come(world: World, user_id: str) -> None:
    profile = JoinChat(name=user_id, email=f"{user_id}@example.com")
    world.presence.join(profile, actor=user(user_id), socket_id=f"{user_id}-1")


@pytest.mark.parametrize(("user_id", "visible_to"), [("ana", ("lima", "cusco")), ("dora", None)])
def test_who_comes_changes_and_goes_is_told_to_those_who_may_know(
    branches: World, user_id: str, visible_to: tuple[str, ...] | None
) -> None:
    come(branches, user_id)
    branches.presence.set_status(SetStatus(status=Status.BUSY), actor=user(user_id))
    branches.presence.disconnect(user_id, f"{user_id}-1")
    branches.scheduler.advance(60)
    told = [event.visible_to for event in branches.events() if hasattr(event, "visible_to")]
    assert told == [visible_to] * 4


def test_while_the_store_is_down_no_branch_is_told(branches: World) -> None:
    come(branches, "ana")
    branches.events()
    with store_down(branches.store.users, "get"):
        branches.presence.set_status(SetStatus(status=Status.BUSY), actor=user("ana"))
    assert [event.visible_to for event in branches.events()] == [()]


def test_a_socket_hears_of_those_whom_its_user_may_see(branches: World) -> None:
    for user_id in EVERYBODY:
        come(branches, user_id)
    assert branches.rooms.parts == {
        "ana-1": ("filial:cusco", "filial:lima"),
        "bea-1": ("filial:cusco",),
        "carlos-1": ("filial:puno",),
        "dora-1": ("unbounded",),
    }


def test_without_isolation_everybody_hears_of_everybody(world: World) -> None:
    come(world, "ana")
    assert world.rooms.parts == {"ana-1": ()}
    assert [event.visible_to for event in world.events() if hasattr(event, "visible_to")] == [None]


# ---------------------------------------------------------------- what the audit log says of it
def recorded(world: World) -> list[tuple[str, str, str]]:
    return [(each.action, each.actor, each.target) for each in world.audit.page(after=0, limit=100)]


@pytest.mark.parametrize("kind", ["group", "private"])
def test_a_removal_that_cannot_be_is_not_recorded(world: World, kind: str) -> None:
    conversation = world.group("ana", "bea") if kind == "group" else world.private("ana", "bea")
    stranger = RemoveParticipant(conversation_id=conversation.id, user_id="dora" if kind == "group" else "bea")
    with pytest.raises(NotAParticipant if kind == "group" else NotAGroup):
        world.conversations.remove_participant(stranger, actor=user("ana"))
    assert recorded(world) == []


def test_who_leaves_last_is_recorded_as_the_one_who_deleted_the_group(world: World) -> None:
    group = world.group("ana", "bea")
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=user("bea"))
    assert recorded(world) == []
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=user("ana"))
    assert recorded(world) == [("conversation.delete", "user:ana", f"conversation:{group.id}")]


def test_a_group_that_goes_with_its_last_member_is_recorded(world: World) -> None:
    group = world.group("ana")
    world.conversations.remove_participant(
        RemoveParticipant(conversation_id=group.id, user_id="ana"), actor=admin("root")
    )
    assert recorded(world)[-1] == ("conversation.delete", "user:root", f"conversation:{group.id}")


def test_the_last_two_leaving_at_once_leave_one_record(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    leaving = LeaveGroup(conversation_id=group.id)
    overtake(
        lambda: world.conversations.leave_group(leaving, actor=user("ana")),
        world.profiles,
        "prepare",
        meanwhile=lambda: world.conversations.see_out(group.id, "bea", actor=user("bea")),
    )
    assert recorded(world) == [("conversation.delete", "user:ana", f"conversation:{group.id}")]


def test_a_group_that_goes_with_a_deleted_user_is_the_administrators_deed(world: World) -> None:
    group = world.group("ana")
    world.users.delete("ana", actor=admin("root"))
    assert ("conversation.delete", "user:root", f"conversation:{group.id}") in recorded(world)

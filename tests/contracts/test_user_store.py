"""What ``ports.UserStore`` promises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import UserNotFound
from chatapp.domain.models import Status, User
from chatapp.domain.text import sort_key
from chatapp.ports import Store
from tests.contracts.builders import at, together
from tests.fakes import START

TRICKY = [
    "Ana Álvarez",
    "名前 🎸",
    "'; DROP TABLE users; --",
    'say "hi"',
    "100%_\\",
    "tab\tline\n",
    "e\u0301",
    "\u202eabc",
]
"""Text that escapes, encodings and patterns like to trip over."""


def profile(user_id: str = "ana", **changes: object) -> SaveUser:
    given = {"id": user_id, "name": "Ana", "email": f"{user_id}@example.com", **changes}
    return SaveUser(**given)  # type: ignore[arg-type]


def save(store: Store, user_id: str = "ana", *, seconds: float = 0, **changes: object) -> User:
    return store.users.save(profile(user_id, **changes), user_id=user_id, now=at(seconds))[0]


def names(users: list[User]) -> list[str]:
    return [user.name for user in users]


# ---------------------------------------------------------------- saving
def test_saving_an_unknown_id_creates_the_user(store: Store) -> None:
    command = profile(roles=("admin", "ventas"), filials=("Lima",), avatar="/api/files/a.png")

    user, created = store.users.save(command, user_id="ana", now=START)

    assert created
    assert user == User(
        id="ana",
        name="Ana",
        email="ana@example.com",
        roles=("admin", "ventas"),
        filials=("Lima",),
        avatar="/api/files/a.png",
        created_at=START,
        updated_at=START,
        last_seen=START,
        is_active=True,
        status=Status.OFFLINE,
    )
    assert store.users.get("ana") == user


def test_the_id_given_wins_over_the_commands(store: Store) -> None:
    user, _ = store.users.save(profile(None), user_id="made-by-the-server", now=START)  # type: ignore[arg-type]
    assert user.id == "made-by-the-server"
    assert store.users.get("made-by-the-server") == user


def test_saving_a_known_id_updates_the_user(store: Store) -> None:
    save(store)

    user, created = store.users.save(profile(name="Ana María", email="am@example.com"), user_id="ana", now=at(60))

    assert not created
    assert (user.name, user.email) == ("Ana María", "am@example.com")
    assert (user.created_at, user.updated_at, user.last_seen) == (START, at(60), START)
    assert store.users.get("ana") == user


def test_saving_the_same_again_changes_nothing_but_perhaps_the_time(store: Store) -> None:
    before = save(store, roles=("admin",))
    after, created = store.users.save(profile(roles=("admin",)), user_id="ana", now=at(60))
    assert not created
    assert (after.name, after.roles, after.created_at) == (before.name, before.roles, before.created_at)


def test_roles_and_filials_of_none_keep_what_there_is(store: Store) -> None:
    save(store, roles=("admin",), filials=("Lima", "Cusco"))
    kept = save(store, roles=None, filials=None, name="Other")
    assert (kept.roles, kept.filials) == (("admin",), ("Lima", "Cusco"))


def test_empty_roles_and_filials_replace_what_there_is(store: Store) -> None:
    save(store, roles=("admin",), filials=("Lima",))
    emptied = save(store, roles=(), filials=())
    assert (emptied.roles, emptied.filials) == ((), ())


def test_a_new_user_without_roles_has_none(store: Store) -> None:
    user = save(store, roles=None, filials=None, keep_avatar=True)
    assert (user.roles, user.filials, user.avatar) == ((), (), None)


def test_an_avatar_that_is_not_mentioned_is_kept(store: Store) -> None:
    save(store, avatar="/api/files/a.png")
    assert save(store, keep_avatar=True, name="Other").avatar == "/api/files/a.png"


def test_an_avatar_that_is_mentioned_is_replaced(store: Store) -> None:
    save(store, avatar="/api/files/a.png")
    assert save(store, avatar="/api/files/b.png").avatar == "/api/files/b.png"
    assert save(store, avatar=None).avatar is None


@pytest.mark.parametrize("text", TRICKY)
def test_text_comes_back_as_it_went_in(store: Store, text: str) -> None:
    saved = save(store, text, name=text, email=text, roles=(text, "x"), filials=(text,), avatar=text)
    assert (saved.id, saved.name, saved.email, saved.avatar) == (text, text, text, text)
    assert (saved.roles, saved.filials) == ((text, "x"), (text,))
    assert store.users.get(text) == saved


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2025, 1, 27, 10, 0, 0, 1000, UTC),
        datetime(2025, 12, 31, 23, 59, 59, 999000, UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2099, 6, 1, 12, 34, 56, 789000, UTC),
    ],
)
def test_times_are_exact_to_the_millisecond_and_in_utc(store: Store, moment: datetime) -> None:
    store.users.save(profile(), user_id="ana", now=moment)
    user = store.users.get("ana")
    assert user is not None
    assert user.created_at == moment
    assert user.created_at.utcoffset() == UTC.utcoffset(None)


def test_many_at_once_create_a_user_once(store: Store) -> None:
    outcomes = together(
        [lambda n=n: store.users.save(profile(name=f"Ana {n}"), user_id="ana", now=START) for n in range(20)]
    )
    assert [created for _, created in outcomes].count(True) == 1


# ---------------------------------------------------------------- reading
def test_an_unknown_user_is_none(store: Store) -> None:
    assert store.users.get("nobody") is None


def test_ids_are_case_sensitive(store: Store) -> None:
    save(store, "ana")
    assert store.users.get("Ana") is None


def test_many_users_come_by_id_without_the_unknown(store: Store) -> None:
    ana, bea = save(store, "ana"), save(store, "bea")
    assert store.users.get_many(["bea", "nobody", "ana", "bea"]) == {"ana": ana, "bea": bea}
    assert store.users.get_many([]) == {}
    assert store.users.get_many({"nobody"}) == {}


def test_any_number_of_users_can_be_asked_for(store: Store) -> None:
    save(store, "u7")
    assert set(store.users.get_many([f"u{n}" for n in range(2_500)])) == {"u7"}


# ---------------------------------------------------------------- listing
def test_users_are_listed_by_name_as_people_expect_it(store: Store) -> None:
    for number, name in enumerate(["Zoë", "bea", "Ñandú", "ángel", "Angel", "nadia", "Élan", "olga"]):
        save(store, f"u{number}", name=name)

    users = store.users.list_by_name(limit=100)

    assert names(users) == ["ángel", "Angel", "bea", "Élan", "nadia", "Ñandú", "olga", "Zoë"]
    assert [(sort_key(user.name), user.id) for user in users] == sorted((sort_key(u.name), u.id) for u in users)


def test_a_new_name_has_a_new_place(store: Store) -> None:
    save(store, "u1", name="Ana")
    save(store, "u2", name="Bea")
    save(store, "u1", name="Zoë")
    assert names(store.users.list_by_name(limit=10)) == ["Bea", "Zoë"]


def test_users_of_one_name_are_listed_by_id(store: Store) -> None:
    for user_id in ("u3", "u1", "u2"):
        save(store, user_id, name="Ana")
    assert [user.id for user in store.users.list_by_name(limit=10)] == ["u1", "u2", "u3"]


def test_pages_hold_everyone_once(store: Store) -> None:
    for number in range(7):
        save(store, f"u{number}", name="Ana" if number % 2 else "Bea")
    after, seen = None, []
    while page := store.users.list_by_name(limit=2, after=after):
        assert len(page) <= 2
        assert len(seen) < 7, "a page that comes again"
        seen += [user.id for user in page]
        after = (sort_key(page[-1].name), page[-1].id)
    assert seen == ["u1", "u3", "u5", "u0", "u2", "u4", "u6"]


def test_a_page_begins_strictly_after_a_place_that_need_not_exist(store: Store) -> None:
    save(store, "u1", name="Ana")
    save(store, "u2", name="Carla")
    assert names(store.users.list_by_name(limit=10, after=("bea", "zzz"))) == ["Carla"]
    assert names(store.users.list_by_name(limit=10, after=("ana", "u0"))) == ["Ana", "Carla"]
    assert names(store.users.list_by_name(limit=10, after=("ana", "u1"))) == ["Carla"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("alv", ["Ana Álvarez"]),
        ("ÁLV", ["Ana Álvarez"]),
        ("a", ["Ana Álvarez", "Bea 50%_off\\"]),
        ("a á", ["Ana Álvarez"]),
        ("ROOT@", ["Bea 50%_off\\"]),
        ("@example.com", ["Ana Álvarez"]),
        ("nobody", []),
        ("50%", ["Bea 50%_off\\"]),
        ("%", ["Bea 50%_off\\"]),
        ("_", ["Bea 50%_off\\"]),
        ("\\", ["Bea 50%_off\\"]),
        ("*", []),
        ("?", []),
        ("'", []),
        ("n_ ", []),
    ],
)
def test_q_is_looked_for_in_name_and_e_mail(store: Store, q: str, found: list[str]) -> None:
    save(store, "u1", name="Ana Álvarez", email="ana@example.com")
    save(store, "u2", name="Bea 50%_off\\", email="Root@intranet.test")
    assert names(store.users.list_by_name(limit=10, q=q)) == found


def test_q_of_none_finds_everyone(store: Store) -> None:
    save(store)
    assert names(store.users.list_by_name(limit=10, q=None, filial=None)) == ["Ana"]


@pytest.mark.parametrize(
    ("filial", "found"), [("Lima", ["u1", "u3"]), ("Cusco", ["u1"]), ("lima", []), ("Lim", []), ('La "Joya"', ["u4"])]
)
def test_a_filial_is_one_of_the_users_own_in_full(store: Store, filial: str, found: list[str]) -> None:
    save(store, "u1", filials=("Lima", "Cusco"))
    save(store, "u2", filials=("Lima Norte",))
    save(store, "u3", filials=("Lima",))
    save(store, "u4", filials=('La "Joya"',))
    assert [user.id for user in store.users.list_by_name(limit=10, filial=filial)] == found


@pytest.mark.parametrize(
    ("visible_to", "found"),
    [
        ({"Lima"}, ["u1", "u3", "u5"]),
        ({"Cusco", "Puno"}, ["u1", "u5"]),
        (set(), ["u5"]),
        (None, ["u1", "u2", "u3", "u5"]),
    ],
    ids=str,
)
def test_people_of_a_branch_see_those_who_share_it_and_those_of_none(
    store: Store, visible_to: set[str] | None, found: list[str]
) -> None:
    save(store, "u1", filials=("Lima", "Cusco"))
    save(store, "u2", filials=("Lima Norte",))
    save(store, "u3", filials=("Lima",))
    save(store, "u5")
    assert [user.id for user in store.users.list_by_name(limit=10, visible_to=visible_to)] == found
    assert [user.id for user in store.users.list_by_name(limit=1, visible_to=visible_to)] == found[:1]


def test_conditions_hold_together(store: Store) -> None:
    for number in range(6):
        save(store, f"u{number}", name=f"Ana {number}", filials=("Lima",) if number % 2 else ("Cusco",))
    found = store.users.list_by_name(limit=1, after=("ana 1", "u1"), q="ana", filial="Lima")
    assert [user.id for user in found] == ["u3"]


# ---------------------------------------------------------------- avatars, last seen
def test_setting_an_avatar_gives_back_the_one_before(store: Store) -> None:
    save(store)
    assert store.users.set_avatar("ana", "/api/files/a.png", now=at(1)) is None
    assert store.users.set_avatar("ana", "/api/files/b.png", now=at(2)) == "/api/files/a.png"
    assert store.users.set_avatar("ana", None, now=at(3)) == "/api/files/b.png"
    user = store.users.get("ana")
    assert user is not None
    assert (user.avatar, user.updated_at) == (None, at(3))


def test_an_avatar_needs_a_user(store: Store) -> None:
    with pytest.raises(UserNotFound):
        store.users.set_avatar("nobody", "/api/files/a.png", now=START)
    assert store.users.get("nobody") is None


def test_touch_remembers_when_the_user_was_seen(store: Store) -> None:
    before = save(store)
    store.users.touch("ana", last_seen=at(90))
    user = store.users.get("ana")
    assert user is not None
    assert user.last_seen == at(90)
    assert (user.updated_at, user.name) == (before.updated_at, before.name)


def test_saving_does_not_forget_when_the_user_was_seen(store: Store) -> None:
    save(store)
    store.users.touch("ana", last_seen=at(90))
    assert save(store, name="Other", seconds=100).last_seen == at(90)


def test_touching_an_unknown_user_is_ignored(store: Store) -> None:
    store.users.touch("nobody", last_seen=START)
    assert store.users.get("nobody") is None


# ---------------------------------------------------------------- deleting
def test_a_deleted_user_is_nowhere_in_the_directory(store: Store) -> None:
    save(store)
    store.users.delete("ana")
    assert store.users.get("ana") is None
    assert store.users.get_many(["ana"]) == {}
    assert store.users.list_by_name(limit=10) == []
    assert store.users.list_by_name(limit=10, q="ana") == []


@pytest.mark.parametrize("known_once", [True, False])
def test_who_is_not_there_cannot_be_changed_or_deleted(store: Store, known_once: bool) -> None:
    if known_once:
        save(store)
        store.users.delete("ana")
    store.users.touch("ana", last_seen=at(1))
    with pytest.raises(UserNotFound):
        store.users.delete("ana")
    with pytest.raises(UserNotFound):
        store.users.set_avatar("ana", None, now=at(1))
    assert store.users.get("ana") is None


def test_saving_a_deleted_id_revives_it(store: Store) -> None:
    save(store, roles=("admin",), avatar="/api/files/a.png")
    store.users.delete("ana")

    user, created = store.users.save(profile(roles=("ventas",)), user_id="ana", now=at(60))

    assert created
    assert (user.created_at, user.roles, user.avatar) == (at(60), ("ventas",), None)
    assert store.users.get("ana") == user
    assert names(store.users.list_by_name(limit=10)) == ["Ana"]


def test_a_revived_user_gets_nothing_back_by_not_mentioning_it(store: Store) -> None:
    save(store, roles=("admin",), filials=("Lima",), avatar="/api/files/a.png")
    store.users.delete("ana")
    user = save(store, keep_avatar=True)
    assert (user.roles, user.filials, user.avatar) == ((), (), None)


def test_deleting_one_leaves_the_others(store: Store) -> None:
    save(store, "ana")
    save(store, "bea", name="Bea")
    store.users.delete("ana")
    assert names(store.users.list_by_name(limit=10)) == ["Bea"]

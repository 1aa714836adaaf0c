"""User profiles in DynamoDB: one item each, and one in the directory, whose order is that of the names."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import islice

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace, new_token
from chatapp.adapters.dynamodb_store.events import log
from chatapp.adapters.dynamodb_store.items import to_user
from chatapp.adapters.times import to_ms
from chatapp.domain.commands import SaveUser
from chatapp.domain.errors import UserNotFound
from chatapp.domain.happenings import user_created
from chatapp.domain.models import User
from chatapp.domain.text import sort_key
from chatapp.ports import Journal

UNCHANGED = "#version = :version"
SEARCH_PAGE = 250
"""Directory entries in one request when not every entry will do."""


class DynamoUsers:
    def __init__(self, db: Dynamo, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    # ------------------------------------------------------------ writing
    def save(self, command: SaveUser, *, user_id: str, now: datetime) -> tuple[User, bool]:
        change = _Change()

        def work() -> tuple[User, bool]:
            stored = self._db.get(keys.profile(user_id))
            if change.is_in(stored):
                return to_user(stored or {}), change.created
            before = stored if stored and "deleted_at" not in stored else None
            profile = _profile(command, user_id, before, to_ms(now))
            if before and all(before.get(key) == value for key, value in profile.items() if key != "updated_at"):
                return to_user(before), False  # a login that changes nothing writes nothing
            change.created = before is None
            user = to_user(profile | {"last_seen": before["last_seen"] if before else to_ms(now)})
            told = self._journal.entries(user_created(user)) if before is None else []
            number = (stored or {}).get("told", 0) + 1
            told_profile = profile | {"told": number} if told else profile
            self._db.write(*_writes(told_profile, stored, before, change.version), *log(told, number))
            return user, before is None

        return self._db.run(work)

    def set_avatar(self, user_id: str, avatar: str | None, *, now: datetime) -> str | None:
        change = _Change()

        def work() -> str | None:
            stored = self._db.get(keys.profile(user_id))
            if change.is_in(stored):
                return change.avatar_before
            before = _require(stored, user_id)
            change.avatar_before = before.get("avatar")
            changes = {"avatar": avatar, "updated_at": to_ms(now), "version": change.version}
            self._db.write(Update(keys.profile(user_id), changes, UNCHANGED, {"version": before["version"]}))
            return change.avatar_before

        return self._db.run(work)

    def touch(self, user_id: str, *, last_seen: datetime) -> None:
        def work() -> None:
            try:
                self._db.write(Update(keys.profile(user_id), {"last_seen": to_ms(last_seen)}))
            except LostRace:
                return  # unknown

        self._db.run(work)

    def delete(self, user_id: str) -> None:
        change = _Change()

        def work() -> None:
            stored = self._db.get(keys.profile(user_id))
            if change.is_in(stored):
                return
            before = _require(stored, user_id)
            changes = {"deleted_at": to_ms(datetime.now(UTC)), "avatar": None, "email": ""}
            self._db.write(
                Update(
                    keys.profile(user_id),
                    changes | {"version": change.version},
                    UNCHANGED,
                    {"version": before["version"]},
                ),
                Delete(_directory_key(before)),
            )

        self._db.run(work)

    # ------------------------------------------------------------ reading
    def get(self, user_id: str) -> User | None:
        stored = self._db.run(lambda: self._db.get(keys.profile(user_id)))
        return to_user(stored) if stored and "deleted_at" not in stored else None

    def get_many(self, user_ids: Collection[str]) -> dict[str, User]:
        found = self._db.run(lambda: self._db.get_many(map(keys.profile, user_ids)))
        return {item["id"]: to_user(item) for item in found.values() if "deleted_at" not in item}

    def list_by_name(
        self,
        *,
        limit: int,
        after: tuple[str, str] | None = None,
        q: str | None = None,
        filial: str | None = None,
        visible_to: Collection[str] | None = None,
    ) -> list[User]:
        low = f"{keys.name(*after).sk}\0" if after else keys.FIRST  # the least text that is greater
        page = max(limit, SEARCH_PAGE) if q or filial or visible_to is not None else limit

        def work() -> list[User]:
            entries = self._db.query(keys.USERS, keys.NAMES, low, keys.LAST, page=page)
            ids = [entry["id"] for entry in islice((e for e in entries if _matches(e, q, filial, visible_to)), limit)]
            found = self._db.get_many(map(keys.profile, ids))
            profiles = (found.get(keys.profile(user_id)) for user_id in ids)
            return [to_user(item) for item in profiles if item and "deleted_at" not in item]

        return self._db.run(work)


class _Change:
    """Recognises its own write, should the answer to it be lost."""

    def __init__(self) -> None:
        self.version = new_token()
        self.created = False
        self.avatar_before: str | None = None

    def is_in(self, stored: Item | None) -> bool:
        return stored is not None and stored["version"] == self.version


def _require(stored: Item | None, user_id: str) -> Item:
    if stored is None or "deleted_at" in stored:
        raise UserNotFound(userId=user_id)
    return stored


def _profile(command: SaveUser, user_id: str, before: Item | None, now: int) -> Item:
    kept: Item = before or {"roles": [], "filials": [], "created_at": now}
    return {
        "id": user_id,
        "name": command.name,
        "email": command.email,
        "roles": kept["roles"] if command.roles is None else list(command.roles),
        "filials": kept["filials"] if command.filials is None else list(command.filials),
        "avatar": kept.get("avatar") if before and command.keep_avatar else command.avatar,
        "created_at": kept["created_at"],
        "updated_at": now,
    }


def _writes(profile: Item, stored: Item | None, before: Item | None, version: str) -> list[Action]:
    """``stored`` may be a deleted profile, ``before`` not. ``last_seen`` of a known user is left to ``touch``."""
    changes = profile | {"version": version, "deleted_at": None}
    if before is None:
        changes["last_seen"] = profile["updated_at"]
    when, values = (UNCHANGED, {"version": stored["version"]}) if stored else (ABSENT, {})
    writes: list[Action] = [Update(keys.profile(profile["id"]), changes, when, values)]
    if before and _directory_key(before) != _directory_key(profile):
        writes.append(Delete(_directory_key(before)))
    if before is None or _entry(before) != _entry(profile):
        writes.append(Put(_directory_key(profile), _entry(profile)))
    return writes


def _directory_key(profile: Item) -> keys.Key:
    return keys.name(sort_key(profile["name"]), profile["id"])


def _entry(profile: Item) -> Item:
    """What the directory is searched by."""
    return {
        "id": profile["id"],
        "sort_name": sort_key(profile["name"]),
        "email": profile["email"].lower(),
        "filials": profile["filials"],
    }


def _matches(entry: Item, q: str | None, filial: str | None, visible_to: Collection[str] | None) -> bool:
    if visible_to is not None and entry["filials"] and not set(visible_to).intersection(entry["filials"]):
        return False
    found = not q or sort_key(q) in entry["sort_name"] or q.lower() in entry["email"]
    return found and (not filial or filial in entry["filials"])

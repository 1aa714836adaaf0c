"""The directory of users."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from chatapp.domain.audit import AuditAction
from chatapp.domain.commands import ListUsers, RevokeTokens, SaveUser
from chatapp.domain.errors import ConversationNotFound, InvalidData, NotAParticipant, UserNotFound
from chatapp.domain.events import UserDeleted
from chatapp.domain.happenings import user_lane
from chatapp.domain.models import Actor, Page, Scope, Standing, User
from chatapp.domain.rooms import user_room
from chatapp.domain.text import sort_key
from chatapp.ports import Clock, EventPublisher, Ids, Presence, Rooms, Store
from chatapp.services.actors import require_admin, require_scope, require_self, vouched
from chatapp.services.audit import AuditService
from chatapp.services.conversations import ConversationService
from chatapp.services.filials import Filials, shares
from chatapp.services.profiles import Profiles
from chatapp.services.revocations import RevocationService
from chatapp.services.webhook_outbox import Wake, wake_nobody

Position = tuple[bool, str, str]
"""Where a page ended: among the online or not, sort key, id."""

SKIPPED_AT_ONCE = 500
"""Online users that one read among the offline ones may find in its way; they must not cost a read each."""


class UserService:
    def __init__(
        self,
        store: Store,
        presence: Presence,
        conversations: ConversationService,
        profiles: Profiles,
        filials: Filials,
        rooms: Rooms,
        publisher: EventPublisher,
        revocations: RevocationService,
        audit: AuditService,
        *,
        clock: Clock,
        ids: Ids,
        wake: Wake = wake_nobody,
    ) -> None:
        self._wake = wake
        self._users = store.users
        self._inboxes = store.conversations
        self._presence = presence
        self._conversations = conversations
        self._profiles = profiles
        self._filials = filials
        self._rooms = rooms
        self._publisher = publisher
        self._revocations = revocations
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def save(self, command: SaveUser, *, actor: Actor) -> tuple[User, bool]:
        """Create or update; True when created. Who comes with a token saves themself, as far as it leaves it to them.

        Raises IdentityMismatch, ScopeMissing.
        """
        own = actor.user_id if actor.standing is Standing.USER else None
        user_id = command.id or own or self._ids.new()
        require_self(actor, user_id, Scope.USERS_WRITE)
        if user_id == actor.user_id:
            command = vouched(command, actor)
        user, created = self._users.save(command, user_id=user_id, now=self._clock.now())
        self._profiles.remember(user)
        if created:
            self._wake(user_lane(user_id))
        return self._with_status(user), created

    def get(self, user_id: str, *, actor: Actor) -> User:
        """Raises UserNotFound, OtherFilial, ScopeMissing."""
        require_scope(actor, Scope.USERS_WRITE)
        user = self.require(user_id)
        self._filials.require_visible(actor, [user])
        return user

    def require(self, user_id: str) -> User:
        """Raises UserNotFound."""
        user = self._users.get(user_id)
        if user is None:
            raise UserNotFound(userId=user_id)
        return self._with_status(user)

    def set_avatar(self, user_id: str, avatar: str | None) -> tuple[User, str | None]:
        """The user afterwards, and the avatar before. Raises UserNotFound."""
        before = self._users.set_avatar(user_id, avatar, now=self._clock.now())
        self._profiles.drop(user_id)
        return self.require(user_id), before

    def delete(self, user_id: str, *, actor: Actor) -> User:
        """Out of every group, then out of the directory; the sockets are closed, and the tokens revoked.

        Raises UserNotFound, AdminOnly, ScopeMissing.
        """
        require_admin(actor)
        user = self.require(user_id)
        self._audit.record(AuditAction.USER_DELETE, f"user:{user_id}", actor, name=user.name)
        self._revocations.revoke(RevokeTokens(user_id=user_id), actor=actor)
        for entry in self._inboxes.inbox(user_id):
            if entry.conversation.is_group:
                self._take_out(entry.conversation.id, user_id, actor)
        self._users.delete(user_id)
        self._profiles.drop(user_id)
        self._rooms.disconnect(user_id)
        self._publisher.relay(UserDeleted(user_id), rooms=(user_room(user_id),))
        return user

    def _take_out(self, conversation_id: str, user_id: str, actor: Actor) -> None:
        with suppress(ConversationNotFound, NotAParticipant):  # since we looked: out is all that was wanted
            self._conversations.see_out(conversation_id, user_id, actor=actor)

    def list_page(self, query: ListUsers, *, actor: Actor) -> Page[User]:
        """Online first, then by name. Raises InvalidData for a cursor it did not make, ScopeMissing."""
        require_scope(actor, Scope.USERS_WRITE)
        query = replace(query, visible_to=self._filials.of(actor))
        after = _read_cursor(query.cursor)
        online = set(self._presence.online())
        users = self._online(query, online, after) if after is None or after[0] else []
        if len(users) <= query.limit:
            users += self._offline(query, online, after, query.limit + 1 - len(users))
        page = users[: query.limit]
        if len(users) <= query.limit:
            return Page(page)
        # By the list it stood in, not by its status: that may have changed while we read.
        return Page(page, _make_cursor(page[-1].id in online, *_name_order(page[-1])))

    def _online(self, query: ListUsers, online: set[str], after: Position | None) -> list[User]:
        users = sorted(self._users.get_many(online).values(), key=_name_order)
        start = after[1:] if after else ("", "")
        return self._with_statuses(user for user in users if _name_order(user) > start and _matches(user, query))

    def _offline(self, query: ListUsers, online: set[str], after: Position | None, limit: int) -> list[User]:
        found: list[User] = []
        start = after[1:] if after and not after[0] else None
        size = limit + min(len(online), SKIPPED_AT_ONCE)
        while len(found) < limit:
            batch = self._users.list_by_name(
                limit=size, after=start, q=query.q, filial=query.filial, visible_to=query.visible_to
            )
            found += [user for user in batch if user.id not in online]
            if len(batch) < size:
                break
            start = _name_order(batch[-1])
        return self._with_statuses(found[:limit])

    def _with_status(self, user: User) -> User:
        return self._with_statuses([user])[0]

    def _with_statuses(self, users: Iterable[User]) -> list[User]:
        users = list(users)
        statuses = self._presence.statuses([user.id for user in users])
        return [replace(user, status=statuses[user.id]) for user in users]


def _name_order(user: User) -> tuple[str, str]:
    return sort_key(user.name), user.id


def _matches(user: User, query: ListUsers) -> bool:
    if query.filial and query.filial not in user.filials:
        return False
    if query.visible_to is not None and not shares(user, query.visible_to):
        return False
    return not query.q or sort_key(query.q) in sort_key(user.name) or query.q.lower() in user.email.lower()


def _make_cursor(*position: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(position, ensure_ascii=False).encode()).decode()


def _read_cursor(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor))
        ours = tuple(map(type, position)) == (bool, str, str) and _make_cursor(*position) == cursor
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidData({"cursor": ["invalid"]}) from exc
    if not ours:
        raise InvalidData({"cursor": ["invalid"]})
    was_online, name, user_id = position
    return was_online, name, user_id

"""Who is here: joining, leaving, status, and the grace that a reconnecting client gets."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chatapp.domain.commands import JoinChat, LeaveChat, SaveUser, SetStatus
from chatapp.domain.errors import NotIdentified, Unavailable, UserNotFound
from chatapp.domain.events import MessageUnread, UserConnected, UserDisconnected, UserStatusChanged, WorkerLeft
from chatapp.domain.happenings import user_lane
from chatapp.domain.models import Actor, Conversation, InboxEntry, Status, User
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Clock, EventPublisher, Presence, Rooms, Scheduler, Store, Timer
from chatapp.services.actors import require_name, vouched
from chatapp.services.audience import Audience
from chatapp.services.filials import Filials
from chatapp.services.following import Follows, NotFollowing
from chatapp.services.profiles import Profiles
from chatapp.services.typing import TypingService
from chatapp.services.webhook_outbox import Wake, wake_nobody

log = logging.getLogger(__name__)

BACKUP_SECONDS = 5.0
"""How much longer than the grace the other workers wait for the one whose last socket it was."""


@dataclass(eq=False, slots=True)
class _Departing:
    """A user without sockets, and the end of their grace."""

    left_at: datetime
    is_ours: bool
    """False when it was another worker's last socket, which tells of it unless it has died."""
    timer: Timer | None = None

    def cancel(self) -> None:
        if self.timer:
            self.timer.cancel()


class PresenceService:
    def __init__(
        self,
        store: Store,
        presence: Presence,
        audience: Audience,
        profiles: Profiles,
        filials: Filials,
        typing: TypingService,
        rooms: Rooms,
        publisher: EventPublisher,
        *,
        clock: Clock,
        scheduler: Scheduler,
        grace_seconds: float,
        following: Follows | None = None,
        wake: Wake = wake_nobody,
    ) -> None:
        self._wake = wake
        self._store = store
        self._users = store.users
        self._conversations = store.conversations
        self._presence = presence
        self._audience = audience
        self._profiles = profiles
        self._filials = filials
        self._typing = typing
        self._rooms = rooms
        self._publisher = publisher
        self._clock = clock
        self._scheduler = scheduler
        self._grace_seconds = grace_seconds
        self._following = following or NotFollowing()
        self._speaks_for: dict[str, str] = {}  # socket → user
        self._departing: dict[str, _Departing] = {}

    def join(self, command: JoinChat, *, actor: Actor, socket_id: str) -> User:
        """The socket speaks for this user from now on, and hears what is for them.

        Others learn of it when it is the user's first socket; the socket gets one notice for each conversation with
        unread messages. Raises NotIdentified, also when the socket closed meanwhile.
        """
        user_id = require_name(actor)
        command = vouched(command, actor)
        if self._speaks_for.get(socket_id, user_id) != user_id:
            self.leave(LeaveChat(), actor=actor, socket_id=socket_id)
        with self._audience.arrival(user_id, socket_id=socket_id) as arrival:
            user, entries = arrival.ask(lambda: self._arrive(command, user_id))
        admitted = self._admit(user, entries, socket_id, actor)
        self._tell_unread([arrival.updated(entry) for entry in entries], socket_id)
        return admitted

    def renew(self, *, actor: Actor, socket_id: str) -> None:
        """The actor's token is another now: the socket hears of the branches that it names. Raises StoreUnavailable."""
        self._rooms.set_parts(socket_id, self._filials.rooms_of(actor))

    def _arrive(self, command: JoinChat, user_id: str) -> tuple[User, list[InboxEntry]]:
        self._following.user(user_id)
        now = self._clock.now()
        user, entries = self._store.arrive(_profile(command), user_id=user_id, now=now)
        self._profiles.remember(user)
        if user.created_at == now:
            self._wake(user_lane(user_id))
        return user, self._followed(user_id, entries)

    def _followed(self, user_id: str, entries: list[InboxEntry]) -> list[InboxEntry]:
        """The store's answer, which was ``entries`` when this worker heard the user, as of when it hears their
        conversations."""
        is_old = False

        def heads() -> list[Conversation]:
            nonlocal entries, is_old
            if is_old:
                entries = self._conversations.marks(user_id)
            is_old = True
            return [entry.conversation for entry in entries]

        self._following.conversations(heads)
        return entries

    def _admit(self, user: User, entries: Iterable[InboxEntry], socket_id: str, actor: Actor) -> User:
        """With their status. Nothing in here may wait: to others the user is either in or out."""
        self._speaks_for[socket_id] = user.id
        self._rooms.admit(socket_id, user.id, parts=self._filials.rooms_of(actor, user))
        self._audience.admit(user.id, entries)
        first = self._presence.add(user.id, socket_id)
        returning = self._stop_waiting_for(user.id)
        was_hidden = first and self._presence.statuses([user.id])[user.id] is Status.OFFLINE
        if was_hidden:  # they had said so themselves before they left; whoever comes is online
            self._presence.set_status(user.id, Status.ONLINE)
        admitted = self._with_status(user)
        if was_hidden or (first and not returning):
            self._publisher.publish(UserConnected(admitted, self._filials.audience_of(user)))
        return admitted

    # ------------------------------------------------------------ lost connections: services/sessions.py
    def user_of(self, socket_id: str) -> str | None:
        """Whom the socket speaks for since ``join``."""
        return self._speaks_for.get(socket_id)

    def expect(self, user_id: str) -> tuple[User, list[InboxEntry]]:
        """A lost connection of this user may be taken up here: from now on what is for them is heard and counted.

        Their profile and conversations as of then. Waits. Raises UserNotFound.
        """
        user = self._users.get(user_id)
        if user is None:
            raise UserNotFound(userId=user_id)
        with self._audience.arrival(user_id) as arrival:
            entries = arrival.ask(lambda: self._follow(user_id))
        self._audience.admit(user_id, entries)
        return user, entries

    def parts_of(self, user: User, *, actor: Actor) -> tuple[str, ...]:
        """The parts of everyone that a socket of theirs hears. Raises StoreUnavailable."""
        return self._filials.rooms_of(actor, user)

    def resume(self, user: User, *, actor: Actor, socket_id: str, conversation_ids: Iterable[str]) -> None:
        """The connection is back, as ``expect`` has prepared it, with these conversations open. Never waits.

        Their rooms are told nothing: that it was lost they have not heard either.
        """
        self._admit(user, (), socket_id, actor)
        for conversation_id in conversation_ids:
            self._rooms.enter(socket_id, conversation_id)
            self._presence.enter(conversation_id, user.id, socket_id)

    def expect_no_more(self, user_id: str) -> None:
        """None of the user's lost connections can be taken up here any more."""
        if user_id not in self._departing and not self._presence.has_sockets(user_id):
            self._audience.dismiss(user_id)

    def _follow(self, user_id: str) -> list[InboxEntry]:
        self._following.user(user_id)
        return self._followed(user_id, self._conversations.marks(user_id))

    # ------------------------------------------------------------ leaving
    def leave(self, _command: LeaveChat, *, actor: Actor, socket_id: str) -> None:
        """The socket speaks for nobody any more, whoever it names."""
        user_id = self._speaks_for.get(socket_id, require_name(actor))
        self._rooms.dismiss(socket_id, user_id)
        self.disconnect(user_id, socket_id)

    def disconnect(self, user_id: str, socket_id: str) -> None:
        """The socket is gone. The user is offline when no other comes within the grace."""
        user_id = self._speaks_for.pop(socket_id, user_id)
        self._audience.turn_away(socket_id)
        self._typing.stop_all(socket_id)
        if self._presence.remove(user_id, socket_id):
            self._depart(user_id, self._grace_seconds, is_ours=True)

    def lost(self, user_ids: Collection[str]) -> None:
        """These users have no socket anywhere, for all that another worker says, or because it is dead.

        It tells when their grace is over; should it die before, each worker tells its own sockets.
        """
        for user_id in user_ids:
            self._stop_waiting_for(user_id)  # they had come back since, elsewhere
            self._depart(user_id, self._grace_seconds + BACKUP_SECONDS, is_ours=False)

    def stay_away(self, user_id: str) -> None:
        """Another worker has told that the user is offline."""
        if self._presence.has_sockets(user_id):  # they came back while it was being told
            if user_id in self._speaks_for.values():
                self._scheduler.call_later(0, self._tell_again, user_id)
            return
        self._stop_waiting_for(user_id)
        self._presence.forget(user_id)
        self._audience.dismiss(user_id)

    def _tell_again(self, user_id: str) -> None:
        try:
            user = self._users.get(user_id)
        except Unavailable as exc:
            log.warning("%s is not told to be back: %s", user_id, exc)
            return
        if user and self._presence.has_sockets(user_id):
            self._publisher.publish(UserConnected(self._with_status(user), self._filials.audience_of(user)))

    def _stop_waiting_for(self, user_id: str) -> bool:
        """True when the user was within their grace."""
        departing = self._departing.pop(user_id, None)
        if departing:
            departing.cancel()
        return departing is not None

    def close(self) -> None:
        """Remember when those who are here were last seen, and take leave of the other workers."""
        now = self._clock.now()
        for user_id in self._audience.present():
            if user_id in self._departing or self._presence.has_sockets(user_id):
                self._remember_last_seen(user_id, now)
        self._publisher.relay(WorkerLeft(), rooms=(EVERYONE,))

    def _depart(self, user_id: str, seconds: float, *, is_ours: bool) -> None:
        departing = self._departing[user_id] = _Departing(self._clock.now(), is_ours)
        departing.timer = self._scheduler.call_later(seconds, self._go_offline, user_id, departing)

    def set_status(self, command: SetStatus, *, actor: Actor) -> UserStatusChanged:
        """Raises NotIdentified when the user has not joined: nobody would ever take the status back."""
        user_id = require_name(actor)
        visible_to = self._filials.audience_of_id(user_id)
        if not self._presence.has_sockets(user_id):
            raise NotIdentified
        self._presence.set_status(user_id, command.status)
        changed = UserStatusChanged(user_id, command.status, self._clock.now(), visible_to=visible_to)
        self._publisher.publish(changed)
        return changed

    def _go_offline(self, user_id: str, departing: _Departing) -> None:
        left_at = departing.left_at
        self._remember_last_seen(user_id, left_at)
        visible_to = self._filials.audience_of_id(user_id)
        # Storing may have taken a while: whoever came back meanwhile never left. From here on nothing waits.
        if self._departing.get(user_id) is not departing:
            return
        del self._departing[user_id]
        if self._presence.has_sockets(user_id):  # on another worker
            return
        self._presence.forget(user_id)
        self._audience.dismiss(user_id)
        tell = self._publisher.publish if departing.is_ours else self._publisher.deliver
        tell(UserDisconnected(user_id, left_at, visible_to))
        tell(UserStatusChanged(user_id, Status.OFFLINE, left_at, by_absence=True, visible_to=visible_to))

    def _remember_last_seen(self, user_id: str, at: datetime) -> None:
        try:
            self._users.touch(user_id, last_seen=at)
        except Unavailable as exc:
            log.warning("last_seen of %s was not stored: %s", user_id, exc)

    def _tell_unread(self, entries: Iterable[InboxEntry], socket_id: str) -> None:
        for entry in entries:
            mark = self._audience.mark(entry.conversation.id, entry.user_id)
            if mark is None:  # taken out while another sender's name was read
                continue
            if notice := self.notice(replace(entry, last_read_seq=mark), socket_id):
                self._publisher.deliver(notice)

    def notice(self, entry: InboxEntry, socket_id: str | None = None) -> MessageUnread | None:
        """Of what the participant has not read; None when there is nothing. For one socket, or all of theirs."""
        last = entry.conversation.last
        if last is None or not entry.unread_count:
            return None
        sender = self._profiles.find(last.sender_id)
        return MessageUnread(entry.user_id, entry.conversation, last, sender, entry.unread_count, socket_id)

    def _with_status(self, user: User) -> User:
        return replace(user, status=self._presence.statuses([user.id])[user.id])


def _profile(command: JoinChat) -> SaveUser:
    return SaveUser(
        id=command.actor_id,
        name=command.name,
        email=command.email,
        roles=command.roles,
        filials=command.filials,
        avatar=command.avatar,
        keep_avatar=command.avatar is None,
    )

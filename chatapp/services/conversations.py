"""Conversations and who is in them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chatapp.domain.audit import AuditAction
from chatapp.domain.commands import (
    AddParticipants,
    CreateConversation,
    JoinRoom,
    LeaveGroup,
    LeaveRoom,
    ListPage,
    MarkAsRead,
    RemoveParticipant,
    UpdateGroup,
)
from chatapp.domain.errors import (
    ConversationNotFound,
    InvalidData,
    NotAGroup,
    NotAParticipant,
    NotGroupCreator,
    UnknownUsers,
    UserNotFound,
)
from chatapp.domain.events import (
    ConversationClosed,
    GroupCreated,
    GroupDeleted,
    GroupUpdated,
    MessagesRead,
    PrivateOpened,
    RoomJoined,
    RoomLeft,
    UserLeftGroup,
    UserRemovedFromGroup,
    UsersAddedToGroup,
)
from chatapp.domain.happenings import conversation_lane
from chatapp.domain.models import Actor, Conversation, ConversationType, InboxEntry, Page, Scope, Standing
from chatapp.domain.rooms import conversation_room, user_room
from chatapp.ports import Clock, Deleted, Departure, EventPublisher, Ids, Presence, ReadMark, Rooms, Store
from chatapp.services.actors import membership_of, require_admin, require_name, require_scope, require_self
from chatapp.services.attachments import AttachmentSweeper
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.deliveries import Deliveries
from chatapp.services.filials import Filials
from chatapp.services.following import Follows, NotFollowing
from chatapp.services.profiles import Profiles
from chatapp.services.telling import Teller
from chatapp.services.webhook_outbox import Wake, wake_nobody

NEXT_OWNERS = 20
"""Who may own a group next: the second in line, or one further behind when others leave at the same time."""


class ConversationService:
    def __init__(
        self,
        store: Store,
        presence: Presence,
        audience: Audience,
        profiles: Profiles,
        filials: Filials,
        rooms: Rooms,
        teller: Teller,
        deliveries: Deliveries,
        sweeper: AttachmentSweeper,
        publisher: EventPublisher,
        audit: AuditService,
        *,
        clock: Clock,
        ids: Ids,
        following: Follows | None = None,
        wake: Wake = wake_nobody,
    ) -> None:
        self._wake = wake
        self._store = store.conversations
        self._users = store.users
        self._presence = presence
        self._audience = audience
        self._profiles = profiles
        self._filials = filials
        self._rooms = rooms
        self._teller = teller
        self._deliveries = deliveries
        self._sweeper = sweeper
        self._publisher = publisher
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._following = following or NotFollowing()
        self.on_close: Callable[[str], object] = lambda _conversation_id: None
        """Called with a conversation that is gone. May not wait."""

    # ------------------------------------------------------------ making
    def create(self, command: CreateConversation, *, actor: Actor) -> tuple[Conversation, bool]:
        """True when it is new; the private conversation of a pair exists once.

        Raises InvalidData, UnknownUsers, NotIdentified, OtherFilial, NotAParticipant, ScopeMissing.
        """
        require_scope(actor, Scope.MESSAGES_SEND)
        creator = require_name(actor)
        if command.is_group:
            return self._create_group(command, creator, actor), True
        return self._open_private(command, creator, actor)

    def _create_group(self, command: CreateConversation, creator: str, actor: Actor) -> Conversation:
        members = tuple(dict.fromkeys((creator, *command.participants)))
        self._require_users(members, actor)
        group = self._store.create_group(self._draft(ConversationType.GROUP, members, creator, command))
        for user_id in members:
            self._audience.add(group, user_id, group.last_seq)
        self._publisher.publish(GroupCreated(group))
        self._wake(conversation_lane(group.id))
        return group

    def _open_private(self, command: CreateConversation, creator: str, actor: Actor) -> tuple[Conversation, bool]:
        pair = tuple(dict.fromkeys(command.participants))
        if len(pair) == 1 and pair[0] != creator:
            pair = (creator, *pair)  # "with this person": the creator need not be repeated
        if len(pair) != 2:
            raise InvalidData({"participants": ["two_distinct_users"]})
        if creator not in pair and actor.standing in (Standing.USER, Standing.ADMIN):
            raise NotAParticipant(userId=creator)
        self._require_users(dict.fromkeys((*pair, creator)), actor)
        conversation, created = self._store.open_private(self._draft(ConversationType.PRIVATE, pair, creator, command))
        if created:
            for user_id in conversation.participants:
                self._audience.add(conversation, user_id, conversation.last_seq)
            self._publisher.relay(PrivateOpened(conversation), rooms=tuple(map(user_room, conversation.participants)))
            self._wake(conversation_lane(conversation.id))
        return conversation, created

    def _draft(
        self, kind: ConversationType, members: tuple[str, ...], creator: str, command: CreateConversation
    ) -> Conversation:
        now = self._clock.now()
        name, description = (command.name, command.description) if command.is_group else (None, None)
        return Conversation(self._ids.new(), kind, name, description, members, creator, now, now)

    # ------------------------------------------------------------ reading
    def read(self, conversation_id: str, *, actor: Actor) -> Conversation:
        """Raises ConversationNotFound, NotAParticipant, ScopeMissing."""
        member, conversation = membership_of(actor), self.get(conversation_id)
        if member is not None and member not in conversation.participants:
            raise NotAParticipant(conversationId=conversation_id, userId=member)
        return conversation

    def members(self, conversation_id: str, *, actor: Actor) -> list[InboxEntry]:
        """The participants, longest-standing first, and how far each has read. Raises as ``read``."""
        return self._store.members(self.read(conversation_id, actor=actor))

    def get(self, conversation_id: str) -> Conversation:
        """Raises ConversationNotFound."""
        conversation = self._store.get(conversation_id)
        if conversation is None:
            raise ConversationNotFound(conversationId=conversation_id)
        return conversation

    def inbox(self, user_id: str, *, actor: Actor) -> list[InboxEntry]:
        """Latest activity first. Raises UserNotFound, IdentityMismatch, ScopeMissing."""
        require_self(actor, user_id)
        if self._users.get(user_id) is None:
            raise UserNotFound(userId=user_id)
        return self._store.inbox(user_id)

    def list_all(self, query: ListPage, *, actor: Actor) -> Page[Conversation]:
        """Raises InvalidData for a cursor it did not make, AdminOnly, ScopeMissing."""
        require_admin(actor)
        self._audit.record(AuditAction.DATA_EXPORT, "conversations", actor, limit=query.limit, cursor=query.cursor)
        return self._store.list_all(limit=query.limit, cursor=query.cursor)

    def _require_users(self, user_ids: Collection[str], actor: Actor) -> None:
        """Raises UnknownUsers with those that do not exist, OtherFilial."""
        known = self._users.get_many(user_ids)
        if unknown := [user_id for user_id in user_ids if user_id not in known]:
            raise UnknownUsers(userIds=unknown)
        self._filials.require_visible(actor, known.values())

    def require_participant(self, conversation_id: str, user_id: str) -> InboxEntry:
        """Raises ConversationNotFound, NotAParticipant."""
        return self._store.entry(conversation_id, user_id)

    # ------------------------------------------------------------ rooms
    def join_room(self, command: JoinRoom, *, actor: Actor, socket_id: str) -> InboxEntry:
        """The socket hears the conversation from now on.

        Raises ConversationNotFound, NotAParticipant, NotIdentified (also when the socket closed meanwhile).
        """
        user_id, parts = require_name(actor), self._filials.rooms_of(actor)
        with self._audience.arrival(user_id, conversation_id=command.conversation_id, socket_id=socket_id) as arrival:
            arrival.ask(lambda: self._follow(command.conversation_id, user_id))
        # Known by the handshake alone, the socket must be found when they are taken out.
        self._rooms.admit(socket_id, user_id, parts=parts)
        self._rooms.enter(socket_id, command.conversation_id)
        if self._presence.enter(command.conversation_id, user_id, socket_id):
            self._publisher.publish(RoomJoined(command.conversation_id, user_id))
        # Read again, now that new messages are heard: one that came in between is in this answer, or heard, or both.
        return self.require_participant(command.conversation_id, user_id)

    def _follow(self, conversation_id: str, user_id: str) -> InboxEntry:
        """The store's answer, read when this worker hears the conversation."""
        self._following.user(user_id)
        entries: list[InboxEntry] = []

        def head() -> tuple[Conversation]:
            entries.append(self.require_participant(conversation_id, user_id))
            return (entries[-1].conversation,)

        self._following.conversations(head)
        return entries[-1] if entries else self.require_participant(conversation_id, user_id)

    def leave_room(self, command: LeaveRoom, *, actor: Actor, socket_id: str) -> None:
        """The socket hears the conversation no more; membership stays."""
        user_id = require_name(actor)
        self._rooms.leave(socket_id, command.conversation_id)
        if self._presence.leave(command.conversation_id, user_id, socket_id):
            self._publisher.publish(RoomLeft(command.conversation_id, user_id))

    def mark_as_read(self, command: MarkAsRead, *, actor: Actor) -> ReadMark:
        """Raises ConversationNotFound, NotAParticipant, NotIdentified, ScopeMissing."""
        require_scope(actor, Scope.MESSAGES_SEND)
        user_id = require_name(actor)
        mark = self._store.mark_read(command.conversation_id, user_id, now=self._clock.now())
        if mark.moved:
            event = MessagesRead(command.conversation_id, user_id, mark.at, mark.seq, mark.rev)
            self._deliveries.announce(event, rooms=_rooms(command.conversation_id, user_id))
        return mark

    # ------------------------------------------------------------ members
    def add_participants(self, command: AddParticipants, *, actor: Actor) -> tuple[Conversation, tuple[str, ...]]:
        """The group afterwards and who is really new.

        Raises ConversationNotFound, NotAGroup, UnknownUsers, OtherFilial, NotAParticipant, ScopeMissing.
        """
        before = self._get_for_member(command.conversation_id, actor)
        self._require_users(dict.fromkeys(command.participants), actor)
        now = self._clock.now()
        by = actor.user_id or before.created_by
        group, added = self._store.add_participants(before.id, command.participants, by=by, now=now)
        if added:
            self._deliveries.announce(UsersAddedToGroup(group, added, by, now), rooms=_rooms(group.id, *added))
        return group, added

    def _get_for_member(self, conversation_id: str, actor: Actor) -> Conversation:
        """For what only participants change in a group, administrators, and in open mode whoever asks without a name.
        That a private conversation is no group, the store says to those who may know of it.

        Raises ConversationNotFound, NotAParticipant, ScopeMissing.
        """
        member, conversation = membership_of(actor), self.get(conversation_id)
        is_open = actor.standing is Standing.TRUSTED and not conversation.is_group
        if member is not None and member not in conversation.participants and not is_open:
            raise NotAParticipant(conversationId=conversation.id, userId=member)
        return conversation

    def remove_participant(self, command: RemoveParticipant, *, actor: Actor) -> Conversation:
        """Only the creator takes out others, and administrators. Taking out oneself is leaving.

        Raises ConversationNotFound, NotAGroup, NotAParticipant, NotGroupCreator, ScopeMissing.
        """
        require_scope(actor, Scope.MESSAGES_SEND)
        if actor.user_id == command.user_id:
            return self.leave_group(LeaveGroup(conversation_id=command.conversation_id), actor=actor).conversation
        before = self.get(command.conversation_id)
        is_known_as_group = before.is_group or actor.standing is not Standing.TRUSTED
        if is_known_as_group and membership_of(actor) not in (None, before.created_by):
            raise NotGroupCreator(conversationId=before.id, userId=actor.user_id)
        _require_in_group(before, command.user_id)
        now, by = self._clock.now(), actor.user_id or before.created_by
        user, remover = self._profiles.find(command.user_id), self._profiles.find(by)
        self._audit.record(AuditAction.PARTICIPANT_REMOVE, f"conversation:{before.id}", actor, userId=command.user_id)
        is_recorded = self._record_end(before, command.user_id, actor)
        departure = self._store.remove_participant(before.id, command.user_id, by=by, now=now)
        group = departure.conversation
        self._teller.let_go(group.id, command.user_id)
        self._tell_departure(UserRemovedFromGroup(group, user, by, remover.name, now), departure)
        if departure.gone and not is_recorded:  # the others left meanwhile
            self._record_deletion(before, actor)
        return group

    def leave_group(self, command: LeaveGroup, *, actor: Actor) -> UserLeftGroup:
        """Raises ConversationNotFound, NotAGroup, NotAParticipant, NotIdentified."""
        return self.see_out(command.conversation_id, require_name(actor), actor=actor)

    def see_out(self, conversation_id: str, user_id: str, *, actor: Actor) -> UserLeftGroup:
        """The user leaves; ``actor`` is who has made them, and may have: often themself. As ``leave_group``."""
        before = self.get(conversation_id)
        # After the write nothing should wait, or a later change would be told before this one.
        self._profiles.prepare((user_id, *before.participants[:NEXT_OWNERS]))
        user, now = self._profiles.find(user_id), self._clock.now()
        is_recorded = self._record_end(before, user_id, actor)
        departure = self._store.remove_participant(conversation_id, user_id, by=user_id, now=now)
        self._teller.let_go(conversation_id, user_id)
        owner = self._profiles.find(departure.new_owner_id) if departure.new_owner_id else None
        left = UserLeftGroup(
            conversation=departure.conversation,
            user=user,
            left_by=user_id,
            timestamp=now,
            new_owner=owner,
            group_deleted=departure.gone is not None,
            deleted_messages_count=departure.gone.messages if departure.gone else 0,
        )
        self._tell_departure(left, departure)
        if departure.gone and not is_recorded:  # the others left meanwhile
            self._record_deletion(before, actor)
        return left

    def _record_end(self, before: Conversation, user_id: str, actor: Actor) -> bool:
        """True when this is the last one, who takes the group and its messages along."""
        is_last = before.is_group and before.participants == (user_id,)
        if is_last:
            self._record_deletion(before, actor)
        return is_last

    def _tell_departure(self, event: UserRemovedFromGroup | UserLeftGroup, departure: Departure) -> None:
        if departure.gone:  # with all that could be told later
            self._publisher.publish(event)
            self._close(departure.gone)
            self._wake(conversation_lane(departure.conversation.id))
        else:
            self._deliveries.announce(event, rooms=_rooms(event.conversation.id, event.user.id))

    def update_group(self, command: UpdateGroup, *, actor: Actor) -> Conversation:
        """Another name or description; what the command leaves out stays.

        Raises ConversationNotFound, NotAGroup, NotAParticipant, ScopeMissing.
        """
        before = self._get_for_member(command.conversation_id, actor)
        by, now = actor.user_id or before.created_by, self._clock.now()
        group, changed = self._store.set_details(
            before.id,
            name=before.name or "" if command.name is None else command.name,
            description=before.description if command.keep_description else command.description,
            by=by,
            now=now,
        )
        if changed:
            self._deliveries.announce(GroupUpdated(group, by, now), rooms=_rooms(group.id))
        return group

    def delete(self, conversation_id: str, *, actor: Actor) -> Deleted:
        """The conversation, its messages and their files: a group's creator may, and administrators.

        Raises ConversationNotFound, NotAParticipant, NotGroupCreator, AdminOnly, ScopeMissing.
        """
        lost = self.get(conversation_id) if actor.is_admin else self._read_own_group(conversation_id, actor)
        self._record_deletion(lost, actor)
        gone = self._store.delete(conversation_id)
        self._close(gone)
        return gone

    def _read_own_group(self, conversation_id: str, actor: Actor) -> Conversation:
        conversation = self.read(conversation_id, actor=actor)
        if not conversation.is_group:
            require_admin(actor)
        if conversation.created_by != actor.user_id:
            raise NotGroupCreator(conversationId=conversation_id, userId=actor.user_id)
        return conversation

    def _record_deletion(self, lost: Conversation, actor: Actor) -> None:
        self._audit.record(
            AuditAction.CONVERSATION_DELETE, f"conversation:{lost.id}", actor, name=lost.name, messages=lost.last_seq
        )

    def recheck(self, conversation_id: str, user_id: str) -> None:
        """Let go of somebody who was taken out while we could not hear of it. Waits."""
        with self._audience.arrival(user_id, conversation_id=conversation_id) as arrival:
            try:
                arrival.ask(lambda: self.require_participant(conversation_id, user_id))
            except (ConversationNotFound, NotAParticipant):
                self._teller.let_go(conversation_id, user_id)

    def _close(self, gone: Deleted) -> None:
        if gone.conversation is not None:
            if gone.conversation.is_group:
                self._publisher.publish(GroupDeleted(gone.conversation, gone.messages, self._clock.now()))
            self.close(gone.conversation.id)
            self._publisher.relay(
                ConversationClosed(gone.conversation.id), rooms=(conversation_room(gone.conversation.id),)
            )
        self._sweeper.sweep(gone.attachments)  # last: it waits, and may fail

    def close(self, conversation_id: str) -> None:
        """The conversation is gone: nobody here hears it any more."""
        self._audience.close(conversation_id)
        self._rooms.close(conversation_id)
        for user_id in tuple(self._presence.viewers(conversation_id)):
            self._presence.evict(conversation_id, user_id)
        self.on_close(conversation_id)


def _require_in_group(conversation: Conversation, user_id: str) -> None:
    """Asked before anything is recorded, or anybody could fill the audit log with removals that never were.

    Raises NotAGroup, NotAParticipant.
    """
    if not conversation.is_group:
        raise NotAGroup(conversationId=conversation.id)
    if user_id not in conversation.participants:
        raise NotAParticipant(conversationId=conversation.id, userId=user_id)


def _rooms(conversation_id: str, *user_ids: str) -> tuple[str, ...]:
    """Where the other workers listen to a change: its members know the conversation, those it concerns perhaps not."""
    return (conversation_room(conversation_id), *map(user_room, user_ids))

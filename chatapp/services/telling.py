"""What a durable change means for this worker: whom it counts as members, and what its sockets are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatapp.domain.events import (
    DurableEvent,
    MessageSent,
    MessagesRead,
    MessageUnread,
    UserLeftGroup,
    UserRemovedFromGroup,
    UsersAddedToGroup,
)
from chatapp.domain.text import last_message
from chatapp.ports import EventPublisher, Presence, Rooms
from chatapp.services.audience import Audience


class Teller:
    """``tell`` each change once, in the order of their ``rev``, wherever it comes from. Nothing here waits."""

    def __init__(self, audience: Audience, presence: Presence, rooms: Rooms, publisher: EventPublisher) -> None:
        self._audience = audience
        self._presence = presence
        self._rooms = rooms
        self._publisher = publisher
        self.on_departure: Callable[[str, str], object] = lambda _conversation_id, _user_id: None
        """Called with a conversation and a user who is no member any more. May not wait."""

    def tell(self, event: DurableEvent) -> None:
        match event:
            case MessageSent():
                self._tell_message(event)
                return
            case MessagesRead(conversation_id, user_id, _, last_read_seq):
                self._audience.read(conversation_id, user_id, last_read_seq)
                others = tuple(member for member in self._audience.members(conversation_id) if member != user_id)
                event = replace(event, others=others)
            case UsersAddedToGroup(group, added_users):
                for user_id in added_users:
                    self._audience.add(group, user_id, group.last_seq)
            case UserRemovedFromGroup(group, user) | UserLeftGroup(group, user):
                self.let_go(group.id, user.id)
        self._publisher.deliver(event)

    def let_go(self, conversation_id: str, user_id: str) -> None:
        """Call it right after the write: whatever waits in between lets them hear what is said without them."""
        self._rooms.evict(user_id, conversation_id)
        self._presence.evict(conversation_id, user_id)
        self._audience.remove(conversation_id, user_id)
        self.on_departure(conversation_id, user_id)

    def _tell_message(self, event: MessageSent) -> None:
        """The room, and the members outside it."""
        message, conversation = event.message, event.conversation
        self._audience.read(message.conversation_id, message.sender_id, message.seq)
        self._publisher.deliver(event)
        if conversation is None:  # it is gone meanwhile
            return
        self._audience.said(message, conversation)
        viewers = self._presence.viewers(conversation.id)
        unread = self._audience.unread(conversation.id, message.seq, viewers=viewers)
        if not unread:
            return
        last = last_message(message)
        for user_id, count in unread:
            self._publisher.deliver(MessageUnread(user_id, conversation, last, message.sender, count))

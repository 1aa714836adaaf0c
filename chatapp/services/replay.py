"""What the store remembers of a conversation, as the events that told of it when it happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chatapp.domain import changes
from chatapp.domain.errors import ConversationNotFound
from chatapp.domain.events import (
    DurableEvent,
    GroupUpdated,
    MessageDeleted,
    MessageEdited,
    MessageSent,
    MessagesRead,
    UserLeftGroup,
    UserRemovedFromGroup,
    UsersAddedToGroup,
)
from chatapp.domain.models import Conversation
from chatapp.ports import Store
from chatapp.services.profiles import Profiles

PAGE = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """With ``events`` one knows all up to ``rev``; ``more``: there are later ones."""

    events: list[DurableEvent]
    rev: int
    more: bool


class Replay:
    def __init__(self, store: Store, profiles: Profiles) -> None:
        self._conversations = store.conversations
        self._profiles = profiles

    def after(self, conversation_id: str, rev: int) -> Replayed:
        """What came after ``rev``, in its order. Raises ConversationNotFound."""
        page = self._conversations.changes(conversation_id, since=rev, limit=PAGE)
        if page.rev < rev:  # the store is an older one than it was: what it has now was told long ago
            return Replayed([], rev, more=False)
        if not page.items:
            return Replayed([], page.rev, page.more)
        conversation = self._conversations.get(conversation_id)
        if conversation is None:
            raise ConversationNotFound(conversationId=conversation_id)
        self._profiles.prepare(dict.fromkeys(_people(page.items)))
        events: list[DurableEvent] = []
        for then, item in _moments(conversation, page.items):
            events += self._told_of(item, then)
        return Replayed(events, page.rev, page.more)

    def _told_of(self, change: changes.Change, then: Conversation) -> Iterator[DurableEvent]:
        match change:
            case changes.MessageAppended(message=message):
                yield MessageSent(message, then)
            case changes.MessageRevised(rev, message):
                yield MessageEdited(message, rev)
            case changes.MessageRetracted(rev, message):
                yield MessageDeleted(message.id, message.conversation_id, message.seq, rev)
            case changes.MarkMoved(rev, user_id, last_read_seq, at):
                yield MessagesRead(then.id, user_id, at, last_read_seq, rev)
            case changes.DetailsChanged(by=by, at=at):
                yield GroupUpdated(then, by, at)
            case changes.MembersChanged(action=changes.MembersAction.ADD, user_ids=user_ids, by=by, at=at):
                yield UsersAddedToGroup(then, user_ids, by, at)
            case changes.MembersChanged():
                yield self._departure(change, then)

    def _departure(self, change: changes.MembersChanged, group: Conversation) -> DurableEvent:
        (user_id,) = change.user_ids
        user = self._profiles.find(user_id)
        if change.by != user_id:
            return UserRemovedFromGroup(group, user, change.by, self._profiles.find(change.by).name, change.at)
        owner = self._profiles.find(change.new_owner_id) if change.new_owner_id else None
        return UserLeftGroup(group, user, user_id, change.at, owner, group_deleted=False, deleted_messages_count=0)


def _moments(
    conversation: Conversation, items: tuple[changes.Change, ...]
) -> Iterator[tuple[Conversation, changes.Change]]:
    """Each change with the conversation of today, but the numbers of then."""
    said = [item.message.seq for item in items if isinstance(item, changes.MessageAppended)]
    seq = said[0] - 1 if said else conversation.last_seq
    for item in items:
        if isinstance(item, changes.MessageAppended):
            seq = item.message.seq
        yield replace(conversation, rev=item.rev, last_seq=seq), item


def _people(items: tuple[changes.Change, ...]) -> Iterator[str]:
    """Who is named in events, whose names are to be read all at once."""
    for item in items:
        if isinstance(item, changes.MembersChanged):
            yield from (*item.user_ids, item.by, *((item.new_owner_id,) if item.new_owner_id else ()))

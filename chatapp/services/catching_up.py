"""What a client has missed: every durable change since it last knew a conversation, whatever became of its sockets."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.domain.changes import Changes
from chatapp.domain.commands import ReadChanges, Sync
from chatapp.domain.errors import ConversationNotFound, NotAParticipant
from chatapp.domain.models import Actor
from chatapp.ports import Store
from chatapp.services.actors import membership_of, require_name

CHANGES_AT_ONCE = 500
"""In one answer to ``sync``, of all conversations together: some 250 kB."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Either what has changed, or why it cannot be said."""

    conversation_id: str
    changes: Changes
    error: ConversationNotFound | NotAParticipant | None = None


class CatchUpService:
    def __init__(self, store: Store) -> None:
        self._conversations = store.conversations

    def changes(self, query: ReadChanges, *, actor: Actor) -> Changes:
        """Of one conversation. Raises ConversationNotFound, NotAParticipant, ScopeMissing."""
        return self._read(query.conversation_id, query.since, query.limit, membership_of(actor))

    def sync(self, command: Sync, *, actor: Actor) -> list[Synced]:
        """Of each conversation, in the order asked for. What does not fit any more has ``more`` and its old ``rev``.

        Raises NotIdentified.
        """
        user_id = require_name(actor)
        revs = {entry.conversation.id: entry.conversation.rev for entry in self._conversations.marks(user_id)}
        room, answers = CHANGES_AT_ONCE, []
        for conversation_id, rev in command.conversations:
            if revs.get(conversation_id) == rev:
                answer = Synced(conversation_id, Changes(rev, ()))
            elif not room:
                answer = Synced(conversation_id, Changes(rev, (), more=True))
            else:
                answer = self._catch_up(conversation_id, rev, room, user_id)
            room -= len(answer.changes.items)
            answers.append(answer)
        return answers

    def _catch_up(self, conversation_id: str, rev: int, limit: int, user_id: str) -> Synced:
        try:
            return Synced(conversation_id, self._read(conversation_id, rev, limit, user_id))
        except (ConversationNotFound, NotAParticipant) as exc:
            return Synced(conversation_id, Changes(rev, ()), exc)

    def _read(self, conversation_id: str, since: int, limit: int, user_id: str | None) -> Changes:
        return self._conversations.changes(conversation_id, since=since, limit=limit, user_id=user_id)

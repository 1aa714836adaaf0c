"""Messages: sending, correcting, taking back, reading again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from chatapp.domain.audit import AuditAction
from chatapp.domain.commands import DeleteMessage, EditMessage, ListPage, ReadHistory, SendMessage
from chatapp.domain.errors import (
    ConversationNotFound,
    EditWindowClosed,
    FileNotStored,
    MessageDeletedAlready,
    MessageNotFound,
    NotATextMessage,
    NotMessageSender,
    ReplyTargetMissing,
    ReplyToOtherConversation,
    UnknownFile,
)
from chatapp.domain.events import MessageDeleted, MessageEdited, MessageSent, MessagesPurged
from chatapp.domain.happenings import Happening
from chatapp.domain.models import Actor, Attachment, InboxEntry, Message, MessageType, Page, Scope
from chatapp.domain.rooms import EVERYONE
from chatapp.domain.text import preview
from chatapp.ports import Clock, EventPublisher, Ids, Store
from chatapp.services.actors import membership_of, require_admin, require_name, require_scope
from chatapp.services.attachments import AVATAR_PREFIX, THUMBNAIL_ENDING, AttachmentSweeper, file_name_in, file_url
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.profiles import Profiles

EDIT_WINDOW = timedelta(minutes=15)
"""RULINGS: own text message, within 15 minutes."""


@dataclass(frozen=True, slots=True)
class History:
    """A page, oldest first, and whether there is more on either side."""

    messages: list[Message]
    has_older: bool
    has_newer: bool


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What the store knew and memory did not: participants who were not counted, and those counted who are none
    (conversation and user)."""

    unknown: list[InboxEntry]
    gone: list[tuple[str, str]]


def nothing_else(_draft: Message) -> tuple[Happening, ...]:
    return ()


class MessageService:
    def __init__(
        self,
        store: Store,
        access: FileAccess,
        audience: Audience,
        profiles: Profiles,
        deliveries: Deliveries,
        sweeper: AttachmentSweeper,
        publisher: EventPublisher,
        audit: AuditService,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store.messages
        self._conversations = store.conversations
        self._access = access
        self._audience = audience
        self._profiles = profiles
        self._deliveries = deliveries
        self._sweeper = sweeper
        self._publisher = publisher
        self._audit = audit
        self._clock = clock
        self._ids = ids

    # ------------------------------------------------------------ sending
    def send(
        self,
        command: SendMessage,
        *,
        actor: Actor,
        fingerprint: str | None = None,
        along: Callable[[Message], Sequence[Happening]] = nothing_else,
    ) -> Message:
        """Durable on return, numbered, and on its way to everyone.

        A ``client_message_id`` seen before returns the first message and tells nobody again. ``fingerprint`` stands
        for the content where the command cannot (an upload gets a new URL at each try). ``along`` says what else is
        told of the message, in one transaction with it and before it; it is given the draft, which has no number yet.

        Raises NotIdentified, UnknownUsers, UnknownFile, ReplyTargetMissing, ReplyToOtherConversation,
        ConversationNotFound, NotAParticipant, InvalidData, IdempotencyKeyReused, ScopeMissing.
        """
        require_scope(actor, Scope.MESSAGES_SEND)
        sender_id = require_name(actor)
        draft = Message(
            id=self._ids.new(),
            conversation_id=command.conversation_id,
            seq=0,
            sender=self._profiles.require(sender_id),
            recipient_id=command.recipient_id,
            content=command.content,
            message_type=command.message_type,
            timestamp=self._clock.now(),
            reply_to=command.reply_to,
            client_message_id=command.client_message_id,
        )
        if command.client_message_id is None:
            fingerprint = ""  # nobody will ask
        elif fingerprint is None:
            fingerprint = _fingerprint(command)
        if command.attachment or command.reply_to:
            try:
                attachment, quote = self._known_file(command.attachment, actor), self._quote(command)
            except (UnknownFile, ReplyTargetMissing):
                # A repeated send is answered with its first message, whatever has become of what that one refers to.
                first = self._store.find_repeated(draft, fingerprint=fingerprint)
                if first is None:
                    raise
                return first
            draft = replace(draft, attachment=attachment, reply_preview=quote)
        sent = self._store.append(draft, fingerprint=fingerprint, along=along(draft))
        if not sent.duplicate:
            self._deliveries.announce(MessageSent(sent.message, sent.conversation))
        return sent.message

    def _known_file(self, attachment: Attachment | None, actor: Actor) -> Attachment | None:
        """What we know of our own file wins over what the client says of it. Who may not open a file cannot send it
        either: whoever sees the message could."""
        name = file_name_in(attachment.url) if attachment else None
        if attachment is None or name is None:
            return attachment
        if name.startswith(AVATAR_PREFIX) or name.endswith(THUMBNAIL_ENDING):
            raise UnknownFile(fileUrl=attachment.url)
        try:
            file = self._access.open(name, actor=actor).file
        except FileNotStored as exc:
            raise UnknownFile(fileUrl=attachment.url) from exc
        thumbnail = file_url(file.thumbnail_name) if file.thumbnail_name else None
        shown = attachment.name or file.original_name
        return Attachment(file_url(file.name), shown, file.size, file.media_type, thumbnail)

    def _quote(self, command: SendMessage) -> str | None:
        if command.reply_to is None:
            return None
        original = self._store.get(command.reply_to)
        if original is None:
            raise ReplyTargetMissing(replyTo=command.reply_to)
        if original.conversation_id != command.conversation_id:
            raise ReplyToOtherConversation(replyTo=command.reply_to)
        return preview(original.message_type, original.content, original.attachment)

    # ------------------------------------------------------------ changing
    def edit(self, command: EditMessage, *, actor: Actor) -> Message:
        """Whoever has left the group has nothing to say there any more.

        Raises MessageNotFound, NotMessageSender, NotAParticipant, NotATextMessage, MessageDeletedAlready,
        EditWindowClosed.
        """
        message = self._require_own(command.message_id, actor)
        self._conversations.entry(message.conversation_id, message.sender_id)
        if message.message_type is not MessageType.TEXT:
            raise NotATextMessage(messageId=message.id)
        if message.is_deleted:
            raise MessageDeletedAlready(messageId=message.id)
        now = self._clock.now()
        if now - message.timestamp > EDIT_WINDOW:
            raise EditWindowClosed(messageId=message.id, windowSeconds=int(EDIT_WINDOW.total_seconds()))
        shown = preview(MessageType.TEXT, command.new_content, None)
        edited, rev = self._store.edit(message.id, content=command.new_content, preview=shown, now=now)
        self._deliveries.announce(MessageEdited(edited, rev))
        return edited

    def delete_own(self, command: DeleteMessage, *, actor: Actor) -> Message:
        """Raises MessageNotFound, NotMessageSender, ScopeMissing."""
        return self._retract(self._require_own(command.message_id, actor), actor)

    def delete(self, message_id: str, *, actor: Actor) -> Message:
        """Leave a tombstone, of an own message or as an administrator; again is fine.

        Raises MessageNotFound, NotMessageSender, ScopeMissing.
        """
        message = self._require(message_id) if actor.is_admin else self._require_own(message_id, actor)
        return self._retract(message, actor)

    def _retract(self, message: Message, actor: Actor) -> Message:
        if not message.is_deleted and message.sender_id != actor.user_id:  # whose own it is the tombstone says
            of = {"conversationId": message.conversation_id, "senderId": message.sender_id}
            self._audit.record(AuditAction.MESSAGE_DELETE, f"message:{message.id}", actor, **of)
        retracted = self._store.delete(message.id)
        tombstone = retracted.message
        if retracted.rev:
            event = MessageDeleted(tombstone.id, tombstone.conversation_id, tombstone.seq, retracted.rev)
            self._deliveries.announce(event)
        self._sweeper.sweep(retracted.gone.attachments)  # last: it waits, and may fail
        return tombstone

    def purge(self, *, batch_size: int, actor: Actor) -> int:
        """Remove every message for good, ``batch_size`` at a time; how many there were.

        Raises AdminOnly, ScopeMissing.
        """
        require_admin(actor)
        self._audit.record(AuditAction.MESSAGES_PURGE, "messages", actor)
        count = 0
        try:
            while True:
                gone = self._store.purge(limit=batch_size)
                count += gone.messages
                self._sweeper.sweep(gone.attachments)
                if gone.messages < batch_size:
                    return count
        finally:
            self.refresh_audience()  # nothing purged counts as unread
            self._publisher.relay(MessagesPurged(), rooms=(EVERYONE,))

    def refresh_audience(self) -> Refreshed:
        """Those online are counted from memory: bring it up to what the store says. Waits."""
        unknown: list[InboxEntry] = []
        gone: list[tuple[str, str]] = []
        for user_id in self._audience.present():
            counted = self._audience.conversations(user_id)
            with self._audience.arrival(user_id) as arrival:
                entries = arrival.ask(partial(self._conversations.marks, user_id))
            self._audience.refresh(user_id, entries)
            unknown += [entry for entry in entries if entry.conversation.id not in counted]
            left = counted.difference(entry.conversation.id for entry in entries)
            gone += [(conversation_id, user_id) for conversation_id in left]
        return Refreshed(unknown, gone)

    def _require_own(self, message_id: str, actor: Actor) -> Message:
        membership_of(actor)  # for the scope alone: it is asked before anything is said of the message
        message = self._require(message_id)
        if message.sender_id != actor.user_id:
            raise NotMessageSender(messageId=message_id)
        return message

    # ------------------------------------------------------------ reading
    def history(self, query: ReadHistory, *, actor: Actor) -> History:
        """Raises ConversationNotFound, NotAParticipant, ScopeMissing."""
        self._require_reader(query.conversation_id, actor)
        found = self._store.history(
            query.conversation_id, limit=query.limit + 1, before=query.before, after=query.after
        )
        if not found and self._conversations.get(query.conversation_id) is None:
            raise ConversationNotFound(conversationId=query.conversation_id)
        more = len(found) > query.limit
        if query.after is not None:
            return History(found[: query.limit], has_older=query.after > 0, has_newer=more)
        return History(found[-query.limit :], has_older=more, has_newer=query.before is not None)

    def replies(self, message_id: str, *, actor: Actor) -> list[Message]:
        """Oldest first. Raises MessageNotFound, NotAParticipant, ScopeMissing."""
        return self.with_replies(message_id, actor=actor)[1]

    def with_replies(self, message_id: str, *, actor: Actor) -> tuple[Message, list[Message]]:
        """Raises MessageNotFound, NotAParticipant, ScopeMissing."""
        message = self._require(message_id)
        self._require_reader(message.conversation_id, actor)
        return message, self._store.replies(message.id)

    def _require_reader(self, conversation_id: str, actor: Actor) -> None:
        member = membership_of(actor)
        if member is not None:
            self._conversations.entry(conversation_id, member)

    def list_all(self, query: ListPage, *, actor: Actor) -> Page[Message]:
        """Raises InvalidData for a cursor it did not make, AdminOnly, ScopeMissing."""
        require_admin(actor)
        self._audit.record(AuditAction.DATA_EXPORT, "messages", actor, limit=query.limit, cursor=query.cursor)
        return self._store.list_all(limit=query.limit, cursor=query.cursor)

    def _require(self, message_id: str) -> Message:
        message = self._store.get(message_id)
        if message is None:
            raise MessageNotFound(messageId=message_id)
        return message


def _fingerprint(command: SendMessage) -> str:
    """Equal for two sends that would store the same message."""
    url = command.attachment.url if command.attachment else None
    said = json.dumps([command.content, command.message_type, url, command.reply_to])
    return hashlib.sha256(said.encode()).hexdigest()

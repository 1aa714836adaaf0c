"""Files: what may come in, under which name it is kept, and the message it becomes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from chatapp.domain.commands import SendMessage, UploadFile
from chatapp.domain.errors import FileInfected, FileNotStored, FileTypeNotAllowed, InvalidData, TooLarge
from chatapp.domain.happenings import file_uploaded
from chatapp.domain.media_types import UNKNOWN, extension_for, is_allowed
from chatapp.domain.models import Actor, Attachment, Message, MessageType, Scope, Standing, StoredFile, User
from chatapp.ports import Clock, FileInspector, FileStore, Ids, Inspection, VirusScanner
from chatapp.services.actors import require_name, require_scope, require_self
from chatapp.services.attachments import AVATAR_PREFIX, THUMBNAIL_ENDING, AttachmentSweeper, file_name_in, file_url
from chatapp.services.conversations import ConversationService
from chatapp.services.messages import MessageService
from chatapp.services.users import UserService
from chatapp.services.webhook_outbox import Publish, publish_nothing

log = logging.getLogger(__name__)

AVATAR_MAX_BYTES = 5 * 1024 * 1024
"""RULINGS: an image of at most 5 MB."""

THUMBNAIL_TYPE = "image/webp"


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """Bytes that have arrived in the staging directory. ``sha256`` is of their content, in hex."""

    path: Path
    original_name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """``message`` is None when the file was only stored."""

    attachment: Attachment
    message: Message | None


class FileService:
    def __init__(
        self,
        files: FileStore,
        inspector: FileInspector,
        scanner: VirusScanner,
        messages: MessageService,
        conversations: ConversationService,
        users: UserService,
        sweeper: AttachmentSweeper,
        *,
        clock: Clock,
        ids: Ids,
        allowed_types: Collection[str],
        max_bytes: int,
        publish: Publish = publish_nothing,
    ) -> None:
        self._files = files
        self._inspector = inspector
        self._scanner = scanner
        self._messages = messages
        self._conversations = conversations
        self._users = users
        self._sweeper = sweeper
        self._clock = clock
        self._ids = ids
        self._allowed_types = allowed_types
        self._max_bytes = max_bytes
        self._publish = publish

    def upload(self, command: UploadFile, incoming: IncomingFile, *, actor: Actor) -> Uploaded:
        """Store the file and, when a conversation is named, send it there as a message. All of it or nothing.

        Raises TooLarge, FileTypeNotAllowed, FileInfected, ScannerUnavailable, and what ``MessageService.send`` raises.
        """
        require_scope(actor, Scope.MESSAGES_SEND)
        if actor.standing is Standing.TRUSTED and (command.conversation_id is None) != (actor.user_id is None):
            missing = "senderId" if actor.user_id is None else "conversationId"
            raise InvalidData({missing: ["required"]})
        if command.conversation_id is None:
            attachment, _ = self._store(incoming, actor)
            self._publish(file_uploaded(attachment, actor.user_id))
            return Uploaded(attachment, None)
        self._conversations.require_participant(command.conversation_id, require_name(actor))
        attachment, inspection = self._store(incoming, actor)
        try:
            message = self._send(command, attachment, inspection, incoming, actor)
        except Exception:  # who is killed meanwhile does not know whether the message was stored: the bytes stay
            self._sweeper.sweep([attachment])
            raise
        if message.file_url != attachment.url:
            self._sweeper.sweep([attachment])  # a repeated upload: the first one's bytes stay, these go
        return Uploaded(message.attachment or attachment, message)

    def set_avatar(self, user_id: str, incoming: IncomingFile, *, actor: Actor) -> User:
        """Raises UserNotFound, InvalidData, TooLarge, FileTypeNotAllowed, FileInfected, ScannerUnavailable,
        IdentityMismatch, ScopeMissing."""
        require_self(actor, user_id, Scope.USERS_WRITE)
        self._users.require(user_id)
        attachment, _ = self._store(incoming, Actor(user_id), as_avatar=True)
        try:
            user, before = self._users.set_avatar(user_id, attachment.url)
        except Exception:  # as above
            self._sweeper.sweep([attachment])
            raise
        self._sweep_avatar(user_id, before)
        return user

    def remove_avatar(self, user_id: str, *, actor: Actor) -> User:
        """Raises UserNotFound, IdentityMismatch, ScopeMissing."""
        require_self(actor, user_id, Scope.USERS_WRITE)
        user, before = self._users.set_avatar(user_id, None)
        self._sweep_avatar(user_id, before)
        return user

    # ------------------------------------------------------------ steps
    def _store(self, incoming: IncomingFile, actor: Actor, *, as_avatar: bool = False) -> tuple[Attachment, Inspection]:
        inspection = self._require_acceptable(incoming, as_avatar=as_avatar)
        self._require_harmless(incoming, actor)
        incoming = self._clean(incoming, inspection)
        file = self._name(incoming, inspection, actor, prefix=AVATAR_PREFIX if as_avatar else "")
        if inspection.is_image:
            file = self._with_thumbnail(file, incoming.path)
        try:
            self._files.put(file, incoming.path)
        except BaseException:
            if file.thumbnail_name:
                self._files.delete(file.thumbnail_name)
            raise
        thumbnail = file_url(file.thumbnail_name) if file.thumbnail_name else None
        attachment = Attachment(file_url(file.name), file.original_name, file.size, file.media_type, thumbnail)
        return attachment, inspection

    def _require_acceptable(self, incoming: IncomingFile, *, as_avatar: bool) -> Inspection:
        """Raises TooLarge, InvalidData, FileTypeNotAllowed."""
        limit = min(self._max_bytes, AVATAR_MAX_BYTES) if as_avatar else self._max_bytes
        if incoming.size > limit:
            raise TooLarge(maxBytes=limit)
        if incoming.size == 0:
            raise InvalidData({"avatar" if as_avatar else "file": ["empty"]})
        inspection = self._inspector.inspect(incoming.path)
        if as_avatar and not inspection.is_image:
            raise FileTypeNotAllowed(fileType=inspection.media_type, allowedTypes=["image/*"])
        if not is_allowed(inspection.media_type, self._allowed_types):
            raise FileTypeNotAllowed(fileType=inspection.media_type, allowedTypes=sorted(self._allowed_types))
        return inspection

    def _require_harmless(self, incoming: IncomingFile, actor: Actor) -> None:
        """Raises FileInfected, TooLarge, ScannerUnavailable."""
        malware = self._scanner.scan(incoming.path)
        if malware is not None:
            log.warning("an upload of %s was refused: %s", actor.user_id, malware)
            raise FileInfected

    def _clean(self, incoming: IncomingFile, inspection: Inspection) -> IncomingFile:
        """What is served says nothing that its picture does not show. Raises FileTypeNotAllowed."""
        if not self._inspector.clean(incoming.path, inspection.media_type):
            raise FileTypeNotAllowed(fileType=UNKNOWN, allowedTypes=sorted(self._allowed_types))
        return replace(incoming, size=incoming.path.stat().st_size)

    def _name(self, incoming: IncomingFile, inspection: Inspection, actor: Actor, *, prefix: str) -> StoredFile:
        now = self._clock.now()
        stem = f"{prefix}{self._ids.new()}-{round(now.timestamp() * 1000)}"
        return StoredFile(
            name=f"{stem}.{extension_for(inspection.media_type)}",
            original_name=incoming.original_name,
            media_type=inspection.media_type,
            size=incoming.size,
            created_at=now,
            uploader_id=actor.user_id,
        )

    def _with_thumbnail(self, file: StoredFile, source: Path) -> StoredFile:
        target = source.with_suffix(".thumb")
        try:
            if not self._inspector.thumbnail(source, target):
                return file
            name = file.name.rsplit(".", 1)[0] + THUMBNAIL_ENDING
            small = replace(file, name=name, media_type=THUMBNAIL_TYPE, size=target.stat().st_size)
            self._files.put(small, target)
        finally:
            target.unlink(missing_ok=True)
        return replace(file, thumbnail_name=name)

    def _sweep_avatar(self, user_id: str, url: str | None) -> None:
        """Nothing else that a profile names: it may name any file, such as a message's or another user's."""
        name = file_name_in(url) if url else None
        if name is None or not name.startswith(AVATAR_PREFIX):
            return
        try:
            is_own = self._files.open(name).file.uploader_id == user_id
        except FileNotStored:
            return
        if is_own:
            self._sweeper.sweep_url(url)

    def _send(
        self,
        command: UploadFile,
        attachment: Attachment,
        inspection: Inspection,
        incoming: IncomingFile,
        actor: Actor,
    ) -> Message:
        described = {
            "fileUrl": attachment.url,
            "fileName": attachment.name,
            "fileSize": attachment.size,
            "fileType": attachment.type,
        }
        said = json.dumps([incoming.sha256, incoming.original_name, command.content, command.reply_to])
        return self._messages.send(
            SendMessage(
                conversation_id=command.conversation_id or "",
                content=command.content or json.dumps(described, ensure_ascii=False, separators=(",", ":")),
                message_type=MessageType.AUDIO if inspection.is_audio else MessageType.FILE,
                attachment=attachment,
                reply_to=command.reply_to,
                client_message_id=command.client_message_id,
            ),
            actor=actor,
            fingerprint=hashlib.sha256(said.encode()).hexdigest(),
            along=lambda draft: (file_uploaded(attachment, draft.sender_id, draft),),
        )

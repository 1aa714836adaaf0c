"""What a client may say: each schema checks it and makes the command. Used by events and by REST bodies alike."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import EXCLUDE, ValidationError, fields, post_load, pre_load, validates_schema

from chatapp.domain import commands
from chatapp.domain.calls import CallKind, Media
from chatapp.domain.file_names import clean_file_name
from chatapp.domain.models import Attachment, ConversationType, MessageType, Status
from chatapp.protocol.fields import (
    NAME_MAX_CHARS,
    URL_MAX_CHARS,
    CommandSchema,
    Content,
    Count,
    Email,
    Flag,
    Id,
    Members,
    Moment,
    Name,
    OneOf,
    Several,
    Tags,
    Text,
    Time,
    WireSchema,
)
from chatapp.protocol.schemas import CALL_KINDS, CONVERSATION_TYPES, SENT_TYPES, STATUSES

FILE_URL_SCHEMES = ("/api/files/", "/uploads/", "https://", "http://")
"""What a ``fileUrl`` may begin with; ``javascript:`` and ``data:`` would run in a careless client."""

TOKEN_MAX_CHARS = 8192
"""What servers in front of us take as one header."""


# ---------------------------------------------------------------- connecting
class HandshakeSchema(WireSchema):
    """``auth`` of a connection. Clients put more into it than we read, such as their version."""

    class Meta:
        unknown = EXCLUDE

    user_id = Id(load_default=None, allow_none=True)
    token = Text(max_chars=TOKEN_MAX_CHARS, load_default=None, allow_none=True)


class RefreshTokenSchema(CommandSchema):
    command = commands.RefreshToken

    token = Text(min_chars=1, max_chars=TOKEN_MAX_CHARS, required=True)


# ---------------------------------------------------------------- users
class UserJoinSchema(CommandSchema):
    command = commands.JoinChat

    actor_id = Id(data_key="userId", required=True)
    name = Name(required=True)
    email = Email(required=True)
    roles = Tags(allow_none=True)
    filials = Tags(allow_none=True)
    avatar = Text(max_chars=URL_MAX_CHARS, allow_none=True)


class UserLeaveSchema(CommandSchema):
    command = commands.LeaveChat

    actor_id = Id(data_key="userId")


class UserStatusRequestSchema(CommandSchema):
    command = commands.SetStatus

    actor_id = Id(data_key="userId")
    status = OneOf(STATUSES, required=True)

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "status": Status(data["status"])}


class SaveUserSchema(CommandSchema):
    """The first front end posts its whole user at every login; the server's own presence wins over what it says."""

    command = commands.SaveUser
    tolerated = frozenset({"status", "last_seen", "is_active", "is_online", "created_at", "updated_at"})

    id = Id(allow_none=True, load_default=None)
    name = Name(required=True)
    email = Email(required=True)
    roles = Tags(allow_none=True)
    filials = Tags(allow_none=True)
    avatar = Text(max_chars=URL_MAX_CHARS, allow_none=True)
    status = OneOf(STATUSES, allow_none=True)
    last_seen = Time(allow_none=True)
    is_active = Flag(allow_none=True)
    is_online = Flag(allow_none=True)
    created_at = Time(allow_none=True)
    updated_at = Time(allow_none=True)

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "keep_avatar": "avatar" not in data}


class RevokeTokensSchema(CommandSchema):
    """Without ``userId`` everybody's; without ``before`` all that were issued until now."""

    command = commands.RevokeTokens

    user_id = Id(allow_none=True)
    before = Moment(allow_none=True)


class ListUsersSchema(CommandSchema):
    command = commands.ListUsers

    q = Text(max_chars=NAME_MAX_CHARS)
    filial = Id()
    limit = Count(minimum=1, maximum=1000, load_default=500)
    cursor = Text(min_chars=1, max_chars=1000)


class PageSchema(CommandSchema):
    command = commands.ListPage

    limit = Count(minimum=1, maximum=500, load_default=100)
    cursor = Text(min_chars=1, max_chars=1000)


# ---------------------------------------------------------------- rooms
class ConversationEventSchema(CommandSchema):
    conversation_id = Id(required=True)
    actor_id = Id(data_key="userId")


class JoinRoomSchema(ConversationEventSchema):
    command = commands.JoinRoom


class LeaveRoomSchema(ConversationEventSchema):
    command = commands.LeaveRoom


class MarkAsReadSchema(ConversationEventSchema):
    command = commands.MarkAsRead


class StopTypingSchema(ConversationEventSchema):
    """``userName`` comes along from clients that send one shape for both typing events."""

    command = commands.StopTyping
    tolerated = frozenset({"user_name"})

    user_name = Text(max_chars=NAME_MAX_CHARS, allow_none=True)


class StartTypingSchema(ConversationEventSchema):
    command = commands.StartTyping

    user_name = Text(max_chars=NAME_MAX_CHARS, allow_none=True)


class LeaveGroupSchema(ConversationEventSchema):
    command = commands.LeaveGroup


# ---------------------------------------------------------------- messages
class SendMessageSchema(CommandSchema):
    command: ClassVar[type[commands.Command]] = commands.SendMessage

    conversation_id = Id(required=True)
    actor_id = Id(data_key="senderId")
    recipient_id = Text(max_chars=128, allow_none=True)
    content = Content(load_default="", allow_none=True)
    message_type = OneOf(SENT_TYPES, load_default=MessageType.TEXT.value)
    file_url = Text(min_chars=1, max_chars=URL_MAX_CHARS, allow_none=True)
    file_name = Text(max_chars=NAME_MAX_CHARS + 55, allow_none=True)
    file_size = Count(allow_none=True)
    file_type = Text(max_chars=NAME_MAX_CHARS, allow_none=True)
    reply_to = Id(allow_none=True)
    client_message_id = Id(allow_none=True)

    def check(self, data: dict[str, Any]) -> None:
        url = data.get("file_url")
        if data["message_type"] == MessageType.TEXT.value:
            if not (data["content"] or "").strip():
                raise ValidationError("Must not be blank.", "content")
        elif not url:
            raise ValidationError("Required for a file or audio message.", "fileUrl")
        if url and not url.startswith(FILE_URL_SCHEMES):
            raise ValidationError("Must be the URL of an upload, or http(s).", "fileUrl")

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        url, name, size, kind = (data.pop(f"file_{part}", None) for part in ("url", "name", "size", "type"))
        return {
            **data,
            "content": data["content"] or "",
            "message_type": MessageType(data["message_type"]),
            "recipient_id": data.get("recipient_id") or None,
            "attachment": Attachment(url, name and clean_file_name(name), size, kind) if url else None,
        }


class SendReplySchema(SendMessageSchema):
    command = commands.SendReply

    reply_to = Id(required=True)


class EditMessageSchema(CommandSchema):
    command = commands.EditMessage

    message_id = Id(required=True)
    new_content = Content(required=True)
    actor_id = Id(data_key="userId")

    def check(self, data: dict[str, Any]) -> None:
        if not data["new_content"].strip():
            raise ValidationError("Must not be blank.", "newContent")


class DeleteMessageSchema(CommandSchema):
    command = commands.DeleteMessage

    message_id = Id(required=True)
    actor_id = Id(data_key="userId")


class HistoryQuerySchema(WireSchema):
    limit = Count(minimum=1, maximum=500, load_default=100)
    before = Count(load_default=None)
    after = Count(load_default=None)

    @validates_schema
    def check_one_side(self, data: dict[str, Any], **_: Any) -> None:
        if data["before"] is not None and data["after"] is not None:
            raise ValidationError("Use either before or after.", "before")


LINKS_MAX = 100
"""Of one request; each is looked up. A page of history has at most so many, unless somebody asks for more."""


class FileLinksBodySchema(WireSchema):
    urls = Several(Text(min_chars=1, max_chars=URL_MAX_CHARS), min_items=1, max_items=LINKS_MAX, required=True)


class UploadFormSchema(CommandSchema):
    """The text fields of the multipart form; the file itself is beside them."""

    command = commands.UploadFile
    is_quick = False  # blanks are dropped first

    conversation_id = Id()
    actor_id = Id(data_key="senderId")
    reply_to = Id()
    content = Content()
    client_message_id = Id()

    @pre_load
    def drop_blanks(self, data: Any, **_: Any) -> Any:
        """A form has no null: an empty field is one that was not filled in."""
        return {key: value for key, value in data.items() if value != ""} if isinstance(data, dict) else data


# ---------------------------------------------------------------- conversations
class CreateGroupSchema(CommandSchema):
    command: ClassVar[type[commands.Command]] = commands.CreateConversation

    name = Name(required=True)
    description = Text(max_chars=2000, allow_none=True)
    participants = Members(required=True)
    actor_id = Id(data_key="createdBy")


class CreateConversationSchema(CommandSchema):
    command = commands.CreateConversation

    type = OneOf(CONVERSATION_TYPES, required=True)
    name = Text(max_chars=NAME_MAX_CHARS, allow_none=True)
    description = Text(max_chars=2000, allow_none=True)
    participants = Members(required=True)
    actor_id = Id(data_key="createdBy", required=True)

    def check(self, data: dict[str, Any]) -> None:
        if data["type"] == ConversationType.GROUP.value and not (data.get("name") or "").strip():
            raise ValidationError("A group needs a name.", "name")

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        is_group = data.pop("type") == ConversationType.GROUP.value
        return {**data, "is_group": is_group}


class UpdateGroupBodySchema(CommandSchema):
    """``PATCH /api/conversations/:id``: what is not mentioned stays as it is."""

    command: ClassVar[type[commands.Command]] = commands.UpdateGroup

    name = Name()
    description = Text(max_chars=2000, allow_none=True)
    actor_id = Id(data_key="userId")

    def check(self, data: dict[str, Any]) -> None:
        if "name" not in data and "description" not in data:
            raise ValidationError("Give a name or a description.", "name")

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "keep_description": "description" not in data}


class UpdateGroupSchema(UpdateGroupBodySchema):
    conversation_id = Id(required=True)


class ParticipantsBodySchema(WireSchema):
    """``{participants}``, or the older ``{userId, addedBy}``; with both, both are added.

    Loads into a dict: ``participants`` (a tuple), ``actor_id`` (``addedBy`` or None), ``user_id`` (the older body's or
    None).
    """

    participants = Members()
    user_id = Id()
    added_by = Id()

    @validates_schema
    def check_somebody(self, data: dict[str, Any], **_: Any) -> None:
        if "participants" not in data and "user_id" not in data:
            raise ValidationError("Missing data for required field.", "participants")

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.body(data)

    @staticmethod
    def body(data: dict[str, Any]) -> dict[str, Any]:
        user_id = data.get("user_id")
        named = (*data.get("participants", ()), *((user_id,) if user_id else ()))
        return {
            "participants": tuple(dict.fromkeys(named)),
            "actor_id": data.get("added_by"),
            "user_id": user_id,
        }


class AddUserToGroupSchema(ParticipantsBodySchema):
    conversation_id = Id(required=True)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        body = self.body(data)
        return commands.AddParticipants(
            conversation_id=data["conversation_id"], participants=body["participants"], actor_id=body["actor_id"]
        )


class RemoveParticipantQuerySchema(WireSchema):
    removed_by = Id(load_default=None)


class ReaderBodySchema(WireSchema):
    user_id = Id(required=True)


# ---------------------------------------------------------------- calls
SDP_MAX_CHARS = 32 * 1024
"""A browser's offer of camera, microphone and screen has 5 to 15 kB; the event may have 64."""

CANDIDATE_MAX_CHARS = 2048
"""RFC 8839's ``candidate`` line has some 150 characters."""

DESCRIPTION_TYPES = ["offer", "answer", "pranswer", "rollback"]


class CallStartSchema(ConversationEventSchema):
    command = commands.StartCall

    client_call_id = Id(required=True)
    media = OneOf(CALL_KINDS, required=True)
    device_id = Id(allow_none=True)

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "media": CallKind(data["media"])}


class CallEventSchema(CommandSchema):
    call_id = Id(required=True)
    actor_id = Id(data_key="userId")


class CallAcceptSchema(CallEventSchema):
    command = commands.AcceptCall

    device_id = Id(allow_none=True)


class CallDeclineSchema(CallEventSchema):
    command = commands.DeclineCall


class CallHangupSchema(CallEventSchema):
    command = commands.HangUp


class CallMediaSchema(CallEventSchema):
    command = commands.ShowMedia

    audio = Flag(required=True)
    video = Flag(required=True)
    screen = Flag(load_default=False)

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        shown = {name: data.pop(name) for name in ("audio", "video", "screen")}
        return {**data, "media": Media(**shown)}


class DescriptionSchema(WireSchema):
    """``RTCSessionDescription``."""

    type = OneOf(DESCRIPTION_TYPES, required=True)
    sdp = Text(max_chars=SDP_MAX_CHARS, load_default="")


class CandidateSchema(WireSchema):
    """``RTCIceCandidate``, as its ``toJSON`` has it."""

    candidate = Text(max_chars=CANDIDATE_MAX_CHARS, required=True)
    sdp_mid = Text(max_chars=256, data_key="sdpMid", allow_none=True)
    sdp_m_line_index = Count(maximum=65535, data_key="sdpMLineIndex", allow_none=True)
    username_fragment = Text(max_chars=256, data_key="usernameFragment", allow_none=True)


class CallSignalSchema(CallEventSchema):
    """Just one of ``description`` and ``candidate``; a candidate of null is the end of them."""

    command = commands.SendSignal

    to = Id(required=True)
    description = fields.Nested(DescriptionSchema)
    candidate = fields.Nested(CandidateSchema, allow_none=True)

    def check(self, data: dict[str, Any]) -> None:
        if ("description" in data) == ("candidate" in data):
            raise ValidationError("Give a description or a candidate.", "description")

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        kind = "description" if "description" in data else "candidate"
        signal = {kind: data.pop(kind)}
        return {**data, "signal": signal}


# ---------------------------------------------------------------- catching up
SYNC_MAX_CONVERSATIONS = 200
"""A client with more asks more than once."""


class ChangesQuerySchema(WireSchema):
    since = Count(required=True)
    limit = Count(minimum=1, maximum=500, load_default=100)
    user_id = Id(load_default=None)


class KnownConversationSchema(WireSchema):
    conversation_id = Id(required=True)
    rev = Count(required=True)


class SyncRequestSchema(CommandSchema):
    command = commands.Sync

    conversations = Several(
        fields.Nested(KnownConversationSchema), min_items=1, max_items=SYNC_MAX_CONVERSATIONS, required=True
    )
    actor_id = Id(data_key="userId")

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        """The same conversation twice: the lower ``rev`` counts."""
        known: dict[str, int] = {}
        for each in data.pop("conversations"):
            id_, rev = each["conversation_id"], each["rev"]
            known[id_] = min(rev, known.get(id_, rev))
        return {**data, "conversations": tuple(known.items())}

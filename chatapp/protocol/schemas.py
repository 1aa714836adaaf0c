"""What the server says: one shape for each thing, the same over REST and sockets."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import fields, validate

from chatapp.domain.calls import Answer, CallEnd, CallKind, CallState, Leaving
from chatapp.domain.models import ConversationType, Message, MessageType, Status
from chatapp.protocol.fields import Recurring, Time, WireSchema

STATUSES = [status.value for status in Status]
MESSAGE_TYPES = [kind.value for kind in MessageType]
SENT_TYPES = [kind.value for kind in MessageType if kind is not MessageType.CALL]
"""Those that a client may send."""
CALL_KINDS = [kind.value for kind in CallKind]
CONVERSATION_TYPES = [kind.value for kind in ConversationType]
CHANGE_TYPES = ["message", "edit", "delete", "read", "members", "details", "purge"]


class SenderSchema(WireSchema):
    id = fields.String(required=True)
    name = fields.String(required=True)
    avatar = fields.String(required=True, allow_none=True)


class UserSchema(WireSchema):
    id = fields.String(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    filials = fields.List(fields.String(), required=True)
    status = fields.Enum(Status, by_value=True, required=True)
    last_seen = Time(required=True)
    avatar = fields.String(required=True, allow_none=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    is_active = fields.Boolean(required=True)
    is_online = fields.Boolean(required=True)


class ConversationSchema(WireSchema):
    id = fields.String(required=True)
    type = fields.Enum(ConversationType, by_value=True, required=True)
    name = fields.String(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    participants = fields.List(fields.String(), required=True)
    created_by = fields.String(required=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    last_message = fields.String(required=True, allow_none=True, metadata={"description": "Preview, 100 characters"})
    last_message_at = Time(required=True, allow_none=True)
    last_seq = fields.Integer(required=True)
    rev = fields.Integer(required=True, metadata={"description": "Number of the newest durable change, for `sync`"})


class InboxEntrySchema(ConversationSchema):
    """A conversation in its participant's own list. Dumps an ``InboxEntry`` through ``inbox_view``."""

    unread_count = fields.Integer(required=True)
    last_read_at = Time(required=True, allow_none=True)
    last_read_seq = fields.Integer(required=True)


class CallSummarySchema(WireSchema):
    call_id = fields.String(required=True)
    state = fields.Enum(CallEnd, by_value=True, required=True)
    duration_ms = fields.Integer(required=True, metadata={"description": "Milliseconds from the answer to the end"})
    media = fields.Enum(CallKind, by_value=True, required=True)
    took_part = fields.List(fields.String(), required=True, metadata={"description": "Ids of those who were in it"})


class MessageSchema(WireSchema):
    id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    seq = fields.Integer(required=True)
    sender_id = fields.String(required=True)
    recipient_id = fields.String(required=True, allow_none=True)
    content = fields.String(required=True)
    message_type = fields.Enum(MessageType, by_value=True, required=True)
    file_url = fields.String(required=True, allow_none=True)
    file_name = fields.String(required=True, allow_none=True)
    file_size = fields.Integer(required=True, allow_none=True)
    file_type = fields.String(required=True, allow_none=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    reply_to = fields.String(required=True, allow_none=True)
    reply_preview = fields.String(required=True, allow_none=True)
    is_reply = fields.Boolean(required=True)
    is_edited = fields.Boolean(required=True)
    edited_at = Time(required=True, allow_none=True)
    is_deleted = fields.Boolean(required=True)
    timestamp = Time(required=True)
    created_at = Time(required=True)
    sender = Recurring(SenderSchema, required=True)
    client_message_id = fields.String(required=True, allow_none=True)
    call = fields.Nested(
        CallSummarySchema,
        required=True,
        allow_none=True,
        metadata={"description": "Of a message of type call: what became of it"},
    )

    _latest: ClassVar[tuple[Any, Any]] = (None, None)
    """A message just sent is told to its room and to its sender, a message just read is not asked for again."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Of one message, not to be changed by who gets it."""
        if many or type(obj) is not Message or type(self) is not MessageSchema:
            return super().dump(obj, many=many)
        latest, told = MessageSchema._latest
        if obj is not latest:
            told = super().dump(obj)
            MessageSchema._latest = (obj, told)
        return told


class RepliesSchema(WireSchema):
    message_id = fields.String(required=True)
    replies = fields.List(fields.Nested(MessageSchema), required=True)
    replies_count = fields.Integer(required=True)


class MessageWithRepliesSchema(MessageSchema):
    replies = fields.List(fields.Nested(MessageSchema), required=True)
    replies_count = fields.Integer(required=True)


class UploadedSchema(WireSchema):
    file_url = fields.String(required=True)
    file_name = fields.String(required=True)
    file_size = fields.Integer(required=True)
    file_type = fields.String(required=True)
    thumbnail_url = fields.String(required=True, allow_none=True)
    message_id = fields.String(required=True, allow_none=True)
    conversation_id = fields.String(required=True, allow_none=True)
    sender_id = fields.String(required=True, allow_none=True)
    timestamp = Time(required=True, allow_none=True)
    is_reply = fields.Boolean(required=True)
    reply_to = fields.String(required=True, allow_none=True)


class FileLinkSchema(WireSchema):
    """``code`` is null, or says why there is no link."""

    url = fields.String(required=True)
    signed_url = fields.String(required=True, allow_none=True)
    expires_at = Time(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)


class FileLinksSchema(WireSchema):
    links = fields.List(fields.Nested(FileLinkSchema), required=True)


# ---------------------------------------------------------------- answers of REST
class UsersSchema(WireSchema):
    users = fields.List(fields.Nested(UserSchema), required=True)


class ConversationsSchema(WireSchema):
    """A participant's own list."""

    conversations = fields.List(fields.Nested(InboxEntrySchema), required=True)


class AllConversationsSchema(WireSchema):
    conversations = fields.List(fields.Nested(ConversationSchema), required=True)


class NoticeSchema(WireSchema):
    message = fields.String(required=True, metadata={"description": "For people, in the document's words"})


class DeletedCountSchema(NoticeSchema):
    deleted_count = fields.Integer(required=True)


class BatchDeletedSchema(DeletedCountSchema):
    batch_size = fields.Integer(required=True)


class ConversationDeletedSchema(NoticeSchema):
    deleted_messages_count = fields.Integer(required=True)


class HealthSchema(WireSchema):
    status = fields.String(required=True, validate=validate.OneOf(["ok", "unavailable"]))


class ReadinessSchema(HealthSchema):
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": 'Each engine\'s name, and "ok" or what is wrong with it'},
    )


# ---------------------------------------------------------------- events
class UserConnectedSchema(WireSchema):
    user = fields.Nested(UserSchema, required=True)
    user_id = fields.String(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    status = fields.Enum(Status, by_value=True, required=True)


class UserDisconnectedSchema(WireSchema):
    user_id = fields.String(required=True)
    last_seen = Time(required=True)


class UserStatusSchema(WireSchema):
    user_id = fields.String(required=True)
    status = fields.Enum(Status, by_value=True, required=True)
    last_seen = Time(required=True)


class RoomMemberSchema(WireSchema):
    conversation_id = fields.String(required=True)
    user_id = fields.String(required=True)


class RoomStateSchema(WireSchema):
    conversation_id = fields.String(required=True)
    last_seq = fields.Integer(required=True)
    rev = fields.Integer(required=True)
    last_read_seq = fields.Integer(required=True)
    unread_count = fields.Integer(required=True)


class TypingSchema(WireSchema):
    conversation_id = fields.String(required=True)
    user_id = fields.String(required=True)
    user_name = fields.String(required=True)
    is_typing = fields.Boolean(required=True)


class MessageDeletedSchema(WireSchema):
    message_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    seq = fields.Integer(required=True)


class ReplySentSchema(WireSchema):
    message_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    timestamp = Time(required=True)


class UnreadPrivateSchema(WireSchema):
    conversation_id = fields.String(required=True)
    message_id = fields.String(required=True)
    sender_id = fields.String(required=True)
    sender_name = fields.String(required=True)
    sender_avatar = fields.String(required=True, allow_none=True)
    message_preview = fields.String(required=True)
    timestamp = Time(required=True)
    unread_count = fields.Integer(required=True)


class UnreadGroupSchema(UnreadPrivateSchema):
    conversation_name = fields.String(required=True)


class MessagesReadSchema(WireSchema):
    conversation_id = fields.String(required=True)
    user_id = fields.String(required=True)
    timestamp = Time(required=True)
    last_read_seq = fields.Integer(required=True)


class ParticipantMarkSchema(WireSchema):
    user_id = fields.String(required=True)
    last_read_seq = fields.Integer(required=True)
    last_read_at = Time(required=True, allow_none=True)


class ReadMarksSchema(WireSchema):
    conversation_id = fields.String(required=True)
    read_marks = fields.List(
        fields.Nested(ParticipantMarkSchema), required=True, metadata={"description": "Of each participant"}
    )


class UsersAddedSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    added_users = fields.List(fields.String(), required=True)
    added_by = fields.String(required=True)
    user_id = fields.String(required=True)
    updated_participants = fields.List(fields.String(), required=True)
    participant_count = fields.Integer(required=True)
    timestamp = Time(required=True)


class ParticipantsUpdatedSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    participants = fields.List(fields.String(), required=True)
    participant_count = fields.Integer(required=True)
    updated_at = Time(required=True)
    action = fields.String(required=True, validate=validate.OneOf(["add", "remove"]))
    affected_users = fields.List(fields.String(), required=True)
    updated_by = fields.String(required=True)


class UserRemovedSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    user_id = fields.String(required=True)
    user_name = fields.String(required=True)
    removed_by = fields.String(required=True)
    removed_by_name = fields.String(required=True)
    timestamp = Time(required=True)


class UserLeftGroupSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    user_id = fields.String(required=True)
    user_name = fields.String(required=True)
    left_by = fields.String(required=True)
    timestamp = Time(required=True)
    ownership_transferred = fields.Boolean(required=True)
    new_owner_id = fields.String(required=True, allow_none=True)
    new_owner_name = fields.String(required=True, allow_none=True)


class GroupLeftSchema(UserLeftGroupSchema):
    group_deleted = fields.Boolean(required=True)
    deleted_messages_count = fields.Integer(required=True)


class GroupUpdatedSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    updated_by = fields.String(required=True)
    timestamp = Time(required=True)


class GroupDeletedSchema(WireSchema):
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True)
    deleted_messages_count = fields.Integer(required=True)
    timestamp = Time(required=True)


class GroupWithAddedSchema(ConversationSchema):
    added_users = fields.List(fields.String(), required=True)


class ParticipantsAddedSchema(GroupWithAddedSchema):
    """The answer to ``POST …/participants``. The first front end, which sends ``{userId, addedBy}``, reads more."""

    success = fields.Boolean(metadata={"description": "Only with the older body"})
    conversation_id = fields.String(metadata={"description": "Only with the older body"})
    user_id = fields.String(metadata={"description": "Only with the older body"})


# ---------------------------------------------------------------- calls
class IceServerSchema(WireSchema):
    """``RTCIceServer``: username and credential are missing where there are none, as browsers want it."""

    urls = fields.List(fields.String(), required=True)
    username = fields.String()
    credential = fields.String()


class MediaServerSchema(WireSchema):
    url = fields.String(required=True, metadata={"description": "Of the LiveKit server"})
    token = fields.String(required=True, metadata={"description": "Lets this participant into the call's room there"})


class CallParticipantSchema(WireSchema):
    participant_id = fields.String(required=True, metadata={"description": "What call_signal's `to` takes"})
    user_id = fields.String(required=True)
    number = fields.Integer(required=True, metadata={"description": "By the order of joining"})
    polite = fields.Boolean(
        required=True, metadata={"description": "Whether you are the polite side towards this participant"}
    )
    audio = fields.Boolean(required=True)
    video = fields.Boolean(required=True)
    screen = fields.Boolean(required=True)


class CallSchema(WireSchema):
    """The call as it is for the device that asks, which is in it as ``participantId`` unless it is over."""

    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    state = fields.Enum(CallState, by_value=True, required=True)
    reason = fields.Enum(
        CallEnd, by_value=True, required=True, allow_none=True, metadata={"description": "Why it has ended"}
    )
    media = fields.Enum(CallKind, by_value=True, required=True)
    started_by = fields.String(required=True)
    started_at = Time(required=True)
    rings_until = Time(required=True)
    answered_at = Time(required=True, allow_none=True)
    participant_id = fields.String(required=True, allow_none=True, metadata={"description": "Of this device"})
    polite = fields.Boolean(
        required=True, metadata={"description": "Whether this device is the polite side towards all who are in it now"}
    )
    participants = fields.List(
        fields.Nested(CallParticipantSchema), required=True, metadata={"description": "The others"}
    )
    ice_servers = fields.List(
        fields.Nested(IceServerSchema), required=True, metadata={"description": "For RTCPeerConnection, as they are"}
    )
    media_server = fields.Nested(
        MediaServerSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null: media goes from peer to peer"},
    )


class SignalSentSchema(WireSchema):
    seq = fields.Integer(required=True)


class CallRingingSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    conversation_name = fields.String(required=True, metadata={"description": "Empty in a private conversation"})
    is_group = fields.Boolean(required=True)
    media = fields.Enum(CallKind, by_value=True, required=True)
    caller = fields.Nested(SenderSchema, required=True)
    started_at = Time(required=True)
    rings_until = Time(required=True)


class CallAcceptedSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    participant_id = fields.String(required=True)
    user_id = fields.String(required=True)
    answered_at = Time(required=True)


class CallAnsweredElsewhereSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    answer = fields.Enum(Answer, by_value=True, required=True)


class CallParticipantJoinedSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    participant = fields.Nested(CallParticipantSchema, required=True)


class CallParticipantLeftSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    participant_id = fields.String(required=True)
    user_id = fields.String(required=True)
    reason = fields.Enum(Leaving, by_value=True, required=True)


class CallMediaShownSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    participant_id = fields.String(required=True)
    user_id = fields.String(required=True)
    audio = fields.Boolean(required=True)
    video = fields.Boolean(required=True)
    screen = fields.Boolean(required=True)


class SessionDescriptionSchema(WireSchema):
    """``RTCSessionDescription``."""

    type = fields.String(required=True)
    sdp = fields.String(required=True)


class IceCandidateSchema(WireSchema):
    """``RTCIceCandidate``."""

    candidate = fields.String(required=True)
    sdp_mid = fields.String(data_key="sdpMid", allow_none=True)
    sdp_m_line_index = fields.Integer(data_key="sdpMLineIndex", allow_none=True)
    username_fragment = fields.String(data_key="usernameFragment", allow_none=True)


class CallSignalledSchema(WireSchema):
    call_id = fields.String(required=True)
    from_ = fields.String(required=True, data_key="from", metadata={"description": "The sender's participantId"})
    seq = fields.Integer(
        required=True,
        metadata={"description": "Grows with each signal of this sender to you: drop what is not higher than the last"},
    )
    description = fields.Nested(SessionDescriptionSchema, required=True, allow_none=True)
    candidate = fields.Nested(
        IceCandidateSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null without a description: there are no more candidates"},
    )


class CallEndedSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    reason = fields.Enum(CallEnd, by_value=True, required=True)
    duration_ms = fields.Integer(required=True)


# ---------------------------------------------------------------- the server itself
class ServerDrainingSchema(WireSchema):
    reconnect_in_ms = fields.Integer(
        required=True, metadata={"description": "Milliseconds until this socket is closed; at random for each"}
    )


# ---------------------------------------------------------------- tokens
class RevocationSchema(WireSchema):
    user_id = fields.String(required=True, allow_none=True, metadata={"description": "Null: everybody's"})
    before = Time(required=True)


class TokenRefreshedSchema(WireSchema):
    expires_at = Time(required=True, allow_none=True, metadata={"description": "Null in open mode"})


class TokenExpiringSchema(WireSchema):
    in_ms = fields.Integer(required=True, metadata={"description": "Milliseconds until this connection is closed"})


class TokenExpiredSchema(WireSchema):
    code = fields.String(required=True, metadata={"description": "token_expired or token_revoked"})


# ---------------------------------------------------------------- failures
class FailureSchema(WireSchema):
    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict(required=True)
    retry_after_ms = fields.Integer(metadata={"description": "Only when rate limited: milliseconds to wait"})


# ---------------------------------------------------------------- catching up
class ReadChangeSchema(WireSchema):
    user_id = fields.String(required=True)
    last_read_seq = fields.Integer(required=True)
    timestamp = Time(required=True)


class MembersChangeSchema(WireSchema):
    action = fields.String(required=True, validate=validate.OneOf(["add", "remove"]))
    user_ids = fields.List(fields.String(), required=True)
    by = fields.String(required=True)
    new_owner_id = fields.String(required=True, allow_none=True)
    timestamp = Time(required=True)


class DetailsChangeSchema(WireSchema):
    name = fields.String(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    by = fields.String(required=True)
    timestamp = Time(required=True)


class ChangeSchema(WireSchema):
    """One durable change; beside ``rev`` and ``type`` just the field that its type needs is not null."""

    rev = fields.Integer(required=True)
    type = fields.String(required=True, validate=validate.OneOf(CHANGE_TYPES))
    message = fields.Nested(
        MessageSchema,
        required=True,
        allow_none=True,
        metadata={"description": "message, edit, delete: the message as it is now"},
    )
    read = fields.Nested(ReadChangeSchema, required=True, allow_none=True)
    members = fields.Nested(MembersChangeSchema, required=True, allow_none=True)
    details = fields.Nested(DetailsChangeSchema, required=True, allow_none=True)
    through_seq = fields.Integer(
        required=True, allow_none=True, metadata={"description": "purge: all messages up to it are gone for good"}
    )


class ChangesSchema(WireSchema):
    conversation_id = fields.String(required=True)
    rev = fields.Integer(required=True, metadata={"description": "Ask for what came after it next time"})
    changes = fields.List(fields.Nested(ChangeSchema), required=True)
    has_more = fields.Boolean(required=True)
    truncated = fields.Boolean(
        required=True, metadata={"description": "Some changes are gone for good: forget the conversation, then apply"}
    )


class SyncedSchema(ChangesSchema):
    error = fields.Nested(
        FailureSchema, required=True, allow_none=True, metadata={"description": "Why there are no changes"}
    )


class SyncSchema(WireSchema):
    conversations = fields.List(fields.Nested(SyncedSchema), required=True)


class ErrorEventSchema(FailureSchema):
    event = fields.String(required=True, metadata={"description": "The client's event that failed"})


class ActionErrorSchema(WireSchema):
    error = fields.String(required=True, metadata={"description": "What went wrong, for people"})
    code = fields.String(required=True)
    details = fields.Dict(required=True)


class HttpErrorSchema(WireSchema):
    status_code = fields.Integer(required=True)
    error = fields.String(required=True, metadata={"description": "The status's HTTP phrase"})
    code = fields.String(required=True, metadata={"description": "Stable, for programs"})
    message = fields.String(required=True, metadata={"description": "For people: Spanish, or English on request"})
    details = fields.Dict(required=True)
    request_id = fields.String(required=True)

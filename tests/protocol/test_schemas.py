"""The shapes of REST: exactly the ruled fields, null where there is nothing."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chatapp.domain.models import Conversation, ConversationType, InboxEntry, LastMessage, Message, MessageType, Sender
from chatapp.protocol import schemas
from chatapp.protocol.fields import WireSchema
from chatapp.protocol.views import conversation_view, inbox_view, message_view
from tests.fakes import START

AT = "2025-01-27T10:00:00.000Z"
MESSAGE_FIELDS = (
    "id conversationId seq senderId recipientId content messageType fileUrl fileName fileSize fileType thumbnailUrl "
    "replyTo replyPreview isReply isEdited editedAt isDeleted timestamp createdAt sender clientMessageId call"
)
USER_FIELDS = "id name email roles filials status lastSeen avatar createdAt updatedAt isActive isOnline"
CONVERSATION_FIELDS = (
    "id type name description participants createdBy createdAt updatedAt lastMessage lastMessageAt lastSeq rev"
)
LEFT_FIELDS = (
    "conversationId conversationName userId userName leftBy timestamp ownershipTransferred newOwnerId newOwnerName"
)

RULED = {
    schemas.SenderSchema: "id name avatar",
    schemas.UserSchema: USER_FIELDS,
    schemas.UsersSchema: "users",
    schemas.ConversationSchema: CONVERSATION_FIELDS,
    schemas.InboxEntrySchema: f"{CONVERSATION_FIELDS} unreadCount lastReadAt lastReadSeq",
    schemas.ConversationsSchema: "conversations",
    schemas.AllConversationsSchema: "conversations",
    schemas.ConversationDeletedSchema: "message deletedMessagesCount",
    schemas.GroupWithAddedSchema: f"{CONVERSATION_FIELDS} addedUsers",
    schemas.ParticipantsAddedSchema: f"{CONVERSATION_FIELDS} addedUsers success conversationId userId",
    schemas.MessageSchema: MESSAGE_FIELDS,
    schemas.RepliesSchema: "messageId replies repliesCount",
    schemas.MessageWithRepliesSchema: f"{MESSAGE_FIELDS} replies repliesCount",
    schemas.NoticeSchema: "message",
    schemas.DeletedCountSchema: "message deletedCount",
    schemas.BatchDeletedSchema: "message deletedCount batchSize",
    schemas.HealthSchema: "status",
    schemas.ReadinessSchema: "status checks",
    schemas.UploadedSchema: (
        "fileUrl fileName fileSize fileType thumbnailUrl messageId conversationId senderId timestamp isReply replyTo"
    ),
    schemas.FileLinkSchema: "url signedUrl expiresAt code",
    schemas.FileLinksSchema: "links",
    schemas.UserConnectedSchema: "user userId name email status",
    schemas.UserDisconnectedSchema: "userId lastSeen",
    schemas.UserStatusSchema: "userId status lastSeen",
    schemas.RoomMemberSchema: "conversationId userId",
    schemas.RoomStateSchema: "conversationId lastSeq rev lastReadSeq unreadCount",
    schemas.TypingSchema: "conversationId userId userName isTyping",
    schemas.MessageDeletedSchema: "messageId conversationId seq",
    schemas.ReplySentSchema: "messageId conversationId timestamp",
    schemas.UnreadPrivateSchema: (
        "senderId senderName senderAvatar messagePreview timestamp conversationId messageId unreadCount"
    ),
    schemas.UnreadGroupSchema: (
        "conversationId conversationName senderId senderName senderAvatar messagePreview timestamp "
        "messageId unreadCount"
    ),
    schemas.MessagesReadSchema: "conversationId userId timestamp lastReadSeq",
    schemas.ParticipantMarkSchema: "userId lastReadSeq lastReadAt",
    schemas.ReadMarksSchema: "conversationId readMarks",
    schemas.UsersAddedSchema: (
        "conversationId conversationName addedUsers addedBy userId updatedParticipants participantCount timestamp"
    ),
    schemas.ParticipantsUpdatedSchema: (
        "conversationId conversationName participants participantCount updatedAt action affectedUsers updatedBy"
    ),
    schemas.UserRemovedSchema: "conversationId conversationName userId userName removedBy removedByName timestamp",
    schemas.UserLeftGroupSchema: LEFT_FIELDS,
    schemas.GroupLeftSchema: f"{LEFT_FIELDS} groupDeleted deletedMessagesCount",
    schemas.GroupDeletedSchema: "conversationId conversationName deletedMessagesCount timestamp",
    schemas.ServerDrainingSchema: "reconnectInMs",
    schemas.RevocationSchema: "userId before",
    schemas.TokenRefreshedSchema: "expiresAt",
    schemas.TokenExpiringSchema: "inMs",
    schemas.TokenExpiredSchema: "code",
    schemas.GroupUpdatedSchema: "conversationId conversationName description updatedBy timestamp",
    schemas.ReadChangeSchema: "userId lastReadSeq timestamp",
    schemas.MembersChangeSchema: "action userIds by newOwnerId timestamp",
    schemas.DetailsChangeSchema: "name description by timestamp",
    schemas.ChangeSchema: "rev type message read members details throughSeq",
    schemas.ChangesSchema: "conversationId rev changes hasMore truncated",
    schemas.SyncedSchema: "conversationId rev changes hasMore truncated error",
    schemas.SyncSchema: "conversations",
    schemas.CallSummarySchema: "callId state durationMs media tookPart",
    schemas.IceServerSchema: "urls username credential",
    schemas.MediaServerSchema: "url token",
    schemas.CallParticipantSchema: "participantId userId number polite audio video screen",
    schemas.CallSchema: (
        "callId conversationId state reason media startedBy startedAt ringsUntil answeredAt participantId polite "
        "participants iceServers mediaServer"
    ),
    schemas.SignalSentSchema: "seq",
    schemas.CallRingingSchema: "callId conversationId conversationName isGroup media caller startedAt ringsUntil",
    schemas.CallAcceptedSchema: "callId conversationId participantId userId answeredAt",
    schemas.CallAnsweredElsewhereSchema: "callId conversationId answer",
    schemas.CallParticipantJoinedSchema: "callId conversationId participant",
    schemas.CallParticipantLeftSchema: "callId conversationId participantId userId reason",
    schemas.CallMediaShownSchema: "callId conversationId participantId userId audio video screen",
    schemas.SessionDescriptionSchema: "type sdp",
    schemas.IceCandidateSchema: "candidate sdpMid sdpMLineIndex usernameFragment",
    schemas.CallSignalledSchema: "callId from seq description candidate",
    schemas.CallEndedSchema: "callId conversationId reason durationMs",
    schemas.FailureSchema: "code message details retryAfterMs",
    schemas.ErrorEventSchema: "event code message details retryAfterMs",
    schemas.ActionErrorSchema: "error code details",
    schemas.HttpErrorSchema: "statusCode error code message details requestId",
}
SOMETIMES = {
    schemas.ParticipantsAddedSchema: {"success", "conversationId", "userId"},
    schemas.IceServerSchema: {"username", "credential"},
    schemas.IceCandidateSchema: {"sdpMid", "sdpMLineIndex", "usernameFragment"},
    schemas.FailureSchema: {"retryAfterMs"},
    schemas.ErrorEventSchema: {"retryAfterMs"},
}

GROUP = Conversation("group", ConversationType.GROUP, "Mi Grupo", None, ("maria", "juan"), "maria", START, START)
TALKED = replace(GROUP, last_seq=7, last=LastMessage("m7", "maria", "Hola", START))
GROUP_BODY: dict[str, Any] = {
    "id": "group",
    "type": "group",
    "name": "Mi Grupo",
    "description": None,
    "participants": ["maria", "juan"],
    "createdBy": "maria",
    "createdAt": AT,
    "updatedAt": AT,
    "lastMessage": None,
    "lastMessageAt": None,
    "lastSeq": 0,
    "rev": 0,
}
MESSAGE = Message("m1", "group", 1, Sender("maria", "María", None), None, "Hola", MessageType.TEXT, START)


@pytest.mark.parametrize("schema", RULED, ids=lambda schema: schema.__name__)
def test_schema_has_the_ruled_fields(schema: type[WireSchema]) -> None:
    declared = schema().fields.values()
    assert {field.data_key for field in declared} == set(RULED[schema].split())
    assert {field.data_key for field in declared if not field.required} == SOMETIMES.get(schema, set())


def test_every_schema_is_ruled() -> None:
    found = {kind for _, kind in inspect.getmembers(schemas, inspect.isclass) if issubclass(kind, WireSchema)}
    assert found - {WireSchema} == set(RULED)


# ---------------------------------------------------------------- conversations
def test_conversation_without_messages() -> None:
    assert schemas.ConversationSchema().dump(GROUP) == GROUP_BODY


def test_inbox_entry_says_what_its_participant_has_read() -> None:
    read_at = START - timedelta(seconds=1)
    entry = InboxEntry(TALKED, "juan", START, last_read_seq=3, last_read_at=read_at)
    assert schemas.InboxEntrySchema().dump(inbox_view(entry)) == {
        **GROUP_BODY,
        "lastMessage": "Hola",
        "lastMessageAt": AT,
        "lastSeq": 7,
        "unreadCount": 4,
        "lastReadAt": "2025-01-27T09:59:59.000Z",
        "lastReadSeq": 3,
    }


def test_inbox_entry_of_one_who_never_read() -> None:
    body = schemas.InboxEntrySchema().dump(inbox_view(InboxEntry(GROUP, "juan", START, 0, None)))
    assert body == {**GROUP_BODY, "unreadCount": 0, "lastReadAt": None, "lastReadSeq": 0}


def test_lists_of_conversations() -> None:
    entry = InboxEntry(GROUP, "juan", START, 0, None)
    own = schemas.ConversationsSchema().dump({"conversations": [inbox_view(entry)]})
    assert own == {"conversations": [{**GROUP_BODY, "unreadCount": 0, "lastReadAt": None, "lastReadSeq": 0}]}
    assert schemas.AllConversationsSchema().dump({"conversations": (GROUP,)}) == {"conversations": [GROUP_BODY]}


def test_participants_added() -> None:
    schema = schemas.ParticipantsAddedSchema()
    assert schema.dump(conversation_view(GROUP, added_users=("juan",))) == {**GROUP_BODY, "addedUsers": ["juan"]}
    older = conversation_view(GROUP, added_users=(), success=True, conversation_id="group", user_id="juan")
    assert schema.dump(older) == {
        **GROUP_BODY,
        "addedUsers": [],
        "success": True,
        "conversationId": "group",
        "userId": "juan",
    }


# ---------------------------------------------------------------- messages
def test_message_with_replies() -> None:
    reply = replace(MESSAGE, id="m2", seq=2, reply_to="m1", reply_preview="Hola")
    body = schemas.MessageWithRepliesSchema().dump(message_view(MESSAGE, replies=[reply], replies_count=1))
    message = schemas.MessageSchema()
    assert body == {**message.dump(MESSAGE), "replies": [message.dump(reply)], "repliesCount": 1}
    assert body["replies"][0]["isReply"] is True


def test_notices() -> None:
    gone = {"message": "Mensajes eliminados en lotes de 20", "deleted_count": 150, "batch_size": 20}
    assert schemas.BatchDeletedSchema().dump(gone) == {
        "message": "Mensajes eliminados en lotes de 20",
        "deletedCount": 150,
        "batchSize": 20,
    }

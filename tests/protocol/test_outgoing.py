"""Every event the server sends: who hears it, and exactly what it says."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from chatapp.domain import events
from chatapp.domain.calls import Answer, Call, CallEnd, CallKind, CallSummary, Leaving, Media, Participant
from chatapp.domain.models import (
    Attachment,
    Conversation,
    ConversationType,
    LastMessage,
    Message,
    MessageType,
    Sender,
    Status,
    User,
)
from chatapp.protocol import outgoing
from chatapp.protocol.outgoing import EVERYONE, Audience, Direct, Outgoing
from chatapp.protocol.wire_json import WireJson
from tests.fakes import START

AT = "2025-01-27T10:00:00.000Z"
LATER = "2025-01-27T10:05:00.250Z"
LATER_AT = START + timedelta(minutes=5, milliseconds=250)

JUAN = User("juan", "Juan Pérez", "juan@example.com", ("user",), (), None, START, START, START, status=Status.AWAY)
MARIA = Sender("maria", "María García", "/api/files/maria.png")
PAIR = Conversation("pair", ConversationType.PRIVATE, None, None, ("juan", "maria"), "juan", START, START)
GROUP = Conversation(
    "group", ConversationType.GROUP, "Mi Grupo", None, ("maria", "ana"), "maria", START, LATER_AT, last_seq=7, rev=9
)
LAST = LastMessage("m1", "maria", "Hola", START)
MESSAGE = Message("m1", "pair", 1, MARIA, "juan", "Hola", MessageType.TEXT, START)
FILE_REPLY = replace(
    MESSAGE,
    id="m2",
    seq=2,
    message_type=MessageType.FILE,
    attachment=Attachment("/api/files/a.png", "a.png", 12, "image/png", "/api/files/a-thumb.png"),
    reply_to="m1",
    reply_preview="Hola",
    client_message_id="c1",
)
LEFT = events.UserLeftGroup(GROUP, Sender("juan", "Juan Pérez", None), "juan", START, None, False, 0)

CALLER, CALLEE, LATE = (
    Participant(
        id=f"p{number}", user_id=user_id, device_id="d", number=number, media=Media(True, False, True), worker="w"
    )
    for number, user_id in enumerate(("juan", "maria", "ana"), start=1)
)
CALL = Call(
    id="call1",
    conversation_id="group",
    started_by="juan",
    kind=CallKind.VIDEO,
    started_at=START,
    rings_until=LATER_AT,
    participants=(CALLER, CALLEE),
    max_participants=6,
    answered_at=START,
)
OVER = replace(CALL, participants=(), ended_at=LATER_AT, end=CallEnd.FAILED)
IN_CALL = {"callId": "call1", "conversationId": "group"}
CALLEE_BODY = {**IN_CALL, "participantId": "p2", "userId": "maria"}
SHOWN = {"audio": True, "video": False, "screen": True}
OFFER = {"type": "offer", "sdp": "v=0"}

MESSAGE_BODY: dict[str, Any] = {
    "id": "m1",
    "conversationId": "pair",
    "seq": 1,
    "senderId": "maria",
    "recipientId": "juan",
    "content": "Hola",
    "messageType": "text",
    "fileUrl": None,
    "fileName": None,
    "fileSize": None,
    "fileType": None,
    "thumbnailUrl": None,
    "replyTo": None,
    "replyPreview": None,
    "isReply": False,
    "isEdited": False,
    "editedAt": None,
    "isDeleted": False,
    "timestamp": AT,
    "createdAt": AT,
    "sender": {"id": "maria", "name": "María García", "avatar": "/api/files/maria.png"},
    "clientMessageId": None,
    "call": None,
}
REPLY_BODY = {
    **MESSAGE_BODY,
    "id": "m2",
    "seq": 2,
    "messageType": "file",
    "fileUrl": "/api/files/a.png",
    "fileName": "a.png",
    "fileSize": 12,
    "fileType": "image/png",
    "thumbnailUrl": "/api/files/a-thumb.png",
    "replyTo": "m1",
    "replyPreview": "Hola",
    "isReply": True,
    "clientMessageId": "c1",
}
USER_BODY: dict[str, Any] = {
    "id": "juan",
    "name": "Juan Pérez",
    "email": "juan@example.com",
    "roles": ["user"],
    "filials": [],
    "status": "away",
    "lastSeen": AT,
    "avatar": None,
    "createdAt": AT,
    "updatedAt": AT,
    "isActive": True,
    "isOnline": True,
}
GROUP_BODY: dict[str, Any] = {
    "id": "group",
    "type": "group",
    "name": "Mi Grupo",
    "description": None,
    "participants": ["maria", "ana"],
    "createdBy": "maria",
    "createdAt": AT,
    "updatedAt": LATER,
    "lastMessage": None,
    "lastMessageAt": None,
    "lastSeq": 7,
    "rev": 9,
}
UNREAD_BODY = {
    "senderId": "maria",
    "senderName": "María García",
    "senderAvatar": "/api/files/maria.png",
    "messagePreview": "Hola",
    "timestamp": AT,
    "messageId": "m1",
    "unreadCount": 3,
}
READ_BODY = {"conversationId": "pair", "userId": "juan", "timestamp": AT, "lastReadSeq": 7}
IN_GROUP = {"conversationId": "group", "conversationName": "Mi Grupo"}
LEFT_BODY = {
    **IN_GROUP,
    "userId": "juan",
    "userName": "Juan Pérez",
    "leftBy": "juan",
    "timestamp": AT,
    "ownershipTransferred": False,
    "newOwnerId": None,
    "newOwnerName": None,
}

RINGING_BODY = {
    **IN_CALL,
    "conversationName": "Mi Grupo",
    "isGroup": True,
    "media": "video",
    "caller": {"id": "maria", "name": "María García", "avatar": "/api/files/maria.png"},
    "startedAt": AT,
    "ringsUntil": LATER,
}
SIGNAL_BODY: dict[str, Any] = {"callId": "call1", "from": "p1", "seq": 7, "description": None, "candidate": None}
TO_CALLER, TO_CALLEE = Audience(("device:p1:juan",)), Audience(("device:p2:maria",))

IN_PAIR = Audience(("conversation:pair",))
MEMBERS = Audience(("user:maria", "user:ana"))
TO_JUAN = Audience(("user:juan",), except_lost_in="conversation:pair")
TO_ANA, TO_ONE_SOCKET = (Audience((room,), except_lost_in="conversation:group") for room in ("user:ana", "s1"))


@dataclass
class Case:
    event: events.Event
    said: dict[str, tuple[Audience, dict[str, Any]]]
    """Wire event → who hears it, what it says. No other row goes out."""


def participants_body(action: str, affected: list[str], *, by: str) -> dict[str, Any]:
    return {
        **IN_GROUP,
        "participants": ["maria", "ana"],
        "participantCount": 2,
        "updatedAt": AT,
        "action": action,
        "affectedUsers": affected,
        "updatedBy": by,
    }


CASES = {
    "connected": Case(
        events.UserConnected(JUAN),
        {
            "user_connected": (
                Audience((EVERYONE,), except_user="juan"),
                {
                    "user": USER_BODY,
                    "userId": "juan",
                    "name": "Juan Pérez",
                    "email": "juan@example.com",
                    "status": "away",
                },
            )
        },
    ),
    "disconnected": Case(
        events.UserDisconnected("juan", LATER_AT),
        {"user_disconnected": (Audience((EVERYONE,), except_lost_of="juan"), {"userId": "juan", "lastSeen": LATER})},
    ),
    "status": Case(
        events.UserStatusChanged("juan", Status.OFFLINE, START),
        {"user_status_update": (Audience((EVERYONE,)), {"userId": "juan", "status": "offline", "lastSeen": AT})},
    ),
    "absence": Case(
        events.UserStatusChanged("juan", Status.OFFLINE, START, by_absence=True),
        {
            "user_status_update": (
                Audience((EVERYONE,), except_lost_of="juan"),
                {"userId": "juan", "status": "offline", "lastSeen": AT},
            )
        },
    ),
    "room joined": Case(
        events.RoomJoined("pair", "juan"), {"user_joined": (IN_PAIR, {"conversationId": "pair", "userId": "juan"})}
    ),
    "room left": Case(
        events.RoomLeft("pair", "juan"), {"user_left": (IN_PAIR, {"conversationId": "pair", "userId": "juan"})}
    ),
    "typing": Case(
        events.TypingChanged("pair", "juan", "Juan Pérez", True),
        {
            "typing_indicator": (
                Audience(("conversation:pair",), except_user="juan"),
                {"conversationId": "pair", "userId": "juan", "userName": "Juan Pérez", "isTyping": True},
            )
        },
    ),
    "message": Case(events.MessageSent(MESSAGE), {"message_received": (IN_PAIR, MESSAGE_BODY)}),
    "reply": Case(events.MessageSent(FILE_REPLY), {"reply_received": (IN_PAIR, REPLY_BODY)}),
    "edited": Case(
        events.MessageEdited(replace(MESSAGE, content="Adiós", is_edited=True, edited_at=LATER_AT), 9),
        {"message_edited": (IN_PAIR, {**MESSAGE_BODY, "content": "Adiós", "isEdited": True, "editedAt": LATER})},
    ),
    "deleted": Case(
        events.MessageDeleted("m1", "pair", 1, 9),
        {"message_deleted": (IN_PAIR, {"messageId": "m1", "conversationId": "pair", "seq": 1})},
    ),
    "unread private": Case(
        events.MessageUnread("juan", PAIR, LAST, MARIA, 3),
        {"unread_message_private": (TO_JUAN, {"conversationId": "pair", **UNREAD_BODY})},
    ),
    "unread group": Case(
        events.MessageUnread("ana", GROUP, LAST, MARIA, 3),
        {"unread_message_group": (TO_ANA, {**IN_GROUP, **UNREAD_BODY})},
    ),
    "unread for one socket": Case(
        events.MessageUnread("ana", GROUP, LAST, replace(MARIA, avatar=None), 3, socket_id="s1"),
        {"unread_message_group": (TO_ONE_SOCKET, {**IN_GROUP, **UNREAD_BODY, "senderAvatar": None})},
    ),
    "read": Case(
        events.MessagesRead("pair", "juan", START, 7, 9, ("maria", "ana")),
        {
            "messages_marked_as_read": (Audience(("user:juan",)), READ_BODY),
            "read_receipt": (MEMBERS, READ_BODY),
        },
    ),
    "group created": Case(events.GroupCreated(GROUP), {"group_created": (MEMBERS, GROUP_BODY)}),
    "group deleted": Case(
        events.GroupDeleted(GROUP, 150, START),
        {"group_deleted": (MEMBERS, {**IN_GROUP, "deletedMessagesCount": 150, "timestamp": AT})},
    ),
    "users added": Case(
        events.UsersAddedToGroup(GROUP, ("ana", "eva"), "maria", START),
        {
            "user_added_to_group": (
                MEMBERS,
                {
                    **IN_GROUP,
                    "addedUsers": ["ana", "eva"],
                    "addedBy": "maria",
                    "userId": "ana",
                    "updatedParticipants": ["maria", "ana"],
                    "participantCount": 2,
                    "timestamp": AT,
                },
            ),
            "group_participants_updated": (MEMBERS, participants_body("add", ["ana", "eva"], by="maria")),
        },
    ),
    "group updated": Case(
        events.GroupUpdated(GROUP, "maria", START),
        {"group_updated": (MEMBERS, {**IN_GROUP, "description": None, "updatedBy": "maria", "timestamp": AT})},
    ),
    "removed": Case(
        events.UserRemovedFromGroup(GROUP, Sender("juan", "Juan Pérez", None), "maria", "María García", START),
        {
            "user_removed_from_group": (
                Audience(("user:juan",)),
                {
                    **IN_GROUP,
                    "userId": "juan",
                    "userName": "Juan Pérez",
                    "removedBy": "maria",
                    "removedByName": "María García",
                    "timestamp": AT,
                },
            ),
            "group_participants_updated": (MEMBERS, participants_body("remove", ["juan"], by="maria")),
        },
    ),
    "left": Case(
        LEFT,
        {
            "user_left_group": (MEMBERS, LEFT_BODY),
            "group_left": (Audience(("user:juan",)), {**LEFT_BODY, "groupDeleted": False, "deletedMessagesCount": 0}),
            "group_participants_updated": (MEMBERS, participants_body("remove", ["juan"], by="juan")),
        },
    ),
}


CALL_CASES = {
    "call rings": Case(
        events.CallRang(CALL, GROUP, MARIA, ("maria", "ana")), {"call_ringing": (MEMBERS, RINGING_BODY)}
    ),
    "call rings on one socket": Case(
        events.CallRang(CALL, GROUP, MARIA, ("ana",), "s1"), {"call_ringing": (Audience(("s1",)), RINGING_BODY)}
    ),
    "call accepted": Case(
        events.CallAccepted(CALL, CALLEE), {"call_accepted": (TO_CALLER, {**CALLEE_BODY, "answeredAt": AT})}
    ),
    "answered elsewhere": Case(
        events.CallAnsweredElsewhere("call1", "group", "ana", Answer.DECLINED, "s1"),
        {
            "call_answered_elsewhere": (
                Audience(("user:ana",), except_socket="s1"),
                {**IN_CALL, "answer": "declined"},
            )
        },
    ),
    "participant joined": Case(
        events.CallParticipantJoined(CALL, CALLEE),
        {
            "call_participant_joined": (
                TO_CALLER,
                {
                    **IN_CALL,
                    "participant": {"participantId": "p2", "userId": "maria", "number": 2, "polite": False, **SHOWN},
                },
            )
        },
    ),
    "participant left": Case(
        events.CallParticipantLeft(replace(CALL, participants=(CALLER, LATE)), CALLEE, Leaving.LOST),
        {
            "call_participant_left": (
                Audience(("device:p1:juan", "device:p3:ana", "device:p2:maria")),
                {**CALLEE_BODY, "reason": "lost"},
            )
        },
    ),
    "media": Case(events.CallMediaChanged(CALL, CALLEE), {"call_media": (TO_CALLER, {**CALLEE_BODY, **SHOWN})}),
    "description": Case(
        events.CallSignalled("call1", "p1", "p2", "maria", 7, {"description": OFFER}),
        {"call_signal": (TO_CALLEE, {**SIGNAL_BODY, "description": OFFER})},
    ),
    "candidate": Case(
        events.CallSignalled("call1", "p1", "p2", "maria", 7, {"candidate": {"candidate": "c", "sdp_mid": "0"}}),
        {"call_signal": (TO_CALLEE, {**SIGNAL_BODY, "candidate": {"candidate": "c", "sdpMid": "0"}})},
    ),
    "last candidate": Case(
        events.CallSignalled("call1", "p1", "p2", "maria", 7, {"candidate": None}),
        {"call_signal": (TO_CALLEE, SIGNAL_BODY)},
    ),
    "call ended": Case(
        events.CallEnded(OVER, ("maria", "ana")),
        {"call_ended": (MEMBERS, {**IN_CALL, "reason": "failed", "durationMs": 300_250})},
    ),
    "message of a call": Case(
        events.MessageSent(
            replace(
                MESSAGE,
                message_type=MessageType.CALL,
                call=CallSummary("call1", CallEnd.HANGUP, 1500, CallKind.AUDIO, ("juan", "maria")),
            )
        ),
        {
            "message_received": (
                IN_PAIR,
                {
                    **MESSAGE_BODY,
                    "messageType": "call",
                    "call": {
                        "callId": "call1",
                        "state": "hangup",
                        "durationMs": 1500,
                        "media": "audio",
                        "tookPart": ["juan", "maria"],
                    },
                },
            )
        },
    ),
}
CASES |= CALL_CASES


def said(event: events.Event) -> dict[str, tuple[Audience, dict[str, Any]]]:
    return {
        row.name: (row.audience(event), row.schema.dump(row.body(event)))
        for row in outgoing.rows_by_event()[type(event)]
        if row.when(event)
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_event_goes_to_its_audience_with_exactly_its_body(case: Case) -> None:
    assert said(case.event) == case.said


def test_every_row_and_every_domain_event_has_a_case() -> None:
    assert {name for case in CASES.values() for name in case.said} == {row.name for row in outgoing.ROWS}
    kinds = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, events.Event)}
    told = {kind for kind in kinds if not issubclass(kind, events.WorkerEvent)}
    abstract = {events.Event, events.DurableEvent, events.GroupChanged, events.CallChanged}
    assert {type(case.event) for case in CASES.values()} == told - abstract


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_body_has_every_declared_field_and_goes_over_the_wire(case: Case) -> None:
    rows = {row.name: row for row in outgoing.rows_by_event()[type(case.event)]}
    for name, (_, body) in said(case.event).items():
        assert set(body) == {field.data_key for field in rows[name].schema.fields.values()}
        assert WireJson.loads(WireJson.dumps(body)) == body


# ---------------------------------------------------------------- leaving a group
def test_creators_leaving_names_the_new_owner() -> None:
    bodies = said(replace(LEFT, new_owner=MARIA))
    told = {"ownershipTransferred": True, "newOwnerId": "maria", "newOwnerName": "María García"}
    assert bodies["user_left_group"][1] == {**LEFT_BODY, **told}
    assert bodies["group_left"][1].items() >= told.items()


def test_last_one_out_is_told_that_the_group_is_gone() -> None:
    bodies = said(replace(LEFT, conversation=replace(GROUP, participants=()), group_deleted=True))
    assert bodies["user_left_group"][0] == Audience(())
    assert bodies["group_left"][1]["groupDeleted"] is True
    assert "group_participants_updated" not in bodies


def test_leaver_does_not_hear_twice() -> None:
    bodies = said(replace(LEFT, conversation=replace(GROUP, participants=("juan", "maria"))))
    assert bodies["user_left_group"][0] == Audience(("user:maria",))


# ---------------------------------------------------------------- answers to one socket
def direct(row: Direct, result: Any) -> dict[str, Any]:
    body: dict[str, Any] = row.schema.dump(row.body(result))
    return body


def test_reply_sent_success() -> None:
    assert direct(outgoing.REPLY_SENT, FILE_REPLY) == {"messageId": "m2", "conversationId": "pair", "timestamp": AT}


def test_leave_group_success_says_what_the_acknowledgement_says() -> None:
    result = outgoing.user_left(LEFT)
    body = direct(outgoing.LEAVE_GROUP_SUCCESS, result)
    assert body == {**LEFT_BODY, "groupDeleted": False, "deletedMessagesCount": 0}


@pytest.mark.parametrize(
    "row",
    [outgoing.REPLY_ERROR, outgoing.EDIT_ERROR, outgoing.DELETE_ERROR, outgoing.LEAVE_GROUP_ERROR],
    ids=lambda row: row.name,
)
def test_failures_have_the_error_that_the_first_front_end_reads(row: Direct) -> None:
    failure = {"error": "No permitido", "code": "forbidden", "details": {"messageId": "m1"}}
    assert direct(row, failure) == failure


def test_error_event_says_when_to_come_back_only_when_limited() -> None:
    failure = {"event": "send_message", "code": "rate_limited", "message": "Espere", "details": {}}
    assert direct(outgoing.ERROR, failure) == failure
    limited = direct(outgoing.ERROR, {**failure, "retry_after_ms": 1500})
    assert limited == {**failure, "retryAfterMs": 1500}


def test_names_of_the_document_and_of_its_first_front_end() -> None:
    rows: tuple[Outgoing[Any] | Direct, ...] = (*outgoing.ROWS, *outgoing.DIRECT)
    assert {row.name for row in rows} == {
        "user_connected",
        "user_disconnected",
        "user_status_update",
        "message_received",
        "reply_received",
        "typing_indicator",
        "unread_message_private",
        "unread_message_group",
        "group_created",
        "user_added_to_group",
        "error",
        "message_edited",
        "message_deleted",
        "edit_message_error",
        "delete_message_error",
        "reply_sent_success",
        "reply_error",
        "leave_group_success",
        "leave_group_error",
        "user_left_group",
        "group_left",
        "group_deleted",
        "group_participants_updated",
        "user_removed_from_group",
        "messages_marked_as_read",
        "read_receipt",
        "user_joined",
        "user_left",
        "server_draining",
        "group_updated",
        "token_expiring",
        "token_expired",
        "call_ringing",
        "call_accepted",
        "call_answered_elsewhere",
        "call_participant_joined",
        "call_participant_left",
        "call_media",
        "call_signal",
        "call_ended",
    }

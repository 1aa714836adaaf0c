"""The document's examples, completed to the ruled shapes: data for the descriptions, and for tests that check them."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

# The document's own people and things.
JUAN, MARIA, NEW = "user123", "user456", "user789"
PRIVATE, GROUP = "conv123", "conv456"
SENT = "2025-01-27T10:00:00.000Z"
ANSWERED = "2025-01-27T10:05:00.000Z"
EDITED = "2025-01-27T10:02:00.000Z"
FOUNDED = "2024-01-01T00:00:00.000Z"

# ---------------------------------------------------------------- REST
CREATE_USER: Example = {
    "id": JUAN,
    "name": "Juan Pérez",
    "email": "juan@example.com",
    "roles": ["user"],
    "filials": ["sucursal1"],
    "avatar": "avatar.jpg",
}
USER: Example = {
    **CREATE_USER,
    "status": "online",
    "lastSeen": SENT,
    "createdAt": FOUNDED,
    "updatedAt": FOUNDED,
    "isActive": True,
    "isOnline": True,
}

CREATE_CONVERSATION: Example = {"type": "private", "participants": [JUAN, MARIA], "createdBy": JUAN}
CREATE_GROUP: Example = {
    "type": "group",
    "name": "Mi Grupo",
    "description": "Descripción del grupo",
    "participants": [JUAN, MARIA],
    "createdBy": JUAN,
}
CONVERSATION: Example = {
    "id": PRIVATE,
    "type": "private",
    "name": None,
    "description": None,
    "participants": [JUAN, MARIA],
    "createdBy": JUAN,
    "createdAt": FOUNDED,
    "updatedAt": SENT,
    "lastMessage": "Hola, ¿cómo estás?",
    "lastMessageAt": SENT,
    "lastSeq": 1,
    "rev": 1,
}
NEW_GROUP: Example = {
    **CREATE_GROUP,
    "id": GROUP,
    "createdAt": SENT,
    "updatedAt": SENT,
    "lastMessage": None,
    "lastMessageAt": None,
    "lastSeq": 0,
    "rev": 0,
}
INBOX_ENTRY: Example = {**CONVERSATION, "unreadCount": 1, "lastReadAt": None, "lastReadSeq": 0}

MESSAGE: Example = {
    "id": "msg123",
    "conversationId": PRIVATE,
    "seq": 1,
    "senderId": MARIA,
    "recipientId": JUAN,
    "content": "Hola, ¿cómo estás?",
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
    "timestamp": SENT,
    "createdAt": SENT,
    "sender": {"id": MARIA, "name": "María García", "avatar": "avatar.jpg"},
    "clientMessageId": None,
    "call": None,
}
REPLY: Example = {
    **MESSAGE,
    "id": "msg124",
    "seq": 2,
    "senderId": JUAN,
    "recipientId": MARIA,
    "content": "Muy bien, ¿y tú?",
    "replyTo": "msg123",
    "replyPreview": "Hola, ¿cómo estás?",
    "isReply": True,
    "timestamp": ANSWERED,
    "createdAt": ANSWERED,
    "sender": {"id": JUAN, "name": "Juan Pérez", "avatar": "avatar.jpg"},
    "clientMessageId": "5f0c7a52-0f9d-4d0e-9a39-4a0a4a4f0b1e",
}
CALL_MESSAGE: Example = {
    **MESSAGE,
    "id": "msg126",
    "seq": 3,
    "senderId": JUAN,
    "recipientId": MARIA,
    "content": "Videollamada · 3:12",
    "messageType": "call",
    "sender": {"id": JUAN, "name": "Juan Pérez", "avatar": "avatar.jpg"},
    "clientMessageId": "0198b2a4-6f3e-5c1d-9b7a-2f4e6d8c0a1b",
    "call": {
        "callId": "0198b2a4-6f3e-5c1d-9b7a-2f4e6d8c0a1b",
        "state": "hangup",
        "durationMs": 192500,
        "media": "video",
        "tookPart": [JUAN, MARIA],
    },
}
REPLIES: Example = {"messageId": "msg123", "replies": [REPLY], "repliesCount": 1}
MESSAGE_WITH_REPLIES: Example = {**MESSAGE, "replies": [REPLY], "repliesCount": 1}

_UNCHANGED: Example = {"message": None, "read": None, "members": None, "details": None, "throughSeq": None}
READ_MARKS: Example = {
    "conversationId": PRIVATE,
    "readMarks": [
        {"userId": JUAN, "lastReadSeq": 2, "lastReadAt": ANSWERED},
        {"userId": MARIA, "lastReadSeq": 0, "lastReadAt": None},
    ],
}
CHANGES: Example = {
    "conversationId": PRIVATE,
    "rev": 3,
    "changes": [
        {**_UNCHANGED, "rev": 2, "type": "message", "message": REPLY},
        {
            **_UNCHANGED,
            "rev": 3,
            "type": "read",
            "read": {"userId": MARIA, "lastReadSeq": 2, "timestamp": ANSWERED},
        },
    ],
    "hasMore": False,
    "truncated": False,
}

REVOKE_TOKENS: Example = {"userId": JUAN, "before": SENT}

REVOCATION: Example = REVOKE_TOKENS

UPLOADED: Example = {
    "fileUrl": "/api/files/filename.jpg",
    "fileName": "original-name.jpg",
    "fileSize": 12345,
    "fileType": "image/jpeg",
    "thumbnailUrl": "/api/files/filename.jpg",
    "messageId": "msg125",
    "conversationId": PRIVATE,
    "senderId": JUAN,
    "timestamp": SENT,
    "isReply": True,
    "replyTo": "msg123",
}
SIGNATURE = "Dq0JzI1pSwPj0tG1oSp5cX2lW3mYv7uQe9rKaZt4bHc"
ASK_FOR_LINKS: Example = {"urls": ["/api/files/filename.jpg", "/api/files/other.pdf"]}
LINKS: Example = {
    "links": [
        {
            "url": "/api/files/filename.jpg",
            "signedUrl": f"/api/files/filename.jpg?ex=1737972900&u={JUAN}&sig={SIGNATURE}",
            "expiresAt": "2025-01-27T10:15:00.000Z",
            "code": None,
        },
        {"url": "/api/files/other.pdf", "signedUrl": None, "expiresAt": None, "code": "file_not_found"},
    ]
}
ERROR: Example = {
    "statusCode": 404,
    "error": "Not Found",
    "code": "conversation_not_found",
    "message": "Conversación no encontrada",
    "details": {"conversationId": PRIVATE},
    "requestId": "0b9f7a3e5c1d4e6f",
}

# ---------------------------------------------------------------- events
_FAILED: Example = {
    "error": "No participa en la conversación",
    "code": "not_a_participant",
    "details": {"conversationId": PRIVATE},
}
_IN_ROOM: Example = {"conversationId": PRIVATE, "userId": JUAN}
_IN_GROUP: Example = {"conversationId": GROUP, "conversationName": "Mi Grupo"}
_READ: Example = {**_IN_ROOM, "timestamp": SENT, "lastReadSeq": 1}
_UNREAD: Example = {
    "senderId": MARIA,
    "senderName": "María García",
    "senderAvatar": "avatar.jpg",
    "messagePreview": "Hola, ¿cómo estás?",
    "timestamp": SENT,
    "messageId": "msg123",
    "unreadCount": 1,
}
_LEFT: Example = {
    **_IN_GROUP,
    "userId": JUAN,
    "userName": "Juan Pérez",
    "leftBy": JUAN,
    "timestamp": SENT,
    "ownershipTransferred": True,
    "newOwnerId": MARIA,
    "newOwnerName": "María García",
}
_LEFT_FOR_GOOD: Example = {**_LEFT, "groupDeleted": False, "deletedMessagesCount": 0}

CALL_ID = "0198b2a4-6f3e-5c1d-9b7a-2f4e6d8c0a1b"
CALLER, CALLEE = "0198b2a4-6f3e-7c1d-8b7a-2f4e6d8c0a1b", "0198b2a4-7a10-7d2e-8c8b-3a5f7e9d1b2c"
"""Participants of the call."""
_IN_CALL: Example = {"callId": CALL_ID, "conversationId": PRIVATE}
CALL: Example = {
    **_IN_CALL,
    "state": "ongoing",
    "reason": None,
    "media": "video",
    "startedBy": JUAN,
    "startedAt": SENT,
    "ringsUntil": "2025-01-27T10:00:30.000Z",
    "answeredAt": "2025-01-27T10:00:07.250Z",
    "participantId": CALLEE,
    "polite": True,
    "participants": [
        {
            "participantId": CALLER,
            "userId": JUAN,
            "number": 1,
            "polite": True,
            "audio": True,
            "video": True,
            "screen": False,
        }
    ],
    "iceServers": [
        {"urls": ["stun:turn.example.com:3478"]},
        {
            "urls": ["turn:turn.example.com:3478?transport=udp"],
            "username": "1737975600:user456",
            "credential": "8wGKKzXYxvYPVoo7Bp3hGd7eBVw=",
        },
    ],
    "mediaServer": None,
}
_CALLEE: Example = {**_IN_CALL, "participantId": CALLEE, "userId": MARIA}
_OFFER: Example = {"type": "offer", "sdp": "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n"}
_SHOWN: Example = {"audio": True, "video": True, "screen": False}

_INCOMING: dict[str, Example] = {
    "user_join": {
        "userId": JUAN,
        "name": "Juan Pérez",
        "email": "juan@example.com",
        "roles": ["user"],
        "filials": ["sucursal1"],
        "avatar": "avatar.jpg",
    },
    "refresh_token": {"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyMTIzIn0.c2lnbmF0dXJl"},
    "user_leave": {"userId": JUAN},
    "join_room": _IN_ROOM,
    "leave_room": _IN_ROOM,
    "send_message": {
        "conversationId": PRIVATE,
        "senderId": JUAN,
        "recipientId": MARIA,
        "content": "Hola, ¿cómo estás?",
        "messageType": "text",
    },
    "send_reply": {
        "conversationId": PRIVATE,
        "senderId": JUAN,
        "content": "Muy bien, ¿y tú?",
        "messageType": "text",
        "replyTo": "msg123",
    },
    "edit_message": {"messageId": "msg123", "newContent": "Hola, ¿qué tal?", "userId": MARIA},
    "delete_message": {"messageId": "msg123", "userId": MARIA},
    "typing_start": {**_IN_ROOM, "userName": "Juan Pérez"},
    "typing_stop": _IN_ROOM,
    "user_status": {"userId": JUAN, "status": "away"},
    "mark_messages_as_read": _IN_ROOM,
    "create_group": {
        "name": "Mi Grupo",
        "description": "Descripción del grupo",
        "participants": [JUAN, MARIA],
        "createdBy": JUAN,
    },
    "add_user_to_group": {"conversationId": GROUP, "participants": [NEW]},
    "update_group": {"conversationId": GROUP, "name": "Otro nombre", "userId": JUAN},
    "leave_group": {"conversationId": GROUP, "userId": JUAN},
    "sync": {"conversations": [{"conversationId": PRIVATE, "rev": 1}, {"conversationId": GROUP, "rev": 0}]},
    "call_start": {
        "conversationId": PRIVATE,
        "clientCallId": "9b2f7c1e-55aa-4f0e-8d11-0c7a3b9d2e4f",
        "media": "video",
        "deviceId": "browser-5f0c7a52",
        "userId": JUAN,
    },
    "call_accept": {"callId": CALL_ID, "deviceId": "phone-4d0e9a39", "userId": MARIA},
    "call_decline": {"callId": CALL_ID, "userId": MARIA},
    "call_signal": {"callId": CALL_ID, "to": CALLEE, "description": _OFFER, "userId": JUAN},
    "call_media": {"callId": CALL_ID, **_SHOWN, "userId": MARIA},
    "call_hangup": {"callId": CALL_ID, "userId": JUAN},
}

_OUTGOING: dict[str, Example] = {
    "user_connected": {
        "user": USER,
        "userId": JUAN,
        "name": "Juan Pérez",
        "email": "juan@example.com",
        "status": "online",
    },
    "user_disconnected": {"userId": JUAN, "lastSeen": SENT},
    "user_status_update": {"userId": JUAN, "status": "offline", "lastSeen": SENT},
    "user_joined": _IN_ROOM,
    "user_left": _IN_ROOM,
    "typing_indicator": {
        "conversationId": PRIVATE,
        "userId": MARIA,
        "userName": "María García",
        "isTyping": True,
    },
    "message_received": MESSAGE,
    "reply_received": REPLY,
    "message_edited": {**MESSAGE, "content": "Hola, ¿qué tal?", "isEdited": True, "editedAt": EDITED},
    "message_deleted": {"messageId": "msg123", "conversationId": PRIVATE, "seq": 1},
    "unread_message_private": {"conversationId": PRIVATE, **_UNREAD},
    "unread_message_group": {**_IN_GROUP, **_UNREAD, "messagePreview": "Hola a todos!"},
    "messages_marked_as_read": _READ,
    "read_receipt": _READ,
    "group_created": NEW_GROUP,
    "user_added_to_group": {
        **_IN_GROUP,
        "addedUsers": [NEW],
        "addedBy": JUAN,
        "userId": NEW,
        "updatedParticipants": [JUAN, MARIA, NEW],
        "participantCount": 3,
        "timestamp": SENT,
    },
    "group_participants_updated": {
        **_IN_GROUP,
        "participants": [JUAN, MARIA, NEW],
        "participantCount": 3,
        "updatedAt": SENT,
        "action": "add",
        "affectedUsers": [NEW],
        "updatedBy": JUAN,
    },
    "group_updated": {
        "conversationId": GROUP,
        "conversationName": "Otro nombre",
        "description": "Descripción del grupo",
        "updatedBy": JUAN,
        "timestamp": SENT,
    },
    "user_removed_from_group": {
        **_IN_GROUP,
        "userId": NEW,
        "userName": "Ana Ruiz",
        "removedBy": JUAN,
        "removedByName": "Juan Pérez",
        "timestamp": SENT,
    },
    "user_left_group": _LEFT,
    "group_left": _LEFT_FOR_GOOD,
    "group_deleted": {**_IN_GROUP, "deletedMessagesCount": 150, "timestamp": SENT},
    "reply_sent_success": {"messageId": "msg124", "conversationId": PRIVATE, "timestamp": ANSWERED},
    "reply_error": _FAILED,
    "edit_message_error": {
        "error": "El mensaje es de otra persona",
        "code": "not_message_sender",
        "details": {"messageId": "msg123"},
    },
    "delete_message_error": {
        "error": "Mensaje no encontrado",
        "code": "message_not_found",
        "details": {"messageId": "msg123"},
    },
    "leave_group_success": _LEFT_FOR_GOOD,
    "leave_group_error": {**_FAILED, "details": {"conversationId": GROUP}},
    "error": {
        "event": "join_room",
        "code": "not_a_participant",
        "message": "No participa en la conversación",
        "details": {"conversationId": PRIVATE},
    },
    "call_ringing": {
        **_IN_CALL,
        "conversationName": "",
        "isGroup": False,
        "media": "video",
        "caller": {"id": JUAN, "name": "Juan Pérez", "avatar": "avatar.jpg"},
        "startedAt": SENT,
        "ringsUntil": "2025-01-27T10:00:30.000Z",
    },
    "call_accepted": {**_CALLEE, "answeredAt": "2025-01-27T10:00:07.250Z"},
    "call_answered_elsewhere": {**_IN_CALL, "answer": "accepted"},
    "call_participant_joined": {
        **_IN_CALL,
        "participant": {"participantId": CALLEE, "userId": MARIA, "number": 2, "polite": False, **_SHOWN},
    },
    "call_participant_left": {**_CALLEE, "reason": "hangup"},
    "call_media_event": {**_CALLEE, **_SHOWN},
    "call_signal_event": {
        "callId": CALL_ID,
        "from": CALLER,
        "seq": 4294967297,
        "description": _OFFER,
        "candidate": None,
    },
    "call_ended": {**_IN_CALL, "reason": "hangup", "durationMs": 192500},
    "server_draining": {"reconnectInMs": 2350},
    "token_expiring": {"inMs": 60000},
    "token_expired": {"code": "token_expired"},
}

EVENT_EXAMPLES: dict[str, Example] = {**_INCOMING, **_OUTGOING}
"""One payload for every event of both tables. What the server says by a name that clients use too is under ``_event``:
see ``asyncapi.said_key``."""

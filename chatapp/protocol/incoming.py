"""Every event a client may send, each a row. No other place names an incoming event.

What a command does stands in ``transport/sockets/handlers.py``; what a row says holds for every transport that will
ever carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatapp.protocol import outgoing, requests, schemas
from chatapp.protocol.fields import WireSchema
from chatapp.protocol.outgoing import Direct


@dataclass(frozen=True, slots=True)
class Incoming:
    name: str
    schema: WireSchema
    summary: str
    result: WireSchema | None = None
    """Shape of ``data`` in a good acknowledgement; None means null."""
    limit: Literal["messages", "calls", "call_signals"] | None = None
    """The bucket it takes from."""
    success: Direct | None = None
    failure: Direct | None = None
    """What the asking socket is told besides the acknowledgement."""
    identifies: bool = False
    """True for what may come before anybody has joined."""


ROWS = (
    Incoming(
        "user_join",
        requests.UserJoinSchema(),
        "Come online as this user",
        result=schemas.UserSchema(),
        identifies=True,
    ),
    Incoming(
        "refresh_token",
        requests.RefreshTokenSchema(),
        "Go on with a newer token of the same user",
        result=schemas.TokenRefreshedSchema(),
        identifies=True,
    ),
    Incoming("user_leave", requests.UserLeaveSchema(), "Go offline; the connection stays"),
    Incoming(
        "join_room",
        requests.JoinRoomSchema(),
        "Hear a conversation; only its participants may",
        result=schemas.RoomStateSchema(),
    ),
    Incoming("leave_room", requests.LeaveRoomSchema(), "Hear a conversation no more; membership stays"),
    Incoming(
        "send_message",
        requests.SendMessageSchema(),
        "Send a message, or a reply when replyTo is there",
        result=schemas.MessageSchema(),
        limit="messages",
    ),
    Incoming(
        "send_reply",
        requests.SendReplySchema(),
        "Answer a message",
        result=schemas.MessageSchema(),
        limit="messages",
        success=outgoing.REPLY_SENT,
        failure=outgoing.REPLY_ERROR,
    ),
    Incoming(
        "edit_message",
        requests.EditMessageSchema(),
        "Correct an own text message within 15 minutes",
        result=schemas.MessageSchema(),
        failure=outgoing.EDIT_ERROR,
    ),
    Incoming(
        "delete_message",
        requests.DeleteMessageSchema(),
        "Take back an own message",
        result=schemas.MessageDeletedSchema(),
        failure=outgoing.DELETE_ERROR,
    ),
    Incoming("typing_start", requests.StartTypingSchema(), "I am writing; ends by itself after 3 s"),
    Incoming("typing_stop", requests.StopTypingSchema(), "I am not writing any more"),
    Incoming(
        "user_status",
        requests.UserStatusRequestSchema(),
        "Show another status",
        result=schemas.UserStatusSchema(),
    ),
    Incoming(
        "mark_messages_as_read",
        requests.MarkAsReadSchema(),
        "Everything in the conversation is read",
        result=schemas.MessagesReadSchema(),
    ),
    Incoming(
        "create_group",
        requests.CreateGroupSchema(),
        "Create a group; its creator is a participant",
        result=schemas.ConversationSchema(),
    ),
    Incoming(
        "add_user_to_group",
        requests.AddUserToGroupSchema(),
        "Add participants to a group",
        result=schemas.GroupWithAddedSchema(),
    ),
    Incoming(
        "update_group",
        requests.UpdateGroupSchema(),
        "Give a group another name or description",
        result=schemas.ConversationSchema(),
    ),
    Incoming(
        "leave_group",
        requests.LeaveGroupSchema(),
        "Leave a group for good",
        result=schemas.GroupLeftSchema(),
        success=outgoing.LEAVE_GROUP_SUCCESS,
        failure=outgoing.LEAVE_GROUP_ERROR,
    ),
    Incoming(
        "sync",
        requests.SyncRequestSchema(),
        "What has changed durably in these conversations since I saw them last",
        result=schemas.SyncSchema(),
    ),
    Incoming(
        "call_start",
        requests.CallStartSchema(),
        "Call the other participants of a conversation, or join the call it has",
        result=schemas.CallSchema(),
        limit="calls",
    ),
    Incoming(
        "call_accept",
        requests.CallAcceptSchema(),
        "Answer a call, join it later, or come back to it after a lost connection",
        result=schemas.CallSchema(),
        limit="calls",
    ),
    Incoming("call_decline", requests.CallDeclineSchema(), "I do not want to be called; stops all my devices"),
    Incoming(
        "call_signal",
        requests.CallSignalSchema(),
        "A WebRTC description or candidate for another participant",
        result=schemas.SignalSentSchema(),
        limit="call_signals",
    ),
    Incoming("call_media", requests.CallMediaSchema(), "What this device sends by now: sound, picture, screen"),
    Incoming("call_hangup", requests.CallHangupSchema(), "Leave the call with this device, or give up calling"),
)

BY_NAME = {row.name: row for row in ROWS}

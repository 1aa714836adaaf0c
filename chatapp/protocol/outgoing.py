"""Every event the server sends, each a row: what happened, what it is called, who hears it, what they are told.

``ROWS`` turn domain events into broadcasts; ``DIRECT`` are told to one socket alone. No other place names
an outgoing event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from chatapp.domain import events
from chatapp.domain.calls import Participant
from chatapp.domain.models import Conversation, Message
from chatapp.domain.rooms import EVERYONE, UNBOUNDED, conversation_room, device_room, filial_room, user_room
from chatapp.protocol import schemas
from chatapp.protocol.fields import WireSchema

E = TypeVar("E", bound=events.Event)


@dataclass(frozen=True, slots=True)
class Audience:
    """The rooms that hear it, each socket once; not the sockets of ``except_user``, nor ``except_socket``.

    Of the connections that are lost and may yet be taken up, those in the room ``except_lost_in`` and those of the user
    ``except_lost_of`` do without it too.
    """

    rooms: tuple[str, ...]
    except_user: str | None = None
    except_socket: str | None = None
    except_lost_in: str | None = None
    except_lost_of: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[E]):
    name: str
    event: type[E]
    schema: WireSchema
    audience: Callable[[E], Audience]
    body: Callable[[E], Any]
    """What the schema dumps: an object or a mapping with the schema's field names."""
    summary: str
    when: Callable[[E], bool] = lambda _event: True
    gathers: bool = False
    """Whether it may wait a moment for more of its kind, to leave with them in one write. Only what is for everyone."""


@dataclass(frozen=True, slots=True)
class Direct:
    """An event for one socket alone, the asking one or one that is to be closed."""

    name: str
    schema: WireSchema
    summary: str
    body: Callable[[Any], Any] = lambda result: result
    """From the result that the acknowledgement shows."""


# ---------------------------------------------------------------- audiences
def _conversation(event: Any) -> Audience:
    return Audience((conversation_room(event.conversation_id),))


def _message_room(event: events.MessageSent | events.MessageEdited) -> Audience:
    return Audience((conversation_room(event.message.conversation_id),))


def _participants(event: Any) -> Audience:
    return _users(event.conversation.participants)


def _users(user_ids: Iterable[str]) -> Audience:
    return Audience(tuple(user_room(user_id) for user_id in user_ids))


def _unread(event: events.MessageUnread) -> Audience:
    """Who is in the room has the message itself, also when it reaches them late."""
    room = event.socket_id or user_room(event.user_id)
    return Audience((room,), except_lost_in=conversation_room(event.conversation.id))


Presence = events.UserConnected | events.UserDisconnected | events.UserStatusChanged


def _everyone(event: Presence) -> tuple[str, ...]:
    """Or those of everyone who may know of the user."""
    return (EVERYONE,) if event.visible_to is None else (UNBOUNDED, *map(filial_room, event.visible_to))


def _connected_user(event: events.UserConnected) -> Audience:
    return Audience(_everyone(event), except_user=event.user.id)


def _status_changed(event: events.UserStatusChanged) -> Audience:
    return _gone(event) if event.by_absence else Audience(_everyone(event))


def _gone(event: events.UserDisconnected | events.UserStatusChanged) -> Audience:
    """Who takes up a lost connection is not told that they were away themselves: nobody would take it back."""
    return Audience(_everyone(event), except_lost_of=event.user_id)


CallParticipantEvent = (
    events.CallAccepted | events.CallParticipantJoined | events.CallParticipantLeft | events.CallMediaChanged
)


def _rung(event: events.CallRang) -> Audience:
    return Audience((event.socket_id,)) if event.socket_id else _users(event.user_ids)


def _other_devices(event: events.CallAnsweredElsewhere) -> Audience:
    return Audience((user_room(event.user_id),), except_socket=event.socket_id)


def _other_participants(event: CallParticipantEvent) -> Audience:
    return _devices(each for each in event.call.participants if each.id != event.participant.id)


def _left_participants(event: events.CallParticipantLeft) -> Audience:
    """The one who is out hears it too: it may not have been their wish."""
    return _devices((*event.call.participants, event.participant))


def _devices(participants: Iterable[Participant]) -> Audience:
    return Audience(tuple(device_room(each.id, each.user_id) for each in participants))


# ---------------------------------------------------------------- bodies
def _itself(event: Any) -> Any:
    return event


def _message(event: events.MessageSent | events.MessageEdited) -> Any:
    return event.message


def _connected(event: events.UserConnected) -> dict[str, Any]:
    user = event.user
    return {"user": user, "user_id": user.id, "name": user.name, "email": user.email, "status": user.status}


def _group(conversation: Conversation) -> dict[str, Any]:
    return {"conversation_id": conversation.id, "conversation_name": conversation.name or ""}


def _unread_notice(event: events.MessageUnread) -> dict[str, Any]:
    return {
        **_group(event.conversation),
        "message_id": event.last.id,
        "sender_id": event.sender.id,
        "sender_name": event.sender.name,
        "sender_avatar": event.sender.avatar,
        "message_preview": event.last.preview,
        "timestamp": event.last.at,
        "unread_count": event.unread_count,
    }


def _users_added(event: events.UsersAddedToGroup) -> dict[str, Any]:
    return {
        **_group(event.conversation),
        "added_users": event.added_users,
        "added_by": event.added_by,
        "user_id": event.added_users[0],
        "updated_participants": event.conversation.participants,
        "participant_count": len(event.conversation.participants),
        "timestamp": event.timestamp,
    }


def _joined_participants(event: events.UsersAddedToGroup) -> dict[str, Any]:
    return _participants_updated(event.conversation, "add", event.added_users, event.added_by, event.timestamp)


def _removed_participant(event: events.UserRemovedFromGroup) -> dict[str, Any]:
    return _participants_updated(event.conversation, "remove", (event.user.id,), event.removed_by, event.timestamp)


def _left_participant(event: events.UserLeftGroup) -> dict[str, Any]:
    return _participants_updated(event.conversation, "remove", (event.user.id,), event.left_by, event.timestamp)


def _participants_updated(
    conversation: Conversation, action: str, affected_users: tuple[str, ...], updated_by: str, updated_at: datetime
) -> dict[str, Any]:
    return {
        **_group(conversation),
        "participants": conversation.participants,
        "participant_count": len(conversation.participants),
        "updated_at": updated_at,
        "action": action,
        "affected_users": affected_users,
        "updated_by": updated_by,
    }


def _group_updated(event: events.GroupUpdated) -> dict[str, Any]:
    return {
        **_group(event.conversation),
        "description": event.conversation.description,
        "updated_by": event.updated_by,
        "timestamp": event.timestamp,
    }


def _user_removed(event: events.UserRemovedFromGroup) -> dict[str, Any]:
    return {
        **_group(event.conversation),
        "user_id": event.user.id,
        "user_name": event.user.name,
        "removed_by": event.removed_by,
        "removed_by_name": event.removed_by_name,
        "timestamp": event.timestamp,
    }


def user_left(event: events.UserLeftGroup) -> dict[str, Any]:
    """Also the answer to the one who leaves."""
    return {
        **_group(event.conversation),
        "user_id": event.user.id,
        "user_name": event.user.name,
        "left_by": event.left_by,
        "timestamp": event.timestamp,
        "ownership_transferred": event.new_owner is not None,
        "new_owner_id": event.new_owner.id if event.new_owner else None,
        "new_owner_name": event.new_owner.name if event.new_owner else None,
        "group_deleted": event.group_deleted,
        "deleted_messages_count": event.deleted_messages_count,
    }


def _reply_sent(message: Message) -> dict[str, Any]:
    return {"message_id": message.id, "conversation_id": message.conversation_id, "timestamp": message.timestamp}


def _group_deleted(event: events.GroupDeleted) -> dict[str, Any]:
    return {
        **_group(event.conversation),
        "deleted_messages_count": event.deleted_messages_count,
        "timestamp": event.timestamp,
    }


def _ringing(event: events.CallRang) -> dict[str, Any]:
    call = event.call
    return {
        "call_id": call.id,
        **_group(event.conversation),
        "is_group": event.conversation.is_group,
        "media": call.kind,
        "caller": event.caller,
        "started_at": call.started_at,
        "rings_until": call.rings_until,
    }


def _accepted(event: events.CallAccepted) -> dict[str, Any]:
    return {**_in_call(event), "answered_at": event.call.answered_at}


def _in_call(event: CallParticipantEvent) -> dict[str, Any]:
    call, participant = event.call, event.participant
    return {
        "call_id": call.id,
        "conversation_id": call.conversation_id,
        "participant_id": participant.id,
        "user_id": participant.user_id,
    }


def call_participant(participant: Participant, *, polite: bool) -> dict[str, Any]:
    """What ``CallParticipantSchema`` dumps, for one who is or is not polite to them."""
    media = participant.media
    return {
        "participant_id": participant.id,
        "user_id": participant.user_id,
        "number": participant.number,
        "polite": polite,
        "audio": media.audio,
        "video": media.video,
        "screen": media.screen,
    }


def _participant_joined(event: events.CallParticipantJoined) -> dict[str, Any]:
    """Whoever hears it was there before."""
    call = event.call
    newcomer = call_participant(event.participant, polite=False)
    return {"call_id": call.id, "conversation_id": call.conversation_id, "participant": newcomer}


def _participant_left(event: events.CallParticipantLeft) -> dict[str, Any]:
    return {**_in_call(event), "reason": event.why}


def _media(event: events.CallMediaChanged) -> dict[str, Any]:
    media = event.participant.media
    return {**_in_call(event), "audio": media.audio, "video": media.video, "screen": media.screen}


def _signal(event: events.CallSignalled) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        "from_": event.sender_id,
        "seq": event.seq,
        "description": event.signal.get("description"),
        "candidate": event.signal.get("candidate"),
    }


def _call_ended(event: events.CallEnded) -> dict[str, Any]:
    call = event.call
    return {
        "call_id": call.id,
        "conversation_id": call.conversation_id,
        "reason": call.end,
        "duration_ms": call.duration_ms,
    }


# ---------------------------------------------------------------- the table
PARTICIPANTS_UPDATED = "To all participants on every change of members"

ROWS: tuple[Outgoing[Any], ...] = (
    Outgoing(
        "user_connected",
        events.UserConnected,
        schemas.UserConnectedSchema(),
        _connected_user,
        _connected,
        "A user's first socket joined; to all other users",
        gathers=True,
    ),
    Outgoing(
        "user_disconnected",
        events.UserDisconnected,
        schemas.UserDisconnectedSchema(),
        _gone,
        _itself,
        "A user's last socket has been gone for the grace period",
        gathers=True,
    ),
    Outgoing(
        "user_status_update",
        events.UserStatusChanged,
        schemas.UserStatusSchema(),
        _status_changed,
        _itself,
        "A user shows another status",
        gathers=True,
    ),
    Outgoing(
        "user_joined",
        events.RoomJoined,
        schemas.RoomMemberSchema(),
        _conversation,
        _itself,
        "A participant opened the conversation",
    ),
    Outgoing(
        "user_left",
        events.RoomLeft,
        schemas.RoomMemberSchema(),
        _conversation,
        _itself,
        "A participant closed the conversation",
    ),
    Outgoing(
        "typing_indicator",
        events.TypingChanged,
        schemas.TypingSchema(),
        lambda event: Audience((conversation_room(event.conversation_id),), except_user=event.user_id),
        _itself,
        "Somebody else in the room began or ceased to write",
    ),
    Outgoing(
        "message_received",
        events.MessageSent,
        schemas.MessageSchema(),
        _message_room,
        _message,
        "A new message in the room",
        when=lambda event: not event.message.is_reply,
    ),
    Outgoing(
        "reply_received",
        events.MessageSent,
        schemas.MessageSchema(),
        _message_room,
        _message,
        "A new message in the room that answers another",
        when=lambda event: event.message.is_reply,
    ),
    Outgoing(
        "message_edited",
        events.MessageEdited,
        schemas.MessageSchema(),
        _message_room,
        _message,
        "A message of the room has new content",
    ),
    Outgoing(
        "message_deleted",
        events.MessageDeleted,
        schemas.MessageDeletedSchema(),
        _conversation,
        _itself,
        "A message of the room is a tombstone now",
    ),
    Outgoing(
        "unread_message_private",
        events.MessageUnread,
        schemas.UnreadPrivateSchema(),
        _unread,
        _unread_notice,
        "A private message for a participant outside the room; also once per conversation on user_join",
        when=lambda event: not event.conversation.is_group,
    ),
    Outgoing(
        "unread_message_group",
        events.MessageUnread,
        schemas.UnreadGroupSchema(),
        _unread,
        _unread_notice,
        "A group message for a participant outside the room; also once per conversation on user_join",
        when=lambda event: event.conversation.is_group,
    ),
    Outgoing(
        "messages_marked_as_read",
        events.MessagesRead,
        schemas.MessagesReadSchema(),
        lambda event: _users([event.user_id]),
        _itself,
        "To the reader's own devices: the read mark moved",
    ),
    Outgoing(
        "read_receipt",
        events.MessagesRead,
        schemas.MessagesReadSchema(),
        lambda event: _users(event.others),
        _itself,
        "To the other participants: somebody's read mark moved",
    ),
    Outgoing(
        "group_created",
        events.GroupCreated,
        schemas.ConversationSchema(),
        _participants,
        lambda event: event.conversation,
        "To all participants of a new group",
    ),
    Outgoing(
        "user_added_to_group",
        events.UsersAddedToGroup,
        schemas.UsersAddedSchema(),
        _participants,
        _users_added,
        "To all participants, the new ones included",
    ),
    Outgoing(
        "group_participants_updated",
        events.UsersAddedToGroup,
        schemas.ParticipantsUpdatedSchema(),
        _participants,
        _joined_participants,
        PARTICIPANTS_UPDATED,
    ),
    Outgoing(
        "group_updated",
        events.GroupUpdated,
        schemas.GroupUpdatedSchema(),
        _participants,
        _group_updated,
        "To all participants: the group has another name or description",
    ),
    Outgoing(
        "user_removed_from_group",
        events.UserRemovedFromGroup,
        schemas.UserRemovedSchema(),
        lambda event: _users([event.user.id]),
        _user_removed,
        "To the one who was taken out",
    ),
    Outgoing(
        "group_participants_updated",
        events.UserRemovedFromGroup,
        schemas.ParticipantsUpdatedSchema(),
        _participants,
        _removed_participant,
        PARTICIPANTS_UPDATED,
    ),
    Outgoing(
        "user_left_group",
        events.UserLeftGroup,
        schemas.UserLeftGroupSchema(),
        lambda event: _users(p for p in event.conversation.participants if p != event.user.id),
        user_left,
        "To those who remain in the group",
    ),
    Outgoing(
        "group_left",
        events.UserLeftGroup,
        schemas.GroupLeftSchema(),
        lambda event: _users([event.user.id]),
        user_left,
        "To the own devices of the one who left",
    ),
    Outgoing(
        "group_participants_updated",
        events.UserLeftGroup,
        schemas.ParticipantsUpdatedSchema(),
        _participants,
        _left_participant,
        PARTICIPANTS_UPDATED,
        when=lambda event: not event.group_deleted,
    ),
    Outgoing(
        "group_deleted",
        events.GroupDeleted,
        schemas.GroupDeletedSchema(),
        _participants,
        _group_deleted,
        "To the last participants of a group that is gone with its messages",
    ),
    Outgoing(
        "call_ringing",
        events.CallRang,
        schemas.CallRingingSchema(),
        _rung,
        _ringing,
        "To all devices of those who are called, until ringsUntil; also to one that joins the chat meanwhile",
    ),
    Outgoing(
        "call_accepted",
        events.CallAccepted,
        schemas.CallAcceptedSchema(),
        _other_participants,
        _accepted,
        "To who called: the first has answered",
    ),
    Outgoing(
        "call_answered_elsewhere",
        events.CallAnsweredElsewhere,
        schemas.CallAnsweredElsewhereSchema(),
        _other_devices,
        _itself,
        "To the user's other devices, which stop ringing",
    ),
    Outgoing(
        "call_participant_joined",
        events.CallParticipantJoined,
        schemas.CallParticipantJoinedSchema(),
        _other_participants,
        _participant_joined,
        "To those in the call: a device has joined it, with which they are to connect",
    ),
    Outgoing(
        "call_participant_left",
        events.CallParticipantLeft,
        schemas.CallParticipantLeftSchema(),
        _left_participants,
        _participant_left,
        "To those in the call, and to the one who is not in it any more",
    ),
    Outgoing(
        "call_media",
        events.CallMediaChanged,
        schemas.CallMediaShownSchema(),
        _other_participants,
        _media,
        "To the others in the call: what a participant sends by now",
    ),
    Outgoing(
        "call_signal",
        events.CallSignalled,
        schemas.CallSignalledSchema(),
        lambda event: Audience((device_room(event.to_id, event.to_user_id),)),
        _signal,
        "To the participant's device: a WebRTC description or candidate from another",
    ),
    Outgoing(
        "call_ended",
        events.CallEnded,
        schemas.CallEndedSchema(),
        lambda event: _users(event.user_ids),
        _call_ended,
        "To all participants of the conversation: the call is over",
    ),
)

REPLY_SENT = Direct("reply_sent_success", schemas.ReplySentSchema(), "A send_reply was stored", _reply_sent)
REPLY_ERROR = Direct("reply_error", schemas.ActionErrorSchema(), "A send_reply failed")
EDIT_ERROR = Direct("edit_message_error", schemas.ActionErrorSchema(), "An edit_message failed")
DELETE_ERROR = Direct("delete_message_error", schemas.ActionErrorSchema(), "A delete_message failed")
LEAVE_GROUP_SUCCESS = Direct("leave_group_success", schemas.GroupLeftSchema(), "A leave_group was carried out")
LEAVE_GROUP_ERROR = Direct("leave_group_error", schemas.ActionErrorSchema(), "A leave_group failed")
ERROR = Direct("error", schemas.ErrorEventSchema(), "An event without acknowledgement failed")
SERVER_DRAINING = Direct(
    "server_draining",
    schemas.ServerDrainingSchema(),
    "This worker is being replaced or stopped: the socket goes on until it is closed, then the client connects anew",
)

TOKEN_EXPIRING = Direct(
    "token_expiring",
    schemas.TokenExpiringSchema(),
    "The connection's token is good for another minute at most; refresh_token goes on with a newer one",
)
TOKEN_EXPIRED = Direct(
    "token_expired",
    schemas.TokenExpiredSchema(),
    "The connection's token is good no more, and the connection is closed",
)

DIRECT = (
    REPLY_SENT,
    REPLY_ERROR,
    EDIT_ERROR,
    DELETE_ERROR,
    LEAVE_GROUP_SUCCESS,
    LEAVE_GROUP_ERROR,
    ERROR,
    SERVER_DRAINING,
    TOKEN_EXPIRING,
    TOKEN_EXPIRED,
)


def rows_by_event() -> dict[type[events.Event], tuple[Outgoing[Any], ...]]:
    """The rows each kind of event goes through, in the table's order."""
    kinds = dict.fromkeys(row.event for row in ROWS)
    return {kind: tuple(row for row in ROWS if row.event is kind) for kind in kinds}

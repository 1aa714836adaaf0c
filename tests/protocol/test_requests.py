"""What a client may say: each schema makes its command, and none is crashed by what does not belong."""

from __future__ import annotations

import contextlib
import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from chatapp.domain import commands
from chatapp.domain.calls import CallKind, Media
from chatapp.domain.errors import TooLarge
from chatapp.domain.models import Attachment, MessageType, Status
from chatapp.protocol import requests
from chatapp.protocol.fields import CONTENT_MAX_BYTES, CommandSchema, WireSchema
from chatapp.protocol.wire_json import WireJson

HERE = {"conversationId": "conv123", "userId": "user123"}
SEND = {"conversationId": "conv123", "senderId": "user123", "content": "hola"}
REPLY = {**SEND, "replyTo": "msg123"}
EDIT = {"messageId": "msg123", "newContent": "hola", "userId": "user123"}
JOIN = {"userId": "user123", "name": "Juan Pérez", "email": "juan@example.com"}
USER = {"id": "user123", "name": "Juan Pérez", "email": "juan@example.com"}
GROUP = {"name": "Mi Grupo", "participants": ["user1", "user2"], "createdBy": "user123"}
PAIR = {"type": "private", "participants": ["user1", "user2"], "createdBy": "user1"}

CALL = {"conversationId": "conv123", "clientCallId": "c1", "media": "audio"}
OFFER = {"type": "offer", "sdp": "v=0\r\n"}
CANDIDATE = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
SIGNAL = {"callId": "call1", "to": "p2"}

GOOD: list[tuple[type[WireSchema], dict[str, Any], Any]] = [
    (requests.HandshakeSchema, {"userId": "user123"}, {"user_id": "user123", "token": None}),
    (requests.HandshakeSchema, {"token": "x.y.z"}, {"user_id": None, "token": "x.y.z"}),
    (requests.RefreshTokenSchema, {"token": "x.y.z"}, commands.RefreshToken(token="x.y.z")),
    (requests.UserJoinSchema, JOIN, commands.JoinChat(actor_id="user123", name="Juan Pérez", email="juan@example.com")),
    (requests.UserLeaveSchema, {}, commands.LeaveChat()),
    (requests.UserLeaveSchema, {"userId": "user123"}, commands.LeaveChat(actor_id="user123")),
    (
        requests.UserStatusRequestSchema,
        {"userId": "user123", "status": "busy"},
        commands.SetStatus(actor_id="user123", status=Status.BUSY),
    ),
    (
        requests.SaveUserSchema,
        USER,
        commands.SaveUser(id="user123", name="Juan Pérez", email="juan@example.com", keep_avatar=True),
    ),
    (requests.RevokeTokensSchema, {}, commands.RevokeTokens()),
    (
        requests.RevokeTokensSchema,
        {"userId": "user123", "before": "2025-01-27T10:00:00.123999+05:30"},
        commands.RevokeTokens(user_id="user123", before=datetime(2025, 1, 27, 4, 30, 0, 123000, UTC)),
    ),
    (requests.ListUsersSchema, {}, commands.ListUsers(limit=500)),
    (
        requests.ListUsersSchema,
        {"q": "ju", "filial": "sucursal1", "limit": "1000", "cursor": "abc"},
        commands.ListUsers(q="ju", filial="sucursal1", limit=1000, cursor="abc"),
    ),
    (requests.PageSchema, {"limit": "500"}, commands.ListPage(limit=500)),
    (requests.JoinRoomSchema, HERE, commands.JoinRoom(conversation_id="conv123", actor_id="user123")),
    (requests.LeaveRoomSchema, HERE, commands.LeaveRoom(conversation_id="conv123", actor_id="user123")),
    (requests.MarkAsReadSchema, HERE, commands.MarkAsRead(conversation_id="conv123", actor_id="user123")),
    (
        requests.StopTypingSchema,
        {**HERE, "userName": "Juan"},
        commands.StopTyping(conversation_id="conv123", actor_id="user123"),
    ),
    (
        requests.StartTypingSchema,
        {**HERE, "userName": "Juan"},
        commands.StartTyping(conversation_id="conv123", actor_id="user123", user_name="Juan"),
    ),
    (
        requests.UpdateGroupBodySchema,
        {"name": "Otro", "userId": "user123"},
        commands.UpdateGroup(name="Otro", actor_id="user123", keep_description=True),
    ),
    (
        requests.UpdateGroupSchema,
        {"conversationId": "conv123", "description": None},
        commands.UpdateGroup(conversation_id="conv123", description=None),
    ),
    (requests.ChangesQuerySchema, {"since": "7"}, {"since": 7, "limit": 100, "user_id": None}),
    (requests.KnownConversationSchema, {"conversationId": "c1", "rev": 3}, {"conversation_id": "c1", "rev": 3}),
    (
        requests.SyncRequestSchema,
        {"conversations": [{"conversationId": id_, "rev": rev} for id_, rev in (("c1", 3), ("c2", 0), ("c1", 2))]},
        commands.Sync(conversations=(("c1", 2), ("c2", 0))),
    ),
    (requests.LeaveGroupSchema, HERE, commands.LeaveGroup(conversation_id="conv123", actor_id="user123")),
    (
        requests.SendMessageSchema,
        SEND,
        commands.SendMessage(conversation_id="conv123", actor_id="user123", content="hola"),
    ),
    (
        requests.SendReplySchema,
        REPLY,
        commands.SendReply(conversation_id="conv123", actor_id="user123", content="hola", reply_to="msg123"),
    ),
    (
        requests.EditMessageSchema,
        EDIT,
        commands.EditMessage(message_id="msg123", new_content="hola", actor_id="user123"),
    ),
    (
        requests.DeleteMessageSchema,
        {"messageId": "msg123", "userId": "user123"},
        commands.DeleteMessage(message_id="msg123", actor_id="user123"),
    ),
    (requests.HistoryQuerySchema, {}, {"limit": 100, "before": None, "after": None}),
    (requests.HistoryQuerySchema, {"limit": "500", "before": "7"}, {"limit": 500, "before": 7, "after": None}),
    (requests.FileLinksBodySchema, {"urls": ["/api/files/a.png"]}, {"urls": ("/api/files/a.png",)}),
    (
        requests.UploadFormSchema,
        {"conversationId": "conv123", "senderId": "user123", "replyTo": "", "content": ""},
        commands.UploadFile(conversation_id="conv123", actor_id="user123"),
    ),
    (
        requests.CreateGroupSchema,
        GROUP,
        commands.CreateConversation(actor_id="user123", name="Mi Grupo", participants=("user1", "user2")),
    ),
    (
        requests.CreateConversationSchema,
        PAIR,
        commands.CreateConversation(actor_id="user1", participants=("user1", "user2"), is_group=False),
    ),
    (
        requests.CreateConversationSchema,
        {**GROUP, "type": "group", "description": "d"},
        commands.CreateConversation(
            actor_id="user123", name="Mi Grupo", description="d", participants=("user1", "user2")
        ),
    ),
    (
        requests.ParticipantsBodySchema,
        {"participants": ["user1", "user2"]},
        {"participants": ("user1", "user2"), "actor_id": None, "user_id": None},
    ),
    (
        requests.ParticipantsBodySchema,
        {"userId": "user2", "addedBy": "user1"},
        {"participants": ("user2",), "actor_id": "user1", "user_id": "user2"},
    ),
    (
        requests.ParticipantsBodySchema,
        {"participants": ["user1", "user1"], "userId": "user2"},
        {"participants": ("user1", "user2"), "actor_id": None, "user_id": "user2"},
    ),
    (
        requests.AddUserToGroupSchema,
        {"conversationId": "conv123", "participants": ["user1"]},
        commands.AddParticipants(conversation_id="conv123", participants=("user1",)),
    ),
    (
        requests.AddUserToGroupSchema,
        {"conversationId": "conv123", "userId": "user2", "addedBy": "user1"},
        commands.AddParticipants(conversation_id="conv123", participants=("user2",), actor_id="user1"),
    ),
    (
        requests.CallStartSchema,
        {**CALL, "deviceId": "d1", "userId": "user123"},
        commands.StartCall(
            conversation_id="conv123",
            client_call_id="c1",
            media=CallKind.AUDIO,
            device_id="d1",
            actor_id="user123",
        ),
    ),
    (requests.CallAcceptSchema, {"callId": "call1"}, commands.AcceptCall(call_id="call1")),
    (
        requests.CallDeclineSchema,
        {"callId": "call1", "userId": "user123"},
        commands.DeclineCall(call_id="call1", actor_id="user123"),
    ),
    (requests.CallHangupSchema, {"callId": "call1"}, commands.HangUp(call_id="call1")),
    (
        requests.CallMediaSchema,
        {"callId": "call1", "audio": True, "video": False, "screen": True},
        commands.ShowMedia(call_id="call1", media=Media(audio=True, video=False, screen=True)),
    ),
    (
        requests.CallSignalSchema,
        {**SIGNAL, "description": OFFER},
        commands.SendSignal(call_id="call1", to="p2", signal={"description": OFFER}),
    ),
    (
        requests.CallSignalSchema,
        {**SIGNAL, "candidate": CANDIDATE},
        commands.SendSignal(
            call_id="call1",
            to="p2",
            signal={"candidate": {"candidate": CANDIDATE["candidate"], "sdp_mid": "0", "sdp_m_line_index": 0}},
        ),
    ),
    (
        requests.CallSignalSchema,
        {**SIGNAL, "candidate": None},
        commands.SendSignal(call_id="call1", to="p2", signal={"candidate": None}),
    ),
    (requests.DescriptionSchema, OFFER, OFFER),
    (
        requests.CandidateSchema,
        {**CANDIDATE, "usernameFragment": "abcd"},
        {
            "candidate": CANDIDATE["candidate"],
            "sdp_mid": "0",
            "sdp_m_line_index": 0,
            "username_fragment": "abcd",
        },
    ),
    (requests.RemoveParticipantQuerySchema, {}, {"removed_by": None}),
    (requests.RemoveParticipantQuerySchema, {"removedBy": "user1"}, {"removed_by": "user1"}),
    (requests.ReaderBodySchema, {"userId": "user1"}, {"user_id": "user1"}),
]
ABSTRACT = {WireSchema, CommandSchema, requests.ConversationEventSchema, requests.CallEventSchema}
SCHEMAS = sorted(
    (
        kind
        for _, kind in inspect.getmembers(requests, inspect.isclass)
        if issubclass(kind, WireSchema) and kind not in ABSTRACT
    ),
    key=lambda kind: kind.__name__,
)
OPEN = {requests.HandshakeSchema}
"""The only schema that lets unknown fields pass, as its docstring says."""


def refusal(schema: type[WireSchema], payload: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as refused:
        schema().load(payload)
    told = refused.value.normalized_messages()
    assert WireJson.loads(WireJson.dumps(told)) == told, "it cannot be told to the client"
    return told


@pytest.mark.parametrize(
    ("schema", "payload", "made"), GOOD, ids=[f"{schema.__name__}-{i}" for i, (schema, _, _) in enumerate(GOOD)]
)
def test_good_payload_makes_the_command(schema: type[WireSchema], payload: dict[str, Any], made: Any) -> None:
    loaded = schema().load(payload)
    assert loaded == made
    assert type(loaded) is type(made)


def test_every_schema_has_a_good_payload() -> None:
    assert {schema for schema, _, _ in GOOD} == set(SCHEMAS)


# ---------------------------------------------------------------- hostile, for every schema
@pytest.mark.parametrize("payload", [None, [], [{}], "x", "", 7, 1.5, True, float("nan")], ids=repr)
@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_what_is_no_object_is_refused(schema: type[WireSchema], payload: Any) -> None:
    assert refusal(schema, payload) == {"_schema": ["Invalid input type."]}


@pytest.mark.parametrize(("schema", "payload"), [row[:2] for row in GOOD], ids=[row[0].__name__ for row in GOOD])
def test_unknown_fields_are_refused(schema: type[WireSchema], payload: dict[str, Any]) -> None:
    if schema in OPEN:
        schema().load({**payload, "version": "x"})
    else:
        assert refusal(schema, {**payload, "isAdmin": "x"}) == {"isAdmin": ["Unknown field."]}
        assert "__class__" in refusal(schema, {**payload, "__class__": "x"})


DEEP: Any = "x"
for _ in range(400):
    DEEP = {"a": [DEEP]}
NEVER_GOOD: list[Any] = [1.5, [], [[]], [1], [None], {}, {"a": 1}, "\0", "a\0", "\ud800", DEEP]


@pytest.mark.parametrize("value", NEVER_GOOD, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize(("schema", "payload"), [row[:2] for row in GOOD], ids=[row[0].__name__ for row in GOOD])
def test_wrong_values_are_refused_in_every_field(schema: type[WireSchema], payload: dict[str, Any], value: Any) -> None:
    for field in schema().fields.values():
        if value == [] and type(field).__name__ == "Tags":
            continue  # no roles at all is a value of its own
        assert field.data_key in refusal(schema, {**payload, field.data_key: value})


@pytest.mark.parametrize("value", [0, 7, True, False], ids=repr)
@pytest.mark.parametrize(("schema", "payload"), [row[:2] for row in GOOD], ids=[row[0].__name__ for row in GOOD])
def test_numbers_and_booleans_are_no_ids(schema: type[WireSchema], payload: dict[str, Any], value: Any) -> None:
    for field in schema().fields.values():
        if type(field).__name__ in ("Id", "Name", "Text", "Email", "Content", "Members", "Tags"):
            assert field.data_key in refusal(schema, {**payload, field.data_key: value})


NAMES = sorted({field.data_key or "" for schema in SCHEMAS for field in schema().fields.values()})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(payload=ANYTHING | st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=6))
def test_no_payload_crashes_a_schema(payload: Any) -> None:
    for schema in SCHEMAS:
        with contextlib.suppress(ValidationError, TooLarge):
            schema().load(payload)


# ---------------------------------------------------------------- nulls
@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        (requests.UserJoinSchema, {**JOIN, "roles": None, "filials": None, "avatar": None}),
        (requests.SaveUserSchema, {**USER, "id": None, "roles": None, "filials": None, "avatar": None}),
        (requests.SendMessageSchema, {**SEND, "recipientId": None, "fileUrl": None, "fileName": None}),
        (requests.SendMessageSchema, {**SEND, "fileSize": None, "fileType": None, "replyTo": None}),
        (requests.SendMessageSchema, {**SEND, "clientMessageId": None}),
        (requests.CreateGroupSchema, {**GROUP, "description": None}),
        (requests.CreateConversationSchema, {**PAIR, "name": None, "description": None}),
        (requests.StartTypingSchema, {**HERE, "userName": None}),
        (requests.HandshakeSchema, {"userId": None}),
        (requests.RevokeTokensSchema, {"userId": None, "before": None}),
    ],
)
def test_null_is_absent_where_a_field_is_optional(schema: type[WireSchema], payload: dict[str, Any]) -> None:
    schema().load(payload)


@pytest.mark.parametrize(("schema", "payload"), [row[:2] for row in GOOD], ids=[row[0].__name__ for row in GOOD])
def test_required_fields_are_required_and_not_null(schema: type[WireSchema], payload: dict[str, Any]) -> None:
    for field in schema().fields.values():
        if field.required:
            name = field.data_key or ""
            assert name in refusal(schema, {**payload, name: None})
            assert name in refusal(schema, {key: payload[key] for key in payload if key != name})


# ---------------------------------------------------------------- users
def test_first_front_end_posts_its_whole_user() -> None:
    whole = {
        **USER,
        "roles": ["user"],
        "filials": [],
        "avatar": None,
        "status": "online",
        "lastSeen": "2024-01-01T00:00:00.000Z",
        "isActive": True,
        "isOnline": True,
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }
    assert requests.SaveUserSchema().load(whole) == commands.SaveUser(
        id="user123",
        name="Juan Pérez",
        email="juan@example.com",
        roles=("user",),
        filials=(),
        avatar=None,
        keep_avatar=False,
    )


def test_avatar_is_kept_only_when_it_is_not_mentioned() -> None:
    assert requests.SaveUserSchema().load(USER).keep_avatar is True
    assert requests.SaveUserSchema().load({**USER, "avatar": None}).keep_avatar is False


def test_user_without_id_gets_one_later() -> None:
    assert requests.SaveUserSchema().load({"name": "Ana", "email": "ana@example.com"}).id is None


@pytest.mark.parametrize("status", ["online", "offline", "away", "busy"])
def test_statuses(status: str) -> None:
    assert requests.UserStatusRequestSchema().load({"status": status}).status is Status(status)


@pytest.mark.parametrize("status", ["", "ONLINE", "invisible", "Status.ONLINE"])
def test_unknown_statuses_are_refused(status: str) -> None:
    assert "status" in refusal(requests.UserStatusRequestSchema, {"status": status})


@pytest.mark.parametrize(("schema", "most"), [(requests.ListUsersSchema, 1000), (requests.PageSchema, 500)])
def test_pages_have_bounds(schema: type[WireSchema], most: int) -> None:
    for limit in ("0", "-1", str(most + 1), "1.5", "", "x"):
        assert "limit" in refusal(schema, {"limit": limit})


# ---------------------------------------------------------------- messages
def test_file_message_has_its_file() -> None:
    payload = {
        **SEND,
        "content": "",
        "messageType": "file",
        "fileUrl": "/api/files/a.pdf",
        "fileName": "a.pdf",
        "fileSize": 12,
        "fileType": "application/pdf",
    }
    command = requests.SendMessageSchema().load(payload)
    assert command.message_type is MessageType.FILE
    assert command.attachment == Attachment("/api/files/a.pdf", "a.pdf", 12, "application/pdf")


@pytest.mark.parametrize("kind", ["file", "audio"])
@pytest.mark.parametrize("absent", [{}, {"fileUrl": None}])
def test_file_and_audio_need_a_url(kind: str, absent: dict[str, Any]) -> None:
    assert "fileUrl" in refusal(requests.SendMessageSchema, {**SEND, "messageType": kind, **absent})


@pytest.mark.parametrize("url", ["/api/files/a.png", "/uploads/a.png", "https://cdn.example/a.png", "http://x/a"])
def test_file_urls(url: str) -> None:
    command = requests.SendMessageSchema().load({**SEND, "messageType": "file", "fileUrl": url})
    assert command.attachment.url == url


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/a", " /api/files/a", "file:///etc/passwd", ""]
)
def test_file_urls_that_a_careless_client_would_run_are_refused(url: str) -> None:
    assert "fileUrl" in refusal(requests.SendMessageSchema, {**SEND, "messageType": "file", "fileUrl": url})


@pytest.mark.parametrize("content", ["", " ", "\n\t", "\u3000", None])
@pytest.mark.parametrize("schema", [requests.SendMessageSchema, requests.SendReplySchema])
def test_text_message_is_not_blank(schema: type[WireSchema], content: Any) -> None:
    assert "content" in refusal(schema, {**(REPLY if schema is requests.SendReplySchema else SEND), "content": content})


@pytest.mark.parametrize("content", ["", " \n"])
def test_edit_is_not_blank(content: str) -> None:
    assert "newContent" in refusal(requests.EditMessageSchema, {**EDIT, "newContent": content})


@pytest.mark.parametrize(
    ("schema", "payload", "name"),
    [
        (requests.SendMessageSchema, SEND, "content"),
        (requests.SendReplySchema, REPLY, "content"),
        (requests.EditMessageSchema, EDIT, "newContent"),
        (requests.UploadFormSchema, {}, "content"),
    ],
)
def test_content_over_16_kb_is_too_large(schema: type[WireSchema], payload: dict[str, Any], name: str) -> None:
    schema().load({**payload, name: "é" * (CONTENT_MAX_BYTES // 2)})
    with pytest.raises(TooLarge) as refused:
        schema().load({**payload, name: "é" * (CONTENT_MAX_BYTES // 2) + "e"})
    assert refused.value.details == {"field": name, "maxBytes": 16384}


def test_recipient_of_a_group_message_may_be_empty() -> None:
    assert requests.SendMessageSchema().load({**SEND, "recipientId": ""}).recipient_id is None


def test_message_with_reply_to_is_a_reply() -> None:
    assert requests.SendMessageSchema().load(REPLY).reply_to == "msg123"


@pytest.mark.parametrize("kind", ["", "TEXT", "video", "image"])
def test_unknown_message_types_are_refused(kind: str) -> None:
    assert "messageType" in refusal(requests.SendMessageSchema, {**SEND, "messageType": kind})


def test_history_reads_to_one_side() -> None:
    assert "before" in refusal(requests.HistoryQuerySchema, {"before": "1", "after": "1"})
    for name in ("limit", "before", "after"):
        for value in ("-1", "1.5", "x", "", str(2**63)):
            assert name in refusal(requests.HistoryQuerySchema, {name: value})


def test_empty_fields_of_a_form_were_not_filled_in() -> None:
    assert requests.UploadFormSchema().load(dict.fromkeys(["conversationId", "senderId"], "")) == commands.UploadFile()


# ---------------------------------------------------------------- calls
@pytest.mark.parametrize("given", [{}, {"description": OFFER, "candidate": CANDIDATE}])
def test_a_signal_is_a_description_or_a_candidate(given: dict[str, Any]) -> None:
    assert "description" in refusal(requests.CallSignalSchema, {**SIGNAL, **given})


def test_signals_have_bounds() -> None:
    sdp = "x" * (32 * 1024)
    requests.CallSignalSchema().load({**SIGNAL, "description": {**OFFER, "sdp": sdp}})
    assert "description" in refusal(requests.CallSignalSchema, {**SIGNAL, "description": {**OFFER, "sdp": sdp + "x"}})
    assert "candidate" in refusal(requests.CallSignalSchema, {**SIGNAL, "candidate": {"candidate": "x" * 2049}})
    assert "candidate" in refusal(requests.CallSignalSchema, {**SIGNAL, "candidate": {**CANDIDATE, "url": "x"}})


@pytest.mark.parametrize("kind", ["", "text", "AUDIO", "screen"])
def test_calls_are_of_two_kinds(kind: str) -> None:
    assert "media" in refusal(requests.CallStartSchema, {**CALL, "media": kind})


def test_a_message_of_a_call_is_the_servers_to_write() -> None:
    assert "messageType" in refusal(requests.SendMessageSchema, {**SEND, "messageType": "call"})


# ---------------------------------------------------------------- conversations
@pytest.mark.parametrize("name", [None, "", "  ", "\n"])
def test_group_needs_a_name(name: str | None) -> None:
    group = {**GROUP, "name": name}
    assert "name" in refusal(requests.CreateConversationSchema, {**group, "type": "group"})
    assert "name" in refusal(requests.CreateGroupSchema, group)


@pytest.mark.parametrize("kind", ["", "Group", "channel"])
def test_unknown_conversation_types_are_refused(kind: str) -> None:
    assert "type" in refusal(requests.CreateConversationSchema, {**GROUP, "type": kind})


@pytest.mark.parametrize("payload", [{}, {"addedBy": "user1"}])
def test_somebody_must_be_added(payload: dict[str, Any]) -> None:
    assert "participants" in refusal(requests.ParticipantsBodySchema, payload)
    assert "participants" in refusal(requests.AddUserToGroupSchema, {"conversationId": "conv123", **payload})


@pytest.mark.parametrize(
    "moment",
    [
        "2025-01-27T10:00:00",
        "2025-01-27",
        "now",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        1737972000,
    ],
)
def test_a_moment_needs_its_zone_and_a_place_in_utc(moment: object) -> None:
    assert "before" in refusal(requests.RevokeTokensSchema, {"before": moment})

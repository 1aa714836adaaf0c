"""What is told of each happening: ``{event, data, timestamp}``, as the API document has it.

One table: the schema of each type's ``data``. It is the shape that REST and sockets show of the same thing.
"""

from __future__ import annotations

from datetime import datetime

import orjson
from marshmallow import fields

from chatapp.domain.happenings import EventType, Happening
from chatapp.protocol import schemas
from chatapp.protocol.fields import Time, WireSchema, wire_time


class CallEndedSchema(WireSchema):
    call_id = fields.String(required=True)
    conversation_id = fields.String(required=True)
    started_by = fields.String(required=True)
    participants = fields.List(fields.String(), required=True)
    reason = fields.String(required=True)
    started_at = Time(required=True)
    ended_at = Time(required=True)
    duration_ms = fields.Integer(required=True)


class WebhookTestSchema(WireSchema):
    endpoint_id = fields.String(required=True)
    url = fields.String(required=True)


SCHEMAS: dict[EventType, WireSchema] = {
    EventType.USER_CREATED: schemas.UserSchema(),
    EventType.CONVERSATION_CREATED: schemas.ConversationSchema(),
    EventType.PARTICIPANTS_CHANGED: schemas.ParticipantsUpdatedSchema(),
    EventType.MESSAGE_SENT: schemas.MessageSchema(),
    EventType.MESSAGE_EDITED: schemas.MessageSchema(),
    EventType.MESSAGE_DELETED: schemas.MessageDeletedSchema(),
    EventType.MESSAGE_READ: schemas.MessagesReadSchema(),
    EventType.FILE_UPLOADED: schemas.UploadedSchema(),
    EventType.CALL_ENDED: CallEndedSchema(),
    EventType.TEST: WebhookTestSchema(),
}


def render(happening: Happening, at: datetime) -> str:
    """The body, as it is stored and sent."""
    data = SCHEMAS[happening.type].dump(happening.data)
    return orjson.dumps({"event": happening.type.value, "data": data, "timestamp": wire_time(at)}).decode()

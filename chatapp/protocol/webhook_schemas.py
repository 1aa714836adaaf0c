"""Webhooks as REST shows and takes them."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from chatapp.domain import commands
from chatapp.domain.happenings import TOLD, EventType
from chatapp.domain.webhooks import Backlog, Endpoint, EventPage, Outcome
from chatapp.protocol.fields import (
    URL_MAX_CHARS,
    CommandSchema,
    Count,
    Flag,
    Id,
    Moment,
    OneOf,
    Several,
    Text,
    Time,
    WireSchema,
)
from chatapp.protocol.wire_json import WireJson

EVENT_TYPES = [kind.value for kind in TOLD]
DESCRIPTION_MAX_CHARS = 200
REPLAY_IDS_MAX = 500
CURSOR_MAX_CHARS = 1000

ALL = "Empty: all of them"


# ---------------------------------------------------------------- what is shown
class BacklogSchema(WireSchema):
    lanes = fields.Integer(required=True, metadata={"description": "Conversations and the like in which events wait"})
    oldest_at = Time(required=True, allow_none=True, metadata={"description": "Since when the oldest of them waits"})


class WebhookSchema(WireSchema):
    id = fields.String(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True)
    event_types = fields.List(fields.String(), required=True, metadata={"description": ALL})
    enabled = fields.Boolean(required=True)
    disabled_reason = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "by_hand, gone (it answered 410) or failing (it took nothing for 76 hours)"},
    )
    public_keys = fields.List(
        fields.String(), required=True, metadata={"description": "For v1a signatures, the newest first"}
    )
    created_at = Time(required=True)
    updated_at = Time(required=True)
    last_success_at = Time(required=True, allow_none=True, metadata={"description": "To a minute or so"})


class WebhookDetailsSchema(WebhookSchema):
    backlog = fields.Nested(BacklogSchema, required=True)


class WebhookWithSecretSchema(WebhookSchema):
    secret = fields.String(
        required=True, metadata={"description": "For v1 signatures: whsec_…; nobody is shown it again"}
    )


class WebhooksSchema(WireSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


class DeliverySchema(WireSchema):
    """One try."""

    id = fields.String(required=True)
    event_id = fields.String(required=True, metadata={"description": "The header webhook-id"})
    event_type = fields.Enum(EventType, by_value=True, required=True)
    attempt = fields.Integer(required=True)
    at = Time(required=True)
    outcome = fields.Enum(
        Outcome, by_value=True, required=True, metadata={"description": "failed is tried again, exhausted is not"}
    )
    status = fields.Integer(required=True, allow_none=True, metadata={"description": "Null when there was no answer"})
    error = fields.String(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True)
    next_attempt_at = Time(required=True, allow_none=True)


class DeliveriesSchema(WireSchema):
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)


class ReplayedSchema(WireSchema):
    events = fields.Integer(required=True, metadata={"description": "How many are told again"})


class EventSchema(WireSchema):
    id = fields.String(required=True)
    event = fields.String(required=True, validate=validate.OneOf(EVENT_TYPES))
    data = fields.Dict(required=True, metadata={"description": "As in the webhook's body"})
    timestamp = fields.String(required=True, metadata={"format": "date-time"})


class EventsSchema(WireSchema):
    events = fields.List(fields.Nested(EventSchema), required=True)
    cursor = fields.String(required=True, metadata={"description": "Ask for what came `after` it next time"})
    has_more = fields.Boolean(required=True)


def webhook_view(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": [kind.value for kind in endpoint.event_types],
        "enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled.value if endpoint.disabled else None,
        "public_keys": [keys.public_key for keys in endpoint.keys],
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "last_success_at": endpoint.last_success_at,
    }


def details_view(endpoint: Endpoint, backlog: Backlog) -> dict[str, Any]:
    return {**webhook_view(endpoint), "backlog": backlog}


def secret_view(endpoint: Endpoint) -> dict[str, Any]:
    """Only right after its keys were made."""
    return {**webhook_view(endpoint), "secret": endpoint.keys[0].secret}


def events_view(page: EventPage) -> dict[str, Any]:
    events = [{"id": event.id, **WireJson.loads(event.body)} for event in page.events]
    return {"events": events, "cursor": page.cursor, "has_more": page.more}


# ---------------------------------------------------------------- what is asked for
class _EventTypes(Several):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(OneOf(EVENT_TYPES), max_items=len(EVENT_TYPES), **kwargs)


class CreateWebhookSchema(CommandSchema):
    command = commands.CreateWebhook

    url = Text(min_chars=1, max_chars=URL_MAX_CHARS, required=True)
    description = Text(max_chars=DESCRIPTION_MAX_CHARS)
    event_types = _EventTypes(metadata={"description": ALL})

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return _with_types(data)


class ChangeWebhookSchema(CommandSchema):
    """What is not mentioned stays."""

    command = commands.ChangeWebhook

    url = Text(min_chars=1, max_chars=URL_MAX_CHARS)
    description = Text(max_chars=DESCRIPTION_MAX_CHARS)
    event_types = _EventTypes(metadata={"description": ALL})
    enabled = Flag()

    def prepare(self, data: dict[str, Any]) -> dict[str, Any]:
        return _with_types(data)


class ReplaySchema(CommandSchema):
    """Either ``ids``, or ``from`` and perhaps ``to``."""

    command = commands.ReplayEvents

    event_ids = Several(Id(), min_items=1, max_items=REPLAY_IDS_MAX, data_key="ids")
    first = Moment(data_key="from")
    last = Moment(data_key="to", metadata={"description": "Without it: now"})

    def check(self, data: dict[str, Any]) -> None:
        if ("event_ids" in data) == ("first" in data) or ("event_ids" in data and "last" in data):
            raise ValidationError({"ids": ["either_ids_or_from"]})


class EventsQuerySchema(CommandSchema):
    command = commands.ReadEvents

    after = Text(min_chars=1, max_chars=CURSOR_MAX_CHARS)
    limit = Count(minimum=1, maximum=500, load_default=100)


def _with_types(data: dict[str, Any]) -> dict[str, Any]:
    if "event_types" in data:
        data = {**data, "event_types": tuple(dict.fromkeys(map(EventType, data["event_types"])))}
    return data

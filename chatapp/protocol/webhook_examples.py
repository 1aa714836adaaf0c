"""Examples of webhooks, for the descriptions and for tests that check them."""

from __future__ import annotations

from chatapp.protocol.examples import FOUNDED, MESSAGE, SENT, Example

_ID = "01948a1c-7a00-7c3e-8f21-5b0c9d3e4f10"
EVENT_ID = "evt_01948a1c7a007c3e8f215b0c9d3e4f10"

CREATE: Example = {
    "url": "https://intranet.example.com/chat",
    "description": "Intranet",
    "eventTypes": ["message.sent", "user.created"],
}
WEBHOOK: Example = {
    "id": _ID,
    **CREATE,
    "enabled": True,
    "disabledReason": None,
    "publicKeys": ["whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="],
    "createdAt": FOUNDED,
    "updatedAt": FOUNDED,
    "lastSuccessAt": SENT,
}
CREATED: Example = {
    **WEBHOOK,
    "lastSuccessAt": None,
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
}
DETAILS: Example = {**WEBHOOK, "backlog": {"lanes": 0, "oldestAt": None}}
DELIVERY: Example = {
    "id": "01948a1c-7b00-7000-8000-000000000001",
    "eventId": EVENT_ID,
    "eventType": "message.sent",
    "attempt": 1,
    "at": SENT,
    "outcome": "delivered",
    "status": 204,
    "error": None,
    "durationMs": 38,
    "nextAttemptAt": None,
}
TESTED: Example = {**DELIVERY, "eventType": "webhook.test"}
REPLAY: Example = {"from": FOUNDED, "to": SENT}
EVENTS: Example = {
    "events": [{"id": EVENT_ID, "event": "message.sent", "data": MESSAGE, "timestamp": SENT}],
    "cursor": "WzQyXQ==",
    "hasMore": False,
}

"""The examples are what our own schemas take and say."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.protocol import examples, incoming, outgoing, requests, schemas, webhook_examples, webhook_schemas
from chatapp.protocol.asyncapi import said_key
from chatapp.protocol.fields import WireSchema

SAID: list[tuple[str, Any, WireSchema]] = [
    ("USER", examples.USER, schemas.UserSchema()),
    ("CONVERSATION", examples.CONVERSATION, schemas.ConversationSchema()),
    ("NEW_GROUP", examples.NEW_GROUP, schemas.ConversationSchema()),
    ("INBOX_ENTRY", examples.INBOX_ENTRY, schemas.InboxEntrySchema()),
    ("MESSAGE", examples.MESSAGE, schemas.MessageSchema()),
    ("REPLY", examples.REPLY, schemas.MessageSchema()),
    ("CALL_MESSAGE", examples.CALL_MESSAGE, schemas.MessageSchema()),
    ("CALL", examples.CALL, schemas.CallSchema()),
    ("REPLIES", examples.REPLIES, schemas.RepliesSchema()),
    ("MESSAGE_WITH_REPLIES", examples.MESSAGE_WITH_REPLIES, schemas.MessageWithRepliesSchema()),
    ("UPLOADED", examples.UPLOADED, schemas.UploadedSchema()),
    ("LINKS", examples.LINKS, schemas.FileLinksSchema()),
    ("WEBHOOK", webhook_examples.WEBHOOK, webhook_schemas.WebhookSchema()),
    ("WEBHOOK CREATED", webhook_examples.CREATED, webhook_schemas.WebhookWithSecretSchema()),
    ("WEBHOOK DETAILS", webhook_examples.DETAILS, webhook_schemas.WebhookDetailsSchema()),
    ("WEBHOOK DELIVERY", webhook_examples.DELIVERY, webhook_schemas.DeliverySchema()),
    ("EVENTS", webhook_examples.EVENTS, webhook_schemas.EventsSchema()),
    ("ERROR", examples.ERROR, schemas.HttpErrorSchema()),
    *(
        (row.name, examples.EVENT_EXAMPLES[said_key(row.name)], row.schema)
        for row in (*outgoing.ROWS, *outgoing.DIRECT)
    ),
]
ASKED: list[tuple[str, Any, WireSchema]] = [
    ("CREATE_USER", examples.CREATE_USER, requests.SaveUserSchema()),
    ("CREATE_CONVERSATION", examples.CREATE_CONVERSATION, requests.CreateConversationSchema()),
    ("ASK_FOR_LINKS", examples.ASK_FOR_LINKS, requests.FileLinksBodySchema()),
    ("CREATE_WEBHOOK", webhook_examples.CREATE, webhook_schemas.CreateWebhookSchema()),
    ("REPLAY", webhook_examples.REPLAY, webhook_schemas.ReplaySchema()),
    ("CREATE_GROUP", examples.CREATE_GROUP, requests.CreateConversationSchema()),
    *((row.name, examples.EVENT_EXAMPLES[row.name], row.schema) for row in incoming.ROWS),
]


@pytest.mark.parametrize(("example", "schema"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_example_of_a_request_is_taken(example: dict[str, Any], schema: WireSchema) -> None:
    schema.load(example)


@pytest.mark.parametrize(("example", "schema"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_example_of_an_answer_is_what_the_schema_says(example: dict[str, Any], schema: WireSchema) -> None:
    assert schema.dump(schema.load(example)) == example


@pytest.mark.parametrize(("example", "schema"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_example_of_an_answer_has_every_field(example: dict[str, Any], schema: WireSchema) -> None:
    optional = {field.data_key for field in schema.fields.values() if not field.required}
    assert {field.data_key for field in schema.fields.values()} - optional <= set(example)


def test_every_event_has_an_example_of_its_own() -> None:
    asked = [row.name for row in incoming.ROWS]
    said = {said_key(row.name) for row in (*outgoing.ROWS, *outgoing.DIRECT)}
    assert len({*asked, *said}) == len(asked) + len(said)
    assert set(examples.EVENT_EXAMPLES) == {*asked, *said}

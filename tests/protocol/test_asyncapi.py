"""The sockets' description: all of both tables, and true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chatapp.protocol import incoming, outgoing, requests, schemas
from chatapp.protocol.asyncapi import asyncapi_document, said_key
from chatapp.protocol.examples import EVENT_EXAMPLES
from chatapp.protocol.fields import WireSchema
from chatapp.protocol.json_schemas import JsonSchemas

DOCUMENT = asyncapi_document(
    title="chatapp", version="1.2.3", server_url="https://chat.example:8443/base/", socket_path="/socket.io"
)
ASKED = [row.name for row in incoming.ROWS]
SAID = list(dict.fromkeys(said_key(row.name) for row in (*outgoing.ROWS, *outgoing.DIRECT)))
"""One name may stand for several things that happen, and for what a client says too."""
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return resolve(found["$ref"]) if isinstance(found, dict) and set(found) == {"$ref"} else found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from references(child)


def validator(payload: dict[str, Any]) -> Draft202012Validator:
    """The message's payload schema, with the document's components beside it."""
    return Draft202012Validator({**payload, "components": {"schemas": SCHEMAS}})


def names(messages: list[dict[str, str]]) -> list[str]:
    return [reference["$ref"].rpartition("/")[2] for reference in messages]


# ---------------------------------------------------------------- the document
def test_head() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("chatapp", "1.2.3")
    server = DOCUMENT["servers"]["default"]
    assert (server["host"], server["pathname"]) == ("chat.example:8443", "/base/socket.io")
    assert server["protocol"] == "wss"
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == ["/"]


def test_plain_server_is_plain_websocket() -> None:
    document = asyncapi_document(title="t", version="1", server_url="http://localhost:3000", socket_path="/ws")
    server = document["servers"]["default"]
    assert (server["protocol"], server["host"], server["pathname"]) == ("ws", "localhost:3000", "/ws")


def test_every_row_is_an_operation_once() -> None:
    operations = DOCUMENT["operations"]
    assert [name for name, operation in operations.items() if operation["action"] == "receive"] == ASKED
    assert [name for name, operation in operations.items() if operation["action"] == "send"] == SAID
    for name, operation in operations.items():
        assert names(operation["messages"]) == [name]
        assert operation["summary"]


def test_an_event_that_goes_both_ways_has_an_operation_for_each() -> None:
    for name in ("call_signal", "call_media"):
        asked, said = DOCUMENT["operations"][name], DOCUMENT["operations"][f"{name}_event"]
        assert (asked["title"], said["title"]) == (name, name)
        assert {MESSAGES[name]["name"], MESSAGES[f"{name}_event"]["name"]} == {name}


def test_every_client_event_has_an_acknowledgement() -> None:
    for name in ASKED:
        reply = DOCUMENT["operations"][name]["reply"]
        assert names(reply["messages"]) == [f"{name}_ack"]
        assert reply["channel"] == DOCUMENT["operations"][name]["channel"]


def test_operations_say_what_else_they_do() -> None:
    said = {name: DOCUMENT["operations"][name].get("description", "") for name in ASKED}
    assert "Counts against the messages limit." in said["send_message"]
    assert "`reply_sent_success`" in said["send_reply"]
    assert "`reply_error`" in said["send_reply"]
    assert "before anybody has joined" in said["user_join"]
    assert said["mark_messages_as_read"] == ""


def test_messages_are_all_of_the_channel() -> None:
    acknowledgements = [f"{name}_ack" for name in ASKED]
    assert list(MESSAGES) == [*ASKED, *acknowledgements, *SAID]
    channel = DOCUMENT["channels"]["default"]["messages"]
    assert {name: resolve(reference["$ref"]) for name, reference in channel.items()} == MESSAGES


def test_every_reference_resolves() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert reference.startswith("#/")
        resolve(reference)


def test_no_schema_stands_there_for_nothing() -> None:
    used = {reference.rpartition("/")[2] for reference in references(DOCUMENT) if "/schemas/" in reference}
    assert used == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_json_schema_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["additionalProperties"] is False


# ---------------------------------------------------------------- examples and payloads
@pytest.mark.parametrize("name", [*ASKED, *SAID])
def test_example_is_valid(name: str) -> None:
    message = MESSAGES[name]
    (example,) = message["examples"]
    assert example["payload"] == EVENT_EXAMPLES[name]
    check = validator(message["payload"])
    check.validate(example["payload"])
    assert not check.is_valid({**example["payload"], "surplus": 1})


@pytest.mark.parametrize("name", SAID)
def test_what_the_server_says_is_said_whole(name: str) -> None:
    schema = resolve(MESSAGES[name]["payload"]["$ref"])
    optional = {"retryAfterMs"} if name == "error" else set()
    assert set(schema["required"]) == set(schema["properties"]) - optional


@pytest.mark.parametrize("name", ASKED)
def test_acknowledgements_are_ok_with_data_or_not_ok_with_an_error(name: str) -> None:
    check = validator(MESSAGES[f"{name}_ack"]["payload"])
    error = {"code": "rate_limited", "message": "Espere", "details": {"limit": "messages"}}
    check.validate({"ok": False, "error": error})
    check.validate({"ok": False, "error": {**error, "retryAfterMs": 1500}})
    for wrong in ({}, None, {"ok": True}, {"ok": False}, {"ok": True, "error": error}, {"ok": False, "data": None}):
        assert not check.is_valid(wrong)
    row = incoming.BY_NAME[name]
    assert check.is_valid({"ok": True, "data": None}) is (row.result is None)


def test_acknowledged_data_has_its_shape() -> None:
    message = EVENT_EXAMPLES["message_received"]
    check = validator(MESSAGES["send_message_ack"]["payload"])
    check.validate({"ok": True, "data": message})
    assert not check.is_valid({"ok": True, "data": {"id": "msg123"}})


# ---------------------------------------------------------------- the conversion
def json_schema(schema: WireSchema) -> dict[str, Any]:
    made = JsonSchemas()
    name = made.reference(schema)["$ref"].rpartition("/")[2]
    return made.components[name]


def test_our_fields_say_what_they_refuse() -> None:
    said = json_schema(requests.SendMessageSchema())["properties"]
    assert said["conversationId"]["type"] == "string"
    assert (said["conversationId"]["minLength"], said["conversationId"]["maxLength"]) == (1, 128)
    assert said["content"]["maxLength"] == 16384
    assert said["fileSize"]["type"] == ["integer", "null"]
    assert (said["fileSize"]["minimum"], said["fileSize"]["maximum"]) == (0, 2**63 - 1)
    assert said["messageType"]["enum"] == ["text", "file", "audio"]
    members = json_schema(requests.CreateGroupSchema())["properties"]["participants"]
    assert (members["type"], members["minItems"], members["maxItems"]) == ("array", 1, 5000)
    assert members["items"]["maxLength"] == 128
    tags = json_schema(requests.UserJoinSchema())["properties"]["roles"]
    assert (tags["type"], tags["maxItems"]) == (["array", "null"], 100)
    assert json_schema(requests.UserJoinSchema())["properties"]["email"]["format"] == "email"


def test_answers_have_dates_enumerations_and_nulls() -> None:
    said = json_schema(schemas.MessageSchema())["properties"]
    assert said["timestamp"] == {"type": "string", "format": "date-time"}
    assert said["editedAt"] == {"type": ["string", "null"], "format": "date-time"}
    assert said["messageType"] == {"type": "string", "enum": ["text", "file", "audio", "call"]}
    assert said["sender"] == {"$ref": "#/components/schemas/Sender"}


@pytest.mark.parametrize("value", ["a\0b", "", "  ", "\0", "x" * 129])
def test_pattern_refuses_what_the_field_refuses(value: str) -> None:
    check = Draft202012Validator(json_schema(requests.JoinRoomSchema()))
    assert check.is_valid({"conversationId": " a\nb "})
    assert not check.is_valid({"conversationId": value})


def test_a_schema_asked_for_twice_stands_once() -> None:
    made = JsonSchemas()
    assert made.reference(schemas.UserSchema()) == made.reference(schemas.UserSchema())
    assert list(made.components) == ["User"]

"""The sockets' description, made from the two tables: AsyncAPI 3.0.0, what OpenAPI is for REST."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from chatapp.protocol.examples import EVENT_EXAMPLES
from chatapp.protocol.incoming import BY_NAME, Incoming
from chatapp.protocol.incoming import ROWS as INCOMING
from chatapp.protocol.json_schemas import JsonSchema, JsonSchemas
from chatapp.protocol.outgoing import DIRECT, Direct, Outgoing
from chatapp.protocol.outgoing import ROWS as BROADCAST
from chatapp.protocol.schemas import FailureSchema

OUTGOING: tuple[Outgoing[Any] | Direct, ...] = (*BROADCAST, *DIRECT)

CHANNEL = "default"
ABOUT = """\
Every event takes one object and an optional acknowledgement: `{ok: true, data}` or `{ok: false, error}`. Without an
acknowledgement a failure arrives as the event `error`. One client's events are handled in the order sent. Times are
UTC, `2025-01-27T10:00:00.000Z`; absent values are `null`, never missing."""
CONNECTING = """\
Connect with socket.io-client 4 (Engine.IO 4), by WebSocket or polling. `auth: {userId}` says who it is. A client that
can take up a lost connection gets one more argument with each event, a string: the offset."""


def asyncapi_document(*, title: str, version: str, server_url: str, socket_path: str) -> dict[str, Any]:
    """``server_url`` is the server's base, like ``http://localhost:3000``; ``socket_path`` is ``SOCKET_PATH``."""
    schemas = JsonSchemas()
    messages = {
        **{row.name: _message(row.name, row, schemas) for row in INCOMING},
        **{_ack(row): _acknowledgement(row, schemas) for row in INCOMING},
        **{said_key(row.name): _message(said_key(row.name), row, schemas) for row in OUTGOING},
    }
    refusal = _refusal(schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {CHANNEL: _server(server_url, socket_path)},
        "channels": {
            CHANNEL: {
                "address": "/",
                "title": "The default namespace",
                "description": CONNECTING,
                "messages": {name: _reference("components", "messages", name) for name in messages},
            }
        },
        "operations": {
            **{row.name: _received(row) for row in INCOMING},
            **{said_key(row.name): _sent(row) for row in OUTGOING},
        },
        "components": {"schemas": {**schemas.components, "Refusal": refusal}, "messages": messages},
    }


def _server(server_url: str, socket_path: str) -> dict[str, Any]:
    parts = urlsplit(server_url)
    return {
        "host": parts.netloc,
        "protocol": "wss" if parts.scheme in ("https", "wss") else "ws",
        "protocolVersion": "13",
        "pathname": parts.path.rstrip("/") + socket_path,
        "description": "Socket.IO 4 over Engine.IO 4; polling goes to the same path",
    }


# ---------------------------------------------------------------- operations
def _received(row: Incoming) -> dict[str, Any]:
    """What the client sends, and the acknowledgement it may ask for."""
    return {
        "action": "receive",
        "channel": _reference("channels", CHANNEL),
        "title": row.name,
        "summary": row.summary,
        **({"description": _consequences(row)} if _consequences(row) else {}),
        "messages": [_of_channel(row.name)],
        "reply": {"channel": _reference("channels", CHANNEL), "messages": [_of_channel(_ack(row))]},
    }


def _consequences(row: Incoming) -> str:
    said = (
        "May come before anybody has joined." if row.identifies else "",
        f"Counts against the {row.limit} limit." if row.limit else "",
        f"The sender also gets `{row.success.name}`." if row.success else "",
        f"On failure the sender also gets `{row.failure.name}`." if row.failure else "",
    )
    return " ".join(sentence for sentence in said if sentence)


def _sent(row: Outgoing[Any] | Direct) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": _reference("channels", CHANNEL),
        "title": row.name,
        "summary": row.summary,
        "messages": [_of_channel(said_key(row.name))],
    }


# ---------------------------------------------------------------- messages
def said_key(name: str) -> str:
    """Under which name the document has what the server says: some events go both ways by one name."""
    return f"{name}_event" if name in BY_NAME else name


def _message(key: str, row: Incoming | Outgoing[Any] | Direct, schemas: JsonSchemas) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.name,
        "summary": row.summary,
        "payload": schemas.reference(row.schema),
        "examples": [{"name": row.name, "payload": EVENT_EXAMPLES[key]}],
    }


def _ack(row: Incoming) -> str:
    return f"{row.name}_ack"


def _acknowledgement(row: Incoming, schemas: JsonSchemas) -> dict[str, Any]:
    data = schemas.reference(row.result) if row.result else {"type": "null"}
    done = _object(ok={"const": True}, data=data)
    return {
        "name": _ack(row),
        "title": _ack(row),
        "summary": f"The acknowledgement of {row.name}",
        "payload": {"oneOf": [done, _reference("components", "schemas", "Refusal")]},
    }


def _refusal(schemas: JsonSchemas) -> JsonSchema:
    return _object(ok={"const": False}, error=schemas.reference(FailureSchema()))


def _object(**properties: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


# ---------------------------------------------------------------- references
def _of_channel(message: str) -> dict[str, str]:
    return _reference("channels", CHANNEL, "messages", message)


def _reference(*path: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(path)}

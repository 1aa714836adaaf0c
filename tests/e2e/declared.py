"""What the server's own two descriptions say of an event, an acknowledgement or an answer, as validators."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from tests.e2e.clients_run import Entry

JsonSchema = dict[str, Any]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OFFSET = re.compile(r"[0-9a-z]{1,8}\.[0-9]+")
"""What connection state recovery puts behind each event's own argument."""

OUTSIDE = {"/api/openapi.json", "/api/asyncapi.json"}
"""Asked for by the tests and not part of the API."""

LEGACY_ARRAYS = {"/api/users": "users", "/api/conversations/user/{user_id}": "conversations"}
"""LEGACY_FRONT_END takes the documented lists out of their objects."""

checker = FormatChecker(formats=())


@checker.checks("date-time")
def is_wire_time(value: object) -> bool:
    """Stricter than the format's name: milliseconds and Z, as the document writes times."""
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


class Schemas:
    """Checks values against schemas that refer to a document's components."""

    def __init__(self, components: JsonSchema) -> None:
        self._components = components
        self._validators: dict[str, Draft202012Validator] = {}

    def complaints(self, schema: JsonSchema, value: Any) -> list[str]:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = Draft202012Validator(whole, format_checker=checker)
        return [f"{error.json_path}: {error.message[:300]}" for error in self._validators[key].iter_errors(value)]


class DeclaredEvents:
    def __init__(self, asyncapi: dict[str, Any]) -> None:
        self._messages = asyncapi["components"]["messages"]
        self._schemas = Schemas(asyncapi["components"])

    def complaints(self, entry: Entry) -> list[str]:
        """About an ``event`` the server sent, or an ``ack`` and what it answered."""
        if entry["kind"] == "event":
            *args, offset = entry["args"]
            if not (isinstance(offset, str) and OFFSET.fullmatch(offset)):
                return [f"{entry['name']} ends with {offset!r}, not with an offset"]
            both_ways = f"{entry['name']}_event"
            return self._of(both_ways if both_ways in self._messages else entry["name"], args)
        known = f"{entry['name']}_ack" in self._messages  # else an event that only a test would send
        found = self._of(f"{entry['name']}_ack" if known else "leave_room_ack", [entry["ack"]])
        if entry["ack"]["ok"]:  # what was accepted had better be what we say we accept
            found += self._of(entry["name"], entry["args"] or [{}])
        return found

    def _of(self, message: str, args: list[Any]) -> list[str]:
        declared = self._messages.get(message)
        if declared is None:
            return [f"{message} is not declared"]
        if len(args) != 1:
            return [f"{message} has {len(args)} arguments"]
        return self._schemas.complaints(declared["payload"], args[0])


class DeclaredAnswers:
    def __init__(self, openapi: dict[str, Any], *, legacy: bool = False) -> None:
        self._paths: dict[str, Any] = openapi["paths"]
        self._components = openapi["components"]
        self._schemas = Schemas(self._components)
        self._legacy = legacy

    @cached_property
    def operations(self) -> set[tuple[str, str]]:
        return {
            (method.upper(), path)
            for path, item in self._paths.items()
            for method in item
            if method in ("get", "post", "put", "patch", "delete")
        }

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """The most exact templates first."""
        by_exactness = sorted(self._paths, key=lambda path: (path.count("{"), -len(path)))
        return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in by_exactness]

    def template(self, path: str) -> str | None:
        path = re.sub(r"^/uploads/", "/api/files/", path)  # the document's second name for the same
        return next((template for pattern, template in self._patterns if pattern.fullmatch(path)), None)

    def complaints(self, entry: Entry) -> list[str]:
        template, status, body = self.template(entry["path"]), str(entry["status"]), entry["body"]
        method = "GET" if entry["method"] == "HEAD" else entry["method"]
        if method == "OPTIONS":
            return []
        if template is None or (method, template) not in self.operations:
            return self._outside(entry)
        responses = self._paths[template][method.lower()]["responses"]
        if status not in responses:
            return [f"status {status} is not documented"]
        response = self._resolved(responses[status])
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [] if body in (None, "") or "*/*" in response.get("content", {}) else ["a body is not documented"]
        if entry["method"] == "HEAD":
            return []
        if not (entry["type"] or "").startswith("application/json"):
            return [f"is {entry['type']}, not JSON"]
        if self._legacy and status == "200" and template in LEGACY_ARRAYS and method == "GET":
            if not isinstance(body, list):
                return ["is no bare array"]
            body = {LEGACY_ARRAYS[template]: body}
        return self._schemas.complaints(schema, body)

    def _outside(self, entry: Entry) -> list[str]:
        """Of what is not documented, only refusals have a shape that we promise."""
        if entry["status"] in (404, 405):
            return self._schemas.complaints({"$ref": "#/components/schemas/HttpError"}, entry["body"])
        is_known = entry["path"] in OUTSIDE or entry["path"].rstrip("/") in ("/socket.io", "/ws")
        return [] if is_known else [f"{entry['method']} {entry['path']} is not documented"]

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        *_, kind, name = node["$ref"].split("/")
        found: dict[str, Any] = self._components[kind][name]
        return found

"""What the resources share: strict arguments, documented failures, pages with ``Link`` headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import urlencode

from flask import Request, current_app, g, request
from flask_smorest import Blueprint
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from chatapp.domain.errors import InvalidData, MalformedPayload
from chatapp.domain.models import Actor
from chatapp.protocol.schemas import HttpErrorSchema
from chatapp.protocol.wire_json import WireJson
from chatapp.transport.auth import Caller
from chatapp.transport.extension import Extension

F = TypeVar("F", bound=Callable[..., Any])

ALWAYS = (400, 401, 500, 503)
"""Statuses that any resource may answer with."""


class StrictParser(FlaskParser):
    """Bad bodies and queries are 400 in the ruled shape, and a body that is not JSON says so."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            raise UnsupportedMediaType
        try:
            return WireJson.loads(req.get_data())
        except ValueError as exc:
            raise MalformedPayload from exc

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Any,
        *,
        error_status_code: int | None,
        error_headers: Any,
    ) -> NoReturn:
        by_location = error.normalized_messages()
        raise InvalidData({name: texts for fields in by_location.values() for name, texts in fields.items()}) from error


class Resource(Blueprint):
    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, is_public: bool = False, **kwargs: Any) -> None:
        """``is_public``: nobody need prove who they are."""
        super().__init__(*args, **kwargs)
        if not is_public:
            self.before_request(authenticate)

    def arguments(self, schema: Any, **options: Any) -> Callable[[F], F]:
        """The library makes a class anew into a schema at each request, which takes as long as all of Flask."""
        found: Callable[[F], F] = super().arguments(schema() if isinstance(schema, type) else schema, **options)
        return found

    def fails(self, *statuses: int) -> Callable[[F], F]:
        """Document what the operation may refuse with, beside what any operation may. The errors are not answered here,
        so that the view need not be wrapped for each of them."""

        def document(view: F) -> F:
            documented = view
            for status in sorted({*ALWAYS, *statuses}):
                documented = self.alt_response(status, schema=HttpErrorSchema)(documented)
            view._apidoc = documented._apidoc  # type: ignore[attr-defined]
            return view

        return document


TEXT = {"type": "string"}
BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}


def form(**parts: dict[str, Any]) -> dict[str, Any]:
    """How OpenAPI describes a multipart body; the parts that are files are required."""
    required = [name for name, part in parts.items() if part is BINARY]
    schema = {"type": "object", "properties": parts, "required": required}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def extension() -> Extension:
    return cast(Extension, current_app.extensions["chatapp"])


def authenticate() -> None:
    """Before any view. Raises NoProof and its kinds."""
    g.caller = extension().authenticator.of_request(request.headers.get("Authorization", ""))


def actor(claimed: str | None = None) -> Actor:
    """Who asks; ``claimed`` is whom the request names. Raises IdentityMismatch."""
    caller: Caller = g.caller
    return caller.acting_for(claimed)


def link(relation: str, **parameters: object) -> str:
    """A ``Link`` value: this request again, with these query parameters changed; None takes one away."""
    query = {**request.args.to_dict(), **parameters}
    text = urlencode({name: value for name, value in query.items() if value is not None})
    return f'<{request.base_url}?{text}>; rel="{relation}"'


def next_link(cursor: str | None) -> dict[str, str]:
    """Response headers of a page."""
    return {"Link": link("next", cursor=cursor)} if cursor else {}

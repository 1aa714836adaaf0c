"""The REST resources, one blueprint each, under ``/api``."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api

from chatapp.protocol.json_schemas import teach
from chatapp.protocol.schemas import HttpErrorSchema
from chatapp.transport.rest import (
    conversations,
    documents,
    files,
    health,
    messages,
    tokens,
    users,
    web_client,
    webhooks,
)


class ChatApi(Api):
    ERROR_SCHEMA = HttpErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # each operation names the statuses it may refuse with

    def _register_error_handlers(self) -> None:
        """Errors have their shape from ``transport/http.py``, for these resources as for all others."""


BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A user's token, or an API key (`ck_…`)",
}


def register(app: Flask, *, version: str, asks_for_proof: bool) -> None:
    """``asks_for_proof``: whether requests need a token or a key."""
    app.config.update(
        API_TITLE="chatapp",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    app.url_map.converters["file"] = files.FileName
    api = ChatApi(app)
    teach(api.ma_plugin)
    if asks_for_proof:
        api.spec.components.security_scheme("bearer", BEARER)
        api.spec.options["security"] = [{"bearer": []}]
    for resource in (
        users.blueprint,
        conversations.blueprint,
        messages.blueprint,
        files.blueprint,
        files.downloads,
        tokens.blueprint,
        webhooks.blueprint,
        webhooks.log,
        health.blueprint,
    ):
        api.register_blueprint(resource)
    for page in (files.older, documents.blueprint, documents.browser, web_client.blueprint):
        app.register_blueprint(page)

"""The descriptions that programs read, and the page on which people browse them."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint
from flask_swagger_ui import get_swaggerui_blueprint

from chatapp.protocol.asyncapi import asyncapi_document
from chatapp.transport.rest.resource import extension
from chatapp.version import VERSION

blueprint = Blueprint("documents", __name__)

browser = get_swaggerui_blueprint(
    "/api/docs", "/api/openapi.json", config={"app_name": "chatapp", "validatorUrl": None}, blueprint_name="browser"
)
"""Swagger UI with its scripts and styles from the package: nothing is loaded from elsewhere."""


@blueprint.get("/api/asyncapi.json")
def asyncapi() -> Any:
    return _asyncapi(extension().settings.socket_path)


@cache
def _asyncapi(socket_path: str) -> dict[str, Any]:
    return asyncapi_document(
        title="chatapp", version=VERSION, server_url="http://localhost:3000", socket_path=socket_path
    )

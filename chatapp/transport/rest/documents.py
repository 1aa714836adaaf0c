"""The descriptions that programs read, and the page on which people browse them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import flask_swagger_ui
from flask import Blueprint, send_from_directory
from werkzeug.exceptions import NotFound

from chatapp.protocol.asyncapi import asyncapi_document
from chatapp.transport.rest.resource import extension
from chatapp.version import VERSION

blueprint = Blueprint("documents", __name__)

browser = Blueprint("browser", __name__, url_prefix="/api/docs")
"""Swagger UI with its scripts and styles from the package: nothing is loaded from elsewhere. Its page is ours, because
the package's has a script inside, which no policy of ours allows."""

OURS = Path(str(files(__package__))) / "api_browser"
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


@browser.get("/")
def page() -> Any:
    return send_from_directory(OURS, "index.html")


@browser.get("/<name>")
def part(name: str) -> Any:
    try:
        return send_from_directory(OURS, name)
    except NotFound:
        return send_from_directory(SWAGGER_UI, name)


@blueprint.get("/api/asyncapi.json")
def asyncapi() -> Any:
    return _asyncapi(extension().settings.socket_path)


@cache
def _asyncapi(socket_path: str) -> dict[str, Any]:
    return asyncapi_document(
        title="chatapp", version=VERSION, server_url="http://localhost:3000", socket_path=socket_path
    )

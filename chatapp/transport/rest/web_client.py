"""The bundled web client: its page at ``/``, what it has to know of this server, its scripts and styles.

``web/`` holds its source, ``scripts/web-build`` puts what is served into ``chatapp/static/client``. A server without it
answers 404 here and is otherwise whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, send_from_directory

from chatapp.domain.media_types import with_other_names
from chatapp.settings import Settings
from chatapp.transport.rest.resource import extension

blueprint = Blueprint("web_client", __name__)

BUILT = Path(__file__).parents[2] / "static" / "client"

HASHED = "assets/"
"""Whatever lies there has a hash of its content in its name, and never changes."""

IMMUTABLE = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


@blueprint.get("/")
def page() -> Response:
    return _built("index.html")


@blueprint.get("/client/config.json")
def config() -> Any:
    return client_config(extension().settings), {"Cache-Control": ASK_AGAIN}


@blueprint.get("/client/<path:name>")
def part(name: str) -> Response:
    return _built(name)


def client_config(settings: Settings) -> dict[str, Any]:
    """What the client cannot know otherwise. Anybody may read it."""
    return {
        "authMode": settings.auth_mode,
        "demo": settings.demo,
        "socketPath": settings.socket_path,
        "uploadMaxBytes": settings.upload_max_bytes,
        "allowedTypes": list(with_other_names(settings.allowed_types)),
    }


def _built(name: str) -> Response:
    """The file, in its compressed form for who takes that."""
    packed = request.accept_encodings["gzip"] > 0 and (BUILT / f"{name}.gz").is_file()
    response = send_from_directory(BUILT, f"{name}.gz" if packed else name, mimetype=_media_type(name))
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = IMMUTABLE if name.startswith(HASHED) else ASK_AGAIN
    return response


MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}
"""Of what the build makes. A machine's own table of types may say otherwise, and browsers run no script of another."""


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")

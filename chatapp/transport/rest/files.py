"""``/api/upload``, and the same bytes under ``/api/files`` and ``/uploads``"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request, send_file
from flask.views import MethodView
from marshmallow import ValidationError
from werkzeug.routing import BaseConverter

from chatapp.domain.errors import InvalidData
from chatapp.domain.media_types import is_inline
from chatapp.domain.models import Actor, Standing
from chatapp.ports import LocalDownload
from chatapp.protocol import examples
from chatapp.protocol.requests import FileLinksBodySchema, UploadFormSchema
from chatapp.protocol.schemas import FileLinksSchema, UploadedSchema
from chatapp.services.file_links import EXPIRES, SEES_ALL, SIGNATURE, USER
from chatapp.services.files import Uploaded
from chatapp.transport.limits import FILES, MESSAGES
from chatapp.transport.rest.resource import BINARY, TEXT, Resource, actor, authenticate, extension, form
from chatapp.transport.rest.uploads import receive_file

blueprint = Resource("files", __name__, url_prefix="/api", description="Uploads and downloads")
downloads = Resource("downloads", __name__, url_prefix="/api", description="The bytes of files", is_public=True)
"""Public, because a signed URL may speak in place of a token."""

older = Blueprint("older", __name__)
"""The document's second name for the same bytes."""


class FileName(BaseConverter):
    """``links`` is no file's: ours are made of an id and a time."""

    regex = "(?!links$)[^/]+"
    part_isolating = True


LINK_PARAMETERS = [
    {"in": "query", "name": name, "schema": TEXT, "description": description}
    for name, description in (
        (SIGNATURE, "Of a signed URL, in place of a token; the other parts belong to it"),
        (EXPIRES, "When it ends, in seconds since 1970"),
        (USER, "For whom it was signed"),
        (SEES_ALL, "For an administrator"),
    )
]

CACHE_SECONDS = 86_400
"""A name's bytes never change, but a deleted file should not live in caches for ever."""


@blueprint.route("/upload")
class Upload(MethodView):
    @blueprint.doc(
        requestBody=form(
            file=BINARY, conversationId=TEXT, senderId=TEXT, replyTo=TEXT, content=TEXT, clientMessageId=TEXT
        )
    )
    @blueprint.response(201, UploadedSchema, example=examples.UPLOADED)
    @blueprint.fails(403, 404, 413, 415, 422, 429)
    def post(self) -> Any:
        """Store a file and send it as a message; with neither conversation nor sender it is only stored"""
        here = extension()
        incoming = receive_file("file", max_bytes=here.settings.upload_max_bytes)
        try:
            command = UploadFormSchema().load(request.form.to_dict())
        except ValidationError as exc:
            raise InvalidData(exc.normalized_messages()) from exc
        sender = actor(command.actor_id)
        who = sender.user_id or here.address()
        here.limits.take(FILES, who)
        if command.conversation_id is not None:
            here.limits.take(MESSAGES, who)
        return _uploaded(here.chat.files.upload(command, incoming, actor=sender))


@blueprint.route("/files/links")
class Links(MethodView):
    @blueprint.arguments(FileLinksBodySchema, example=examples.ASK_FOR_LINKS)
    @blueprint.response(200, FileLinksSchema, example=examples.LINKS)
    @blueprint.fails(403, 413, 415)
    def post(self, body: dict[str, Any]) -> Any:
        """URLs that need no token for 15 minutes, for images and players"""
        return {"links": extension().chat.file_links.sign(body["urls"], actor=actor())}


@downloads.route("/files/<file:name>")
class Download(MethodView):
    @downloads.doc(parameters=LINK_PARAMETERS, security=[{"bearer": []}, {}])
    @downloads.response(200, content_type="*/*", description="The bytes")
    @downloads.alt_response(206, content_type="*/*", description="The part that Range asked for")
    @downloads.alt_response(304, description="The client has them already")
    @downloads.fails(403, 404, 416)
    def get(self, name: str) -> Any:
        """The bytes of a file; ranges and ETags work"""
        return _serve(name)


@older.get("/uploads/<name>")
def uploads(name: str) -> Any:
    return _serve(name)


def _downloader(name: str) -> Actor:
    """A signed URL speaks in place of a token."""
    if SIGNATURE in request.args:
        return extension().chat.file_links.holder_of(name, request.args)
    authenticate()
    return actor()


def _serve(name: str) -> Any:
    holder = _downloader(name)
    download = extension().chat.file_access.open(name, actor=holder)
    file = download.file
    if not isinstance(download, LocalDownload):
        if request.method == "HEAD":  # the URL is signed for GET alone
            return Response(mimetype=file.media_type, headers={"Content-Length": str(file.size)})
        response = redirect(download.url)
        response.headers["Cache-Control"] = "no-store"  # the URL expires within a minute
        return response
    response = send_file(
        download.path,
        mimetype=file.media_type,
        as_attachment=not is_inline(file.media_type),
        download_name=file.original_name,
        etag=file.name,
        last_modified=file.created_at,
        max_age=CACHE_SECONDS,
    )
    response.headers["Cache-Control"] = _cache_control(holder)
    return response


def _cache_control(holder: Actor) -> str:
    """Where identities count, a browser asks each time, so that it forgets when we do: the answer is a 304."""
    return f"private, max-age={CACHE_SECONDS}" if holder.standing is Standing.TRUSTED else "private, no-cache"


def _uploaded(uploaded: Uploaded) -> dict[str, Any]:
    attachment, message = uploaded.attachment, uploaded.message
    return {
        "file_url": attachment.url,
        "file_name": attachment.name,
        "file_size": attachment.size,
        "file_type": attachment.type,
        "thumbnail_url": attachment.thumbnail_url,
        "message_id": message.id if message else None,
        "conversation_id": message.conversation_id if message else None,
        "sender_id": message.sender_id if message else None,
        "timestamp": message.timestamp if message else None,
        "is_reply": bool(message and message.is_reply),
        "reply_to": message.reply_to if message else None,
    }

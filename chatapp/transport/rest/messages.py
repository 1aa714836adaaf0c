"""``/api/messages``"""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from chatapp.domain.commands import ListPage, ReadHistory, SendMessage
from chatapp.domain.errors import InvalidData
from chatapp.protocol import examples
from chatapp.protocol.requests import HistoryQuerySchema, PageSchema, SendMessageSchema
from chatapp.protocol.schemas import (
    BatchDeletedSchema,
    DeletedCountSchema,
    MessageSchema,
    MessageWithRepliesSchema,
    NoticeSchema,
    RepliesSchema,
)
from chatapp.protocol.views import message_view
from chatapp.services.messages import History
from chatapp.transport.limits import MESSAGES
from chatapp.transport.rest.resource import Resource, actor, extension, link, next_link

blueprint = Resource("messages", __name__, url_prefix="/api/messages", description="Messages")

PURGE_BATCH = 500
"""Messages in one write when nobody says how many; other sends wait behind it for a few milliseconds."""

BATCH_MAX = 25
"""The document: BatchWriteItem takes at most 25 items."""


@blueprint.route("")
class AllMessages(MethodView):
    @blueprint.arguments(PageSchema, location="query")
    @blueprint.response(200, MessageSchema(many=True), example=[examples.MESSAGE])
    @blueprint.fails(403)
    def get(self, query: ListPage) -> Any:
        """Every message, for administrators, conversation by conversation, page by page"""
        page = extension().chat.messages.list_all(query, actor=actor())
        return page.items, 200, next_link(page.next_cursor)

    @blueprint.arguments(SendMessageSchema, example=examples.EVENT_EXAMPLES["send_message"])
    @blueprint.response(201, MessageSchema, example=examples.MESSAGE)
    @blueprint.fails(403, 404, 413, 415, 422, 429)
    def post(self, command: SendMessage) -> Any:
        """Send a message, as `send_message` does; for backends, which keep no connection"""
        sender = actor(command.actor_id)
        extension().limits.take(MESSAGES, sender.user_id or extension().address())
        return extension().chat.messages.send(command, actor=sender)

    @blueprint.response(200, DeletedCountSchema)
    @blueprint.fails(403)
    def delete(self) -> Any:
        """Delete ALL messages for good"""
        count = extension().chat.messages.purge(batch_size=PURGE_BATCH, actor=actor())
        return {"message": "Todos los mensajes han sido eliminados correctamente", "deleted_count": count}


@blueprint.route("/<id>")
class Messages(MethodView):
    @blueprint.arguments(HistoryQuerySchema, location="query")
    @blueprint.response(200, MessageSchema(many=True), example=[examples.MESSAGE])
    @blueprint.fails(403, 404)
    def get(self, query: dict[str, Any], id: str) -> Any:
        """A conversation's messages, oldest first; `id` is the conversation's"""
        history = extension().chat.messages.history(ReadHistory(conversation_id=id, **query), actor=actor())
        return history.messages, 200, _links(history)

    @blueprint.response(200, NoticeSchema, example={"message": "Mensaje eliminado correctamente"})
    @blueprint.fails(403, 404)
    def delete(self, id: str) -> Any:
        """Delete one message; a tombstone stays. `id` is the message's"""
        extension().chat.messages.delete(id, actor=actor())
        return {"message": "Mensaje eliminado correctamente"}


@blueprint.route("/<id>/replies")
class Replies(MethodView):
    @blueprint.response(200, RepliesSchema, example=examples.REPLIES)
    @blueprint.fails(403, 404)
    def get(self, id: str) -> Any:
        """The replies to a message, oldest first"""
        replies = extension().chat.messages.replies(id, actor=actor())
        return {"message_id": id, "replies": replies, "replies_count": len(replies)}


@blueprint.route("/<id>/with-replies")
class WithReplies(MethodView):
    @blueprint.response(200, MessageWithRepliesSchema, example=examples.MESSAGE_WITH_REPLIES)
    @blueprint.fails(403, 404)
    def get(self, id: str) -> Any:
        """A message with its replies, oldest first"""
        message, replies = extension().chat.messages.with_replies(id, actor=actor())
        return message_view(message, replies=replies, replies_count=len(replies))


@blueprint.route("/batch/<batch_size>")
class Batches(MethodView):
    @blueprint.response(200, BatchDeletedSchema)
    @blueprint.fails(403)
    def delete(self, batch_size: str) -> Any:
        """Delete ALL messages for good, so many at a time (1 to 25)"""
        size = int(batch_size) if batch_size.isascii() and batch_size.isdigit() and len(batch_size) < 4 else 0
        if not 1 <= size <= BATCH_MAX:
            raise InvalidData({"batchSize": ["from_1_to_25"]})
        count = extension().chat.messages.purge(batch_size=size, actor=actor())
        return {
            "message": f"Mensajes eliminados en lotes de {size}",
            "deleted_count": count,
            "batch_size": size,
        }


def _links(history: History) -> dict[str, str]:
    """``prev`` leads to older messages, ``next`` to newer ones."""
    messages, links = history.messages, []
    if messages and history.has_older:
        links.append(link("prev", before=messages[0].seq, after=None))
    if messages and history.has_newer:
        links.append(link("next", after=messages[-1].seq, before=None))
    return {"Link": ", ".join(links)} if links else {}

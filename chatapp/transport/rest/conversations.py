"""``/api/conversations``"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import jsonify
from flask.views import MethodView

from chatapp.domain.commands import (
    AddParticipants,
    CreateConversation,
    ListPage,
    MarkAsRead,
    ReadChanges,
    RemoveParticipant,
    UpdateGroup,
)
from chatapp.protocol import examples
from chatapp.protocol.requests import (
    ChangesQuerySchema,
    CreateConversationSchema,
    PageSchema,
    ParticipantsBodySchema,
    ReaderBodySchema,
    RemoveParticipantQuerySchema,
    UpdateGroupBodySchema,
)
from chatapp.protocol.schemas import (
    AllConversationsSchema,
    ChangesSchema,
    ConversationDeletedSchema,
    ConversationSchema,
    ConversationsSchema,
    InboxEntrySchema,
    MessagesReadSchema,
    ParticipantsAddedSchema,
    ReadMarksSchema,
)
from chatapp.protocol.views import changes_view, conversation_view, inbox_view
from chatapp.transport.rest.resource import Resource, actor, extension, next_link

blueprint = Resource(
    "conversations", __name__, url_prefix="/api/conversations", description="Conversations and who is in them"
)


@blueprint.route("")
class Conversations(MethodView):
    @blueprint.arguments(PageSchema, location="query")
    @blueprint.response(200, AllConversationsSchema, example={"conversations": [examples.CONVERSATION]})
    @blueprint.fails(403)
    def get(self, query: ListPage) -> Any:
        """Every conversation, for administrators, page by page"""
        page = extension().chat.conversations.list_all(query, actor=actor())
        return {"conversations": page.items}, 200, next_link(page.next_cursor)

    @blueprint.arguments(CreateConversationSchema, example=examples.CREATE_CONVERSATION)
    @blueprint.response(201, ConversationSchema, example=examples.CONVERSATION)
    @blueprint.alt_response(200, schema=ConversationSchema, example=examples.CONVERSATION)
    @blueprint.fails(403, 413, 415)
    def post(self, command: CreateConversation) -> Any:
        """Create a group, or the one private conversation of two users"""
        conversation, created = extension().chat.conversations.create(command, actor=actor(command.actor_id))
        return conversation, 201 if created else 200


@blueprint.route("/<conversation_id>")
class Conversation(MethodView):
    @blueprint.response(200, ConversationSchema, example=examples.CONVERSATION)
    @blueprint.fails(403, 404)
    def get(self, conversation_id: str) -> Any:
        """One conversation"""
        return extension().chat.conversations.read(conversation_id, actor=actor())

    @blueprint.arguments(UpdateGroupBodySchema, example={"name": "Otro nombre", "userId": "user123"})
    @blueprint.response(200, ConversationSchema, example=examples.NEW_GROUP)
    @blueprint.fails(403, 404, 413, 415)
    def patch(self, command: UpdateGroup, conversation_id: str) -> Any:
        """Give a group another name or description; what is not mentioned stays"""
        named = replace(command, conversation_id=conversation_id)
        return extension().chat.conversations.update_group(named, actor=actor(command.actor_id))

    @blueprint.response(200, ConversationDeletedSchema)
    @blueprint.fails(403, 404)
    def delete(self, conversation_id: str) -> Any:
        """Delete a conversation with its messages and their files"""
        gone = extension().chat.conversations.delete(conversation_id, actor=actor())
        return {"message": "Conversación eliminada correctamente", "deleted_messages_count": gone.messages}


@blueprint.route("/user/<user_id>")
class Inbox(MethodView):
    @blueprint.response(200, ConversationsSchema, example={"conversations": [examples.INBOX_ENTRY]})
    @blueprint.fails(403, 404)
    def get(self, user_id: str) -> Any:
        """A user's conversations, latest activity first, with what is unread"""
        entries = [inbox_view(entry) for entry in extension().chat.conversations.inbox(user_id, actor=actor())]
        if extension().settings.legacy_front_end:
            return jsonify(InboxEntrySchema(many=True).dump(entries))
        return {"conversations": entries}


@blueprint.route("/<conversation_id>/changes")
class Changes(MethodView):
    @blueprint.arguments(ChangesQuerySchema, location="query")
    @blueprint.response(200, ChangesSchema, example=examples.CHANGES)
    @blueprint.fails(403, 404)
    def get(self, query: dict[str, Any], conversation_id: str) -> Any:
        """Every durable change after `since`, in order; go on with the answer's `rev` while `hasMore`"""
        command = ReadChanges(conversation_id=conversation_id, since=query["since"], limit=query["limit"])
        found = extension().chat.catch_up.changes(command, actor=actor(query["user_id"]))
        return changes_view(conversation_id, found)


@blueprint.route("/<conversation_id>/read-marks")
class ReadMarks(MethodView):
    @blueprint.response(200, ReadMarksSchema, example=examples.READ_MARKS)
    @blueprint.fails(403, 404)
    def get(self, conversation_id: str) -> Any:
        """How far each participant has read"""
        marks = extension().chat.conversations.members(conversation_id, actor=actor())
        return {"conversation_id": conversation_id, "read_marks": marks}


@blueprint.route("/<conversation_id>/participants")
class Participants(MethodView):
    @blueprint.arguments(ParticipantsBodySchema, example={"participants": ["user2", "user3"]})
    @blueprint.response(201, ParticipantsAddedSchema)
    @blueprint.fails(403, 404, 413, 415)
    def post(self, body: dict[str, Any], conversation_id: str) -> Any:
        """Add participants to a group"""
        command = AddParticipants(conversation_id=conversation_id, participants=body["participants"])
        group, added = extension().chat.conversations.add_participants(command, actor=actor(body["actor_id"]))
        older = {"success": True, "conversation_id": group.id, "user_id": body["user_id"]} if body["user_id"] else {}
        return conversation_view(group, added_users=added, **older)


@blueprint.route("/<conversation_id>/participants/<user_id>")
class Participant(MethodView):
    @blueprint.arguments(RemoveParticipantQuerySchema, location="query")
    @blueprint.response(200, ConversationSchema, example=examples.CONVERSATION)
    @blueprint.fails(403, 404)
    def delete(self, query: dict[str, Any], conversation_id: str, user_id: str) -> Any:
        """Take a participant out of a group; `removedBy` says who does it"""
        command = RemoveParticipant(conversation_id=conversation_id, user_id=user_id)
        return extension().chat.conversations.remove_participant(command, actor=actor(query["removed_by"]))


@blueprint.route("/<conversation_id>/mark-as-read")
class ReadMark(MethodView):
    @blueprint.arguments(ReaderBodySchema, example={"userId": "user123"})
    @blueprint.response(200, MessagesReadSchema)
    @blueprint.fails(403, 404, 413, 415)
    def post(self, body: dict[str, Any], conversation_id: str) -> Any:
        """Everything in the conversation is read"""
        command = MarkAsRead(conversation_id=conversation_id)
        mark = extension().chat.conversations.mark_as_read(command, actor=actor(body["user_id"]))
        return {
            "conversation_id": conversation_id,
            "user_id": body["user_id"],
            "timestamp": mark.at,
            "last_read_seq": mark.seq,
        }

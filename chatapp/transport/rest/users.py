"""``/api/users``"""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.views import MethodView

from chatapp.domain.commands import ListUsers, SaveUser
from chatapp.protocol import examples
from chatapp.protocol.requests import ListUsersSchema, SaveUserSchema
from chatapp.protocol.schemas import NoticeSchema, UserSchema, UsersSchema
from chatapp.services.files import AVATAR_MAX_BYTES
from chatapp.transport.rest.resource import BINARY, Resource, actor, extension, form, next_link
from chatapp.transport.rest.uploads import receive_file

blueprint = Resource("users", __name__, url_prefix="/api/users", description="Users and their avatars")


@blueprint.route("")
class Users(MethodView):
    @blueprint.arguments(ListUsersSchema, location="query")
    @blueprint.response(200, UsersSchema, example={"users": [examples.USER]})
    @blueprint.fails(403)
    def get(self, query: ListUsers) -> Any:
        """Users, online first, then by name"""
        page = extension().chat.users.list_page(query, actor=actor())
        if extension().settings.legacy_front_end:
            return jsonify(UserSchema(many=True).dump(page.items)), 200, next_link(page.next_cursor)
        return {"users": page.items}, 200, next_link(page.next_cursor)

    @blueprint.arguments(SaveUserSchema, example=examples.CREATE_USER)
    @blueprint.response(201, UserSchema, example=examples.USER)
    @blueprint.alt_response(200, schema=UserSchema, example=examples.USER)
    @blueprint.fails(403, 413, 415)
    def post(self, command: SaveUser) -> Any:
        """Create a user; the same id again updates"""
        user, created = extension().chat.users.save(command, actor=actor())
        return user, 201 if created else 200


@blueprint.route("/<user_id>")
class User(MethodView):
    @blueprint.response(200, UserSchema, example=examples.USER)
    @blueprint.fails(403, 404)
    def get(self, user_id: str) -> Any:
        """One user"""
        return extension().chat.users.get(user_id, actor=actor())

    @blueprint.response(200, NoticeSchema, example={"message": "Usuario eliminado correctamente"})
    @blueprint.fails(403, 404)
    def delete(self, user_id: str) -> Any:
        """Take a user out of every group and out of the directory; their messages stay"""
        extension().chat.users.delete(user_id, actor=actor())
        return {"message": "Usuario eliminado correctamente"}


@blueprint.route("/<user_id>/avatar")
class Avatar(MethodView):
    @blueprint.doc(requestBody=form(avatar=BINARY))
    @blueprint.response(200, UserSchema, example=examples.USER)
    @blueprint.fails(403, 404, 413, 415, 422)
    def post(self, user_id: str) -> Any:
        """Set the avatar: an image of at most 5 MB in the form field `avatar`"""
        incoming = receive_file("avatar", max_bytes=AVATAR_MAX_BYTES)
        return extension().chat.files.set_avatar(user_id, incoming, actor=actor())

    @blueprint.response(200, UserSchema, example=examples.USER)
    @blueprint.fails(403, 404)
    def delete(self, user_id: str) -> Any:
        """Remove the avatar"""
        return extension().chat.files.remove_avatar(user_id, actor=actor())

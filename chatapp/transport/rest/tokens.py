"""``/api/tokens``"""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from chatapp.domain.commands import RevokeTokens
from chatapp.protocol import examples
from chatapp.protocol.requests import RevokeTokensSchema
from chatapp.protocol.schemas import RevocationSchema
from chatapp.transport.rest.resource import Resource, actor, extension

blueprint = Resource("tokens", __name__, url_prefix="/api/tokens", description="Users' tokens")


@blueprint.route("/revoke")
class Revoke(MethodView):
    @blueprint.arguments(RevokeTokensSchema, example=examples.REVOKE_TOKENS)
    @blueprint.response(200, RevocationSchema, example=examples.REVOCATION)
    @blueprint.fails(403, 413, 415)
    def post(self, command: RevokeTokens) -> Any:
        """Tokens issued to a user, or to everybody, before then are worth nothing any more, on open connections too"""
        return extension().chat.revocations.revoke(command, actor=actor())

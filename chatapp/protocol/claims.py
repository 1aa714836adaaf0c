"""What a user's token says, checked as everything else that a client says is: ``docs/security.md``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, fields

from chatapp.protocol.fields import URL_MAX_CHARS, Email, Id, Name, Tags, Text, WireSchema

LATEST_SECONDS = 2**33
"""The year 2242. Later ones are milliseconds, or worse."""


class NumericDate(fields.Field[datetime]):
    """Seconds since 1970, perhaps with a fraction (RFC 7519, 2)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if type(value) not in (int, float) or not 0 <= value <= LATEST_SECONDS:
            raise self.make_error("validator_failed")
        return datetime.fromtimestamp(value, UTC)


class TokenClaimsSchema(WireSchema):
    """Claims that nobody asks for are left alone: identity providers have many."""

    class Meta:
        unknown = EXCLUDE

    user_id = Id(data_key="sub", required=True)
    issued_at = NumericDate(data_key="iat", required=True)
    expires_at = NumericDate(data_key="exp", required=True)
    not_before = NumericDate(data_key="nbf", load_default=None)
    name = Name(allow_none=True, load_default=None)
    email = Email(allow_none=True, load_default=None)
    avatar = Text(max_chars=URL_MAX_CHARS, allow_none=True, load_default=None)
    roles = Tags(allow_none=True, load_default=None)
    filials = Tags(allow_none=True, load_default=None)

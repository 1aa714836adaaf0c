"""Everything that can go wrong, as one tree. ``code`` is stable; ``details`` is data for programs.

Statuses and translations stand in ``transport/errors.py``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ChatError(Exception):
    """Base of all errors that a client may see."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, **details: Any) -> None:
        super().__init__(self.code)
        self.details = details

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value!r}" for key, value in self.details.items())
        return f"{self.code}({shown})"


class InvalidData(ChatError):
    """``details["fields"]``: field name → list of what is wrong with it."""

    code = "invalid_data"

    def __init__(self, fields: dict[str, Any] | None = None, **details: Any) -> None:
        super().__init__(**({"fields": fields} if fields is not None else {}), **details)


class MalformedPayload(InvalidData):
    code = "malformed_payload"


class BinaryNotSupported(InvalidData):
    code = "binary_not_supported"


class UnknownEvent(InvalidData):
    code = "unknown_event"


class UnknownUsers(InvalidData):
    """``details["userIds"]`` lists them."""

    code = "unknown_users"


class NotAGroup(InvalidData):
    code = "not_a_group"


class ReplyToOtherConversation(InvalidData):
    code = "reply_to_other_conversation"


class ReplyTargetMissing(InvalidData):
    code = "reply_target_missing"


class UnknownFile(InvalidData):
    code = "unknown_file"


class NotATextMessage(InvalidData):
    code = "not_a_text_message"


class TokenInUrl(InvalidData):
    """``details["parameter"]`` names it. URLs end up in logs, histories and referrers."""

    code = "token_in_url"


class NotIdentified(ChatError):
    """The connection or request says nobody's name."""

    code = "not_identified"


class NoProof(ChatError):
    """Who asks has not proved who they are."""

    code = "token_missing"


class TokenInvalid(NoProof):
    """Only the log may know why: ``str`` of the cause."""

    code = "token_invalid"


class TokenExpired(NoProof):
    code = "token_expired"


class TokenRevoked(NoProof):
    code = "token_revoked"


class KeyInvalid(NoProof):
    code = "key_invalid"


class Forbidden(ChatError):
    code = "forbidden"


class OriginNotAllowed(Forbidden):
    """A web page of an origin that is not on the list."""

    code = "origin_not_allowed"


class IdentityMismatch(Forbidden):
    """What was sent names somebody else than who sent it."""

    code = "identity_mismatch"


class AdminOnly(Forbidden):
    code = "admin_only"


class ScopeMissing(Forbidden):
    """``details["scope"]`` is what the API key would need."""

    code = "scope_missing"


class OtherFilial(Forbidden):
    """``details["userIds"]`` lists those who share none with the actor."""

    code = "other_filial"


class NotAParticipant(Forbidden):
    code = "not_a_participant"


class NotMessageSender(Forbidden):
    code = "not_message_sender"


class NotGroupCreator(Forbidden):
    code = "not_group_creator"


class NotInCall(Forbidden):
    """Who asks, or who is meant, takes no part in the call."""

    code = "not_in_call"


class EditWindowClosed(Forbidden):
    code = "edit_window_closed"


class LinkInvalid(Forbidden):
    """A file's URL is signed, but not by us, not for this file, or for somebody who is locked out since."""

    code = "link_invalid"


class LinkExpired(Forbidden):
    code = "link_expired"


class NotFound(ChatError):
    code = "not_found"


class UserNotFound(NotFound):
    code = "user_not_found"


class ConversationNotFound(NotFound):
    code = "conversation_not_found"


class MessageNotFound(NotFound):
    code = "message_not_found"


class CallNotFound(NotFound):
    code = "call_not_found"


class WebhookNotFound(NotFound):
    code = "webhook_not_found"


class FileNotStored(NotFound):
    code = "file_not_found"


class Conflict(ChatError):
    code = "conflict"


class MessageDeletedAlready(Conflict):
    code = "message_deleted"


class CallOver(Conflict):
    """``details["reason"]`` is why the call has ended; None where nobody remembers."""

    code = "call_over"


class CallFull(Conflict):
    """``details["maxParticipants"]`` are in it."""

    code = "call_full"


class AnsweredElsewhere(Conflict):
    """The user is in the call with another device."""

    code = "call_answered_elsewhere"


class InAnotherCall(Conflict):
    """``details["callId"]`` is the one that the user would have to leave first."""

    code = "in_another_call"


class TooManyKeys(Conflict):
    """The endpoint has more keys than a request can be signed with, until the oldest of them expire."""

    code = "too_many_keys"


class TooSlow(ChatError):
    """Who asks takes too long to say what."""

    code = "request_timeout"


class TooLarge(ChatError):
    """``details["maxBytes"]`` is the limit; ``details["reason"]`` is ``scanner`` when it is the virus scanner's."""

    code = "too_large"


class FileTypeNotAllowed(ChatError):
    """``details["fileType"]`` is what the bytes are, ``details["allowedTypes"]`` what may be."""

    code = "file_type_not_allowed"


class FileInfected(ChatError):
    """The scanner found malware in an upload. What it is called the log says."""

    code = "file_infected"


class IdempotencyKeyReused(ChatError):
    """The same ``clientMessageId`` came with other content."""

    code = "idempotency_key_reused"


class RateLimited(ChatError):
    """``retry_after`` is in seconds, and at least 0."""

    code = "rate_limited"

    def __init__(self, *, limit: str, retry_after: float) -> None:
        super().__init__(limit=limit)
        self.retry_after = retry_after


class Unavailable(ChatError):
    """An engine behind us is down; what was asked has not happened unless a retry says so."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class BusUnavailable(Unavailable):
    code = "bus_unavailable"


class FilesUnavailable(Unavailable):
    code = "files_unavailable"


class ScannerUnavailable(Unavailable):
    """Whether a file is clean cannot be said, and so it is not taken."""

    code = "scanner_unavailable"

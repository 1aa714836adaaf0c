"""The one table of error codes: HTTP status and what to tell people, in Spanish and in English."""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from chatapp.domain.errors import ChatError, NoProof, RateLimited
from chatapp.protocol.wire_json import WireJson

Texts = tuple[str, str]
"""Spanish, English."""

ERRORS: dict[str, tuple[int, Texts]] = {
    "invalid_data": (400, ("Datos inválidos", "Invalid data")),
    "malformed_payload": (400, ("El contenido no se puede leer", "The payload cannot be read")),
    "binary_not_supported": (400, ("Este evento no admite datos binarios", "This event takes no binary data")),
    "unknown_event": (400, ("Evento desconocido", "Unknown event")),
    "unknown_users": (400, ("Usuarios desconocidos", "Unknown users")),
    "not_a_group": (400, ("La conversación no es un grupo", "The conversation is not a group")),
    "reply_to_other_conversation": (
        400,
        ("El mensaje original pertenece a otra conversación", "The original message is in another conversation"),
    ),
    "reply_target_missing": (400, ("El mensaje original no existe", "The original message does not exist")),
    "unknown_file": (400, ("El archivo no existe", "The file does not exist")),
    "not_a_text_message": (400, ("Solo se editan mensajes de texto", "Only text messages can be edited")),
    "token_in_url": (
        400,
        (
            "Un token no va en la URL: use Authorization o auth",
            "A token has no place in a URL: use Authorization or auth",
        ),
    ),
    "bad_request": (400, ("Petición incorrecta", "Bad request")),
    "not_identified": (401, ("Identifíquese primero", "Identify yourself first")),
    "token_missing": (401, ("Falta el token", "A token is required")),
    "token_invalid": (401, ("El token no es válido", "The token is not valid")),
    "token_expired": (401, ("El token ha caducado", "The token has expired")),
    "token_revoked": (401, ("El token ha sido revocado", "The token has been revoked")),
    "key_invalid": (401, ("La clave de API no es válida", "The API key is not valid")),
    "forbidden": (403, ("No permitido", "Not allowed")),
    "origin_not_allowed": (403, ("Origen no permitido", "Origin not allowed")),
    "identity_mismatch": (403, ("La petición nombra a otra persona", "The request names somebody else")),
    "admin_only": (403, ("Solo para administradores", "For administrators only")),
    "scope_missing": (403, ("La clave de API no tiene ese permiso", "The API key does not have that scope")),
    "other_filial": (403, ("Pertenece a otra filial", "Belongs to another branch")),
    "not_a_participant": (403, ("No participa en la conversación", "Not a participant of the conversation")),
    "not_message_sender": (403, ("El mensaje es de otra persona", "The message is somebody else's")),
    "not_group_creator": (403, ("Solo el creador del grupo puede hacerlo", "Only the group's creator may do this")),
    "not_in_call": (403, ("No está en la llamada", "Not in the call")),
    "edit_window_closed": (403, ("Ya no se puede editar el mensaje", "The message can no longer be edited")),
    "link_invalid": (403, ("El enlace no es válido", "The link is not valid")),
    "link_expired": (403, ("El enlace ha caducado", "The link has expired")),
    "not_found": (404, ("Recurso no encontrado", "Resource not found")),
    "user_not_found": (404, ("Usuario no encontrado", "User not found")),
    "conversation_not_found": (404, ("Conversación no encontrada", "Conversation not found")),
    "message_not_found": (404, ("Mensaje no encontrado", "Message not found")),
    "call_not_found": (404, ("Llamada no encontrada", "Call not found")),
    "webhook_not_found": (404, ("Webhook no encontrado", "Webhook not found")),
    "file_not_found": (404, ("Archivo no encontrado", "File not found")),
    "method_not_allowed": (405, ("Método no permitido", "Method not allowed")),
    "request_timeout": (408, ("La petición tardó demasiado", "The request took too long")),
    "conflict": (409, ("Conflicto con el estado actual", "Conflict with the current state")),
    "too_many_keys": (409, ("Demasiadas claves a la vez, espere", "Too many keys at once, wait")),
    "message_deleted": (409, ("El mensaje fue eliminado", "The message was deleted")),
    "call_over": (409, ("La llamada ha terminado", "The call is over")),
    "call_full": (409, ("La llamada está completa", "The call is full")),
    "call_answered_elsewhere": (
        409,
        ("Ya está en la llamada con otro dispositivo", "In the call with another device already"),
    ),
    "in_another_call": (409, ("Ya está en otra llamada", "In another call already")),
    "too_large": (413, ("Demasiado grande", "Too large")),
    "file_type_not_allowed": (415, ("Tipo de archivo no permitido", "File type not allowed")),
    "unsupported_media_type": (415, ("Tipo de contenido no admitido", "Content type not supported")),
    "range_not_satisfiable": (416, ("Rango no válido", "Range not satisfiable")),
    "file_infected": (422, ("El archivo contiene código dañino", "The file contains malware")),
    "idempotency_key_reused": (
        422,
        ("clientMessageId ya se usó con otro contenido", "clientMessageId was already used with other content"),
    ),
    "rate_limited": (429, ("Demasiadas peticiones, espere", "Too many requests, wait")),
    "internal_error": (500, ("Error interno del servidor", "Internal server error")),
    "unavailable": (503, ("Servicio no disponible, reintente", "Service unavailable, try again")),
    "store_unavailable": (503, ("Almacenamiento no disponible, reintente", "Store unavailable, try again")),
    "bus_unavailable": (503, ("Bus no disponible, reintente", "Bus unavailable, try again")),
    "scanner_unavailable": (
        503,
        ("El archivo no se pudo analizar, reintente", "The file could not be scanned, try again"),
    ),
    "files_unavailable": (503, ("Archivos no disponibles, reintente", "File storage unavailable, try again")),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a client is told of it. ``retry_after_ms`` only when rate limited."""

    code: str
    status: int
    message: str
    details: dict[str, Any]
    retry_after_ms: int | None = None

    @property
    def phrase(self) -> str:
        return HTTPStatus(self.status).phrase


def describe(error: ChatError | str, language: str, details: dict[str, Any] | None = None) -> Failure:
    """``error`` is an exception or a bare code of the table; ``language`` is ``es`` or ``en``."""
    if isinstance(error, ChatError):
        code, details = error.code, _public(error)
    else:
        code, details = error, details or {}
    status, (spanish, english) = ERRORS[code]
    wait = None
    if isinstance(error, RateLimited):
        wait = max(1, math.ceil(error.retry_after * 1000))  # a client that comes back then must be let in
        details = {**details, "retryAfterMs": wait}
    return Failure(code, status, english if language == "en" else spanish, details, wait)


def error_text(failure: Failure, request_id: str) -> str:
    """The body of an HTTP answer."""
    return WireJson.dumps(
        {
            "statusCode": failure.status,
            "error": failure.phrase,
            "code": failure.code,
            "message": failure.message,
            "details": failure.details,
            "requestId": request_id,
        }
    )


def _public(error: ChatError) -> dict[str, Any]:
    """What an engine says of itself is for the log, not for clients."""
    return {} if ERRORS[error.code][0] >= 500 else error.details


def reason_of(error: ChatError) -> str | None:
    """Why somebody proves nothing, for the log alone; never the token itself."""
    return str(error.__cause__) if isinstance(error, NoProof) and error.__cause__ is not None else None


def language_of(accept_language: str) -> str:
    """``en`` when the header prefers English to Spanish, else ``es``."""
    weights = {"es": 0.0, "en": 0.0}
    for part in accept_language.lower().split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.split("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameter))
    return "en" if weights["en"] > weights["es"] else "es"


def _weight(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
    except ValueError:
        return 0.0

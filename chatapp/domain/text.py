"""How text is shortened and compared."""

from __future__ import annotations

import unicodedata

from chatapp.domain.calls import CallEnd, CallKind
from chatapp.domain.models import Attachment, LastMessage, Message, MessageType

PREVIEW_MAX_CHARS = 100
"""RULINGS: ``replyPreview`` at most 100 characters; the same cut serves every preview."""


def preview(message_type: MessageType, content: str, attachment: Attachment | None) -> str:
    """One line that stands for a message in lists, quotes and notices. Never the JSON of a file message."""
    if attachment is not None and message_type is not MessageType.TEXT:
        label = "Audio" if message_type is MessageType.AUDIO else "Archivo"
        return shorten(f"{label}: {attachment.name or attachment.url.rsplit('/', 1)[-1]}")
    return shorten(content)


def call_text(kind: CallKind, end: CallEnd, duration_ms: int) -> str:
    """The content of a call's message, for clients that know no calls, and for previews."""
    name = "Videollamada" if kind is CallKind.VIDEO else "Llamada"
    match end:
        case CallEnd.MISSED:
            return f"{name} perdida"
        case CallEnd.DECLINED:
            return f"{name} rechazada"
        case CallEnd.BUSY:
            return f"{name} sin respuesta: ocupado"
        case CallEnd.FAILED:
            return f"{name} interrumpida"
    minutes, seconds = divmod(duration_ms // 1000, 60)
    return f"{name} · {minutes}:{seconds:02}"


def shorten(text: str) -> str:
    """At most ``PREVIEW_MAX_CHARS`` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= PREVIEW_MAX_CHARS else text[: PREVIEW_MAX_CHARS - 1] + "…"


def sort_key(name: str) -> str:
    """Names in the order people expect: case and accents do not count."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def last_message(message: Message) -> LastMessage:
    """What lists and notices show of it."""
    text = preview(message.message_type, message.content, message.attachment)
    return LastMessage(message.id, message.sender_id, text, message.timestamp)

"""How a StoredFile is written on an S3 object, read from it, and served by S3 in our place."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from werkzeug.http import dump_options_header
from werkzeug.utils import get_content_type

from chatapp.domain.media_types import is_inline
from chatapp.domain.models import StoredFile

PERCENT_MAX_CHARS = 512
"""Longer ones are packed: the metadata of an object is 2 kB in all, and names have up to 255 characters, ids 128."""

PACKED = "="
"""Stands before packed text; percent-encoded text never begins so."""

CACHE_SECONDS = 86_400
"""As long as our own server says for local files."""

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""No header may hold them, and in a name they are noise."""


# ---------------------------------------------------------------- metadata
def description(file: StoredFile) -> dict[str, Any]:
    """The parameters of a request that makes the object."""
    known = {
        "original-name": _encode(file.original_name),
        "media-type": _encode(file.media_type),
        "size": str(file.size),
        "created-at": file.created_at.isoformat(),
        "uploader": None if file.uploader_id is None else _encode(file.uploader_id),
        "thumbnail": file.thumbnail_name,
    }
    return {
        "ContentType": served_type(file),
        "Metadata": {key: value for key, value in known.items() if value is not None},
    }


def described(name: str, head: Mapping[str, Any]) -> StoredFile | None:
    """What the answer to HEAD says; None when it is no object of ours, or a damaged one."""
    known = {key.lower(): value for key, value in head["Metadata"].items()}  # some engines change the case
    try:
        created_at = datetime.fromisoformat(known["created-at"])
        if created_at.tzinfo is None:
            return None
        return StoredFile(
            name=name,
            original_name=_decode(known.get("original-name", "")),  # some engines drop what is empty
            media_type=_decode(known["media-type"]),
            size=int(known["size"]),
            created_at=created_at,
            uploader_id=_decode(known["uploader"]) if "uploader" in known else None,
            thumbnail_name=known.get("thumbnail"),
        )
    except (KeyError, ValueError):
        return None


def _encode(text: str) -> str:
    """ASCII, whatever ``text`` is: half of a surrogate pair passes too."""
    quoted = quote(text, safe="", errors="surrogatepass")
    if len(quoted) <= PERCENT_MAX_CHARS:
        return quoted
    return PACKED + base64.b64encode(b"".join(ord(char).to_bytes(3, "big") for char in text)).decode()


def _decode(text: str) -> str:
    """Raises ValueError."""
    if not text.startswith(PACKED):
        return unquote(text, errors="surrogatepass")
    packed = base64.b64decode(text.removeprefix(PACKED), validate=True)
    return "".join(chr(int.from_bytes(packed[start : start + 3], "big")) for start in range(0, len(packed), 3))


# ---------------------------------------------------------------- what S3 answers in our place
def served(file: StoredFile) -> dict[str, str]:
    """The parameters of a GET whose answer has the headers that our own server sends."""
    return {
        "ResponseContentType": served_type(file),
        "ResponseContentDisposition": _disposition(file),
        "ResponseCacheControl": f"private, max-age={CACHE_SECONDS}",
    }


def served_type(file: StoredFile) -> str:
    return get_content_type(file.media_type, "utf-8")


def _disposition(file: StoredFile) -> str:
    """By RFC 6266, as Werkzeug's ``send_file`` writes it; always ASCII and one line."""
    name = CONTROLS.sub("", file.original_name).encode("utf-8", "replace").decode()
    names = {"filename": name}
    if not name.isascii():
        simple = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        names = {"filename": simple, "filename*": f"UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"}
    return dump_options_header("inline" if is_inline(file.media_type) else "attachment", names)

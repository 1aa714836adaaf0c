"""Media types: their many names, how files of each are called, and which a browser may show."""

from __future__ import annotations

from collections.abc import Collection

UNKNOWN = "application/octet-stream"

ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "application/x-pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
    "audio/mp3": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-pn-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "audio/x-flac": "audio/flac",
    "audio/x-aac": "audio/aac",
    "audio/x-hx-aac-adts": "audio/aac",
    "video/x-m4v": "video/mp4",
    "text/csv": "text/plain",  # nothing in the bytes tells a table from prose with a comma in each line
}
"""Other names of one kind → the name we use. The document lists several for each kind of audio."""

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/zip": "zip",
    "application/json": "json",
    "text/plain": "txt",
    "text/html": "html",
    "text/xml": "xml",
    "text/rtf": "rtf",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/3gpp": "3gp",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/3gpp": "3gp",
    "video/x-matroska": "mkv",
}


PICTURE_EXTENSIONS = tuple(
    ending for kind, ending in EXTENSIONS.items() if kind.startswith("image/") and kind != "image/svg+xml"
)
"""How the files end that may have a thumbnail, the most frequent first."""


def canonical(media_type: str) -> str:
    """The one name of this kind: lower case, without parameters."""
    bare = media_type.partition(";")[0].strip().lower()
    return ALIASES.get(bare, bare)


def extension_for(media_type: str) -> str:
    """How a file of this type ends, without the dot; ``bin`` for an unknown one."""
    return EXTENSIONS.get(canonical(media_type), "bin")


def is_allowed(media_type: str, allowed_types: Collection[str]) -> bool:
    """Whether one of ``allowed_types`` names this kind, by any of its names or by a wildcard such as ``image/*``."""
    kind = canonical(media_type)
    wildcards = {"*/*", f"{kind.partition('/')[0]}/*"}
    return any(allowed in wildcards or allowed == kind for allowed in map(canonical, allowed_types))


def with_other_names(allowed_types: Collection[str]) -> tuple[str, ...]:
    """``allowed_types``, and every other name of the same kinds: what a browser calls a file may be any of them."""
    kinds = {canonical(allowed) for allowed in allowed_types}
    others = kinds | {alias for alias, kind in ALIASES.items() if kind in kinds}
    return (*allowed_types, *sorted(others.difference(allowed_types)))


def is_inline(media_type: str) -> bool:
    """Whether a browser may show it in our own origin: nothing that can carry a script."""
    kind = canonical(media_type)
    return is_picture(kind) or kind == "application/pdf" or kind.startswith(("audio/", "video/"))


def is_picture(media_type: str) -> bool:
    """An image made of pixels; SVG is a document that can carry scripts."""
    kind = canonical(media_type)
    return kind.startswith("image/") and kind != "image/svg+xml"

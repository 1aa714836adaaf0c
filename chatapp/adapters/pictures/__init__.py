"""Pictures without what is not the picture: where and with what they were taken, comments, whatever follows their end.

Each format is walked by its own structure and copied part by part; only parts that a picture needs are written. Not one
pixel is decoded or changed, and of the parts that are dropped one thing is kept: which way up the picture is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chatapp.adapters.pictures import gif, jpeg, png, webp
from chatapp.adapters.pictures.reading import Damaged, Reader, Writer

Clean = Callable[[Reader, Writer], None]

FORMATS: dict[str, Clean] = {
    "image/jpeg": jpeg.clean,
    "image/png": png.clean,
    "image/webp": webp.clean,
    "image/gif": gif.clean,
}


def clean(path: Path, media_type: str) -> bool:
    """Rewrites the file where it lies. False, and it stays as it was, when it is no such picture after all.

    A picture whose end is missing loses nothing else. Files of other types are left alone. Raises OSError.
    """
    clean_format = FORMATS.get(media_type)
    if clean_format is None:
        return True
    draft = path.with_suffix(".clean")
    try:
        with path.open("rb") as source, draft.open("xb") as target:
            clean_format(Reader(source), target)
        draft.replace(path)
    except Damaged:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True

"""Where a page ended, as text that a client carries back."""

from __future__ import annotations

import base64
import json
from typing import Any

from chatapp.domain.errors import InvalidData

MAX_INTEGER = 2**63 - 1
"""SQLite's integers have 64 bits with a sign."""


def make_cursor(*position: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(position, ensure_ascii=False).encode()).decode()


def read_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The position again. Raises InvalidData for what ``make_cursor`` would not have made of parts of these kinds."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor))
        ours = tuple(map(type, position)) == kinds and make_cursor(*position) == cursor
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidData({"cursor": ["invalid"]}) from exc
    if not ours or any(isinstance(part, int) and abs(part) > MAX_INTEGER for part in position):
        raise InvalidData({"cursor": ["invalid"]})
    return tuple(position)

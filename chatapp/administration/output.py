"""Lines for a terminal."""

from __future__ import annotations

import json


def print_line(text: str) -> None:
    """What strangers wrote shall not move the cursor, change colours or turn the line round."""
    print("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text))

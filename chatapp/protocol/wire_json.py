"""JSON as it goes over the wire, for REST and sockets alike."""

from __future__ import annotations

from typing import Any

import orjson


class WireJson:
    """The part of ``json``'s interface that libraries use. Refuses lone surrogates, NaN and bottomless nesting."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        """Raises ValueError."""
        return orjson.loads(text)

"""Times as the stores keep them: integer milliseconds since the epoch, which is all that a ``Clock`` shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def to_ms(at: datetime) -> int: ...
@overload
def to_ms(at: None) -> None: ...
def to_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


@overload
def from_ms(ms: int) -> datetime: ...
@overload
def from_ms(ms: None) -> None: ...
def from_ms(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)

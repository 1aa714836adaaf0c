"""How slow a client may be with what it sends and what it reads.

A server that waits a while for each byte waits for ever: who sends one just before each time-out keeps a connection, a
greenlet and a buffer as long as he likes. So a client has a stock of waiting time, which it spends by keeping us
waiting and earns back by moving bytes. A stall longer than the stock ends it, and so does a trickle; a slow but honest
link does not, however long it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Pace:
    """``stall_seconds`` is the whole stock, earned back at a second for each ``bytes_per_second``; ``max_bytes`` is
    what may be moved at all."""

    def __init__(self, *, stall_seconds: float, bytes_per_second: float, max_bytes: float = float("inf")) -> None:
        self._stock = self._left = stall_seconds
        self._bytes_per_second = bytes_per_second
        self._bytes_left = max_bytes

    def move(self, sock: Any, step: Callable[[Any], int], data: Any) -> int:
        """One ``step``, which is a method of ``sock`` that waits and says how many bytes it has moved. Raises
        TimeoutError when the client was too slow, or has moved too much."""
        if self._left <= 0 or self._bytes_left <= 0:
            raise TimeoutError
        began = time.monotonic()
        sock.settimeout(self._left)
        try:
            moved = step(data)
        except TimeoutError:
            self._left = 0
            raise
        finally:
            sock.settimeout(None)
        earned = moved / self._bytes_per_second
        self._left = min(self._stock, self._left - (time.monotonic() - began) + earned)
        self._bytes_left -= moved
        return moved

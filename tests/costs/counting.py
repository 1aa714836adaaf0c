"""What the event loop's thread does, counted: calls of Python functions and of builtins, writes to sockets,
serialisations, switches of greenlets, and SQLite's statements in all threads.

``install`` before anything else runs: a greenlet takes the profiler from whoever starts it.
"""

from __future__ import annotations

import _socket
import sqlite3
import sys
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any

import greenlet

WRITES = ("send", "sendall", "sendmsg", "sendto")
SERIALISERS = ("orjson", "msgspec.json", "_json")


@dataclass
class Counts:
    python_calls: int = 0
    builtin_calls: int = 0
    socket_writes: int = 0
    serialisations: int = 0
    switches: int = 0
    statements: int = 0


_counts: Counts | None = None


def install() -> None:
    sys.setprofile(_profile)
    connect = sqlite3.connect

    def connect_counted(*arguments: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **kwargs)
        connection.set_trace_callback(_statement)
        return connection

    sqlite3.connect = connect_counted  # type: ignore[assignment]


def begin() -> None:
    global _counts  # noqa: PLW0603 - there is one profiler in a process
    _counts = Counts()
    greenlet.settrace(_switch)


def end() -> dict[str, int]:
    global _counts
    greenlet.settrace(None)
    counts, _counts = _counts, None
    assert counts is not None, "not begun"
    return asdict(counts)


def _profile(_frame: FrameType, event: str, function: Any) -> None:
    counts = _counts
    if counts is None:
        return
    if event == "call":
        counts.python_calls += 1
    elif event == "c_call":
        counts.builtin_calls += 1
        if function.__module__ in SERIALISERS and function.__name__ in ("dumps", "encode"):
            counts.serialisations += 1
        elif function.__name__ in WRITES and isinstance(function.__self__, _socket.socket):
            counts.socket_writes += 1


def _switch(_event: str, _greenlets: Any) -> None:
    if _counts is not None:
        _counts.switches += 1


def _statement(_sql: str) -> None:
    if _counts is not None:
        _counts.statements += 1

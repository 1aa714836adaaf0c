"""The observed application, with ``POST /counts`` to begin counting and ``GET /counts`` to end it."""

from __future__ import annotations

from typing import Any

from benchmarks.observed_app import app
from tests.costs import counting

__all__ = ["app"]


@app.post("/counts")
def begin() -> dict[str, Any]:
    counting.begin()
    return {}


@app.get("/counts")
def end() -> dict[str, int]:
    return counting.end()


@app.post("/tell/<int:events>")
def tell(events: int) -> dict[str, Any]:
    """So many events in one turn of the loop, to every socket."""
    for number in range(events):
        app.extensions["chatapp"].socketio.server.emit("told", number, namespace="/")
    return {}

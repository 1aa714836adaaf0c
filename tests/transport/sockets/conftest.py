"""What tests of sockets share."""

from __future__ import annotations

from typing import Any

import pytest

from chatapp.transport.sockets import fanout


@pytest.fixture(autouse=True)
def broadcasts_reach_what_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broadcast reaches into real WebSockets; here many are none, and each is told by itself."""

    def write_soon_to_all(websockets: list[Any], frame: bytes) -> None:
        for websocket in websockets:
            websocket.write_soon(frame)

    monkeypatch.setattr(fanout, "write_soon_to_all", write_soon_to_all)

"""The chat as it is put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatapp.adapters.local_bus import LocalBus
from chatapp.administration.demo.filling import Nobody
from chatapp.settings import Settings
from chatapp.wiring import build_chat
from tests.fakes import ManualScheduler


def test_a_chat_that_is_closed_looks_after_nothing_any_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(sqlite_path=tmp_path / "chat.db", upload_path=tmp_path / "uploads")
    scheduler, nobody = ManualScheduler(), Nobody()
    chat = build_chat(settings, nobody, nobody, LocalBus(), clock=scheduler.clock, scheduler=scheduler)
    scheduler.advance(60)
    chat.close()
    scheduler.advance(120)
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []

"""The stores that every suite of this folder named for a store runs over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.ports import Store
from tests.contracts.builders import OpenStore


@pytest.fixture(params=["sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Each call gives a new, empty store; all are closed at the end."""
    opened: list[Store] = []

    def sqlite() -> Store:
        opened.append(SqliteStore(tmp_path / f"chat-{len(opened)}.db"))
        return opened[-1]

    yield {"sqlite": sqlite}[request.param]
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()

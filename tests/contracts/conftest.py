"""The stores that every suite of this folder named for a store runs over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from chatapp.adapters.dynamodb_store import client, outbox
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.ports import Journal, Store
from tests.contracts.builders import OpenStore
from tests.engines.dynamodb import DynamoEngine, open_dynamo
from tests.engines.dynamodb_local import DIR, DynamoLocal

DYNAMODB_EXAMPLES = 10
"""Of the state machines: moto takes milliseconds where SQLite takes microseconds. About forty seconds."""


@pytest.fixture(scope="session")
def dynamo_engine() -> Iterator[DynamoEngine]:
    engine = DynamoEngine()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoLocal]:
    engine = DynamoLocal()
    yield engine
    engine.stop()


@pytest.fixture(params=["sqlite", "dynamodb", *(["dynamodb_local"] if DIR else [])])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStore]:
    """Each call gives a new, empty store, with the suite's ``JOURNAL``; all are closed at the end."""
    opened: list[Store] = []
    if request.param != "sqlite" and hasattr(request.module, "PROFILE"):
        quick = settings(request.module.PROFILE, max_examples=DYNAMODB_EXAMPLES)
        monkeypatch.setattr(request.module, "PROFILE", quick)

    def journal() -> Journal | None:
        return getattr(request.module, "JOURNAL", None)

    def sqlite() -> Store:
        opened.append(SqliteStore(tmp_path / f"chat-{len(opened)}.db", journal()))
        return opened[-1]

    monkeypatch.setattr(client, "PATIENCE_SECONDS", 60.0)  # it is asked what is answered, not how soon
    monkeypatch.setattr(outbox, "LONGEST_WAIT_SECONDS", 60.0)

    def dynamodb() -> Store:
        engine: DynamoEngine = request.getfixturevalue("dynamo_engine")
        opened.append(open_dynamo(engine, journal=journal()))
        return opened[-1]

    def local() -> Store:
        engine: DynamoLocal = request.getfixturevalue("dynamodb_local")
        opened.append(open_dynamo(engine, journal=journal()))
        return opened[-1]

    yield {"sqlite": sqlite, "dynamodb": dynamodb, "dynamodb_local": local}[request.param]
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()

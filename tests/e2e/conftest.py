"""The servers that the JavaScript clients talk to, and what they recorded; made when first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.clients_run import ClientRuns
from tests.e2e.server import free_port
from tests.engines.redis import RedisEngine, running_redis


@pytest.fixture(scope="session")
def client_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientRuns]:
    runs = ClientRuns(tmp_path_factory.mktemp("clients"))
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[RedisEngine]:
    with running_redis(free_port()) as engine:
        yield engine

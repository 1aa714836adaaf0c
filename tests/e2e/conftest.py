"""The servers that the JavaScript clients talk to, and what they recorded; made when first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.clients_run import ClientRuns


@pytest.fixture(scope="session")
def client_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientRuns]:
    runs = ClientRuns(tmp_path_factory.mktemp("clients"))
    yield runs
    runs.close()

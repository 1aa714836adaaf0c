"""Every fault, quiet and busy, over four workers: nothing is lost, doubled or out of order, and soon all have it.

``python -m tests.e2e.fault_table`` runs this and writes the table in docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.e2e.matrix.cell import LOADS, WORKERS, LongSleep, long_sleep, run_cell
from tests.e2e.matrix.faults import CLIENTS, ENGINES, STORES, WORKERS_FAULTS, Site
from tests.e2e.matrix.figures import Figures
from tests.e2e.server import START_SECONDS, free_port, running
from tests.e2e.test_cluster import until, until_ready
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import running_redis

PROMISED_SECONDS = 2.0
"""docs/reliability.md: the slowest client has everything so long after the fault is over."""
BUSY_MACHINE = 3
"""Tests share their machine with others; the published table is measured on one that has nothing else to do."""
ACKNOWLEDGED_MIN = {"quiet": 2, "50 messages/s": 50}
"""With less there was nothing to lose."""


@contextmanager
def site(folder: Path, dynamo: DynamoEngine | None = None, **env: str) -> Iterator[Site]:
    with running_redis(free_port()) as redis:
        env |= {"WEB_CONCURRENCY": str(WORKERS), "REDIS_URL": redis.url}
        with running(folder / "server", **env) as server:
            yield Site(server, redis, dynamo)


@pytest.fixture(scope="module")
def sqlite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("sqlite")) as found:
        yield found


@pytest.fixture(scope="module")
def dynamo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    dynamo = DynamoEngine()
    env = {
        "DYNAMODB_ENDPOINT": dynamo.endpoint,
        "DYNAMODB_TABLE_PREFIX": "matrix-",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    try:
        with site(tmp_path_factory.mktemp("dynamo"), dynamo, **env) as found:
            yield found
    finally:
        dynamo.stop()


def wait_until_whole(site: Site) -> None:
    until(lambda: len(site.server.workers()) == WORKERS, "every worker runs", START_SECONDS)
    until_ready(site.server)


def check(fault: str, load: str, found: Figures) -> None:
    if "FAULT_MATRIX_JSON" in os.environ:
        with Path(os.environ["FAULT_MATRIX_JSON"]).open("a") as file:
            file.write(json.dumps({"fault": fault, "load": load, **asdict(found)}) + "\n")
    print(found)
    assert found.findings == ()
    assert found.acknowledged >= ACKNOWLEDGED_MIN[load]
    assert found.catch_up_p99 <= PROMISED_SECONDS * BUSY_MACHINE


def check_cell(site: Site, fault: str, load: str, folder: Path) -> None:
    wait_until_whole(site)
    check(fault, load, run_cell(site, fault, load, folder / re.sub(r"\W+", "-", f"{fault} {load}")))


@pytest.fixture(scope="module", autouse=True)
def sleepers(sqlite_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongSleep]:
    """They fall asleep before everything else, so that nobody waits for them."""
    wait_until_whole(sqlite_site)
    with long_sleep(sqlite_site, tmp_path_factory.mktemp("sleepers") / "sleepers") as found:
        yield found


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("fault", ENGINES)
def test_fault_of_an_engine(fault: str, load: str, sqlite_site: Site, tmp_path: Path) -> None:
    check_cell(sqlite_site, fault, load, tmp_path)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("fault", CLIENTS)
def test_fault_of_a_client(fault: str, load: str, sqlite_site: Site, tmp_path: Path) -> None:
    check_cell(sqlite_site, fault, load, tmp_path)


def test_clients_that_slept_until_the_server_gave_them_up(sleepers: LongSleep) -> None:
    check("client asleep until the ping timeout", "quiet", sleepers.wake())


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("fault", WORKERS_FAULTS)
def test_fault_of_a_worker(fault: str, load: str, sqlite_site: Site, tmp_path: Path) -> None:
    check_cell(sqlite_site, fault, load, tmp_path)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("fault", STORES)
def test_fault_of_the_store(fault: str, load: str, dynamo_site: Site, tmp_path: Path) -> None:
    check_cell(dynamo_site, fault, load, tmp_path)

"""``chatapp torture`` against real servers: it acquits ours, through faults too, and finds every planted bug."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from chatapp.cli import main
from tests.e2e.server import Server, free_port, running
from tests.e2e.wire import PATIENCE
from tests.engines.redis import running_redis

MUTANTS = {
    "dropped_publish": "lost",
    "double_publish": "duplicated",
    "reordered_delivery": "reordered",
    "altered_delivery": "ghost",
    "double_insert": "duplicated",
    "unstored_send": "lost",
    "wrong_unread": "unread",
    "wrong_notice": "unread",
    "no_membership_check": "outsider",
    "deaf_removal": "outsider",
}
"""The functions of ``mutants.py``, and what each must be convicted of."""

AT_ONCE = 3
"""Mutants under trial at the same time; they mostly wait."""


class Verdict:
    def __init__(self, folder: Path, url: str, *flags: str) -> None:
        file = folder / "verdict.json"
        self.status = main(["torture", "--url", url, "--json", str(file), *flags])
        self.report: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    @property
    def kinds(self) -> set[str]:
        return {kind for kind, count in self.report["counts"].items() if count}

    def assert_acquitted(self) -> None:
        assert (self.status, self.report["verdict"], self.report["findings"]) == (0, "acquitted", [])


# ---------------------------------------------------------------- the real server
@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("torture") / "server") as server:
        yield server


def test_the_real_server_is_acquitted_and_left_as_it_was(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = Verdict(tmp_path, server.url, "--users", "12", "--seconds", "5", "--rate", "4", "--seed", "7")
    verdict.assert_acquitted()
    told = verdict.report["figures"]
    assert told["acknowledged"] > 100
    assert told["heard"] > told["acknowledged"]
    assert min(told[name] for name in ("repeats", "refused", "notices", "connectionsLost")) > 0
    assert told["memberships"] > 12
    assert "acquitted (seed 7)" in capsys.readouterr().out
    assert server.get("/api/conversations").json() == {"conversations": []}


@pytest.mark.usefixtures("trials")  # the mutants are tried meanwhile: this one mostly waits
def test_a_cluster_is_acquitted_while_a_worker_is_killed(tmp_path: Path) -> None:
    with running_redis(free_port()) as engine, cluster(tmp_path / "server", engine.url) as server:
        master = str(server.process.pid)
        faults = ["--kill", master, "--workers", "--every", "5"]
        verdict = Verdict(tmp_path, server.url, "--users", "8", "--seconds", "8", "--rate", "4", *faults)
    verdict.assert_acquitted()
    assert len(verdict.report["signalled"]) == 1
    assert verdict.report["figures"]["connectionsLost"] > 0


@contextmanager
def cluster(folder: Path, redis_url: str) -> Iterator[Server]:
    with running(folder, WEB_CONCURRENCY="2", REDIS_URL=redis_url) as server:
        give_up_at = time.monotonic() + PATIENCE
        while len(server.workers()) < 2:
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        yield server


def test_a_stopped_worker_goes_on_before_the_verdict(server: Server, tmp_path: Path) -> None:
    (worker,) = server.workers()
    stop = ["--kill", str(worker), "--signal", "STOP", "--pause", "0.5", "--every", "0.5"]
    verdict = Verdict(tmp_path, server.url, "--users", "3", "--seconds", "2", "--rate", "8", "--keep", *stop)
    verdict.assert_acquitted()
    assert set(verdict.report["signalled"]) == {worker}
    assert len(server.get("/api/conversations").json()["conversations"]) == 3


# ---------------------------------------------------------------- planted bugs
class MutatedServer(Server):
    def _command(self) -> list[str]:
        return [*super()._command()[:-1], "tests.e2e.mutants:app"]

    def _wait_until_it_answers(self) -> None:
        with suppress(requests.Timeout):  # several start at the same time
            return super()._wait_until_it_answers()
        return super()._wait_until_it_answers()


def trial(folder: Path, mutant: str) -> Verdict:
    folder.mkdir()
    server = MutatedServer(folder / "server", MUTANT=mutant)
    try:
        server.start()
        few = ["--users", "8", "--seconds", "2.5", "--rate", "8", "--settle", "1.5", "--seed", "1"]
        return Verdict(folder, server.url, *few)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Verdict]]]:
    folder = tmp_path_factory.mktemp("mutants")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {mutant: pool.submit(trial, folder / mutant, mutant) for mutant in MUTANTS}


@pytest.mark.parametrize(("mutant", "kind"), MUTANTS.items())
def test_a_planted_bug_is_convicted_of_what_it_does(trials: dict[str, Future[Verdict]], mutant: str, kind: str) -> None:
    verdict = trials[mutant].result(timeout=120)
    assert verdict.status == 1
    assert verdict.report["verdict"] == "convicted"
    assert kind in verdict.kinds
    evidence = next(finding for finding in verdict.report["findings"] if finding["kind"] == kind)["evidence"]
    assert evidence["conversation"]


# ---------------------------------------------------------------- nothing to judge
def test_rate_limits_are_said_to_be_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path / "server", RATE_LIMIT_ENABLED="on", RATE_LIMIT_MESSAGES="3/minute") as server:
        verdict = Verdict(tmp_path, server.url, "--users", "4", "--seconds", "20", "--rate", "8")
    assert (verdict.status, verdict.report) == (2, {})
    assert "RATE_LIMIT_ENABLED=off" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_exit_status_2() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(Path(sys.executable).parent / "chatapp"), "torture", "--url", url, "--seconds", "1"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "was not answered well" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--kill", "1"], "process 1 "),
        (["--kill", str(os.getpid())], "is not to be killed"),
        (["--kill", "999999999"], "there is no process"),
        (["--users", "2"], "at least 3 users"),
        (["--rate", "0"], "above 0"),
    ],
)
def test_wrong_usage_is_exit_status_2_before_anything_is_touched(
    flags: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["torture", "--url", "http://127.0.0.1:9", *flags]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", [["--url", "127.0.0.1:3000"], ["--url", "http://h/x"], ["--kill", "a,b"], ["--signal", "CONT"]]
)
def test_wrong_options_are_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["torture", "--url", "http://127.0.0.1:9", *flags])
    assert ended.value.code == 2

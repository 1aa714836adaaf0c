"""The load generator against the server: what it counts is what happened, and nothing gets lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.cases import CASES, Case
from benchmarks.generator import Figures, run
from benchmarks.run import options
from benchmarks.servers import Cores, Running
from benchmarks.table import LOSSES, table
from tests.e2e.server import running

MINI = {
    "fanout": ("fanout --n 6 --m 20 --rate 100 --warm 2", "delivered", 120),
    "typing": ("typing --n 6 --m 20 --rate 100 --warm 2", "delivered", 100),
    "storm": ("storm --k 6 --warm 0 --wait 0", "joined", 6),
    "mixed": ("mixed --users 20 --secs 1 --warm 0 --rate 200", "unanswered", 0),
    "history": ("history --secs 1 --conns 2", "messages_returned", 50),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("bench") / "server") as started:
        yield Running("ours", started.url, started.process.pid)


@pytest.mark.parametrize("name", MINI)
def test_a_scenario_counts_what_happened(server: Running, name: str) -> None:
    load, counted, expected = MINI[name]
    found = run(f"{load} --max-others 1000", server, Cores.here(1), {}, calm=0)
    assert found[counted] == expected
    assert {loss: found[loss] for loss in LOSSES if found.get(loss)} == {}
    assert found["cpu_us"] >= 0


def test_medians_are_of_runs_without_noise_and_losses_are_shown() -> None:
    case = Case("g", "a case", "", "cpu_us_per_message")
    measured = partial(dict[str, object], lat_p99_ms=1.0)
    ours: list[Figures] = [measured(cpu_us_per_message=cost) for cost in (30, 10, 20)]
    ours.append(measured(cpu_us_per_message=900, noisy=True))
    peer: list[Figures] = [measured(cpu_us_per_message=40, noisy=True, missing=2)]
    lines = table([(case, {"chatapp": ours, "peer": peer})]).splitlines()
    assert lines[2:] == [
        "| a case | CPU µs per message | chatapp | 20 (10 – 30) | 1 |  |",
        "|  |  | peer | 40 ~ missing=2 | 1 | 0.50 |",
    ]


def test_options_come_from_the_environment_and_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "dynamodb")
    monkeypatch.setenv("PEER", "somewhere")
    found = options(["fanout", "--workers", "2"])
    assert (found.engine, found.workers, found.runs, found.peer) == ("dynamodb", 2, 5, Path("somewhere"))
    with pytest.raises(SystemExit):
        options(["no-such-case"])
    assert len({case.title for case in CASES}) == len(CASES)

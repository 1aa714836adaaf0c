"""Measures the server, alone or in turn with a peer. ``scripts/bench`` starts it; ``--help`` has the options."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from benchmarks.cases import CASES, GROUPS, Case
from benchmarks.generator import KERNEL, Figures, Limit, run
from benchmarks.servers import Cores, Engines, Running, label_of, ours, peer
from benchmarks.table import middle, table

RESULTS = Path(__file__).parent / "results"
TURNS_WITH_PEER = 5

Starter = Callable[[], AbstractContextManager[Running]]
Runs = dict[str, list[Figures]]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="scripts/bench", description="What a message costs.")
    parser.add_argument("groups", nargs="*", metavar="case", help=f"of: {' '.join(GROUPS)}; all when none is named")
    parser.add_argument("--engine", default=env("ENGINE") or "sqlite", choices=("sqlite", "dynamodb"))
    parser.add_argument("--workers", type=int, default=int(env("WORKERS") or 1), help="more than one share a Redis")
    parser.add_argument("--runs", type=int, default=int(env("RUNS") or 0), help="of each server; 1, with a peer 5")
    parser.add_argument("--peer", type=Path, default=env("PEER") or None, help="folder of a server.mjs to compare with")
    parser.add_argument("--out", type=Path, help="JSON lines; a new file in benchmarks/results by default")
    found = parser.parse_args(arguments)
    unknown = set(found.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    found.runs = found.runs or (TURNS_WITH_PEER if found.peer else 1)
    found.out = found.out or RESULTS / time.strftime("%Y-%m-%d-%H%M%S.jsonl")
    return found


class Bench:
    """Runs cases and keeps what they measured, also in the file ``out``."""

    def __init__(self, engines: Engines, *, out: Path, runs: int, peer: Path | None = None, workers: int = 1) -> None:
        self._engines = engines
        self._out = out
        self._runs = runs
        self._peer = peer
        self.cores = Cores.here(workers)
        self._limit = Limit(self.cores)
        out.parent.mkdir(parents=True, exist_ok=True)

    def case(self, case: Case, label: str, starter: Starter) -> Runs:
        """In turn our server, each variant of the peer, and for deliveries the kernel alone."""
        servers: dict[str, Starter] = {label: starter}
        if self._peer:
            for variant in case.peers:
                servers[variant] = partial(peer, self._engines, self.cores, self._peer, variant)
        found: Runs = {name: [] for name in servers}
        for _ in range(self._runs):
            for name, start in servers.items():
                with start() as server:
                    figures = run(case.load, server, self.cores, self._engines.pids)
                self._keep(case, found[name], figures)
            self._kernel(case, found, label)
        return found

    def _kernel(self, case: Case, found: Runs, label: str) -> None:
        """The same frames to as many sockets."""
        if case.writes is None or not self._limit.is_there:
            return
        frame_bytes = middle(found[label], "frame_bytes") or 0
        figures = self._limit.run(*case.writes, round(frame_bytes))
        self._keep(case, found.setdefault(KERNEL, []), figures)

    def _keep(self, case: Case, runs: list[Figures], figures: Figures) -> None:
        runs.append(figures)
        with self._out.open("a") as out:
            out.write(json.dumps({"case": case.title, "cost": case.cost, **figures}) + "\n")

    def close(self) -> None:
        self._limit.close()


def prepare() -> None:
    """Thousands of sockets in one process, which what is started from here inherits; and SIGTERM ends that too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def wanted(groups: list[str]) -> Iterator[Case]:
    return (case for case in CASES if not groups or case.group in groups)


def main() -> None:
    chosen = options()
    prepare()
    with ExitStack() as stack:
        engines = stack.enter_context(Engines())
        bench = Bench(engines, out=chosen.out, runs=chosen.runs, peer=chosen.peer, workers=chosen.workers)
        stack.callback(bench.close)
        start = partial(ours, engines, bench.cores, engine=chosen.engine, workers=chosen.workers)
        done: list[tuple[Case, Runs]] = []
        for case in wanted(chosen.groups):
            print(case.title, file=sys.stderr)
            done.append((case, bench.case(case, label_of(chosen.engine, chosen.workers), start)))
    print(table(done))
    print(f"\nEach run: {os.path.relpath(chosen.out)}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""What a message costs as there is more: members in the room, workers, stored messages. For the plots.

    scripts/bench-plots           measures all (some minutes) and draws benchmarks/figures/*.png
    PEER=<folder of a server.mjs> RUNS=3 scripts/bench-plots paced saturated

Each point goes into benchmarks/figures/sweeps.json, in place of the earlier ones of its panel.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.cases import Case, paced, pairs_of, saturated
from benchmarks.generator import Figures
from benchmarks.run import RESULTS, Bench, prepare
from benchmarks.servers import Engines, ours
from benchmarks.table import middle

FIGURES = Path(__file__).parent / "figures"
POINTS = FIGURES / "sweeps.json"

MEMBERS = (30, 100, 300, 1_000, 2_000)
WORKERS = (1, 2, 4)
ROOM_OF_WORKERS = 400


@dataclass(frozen=True, slots=True)
class Point:
    """``x`` members, workers or messages; ``y`` microseconds of CPU. ``panel`` is a part of the sweep's picture."""

    sweep: str
    panel: str
    series: str
    x: float
    y: float


def members(panel: str, make: Callable[[int], Case], engines: Engines, options: argparse.Namespace) -> Iterator[Point]:
    for count in MEMBERS:
        for series, y in measured(engines, options, make(count), workers=1):
            yield Point("members", panel, series, count, y)


def workers(engines: Engines, options: argparse.Namespace) -> Iterator[Point]:
    cases = {
        f"a delivery, {ROOM_OF_WORKERS} in the room": saturated(ROOM_OF_WORKERS),
        "a message between two": pairs_of(200),
    }
    for panel, case in cases.items():
        for count in WORKERS:
            alone = argparse.Namespace(**{**vars(options), "peer": None})
            for series, y in measured(engines, alone, case, workers=count):
                if series == "chatapp":
                    yield Point("workers", panel, "all workers together", count, y)


def stored(_engines: Engines, _options: argparse.Namespace) -> Iterator[Point]:
    """In a process of its own: the store's threads want gevent, this process blocks."""
    code = "import json; from benchmarks.send_cost import sqlite_costs; print(json.dumps(sqlite_costs()))"
    answer = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    for name, (cpu, wall) in json.loads(answer.stdout).items():
        x, panel = (
            (name.removeprefix("group of "), "by members")
            if name.startswith("group")
            else (name.split()[0], "by messages stored")
        )
        for series, y in (("CPU", cpu), ("wall time", wall)):
            yield Point("stored", panel, series, float(x.replace(",", "")), y)


def measured(engines: Engines, options: argparse.Namespace, case: Case, *, workers: int) -> Iterator[tuple[str, float]]:
    """The medians of our server, named chatapp, and of what it is compared with."""
    bench = Bench(engines, out=options.out, runs=options.runs, peer=options.peer, workers=workers)
    try:
        start = partial(ours, engines, bench.cores, engine="sqlite", workers=workers)
        runs: dict[str, list[Figures]] = bench.case(case, "chatapp", start)
    finally:
        bench.close()
    for series, figures in runs.items():
        y = middle(figures, case.cost)
        if y is not None:
            yield series, y


SWEEPS: dict[str, Callable[[Engines, argparse.Namespace], Iterator[Point]]] = {
    "paced": partial(members, "20,000 deliveries/s", paced),
    "saturated": partial(members, "saturated", saturated),
    "workers": workers,
    "stored": stored,
}


def read() -> list[Point]:
    return [Point(**point) for point in json.loads(POINTS.read_text())["points"]] if POINTS.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench-plots")
    parser.add_argument("sweeps", nargs="*", help=f"of: {' '.join(SWEEPS)}; all when none is named")
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS") or 1))
    parser.add_argument("--peer", type=Path, default=os.environ.get("PEER") or None)
    options = parser.parse_args()
    if unknown := set(options.sweeps) - set(SWEEPS):
        parser.error(f"unknown: {' '.join(unknown)}")
    options.out = RESULTS / time.strftime("%Y-%m-%d-%H%M%S-sweeps.jsonl")
    prepare()
    with Engines() as engines:
        for name in options.sweeps or SWEEPS:
            found = list(SWEEPS[name](engines, options))
            for point in found:
                print(f"{point.sweep}, {point.panel}: {point.series} {point.x:g}: {point.y:.1f}")
            keep(found)


def keep(found: list[Point]) -> None:
    panels = {(point.sweep, point.panel) for point in found}
    points = sorted([point for point in read() if (point.sweep, point.panel) not in panels] + found, key=order)
    FIGURES.mkdir(exist_ok=True)
    about = {"machine": f"{os.cpu_count()} CPUs, Python {platform.python_version()}", "date": time.strftime("%Y-%m-%d")}
    lines = ",\n".join(json.dumps(asdict(point)) for point in points)
    POINTS.write_text(f'{{"about": {json.dumps(about)}, "points": [\n{lines}\n]}}\n')


def order(point: Point) -> tuple[str, str]:
    return point.sweep, point.panel


if __name__ == "__main__":
    main()

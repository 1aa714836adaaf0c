"""Runs the fault matrix and writes its figures into docs/reliability.md.

    python -m tests.e2e.fault_table [--rounds 3]

Times are only worth publishing from a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- fault matrix -->\n", "<!-- /fault matrix -->\n"
HEAD = (
    "| fault | load | clients | acknowledged | lost | duplicated | reordered "
    "| catch-up p50 | catch-up p99 | slowest answer |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)

Cell = dict[str, Any]


def measured(rounds: int) -> list[Cell]:
    """Raises SystemExit when a cell is red: its figures are nothing to publish."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cells"
        for _ in range(rounds):
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "tests/e2e/test_fault_matrix.py"],
                cwd=ROOT,
                env=os.environ | {"FAULT_MATRIX_JSON": str(file)},
                check=True,
            )
        return [json.loads(line) for line in file.read_text().splitlines()]


def table(cells: Iterable[Cell]) -> str:
    """The rounds of a cell are summed up, and its times are the worst of them."""
    grouped: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        grouped[cell["fault"], cell["load"]].append(cell)
    return HEAD + "".join(_row(fault, load, rounds) for (fault, load), rounds in grouped.items())


def _row(fault: str, load: str, rounds: list[Cell]) -> str:
    sums = [str(sum(cell[name] for cell in rounds)) for name in ("acknowledged", "lost", "duplicated", "reordered")]
    times = [
        f"{max(cell[name] for cell in rounds):.2f} s" for name in ("catch_up_p50", "catch_up_p99", "slowest_answer")
    ]
    return f"| {' | '.join((fault, load, str(rounds[0]['clients']), *sums, *times))} |\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--rounds", type=int, default=1)
    written = table(measured(options.parse_args().rounds))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n" + written + "\n" + END + after)
    print(written)


if __name__ == "__main__":
    main()

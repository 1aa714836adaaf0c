"""Medians of runs, and their ratios, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.cases import LATENCIES, TITLES, Case
from benchmarks.generator import Figures

LOSSES = ("missing", "dup", "disorder", "failed", "unacked", "socket_errors")
HEAD = ("case", "cost", "server", "median (least – most)", "p99, ms", "ours / it")


def clean(runs: Iterable[Figures]) -> list[Figures]:
    """Those during which nothing else ran, if there are any."""
    every = list(runs)
    return [run for run in every if not run.get("noisy")] or every


def middle(runs: Iterable[Figures], name: str) -> float | None:
    found = [run[name] for run in clean(runs) if run.get(name) is not None]
    return median(found) if found else None


def table(case_runs: Sequence[tuple[Case, dict[str, list[Figures]]]]) -> str:
    """For each case, what each server's runs measured; the first server is ours."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for case, runs in case_runs:
        rows += _rows(case, runs)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _rows(case: Case, runs: dict[str, list[Figures]]) -> Iterable[tuple[str, ...]]:
    first = next(iter(runs))
    reference = middle(runs[first], case.cost)
    for label, of_label in runs.items():
        cost = middle(of_label, case.cost)
        if cost is None:
            continue
        values = [run[case.cost] for run in clean(of_label)]
        spread = f" ({figure(min(values))} – {figure(max(values))})" if len(values) > 1 else ""
        noisy = "" if any(not run.get("noisy") for run in of_label) else " ~"
        p99 = middle(of_label, LATENCIES.get(case.cost, "lat_p99_ms"))
        ratio = f"{reference / cost:.2f}" if label != first and reference and cost > 0 else ""
        head = (case.title, TITLES[case.cost]) if label == first else ("", "")
        yield (
            *head,
            label,
            figure(cost) + spread + noisy + _losses(of_label),
            "" if p99 is None else figure(p99),
            ratio,
        )


def _losses(runs: list[Figures]) -> str:
    sums = {name: sum(run.get(name) or 0 for run in runs) for name in LOSSES}
    return "".join(f" {name}={count}" for name, count in sums.items() if count)


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

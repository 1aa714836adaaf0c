"""One hour of traffic in some minutes, and whether the worker holds more after it than before.

    .venv/bin/python -m benchmarks.soak

Cycle after cycle people connect, join, read, write and leave: well, without a goodbye, or cut off. After each, when
nobody is there and what is kept for those cut off has run out, the process is counted. What a session leaves behind is
the slope over the cycles after the first third, which fills the caches.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.generator import Figures, run
from benchmarks.servers import Cores, Engines, Running, ours

RECOVERY_SECONDS, GRACE_SECONDS = 1, 0.2
"""Compressed like everything else; 120 and 2 in the product."""

LONGEST_TIMER_SECONDS = RECOVERY_SECONDS + 1.0
"""Of what is begun for a session and outlives it. ``soak_app`` shortens what no setting does."""

AT_REST_SECONDS = 20.0
"""How long the last socket may take to be gone."""

Observed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a session may leave behind. A leak leaves at least one object, or one block, of each; ``bytes`` are of
    resident memory of its own, not of mapped files, and so coarse that they only show what no object stands for."""

    objects: float = 0.25
    blocks: float = 1.0
    bytes: float = 1024.0


@dataclass(frozen=True, slots=True)
class Growth:
    """Per session."""

    objects: float
    blocks: float
    bytes: float

    def exceeds(self, bounds: Bounds) -> list[str]:
        return [name for name in ("objects", "blocks", "bytes") if getattr(self, name) > getattr(bounds, name)]


@dataclass(frozen=True, slots=True)
class Plan:
    """An hour of a company of 200: two sessions a second, twenty messages a second."""

    cycles: int = 24
    sessions: int = 300
    messages: int = 10
    at_once: int = 40


HOUR = Plan()


def soak(plan: Plan, tell: Callable[[str], None]) -> list[Observed]:
    """The worker at rest after each cycle. Raises RunFailed, RuntimeError."""
    cores = Cores.here(1)
    settings = {
        "CONNECTION_STATE_RECOVERY_SECONDS": str(RECOVERY_SECONDS),
        "PRESENCE_GRACE_SECONDS": str(GRACE_SECONDS),
    }
    found: list[Observed] = []
    groups = ""
    with (
        Engines() as engines,
        ours(engines, cores, engine="sqlite", workers=1, app="benchmarks.soak_app:app", more=settings) as server,
    ):
        for cycle in range(plan.cycles):
            done = churn(server, cores, plan, groups)
            groups = ",".join(done["groups"])
            if done["failed"] or done["messages"] != plan.sessions * plan.messages:
                raise RuntimeError(f"not everything was done: {done}")
            found.append(at_rest(server.url))
            tell(f"{(cycle + 1) * plan.sessions:6,} sessions: {shown(found[-1])}")
    return found


def shown(found: Observed) -> str:
    return f"{found['objects']:9,} objects, {found['blocks']:9,} blocks, {found['anonymous_kb'] / 1024:6.1f} MB"


def churn(server: Running, cores: Cores, plan: Plan, groups: str) -> Figures:
    load = f"churn --sessions {plan.sessions} --each {plan.messages} --conc {plan.at_once} --max-others 1000"
    return run(f"{load} --groups {groups}" if groups else load, server, cores, {}, calm=0)


def at_rest(url: str) -> Observed:
    give_up_at = time.monotonic() + AT_REST_SECONDS
    while observe(url)["sockets"]:
        if time.monotonic() > give_up_at:
            raise RuntimeError("sockets are left though everybody has gone")
        time.sleep(0.1)
    time.sleep(LONGEST_TIMER_SECONDS)
    return observe(url)


def observe(url: str) -> Observed:
    with urllib.request.urlopen(f"{url}/observed", timeout=30) as answer:  # noqa: S310 - our own
        found: Observed = json.load(answer)
    return found


def growth(found: Sequence[Observed], sessions: int) -> Growth:
    """Slopes by least squares over all but the first third; ``sessions`` are those of one cycle."""
    settled = found[len(found) // 3 :]
    return Growth(
        objects=slope([each["objects"] for each in settled]) / sessions,
        blocks=slope([each["blocks"] for each in settled]) / sessions,
        bytes=slope([each["anonymous_kb"] * 1024 for each in settled]) / sessions,
    )


def slope(values: Sequence[float]) -> float:
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / spread


def grown_types(first: Observed, last: Observed) -> dict[str, int]:
    """Which objects there are more of, the most grown first."""
    more = {name: count - first["types"].get(name, count) for name, count in last["types"].items()}
    return {name: count for name, count in sorted(more.items(), key=lambda each: -each[1]) if count > 0}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Looks for leaks.")
    for name in ("cycles", "sessions", "messages"):
        parser.add_argument(f"--{name}", type=int, default=getattr(HOUR, name))
    plan = Plan(**vars(parser.parse_args()))
    found = soak(plan, tell=print)
    grown = growth(found, plan.sessions)
    print(f"per session: {grown.objects:.3f} objects, {grown.blocks:.3f} blocks, {grown.bytes:.0f} bytes")
    print(f"grown since a third: {grown_types(found[len(found) // 3], found[-1])}")
    if over := grown.exceeds(Bounds()):
        sys.exit(f"It grows: {', '.join(over)}")


if __name__ == "__main__":
    main()

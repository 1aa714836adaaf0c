"""``chatapp torture``: its options, its summary and its exit status."""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chatapp.torture.case import KINDS, Finding
from chatapp.torture.client import Unusable
from chatapp.torture.faults import Faults, Process, WrongTarget
from chatapp.torture.history import History
from chatapp.torture.run import Outcome, Plan, torture

SHOWN = 5
"""Findings of one kind that the summary shows; the JSON has all."""

SIGNALS = ("KILL", "TERM", "HUP", "INT", "QUIT", "STOP", "USR1", "USR2")
FEWEST_USERS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--url", required=True, type=_url, help="the server, for example http://127.0.0.1:3000")
    add("--users", type=int, default=50, help="clients that write (default 50)")
    add("--seconds", type=float, default=120, help="how long they do (default 120)")
    add("--rate", type=float, default=1.0, help="actions of each client in a second (default 1)")
    add("--settle", type=float, default=10, help="seconds in which all must have arrived live (default 10)")
    add("--kill", type=_pids, default=(), metavar="PID[,PID…]", help="processes of your own that get a signal in turn")
    add("--workers", action="store_true", help="signal not them but their children, a gunicorn master's workers")
    add("--every", type=float, default=10, metavar="SECONDS", help="between two signals (default 10)")
    add("--signal", choices=SIGNALS, default="KILL", help="which (default KILL); STOP is followed by CONT")
    add("--pause", type=float, default=5, metavar="SECONDS", help="from STOP to CONT (default 5)")
    add("--socket-path", default="/socket.io", help="the server's SOCKET_PATH (default /socket.io)")
    add("--seed", type=int, default=None, help="makes the clients do the same again")
    add("--keep", action="store_true", help="leave the run's users and messages also when all is well")
    add("--json", type=Path, metavar="FILE", help="write the verdict with all evidence there")


def _url(text: str) -> str:
    where = urlsplit(text)
    if where.scheme not in ("http", "https") or not where.hostname or where.path not in ("", "/"):
        raise argparse.ArgumentTypeError(f"must be like http://host:port, got {text!r}")
    return f"{where.scheme}://{where.netloc}"


def _pids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(pid) for pid in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be process ids, got {text!r}") from None


def run(options: argparse.Namespace) -> int:
    """0: no fault found. 1: convicted. 2: wrong usage, or nothing could be judged."""
    seed = random.randrange(10**6) if options.seed is None else options.seed  # noqa: S311 - no secret
    try:
        plan = _plan(options, seed)
        targets = tuple(Process.named(pid) for pid in options.kill)
        number = signal.Signals[f"SIG{options.signal}"]
        faults = Faults(targets, number, every=options.every, pause=options.pause, workers=options.workers)
        outcome = torture(plan, faults)
    except (Unusable, WrongTarget) as exc:
        print(f"chatapp torture: {exc}", file=sys.stderr)
        return 2
    report = report_of(plan, outcome)
    if options.json:
        options.json.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print("\n".join(summary(report, outcome.findings)))
    return 1 if outcome.findings else 0


def _plan(options: argparse.Namespace, seed: int) -> Plan:
    if options.users < FEWEST_USERS or min(options.seconds, options.rate, options.every) <= 0:
        raise Unusable(f"it takes at least {FEWEST_USERS} users, and seconds, rate and every above 0")
    return Plan(
        url=options.url,
        users=options.users,
        seconds=options.seconds,
        rate=options.rate,
        settle=options.settle,
        seed=seed,
        socket_path=options.socket_path,
        keep=options.keep,
    )


# ---------------------------------------------------------------- what it says
def report_of(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    counts = Counter(finding.kind for finding in outcome.findings)
    return {
        "verdict": "convicted" if outcome.findings else "acquitted",
        "url": plan.url,
        "seed": plan.seed,
        "users": plan.users,
        "seconds": plan.seconds,
        "signalled": list(outcome.hurt),
        "figures": figures(outcome.history),
        "counts": {kind: counts[kind] for kind in KINDS},
        "findings": [
            {"kind": finding.kind, "what": finding.what, "evidence": finding.evidence} for finding in outcome.findings
        ],
    }


def figures(history: History) -> dict[str, int]:
    entries = Counter(type(entry).__name__ for seen in history.seen.values() for entry in seen)
    return {
        "sends": len(history.sends),
        "acknowledged": sum(bool(send.answers) for send in history.sends),
        "refused": sum(send.refused is not None for send in history.sends),
        "unanswered": sum(not send.answers and send.refused is None for send in history.sends),
        "repeats": sum(max(0, len(send.answers) - 1) for send in history.sends),
        "heard": entries["Heard"],
        "notices": entries["Noticed"],
        "connectionsLost": entries["Cut"],
        "catchUps": entries["CaughtUp"],
        "memberships": len(history.memberships),
    }


def summary(report: dict[str, Any], findings: tuple[Finding, ...]) -> list[str]:
    told = report["figures"]
    lines = [
        f"{told['sends']} messages sent, {told['acknowledged']} acknowledged, {told['refused']} refused, "
        f"{told['unanswered']} never answered; heard {told['heard']} times, {told['notices']} notices, "
        f"{told['connectionsLost']} connections lost, {len(report['signalled'])} signals",
    ]
    for kind in KINDS:
        found = [finding.what for finding in findings if finding.kind == kind]
        lines += [f"{kind}: {len(found)}", *(f"  {what}" for what in found[:SHOWN])]
        if len(found) > SHOWN:
            lines.append("  …")
    return [*lines, f"{report['verdict']} (seed {report['seed']})"]

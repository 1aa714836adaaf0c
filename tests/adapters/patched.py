"""Tests of what waits on a network, in a process of their own that gevent has patched from its first line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


def run_patched(file: str) -> None:
    """``file`` is a module of tests, from the root of the repository; its own name keeps it from being collected."""
    run_it = ["pytest", "-q", "-p", "no:cacheprovider", file]
    if "COVERAGE_RUN" in os.environ:  # the suite is being measured: so is this
        run_it = ["coverage", "run", "--rcfile", str(ROOT / "pyproject.toml"), "-m", *run_it]
    command = [sys.executable, "-m", "gevent.monkey", "--module", *run_it]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

"""A key set that is fetched: what must be known before anybody asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RUN = "tests/adapters/jwt_tokens/jwks_url_run.py"
SECONDS = 120


def test_over_a_real_server() -> None:
    """In a process of its own, patched by gevent from its first line: here a fetch would stop us all."""
    run_it = ["pytest", "-q", "-p", "no:cacheprovider", RUN]
    if "COVERAGE_RUN" in os.environ:  # the suite is being measured: so is this
        run_it = ["coverage", "run", "--rcfile", str(ROOT / "pyproject.toml"), "-m", *run_it]
    command = [sys.executable, "-m", "gevent.monkey", "--module", *run_it]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

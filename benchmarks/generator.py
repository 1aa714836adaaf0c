"""One run of the load generator, or of the kernel alone, and what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.servers import Cores, Running

FOLDER = Path(__file__).parent
NOISY = 3
TRIES = 3
CALM_SECONDS = 10
"""How long a run waits for the machine to be idle."""

KERNEL = "kernel"
Figures = dict[str, Any]


class RunFailed(Exception):
    """The generator's own words are on standard error."""


def run(load: str, server: Running, cores: Cores, aux: dict[str, int], *, calm: int = CALM_SECONDS) -> Figures:
    """What ``load`` cost the server. A run during which others used the machine is repeated; after ``TRIES`` it counts,
    and its figures say ``noisy``. Raises RunFailed."""
    command = ["taskset", "-c", str(cores.load), "node", str(FOLDER / "load" / "main.mjs"), *load.split()]
    command += ["--url", server.url, "--pids", str(server.pid), "--label", server.label, "--calm", str(calm)]
    if aux:
        command += ["--aux", ",".join(f"{name}:{pid}" for name, pid in aux.items())]
    figures: Figures = {}
    for _ in range(TRIES):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, NOISY):
            raise RunFailed(f"{server.label}: {load}")
        figures = json.loads(done.stdout.splitlines()[-1])
        if done.returncode == 0:
            break
    return figures


class Limit:
    """What the kernel alone takes for a delivery: ``limit.c``, where there is a compiler."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        compiler = shutil.which("cc")
        self._binary = f"{self._folder.name}/limit" if compiler else None
        if compiler and self._binary:
            subprocess.run([compiler, "-O2", "-o", self._binary, str(FOLDER / "limit.c")], check=True)

    @property
    def is_there(self) -> bool:
        return self._binary is not None

    def run(self, sockets: int, gap_us: int, frame_bytes: int, *, together: int = 1) -> Figures:
        """``together`` frames leave in one system call."""
        rounds = max(1, 100_000 // sockets // together)
        arguments = (sockets, rounds, frame_bytes, gap_us, together, self._cores.server[0], self._cores.load)
        done = subprocess.run([str(self._binary), *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
        return {"scenario": "limit", "label": KERNEL, **json.loads(done.stdout)}

    def close(self) -> None:
        self._folder.cleanup()

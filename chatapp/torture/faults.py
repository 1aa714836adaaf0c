"""Signals to processes that the operator names, and to no other."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class WrongTarget(ValueError):
    """The sentence says which, and why."""


@dataclass(frozen=True, slots=True)
class Process:
    """``started`` tells it from another that gets the same number later."""

    pid: int
    started: str

    @classmethod
    def named(cls, pid: int) -> Process:
        """Raises WrongTarget unless it runs, is this user's, and is not the torturer itself."""
        folder = Path(f"/proc/{pid}")
        try:
            owner = folder.stat().st_uid
            started = _started(folder)
        except OSError:
            raise WrongTarget(f"there is no process {pid} (or no /proc to see it in)") from None
        if owner != os.getuid():
            raise WrongTarget(f"process {pid} is another user's")
        if pid in (1, os.getpid()):
            raise WrongTarget(f"process {pid} is not to be killed")
        return cls(pid, started)

    def signal(self, number: signal.Signals) -> bool:
        """False when it is gone."""
        with suppress(OSError):
            if _started(Path(f"/proc/{self.pid}")) == self.started:
                os.kill(self.pid, number)
                return True
        return False

    def children(self) -> list[Process]:
        found = []
        with suppress(OSError):
            for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
                with suppress(WrongTarget):
                    found.append(Process.named(int(pid)))
        return found


def _started(folder: Path) -> str:
    """The 22nd field of ``stat``; the second, a name in parentheses, may hold anything."""
    return (folder / "stat").read_text().rpartition(")")[2].split()[19]


class Faults:
    """Every so many seconds the next process gets the signal; one that was stopped goes on after ``pause`` seconds."""

    def __init__(
        self, targets: tuple[Process, ...], number: signal.Signals, *, every: float, pause: float, workers: bool
    ) -> None:
        self._targets = targets
        self._number = number
        self._every, self._pause = every, pause
        self._workers = workers
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent: list[int] = []
        """The process ids, in order."""

    def start(self) -> None:
        if self._targets:
            self._thread.start()

    def stop(self) -> None:
        """Returns when nothing is stopped any more."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        turns = itertools.count()
        while not self._ending.wait(self._every):
            turn = next(turns)
            target = self._targets[turn % len(self._targets)]
            if self._workers:
                children = target.children()
                if not children:
                    continue
                target = children[turn % len(children)]
            self._hurt(target)

    def _hurt(self, target: Process) -> None:
        if target.signal(self._number):
            self.sent.append(target.pid)
            if self._number is signal.SIGSTOP:
                self._ending.wait(self._pause)
                target.signal(signal.SIGCONT)

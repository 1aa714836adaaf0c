"""Some members in a process of their own, which can be put to sleep and does not slow down those who watch.

The process is told what to do in lines on its standard input, and answers some of them in lines of JSON:

    write              its writers begin
    say                each begins a message at once, unless it waits for an answer; answered when they have begun
    hush               they end, each when its message is acknowledged
    home               answered when all are connected and in their rooms
    idle               answered when nothing is unacknowledged
    where              answered with the worker of each user
    move USER          cut that connection; its client comes back, to any worker
    finish {room: seq} answered when all have everything, or will not get it live; what they saw is then in a file
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatapp.torture.history import History
from chatapp.torture.recorder import Recorder
from tests.e2e.matrix.members import LOOK_SECONDS, Member, Part

ROOT = Path(__file__).parents[3]
HOME_SECONDS = 30.0
LIVE_SECONDS = 10.0
"""How long a message may take to arrive by itself; then it is asked for, and the judge calls it lost."""
ANSWER_SECONDS = HOME_SECONDS + LIVE_SECONDS


class Crowd:
    """The process as its tests hold it."""

    def __init__(self, folder: Path, name: str, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self._file = folder / f"{name}.pickle"
        plan = json.dumps({"file": str(self._file), "parts": [asdict(part) for part in parts]})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.matrix.crowd", plan],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # its end of file ends the process, however we end
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")

    def ask(self, *words: str) -> Any:
        self.tell(*words)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        assert line, f"the crowd does not answer {words[0]}"
        return json.loads(line)

    def sleep(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def finish(self, last_seqs: dict[str, int]) -> History:
        self.ask("finish", json.dumps(last_seqs))
        history: History = pickle.loads(self._file.read_bytes())
        return history

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


# ---------------------------------------------------------------- in the process
class _Crowd:
    def __init__(self, file: str, parts: list[dict[str, Any]]) -> None:
        self._file = Path(file)
        self._recorder = Recorder()
        self._writing = threading.Event()
        self._members = {part["user"]: Member(Part(**part), self._recorder, writing=self._writing) for part in parts}
        for member in self._members.values():
            member.start()

    def obey(self, order: str, argument: str) -> Any:
        """None is not answered."""
        match order:
            case "write":
                self._writing.set()
            case "say":
                return self._say()
            case "hush":
                self._writing.clear()
            case "home":
                return self._wait(lambda member: member.is_home, HOME_SECONDS)
            case "idle":
                return self._wait(lambda member: member.is_idle, HOME_SECONDS)
            case "where":
                return {user: member.worker for user, member in self._members.items()}
            case "move":
                self._members[argument].client.cut()
            case "finish":
                return self._finish(json.loads(argument))
        return None

    def _say(self) -> list[str]:
        begun = {user: member.begun for user, member in self._members.items() if member.part.rate}
        for user in begun:
            self._members[user].hurry()
        return self._wait(
            lambda member: member.is_sending or member.begun > begun.get(member.part.user, -1), HOME_SECONDS
        )

    def _wait(self, condition: Callable[[Member], bool], seconds: float) -> list[str]:
        """Those for whom it did not come true in time."""
        give_up_at = time.monotonic() + seconds
        while late := [user for user, member in self._members.items() if not condition(member)]:
            if time.monotonic() > give_up_at:
                break
            time.sleep(LOOK_SECONDS)
        return late

    def _finish(self, last_seqs: dict[str, int]) -> list[str]:
        late = self._wait(lambda member: member.has_all(last_seqs), LIVE_SECONDS)
        history = self._recorder.history()  # before the connections are closed: the rooms are open
        for member in self._members.values():
            member.stop()
        self._file.write_bytes(pickle.dumps(history))
        return late


def main() -> None:
    crowd = _Crowd(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        order, _, argument = line.strip().partition(" ")
        answer = crowd.obey(order, argument)
        if answer is not None:
            print(json.dumps(answer), flush=True)
    os._exit(0)  # threads that wait for a silent server


if __name__ == "__main__":
    main()

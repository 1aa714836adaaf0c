"""A real clamd on a Unix socket, with one signature, ours: it starts in a second, and asks nobody for anything."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MALWARE = b"CHATAPP-TEST-SIGNATURE-5d41402abc4b2a76"
"""Harmless everywhere but here."""

SIGNATURE = "Chatapp.Test"
FOUND_AS = f"{SIGNATURE}.UNOFFICIAL"
"""So clamd calls what stands in a database that ClamAV has not signed."""

FILE_MAX_BYTES = 1024 * 1024
STREAM_MAX_BYTES = 2 * 1024 * 1024
START_SECONDS = 30


class ClamdEngine:
    """``freeze`` makes it accept connections and never answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "clamd.sock"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "db").mkdir()
        (folder / "db" / "test.ndb").write_text(f"{SIGNATURE}:0:*:{MALWARE.hex()}\n")
        self._write_configuration()
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    # ------------------------------------------------------------ its life
    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program(), "--foreground", f"--config-file={self._folder / 'clamd.conf'}"], stdout=log, stderr=log
            )
        give_up_at = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                raise RuntimeError(f"clamd does not start; it says:\n{(self._folder / 'log').read_text()[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
        self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def _pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"zPING\0")
                return probe.recv(16) == b"PONG\0"
            except OSError:
                return False

    def _write_configuration(self) -> None:
        options = {
            "LocalSocket": self._socket,
            "DatabaseDirectory": self._folder / "db",
            "TemporaryDirectory": self._folder,
            "Foreground": "yes",
            "MaxThreads": 4,
            "MaxFileSize": FILE_MAX_BYTES,
            "StreamMaxLength": STREAM_MAX_BYTES,
            "AlertExceedsMax": "yes",
        }
        lines = "".join(f"{name} {value}\n" for name, value in options.items())
        (self._folder / "clamd.conf").write_text(lines)


def _program() -> str:
    """A missing engine fails the run."""
    found = shutil.which("clamd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise RuntimeError("clamd is missing. On Debian: apt-get install clamav-daemon (scripts/test does so for root)")
    return found


@contextmanager
def running_clamd() -> Iterator[ClamdEngine]:
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder:  # a socket's path has at most 107 bytes
        engine = ClamdEngine(Path(folder))
        try:
            yield engine
        finally:
            engine.stop()

"""Several workers on one port, without a proxy: a connection goes to the worker that keeps its session.

A session lives in one process, but the requests of a polling client come on any connection, and the kernel gives
each connection to any worker. So a session's id begins with its owner's process id, and a worker that reads a request
line with a sibling's session passes on the accepted socket (SCM_RIGHTS) with the bytes it has read: to a datagram
socket in a folder that only this server's workers can enter. What the sender has sent is the owner's alone; what it
could not send it has untouched. See ``docs/decisions/0005-session-handoff.md``.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import shutil
import tempfile
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX, CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SHUT_RD, SOCK_DGRAM, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qs, unquote

import gevent
import structlog
from gevent import socket

log = structlog.get_logger(__name__)

OWNED = re.compile(r"([1-9a-f][0-9a-f]{0,7})\.")
"""How the session ids of several workers begin: the owner's process id in hex (Linux has at most 22 bits)."""

PATIENCE_SECONDS = 5.0
"""How long an owner whose queue is full (10 connections by the kernel's default) may take."""

READ_MAX_BYTES = 65536
"""A request line of 8,192 bytes and a reader's buffer of as many can have been read. More is never sent."""

FOLDER_PATH_MAX = 80
"""A Unix socket's path has at most 107 bytes."""


def session_of(request_line: str, socket_path: str) -> str | None:
    """The session that a request to the Socket.IO endpoint names, empty when it asks for a new one; None for anything
    but such a request."""
    words = request_line.split()
    if len(words) != 3:
        return None
    path, _, query = words[1].partition("?")
    if not unquote(path).startswith(f"{socket_path}/"):
        return None
    return parse_qs(query).get("sid", [""])[0]


def owner_of(request_line: str, socket_path: str) -> int | None:
    """The process id that the request's session names; None for anything but a request to the Socket.IO endpoint
    with such a session."""
    owned = OWNED.match(session_of(request_line, socket_path) or "")
    return int(owned[1], 16) if owned else None


# ---------------------------------------------------------------- where the workers meet
_folders: dict[int, Path] = {}
"""One for each master, by its process id: a fork of a process that had one does not inherit it."""


def workers_folder(uid: int, gid: int) -> Path:
    """The private folder of this master's workers, for the user they will run as. To be called in the master: it is
    removed when this process ends, and here it loses what workers have left that were killed."""
    master = os.getpid()
    if master not in _folders:
        parent = tempfile.gettempdir()
        folder = Path(tempfile.mkdtemp(prefix="chatapp-", dir=parent if len(parent) < FOLDER_PATH_MAX else "/tmp"))  # noqa: S108 - mkdtemp makes it private
        if (uid, gid) != (os.geteuid(), os.getegid()):
            os.chown(folder, uid, gid)
        atexit.register(_remove_folder, folder, master)
        _folders[master] = folder
    _forget_the_dead(_folders[master])
    return _folders[master]


def _remove_folder(folder: Path, master: int) -> None:
    if os.getpid() == master:  # a worker inherits what is to be done at exit
        shutil.rmtree(folder, ignore_errors=True)


def _forget_the_dead(folder: Path) -> None:
    for box in folder.iterdir():
        try:
            os.kill(int(box.stem, 16), 0)
        except ProcessLookupError:
            box.unlink(missing_ok=True)
        except PermissionError:
            pass  # the process id is another user's by now: nobody listens, so nobody is harmed


# ---------------------------------------------------------------- what has been read already
class Reader(io.BufferedReader):
    """What a client sends: first what another worker has ``read`` of it, then what comes from its socket."""

    def __init__(self, sock: Any, read: bytes = b"") -> None:
        self._incoming = _Incoming(sock, read)
        super().__init__(self._incoming)

    def receive_by(self, receive: Callable[[Any], int] | None) -> None:
        """From now on what comes from the socket is received by this, which is ``recv_into``'s like; None is that."""
        self._incoming.receive = receive or self._incoming.receive_at_leisure

    def waiting(self) -> bytes:
        """What is here and was not asked for yet; it stays so. Reads nothing from the socket."""
        self._incoming.is_held = True
        try:
            return self.peek() + self._incoming.read_before
        finally:
            self._incoming.is_held = False


class _Incoming(io.RawIOBase):
    receive: Callable[[Any], int]

    def __init__(self, sock: Any, read: bytes) -> None:
        self.receive = self.receive_at_leisure = sock.recv_into
        self.read_before = read
        self.is_held = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.read_before:
            count = min(len(buffer), len(self.read_before))
            buffer[:count], self.read_before = self.read_before[:count], self.read_before[count:]
            return count
        if self.is_held:
            return None
        return self.receive(buffer)


# ---------------------------------------------------------------- giving and taking
class Handoff:
    """The letter box of one worker for one listening address (they are numbered alike in all workers).

    ``adopt`` is called with each connection's file descriptor, which it then owns, and the bytes that were read.
    """

    def __init__(self, folder: Path, number: int, adopt: Callable[[int, bytes], None]) -> None:
        self._folder = folder
        self._number = number
        self._adopt = adopt
        self._box: Any = None
        self._path = self._path_of(os.getpid())
        self._is_closed = False

    def _path_of(self, pid: int) -> Path:
        return self._folder / f"{pid:x}.{self._number}"

    def open(self) -> None:
        self._path.unlink(missing_ok=True)  # of a worker that had this process id and was killed
        self._box = socket.socket(AF_UNIX, SOCK_DGRAM)
        self._box.setblocking(False)
        self._box.bind(str(self._path))
        gevent.spawn(self._receive)

    def close(self) -> None:
        """Take no more. What siblings have sent is still adopted: they believe it to be in good hands."""
        if self._box is None or self._is_closed:
            return
        self._is_closed = True
        self._path.unlink(missing_ok=True)
        self._box.shutdown(SHUT_RD)  # from now on the kernel refuses; also wakes who waits

    def give(self, owner: int, sock: Any, read: bytes) -> bool:
        """False when the owner is gone or did not take it in time: then nobody but us has the connection."""
        letter = socket.socket(AF_UNIX, SOCK_DGRAM)
        try:
            letter.setblocking(False)
            letter.connect(str(self._path_of(owner)))  # a connected socket waits for its peer's queue
            with gevent.Timeout(PATIENCE_SECONDS, TimeoutError):
                self._send(letter, sock.fileno(), read)
        except OSError as exc:
            log.info("connection not handed over", owner=owner, reason=type(exc).__name__)
            return False
        else:
            return True
        finally:
            letter.close()

    def _send(self, letter: Any, fd: int, read: bytes) -> None:
        rights = [(SOL_SOCKET, SCM_RIGHTS, array("i", [fd]))]
        while True:
            try:
                letter.sendmsg([read], rights)
            except BlockingIOError:
                socket.wait_write(letter.fileno())
            else:
                return  # nothing may switch greenlets in between: a timeout would make two owners

    def _receive(self) -> None:
        while not self._is_closed:
            socket.wait_read(self._box.fileno())
            while self._take():
                pass
        self._box.close()

    def _take(self) -> bool:
        """False when there is nothing."""
        try:
            read, control, _, _ = self._box.recvmsg(READ_MAX_BYTES, CMSG_SPACE(array("i").itemsize), MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return False
        fds = array("i")
        for _, _, data in control:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        for fd in fds:
            self._adopt(fd, read)
        if not fds and read:
            log.warning("connection lost: too many open files")
        return bool(fds or read)


def leave_folder(folder: Path, *, is_orphaned: bool) -> None:
    """A worker's last step. Whose master was killed takes the folder along when it is the last to go."""
    if is_orphaned:
        with suppress(OSError):  # others are still in it, or have been quicker
            folder.rmdir()

"""Connections go to the worker that has their session: whole, once, and to nobody else."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool

from chatapp.transport import handoff
from chatapp.transport.handoff import Handoff, Reader, leave_folder, owner_of, workers_folder
from chatapp.transport.worker import ChatHandler, ChatServer

PATIENCE = 10.0


def request(target: str, body: bytes = b"", method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def to(pid: int, body: bytes = b"", more: str = "") -> bytes:
    target = f"/socket.io/?EIO=4&transport=polling&sid={pid:x}.abc{more}"
    return request(target, body, "POST" if body else "GET")


# ---------------------------------------------------------------- whose a request is
@pytest.mark.parametrize(
    ("line", "owner"),
    [
        ("GET /socket.io/?EIO=4&sid=1f.abc HTTP/1.1", 0x1F),
        ("POST /socket.io/?sid=ffffffff.a&EIO=4 HTTP/1.1", 0xFFFFFFFF),
        ("GET /socket.io/?s%69d=%31f.abc HTTP/1.1", 0x1F),  # as the application will read it
        ("GET /socket%2Eio/?sid=1f.abc HTTP/1.1", 0x1F),
        ("GET /socket.io/?sid=1f.a&sid=2f.a HTTP/1.1", 0x1F),
        ("GET /socket.io/?sid=&sid=2f.a HTTP/1.1", 0x2F),
        ("GET /socket.io/?EIO=4 HTTP/1.1", None),
        ("GET /socket.io/?sid=1f HTTP/1.1", None),
        ("GET /socket.io/?sid=.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=0.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=01f.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=1F.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=fffffffff.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=../1f.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=1f%00.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=٣.abc HTTP/1.1", None),
        ("GET /socket.io?sid=1f.abc HTTP/1.1", None),
        ("GET /socket.iox/?sid=1f.abc HTTP/1.1", None),
        ("GET /api/users?sid=1f.abc HTTP/1.1", None),
        ("GET http://x/socket.io/?sid=1f.abc HTTP/1.1", None),
        ("GET /socket.io/?sid=1f.abc", None),
        ("", None),
    ],
)
def test_only_a_session_of_the_socket_path_has_an_owner(line: str, owner: int | None) -> None:
    assert owner_of(line + "\r\n", "/socket.io") == owner


# ---------------------------------------------------------------- the reader
def test_what_waits_is_told_and_stays() -> None:
    ours, theirs = socket.socketpair()
    reader = Reader(ours, b"one\ntwo\n" + b"x" * 20_000)
    assert reader.readline() == b"one\n"
    assert reader.waiting() == b"two\n" + b"x" * 20_000
    assert reader.waiting() == reader.waiting()
    assert reader.read(20_004) == b"two\n" + b"x" * 20_000
    theirs.sendall(b"three\nfour")
    assert reader.waiting() == b"", "it must not read from the socket, nor wait for it"
    assert reader.readline() == b"three\n"
    assert reader.waiting() == b"four"
    theirs.close()
    assert reader.read() == b"four"
    assert reader.waiting() == b""
    ours.close()


# ---------------------------------------------------------------- the folder
def test_the_folder_is_private_one_for_each_master_and_gone_at_its_end(tmp_path: Path) -> None:
    program = """
import os
from chatapp.transport.handoff import workers_folder
folder = workers_folder(os.getuid(), os.getgid())
assert folder == workers_folder(os.getuid(), os.getgid())
print(folder, oct(folder.stat().st_mode & 0o777), flush=True)
worker = os.fork()
if worker:
    os.waitpid(worker, 0)
    assert folder.is_dir(), "a worker has removed it"
    (folder / "1.0").touch()  # a worker of the past, whose id is alive and not ours to ask
    (folder / "7fffffff.0").touch()  # one that is dead
    workers_folder(os.getuid(), os.getgid())
    assert not (folder / "7fffffff.0").exists()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    folder, mode = ran.stdout.split()
    assert Path(folder).parent == tmp_path
    assert mode == "0o700"
    assert not Path(folder).exists()


def test_a_deep_temporary_folder_does_not_make_the_path_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff.tempfile, "tempdir", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr(handoff, "_folders", {})
    registered: list[Any] = []
    monkeypatch.setattr(handoff.atexit, "register", lambda *args: registered.append(args))
    folder = workers_folder(os.getuid(), os.getgid())
    box = Handoff(folder, 0, lambda *_: None)
    box.open()
    box.close()
    for remove, *arguments in registered:
        remove(*arguments)
    assert not folder.exists()


def test_only_orphans_take_the_folder_along_and_only_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir()
    leave_folder(folder, is_orphaned=False)
    assert folder.exists()
    (folder / "1.0").touch()
    leave_folder(folder, is_orphaned=True)
    assert folder.exists()
    (folder / "1.0").unlink()
    leave_folder(folder, is_orphaned=True)
    leave_folder(folder, is_orphaned=True)
    assert not folder.exists()


# ---------------------------------------------------------------- two workers in one process
class Worker:
    """A server that believes to be process ``pid``. It answers with its name, what it was asked and the body."""

    def __init__(self, folder: Path, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pid = pid
        self.asked: list[tuple[str, bytes]] = []
        self.go_on = Event()
        self.go_on.set()
        self.server = ChatServer(
            ("127.0.0.1", 0), application=self._answer, spawn=Pool(100), log=None, handler_class=self._handler
        )
        self.server.keepalive_seconds = PATIENCE
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: pid)
            self.server.hand_off_through(folder, 0)
        self.server.start()

    def _handler(self, *arguments: Any) -> ChatHandler:
        """The workers share a process, so each asks itself who it is."""
        worker = self

        class Handler(ChatHandler):
            def _hand_over(self, line: str) -> bool:
                return owner_of(line, "/socket.io") != worker.pid and super()._hand_over(line)

        return Handler(*arguments)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.asked.append((environ["PATH_INFO"], body))
        assert self.go_on.wait(PATIENCE)
        answer = f"{self.pid}:{environ['PATH_INFO']}:{environ['REMOTE_PORT']}:".encode() + body
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    def stop(self) -> None:
        self.go_on.set()
        self.server.stop_listening()
        self.server.stop_answering()
        self.server.stop(timeout=1)


ONE, OTHER, NOBODY = 0x7FFFFFF1, 0x7FFFFFF2, 0x7FFFFFF3
"""Beyond what Linux gives to processes."""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Worker, Worker]]:
    before = open_files()
    made = (Worker(tmp_path, ONE, monkeypatch), Worker(tmp_path, OTHER, monkeypatch))
    gevent.sleep(0)
    yield made
    for worker in made:
        worker.stop()
    with gevent.Timeout(PATIENCE):
        while open_files() > before:
            gevent.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def open_files() -> int:
    """Sockets of this process; the event loop keeps other files."""
    return sum(os.path.realpath(f"/proc/self/fd/{fd}").rsplit("/")[-1].startswith("socket:") for fd in fds())


def fds() -> list[str]:
    return os.listdir("/proc/self/fd")


class Connection:
    def __init__(self, worker: Any) -> None:
        self.sock = socket.create_connection(("127.0.0.1", worker.server.server_port), timeout=PATIENCE)
        self.port = str(self.sock.getsockname()[1])
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()

    def ask(self, *requests: bytes) -> list[tuple[int, str, bytes]]:
        """Who answered, for which path, with what body."""
        self.sock.sendall(b"".join(requests))
        return [self.answer() for _ in requests]

    def answer(self) -> tuple[int, str, bytes]:
        assert self._file.readline() == b"HTTP/1.1 200 OK\r\n"
        size = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        pid, path, port, body = self._file.read(size).split(b":", 3)
        assert port.decode() == self.port, "the client's address has changed"
        return int(pid), path.decode(), body


def test_a_request_for_a_sibling_is_answered_by_it(workers: tuple[Worker, Worker]) -> None:
    with Connection(workers[0]) as connection:
        assert connection.ask(to(OTHER)) == [(OTHER, "/socket.io/", b"")]
        assert connection.ask(to(OTHER, b"hola")) == [(OTHER, "/socket.io/", b"hola")]
        assert connection.ask(request("/api/users")) == [(OTHER, "/api/users", b"")]
        assert connection.ask(to(ONE, b"back")) == [(ONE, "/socket.io/", b"back")]
        assert connection.ask(request("/api/users")) == [(ONE, "/api/users", b"")]
    assert [len(worker.asked) for worker in workers] == [2, 3]


@pytest.mark.parametrize("size", [1, 4_000, 8_192, 20_000, 300_000])
def test_a_body_that_is_half_read_arrives_whole(workers: tuple[Worker, Worker], size: int) -> None:
    body = os.urandom(size)
    with Connection(workers[0]) as connection:
        assert connection.ask(to(OTHER, body), to(OTHER, b"next")) == [
            (OTHER, "/socket.io/", body),
            (OTHER, "/socket.io/", b"next"),
        ]


def test_pipelined_requests_go_to_and_fro_in_order(workers: tuple[Worker, Worker]) -> None:
    asked = [
        to(OTHER if number % 3 else ONE, f"{number}-".encode() * (number * 40 + 1)) if number % 4 else request("/x")
        for number in range(60)
    ]
    with Connection(workers[0]) as connection:
        answers = connection.ask(*asked)
    for number, (pid, path, body) in enumerate(answers):
        if number % 4:
            assert (pid, path) == (OTHER if number % 3 else ONE, "/socket.io/")
            assert body == f"{number}-".encode() * (number * 40 + 1)
        else:
            assert path == "/x"
    assert sum(len(worker.asked) for worker in workers) == 60, "a request was lost or doubled"


def test_bytes_that_come_one_by_one_are_enough(workers: tuple[Worker, Worker]) -> None:
    with Connection(workers[0]) as connection:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in to(OTHER, b"slow"):
            connection.sock.sendall(bytes([byte]))
            gevent.sleep(0)
        assert connection.answer() == (OTHER, "/socket.io/", b"slow")


def test_a_long_request_line_can_be_handed_over(workers: tuple[Worker, Worker]) -> None:
    with Connection(workers[0]) as connection:
        assert connection.ask(to(OTHER, b"x" * 9000, more="&x=" + "y" * 8000))[0][0] == OTHER


def test_a_request_line_without_end_is_answered_here(workers: tuple[Worker, Worker]) -> None:
    with Connection(workers[0]) as connection:
        connection.sock.sendall(to(OTHER, more="&x=" + "y" * 20_000))
        assert connection.sock.recv(4096).startswith(b"HTTP/1.1 414 ")
    assert workers[1].asked == []


@pytest.mark.parametrize("owner", [NOBODY, 1, os.getppid()])
def test_a_session_of_nobody_s_is_the_application_s_to_refuse(workers: tuple[Worker, Worker], owner: int) -> None:
    with Connection(workers[0]) as connection:
        assert connection.ask(to(owner, b"whole"), to(OTHER, b"on")) == [
            (ONE, "/socket.io/", b"whole"),
            (OTHER, "/socket.io/", b"on"),
        ]


def test_a_killed_worker_s_socket_file_is_nobody(workers: tuple[Worker, Worker], tmp_path: Path) -> None:
    left = tmp_path / f"{NOBODY:x}.0"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(left))
    with Connection(workers[0]) as connection:
        assert connection.ask(to(NOBODY, b"whole")) == [(ONE, "/socket.io/", b"whole")]
    left.unlink()


def test_an_owner_that_takes_nothing_is_not_waited_for_for_ever(
    workers: tuple[Worker, Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handoff, "PATIENCE_SECONDS", 0.2)
    box = tmp_path / f"{NOBODY:x}.0"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hung:
        hung.bind(str(box))
        with suppress(BlockingIOError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling:
            filling.connect(str(box))
            filling.setblocking(False)
            while True:
                filling.send(b"")
        with Connection(workers[0]) as connection:
            assert connection.ask(to(NOBODY, b"whole")) == [(ONE, "/socket.io/", b"whole")]
    box.unlink()


def test_a_burst_waits_until_the_owner_has_room(workers: tuple[Worker, Worker]) -> None:
    """The kernel's queue has room for ten."""
    connections = [Connection(workers[0]) for _ in range(60)]
    for number, connection in enumerate(connections):
        connection.sock.sendall(to(OTHER, b"%d" % number))
    for number, connection in enumerate(connections):
        assert connection.answer() == (OTHER, "/socket.io/", b"%d" % number)
        connection.__exit__()


def test_a_client_that_hangs_up_meanwhile_harms_nobody(workers: tuple[Worker, Worker]) -> None:
    for _ in range(20):
        connection = Connection(workers[0])
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close is a reset
        connection.sock.sendall(to(OTHER))
        connection.__exit__()
    with Connection(workers[0]) as survivor:
        assert survivor.ask(to(OTHER))[0][0] == OTHER


def test_a_stopping_worker_takes_nothing_more_but_finishes_what_it_was_given(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    with socket.create_server(("127.0.0.1", 0)) as listener:
        queued = Connection(SimpleNamespace(server=SimpleNamespace(server_port=listener.getsockname()[1])))
        accepted, _ = listener.accept()
    with Connection(one) as late, queued:
        assert one.server.handoff is not None
        assert one.server.handoff.give(OTHER, accepted, to(OTHER, b"queued"))
        accepted.close()
        assert other.asked == [], "it must lie in the queue when the worker stops"
        other.server.stop_listening()
        other.server.stop_answering()
        assert late.ask(to(OTHER, b"late")) == [(ONE, "/socket.io/", b"late")]
        assert queued.answer() == (OTHER, "/socket.io/", b"queued")
        assert queued.sock.recv(1) == b"", "and then its connection ends"
    assert other.server.pool.join(PATIENCE)


# ---------------------------------------------------------------- two processes
CHILD = """
import os, sys
import gevent
from gevent.pool import Pool
from pathlib import Path
from chatapp.transport.worker import ChatHandler, ChatServer

def answer(environ, start_response):
    body = environ["wsgi.input"].read()
    text = f"{os.getpid()}:{environ['PATH_INFO']}:{environ['REMOTE_PORT']}:".encode() + body
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]

server = ChatServer(("127.0.0.1", 0), application=answer, spawn=Pool(100), log=None, handler_class=ChatHandler)
server.keepalive_seconds = 30
server.hand_off_through(Path(sys.argv[1]), 0)
server.start()
print(server.server_port, flush=True)
gevent.wait()
"""


class Process:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def server(self) -> Any:
        return type("Server", (), {"server_port": self.port})

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_real_processes_pass_connections_and_leak_none(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    try:
        assert stat.S_ISSOCK((tmp_path / f"{second.pid:x}.0").stat().st_mode)
        files = [first.fds(), second.fds()]
        for round_ in range(30):
            with Connection(first) as connection:
                body = b"%d" % round_
                assert connection.ask(to(second.pid, body))[0] == (second.pid, "/socket.io/", body)
                assert connection.ask(to(first.pid, body))[0] == (first.pid, "/socket.io/", body)
        with gevent.Timeout(PATIENCE):
            while [first.fds(), second.fds()] > files:
                gevent.sleep(0.01)
        second.kill()
        with Connection(first) as connection:
            assert connection.ask(to(second.pid, b"gone"))[0] == (first.pid, "/socket.io/", b"gone")
    finally:
        first.kill()
        second.kill()

"""Several workers on one port: every client has its session, wherever its requests arrive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.server import ROOT, Server, free_port, running
from tests.e2e.wire import PATIENCE, Client, RawWebSocket, make_conversation, save_users
from tests.engines.redis import RedisEngine

CLIENTS = Path(__file__).parent / "clients"
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


class EchoServer(Server):
    """``gunicorn -w N`` with the real worker class over the application of ``workers_app.py``."""

    event, payload, field = "echo", {}, "value"
    """What the clients emit, and the field that they fill."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        super().__init__(folder, TMPDIR=str(self.temporary))
        self.size = workers

    def _command(self) -> list[str]:
        module = ["gunicorn", "-k", "chatapp.transport.worker.ChatWorker", "-w", str(self.size)]
        options = ["-b", f"127.0.0.1:{self.port}", "--keep-alive", "30", "--worker-connections", "10000"]
        measured = ["coverage", "run", "--rcfile", str(ROOT / "pyproject.toml"), "-m"]
        prefix = measured if "COVERAGE_RUN" in os.environ else []
        return [sys.executable, "-m", *prefix, *module, *options, "tests.e2e.workers_app:app"]

    def start(self) -> EchoServer:
        super().start()
        wait_for(lambda: len(self.boxes()) == self.size, "all workers")
        return self

    def boxes(self) -> set[int]:
        """The workers that can be handed something."""
        return {int(box.stem, 16) for box in self.temporary.glob("chatapp-*/*.0")}

    def sockets(self) -> dict[int, int]:
        """How many sockets each worker has open."""
        return {pid: open_sockets(pid) for pid in self.workers()}


def connections_to(port: int) -> int:
    """The server's ends of TCP connections that a process still has open, in whatever state."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening, released = "0A", "0"  # the latter is the inode
    return sum(row[1].endswith(f":{port:04X}") and row[3] != listening and row[9] != released for row in rows)


def open_sockets(pid: int) -> int:
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it closes them meanwhile
            links.append(os.readlink(fd))
    return sum(link.startswith("socket:") for link in links)


class ChatCluster(EchoServer):
    """The chat itself, as it is deployed, with a Redis of its own."""

    event, field = "user_join", "name"
    payload = {"userId": "swarm", "email": "swarm@example.com"}  # noqa: RUF012 - nobody changes it

    def __init__(self, folder: Path, workers: int) -> None:
        super().__init__(folder, workers)
        self._redis = RedisEngine(free_port())
        self._env |= {"WEB_CONCURRENCY": str(workers), "REDIS_URL": self._redis.url, "LOG_LEVEL": "warning"}

    def _command(self) -> list[str]:
        return Server._command(self)

    def start(self) -> ChatCluster:
        self._redis.start()
        super().start()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        try:
            return super().stop(number)
        finally:
            self._redis.stop()


KINDS: dict[str, Callable[[Path, int], EchoServer]] = {"echo": EchoServer, "chat": ChatCluster}


@pytest.fixture(scope="module", params=[("echo", 2), ("chat", 4)], ids=str)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    kind, size = request.param
    made = KINDS[kind](tmp_path_factory.mktemp("workers"), size)
    try:
        yield made.start()
    finally:
        assert made.stop() == 0
        assert "Traceback" not in made.log()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up_at, f"waited in vain: {what}"
        time.sleep(0.02)


class Swarm:
    """The stock JavaScript client, many times: ``modes`` × ``count``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def order(self, *words: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        outcome: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "failed" not in outcome, outcome["failed"]
        return outcome


@contextmanager
def swarm(
    server: EchoServer,
    *modes: str,
    count: int,
    emits: int,
    keep_alive: bool = True,
    people: Sequence[dict[str, str]] = (),
) -> Iterator[Swarm]:
    """Without ``keep_alive`` each request has a connection of its own. ``people`` are for those who join."""
    env = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "BASE_URL": server.url,
        "MODES": ",".join(modes),
        "COUNT": str(count),
        "EMITS": str(emits),
        "EVENT": server.event,
        "PAYLOAD": json.dumps(server.payload),
        "FIELD": server.field,
        "KEEP_ALIVE": "on" if keep_alive else "off",
        "PEOPLE": json.dumps(people),
    }
    with subprocess.Popen(
        ["node", "swarm.mjs"], cwd=CLIENTS, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Swarm(process)
            assert process.stdin is not None
            process.stdin.write("stop\n")
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


# ---------------------------------------------------------------- the stock client
@pytest.mark.parametrize("mode", ["default", "polling", "websocket"])
def test_a_hundred_stock_clients_connect_and_every_emit_is_acknowledged(server: EchoServer, mode: str) -> None:
    with swarm(server, mode, count=100, emits=5) as clients:
        for round_ in (1, 2):
            outcome = clients.order("emit")
            assert (outcome["clients"], outcome["acks"]) == (100, 500), outcome
            assert (outcome["losses"], outcome["errors"]) == (0, []), f"round {round_}"
        assert {int(pid) for pid in outcome["workers"]} <= set(server.workers())
        assert len(outcome["workers"]) > 1, "one worker has got them all: nothing was proved"
    wait_for(lambda: connections_to(server.port) == 0, "all sockets closed")


# ---------------------------------------------------------------- our own client, over keep-alive connections
def test_polling_clients_of_our_own_lose_nothing(server: EchoServer) -> None:
    def talk(number: int) -> int:
        client = Client(server.url, "polling")
        try:
            for index in range(20):
                client.ok(server.event, {**server.payload, server.field: f"{number}/{index}"})
            return int(client.transport.sid.partition(".")[0], 16)
        finally:
            client.close()

    with ThreadPoolExecutor(20) as threads:
        answered = list(threads.map(talk, range(20)))
    assert set(answered) <= set(server.workers())


def test_one_connection_serves_sessions_of_all_workers_and_pages(server: EchoServer) -> None:
    sids: dict[str, str] = {}
    while len(sids) < server.size:  # each without keep-alive: the kernel chooses a worker anew
        sid = json.loads(requests.get(server.url + POLLING, headers={"Connection": "close"}, timeout=PATIENCE).text[1:])
        sids[sid["sid"].partition(".")[0]] = sid["sid"]
    assert {int(owner, 16) for owner in sids} == set(server.workers())
    with requests.Session() as connection:
        for packet in ("40", "3", "3", "3"):
            for owner, sid in sids.items():
                posted = connection.post(f"{server.url}{POLLING}&sid={sid}", data=packet, timeout=PATIENCE)
                assert (posted.status_code, posted.text) == (200, "OK")
                page = connection.get(server.url + "/healthz", timeout=PATIENCE)
                assert page.status_code == 200
                if type(server) is EchoServer:
                    assert page.text == str(int(owner, 16)), "the connection is its new owner's"


@pytest.mark.parametrize("sid", ["1.abc", "7fffffff.abc", "ffffffff.abc", "abc", "..%2F1.abc", ""])
def test_a_session_of_nobody_s_is_unknown(server: EchoServer, sid: str) -> None:
    assert requests.get(f"{server.url}{POLLING}&sid={sid}x", timeout=PATIENCE).status_code == 400
    assert requests.post(f"{server.url}{POLLING}&sid={sid}x", data="3", timeout=PATIENCE).status_code == 400
    websocket = RawWebSocket(server.url, f"{WEBSOCKET}&sid={sid}x")
    assert websocket.status == 400
    websocket.close()


def test_another_worker_s_session_can_be_upgraded(server: EchoServer) -> None:
    for _ in range(8):
        opened = requests.get(server.url + POLLING, headers={"Connection": "close"}, timeout=PATIENCE)
        websocket = RawWebSocket(server.url, f"{WEBSOCKET}&sid={json.loads(opened.text[1:])['sid']}")
        assert websocket.status == 101
        websocket.send("2probe")
        assert websocket.message() == "3probe"
        websocket.close()


# ---------------------------------------------------------------- the chat on four workers, and nothing in front
ROOMS, ROOM_PEOPLE, SOCKETS = 10, 10, 500


def people_of(server: Server, tag: str) -> list[dict[str, str]]:
    found = []
    for room in range(ROOMS):
        members = [f"{tag}-{room}-{number}" for number in range(ROOM_PEOPLE)]
        save_users(server.url, *members)
        conversation = make_conversation(server.url, *members, group=True)
        found += [{"userId": member, "conversationId": conversation} for member in members]
    return found


@pytest.mark.parametrize("server", [("chat", 4)], ids=str, indirect=True)
@pytest.mark.parametrize(
    ("modes", "keep_alive"),
    [(["default"], True), (["default", "polling", "websocket"], False)],
    ids=["500 default", "all kinds without keep-alive"],
)
def test_hundreds_of_stock_clients_talk_and_lose_nothing_also_after_their_engine_was_closed(
    server: ChatCluster, modes: list[str], keep_alive: bool
) -> None:
    people = people_of(server, f"swarm{len(modes)}")
    count = SOCKETS if len(modes) == 1 else ROOMS * ROOM_PEOPLE
    size = count * len(modes)
    with swarm(server, *modes, count=count, emits=2, keep_alive=keep_alive, people=people) as clients:
        assert clients.order("join") == {"clients": size}
        whole = {"sent": 2 * size, "whole": size, "heard": 2 * size * size // ROOMS}
        assert clients.order("talk") == {**whole, "losses": 0}
        assert clients.order("reopen") == {"again": size}
        assert clients.order("join") == {"clients": size}
        assert clients.order("talk") == {**whole, "losses": size}


# ---------------------------------------------------------------- a worker is killed
@pytest.mark.parametrize("size", [2, 4])
def test_a_killed_worker_s_clients_come_back_and_the_others_notice_nothing(tmp_path: Path, size: int) -> None:
    """Without keep-alive: when such a connection is reset, Node's xmlhttprequest-ssl begins its request anew but
    never sends it, and the client hangs until its ping timeout. Browsers do not."""
    server = KINDS["echo"](tmp_path, size)
    try:
        server.start()
        own = server.sockets()
        with swarm(server, "default", "polling", "websocket", count=20, emits=2, keep_alive=False) as clients:
            outcome = clients.order("emit")
            at = {pid: own[pid] + outcome["workers"].get(str(pid), 0) for pid in own}
            wait_for(lambda: server.sockets() == at, "every poll at its owner: no other's is with the one that dies")
            victim, its = max(outcome["workers"].items(), key=lambda worker: worker[1])
            os.kill(int(victim), signal.SIGKILL)
            after = clients.order("killed", victim)
            assert after == {"its": its, "lost": its, "others": 60 - its, "noticed": 0}
            assert 0 < its < 60
            wait_for(lambda: server.boxes() == set(server.workers()) and len(server.boxes()) == size, "a new worker")
            outcome = clients.order("emit")
            assert (outcome["clients"], outcome["acks"]) == (60, 120)
            assert victim not in outcome["workers"]
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_rolling_restart_leaves_nobody_without_a_worker(tmp_path: Path) -> None:
    server = EchoServer(tmp_path, 2)
    try:
        server.start()
        before = set(server.workers())
        client = Client(server.url)
        server.process.send_signal(signal.SIGHUP)
        client.wait_until_ended()
        new = server.boxes() - before
        assert len(new) == 2, "the old workers went before the new ones served"
        wait_for(lambda: set(server.workers()) == new, "the old workers are gone")
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_nothing_stays_behind_after_a_stop(tmp_path: Path) -> None:
    server = EchoServer(tmp_path, 2)
    server.start()
    folder = next(server.temporary.glob("chatapp-*"))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert server.stop() == 0
    assert list(server.temporary.iterdir()) == []


def test_workers_whose_master_is_killed_leave_nothing_behind(tmp_path: Path) -> None:
    server = EchoServer(tmp_path, 2)
    server.start()
    server.process.kill()
    server.process.wait(PATIENCE)
    wait_for(lambda: not list(server.temporary.iterdir()), "the workers' end")


# ---------------------------------------------------------------- handshakes, on the chat itself
@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("chat")) as made:
        yield made


def refused(server: Server, target: str) -> tuple[int, bytes]:
    websocket = RawWebSocket(server.url, target)
    body = websocket._received
    try:
        while data := websocket.sock.recv(4096):
            body += data
    finally:
        websocket.close()
    return websocket.status, body


@pytest.mark.parametrize("target", ["/nowhere", "/socket.iox/?EIO=4&transport=websocket", "/api/nowhere?sid=1.a"])
def test_a_websocket_elsewhere_is_not_found_in_the_ruled_shape(chat: Server, target: str) -> None:
    status, body = refused(chat, target)
    assert status == 404
    error = json.loads(body)
    assert (error["statusCode"], error["code"]) == (404, "not_found")
    assert set(error) == {"statusCode", "error", "code", "message", "details", "requestId"}


@pytest.mark.parametrize(
    "target",
    [f"{WEBSOCKET}&sid=nobody", f"{WEBSOCKET}&sid=1.abc", "/socket.io/?transport=websocket", f"{POLLING}&sid=x", "/"],
)
def test_a_websocket_that_cannot_be_is_refused_before_the_handshake(chat: Server, target: str) -> None:
    assert refused(chat, target)[0] == 400


def test_a_session_that_has_its_websocket_gets_no_second_one(chat: Server) -> None:
    first = RawWebSocket(chat.url, WEBSOCKET)
    assert first.status == 101
    opened = first.message()
    assert isinstance(opened, str)
    assert refused(chat, f"{WEBSOCKET}&sid={json.loads(opened[1:])['sid']}")[0] == 400
    first.send("40")
    assert str(first.message()).startswith("40")
    first.close()

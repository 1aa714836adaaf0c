"""Clients that are slow on purpose lose their connection at the bound, and nobody else waits for them.

The server is a real one whose bounds are a second each (``hurried_app``); what they are otherwise stands in
``docs/operations.md``.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from chatapp.protocol.fields import CONTENT_MAX_BYTES
from chatapp.transport.sockets import watchdog
from chatapp.transport.worker import ChatServer
from tests.e2e.server import Server
from tests.e2e.wire import PATIENCE, RawWebSocket, clients, make_conversation, save_users, text_message

BOUND_SECONDS = 1.0
WITHIN_SECONDS = 8.0
"""A bound of a second and what a busy machine may add; far less than any bound that is not made small."""

DRIP_SECONDS = 0.1
SERVED_SECONDS = 1.0
"""What somebody else may wait for an answer meanwhile; it is some milliseconds."""


class HurriedServer(Server):
    def _command(self) -> list[str]:
        *command, _ = super()._command()
        return [*command, "--keep-alive", "1", "tests.e2e.hurried_app:app"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = HurriedServer(tmp_path_factory.mktemp("slow") / "server").start()
    save_users(started.url, "ana", "luis")
    try:
        yield started
    finally:
        started.stop()
    assert "Traceback" not in started.log()


@pytest.fixture(scope="module")
def conversation(server: Server) -> str:
    return make_conversation(server.url, "ana", "luis")


# ---------------------------------------------------------------- slow senders
JSON_HEAD = b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
UPLOAD_HEAD = b"POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhola'
HANDSHAKE = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"

BEGINNINGS = {
    "nothing": b"",
    "half a request line": b"GET /heal",
    "headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a WebSocket's handshake": HANDSHAKE,
    "a body": JSON_HEAD + b"Content-Length: 1000\r\n\r\n{",
    "a body in chunks": JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n{",
    "a chunk's size": JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0000",
    "an upload": UPLOAD_HEAD + b"Content-Length: 100000\r\n\r\n" + PART,
    "an upload's first boundary": UPLOAD_HEAD + b"Content-Length: 100000\r\n\r\n--",
    "a body that nobody wants": b"DELETE /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
}
TOO_SLOW = {"a body", "a body in chunks", "a chunk's size", "an upload", "an upload's first boundary"}


class Slow:
    """Sends ``beginning`` and then, ``drips`` permitting, a byte now and then."""

    def __init__(self, server: Server, beginning: bytes, *, drips: bool) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.sock.sendall(beginning)
        self.began = time.monotonic()
        self.answer, self.lasted = b"", 0.0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True)]
        if drips:
            self._threads.append(threading.Thread(target=self._drip, daemon=True))
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        with suppress(ConnectionResetError):
            while more := self.sock.recv(65536):
                self.answer += more
        self.lasted = time.monotonic() - self.began
        self._ended.set()

    def _drip(self) -> None:
        with suppress(OSError):
            while not self._ended.wait(DRIP_SECONDS):
                self.sock.sendall(b"0")

    def wait_until_ended(self) -> None:
        ended = self._ended.wait(WITHIN_SECONDS)
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self.sock.close()
        assert ended, "the connection lives on"


@pytest.mark.parametrize("drips", [False, True], ids=["stalls", "drips"])
@pytest.mark.parametrize("what", BEGINNINGS)
def test_who_does_not_finish_is_not_waited_for(server: Server, what: str, drips: bool) -> None:
    slow = Slow(server, BEGINNINGS[what], drips=drips)
    slow.wait_until_ended()
    assert slow.lasted > BOUND_SECONDS / 2, "that was no time-out"
    if what in TOO_SLOW:
        head, _, body = slow.answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), head
        assert b"\r\nConnection: close" in head
        assert json.loads(body)["code"] == "request_timeout"
    assert staged(server) == []


def staged(server: Server) -> list[Path]:
    return [path for path in (server.folder / "uploads" / ".staging").rglob("*") if path.is_file()]


def test_an_idle_connection_is_closed(server: Server) -> None:
    slow = Slow(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", drips=False)
    slow.wait_until_ended()
    assert slow.answer.startswith(b"HTTP/1.1 200 ")
    assert slow.lasted > BOUND_SECONDS / 2


def test_a_websocket_that_never_connects_is_closed(server: Server) -> None:
    websocket = RawWebSocket(server.url, "/socket.io/?EIO=4&transport=websocket")
    assert websocket.status == 101
    websocket.message()
    began = time.monotonic()
    websocket.closing()
    assert time.monotonic() - began < WITHIN_SECONDS
    websocket.close()


def test_a_polling_session_that_is_too_slow_to_speak_ends(server: Server) -> None:
    opened = server.get("/socket.io/?EIO=4&transport=polling").text
    path = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    slow = Slow(server, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n40".encode(), drips=True)
    slow.wait_until_ended()
    assert slow.answer.startswith(b"HTTP/1.1 400 "), "what it did not say was not heard"
    assert server.get(path).status_code == 400


def test_a_slow_but_honest_link_is_waited_for(server: Server) -> None:
    """Three times as long as the bound, at more than twice the slowest pace."""
    ending = b"\r\n--b--\r\n"
    size, step = 30, 1024
    length = len(PART) + size * step + len(ending)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(UPLOAD_HEAD + f"Content-Length: {length}\r\n\r\n".encode() + PART)
        for _ in range(size):
            time.sleep(DRIP_SECONDS)  # is what is tested
            connection.sendall(b"x" * step)
        connection.sendall(ending)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_who_sends_without_end_what_nobody_wants_is_cut_off(server: Server) -> None:
    head = b"DELETE /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        with pytest.raises(ConnectionError):
            connection.sendall(chunks * 1600)  # a hundred megabytes


# ---------------------------------------------------------------- slow readers
def big_file(server: Server, conversation: str) -> str:
    form = {"conversationId": conversation, "senderId": "ana"}
    answer = server.post("/api/upload", data=form, files={"file": ("a.txt", b"hola " * 2_000_000)})
    url: str = answer.json()["fileUrl"]
    return url


def polled(server: Server, conversation: str) -> str:
    """The path where several megabytes wait for a polling client."""
    opened = server.get("/socket.io/?EIO=4&transport=polling").text
    path = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    packets = ["40", '42["user_join",{"userId":"luis","name":"Luis","email":"luis@example.com"}]']
    packets.append("42" + json.dumps(["join_room", {"conversationId": conversation, "userId": "luis"}]))
    for packet in packets:
        assert server.post(path, data=packet).status_code == 200
    with clients(server.url, "ana") as (ana,):
        for _ in range(400):
            ana.ok("send_message", text_message(conversation, "ana", "x" * CONTENT_MAX_BYTES))
    return path


@pytest.mark.parametrize("made", [big_file, polled], ids=["a download", "a long poll's answer"])
@pytest.mark.parametrize("reads", [0, 1], ids=["nothing", "a byte now and then"])
def test_who_does_not_read_is_cut_off(
    server: Server, conversation: str, made: Callable[[Server, str], str], reads: int
) -> None:
    path, before = made(server, conversation), len(server.log())
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        give_up_at = time.monotonic() + WITHIN_SECONDS
        while "a client does not read its answer" not in server.log()[before:]:
            assert time.monotonic() < give_up_at
            time.sleep(DRIP_SECONDS)
            connection.recv(reads)
        received = 0
        with suppress(ConnectionResetError):
            while more := connection.recv(1 << 20):
                received += len(more)
    assert received < 5_000_000, "it got all of it"


# ---------------------------------------------------------------- everybody else
def test_well_behaved_clients_are_served_meanwhile(server: Server, conversation: str) -> None:
    with ExitStack() as stack, clients(server.url, "ana", "luis") as (ana, luis):
        for client in (ana, luis):
            client.ok("join_room", {"conversationId": conversation, "userId": "ana" if client is ana else "luis"})
        slow = [Slow(server, beginning, drips=True) for beginning in BEGINNINGS.values() for _ in range(5)]
        stack.callback(lambda: [each.wait_until_ended() for each in slow])
        waits = []
        for number in range(20):
            began = time.monotonic()
            sent = ana.ok("send_message", text_message(conversation, "ana", str(number)))
            luis.expect("message_received", lambda message, id=sent["id"]: message["id"] == id)
            assert requests.get(server.url + "/healthz", timeout=PATIENCE).status_code == 200
            waits.append(time.monotonic() - began)
        assert sorted(waits)[len(waits) // 2] < SERVED_SECONDS, waits


def test_the_bounds_are_those_that_the_operations_page_states() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for stated in (
        f"stands still for {ChatServer.stall_seconds:.0f} s",
        f"{ChatServer.bytes_per_second / 1024:.0f} kB/s",
        f"{ChatServer.rest_max_bytes // 2**20} MiB",
        f"{watchdog.CONNECT_TIMEOUT_SECONDS:.0f} s",
    ):
        assert stated in page, stated

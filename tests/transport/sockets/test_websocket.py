"""One WebSocket over a real pair of sockets: what arrives, what is written, and how it ends."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from gevent.event import AsyncResult

from chatapp.transport.sockets import websocket as module
from chatapp.transport.sockets.frames import INVALID_TEXT, NORMAL, PROTOCOL_ERROR, TOO_BIG, frame, message_frame
from chatapp.transport.sockets.websocket import BACKLOG_MAX_BYTES, TOGETHER_MAX_BYTES, WebSocket, write_soon_to_all
from tests.e2e.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, close_code, server_frame

LIMIT = 1000
PATIENCE = 10.0


class Peer:
    """The client's end; everything waits at most ``PATIENCE``."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock

    def send(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(frames))

    def frame(self) -> tuple[int, bytes]:
        return server_frame(self._exactly)

    def at_end(self) -> bool:
        try:
            return bool(self.sock.recv(1) == b"")
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            assert more, "the server has ended"
            data += more
        return data


class Line:
    def __init__(self, limit: int = LIMIT) -> None:
        ours, theirs = gevent_socket.socketpair()
        ours.settimeout(PATIENCE)
        theirs.settimeout(PATIENCE)
        self.ours = ours
        self.peer = Peer(theirs)
        self.websocket = WebSocket(ours, max_message_bytes=limit)

    def receive(self) -> Any:
        """In a greenlet, as in the server; what it gave within the time."""
        return self.begin().get(timeout=PATIENCE)

    def begin(self) -> AsyncResult[Any]:
        result: AsyncResult[Any] = AsyncResult()
        gevent.spawn(self.websocket.receive).link(result)
        return result

    def close(self) -> None:
        self.websocket.abort()
        self.ours.close()
        self.peer.sock.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


# ---------------------------------------------------------------- reading
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 999, LIMIT])
def test_messages_up_to_the_limit_arrive_unmasked(line: Line, size: int) -> None:
    data = bytes(random.Random(size).choices(range(256), k=size))
    for key in (b"\0\0\0\0", b"\xff\x01\x80\x7f"):
        line.peer.send(client_frame(BINARY, data, key=key))
        assert line.receive() == data
        line.peer.send(client_frame(TEXT, b"a" * size, key=key))
        assert line.receive() == "a" * size


def test_a_large_frame_has_a_size_of_eight_bytes() -> None:
    line = Line(limit=300_000)
    try:
        data = "ñ" * 100_000
        result = line.begin()
        line.peer.send(client_frame(TEXT, data.encode()))
        assert result.get(timeout=PATIENCE) == data
    finally:
        line.close()


def test_several_messages_in_one_segment_come_one_by_one(line: Line) -> None:
    line.peer.send(*(client_frame(TEXT, str(number).encode()) for number in range(20)))
    assert [line.receive() for _ in range(20)] == [str(number) for number in range(20)]


def test_a_character_may_be_split_between_fragments(line: Line) -> None:
    euro = "€".encode()
    line.peer.send(
        client_frame(TEXT, euro[:1], last=False),
        client_frame(PING, b"!"),
        client_frame(CONTINUATION, euro[1:2], last=False),
        client_frame(PONG, b"unasked"),
        client_frame(CONTINUATION, euro[2:]),
    )
    assert line.receive() == "€"
    assert line.peer.frame() == (PONG, b"!")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((client_frame(TEXT, b"x", key=None),), PROTOCOL_ERROR),
        ((client_frame(TEXT, b"x", rsv=1),), PROTOCOL_ERROR),
        ((client_frame(TEXT, b"x", rsv=4),), PROTOCOL_ERROR),
        ((client_frame(3),), PROTOCOL_ERROR),
        ((client_frame(15),), PROTOCOL_ERROR),
        ((client_frame(PING, b"x" * 126),), PROTOCOL_ERROR),
        ((client_frame(CLOSE, b"", last=False),), PROTOCOL_ERROR),
        ((client_frame(CONTINUATION, b"x"),), PROTOCOL_ERROR),
        ((client_frame(TEXT, b"x", last=False), client_frame(BINARY, b"y")), PROTOCOL_ERROR),
        ((client_frame(TEXT, b"\xc3"),), INVALID_TEXT),
        ((client_frame(TEXT, b"\xed\xa0\x80"),), INVALID_TEXT),
        ((client_frame(TEXT, b"x" * (LIMIT + 1)),), TOO_BIG),
        ((client_frame(TEXT, b"x" * LIMIT, last=False), client_frame(CONTINUATION, b"y")), TOO_BIG),
        ((bytes([0x82, 0xFF]) + (2**63 + 1).to_bytes(8, "big"),), TOO_BIG),
    ],
)
def test_a_violation_ends_it_with_its_code(line: Line, frames: tuple[bytes, ...], code: int) -> None:
    line.peer.send(*frames)
    assert line.receive() is None
    opcode, payload = line.peer.frame()
    assert (opcode, close_code(payload)) == (CLOSE, code)
    assert line.peer.at_end()


def test_control_frames_count_for_no_limit(line: Line) -> None:
    half = b"x" * (LIMIT // 2)
    pings = [client_frame(PING, b"y" * 125)] * 20
    line.peer.send(client_frame(BINARY, half, last=False), *pings, client_frame(CONTINUATION, half))
    assert line.receive() == half + half


@pytest.mark.parametrize("cut", [0, 1, 3, 5, 9])
def test_an_end_in_the_middle_is_an_end(line: Line, cut: int) -> None:
    line.peer.send(client_frame(TEXT, b"x" * 200)[:cut])
    line.peer.sock.close()
    assert line.receive() is None
    assert line.websocket.is_closed


def test_a_reset_is_an_end(line: Line) -> None:
    line.peer.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    waiting = line.begin()
    line.peer.sock.close()
    assert waiting.get(timeout=PATIENCE) is None
    assert line.websocket.is_closed


# ---------------------------------------------------------------- the end
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", NORMAL),
        (b"\x03\xe8", NORMAL),
        (b"\x03\xf3", 1011),
        (b"\x0b\xb8reason", 3000),
        (b"\x13\x87", 4999),
        (b"\x03", PROTOCOL_ERROR),
        (b"\x03\xec", PROTOCOL_ERROR),
        (b"\x03\xee", PROTOCOL_ERROR),
        (b"\x03\xe7", PROTOCOL_ERROR),
        (b"\x07\xd0", PROTOCOL_ERROR),
        (b"\x13\x88", PROTOCOL_ERROR),
    ],
)
def test_a_goodbye_is_answered_with_its_code(line: Line, payload: bytes, code: int) -> None:
    line.peer.send(client_frame(CLOSE, payload))
    assert line.receive() is None
    opcode, answer = line.peer.frame()
    assert (opcode, close_code(answer)) == (CLOSE, code)
    assert line.peer.at_end()


def test_our_goodbye_comes_after_everything_sent_and_waits_for_theirs(line: Line) -> None:
    waiting = line.begin()
    line.websocket.send("uno")
    line.websocket.send(b"dos")
    line.websocket.close()
    line.websocket.send("nothing more")
    assert [line.peer.frame() for _ in range(3)] == [
        (TEXT, b"uno"),
        (BINARY, b"dos"),
        (CLOSE, NORMAL.to_bytes(2, "big")),
    ]
    assert line.peer.at_end()
    assert not waiting.ready()
    line.peer.send(client_frame(CLOSE, b"\x03\xe8"))
    assert waiting.get(timeout=PATIENCE) is None


def test_who_does_not_answer_a_goodbye_is_cut_off(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 0.05)
    waiting = line.begin()
    line.websocket.close()
    assert waiting.get(timeout=PATIENCE) is None


def test_closing_twice_is_closing_once(line: Line) -> None:
    line.websocket.close()
    line.websocket.close(PROTOCOL_ERROR)
    assert line.peer.frame() == (CLOSE, NORMAL.to_bytes(2, "big"))
    assert line.peer.at_end()


def test_an_abort_wakes_the_reader(line: Line) -> None:
    waiting = line.begin()
    gevent.sleep(0)
    line.websocket.abort()
    assert waiting.get(timeout=PATIENCE) is None
    assert line.peer.at_end()


# ---------------------------------------------------------------- writing
@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames_have_the_shortest_head(size: int) -> None:
    head = 2 if size < 126 else 4 if size < 65536 else 10
    assert len(frame(BINARY, b"x" * size)) == head + size
    assert message_frame("ñ") == bytes([0x81, 2]) + "ñ".encode()
    assert message_frame(bytearray(b"x")) == bytes([0x82, 1]) + b"x"


def test_a_slow_reader_gets_everything_in_order(line: Line) -> None:
    messages = [bytes([number % 256]) * 10_000 for number in range(200)]
    for message in messages:
        line.websocket.send(message)  # far more than the kernel takes
    assert line.websocket._backlog
    assert [line.peer.frame() for _ in messages] == [(BINARY, message) for message in messages]
    assert line.websocket._backlog_bytes == 0
    assert line.websocket._writer is None
    line.websocket.send("otra vez directamente")
    assert line.peer.frame() == (TEXT, b"otra vez directamente")


def test_a_goodbye_waits_behind_the_backlog(line: Line) -> None:
    messages = [b"x" * 10_000] * 100
    for message in messages:
        line.websocket.send(message)
    line.websocket.close()
    assert [line.peer.frame() for _ in messages] == [(BINARY, message) for message in messages]
    assert line.peer.frame() == (CLOSE, NORMAL.to_bytes(2, "big"))
    assert line.peer.at_end()


def test_a_client_that_does_not_read_is_closed_before_it_hurts(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    waiting = line.begin()
    message = b"x" * 100_000
    sent = 0
    while not line.websocket.is_closed:
        line.websocket.send(message)
        sent += len(message)
        assert sent <= BACKLOG_MAX_BYTES + 2_000_000  # the kernel's own buffers come on top
    assert line.websocket._backlog_bytes == 0
    assert waiting.get(timeout=PATIENCE) is None
    assert "a client does not read" in caplog.text


def test_writing_never_waits_and_never_raises(line: Line) -> None:
    """No switch of greenlets happens inside: nothing that is written can overtake."""
    switched: list[int] = []
    gevent.get_hub().loop.run_callback(switched.append, 1)
    for _ in range(100):
        line.websocket.send(b"x" * 10_000)
    assert switched == []
    line.peer.sock.close()
    for _ in range(5):
        line.websocket.send(b"x")
        gevent.sleep(0.01)
    assert line.websocket.is_closed
    line.websocket.send(b"x")


def test_a_client_that_leaves_with_a_backlog_ends_it(line: Line) -> None:
    waiting = line.begin()
    for _ in range(100):
        line.websocket.send(b"x" * 10_000)
    line.peer.sock.close()
    assert waiting.get(timeout=PATIENCE) is None
    assert line.websocket.is_closed
    assert line.websocket._writer is None


# ---------------------------------------------------------------- writing at the end of a turn
class CountingKernel:
    """The socket beneath, counting what is asked of it."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self.sends: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sends.append(bytes(data))
        return int(self._kernel.send(data))


def test_what_is_told_in_one_turn_leaves_in_one_call_and_in_order(line: Line) -> None:
    line.websocket._kernel = kernel = CountingKernel(line.websocket._kernel)
    for text in ("one", "two", "three"):
        line.websocket.write_soon(message_frame(text))
    assert kernel.sends == []
    assert [line.peer.frame() for _ in range(3)] == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"three")]
    assert len(kernel.sends) == 1
    line.websocket.write_soon(message_frame("four"))
    assert line.peer.frame() == (TEXT, b"four")


def test_what_all_are_told_comes_in_order_with_what_one_is_told(line: Line) -> None:
    line.websocket._kernel = kernel = CountingKernel(line.websocket._kernel)
    for text in ("one", "two", "three"):
        write_soon_to_all([line.websocket], message_frame(text))
    line.websocket.write_soon(message_frame("four"))
    write_soon_to_all([line.websocket], message_frame("five"))
    assert [line.peer.frame()[1] for _ in range(5)] == [b"one", b"two", b"three", b"four", b"five"]
    assert len(kernel.sends) == 1


def test_what_waits_for_many_is_put_together_once(line: Line) -> None:
    others = [WebSocket(line.websocket._sock, max_message_bytes=LIMIT) for _ in range(3)]
    for text in ("one", "two", "three"):
        write_soon_to_all(others, message_frame(text))
    assert others[0]._turn == b"".join(map(message_frame, ("one", "two", "three")))
    assert others[0]._turn is others[1]._turn is others[2]._turn
    others[1].write_soon(message_frame("four"))
    write_soon_to_all(others, message_frame("five"))
    assert others[0]._turn is others[2]._turn
    assert others[1]._turn == [others[0]._turn[: -len(message_frame("five"))], *map(message_frame, ("four", "five"))]
    for other in others:
        other._turn = None


def test_much_that_waits_for_many_is_not_copied_again_and_again(line: Line) -> None:
    large = message_frame("x" * TOGETHER_MAX_BYTES)
    write_soon_to_all([line.websocket], large)
    write_soon_to_all([line.websocket], message_frame("two"))
    assert line.websocket._turn == [large, message_frame("two")]


def test_what_all_are_told_passes_over_who_is_closed(line: Line) -> None:
    line.websocket.abort()
    write_soon_to_all([line.websocket], message_frame("nothing"))
    gevent.sleep(0)
    assert line.peer.at_end()


def test_a_message_sent_at_once_does_not_overtake(line: Line) -> None:
    line.websocket.write_soon(message_frame("first"))
    line.websocket.send("second")
    assert [line.peer.frame() for _ in range(2)] == [(TEXT, b"first"), (TEXT, b"second")]


def test_a_goodbye_comes_after_what_waits_for_the_end_of_the_turn(line: Line) -> None:
    line.websocket.write_soon(message_frame("last words"))
    line.websocket.close()
    line.websocket.write_soon(message_frame("too late"))
    assert line.peer.frame() == (TEXT, b"last words")
    assert line.peer.frame()[0] == CLOSE
    assert line.peer.at_end()


def test_an_abort_drops_what_waits_for_the_end_of_the_turn(line: Line) -> None:
    line.websocket.write_soon(message_frame("never"))
    line.websocket.abort()
    gevent.sleep(0)
    assert line.peer.at_end()


class SlowKernel(CountingKernel):
    """Each call takes so long by the clock that it winds."""

    def __init__(self, kernel: Any, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
        super().__init__(kernel)
        self._seconds = seconds
        self._now = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self._now))
        monkeypatch.setattr(module, "_TURN", module._Turn())

    def send(self, data: bytes) -> int:
        self._now += self._seconds
        return super().send(data)

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


def test_a_turn_that_took_long_is_followed_by_a_pause_in_which_frames_gather(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.websocket._kernel = kernel = SlowKernel(line.websocket._kernel, monkeypatch, seconds=0.01)
    for text in ("one", "two", "three"):
        line.websocket.write_soon(message_frame(text))
        gevent.sleep(0)
        gevent.sleep(0)
    assert len(kernel.sends) == 1
    assert [line.peer.frame() for _ in range(3)] == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"three")]
    assert len(kernel.sends) == 2


@pytest.mark.parametrize(("seconds", "later"), [(0.01, 0.02), (0.0001, 0.0)])
def test_who_has_time_to_spare_makes_no_pause(
    line: Line, monkeypatch: pytest.MonkeyPatch, seconds: float, later: float
) -> None:
    line.websocket._kernel = kernel = SlowKernel(line.websocket._kernel, monkeypatch, seconds=seconds)
    for number in range(1, 4):
        line.websocket.write_soon(message_frame("now"))
        gevent.sleep(0)
        gevent.sleep(0)
        assert len(kernel.sends) == number
        kernel.pass_time(later)

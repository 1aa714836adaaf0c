"""A small Socket.IO client that can also misbehave: it sends exactly the bytes a test gives it.

``Client`` speaks Engine.IO 4 and Socket.IO 5 over polling (``requests``) or over a WebSocket of its own
(``RawWebSocket``). A thread reads; tests wait for what has arrived, with a deadline.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests

PATIENCE = 15.0
"""Seconds that anything may take before a test gives it up."""

SEPARATOR = "\x1e"
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


class Gone(Exception):
    """The connection is over."""


class Refused(Exception):
    """The server answered CONNECT with CONNECT_ERROR; ``data`` is its payload."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.data = data


def mask(payload: bytes, key: bytes) -> bytes:
    if not payload:
        return b""
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def client_frame(
    opcode: int, payload: bytes = b"", *, last: bool = True, rsv: int = 0, key: bytes | None = b"\x11\x22\x33\x44"
) -> bytes:
    """One frame as a client sends it; ``key=None`` leaves the mask out, which RFC 6455 forbids."""
    size = len(payload)
    masked = 0x80 if key is not None else 0
    head = bytes([(0x80 if last else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    return head + payload if key is None else head + key + mask(payload, key)


def server_frame(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """The next frame of a server; ``read`` gives exactly so many bytes or raises Gone."""
    first, second = read(2)
    assert not second & 0x80, "a server must not mask"
    assert not first & 0x70, "no extension was agreed upon"
    size = second & 127
    if size == 126:
        (size,) = struct.unpack("!H", read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", read(8))
    return first & 15, read(size)


def server_texts(data: bytes) -> list[str]:
    """What a server has written, as far as it is text: the messages of whole frames, one after another."""
    stream, texts = BytesIO(data), []
    while stream.tell() < len(data):
        opcode, payload = server_frame(stream.read)
        assert opcode == TEXT
        texts.append(payload.decode())
    return texts


class RawWebSocket:
    """A WebSocket handshake and then frames, as wrong as one likes."""

    def __init__(self, url: str, target: str, **headers: str) -> None:
        where = urlsplit(url)
        self.sock = socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=PATIENCE)
        self._received = b""
        asked = {
            "Host": where.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items()), "", ""]
        self.sock.sendall("\r\n".join(lines).encode())
        self.status = self._handshake()

    def _handshake(self) -> int:
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1").lower()
        return int(head.split(b" ", 2)[1])

    def send(self, message: str | bytes) -> None:
        text = isinstance(message, str)
        self.raw(client_frame(TEXT if text else BINARY, message.encode() if isinstance(message, str) else message))

    def raw(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as exc:
            raise Gone from exc

    def frame(self) -> tuple[int, bytes]:
        return server_frame(self._exactly)

    def message(self) -> str | bytes:
        """The next message; answers nothing by itself. Raises Gone at a close frame."""
        opcode, payload = self.frame()
        if opcode == CLOSE:
            raise Gone(close_code(payload))
        return payload.decode() if opcode == TEXT else payload

    def closing(self) -> int | None:
        """Wait for the end: the code of the close frame, or None when there was none."""
        while True:
            try:
                opcode, payload = self.frame()
            except Gone:
                return None
            if opcode == CLOSE:
                return close_code(payload)

    def end(self) -> None:
        """Whoever waits for the next frame finds the connection gone."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._more()
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _more(self) -> None:
        try:
            data = self.sock.recv(1 << 20)
        except TimeoutError:
            raise
        except OSError as exc:
            raise Gone from exc
        if not data:
            raise Gone
        self._received += data


def close_code(payload: bytes) -> int | None:
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else None


class _WebSocketTransport:
    def __init__(self, url: str, path: str, headers: dict[str, str]) -> None:
        self.raw = RawWebSocket(url, f"{path}/?EIO=4&transport=websocket", **headers)
        if self.raw.status != 101:
            raise Gone(self.raw.status)
        self.close_code: int | None = None

    def receive(self) -> list[str | bytes]:
        while True:
            opcode, payload = self.raw.frame()
            if opcode == CLOSE:
                self.close_code = close_code(payload)
                with suppress(Gone):
                    self.raw.raw(client_frame(CLOSE, payload))
                raise Gone
            if opcode == PING:
                self.raw.raw(client_frame(PONG, payload))
            elif opcode in (TEXT, BINARY):
                return [payload.decode() if opcode == TEXT else payload]

    def send(self, *packets: str | bytes) -> None:
        for packet in packets:
            self.raw.send(packet)

    def end(self) -> None:
        """The reader closes it; closed under the reader, it could make that wait at whoever gets its number next."""
        self.raw.end()

    def close(self) -> None:
        self.raw.close()


class _PollingTransport:
    def __init__(self, url: str, path: str, headers: dict[str, str]) -> None:
        self._asking, self._telling = requests.Session(), requests.Session()
        self._url = f"{url}{path}/?EIO=4&transport=polling"
        self._headers = headers
        self._waiting: list[str | bytes] = [*self._ask(self._url)]
        first = self._waiting[0]
        assert isinstance(first, str)
        self.sid = json.loads(first[1:])["sid"]
        self._url += f"&sid={self.sid}"
        self.close_code: int | None = None

    def _ask(self, url: str) -> list[str | bytes]:
        try:
            answer = self._asking.get(url, headers=self._headers, timeout=60)
        except requests.RequestException as exc:
            raise Gone from exc
        if answer.status_code != 200:
            raise Gone(answer.status_code)
        parts = answer.content.decode().split(SEPARATOR)
        return [base64.b64decode(part[1:]) if part.startswith("b") else part for part in parts if part]

    def receive(self) -> list[str | bytes]:
        waiting, self._waiting = self._waiting, []
        return waiting or self._ask(self._url)

    def send(self, *packets: str | bytes) -> None:
        written = [
            packet.encode() if isinstance(packet, str) else b"b" + base64.b64encode(packet) for packet in packets
        ]
        if self.post(SEPARATOR.encode().join(written)).status_code != 200:
            raise Gone

    def post(self, body: bytes) -> requests.Response:
        try:
            return self._telling.post(self._url, data=body, headers=self._headers, timeout=PATIENCE)
        except requests.RequestException as exc:
            raise Gone from exc

    def close(self) -> None:
        with suppress(Gone):
            self.post(b"1")
        self._asking.close()
        self._telling.close()

    end = close


class Client:
    """One Socket.IO connection. ``call`` waits for an acknowledgement, ``expect`` for an event."""

    def __init__(
        self,
        url: str,
        transport: str = "websocket",
        *,
        auth: Any = None,
        headers: dict[str, str] | None = None,
        path: str = "/socket.io",
        connect: bool = True,
    ) -> None:
        make = _WebSocketTransport if transport == "websocket" else _PollingTransport
        self.transport: Any = make(url, path, headers or {})
        self.sid: str | None = None
        self.seen: list[tuple[str, list[Any]]] = []
        """Every event, in the order of arrival."""
        self.packets: list[str | bytes] = []
        """Every Engine.IO packet but pings."""
        self._unmatched: list[tuple[str, list[Any]]] = []
        self._acks: dict[int, queue.SimpleQueue[Any]] = {}
        self._numbers = iter(range(10**9))
        self._changed = threading.Condition()
        self._answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if connect:
            self.connect(auth)

    # ------------------------------------------------------------ talking
    def connect(self, auth: Any = None) -> None:
        """Raises Refused, Gone."""
        self.send("40" if auth is None else "40" + json.dumps(auth))
        self.connected()

    def connected(self) -> None:
        answer = self._answer.get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        self.sid = answer["sid"]

    def send(self, *packets: str | bytes) -> None:
        """Whole Engine.IO packets, as they are."""
        self.transport.send(*packets)

    def emit(self, event: str, *arguments: Any) -> None:
        self.send("42" + json.dumps([event, *arguments]))

    def begin(self, event: str, *arguments: Any, raw: str | None = None) -> queue.SimpleQueue[Any]:
        """Emit with an acknowledgement; its arrival, or Gone, is put into what is returned. ``raw`` is JSON text."""
        number = next(self._numbers)
        self._acks[number] = arrived = queue.SimpleQueue()
        self.send(f"42{number}" + (json.dumps([event, *arguments]) if raw is None else raw))
        return arrived

    def call(self, event: str, *arguments: Any, raw: str | None = None, timeout: float = PATIENCE) -> Any:
        """The acknowledgement. Raises Gone."""
        try:
            answer = self.begin(event, *arguments, raw=raw).get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no acknowledgement of {event} within {timeout} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ok(self, event: str, *arguments: Any) -> Any:
        """The ``data`` of a good acknowledgement."""
        answer = self.call(event, *arguments)
        assert answer["ok"] is True, answer
        return answer["data"]

    def expect(self, event: str, where: Callable[[Any], bool] = lambda _: True, timeout: float = PATIENCE) -> Any:
        """The payload of the next such event, which is then used up."""
        give_up_at = time.monotonic() + timeout
        with self._changed:
            while True:
                for index, (name, arguments) in enumerate(self._unmatched):
                    if name == event and where(arguments[0] if arguments else None):
                        del self._unmatched[index]
                        return arguments[0] if arguments else None
                left = give_up_at - time.monotonic()
                if left <= 0 or self.ended.is_set():
                    raise AssertionError(f"no {event}; came: {[name for name, _ in self.seen]}")
                self._changed.wait(left)

    def wait_until_ended(self, timeout: float = PATIENCE) -> None:
        assert self.ended.wait(timeout), "the connection lives on"

    @property
    def is_open(self) -> bool:
        return not self.ended.is_set()

    def close(self) -> None:
        self.transport.end()
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive()

    # ------------------------------------------------------------ listening
    def _read(self) -> None:
        try:
            while True:
                for packet in self.transport.receive():
                    self._take(packet)
        except (Gone, OSError):
            pass
        finally:
            if isinstance(self.transport, _WebSocketTransport):
                self.transport.close()
            with self._changed:
                self.ended.set()
                self._changed.notify_all()
            self._answer.put(Gone())
            for waiting in list(self._acks.values()):
                waiting.put(Gone())

    def _take(self, packet: str | bytes) -> None:
        if packet == "2":
            self.send("3")
            return
        self.packets.append(packet)
        if not isinstance(packet, str) or packet[:1] != "4":
            if packet == "1":
                raise Gone
            return
        kind, rest = packet[1:2], packet[2:]
        if rest.startswith("/"):
            return  # another namespace's
        if kind == "0":
            self._answer.put(json.loads(rest))
        elif kind == "4":
            self._answer.put(Refused(json.loads(rest)))
        elif kind == "1":
            raise Gone
        elif kind == "3":
            digits = rest[: rest.index("[")]
            waiting = self._acks.pop(int(digits), None)
            if waiting is not None:
                waiting.put(json.loads(rest[len(digits) :])[0])
        elif kind == "2":
            name, *arguments = json.loads(rest)
            with self._changed:
                self.seen.append((name, arguments))
                self._unmatched.append((name, arguments))
                self._changed.notify_all()


@contextmanager
def clients(url: str, *user_ids: str, transport: str = "websocket", **kwargs: Any) -> Iterator[list[Client]]:
    """One joined client for each user."""
    opened: list[Client] = []
    try:
        for user_id in user_ids:
            opened.append(joined(url, user_id, transport, **kwargs))
        yield opened
    finally:
        for client in opened:
            client.close()


def joined(url: str, user_id: str, transport: str = "websocket", **kwargs: Any) -> Client:
    client = Client(url, transport, **kwargs)
    client.ok("user_join", person(user_id))
    return client


def person(user_id: str) -> dict[str, Any]:
    return {
        "userId": user_id,
        "name": f"Name of {user_id}",
        "email": f"{user_id}@example.com",
        "roles": ["user"],
        "filials": ["central"],
    }


def save_users(url: str, *user_ids: str) -> None:
    for user_id in user_ids:
        body = {"id": user_id, "name": f"Name of {user_id}", "email": f"{user_id}@example.com"}
        requests.post(f"{url}/api/users", json=body, timeout=PATIENCE).raise_for_status()


def make_conversation(url: str, creator: str, *others: str, group: bool = False) -> str:
    kind: dict[str, Any] = {"type": "group", "name": "Equipo"} if group else {"type": "private"}
    body = {**kind, "participants": [creator, *others], "createdBy": creator}
    answer = requests.post(f"{url}/api/conversations", json=body, timeout=PATIENCE)
    answer.raise_for_status()
    conversation_id: str = answer.json()["id"]
    return conversation_id


def text_message(conversation_id: str, sender: str, content: str = "hola", **more: Any) -> dict[str, Any]:
    return {
        "conversationId": conversation_id,
        "senderId": sender,
        "recipientId": None,
        "content": content,
        "messageType": "text",
        **more,
    }


def log_lines(text: str) -> list[dict[str, Any]]:
    """The server's log; every line of it must be JSON."""
    found = []
    for number, line in enumerate(text.splitlines()):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise AssertionError("not JSON: " + "\n".join(text.splitlines()[number : number + 40])) from None
    return found

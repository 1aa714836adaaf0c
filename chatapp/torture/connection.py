"""One Socket.IO connection: a thread reads, and whatever arrives is handed on in the order of arrival."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatapp.protocol.wire_json import WireJson
from chatapp.torture.transports import Gone, PollingTransport, Transport, WebSocketTransport

ANSWER_SECONDS = 10.0
"""How long an acknowledgement may take until its operation counts as unanswered."""


class Refused(Exception):
    """A definite no. ``code`` is the server's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Waiting:
    answered: Callable[[Any], None]
    done: threading.Event = field(default_factory=threading.Event)
    answer: Any = None


class Connection:
    """``heard`` and ``ended`` are called by the reading thread, ``ended`` last and once. Raises Gone, Refused."""

    def __init__(
        self, url: str, path: str, transport: str, *, heard: Callable[[str, Any], None], ended: Callable[[], None]
    ) -> None:
        make = WebSocketTransport if transport == "websocket" else PollingTransport
        self._transport: Transport = make(url, path)
        self._heard, self._ended = heard, ended
        self._numbers = itertools.count(1)
        welcome = _Waiting(_nothing)
        self._waiting: dict[int, _Waiting] = {0: welcome}
        self._is_over = threading.Event()
        self.session_id = ""
        """What the server calls this connection; known once it is open."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait(welcome, "40")
        except Refused:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        return not self._is_over.is_set()

    def call(self, event: str, payload: Any, *, answered: Callable[[Any], None] | None = None) -> Any:
        """The ``data`` of a good acknowledgement, which ``answered`` gets too, by the reading thread, before anything
        that came after it. Raises Refused and Gone."""
        number = next(self._numbers)
        waiting = self._waiting[number] = _Waiting(answered or _nothing)
        if self._is_over.is_set():  # the reader may have ended before it could see this one
            raise Gone("the connection is over")
        return self._wait(waiting, f"42{number}" + WireJson.dumps([event, payload]))

    def tell(self, event: str, payload: Any) -> None:
        """Without an acknowledgement. Raises Gone."""
        self._transport.send("42" + WireJson.dumps([event, payload]))

    def close(self) -> None:
        """Cut it, without a word."""
        self._transport.cut()
        self._reader.join()

    def _wait(self, waiting: _Waiting, packet: str) -> Any:
        try:
            self._transport.send(packet)
            if not waiting.done.wait(ANSWER_SECONDS):
                raise Gone("no answer")
        except Gone:
            self.close()
            raise
        if isinstance(waiting.answer, Exception):
            raise waiting.answer
        return waiting.answer

    # ------------------------------------------------------------ the reading thread
    def _read(self) -> None:
        try:
            while True:
                for packet in self._transport.receive():
                    self._take(packet)
        except (Gone, OSError, ValueError):
            pass
        finally:
            self._transport.cut()
            self._transport.close()
            self._ended()
            self._is_over.set()
            for number in list(self._waiting):
                self._settle(number, Gone("the connection ended"))

    def _take(self, packet: str) -> None:
        if packet == "2":
            self._transport.send("3")
        elif packet.startswith("0"):
            self.session_id = WireJson.loads(packet[1:])["sid"]
        elif packet.startswith("40"):
            self._settle(0, None)
        elif packet.startswith("44"):
            data = WireJson.loads(packet[2:]).get("data") or {}
            self._settle(0, Refused(str(data.get("code"))))
        elif packet.startswith("43"):
            number, _, body = packet[2:].partition("[")
            self._settle(int(number), WireJson.loads("[" + body)[0])
        elif packet.startswith("42"):
            name, *arguments = WireJson.loads(packet[2:])
            self._heard(name, arguments[0] if arguments else None)
        elif packet in ("1", "41"):
            raise Gone("closed by the server")

    def _settle(self, number: int, answer: Any) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        if isinstance(answer, dict) and not answer["ok"]:
            answer = Refused(answer["error"]["code"])
        elif isinstance(answer, dict):
            answer = answer["data"]
            waiting.answered(answer)
        waiting.answer = answer
        waiting.done.set()


def _nothing(_answer: Any) -> None: ...

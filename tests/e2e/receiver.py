"""Somebody else's backend: takes webhooks, remembers every one, and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.wire import PATIENCE


@dataclass(frozen=True, slots=True)
class Post:
    path: str
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def event(self) -> str:
        return str(self.said["event"])

    @property
    def data(self) -> Any:
        return self.said["data"]


Answer = Callable[[Post], tuple[int, dict[str, str]]]


class Receiver:
    """On a port of 127.0.0.1. ``answer`` decides what a POST gets; by default 204."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answer: Answer = lambda _post: (204, {})
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._take(self, body)

            def log_message(self, *_: Any) -> None:
                """The tests say what went wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        post = Post(request.path, {name.lower(): value for name, value in request.headers.items()}, body)
        with self._arrived:
            self.posts.append(post)
            self._arrived.notify_all()
        status, headers = self.answer(post)
        try:
            request.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                request.send_header(name, value)
            request.end_headers()
        except OSError:
            pass  # who asked is gone

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def of(self, *events: str) -> list[Post]:
        return [post for post in self.posts if post.event in events]

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        give_up_at = time.monotonic() + seconds
        with self._arrived:
            while not condition():
                left = give_up_at - time.monotonic()
                assert left > 0, f"never: {what}; there were {[post.event for post in self.posts]}"
                self._arrived.wait(min(left, 0.2))

    def wait_for(self, count: int, *events: str, seconds: float = PATIENCE) -> list[Post]:
        self.wait_until(lambda: len(self.of(*events)) >= count, f"{count} of {events}", seconds)
        return self.of(*events)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

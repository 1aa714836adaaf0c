"""The gunicorn worker: gevent with websockets, and a stop that does not wait for sockets that never end."""

from __future__ import annotations

from typing import Any

import gevent
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker


class ChatWorker(GeventWebSocketWorker):
    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: no new connections, finish what was begun."""
        super().handle_exit(sig, frame)
        self._say_goodbye()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT mean the same here: an accepted message is finished either way."""
        self.handle_exit(sig, frame)

    def _say_goodbye(self) -> None:
        gevent.spawn(self.wsgi.extensions["chatapp"].close)

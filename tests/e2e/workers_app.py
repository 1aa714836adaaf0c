"""The smallest thing that the worker serves: an echo over Socket.IO and a page that says who answers.

For the tests of several workers: it has what ``ChatWorker`` asks of the real application, and nothing to share.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - patch first
from collections.abc import Callable, Iterable  # noqa: E402
from types import SimpleNamespace  # noqa: E402
from typing import Any  # noqa: E402

import socketio  # noqa: E402

from chatapp.transport.sockets.library import never_wait_for_goodbyes, use_own_websocket  # noqa: E402

server = socketio.Server(async_mode="gevent", async_handlers=False, cors_allowed_origins="*")
use_own_websocket(server)
never_wait_for_goodbyes(server)


@server.event
def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
    pass


@server.event
def echo(sid: str, sent: Any) -> dict[str, Any]:
    return {"ok": True, "data": {"sent": sent, "pid": os.getpid()}}


def pages(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    found = environ["PATH_INFO"] == "/healthz"
    answer = str(os.getpid()).encode()
    start_response("200 OK" if found else "404 Not Found", [("Content-Length", str(len(answer)))])
    return [answer]


app: Any = socketio.WSGIApp(server, pages)
app.extensions = {
    "chatapp": SimpleNamespace(
        settings=SimpleNamespace(socket_path="/socket.io"),
        socketio=SimpleNamespace(server=server),
        drain=lambda _hurry: server.eio.disconnect(),
        close=server.eio.disconnect,
    )
}

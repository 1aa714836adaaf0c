"""The observed application with its waiting times and caches as small as a soak is short, so that they fill in it."""

from gevent import monkey

monkey.patch_all()

from chatapp.adapters.sqlite_store import database  # noqa: E402 - patch first
from chatapp.services import typing  # noqa: E402
from chatapp.transport import sockets  # noqa: E402
from chatapp.transport.sockets import websocket  # noqa: E402

sockets.UNNOTICED_SECONDS = 0
websocket.GOODBYE_SECONDS = typing.TIMEOUT_SECONDS = 0.5
database.CACHE_KIB = 512

from benchmarks.observed_app import app  # noqa: E402 - after what it reads

__all__ = ["app"]


@app.before_request
def forget_what_is_too_old() -> None:
    """The packet log lets go of it with the next packet; at rest there is none."""
    app.extensions["chatapp"].socketio.server.manager._log.record((), (), "")

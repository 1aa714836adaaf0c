"""The whole application on a worker with the real bounds made small, so that a test need not wait for minutes."""

from gevent import monkey

monkey.patch_all()

from chatapp.application import create_app  # noqa: E402 - patch first
from chatapp.transport.sockets import watchdog  # noqa: E402
from chatapp.transport.worker import ChatServer  # noqa: E402

ChatServer.stall_seconds = 1.0
ChatServer.rest_max_bytes = 1024 * 1024
watchdog.CONNECT_TIMEOUT_SECONDS = 1.0
watchdog.ROUND_SECONDS = 0.2

app = create_app()

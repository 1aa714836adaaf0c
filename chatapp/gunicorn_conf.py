"""How gunicorn runs the server, and why so. ``gunicorn.conf.py`` and ``chatapp serve`` both read it."""

import os
import signal
import time
from typing import Any

from chatapp.settings import Settings, SettingsError

try:
    _settings = Settings.from_env(os.environ)
except SettingsError as error:
    raise SystemExit(f"chatapp: {error}") from None

bind = f"{_settings.host}:{_settings.port}"

# gevent with websockets, and a clean stop. gunicorn's plain "gevent" worker answers websockets with 500.
worker_class = "chatapp.transport.worker.ChatWorker"

# One process keeps presence, limits and fan-out itself; Settings refuses more than one without Redis.
# Several share the port without a proxy: the worker class hands connections over (docs/decisions/0005).
workers = _settings.web_concurrency

# Sockets are held, not served and done: the default of 1,000 would turn the next client away.
worker_connections = 100_000

# A worker that does not reach its event loop for this long is killed and replaced. Seconds.
timeout = 60

# After a stop is asked for, clients are parted with (5 s and a little) and open requests get the rest of this. Heroku
# kills after 30. Seconds.
graceful_timeout = 20

# Idle HTTP connections are kept for clients that poll. Seconds.
keepalive = 30

# A client that never finishes its backlog of connections: the kernel's queue, for storms of reconnecting clients.
backlog = 4096

# Requests are logged by the application, structured and with their id.
accesslog = None
errorlog = "-"
loglevel = "warning"

# /dev/shm where there is one: the heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108


def when_ready(server: Any) -> None:
    """A second SIGTERM hurries the stop, as SIGQUIT does; gunicorn's master itself would not look at it. The same stop
    told twice, within a second, is one."""
    first_at: float | None = None

    def terminate(number: int, frame: Any) -> None:
        nonlocal first_at
        now = time.monotonic()
        if first_at is None:
            first_at = now
            server.signal(number, frame)
        elif now - first_at > 1:
            server.signal(signal.SIGQUIT, frame)

    signal.signal(signal.SIGTERM, terminate)


def on_starting(server: Any) -> None:
    """WebSockets are written to the connection's own socket, past any encryption here."""
    if server.cfg.is_ssl:
        raise SystemExit(
            "chatapp: TLS is the proxy's in front (config/nginx.conf.example); start without a certificate here."
        )

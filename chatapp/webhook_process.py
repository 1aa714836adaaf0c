"""A process that does nothing but deliver webhooks: ``chatapp webhook deliver``. Everything is patched before anything
is imported, as in ``wsgi.py``."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - patch first
import signal  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from chatapp.domain.errors import Unavailable  # noqa: E402
from chatapp.logs import configure_logs  # noqa: E402
from chatapp.settings import Settings, SettingsError  # noqa: E402


def main() -> int:
    """Until it is told to stop. Exit status: 0 done, 1 an engine is down, 2 wrong settings."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as exc:
        print(f"chatapp: {exc}", file=sys.stderr)
        return 2
    if settings.webhook_delivery == "web":  # a Procfile starts it all the same
        print("chatapp: WEBHOOK_DELIVERY=web: the web workers deliver, and this process does nothing", file=sys.stderr)
        _wait_for(stopped)
        return 0
    try:
        _deliver_until(stopped, settings)
    except Unavailable as exc:
        print(f"chatapp: {exc}", file=sys.stderr)
        return 1
    return 0


def _deliver_until(stopped: Event, settings: Settings) -> None:
    """Raises StoreUnavailable."""
    from chatapp.wiring import build_deliverer  # noqa: PLC0415 - a process that does nothing needs none of it

    configure_logs(settings)
    store, sweeper = build_deliverer(settings)
    try:
        _wait_for(stopped)
    finally:
        sweeper.stop()
        store.close()


def _wait_for(stopped: Event) -> None:
    """gevent takes a loop in which nothing but signals is waited for to be done."""
    while not stopped.wait(3600):
        pass


if __name__ == "__main__":
    sys.exit(main())

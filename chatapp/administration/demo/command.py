"""``chatapp demo``: fills a store of its own, serves it, and removes it in the end."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from chatapp.administration.demo.company import Company
from chatapp.administration.demo.story import MAIN_PERSON
from chatapp.settings import Settings, SettingsError
from chatapp.torture.transports import Gone, Rest

STARTS_WITHIN_SECONDS = 30.0
LOOKS_AGAIN_SECONDS = 0.1
ENDS_WITHIN_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--now",
        type=_time,
        metavar="TIME",
        help="when the story has just been told, like 2027-03-01T10:30:00Z (default: now)",
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Until Ctrl-C, or until the server ends by itself. Raises SettingsError, Unavailable."""
    require_embedded(settings)
    require_free_port(settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # also what a script's background ignores
        signal.signal(number, _end)
    try:
        with TemporaryDirectory(prefix="chatapp-demo-") as folder:
            settings = in_folder(settings, Path(folder))
            fill_store(settings, now=options.now or datetime.now(UTC))
            with serving(settings) as server:
                return server.wait()
    except KeyboardInterrupt:
        print()
        return 0


def require_embedded(settings: Settings) -> None:
    """Raises SettingsError for a server that is more than a look at it."""
    if settings.auth_mode != "open":
        raise SettingsError("AUTH_MODE must be 'open' for the demo: its people have no tokens.")
    if settings.is_production:
        raise SettingsError("NODE_ENV must not be 'production' for the demo: it lets everybody in.")
    if settings.store_engine != "sqlite" or settings.file_engine != "local":
        raise SettingsError(
            "STORAGE_BACKEND and FILE_STORAGE_TYPE must be 'sqlite' and 'local' for the demo: "
            "it fills a store of its own, and touches none that exists."
        )
    if settings.redis is not None:
        raise SettingsError("REDIS_URL and REDIS_HOST must be empty for the demo: it has nobody to share with.")


def require_free_port(settings: Settings) -> None:
    """Raises SettingsError. The demo's people shall not walk into another server that answers there."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as exc:
            raise SettingsError(
                f"HOST and PORT must be free to listen on, got '{settings.host}' and '{settings.port}': {exc.strerror}"
            ) from exc


def in_folder(settings: Settings, folder: Path) -> Settings:
    return replace(settings, demo=True, sqlite_path=folder / "chat.db", upload_path=folder / "uploads")


def fill_store(settings: Settings, *, now: datetime) -> None:
    """Raises StoreUnavailable, FilesUnavailable."""
    from chatapp.administration.demo.filling import (  # noqa: PLC0415 - `chatapp --help` needs none of it
        Nobody,
        StoryClock,
        StoryIds,
        fill,
    )
    from chatapp.wiring import build_bus, build_chat  # noqa: PLC0415 - as above

    clock, nobody = StoryClock(now), Nobody()
    chat = build_chat(settings, nobody, nobody, build_bus(settings), clock=clock, ids=StoryIds())
    try:
        fill(chat, clock, now=now)
    finally:
        chat.close()


@contextmanager
def serving(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The server over what was filled, and its people in it; or a server that has ended, because it could not start."""
    url = f"http://{_reachable(settings.host)}:{settings.port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:chatapp.gunicorn_conf", "chatapp:create_app()"],
        env={**os.environ, **_environment(settings)},
        start_new_session=True,  # Ctrl-C is ours to hear: the server is told once
    )
    try:
        if _wait_until_it_answers(url, server):
            with closing(Company(url, settings.socket_path)):
                print(_welcome(url), flush=True)
                yield server
        else:
            yield server
    finally:
        _stop(server)


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "DEMO": "on",
        "SQLITE_PATH": str(settings.sqlite_path),
        "FILE_STORAGE_LOCAL_PATH": str(settings.upload_path),
        "HOST": settings.host,
        "PORT": str(settings.port),
        "LOG_LEVEL": "warning",
    }


def _reachable(host: str) -> str:
    return "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not listened to


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """False when it ended instead."""
    give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            Rest(url).ask("GET", "/healthz")
            return True
        except Gone:
            time.sleep(LOOKS_AGAIN_SECONDS)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Without the farewell that a server's clients get: nobody is to come back to this one."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
    try:
        server.wait(ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _welcome(url: str) -> str:
    return (
        f"The demo is at {url}\n"
        f"Sign in as {MAIN_PERSON.name}, who has something in every corner, or as anybody else whom the page offers.\n"
        "Some of the others are online, and answer. Ctrl-C ends the demo and removes all that was said in it."
    )


def _time(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise argparse.ArgumentTypeError(f"must be a time like 2027-03-01T10:30:00Z, got {text!r}")
    return datetime.fromisoformat(text)


def _end(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt

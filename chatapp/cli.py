"""``chatapp`` and its subcommands (``COMMANDS`` below): the server's own."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from chatapp.administration import apikey, audit, token, webhook
from chatapp.administration.demo import command as demo
from chatapp.domain.errors import Unavailable
from chatapp.domain.models import OPERATOR
from chatapp.settings import Settings, SettingsError
from chatapp.torture import command as torture

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True)
class Command:
    run: Callable[[argparse.Namespace], int]
    summary: str
    arguments: Callable[[argparse.ArgumentParser], object] = lambda _parser: None
    """Adds what the command takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 an engine is down, or what was asked for is not there or not good, 2 wrong usage or
    settings."""
    parser = argparse.ArgumentParser(prog="chatapp", description="A chat server over Socket.IO and REST.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, help=command.summary, description=command.summary))
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command].run(options)
    except SettingsError as exc:
        print(f"chatapp: {exc}", file=sys.stderr)
        return 2
    except Unavailable as exc:
        print(f"chatapp: {exc}", file=sys.stderr)
        return 1


def _with_settings(run: Callable[[Settings], int]) -> Callable[[argparse.Namespace], int]:
    """For a command that is the server's, and so takes the server's environment."""
    return lambda _options: run(Settings.from_env(os.environ))


def _with_both(run: Callable[[Settings, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    return lambda options: run(Settings.from_env(os.environ), options)


def _serve(_: Settings) -> int:
    """The same server as the Procfile's, for somebody who installed the package."""
    here = Path(sys.executable).parent
    command = ["gunicorn", "-c", "python:chatapp.gunicorn_conf", "chatapp:create_app()"]
    os.execv(here / "gunicorn", command)  # noqa: S606 - no shell is what we want


def _init(settings: Settings) -> int:
    """Makes and migrates whatever the engines need; again is harmless."""
    from chatapp.wiring import create_tables  # noqa: PLC0415 - as below

    create_tables(settings)
    print("ready")
    return 0


def _purge(settings: Settings) -> int:
    with _app(settings) as app:
        print(app.extensions["chatapp"].chat.messages.purge(batch_size=500, actor=OPERATOR))
    return 0


def _openapi(settings: Settings) -> int:
    return _print_document(settings, "/api/openapi.json")


def _asyncapi(settings: Settings) -> int:
    return _print_document(settings, "/api/asyncapi.json")


def _print_document(settings: Settings, path: str) -> int:
    """Made by the application itself, over engines that are thrown away."""
    with TemporaryDirectory() as folder:
        scratch = {"sqlite_path": Path(folder) / "chat.db", "upload_path": Path(folder) / "uploads"}
        with _app(settings, log_level="error", **scratch) as app:
            document = app.test_client().get(path).get_json()
    print(json.dumps(document, ensure_ascii=False, indent=2))
    return 0


@contextmanager
def _app(settings: Settings, **overrides: Any) -> Iterator[Flask]:
    from chatapp.application import create_app  # noqa: PLC0415 - `chatapp --help` needs none of it

    app = create_app(settings, **{"webhook_delivery": "apart", **overrides})  # a command delivers nothing
    try:
        yield app
    finally:
        app.extensions["chatapp"].close()


COMMANDS: dict[str, Command] = {
    "serve": Command(_with_settings(_serve), "run the server on HOST:PORT"),
    "demo": Command(_with_both(demo.run), "show the chat with people in it, until Ctrl-C", demo.add_arguments),
    "init": Command(_with_settings(_init), "create or migrate the tables"),
    "token": Command(_with_both(token.run), "mint a user's token", token.add_arguments),
    "purge": Command(_with_settings(_purge), "remove every message for good, and say how many"),
    "apikey": Command(_with_both(apikey.run), "make, list and revoke the backend's API keys", apikey.add_arguments),
    "audit": Command(_with_both(audit.run), "check and list who deleted and revoked what", audit.add_arguments),
    "webhook": Command(webhook.run, "listen for webhooks, or deliver them", webhook.add_arguments),
    "openapi": Command(_with_settings(_openapi), "print the description of the REST API"),
    "asyncapi": Command(_with_settings(_asyncapi), "print the description of the socket events"),
    "torture": Command(torture.run, "send from many clients while faults happen, and judge", torture.add_arguments),
}


if __name__ == "__main__":
    sys.exit(main())

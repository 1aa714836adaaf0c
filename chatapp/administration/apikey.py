"""``chatapp apikey create | list | revoke``."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from chatapp.administration.opening import opened_api_keys
from chatapp.administration.output import print_line
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.errors import NotFound
from chatapp.domain.models import OPERATOR, Scope
from chatapp.services.api_keys import ApiKeyService
from chatapp.settings import Settings

NAME_MAX_CHARS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a key and print its secret, this once")
    create.add_argument("--name", required=True, type=_name, help="what it is for")
    create.add_argument(
        "--scope", required=True, action="append", choices=[scope.value for scope in Scope], help="may be repeated"
    )
    create.set_defaults(act=_create)
    actions.add_parser("list", help="print all keys, revoked ones too").set_defaults(act=_list)
    revoke = actions.add_parser("revoke", help="make a key worthless")
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(act=_revoke)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Raises StoreUnavailable."""
    with opened_api_keys(settings) as service:
        status: int = options.act(service, options)
        return status


def _name(text: str) -> str:
    if not text.strip() or len(text) > NAME_MAX_CHARS or not text.isprintable():
        raise argparse.ArgumentTypeError(f"must be 1 to {NAME_MAX_CHARS} printable characters, got {text!r}")
    return text.strip()


def _create(service: ApiKeyService, options: argparse.Namespace) -> int:
    """The secret alone goes to standard output, where a script takes it."""
    key, secret = service.create(options.name, [Scope(name) for name in options.scope], by=OPERATOR)
    print(f"chatapp: made the key {key.id}. Keep its secret: nobody can show it again.", file=sys.stderr)
    print(secret)
    return 0


def _list(service: ApiKeyService, _: argparse.Namespace) -> int:
    for key in service.list_all():
        print_line(_line(key))
    return 0


def _revoke(service: ApiKeyService, options: argparse.Namespace) -> int:
    try:
        key = service.revoke(options.id, by=OPERATOR)
    except NotFound:
        print(f"chatapp: there is no key {options.id!r}", file=sys.stderr)
        return 1
    print_line(_line(key))
    return 0


def _line(key: ApiKey) -> str:
    parts = [key.id, " ".join(sorted(key.scopes)), f"made {_time(key.created_at)}"]
    parts.append(f"used {_time(key.last_used_at)}" if key.last_used_at else "never used")
    if key.revoked_at:
        parts.append(f"REVOKED {_time(key.revoked_at)}")
    return "  ".join([*parts, key.name])


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

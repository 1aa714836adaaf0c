"""``chatapp token mint``: a token as the company's backend would make it, for operators and tests."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError

from chatapp.settings import Settings

UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
LONGEST = timedelta(hours=24)
"""Longer ones are not accepted either: ``docs/security.md``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    mint = actions.add_parser("mint", help="print a token signed with AUTH_JWT_SECRET")
    add = mint.add_argument
    add("--user", required=True, metavar="ID", help="whose it is")
    add("--role", action="append", metavar="R", help="a role; AUTH_ADMIN_ROLES make an administrator; may be repeated")
    add("--filial", action="append", metavar="F", help="a branch that they belong to; may be repeated")
    add("--name", help="what others see; without it the profile's stays")
    add("--email")
    add("--avatar", metavar="URL")
    add(
        "--expires-in",
        type=_lifetime,
        default="1h",
        metavar="TIME",
        help="like 90s, 15m or 1h, at most 24h (default 1h)",
    )
    add("--kid", help="which of AUTH_JWT_SECRET's secrets signs (default the first)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """0: the token is printed. 2: wrong usage. Raises SettingsError."""
    from chatapp.wiring import build_minter  # noqa: PLC0415 - `chatapp --help` needs none of it

    minter = build_minter(settings)
    try:
        print(minter.mint(_claims(options), lifetime=options.expires_in, kid=options.kid))
    except KeyError:
        return _refuse(f"AUTH_JWT_SECRET has no secret named {options.kid!r}")
    except ValidationError as exc:
        return _refuse(f"the server would not accept this token: {exc.normalized_messages()}")
    return 0


def _claims(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "sub": options.user,
        "roles": options.role,
        "filials": options.filial,
        "name": options.name,
        "email": options.email,
        "avatar": options.avatar,
    }


def _refuse(reason: str) -> int:
    print(f"chatapp token mint: {reason}", file=sys.stderr)
    return 2


def _lifetime(text: str) -> timedelta:
    given = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    lifetime = timedelta(**{UNITS[given[2]]: int(given[1])}) if given else None
    if lifetime is None or lifetime > LONGEST:
        raise argparse.ArgumentTypeError(f"must be a time like 90s, 15m or 1h, at most 24h, got {text!r}")
    return lifetime

"""``chatapp audit verify | list``."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict

from chatapp.administration.opening import opened_audit
from chatapp.administration.output import print_line
from chatapp.services.audit import AuditService
from chatapp.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    verify = actions.add_parser("verify", help="check every record; exit status 1 and the first that is wrong")
    verify.add_argument("--head", type=_hash, metavar="HASH", help="of a record that must be there; noted before")
    verify.set_defaults(act=_verify)
    shown = actions.add_parser("list", help="print records, a JSON object on each line")
    shown.add_argument(
        "--after", type=_number, default=0, metavar="N", help="only those after the record N (default 0)"
    )
    shown.add_argument("--limit", type=_number, default=100, metavar="N", help="at most so many (default 100)")
    shown.set_defaults(act=_list)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Raises StoreUnavailable."""
    with opened_audit(settings) as service:
        status: int = options.act(service, options)
        return status


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"must be 64 hexadecimal digits, got {text!r}")
    return text


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}")
    return int(text)


def _verify(service: AuditService, options: argparse.Namespace) -> int:
    head, flaw = service.verify(noted=options.head)
    if flaw:
        print_line(str(flaw))
    if head.seq:
        print(f"good up to record {head.seq} {head.hash}")
    elif not flaw:
        print("there is no record yet")
    return 1 if flaw else 0


def _list(service: AuditService, options: argparse.Namespace) -> int:
    for record in service.page(after=options.after, limit=options.limit):
        print_line(json.dumps(asdict(record), ensure_ascii=False))
    return 0

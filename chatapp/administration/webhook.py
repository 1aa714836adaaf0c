"""``chatapp webhook listen | deliver``."""

from __future__ import annotations

import argparse
import binascii
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chatapp.administration.output import print_line

PORT = 4000

BODY_MAX_BYTES = 1024 * 1024
"""A message has at most 16 kB; a group of thousands names them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listen = actions.add_parser("listen", help="print what arrives at a port of this machine, and whether it is signed")
    listen.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    listen.add_argument("--port", type=_port, default=PORT, help=f"port to listen on, 0 for any (default {PORT})")
    listen.add_argument(
        "--secret",
        action="append",
        type=_key,
        metavar="KEY",
        help="the endpoint's whsec_… or whpk_…; may be repeated. Without one nothing is verified",
    )
    listen.set_defaults(act=_listen)
    deliver = actions.add_parser("deliver", help="deliver webhooks in this process, with WEBHOOK_DELIVERY=apart")
    deliver.set_defaults(act=_deliver)


def run(options: argparse.Namespace) -> int:
    status: int = options.act(options)
    return status


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port, got {text!r}")
    return int(text)


def _key(text: str) -> str:
    from chatapp.adapters.standard_webhooks import verify_with  # noqa: PLC0415 - `chatapp --help` needs none of it

    try:
        verify_with(text)
    except (ValueError, binascii.Error) as exc:
        raise argparse.ArgumentTypeError("must be whsec_… or whpk_… and base64") from exc
    return text


def _deliver(_: argparse.Namespace) -> int:
    """In a process that gevent patches before anything else is there."""
    os.execv(sys.executable, [sys.executable, "-m", "chatapp.webhook_process"])  # noqa: S606 - no shell is wanted


# ---------------------------------------------------------------- listening
def _listen(options: argparse.Namespace) -> int:
    try:
        server = _Listener((options.host, options.port), options.secret or ())
    except OSError as exc:
        print(f"chatapp webhook listen: {options.host}:{options.port} cannot be had: {exc}", file=sys.stderr)
        return 1
    with server:
        print(f"chatapp: listening on http://{options.host}:{server.server_port}/", file=sys.stderr, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], keys: Sequence[str]) -> None:
        super().__init__(place, _Handler)
        self.keys = keys


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 20

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > BODY_MAX_BYTES:
            self.send_error(411 if not size.isdigit() else 413)
            return
        body = self.rfile.read(int(size))
        objection = self._objection(body)
        self._print(body, objection)
        self.send_response(401 if objection else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _objection(self, body: bytes) -> str | None:
        """Why none of the keys verifies it; None when one does, or there is none."""
        from chatapp.adapters.standard_webhooks import verify_with  # noqa: PLC0415 - as above

        objections = [verify_with(key)(dict(self.headers.items()), body) for key in self.server.keys]
        return None if None in objections or not objections else objections[0]

    def _print(self, body: bytes, objection: str | None) -> None:
        verdict = "not checked: no --secret"
        if self.server.keys:
            verdict = f"NOT VERIFIED: {objection}" if objection else "verified"
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        print_line("  ".join([at, self.headers.get("webhook-id", "without an id"), verdict]))
        print_line(f"    {body.decode(errors='replace')}")
        sys.stdout.flush()

    def log_message(self, *_: object) -> None:
        """The lines above say it."""

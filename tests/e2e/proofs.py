"""What the clients of a server with ``AUTH_MODE=jwt`` prove themselves by."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import jwt

from chatapp.domain.api_keys import digest_of, id_of
from tests.e2e.server import ROOT, Server

SECRET = "what the company's own backend signs with"
ENVIRONMENT = {"AUTH_MODE": "jwt", "AUTH_JWT_SECRET": SECRET}


def token(user_id: str, *, secret: str = SECRET, ago: int = 0, lasts: int = 3600, **claims: Any) -> str:
    """Issued ``ago`` seconds ago."""
    issued = int(time.time()) - ago
    return jwt.encode({"sub": user_id, "iat": issued, "exp": issued + lasts, **claims}, secret, algorithm="HS256")


def bearer(proof: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {proof}"}


def api_key(server: Server, *scopes: str) -> str:
    """Made as an operator makes one, while the server runs."""
    words = [part for scope in scopes for part in ("--scope", scope)]
    (secret,) = _chatapp(server, "apikey", "create", "--name", "test", *words).split()
    return secret


def revoke_api_key(server: Server, secret: str) -> None:
    _chatapp(server, "apikey", "revoke", id_of(digest_of(secret)))


def _chatapp(server: Server, *words: str) -> str:
    """What it prints."""
    command = [sys.executable, "-m", "chatapp.cli", *words]
    env = server.environment()
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True).stdout

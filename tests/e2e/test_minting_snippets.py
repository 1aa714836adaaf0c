"""The snippets of ``docs/security.md`` make tokens that the server accepts: they are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from chatapp.domain.errors import TokenInvalid
from chatapp.domain.identity import Identity
from chatapp.settings import Settings
from chatapp.wiring import build_tokens
from tests.e2e.clients_run import CLIENTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
SECRET = "the secret of these tests is long enough"
SECONDS = 30

JS_CALL = """
const user = { id: 42, name: 'Ana Pérez', email: 'ana@example.com', roles: ['admin'], filials: ['lima'] };
process.stdout.write(chatToken(user));
"""
PYTHON_CALL = """
class User:
    pk, email, is_superuser = 42, "ana@example.com", True

    def get_full_name(self):
        return "Ana Pérez"

print(chat_token(User()), end="")
"""
PHP_CALL = """
function config(string $_): string { return getenv('CHAT_JWT_SECRET'); }

$user = (object) ['id' => 42, 'name' => 'Ana Pérez', 'email' => 'ana@example.com', 'is_admin' => true];
echo chatToken($user);
"""
PHP_LIBRARY = "require 'Firebase/JWT/autoload.php';"
"""Where Debian has it; elsewhere by PHP's include_path."""


def snippet(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    return found


def printed(*command: str, cwd: Path) -> str:
    env = {**os.environ, "CHAT_JWT_SECRET": SECRET}
    run = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def verified(token: str, secret: str = SECRET) -> Identity:
    tokens = build_tokens(Settings(auth_mode="jwt", auth_jwt_secret=((None, secret),)))
    assert tokens is not None
    return tokens.verify(token)


def assert_is_anas(token: str) -> Identity:
    identity = verified(token)
    assert (identity.user_id, identity.name, identity.email) == ("42", "Ana Pérez", "ana@example.com")
    assert identity.roles == ("admin",)
    assert identity.expires_at - identity.issued_at == timedelta(hours=1)
    with pytest.raises(TokenInvalid):
        verified(token, secret=SECRET[::-1])
    return identity


def test_node() -> None:
    token = printed("node", "--input-type=module", "--eval", snippet("js") + JS_CALL, cwd=CLIENTS)
    assert assert_is_anas(token).filials == ("lima",)


def test_python(tmp_path: Path) -> None:
    assert_is_anas(printed(sys.executable, "-c", snippet("python") + PYTHON_CALL, cwd=tmp_path))


def has_php() -> bool:
    command = ["php", "-r", PHP_LIBRARY]
    return shutil.which("php") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_php(), reason="needs php with firebase/php-jwt")
def test_php(tmp_path: Path) -> None:
    assert_is_anas(printed("php", "-r", PHP_LIBRARY + snippet("php") + PHP_CALL, cwd=tmp_path))

"""``config/nginx.conf.example``: what nginx says of it where there is one, and what must stand in it in any case."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from chatapp.settings import Settings
from chatapp.transport.sockets import PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS

EXAMPLE = Path(__file__).parents[1] / "config" / "nginx.conf.example"
TOKEN = re.compile(r"""#[^\n]*|"[^"]*"|'[^']*'|[{};]|[^\s{};]+""")

Block = list[tuple[list[str], Any]]
"""Directives: their words, and what stands in their braces or None."""


def parse(text: str) -> Block:
    tokens = [token for token in TOKEN.findall(text) if not token.startswith("#")]
    block, rest = _block(tokens)
    assert not rest, f"one brace too many before {rest[:5]}"
    return block


def _block(tokens: list[str]) -> tuple[Block, list[str]]:
    found: Block = []
    words: list[str] = []
    while tokens:
        token, *tokens = tokens
        if token == ";":
            assert words, "a semicolon too many"
            found.append((words, None))
            words = []
        elif token == "{":
            inner, tokens = _block(tokens)
            assert tokens[:1] == ["}"], f"{words} is not closed"
            found.append((words, inner))
            words, tokens = [], tokens[1:]
        elif token == "}":
            assert not words, f"{words} lacks its semicolon"
            return found, [token, *tokens]
        else:
            words.append(token)
    assert not words, f"{words} lacks its semicolon"
    return found, []


def inside(block: Block, *name: str) -> Block:
    (found,) = (inner for words, inner in block if words[: len(name)] == list(name) and inner is not None)
    return found


def values(block: Block, name: str) -> list[list[str]]:
    return [words[1:] for words, inner in block if words[0] == name and inner is None]


def test_nginx_accepts_the_example_or_at_least_it_is_well_formed(tmp_path: Path) -> None:
    block = parse(EXAMPLE.read_text())
    assert [words[0] for words, _ in block] == ["events", "http"]
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is not None:
        checked = subprocess.run(
            [nginx, "-t", "-p", tmp_path, "-g", f"pid {tmp_path}/pid;", "-e", "stderr", "-c", EXAMPLE],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "syntax is ok" in checked.stderr, checked.stderr  # what it says of folders concerns this machine


def test_the_example_keeps_sessions_together_and_passes_on_what_the_chat_needs() -> None:
    http = inside(parse(EXAMPLE.read_text()), "http")
    server = inside(http, "server")
    sockets = inside(server, "location", f"{Settings().socket_path}/")
    assert values(sockets, "proxy_pass") == [["http://chat_sockets"]]
    assert values(inside(http, "upstream", "chat_sockets"), "hash") == [["$remote_addr", "consistent"]]
    headers = dict(values(server, "proxy_set_header"))
    assert headers["Upgrade"] == "$http_upgrade"
    assert headers["Connection"] == "$connection_upgrade"
    assert headers["X-Forwarded-For"] == "$remote_addr"
    assert values(server, "proxy_http_version") == [["1.1"]]
    assert not values(sockets, "proxy_set_header"), "one here would switch off all of the server's"
    (timeout,) = values(sockets, "proxy_read_timeout")
    assert int(timeout[0].removesuffix("s")) > PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS
    (largest,) = values(server, "client_max_body_size")
    assert int(largest[0].removesuffix("m")) * 2**20 > Settings().upload_max_bytes


def test_what_is_not_well_formed_is_noticed() -> None:
    for wrong in ("a b", "a {", "a; }", "a { b }", ";", "a { b; "):
        try:
            parse(wrong)
        except AssertionError:
            continue
        raise AssertionError(wrong)

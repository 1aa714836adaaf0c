"""``chatapp webhook listen`` and ``chatapp webhook deliver``, as they are typed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from tests.e2e.receiver import Receiver
from tests.e2e.server import ROOT, STOP_SECONDS, Server, running
from tests.e2e.wire import PATIENCE, make_conversation, save_users

ALLOWED = {"WEBHOOK_ALLOW_PRIVATE": "yes"}


@contextmanager
def started(*words: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "chatapp.cli", "webhook", *words]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")


def address(process: subprocess.Popen[str]) -> str:
    said = line_of(process.stderr)
    found = re.fullmatch(r"chatapp: listening on (http://127\.0\.0\.1:[0-9]+/)", said)
    assert found, said
    return found[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("listen") / "server", **ALLOWED, EVENT_LOG="on") as server:
        yield server


def subscribed(server: Server, url: str) -> dict[str, Any]:
    """Disabled: it is told nothing but tests."""
    hook: dict[str, Any] = server.post("/api/webhooks", json={"url": url}).json()
    requests.patch(f"{server.url}/api/webhooks/{hook['id']}", json={"enabled": False}, timeout=PATIENCE)
    return hook


def try_out(server: Server, hook: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = server.post(f"/api/webhooks/{hook['id']}/test").json()
    return answer


def test_what_arrives_is_printed_and_verified(server: Server) -> None:
    with started("listen", "--port", "0") as unchecked:
        hook = subscribed(server, address(unchecked))
        told = try_out(server, hook)
        assert (told["outcome"], told["status"]) == ("delivered", 204)
        head, body = line_of(unchecked.stdout), line_of(unchecked.stdout)
    assert re.fullmatch(rf"[0-9T:-]+Z  {told['eventId']}  not checked: no --secret", head)
    assert body.startswith('    {"event":"webhook.test","data":')
    for key in (hook["secret"], *hook["publicKeys"]):
        with started("listen", "--port", "0", "--secret", key) as checked:
            requests.patch(f"{server.url}/api/webhooks/{hook['id']}", json={"url": address(checked)}, timeout=PATIENCE)
            assert try_out(server, hook)["status"] == 204
            assert line_of(checked.stdout).endswith("  verified")


def test_what_is_not_verified_says_why_and_is_refused(server: Server) -> None:
    other = "whsec_" + "A" * 43 + "="
    with started("listen", "--port", "0", "--secret", other) as checked:
        url = address(checked)
        hook = subscribed(server, url)
        told = try_out(server, hook)
        assert (told["outcome"], told["status"]) == ("exhausted", 401)
        assert line_of(checked.stdout).endswith("  NOT VERIFIED: No matching signature found")
        line_of(checked.stdout)
        assert requests.post(url, data="x\x1b[31m", timeout=PATIENCE).status_code == 401
        assert line_of(checked.stdout).endswith("without an id  NOT VERIFIED: Missing required headers")
        assert line_of(checked.stdout) == "    x\\u001b[31m"


def test_wrong_usage_is_refused_with_a_sentence() -> None:
    for words in (["--secret", "abc"], ["--port", "70000"], ["--secret", "whpk_AAAA"]):
        command = [sys.executable, "-m", "chatapp.cli", "webhook", "listen", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "must be" in done.stderr
    with started("listen", "--port", "0") as taken:
        port = address(taken).rpartition(":")[2].strip("/")
        command = [sys.executable, "-m", "chatapp.cli", "webhook", "listen", "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "cannot be had" in done.stderr) == (1, True)


def test_a_process_of_its_own_delivers(tmp_path: Path) -> None:
    receiver = Receiver()
    env = {**ALLOWED, "WEBHOOK_DELIVERY": "apart"}
    with running(tmp_path / "server", **env) as server:
        save_users(server.url, "ana", "luis")
        conversation = make_conversation(server.url, "ana", "luis")
        server.post("/api/webhooks", json={"url": receiver.url, "eventTypes": ["message.sent"]}).raise_for_status()
        for number in range(3):
            body = {"conversationId": conversation, "senderId": "ana", "content": str(number)}
            server.post("/api/messages", json=body).raise_for_status()
        assert receiver.posts == []
        with started("deliver", env=server.environment()):
            receiver.wait_for(3, "message.sent")
            server.post("/api/messages", json={**body, "content": "3"}).raise_for_status()
            told = receiver.wait_for(4, "message.sent")
    assert [post.data["content"] for post in told] == ["0", "1", "2", "3"]
    receiver.close()


def test_where_the_workers_deliver_it_waits_and_says_so(server: Server) -> None:
    with started("deliver", env=server.environment()) as process:
        assert "the web workers deliver" in line_of(process.stderr)
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0


def test_wrong_settings_stop_it(server: Server) -> None:
    with started("deliver", env={**server.environment(), "EVENT_LOG_DAYS": "1"}) as process:
        assert process.wait(STOP_SECONDS) == 2
        assert "EVENT_LOG_DAYS" in line_of(process.stderr)

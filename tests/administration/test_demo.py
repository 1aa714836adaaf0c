"""``chatapp demo``: full at the first look, answers, and leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from chatapp.cli import main
from tests.e2e.server import ROOT, free_port

WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Demo:
    process: subprocess.Popen[str]
    url: str
    temporary: Path
    welcome: str

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = requests.post(self.url + path, json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    temporary, port = tmp_path_factory.mktemp("demo"), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "chatapp.cli", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "HOST": "127.0.0.1", "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    welcome = "".join(process.stdout.readline() for _ in range(3))
    yield Demo(process, f"http://127.0.0.1:{port}", temporary, welcome)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(WITHIN_SECONDS)
    process.stdout.close()


def test_it_says_where_it_is_and_who_to_sign_in_as(demo: Demo) -> None:
    assert demo.url in demo.welcome
    assert "Ana Suárez" in demo.welcome
    assert demo.get("/client/config.json")["demo"] is True


def test_people_have_roles_branches_and_a_status(demo: Demo) -> None:
    users = demo.get("/api/users")["users"]
    assert len(users) == 12
    assert all(user["roles"] and user["filials"] for user in users)
    assert {"online", "away", "busy", "offline"} <= {user["status"] for user in users}
    assert len({user["lastSeen"] for user in users if not user["isOnline"]}) > 3


def test_the_first_look_is_full(demo: Demo) -> None:
    inbox = demo.get("/api/conversations/user/ana")["conversations"]
    assert {each["name"]: each["unreadCount"] for each in inbox if each["type"] == "group"} == {
        "New app": 3,
        "All branches": 2,
        "Lunch": 0,
    }
    assert sum(each["type"] == "private" for each in inbox) >= 4
    messages = [message for each in inbox for message in demo.get(f"/api/messages/{each['id']}")]
    assert any(message["isEdited"] for message in messages)
    assert any(message["isDeleted"] for message in messages)
    assert any(message["isReply"] and message["replyPreview"] for message in messages)
    assert any("```" in message["content"] for message in messages)
    assert any("https://" in message["content"] for message in messages)
    days = {message["timestamp"][:10] for message in messages}
    assert len(days) > 7


def test_what_was_sent_can_be_opened(demo: Demo) -> None:
    inbox = demo.get("/api/conversations/user/ana")["conversations"]
    sent = [
        message
        for each in inbox
        for message in demo.get(f"/api/messages/{each['id']}")
        if message["fileUrl"] is not None
    ]
    assert {message["fileType"] for message in sent} == {"image/jpeg", "image/png", "application/pdf", "audio/webm"}
    for message in sent:
        assert len(requests.get(demo.url + message["fileUrl"], timeout=20).content) == message["fileSize"]
        assert (message["thumbnailUrl"] is not None) == message["fileType"].startswith("image/")


def test_who_is_here_reads_and_answers(demo: Demo) -> None:
    visitor = {"id": "visitor", "name": "Visitor", "email": "visitor@example.com"}
    demo.post("/api/users", visitor)
    begun = demo.post(
        "/api/conversations", {"type": "private", "participants": ["visitor", "bruno"], "createdBy": "visitor"}
    )
    body = {"conversationId": begun["id"], "senderId": "visitor", "content": "Olá!"}
    demo.post("/api/messages", body)
    answer = _eventually(lambda: demo.get(f"/api/messages/{begun['id']}")[1:])
    assert answer[0]["senderId"] == "bruno"


def test_ctrl_c_ends_it_and_leaves_nothing(demo: Demo) -> None:
    assert list(demo.temporary.glob("chatapp-demo-*/chat.db"))
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(WITHIN_SECONDS) == 0
    assert list(demo.temporary.iterdir()) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(demo.url, timeout=5)


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({"AUTH_MODE": "jwt", "AUTH_JWT_SECRET": "s" * 32}, "AUTH_MODE"),
        ({"STORAGE_BACKEND": "dynamodb"}, "STORAGE_BACKEND"),
        ({"FILE_STORAGE_TYPE": "s3"}, "FILE_STORAGE_TYPE"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "REDIS_URL"),
        ({"NODE_ENV": "production", "AUTH_ALLOW_OPEN": "yes"}, "NODE_ENV"),
    ],
)
def test_it_refuses_to_touch_more_than_a_store_of_its_own(
    env: dict[str, str], variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert main(["demo"]) == 2
    assert variable in capsys.readouterr().err


def test_it_does_not_walk_into_another_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("HOST", "127.0.0.1")
        monkeypatch.setenv("PORT", str(other.getsockname()[1]))
        assert main(["demo"]) == 2
    assert "PORT must be free" in capsys.readouterr().err


def _eventually(look: Callable[[], Any]) -> Any:
    give_up_at = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come")

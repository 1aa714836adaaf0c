"""Webhooks from a real server to a real listener, and what the standard's own library says of them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests.e2e.receiver import Post, Receiver
from tests.e2e.sample_files import picture
from tests.e2e.server import Server, running
from tests.e2e.wire import make_conversation, save_users

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "server", WEBHOOK_ALLOW_PRIVATE="yes") as server:
        yield server


def subscribe(server: Server, url: str, **fields: Any) -> dict[str, Any]:
    answer = server.post("/api/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    hook: dict[str, Any] = answer.json()
    return hook


def send(server: Server, conversation: str, content: str, sender: str = "ana") -> dict[str, Any]:
    body = {"conversationId": conversation, "senderId": sender, "content": content}
    answer = server.post("/api/messages", json=body)
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()
    return message


def verify_in_node(hook: dict[str, Any], post: Post) -> None:
    """With the standard's own library from npm. Raises CalledProcessError when it refuses."""
    script = """
        import { Webhook } from 'standardwebhooks';
        const { secret, body, headers } = JSON.parse(process.argv[1]);
        console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
    """
    given = json.dumps({"secret": hook["secret"], "body": post.body.decode(), "headers": post.headers})
    command = ["node", "--input-type=module", "-e", script, given]
    told = subprocess.run(command, cwd=CLIENTS, check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(told.stdout) == post.said


def verify_v1a(hook: dict[str, Any], post: Post) -> None:
    """As the standard says: any of the signatures may be the one. Raises InvalidSignature."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(hook["publicKeys"][0].removeprefix("whpk_")))
    signed = f"{post.id}.{post.headers['webhook-timestamp']}.".encode() + post.body
    signature = next(part for part in post.headers["webhook-signature"].split() if part.startswith("v1a,"))
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


def test_a_message_arrives_signed_and_the_standards_libraries_accept_it(server: Server, receiver: Receiver) -> None:
    save_users(server.url, "ana", "luis")
    conversation = make_conversation(server.url, "ana", "luis")
    hook = subscribe(server, receiver.url)
    message = send(server, conversation, "hola ñ 🎸")
    (post,) = receiver.wait_for(1, "message.sent")
    assert Webhook(hook["secret"]).verify(post.body, post.headers) == post.said
    verify_in_node(hook, post)
    verify_v1a(hook, post)
    assert list(post.said) == ["event", "data", "timestamp"]
    assert post.data == message
    assert post.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(post.body + b" ", post.headers)


def test_everything_that_happens_is_told(server: Server, receiver: Receiver) -> None:
    subscribe(server, receiver.url)
    save_users(server.url, "ana", "luis", "eva")
    group = make_conversation(server.url, "ana", "luis", group=True)
    message = send(server, group, "hola")
    server.post(f"/api/conversations/{group}/mark-as-read", json={"userId": "luis"})
    server.post(f"/api/conversations/{group}/participants", json={"participants": ["eva"], "addedBy": "ana"})
    server.delete(f"/api/messages/{message['id']}?userId=ana")
    file = {"file": ("a.png", picture("PNG"), "image/png")}
    sent = server.post("/api/upload", data={"conversationId": group, "senderId": "ana"}, files=file).json()
    stored = server.post("/api/upload", files=file).json()
    receiver.wait_for(3, "user.created")
    receiver.wait_for(2, "file.uploaded")
    in_group = [post for post in receiver.posts if group in json.dumps(post.said)]
    assert [post.event for post in in_group] == [
        "conversation.created",
        "message.sent",
        "message.read",
        "conversation.participants_changed",
        "message.deleted",
        "file.uploaded",
        "message.sent",
    ]
    uploaded = {post.data["fileUrl"]: post.data for post in receiver.of("file.uploaded")}
    assert uploaded[sent["fileUrl"]] == sent
    assert uploaded[stored["fileUrl"]]["conversationId"] is None
    assert {post.data["id"] for post in receiver.of("user.created")} == {"ana", "luis", "eva"}

"""Webhooks from a real server to a real listener, and what the standard's own library says of them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests.e2e.receiver import Post, Receiver
from tests.e2e.sample_files import picture
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import until, until_ready
from tests.e2e.wire import clients, make_conversation, save_users
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import running_redis

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


def test_a_secret_is_shown_once_and_written_nowhere(server: Server, receiver: Receiver) -> None:
    receiver.answer = lambda _post: (500, {})
    hook = subscribe(server, f"{receiver.url}?key=secreto-4417", eventTypes=["user.created"])
    rotated = server.post(f"/api/webhooks/{hook['id']}/rotate").json()
    save_users(server.url, "ana")
    receiver.wait_for(1, "user.created")
    paths = ["", f"/{hook['id']}", f"/{hook['id']}/deliveries"]
    shown = [server.get(f"/api/webhooks{path}").text for path in paths] + [server.get("/api/events").text]
    command = [sys.executable, "-m", "chatapp.cli", "audit", "list"]
    records = subprocess.run(command, env=server.environment(), capture_output=True, text=True, timeout=60, check=True)
    assert "webhook.rotate" in records.stdout
    for text in (*shown, records.stdout, server.log()):
        assert hook["secret"] not in text
        assert rotated["secret"] not in text
        assert "whsk_" not in text
    assert "secreto-4417" not in records.stdout + server.log()


def test_a_call_that_ends_is_told_before_its_message(server: Server, receiver: Receiver) -> None:
    save_users(server.url, "ana", "luis")
    conversation = make_conversation(server.url, "ana", "luis")
    subscribe(server, receiver.url)
    with clients(server.url, "ana", "luis") as (ana, _luis):
        asked = {"conversationId": conversation, "clientCallId": "c1", "media": "audio"}
        call = ana.ok("call_start", asked)
        ana.ok("call_hangup", {"callId": call["callId"]})
        receiver.wait_for(1, "message.sent")
    (ended,) = receiver.of("call.ended")
    assert [post.event for post in receiver.posts][-2:] == ["call.ended", "message.sent"]
    assert (ended.data["callId"], ended.data["startedBy"]) == (call["callId"], "ana")
    assert (ended.data["conversationId"], ended.data["reason"]) == (conversation, "missed")


# ---------------------------------------------------------------- several workers
@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with running_redis(free_port()) as redis:
        yield redis.url


@pytest.fixture(scope="module")
def dynamo() -> Iterator[DynamoEngine]:
    engine = DynamoEngine()
    yield engine
    engine.stop()


@pytest.fixture(params=["sqlite", "dynamodb"])
def workers(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[Server]:
    env = {"WEBHOOK_ALLOW_PRIVATE": "yes", "WEB_CONCURRENCY": "3", "REDIS_URL": redis_url}
    if request.param == "dynamodb":
        engine: DynamoEngine = request.getfixturevalue("dynamo")
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        env |= {"DYNAMODB_ENDPOINT": engine.endpoint, "DYNAMODB_TABLE_PREFIX": engine.new_prefix(), **keys}
    with running(tmp_path / "server", **env) as server:
        until(lambda: len(server.workers()) == 3, "all workers run")
        until_ready(server)
        yield server


def test_whatever_worker_it_comes_to_it_is_told_in_order(workers: Server, receiver: Receiver) -> None:
    """From the moment that the endpoint's making was answered, on every worker; each request may go to another."""
    save_users(workers.url, "ana", "luis")
    conversations = [make_conversation(workers.url, "ana", "luis", group=True) for _ in range(4)]
    subscribe(workers, receiver.url, eventTypes=["message.sent"])

    def talk(conversation: str) -> None:
        for number in range(15):
            send(workers, conversation, str(number))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(talk, conversation) for conversation in conversations]:
            done.result()
    receiver.wait_for(60, "message.sent", seconds=60)
    for conversation in conversations:
        told = [post.data["seq"] for post in receiver.posts if post.data["conversationId"] == conversation]
        assert told == list(range(1, 16))
    assert len({post.id for post in receiver.posts}) == 60


def test_the_log_misses_nothing_while_workers_write(workers: Server, receiver: Receiver) -> None:
    """Read all the time by its cursor, by one reader."""
    save_users(workers.url, "ana", "luis")
    conversations = [make_conversation(workers.url, "ana", "luis", group=True) for _ in range(4)]
    subscribe(workers, receiver.url, eventTypes=["user.created"])
    cursor = read_on(workers, None)[1]

    def talk(conversation: str) -> list[str]:
        return [send(workers, conversation, str(number))["id"] for number in range(10)]

    found: list[dict[str, Any]] = []
    with ThreadPoolExecutor(4) as pool:
        talks = [pool.submit(talk, conversation) for conversation in conversations]
        while not all(each.done() for each in talks):
            more, cursor = read_on(workers, cursor)
            found += more
    sent = {id_ for each in talks for id_ in each.result()}
    give_up_at = time.monotonic() + 60
    while len(found) < len(sent) and time.monotonic() < give_up_at:  # DynamoDB keeps back the last seconds
        more, cursor = read_on(workers, cursor)
        found += more
        time.sleep(0.2)
    assert sorted(event["data"]["id"] for event in found) == sorted(sent)
    assert len({event["id"] for event in found}) == len(sent)


def read_on(server: Server, cursor: str | None) -> tuple[list[dict[str, Any]], str]:
    found: list[dict[str, Any]] = []
    while True:
        answer = server.get("/api/events", params={"after": cursor, "limit": 7})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["events"]
        cursor = page["cursor"]
        if not page["hasMore"]:
            return [event for event in found if event["event"] == "message.sent"], str(cursor)


# ---------------------------------------------------------------- stopping
def test_a_stop_does_not_wait_for_an_endpoint_that_hangs_and_loses_nothing(tmp_path: Path) -> None:
    receiver, hangs = Receiver(), threading.Event()

    def hang(_post: Post) -> tuple[int, dict[str, str]]:
        hangs.wait(30)
        return 204, {}

    receiver.answer = hang
    server = Server(tmp_path / "server", WEBHOOK_ALLOW_PRIVATE="yes")
    server.start()
    save_users(server.url, "ana", "luis")
    conversation = make_conversation(server.url, "ana", "luis")
    subscribe(server, receiver.url, eventTypes=["message.sent"])
    for number in range(3):
        send(server, conversation, str(number))
    receiver.wait_for(1, "message.sent")
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15
    assert "Traceback" not in server.log()
    receiver.answer = lambda _post: (204, {})
    server.start()
    try:
        receiver.wait_for(4, "message.sent", seconds=30)
        assert [post.data["seq"] for post in receiver.posts] == [1, 1, 2, 3]
    finally:
        hangs.set()
        server.stop()
        receiver.close()

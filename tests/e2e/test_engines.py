"""The real engines together: two workers over DynamoDB, S3 and Redis, with nothing changed at the client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import requests
from PIL import Image

from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import one_each, room, sequence, until, until_ready
from tests.e2e.wire import clients, make_conversation, save_users, text_message
from tests.engines.dynamodb import DynamoEngine
from tests.engines.redis import running_redis

if TYPE_CHECKING:
    from tests.engines.s3 import S3Engine

pytest_plugins = ["tests.engines.s3"]


@pytest.fixture(scope="module")
def dynamo() -> Iterator[DynamoEngine]:
    engine = DynamoEngine()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def server(dynamo: DynamoEngine, s3_engine: S3Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_redis(free_port()) as redis:
        env = {
            "WEB_CONCURRENCY": "2",
            "REDIS_URL": redis.url,
            "DYNAMODB_ENDPOINT": dynamo.endpoint,
            "DYNAMODB_TABLE_PREFIX": "e2e-",
            "FILE_STORAGE_TYPE": "s3",
            "FILE_STORAGE_S3_ENDPOINT": s3_engine.endpoint,
            "FILE_STORAGE_S3_BUCKET": s3_engine.new_bucket(),
            "AWS_ACCESS_KEY_ID": s3_engine.access_key,
            "AWS_SECRET_ACCESS_KEY": s3_engine.secret_key,
        }
        with running(tmp_path_factory.mktemp("engines") / "server", **env) as server:
            until(lambda: len(server.workers()) == 2, "both workers run")
            until_ready(server)
            yield server


def picture() -> bytes:
    written = BytesIO()
    Image.new("RGB", (900, 600), "teal").save(written, "PNG")
    return written.getvalue()


def test_messages_of_two_workers_are_numbered_in_one_order(server: Server) -> None:
    people = ("d-ana", "d-bea")
    with one_each(server, *people) as both:
        conversation = room(server, people, both)
        threads = [
            threading.Thread(
                target=lambda user_id=user_id, client=client: [  # type: ignore[misc]
                    client.ok("send_message", text_message(conversation, user_id, str(number))) for number in range(10)
                ]
            )
            for user_id, client in zip(people, both, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for client in both:
            until(lambda client=client: len(sequence(client, conversation)) == 20, "all arrived")  # type: ignore[misc]
            assert sequence(client, conversation) == list(range(1, 21))
    stored = server.get(f"/api/messages/{conversation}").json()
    assert [message["seq"] for message in stored] == list(range(1, 21))


def test_a_file_is_served_by_a_redirect_that_needs_no_key_and_goes_with_its_message(server: Server) -> None:
    save_users(server.url, "f-ana", "f-bea")
    conversation = make_conversation(server.url, "f-ana", "f-bea")
    with clients(server.url, "f-bea") as (bea,):
        bea.ok("join_room", {"conversationId": conversation, "userId": "f-bea"})
        uploaded = server.post(
            "/api/upload",
            files={"file": ("Año nuevo.png", picture(), "image/png")},
            data={"conversationId": conversation, "senderId": "f-ana"},
        ).json()
        assert bea.expect("message_received")["fileUrl"] == uploaded["fileUrl"]
    answer = server.get(uploaded["fileUrl"], allow_redirects=False)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    direct = requests.get(answer.headers["Location"], timeout=20)
    assert direct.content == picture()
    assert direct.headers["Content-Type"] == "image/png"
    assert "A%C3%B1o%20nuevo.png" in direct.headers["Content-Disposition"]
    head = requests.head(server.url + uploaded["fileUrl"], timeout=20)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(picture())))
    assert server.get(uploaded["thumbnailUrl"]).headers["Content-Type"] == "image/webp"
    assert server.delete(f"/api/messages/{uploaded['messageId']}").status_code == 200
    assert server.get(uploaded["fileUrl"]).status_code == 404
    assert requests.get(answer.headers["Location"], timeout=20).status_code == 404


def test_a_silent_store_answers_503_in_time_and_nothing_is_half_written(server: Server, dynamo: DynamoEngine) -> None:
    save_users(server.url, "s-ana", "s-bea")
    conversation = make_conversation(server.url, "s-ana", "s-bea")
    with clients(server.url, "s-ana") as (ana,):
        ana.ok("send_message", text_message(conversation, "s-ana", "antes"))
        dynamo.be(mute=1)
        try:
            refused = ana.call("send_message", text_message(conversation, "s-ana", "nunca", clientMessageId="k"))
            assert refused["error"]["code"] == "store_unavailable"
            assert server.get("/readyz").status_code == 503
        finally:
            dynamo.be()
        again = ana.ok("send_message", text_message(conversation, "s-ana", "nunca", clientMessageId="k"))
        assert again["seq"] == 2
    stored = server.get(f"/api/messages/{conversation}").json()
    assert [message["content"] for message in stored] == ["antes", "nunca"]

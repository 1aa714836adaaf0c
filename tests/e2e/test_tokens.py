"""Tokens over several workers: revoked on all of them at once, with Redis or without; and never repeated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.proofs import ENVIRONMENT, SECRET, api_key, bearer, revoke_api_key, token
from tests.e2e.server import Server, free_port, running
from tests.e2e.test_cluster import all_answer, until, worker_of
from tests.e2e.wire import PATIENCE, Client, Refused
from tests.engines.redis import RedisEngine, running_redis

WORKERS = 2
ADMIN = token("root", roles=["admin"])
PROMISED_SECONDS = 2.0


@pytest.fixture
def engine() -> Iterator[RedisEngine]:
    with running_redis(free_port()) as engine:
        yield engine


@pytest.fixture
def cluster(engine: RedisEngine, tmp_path: Path) -> Iterator[Server]:
    env = {**ENVIRONMENT, "WEB_CONCURRENCY": str(WORKERS), "REDIS_URL": engine.url}
    with running(tmp_path / "server", **env) as server:
        until(lambda: all_answer(server, WORKERS), "all workers answer")
        yield server


def one_on_each_worker(server: Server, proof: str) -> list[Client]:
    found: dict[int, Client] = {}
    for _ in range(60):
        client = Client(server.url, auth={"token": proof})
        pid = worker_of(server, client)
        if pid in found:
            client.close()
        found.setdefault(pid, client)
        if len(found) == WORKERS:
            return list(found.values())
    raise AssertionError("the kernel does not spread connections")


@pytest.mark.parametrize("redis", ["up", "frozen", "gone"])
def test_a_revoked_token_ends_on_every_worker_in_time(cluster: Server, engine: RedisEngine, redis: str) -> None:
    old, other = token("ana", ago=10), token("bea", ago=10)
    mine, beas = one_on_each_worker(cluster, old), one_on_each_worker(cluster, other)
    if redis == "frozen":
        engine.freeze()
    elif redis == "gone":
        engine.stop()
    try:
        answer = cluster.post("/api/tokens/revoke", json={"userId": "ana"}, headers=bearer(ADMIN))
        began = time.monotonic()
        assert answer.status_code == 200, answer.text
        for client in mine:
            assert client.expect("token_expired") == {"code": "token_revoked"}
            client.wait_until_ended()
        assert time.monotonic() - began < PROMISED_SECONDS
        for _ in range(8):  # whichever worker answers
            assert cluster.get("/api/users/ana", headers=bearer(old)).json()["code"] == "token_revoked"
            with pytest.raises(Refused) as refused:
                Client(cluster.url, auth={"token": old})
            assert refused.value.data["data"]["code"] == "token_revoked"
        assert all(client.is_open for client in beas)
    finally:
        if redis == "frozen":
            engine.thaw()
        for client in (*mine, *beas):
            client.close()


def test_everybodys_tokens_are_revoked_at_once(cluster: Server) -> None:
    clients = [client for user_id in ("ana", "bea") for client in one_on_each_worker(cluster, token(user_id, ago=10))]
    root = token("root", ago=-1, roles=["admin"])  # newer than what is revoked
    assert cluster.post("/api/tokens/revoke", json={}, headers=bearer(root)).status_code == 200
    for client in clients:
        assert client.expect("token_expired") == {"code": "token_revoked"}
        client.close()
    assert cluster.get("/api/users", headers=bearer(root)).status_code == 200


def test_a_deleted_users_tokens_are_worth_nothing(cluster: Server) -> None:
    proof = token("ana", ago=10)
    joining = {"userId": "ana", "name": "Ana", "email": "ana@example.com"}
    clients = one_on_each_worker(cluster, proof)
    clients[0].ok("user_join", joining)
    assert cluster.delete("/api/users/ana", headers=bearer(ADMIN)).status_code == 200
    for client in clients:
        client.wait_until_ended()
    with pytest.raises(Refused):
        Client(cluster.url, auth={"token": proof})
    assert cluster.get("/api/users/ana", headers=bearer(ADMIN)).status_code == 404


def test_a_revoked_key_ends_on_every_worker_in_time(cluster: Server) -> None:
    key = api_key(cluster, "admin")
    assert cluster.get("/api/users", headers=bearer(key)).status_code == 200
    revoke_api_key(cluster, key)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > PROMISED_SECONDS, "all workers know")
    answers = {cluster.get("/api/users", headers=bearer(key)).status_code for _ in range(8 * WORKERS)}
    assert answers == {401}


# ---------------------------------------------------------------- nothing is repeated
def test_no_proof_stands_in_a_log_or_in_an_answer(tmp_path: Path) -> None:
    """Good ones and bad ones, by every way that takes them."""
    with running(tmp_path / "server", **ENVIRONMENT, LOG_LEVEL="debug") as server:
        key, revoked_key = api_key(server, "admin"), api_key(server, "admin")
        revoke_api_key(server, revoked_key)
        good, old = token("ana"), token("ana", ago=10)
        bad = [token("ana", ago=7200), token("ana", secret=SECRET[::-1]), f"{good}x", "ck_" + "y" * 43, revoked_key]
        answers: list[str] = []

        def ask(method: str, path: str, proof: str, **kwargs: Any) -> requests.Response:
            answer = requests.request(method, server.url + path, headers=bearer(proof), timeout=PATIENCE, **kwargs)
            answers.append(f"{answer.headers}\n{answer.text}")
            return answer

        person = {"id": "ana", "name": "Ana", "email": "ana@example.com"}
        assert ask("POST", "/api/users", key, json=person).status_code == 201
        sent = ask("POST", "/api/upload", good, files={"file": ("a.txt", b"hola")}).json()["fileUrl"]
        links = requests.post(
            f"{server.url}/api/files/links", json={"urls": [sent]}, headers=bearer(good), timeout=PATIENCE
        )
        signed = links.json()["links"][0]["signedUrl"]
        assert requests.get(server.url + signed, timeout=PATIENCE).text == "hola"
        assert requests.get(f"{server.url}{signed}x", timeout=PATIENCE).status_code == 403
        for proof in bad:
            assert ask("GET", "/api/users", proof).status_code == 401
            with pytest.raises(Refused) as refused:
                Client(server.url, auth={"token": proof})
            answers.append(repr(refused.value.data))
        client = Client(server.url, auth={"token": old})
        answers += [repr(client.call("refresh_token", {"token": proof})) for proof in (*bad, good)]
        assert ask("POST", "/api/tokens/revoke", key, json={"userId": "ana"}).status_code == 200
        client.wait_until_ended()
        client.close()
    proofs = (key, good, old, *bad, signed.partition("sig=")[2], SECRET)
    said = server.log() + "\n".join(answers)
    assert [proof for proof in proofs if proof in said] == []
    assert '"reason"' in server.log(), "why a token is none stands in the log"

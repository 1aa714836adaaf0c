"""The bus between workers over a real Redis, and how its URL is understood."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import redis
from redis.sentinel import SentinelConnectionPool

from chatapp.adapters.redis_bus import redis_client
from tests.adapters.patched import run_patched


def test_over_a_real_redis() -> None:
    """In a process of its own: here a greenlet that waits would stop us all."""
    run_patched("tests/adapters/redis_bus_run.py")


# ---------------------------------------------------------------- URLs
def options(url: str) -> dict[str, Any]:
    client = redis_client(url)
    client.close()
    return client.connection_pool.connection_kwargs


def test_a_plain_url() -> None:
    found = options("redis://:s%40cret@redis.example:6380/2")
    assert (found["host"], found["port"], found["db"], found["password"]) == ("redis.example", 6380, 2, "s@cret")
    assert found["retry"].get_retries() == 0


def test_a_self_signed_certificate_is_accepted() -> None:
    client = redis_client("rediss://user:secret@redis.example:6380")
    connection = client.connection_pool.make_connection()
    assert isinstance(connection, redis.SSLConnection)
    assert connection.cert_reqs == ssl.CERT_NONE
    assert connection.check_hostname is False
    client.close()


@pytest.mark.parametrize(
    ("url", "places", "service", "password"),
    [
        ("redis+sentinel://one:26380/main", [("one", 26380)], "main", None),
        ("redis+sentinel://one,two:26380", [("one", 26379), ("two", 26380)], "mymaster", None),
        ("redis+sentinel://:se%3Acret@one:1,two:2/main", [("one", 1), ("two", 2)], "main", "se:cret"),
        ("redis+sentinel://:::@one/main", [("one", 26379)], "main", "::"),
    ],
)
def test_a_sentinel_url(url: str, places: list[tuple[str, int]], service: str, password: str | None) -> None:
    client = redis_client(url)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(found["host"], found["port"]) for found in asked] == places
    assert pool.service_name == service
    assert pool.connection_kwargs.get("password") == password
    client.close()

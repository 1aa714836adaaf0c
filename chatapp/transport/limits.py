"""The limits: flask-limiter for HTTP, the same storage and buckets for socket events."""

from __future__ import annotations

import time
from typing import Any

import structlog
from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from redis import RedisError

from chatapp.domain.errors import RateLimited
from chatapp.settings import NO_LIMIT, Settings

log = structlog.get_logger(__name__)

REDIS_SECONDS = 1.0
"""How long a limit may take to be counted; an event waits for it."""

MESSAGES, FILES, CONNECTIONS = "messages", "files", "connections"
CALLS, CALL_SIGNALS = "calls", "call_signals"


class RateLimits:
    """One bucket for each (limit, who); a moving window, so that no minute ever sees more than its share."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        rates = {
            MESSAGES: settings.rate_limit_messages,
            FILES: settings.rate_limit_files,
            CONNECTIONS: settings.rate_limit_connections,
            CALLS: settings.rate_limit_calls,
            CALL_SIGNALS: settings.rate_limit_call_signals,
        }
        self._items: dict[str, RateLimitItem] = {
            limit: parse(rate) for limit, rate in rates.items() if settings.rate_limit_enabled and rate != NO_LIMIT
        }
        self.limiter = Limiter(
            lambda: "",
            app=app,
            strategy="moving-window",
            storage_uri=settings.redis or "memory://",
            storage_options=_redis_options(settings.redis) if settings.redis else {},
            enabled=settings.rate_limit_enabled,
        )

    def take(self, limit: str, who: str) -> None:
        """Count one. Raises RateLimited with the time until there is room again."""
        item = self._items.get(limit)
        if item is None:
            return
        try:
            wait = self._count(item, limit, who)
        except (RedisError, OSError) as exc:  # better a message too many than none at all
            log.warning("a limit was not counted", limit=limit, error=repr(exc))
            return
        if wait is not None:
            raise RateLimited(limit=limit, retry_after=wait)

    def _count(self, item: RateLimitItem, limit: str, who: str) -> float | None:
        """None when there is room, else the seconds until there is."""
        window = self.limiter.limiter
        if window.hit(item, who, limit):
            return None
        reset_at, _ = window.get_window_stats(item, who, limit)
        return max(0.0, reset_at - time.time())


def _redis_options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    if url.startswith("rediss://"):
        options["ssl_cert_reqs"] = None  # Heroku's certificates are self-signed
    return options

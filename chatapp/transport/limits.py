"""The message, file and connection limits: flask-limiter for HTTP, the same storage and buckets for socket events."""

from __future__ import annotations

import time

from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem, parse

from chatapp.domain.errors import RateLimited
from chatapp.settings import NO_LIMIT, Settings

MESSAGES, FILES, CONNECTIONS = "messages", "files", "connections"


class RateLimits:
    """One bucket for each (limit, who); a moving window, so that no minute ever sees more than its share."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        rates = {
            MESSAGES: settings.rate_limit_messages,
            FILES: settings.rate_limit_files,
            CONNECTIONS: settings.rate_limit_connections,
        }
        self._items: dict[str, RateLimitItem] = {
            limit: parse(rate) for limit, rate in rates.items() if settings.rate_limit_enabled and rate != NO_LIMIT
        }
        self.limiter = Limiter(
            lambda: "",
            app=app,
            strategy="moving-window",
            storage_uri="memory://",
            enabled=settings.rate_limit_enabled,
        )

    def take(self, limit: str, who: str) -> None:
        """Count one. Raises RateLimited with the time until there is room again."""
        item = self._items.get(limit)
        if item is None:
            return
        window = self.limiter.limiter
        if not window.hit(item, who, limit):
            reset_at, _ = window.get_window_stats(item, who, limit)
            raise RateLimited(limit=limit, retry_after=max(0.0, reset_at - time.time()))

"""Jobs by huey: a queue, a schedule, and greenlets that work in this process.

Alone, one process keeps them in its memory; several share them by Redis. Either may lose them: the lanes in the store
know what is due, and ``services/webhook_sweeping.py`` finds it again (docs/decisions/0018).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import gevent
import redis
from gevent.event import Event
from huey.api import Huey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import MemoryStorage, RedisStorage

log = logging.getLogger(__name__)

QUEUE = "chatapp_webhooks"

WORKERS = 16
"""Greenlets that deliver in a process. Each waits for somebody else's answer nearly all the time."""

LOOK_SECONDS = 1.0
"""How long a worker waits for work before it looks whether to stop."""

LOOK_AGAIN_SECONDS = 10.0
"""Before another look at a Redis that is away."""

QUEUE_MAX = 10_000
"""Jobs that wait. Beyond it nobody works them off, and the lanes know what is due."""

STOP_SECONDS = 5.0
"""What was begun may take so long when the process stops; then it is broken off, and tried again by another."""

Run = Callable[[str, str], None]


class _Waiting(MemoryStorage):  # type: ignore[misc]
    """huey's own polls with growing pauses. Here who waits is woken."""

    blocking = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._filled = Event()

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        super().enqueue(data, priority)
        self._filled.set()

    def dequeue(self) -> bytes | None:
        data: bytes | None = super().dequeue()
        if data is None:
            self._filled.clear()
            self._filled.wait(LOOK_SECONDS)
            data = super().dequeue()
        return data

    def wake(self) -> None:
        """Who waits looks whether to stop."""
        self._filled.set()


class _Shared(RedisStorage):  # type: ignore[misc]
    """huey's own worker writes a traceback for every look while Redis is away."""

    def dequeue(self) -> bytes | None:
        try:
            data: bytes | None = super().dequeue()
        except (redis.RedisError, OSError) as exc:
            log.warning("webhooks' jobs are out of reach: %r", exc)
            gevent.sleep(LOOK_AGAIN_SECONDS)
            return None
        return data

    def read_schedule(self, ts: datetime) -> list[bytes]:
        try:
            due: list[bytes] = super().read_schedule(ts)
        except (redis.RedisError, OSError):  # of which the above tells
            return []
        return due


class _Json(Serializer):  # type: ignore[misc]
    """huey's own pickles, and whoever can write into Redis could have us run anything."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps([part.isoformat() if isinstance(part, datetime) else part for part in data]).encode()

    def _deserialize(self, data: bytes) -> Any:
        said = dict(zip(Message._fields, json.loads(data), strict=True))
        if said["eta"] is not None:
            said["eta"] = datetime.fromisoformat(said["eta"])
        return Message(**said)


class _Consumer(Consumer):  # type: ignore[misc]
    def _set_signal_handlers(self) -> None:
        """The process's signals are gunicorn's."""


class HueyJobs:
    def __init__(self, client: redis.Redis | None = None) -> None:
        """With a client of Redis the work is everybody's who has one for it; else it stays here."""
        options: dict[str, Any] = {"storage_class": _Waiting}
        if client is not None:
            options = {"storage_class": _Shared, "connection_pool": client.connection_pool}
        self._huey = Huey(QUEUE, results=False, serializer=_Json(), **options)
        self._task = self._huey.task(name="deliver")(self._run)
        self._deliver: Run = lambda _endpoint_id, _lane: None
        self._waiting: set[tuple[str, str]] = set()
        self._consumer: _Consumer | None = None

    def deliver(self, endpoint_id: str, lane: str, *, at: datetime | None = None) -> None:
        if at is None:
            if (endpoint_id, lane) in self._waiting:
                return
            self._waiting.add((endpoint_id, lane))
        gevent.spawn(self._enqueue, endpoint_id, lane, at)

    def _enqueue(self, endpoint_id: str, lane: str, at: datetime | None) -> None:
        """In its own time: Redis may be slow, or away."""
        try:
            if at is None and self._huey.pending_count() < QUEUE_MAX:
                self._task(endpoint_id, lane)
            elif at is not None:
                self._task.schedule((endpoint_id, lane), eta=at)
        except (redis.RedisError, OSError) as exc:
            log.warning("a webhook's job was not queued; the next sweep finds it: %r", exc)
        finally:
            self._waiting.discard((endpoint_id, lane))

    def _run(self, endpoint_id: str, lane: str) -> None:
        self._deliver(endpoint_id, lane)

    def start(self, run: Run) -> None:
        self._deliver = run
        if self._consumer is not None:
            return
        self._consumer = _Consumer(self._huey, workers=WORKERS, worker_type="greenlet", periodic=False)
        self._consumer.start()

    def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.shutdown_timeout = STOP_SECONDS
            consumer.stop_flag.set()
            if isinstance(self._huey.storage, _Waiting):
                self._huey.storage.wake()
            consumer.stop(graceful=True)


class NoJobs:
    """Of a process that leaves webhooks to another, which it cannot reach: that one looks for itself."""

    def deliver(self, endpoint_id: str, lane: str, *, at: datetime | None = None) -> None:
        """Nothing to do."""

    def start(self, run: Run) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """Nothing to do."""

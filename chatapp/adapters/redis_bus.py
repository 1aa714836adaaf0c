"""The bus between workers, over Redis publish/subscribe: a worker hears only the rooms it asked for.

Redis keeps nothing of ours. What is lost while it is away, the workers get from the store: every message has a
number, and a worker that was deaf asks for what came after the last one it heard.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote

import gevent
import redis
from gevent.event import Event as Flag
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from chatapp.adapters.event_codec import decode, encode
from chatapp.domain.errors import BusUnavailable
from chatapp.domain.events import Event, ResyncNeeded
from chatapp.domain.rooms import EVERYONE

log = logging.getLogger(__name__)

PREFIX = "chatapp:"
CANARY_SECONDS = 1.0
DEAF_SECONDS = 5.0
"""docs/reliability.md: over 5 s of silence a worker counts as deaf."""
ANSWER_SECONDS = 2.0
"""How long Redis may take for one answer, and a subscription to be confirmed."""
RETRY_SECONDS = 0.25
OUTBOX_MAX = 20_000
"""Publications that wait while Redis is away, at about 1 kB each. Beyond it all workers ask the store."""
PIPELINE_MAX = 500

Receive = Callable[[str, str, Event], None]
"""Room, origin, event."""


class RedisBus:
    is_alone = False

    def __init__(self, url: str, *, worker_id: str) -> None:
        self.worker_id = worker_id
        self._client = redis_client(url)
        self._own_channel = f"{PREFIX}worker:{worker_id}"
        self._rooms: dict[str, Flag] = {}  # set once Redis has confirmed
        self._late: set[str] = set()  # rooms whose confirmation nobody waits for any more
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._outbox_filled = Flag()
        self._pubsub: Any = None
        self._heard_at = 0.0
        self._asked_at = 0.0
        self._has_lost = False
        self._closed = False
        self._greenlets: list[gevent.Greenlet[..., Any]] = []

    def start(self, receive: Receive, *, recovered: Callable[[], None]) -> None:
        """``receive`` gets what others publish, in order; ``recovered`` is called after anything may have been
        missed, by this worker or because of it. Neither may wait."""
        self._receive, self._recovered = receive, recovered
        self._greenlets = [gevent.spawn(loop) for loop in (self._listen, self._send, self._watch)]

    # ------------------------------------------------------------ rooms
    def subscribe(self, rooms: Collection[str]) -> None:
        fresh = [room for room in rooms if room not in self._rooms]
        for room in fresh:
            self._rooms[room] = Flag()
        self._ask("subscribe", fresh)
        flags = [flag for room in rooms if (flag := self._rooms.get(room)) and not flag.is_set()]
        if flags and self.hears:
            gevent.wait(flags, timeout=ANSWER_SECONDS)
            self._late |= {room for room in rooms if (flag := self._rooms.get(room)) and not flag.is_set()}

    def unsubscribe(self, rooms: Collection[str]) -> None:
        self._ask("unsubscribe", [room for room in rooms if self._rooms.pop(room, None)])

    def _ask(self, command: str, rooms: Collection[str]) -> None:
        pubsub = self._pubsub
        if pubsub is None or not rooms:  # the listener asks for all rooms when it is back
            return
        try:
            getattr(pubsub, command)(*(PREFIX + room for room in rooms))
        except (redis.RedisError, OSError, RuntimeError) as exc:
            log.info("the bus did not take %s: %r", command, exc)

    # ------------------------------------------------------------ publishing
    def publish(self, rooms: Collection[str], event: Event) -> None:
        payload = encode(event, origin=self.worker_id)
        for room in rooms:
            self._post(PREFIX + room, payload)

    def _post(self, channel: str, payload: bytes) -> None:
        if len(self._outbox) >= OUTBOX_MAX:
            self._outbox.popleft()
            self._has_lost = True
        self._outbox.append((channel, payload))
        self._outbox_filled.set()

    def _send(self) -> None:
        while not self._closed:
            self._outbox_filled.wait()
            self._outbox_filled.clear()
            while not self._send_outbox():
                gevent.sleep(RETRY_SECONDS)

    def _send_outbox(self) -> bool:
        """False when Redis did not take all of it."""
        while self._outbox:
            batch = [self._outbox[i] for i in range(min(len(self._outbox), PIPELINE_MAX))]
            if not self._send_batch(batch):
                return False
            for sent in batch:  # what overflowed meanwhile is no longer there
                if self._outbox and self._outbox[0] is sent:
                    self._outbox.popleft()
        return True

    def _send_batch(self, batch: list[tuple[str, bytes]]) -> bool:
        """What Redis got before it failed is sent again: to hear something twice is harmless, by its number."""
        pipeline = self._client.pipeline(transaction=False)
        for channel, payload in batch:
            pipeline.publish(channel, payload)
        try:
            pipeline.execute()
        except (redis.RedisError, OSError) as exc:
            log.warning("the bus did not take %d publications, trying again: %r", len(batch), exc)
            return False
        return True

    # ------------------------------------------------------------ hearing
    @property
    def hears(self) -> bool:
        return time.monotonic() - self._heard_at < DEAF_SECONDS

    def check(self) -> None:
        """Raises BusUnavailable when nothing has been heard for ``DEAF_SECONDS``, not even our own canary."""
        if not self.hears:
            raise BusUnavailable(engine="redis")

    def _listen(self) -> None:
        while not self._closed:
            try:
                self._listen_once()
            except (redis.RedisError, OSError, RuntimeError, ValueError) as exc:
                if not self._closed:
                    log.warning("the bus is away: %r", exc)
            self._hang_up()
            gevent.sleep(RETRY_SECONDS)

    def _listen_once(self) -> None:
        pubsub: Any = self._client.pubsub()
        pubsub.subscribe(self._own_channel)
        self._asked_at = time.monotonic()
        self._pubsub = pubsub  # from here on, who needs another room asks for it
        rooms = [PREFIX + room for room in self._rooms]
        waiting = {self._own_channel, *rooms}
        if rooms:
            pubsub.subscribe(*rooms)
        while self._pubsub is pubsub:
            message = pubsub.get_message(timeout=CANARY_SECONDS)
            if message is None:
                continue
            if message["type"] == "subscribe":
                channel = message["channel"].decode()
                self._confirm(channel)
                if channel == self._own_channel and channel not in waiting:
                    raise redis.ConnectionError("the library has connected again: something was missed")
                if channel in waiting:
                    waiting.discard(channel)
                    if not waiting:  # from here on nothing is missed; what was before, the store knows
                        self._heard_at = time.monotonic()
                        self._recovered()
            elif message["type"] == "message":
                self._hear(message["channel"].decode(), message["data"])

    def _confirm(self, channel: str) -> None:
        room = channel.removeprefix(PREFIX)
        flag = self._rooms.get(room)
        if flag:
            flag.set()
        if room in self._late:  # who needed it went on without
            self._late.discard(room)
            self._recovered()

    def _hear(self, channel: str, payload: bytes) -> None:
        self._heard_at = time.monotonic()
        if channel == self._own_channel:
            return
        try:
            origin, event = decode(payload)
            if origin != self.worker_id:
                self._receive(channel.removeprefix(PREFIX), origin, event)
        except Exception:  # one bad publication must not make us deaf for the others
            log.exception("what came over the bus was not understood")

    def _hang_up(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        self._late.clear()
        for flag in self._rooms.values():
            flag.clear()
        if pubsub is not None:
            try:
                pubsub.close()
            except (redis.RedisError, OSError) as exc:
                log.debug("closing the bus: %r", exc)

    def _watch(self) -> None:
        """A canary each second, to ourselves; whoever does not hear their own is deaf."""
        while not self._closed:
            if not any(channel == self._own_channel for channel, _ in self._outbox):
                self._post(self._own_channel, b"")
            if self._has_lost and self.hears:
                self._has_lost = False
                self.publish([EVERYONE], ResyncNeeded())
            silent = time.monotonic() - max(self._heard_at, self._asked_at)
            if self._pubsub is not None and silent >= DEAF_SECONDS:
                self._interrupt()
            gevent.sleep(CANARY_SECONDS)

    def _interrupt(self) -> None:
        """The listener waits on a connection that says nothing any more."""
        log.warning("the bus has been silent for %s s", DEAF_SECONDS)
        self._hang_up()

    def close(self) -> None:
        """What waits to be sent is tried once more: nobody else would tell it."""
        self._closed = True
        gevent.killall(self._greenlets)
        self._send_outbox()
        self._hang_up()
        self._client.close()


def redis_client(url: str) -> redis.Redis:
    """However the URL is written. It tries nothing twice."""
    options: dict[str, Any] = {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # a connection that broke has lost something: we must know
        "health_check_interval": 0,
    }
    if url.startswith("redis+sentinel://"):
        return _by_sentinel(url, options)
    if url.startswith("rediss://"):
        options["ssl_cert_reqs"] = None  # Heroku's certificates are self-signed
    return redis.Redis.from_url(url, **options)


def _by_sentinel(url: str, options: dict[str, Any]) -> redis.Redis:
    """``redis+sentinel://[:password@]host:port[,host:port…]/service``"""
    rest = url.removeprefix("redis+sentinel://")
    secret, _, places = rest.rpartition("@")
    hosts, _, service = places.partition("/")
    sentinels = [(host, int(port or 26379)) for host, _, port in (place.partition(":") for place in hosts.split(","))]
    if secret:
        options["password"] = unquote(secret.removeprefix(":"))
    sentinel = Sentinel(sentinels, socket_timeout=ANSWER_SECONDS)
    client: redis.Redis = sentinel.master_for(service or "mymaster", **options)
    return client

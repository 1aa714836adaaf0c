"""Key sets that change while the server runs. What cannot be read leaves the keys as they were."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import gevent
import structlog

from chatapp.adapters.jwt_tokens.download import DownloadFailed, download
from chatapp.adapters.jwt_tokens.keys import (
    JWKS_MAX_BYTES,
    PUBLIC_ALGORITHMS,
    Key,
    KeysUnusable,
    matching,
    read_jwks,
)
from chatapp.domain.errors import Unavailable

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How long a change of the file may go unnoticed."""

REFRESH_SECONDS = 300.0
"""Older keys are fetched anew, while the old ones go on counting."""

STALE_SECONDS = 600.0
"""Older ones, after a time in which nobody asked, do not go on: who asks waits."""

RETRY_SECONDS = 10.0
"""Between two fetches for keys that are missing. Anybody can make up a token that names such a key."""


class JwksFile:
    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` counts seconds. Raises KeysUnusable."""
        self._path, self._now = path, now
        self._looked_at, self._seen = now(), self._state()
        self._keys = self._read()

    def find(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        self._look()
        return matching(self._keys, algorithm, kid)

    def holds(self, key: Key) -> bool:
        self._look()
        return key in self._keys

    def _look(self) -> None:
        if self._now() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = self._now()
        try:
            state = self._state()
            if state != self._seen:
                self._keys, self._seen = self._read(), state
        except KeysUnusable as exc:
            log.warning("the key set stays as it was", file=str(self._path), reason=str(exc))

    def _state(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError as exc:
            raise KeysUnusable(f"it cannot be read: {exc.strerror}") from None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> tuple[Key, ...]:
        try:
            with self._path.open("rb") as file:
                return read_jwks(file.read(JWKS_MAX_BYTES + 1))
        except OSError as exc:
            raise KeysUnusable(f"it cannot be read: {exc.strerror}") from None


class JwksUrl:
    """Asks nobody before the first token. Greenlets that need the same fetch share it, and wait no longer than it
    may take (``FETCH_SECONDS``)."""

    def __init__(self, url: str, *, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` counts seconds."""
        self._url, self._now = url, now
        self._keys: tuple[Key, ...] = ()
        self._fetched_at = -math.inf
        self._fetching: gevent.Greenlet[..., None] | None = None

    def find(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        if algorithm not in PUBLIC_ALGORITHMS:
            return ()
        self._refresh()
        found = matching(self._keys, algorithm, kid)
        if not found:
            self._fetch(unless_within=RETRY_SECONDS)
            found = matching(self._keys, algorithm, kid)
        if not self._keys:
            raise Unavailable(engine="jwks")
        return found

    def holds(self, key: Key) -> bool:
        self._refresh()
        return key in self._keys

    def _refresh(self) -> None:
        if self._keys:
            self._fetch(unless_within=REFRESH_SECONDS, wait=self._age() > STALE_SECONDS)

    def _fetch(self, *, unless_within: float, wait: bool = True) -> None:
        if self._fetching is None and self._age() >= unless_within:
            self._fetching = gevent.spawn(self._replace_keys)
        if self._fetching is not None and wait:
            self._fetching.join()

    def _age(self) -> float:
        return self._now() - self._fetched_at

    def _replace_keys(self) -> None:
        try:
            self._keys = read_jwks(download(self._url))
        except (DownloadFailed, KeysUnusable) as exc:
            log.warning("the key set stays as it was", url=self._url, reason=str(exc))
        finally:
            self._fetching, self._fetched_at = None, self._now()

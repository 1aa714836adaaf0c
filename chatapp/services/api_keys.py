"""The API keys of the company's backend: made, listed, revoked, and recognised."""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from chatapp.domain import api_keys
from chatapp.domain.api_keys import ApiKey
from chatapp.domain.audit import AuditAction
from chatapp.domain.errors import KeyInvalid, NotFound, Unavailable
from chatapp.domain.models import Actor, Scope
from chatapp.ports import ApiKeyStore, Clock, Scheduler
from chatapp.services.audit import AuditService

log = logging.getLogger(__name__)

TRUST_SECONDS = 1.0
"""How long a key that was read is believed without another look. A revoked one works no longer than this on any
worker, whatever becomes of the bus, and a busy backend costs each worker one read a second."""

MAX_TRUSTED = 1000
"""Keys remembered; the one unused for longest makes room."""

TOUCH_EVERY = timedelta(minutes=1)


class ApiKeyService:
    def __init__(
        self,
        store: ApiKeyStore,
        audit: AuditService,
        *,
        clock: Clock,
        scheduler: Scheduler,
        now: Callable[[], float],
    ) -> None:
        """``now`` is in seconds and never goes back."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._scheduler = scheduler
        self._now = now
        self._trusted: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()  # digest → when it was asked for, the key

    # ------------------------------------------------------------ for the operator
    def create(self, name: str, scopes: Collection[Scope], *, by: Actor) -> tuple[ApiKey, str]:
        """The key, and its secret, which nobody can be told again."""
        secret = api_keys.new_secret()
        digest = api_keys.digest_of(secret)
        key = ApiKey(api_keys.id_of(digest), name, frozenset(scopes), self._clock.now(), digest)
        granted = " ".join(sorted(key.scopes))
        self._audit.record(AuditAction.API_KEY_CREATE, f"apikey:{key.id}", by, name=name, scopes=granted)
        self._store.add(key)
        return key, secret

    def list_all(self) -> list[ApiKey]:
        return self._store.list_all()

    def revoke(self, key_id: str, *, by: Actor) -> ApiKey:
        """Worth nothing any more, on any worker ``TRUST_SECONDS`` later. Raises NotFound."""
        key = self._store.get(key_id)
        if key is None:
            raise NotFound(keyId=key_id)
        self._audit.record(AuditAction.API_KEY_REVOKE, f"apikey:{key_id}", by, name=key.name)
        self._trusted.pop(key.digest, None)
        return self._store.revoke(key_id, now=self._clock.now()) or key

    # ------------------------------------------------------------ for every request
    def authenticate(self, secret: str) -> ApiKey:
        """Raises KeyInvalid, StoreUnavailable."""
        if not api_keys.is_secret(secret):
            raise KeyInvalid
        digest = api_keys.digest_of(secret)
        key = self._find_trusted(digest) or self._look_up(digest)
        self._note_use(digest, key)
        return key

    def _find_trusted(self, digest: str) -> ApiKey | None:
        at, key = self._trusted.get(digest, (0.0, None))
        if key is None or self._now() - at >= TRUST_SECONDS:
            return None
        self._trusted.move_to_end(digest)
        return key

    def _look_up(self, digest: str) -> ApiKey:
        """Who is refused is not remembered: a key works as soon as it is made, and strangers fill nothing."""
        asked_at = self._now()
        key = self._store.get(api_keys.id_of(digest))
        if key is None or key.is_revoked or not hmac.compare_digest(key.digest, digest):
            self._trusted.pop(digest, None)
            raise KeyInvalid
        self._trust(digest, key, asked_at)
        return key

    def _trust(self, digest: str, key: ApiKey, since: float) -> None:
        self._trusted[digest] = since, key
        self._trusted.move_to_end(digest)
        while len(self._trusted) > MAX_TRUSTED:
            self._trusted.popitem(last=False)

    def _note_use(self, digest: str, key: ApiKey) -> None:
        """In its own time, and known here at once so that one request a minute does it."""
        now = self._clock.now()
        if key.last_used_at is None or now - key.last_used_at >= TOUCH_EVERY:
            since, _ = self._trusted[digest]
            self._trust(digest, replace(key, last_used_at=now), since)
            self._scheduler.call_later(0, self._touch, key, now)

    def _touch(self, key: ApiKey, used_at: datetime) -> None:
        try:
            self._store.touch(key, used_at=used_at)
        except Unavailable as exc:
            log.warning("when the API key %s was used last was not stored: %s", key.id, exc)

"""Which tokens are worth nothing any more: known on every worker, asked without waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from chatapp.domain.audit import AuditAction
from chatapp.domain.commands import RevokeTokens
from chatapp.domain.errors import InvalidData, Unavailable
from chatapp.domain.events import TokensRevoked
from chatapp.domain.models import Actor
from chatapp.domain.revocations import Revocation
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Clock, EventPublisher, RevocationStore, Scheduler
from chatapp.services.actors import require_admin
from chatapp.services.audit import AuditService

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""The bus tells at once, but it notices only after some seconds that it is deaf: so the store is asked all the time
whether something has changed. What was revoked is known everywhere within this and the time of two reads."""

KEEP = timedelta(hours=25)
"""No token lives longer than a day; an hour more for clocks that disagree."""

SWEEP_SECONDS = 3600.0

OnRevoked = Callable[[str | None, datetime], object]
"""User, or None for everybody; tokens issued before this."""


class RevocationService:
    """``on_revoked`` is called whenever this worker learns of a revocation, its own ones too; it must not wait."""

    def __init__(
        self,
        store: RevocationStore,
        audit: AuditService,
        publisher: EventPublisher,
        *,
        clock: Clock,
        scheduler: Scheduler,
    ) -> None:
        self._store = store
        self._audit = audit
        self._publisher = publisher
        self._clock = clock
        self._scheduler = scheduler
        self._known: dict[str | None, datetime] = {}
        self._version: str | None = None
        self._is_blind = False
        self.on_revoked: OnRevoked = lambda _user_id, _before: None

    def start(self) -> None:
        """Returns when it knows all there are. Raises StoreUnavailable."""
        self._load()
        self._scheduler.call_later(POLL_SECONDS, self._poll)
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep)

    def is_revoked(self, user_id: str, issued_at: datetime) -> bool:
        """Never waits."""
        return any(before is not None and issued_at < before for before in map(self._known.get, (user_id, None)))

    def revoke(self, command: RevokeTokens, *, actor: Actor) -> Revocation:
        """Raises AdminOnly, ScopeMissing; InvalidData for a ``before`` that is to come: it would lock out people
        whose tokens are not made yet, for as long as somebody's clock or keyboard was wrong."""
        require_admin(actor)
        now = self._clock.now()
        before = command.before or now
        if before > now:
            raise InvalidData({"before": ["in_the_future"]})
        revocation = Revocation(command.user_id, before)
        target = "everybody" if command.user_id is None else f"user:{command.user_id}"
        self._audit.record(AuditAction.TOKENS_REVOKE, target, actor, before=before.isoformat())
        self._store.revoke(revocation)
        self._publisher.relay(TokensRevoked(command.user_id, before), rooms=(EVERYONE,))
        self._learn(revocation)
        return revocation

    def hear(self, event: TokensRevoked) -> None:
        """From another worker. Never waits."""
        self._learn(Revocation(event.user_id, event.before))

    def _learn(self, revocation: Revocation) -> None:
        known = self._known.get(revocation.user_id)
        if known is None or known < revocation.before:
            self._known[revocation.user_id] = revocation.before
            self.on_revoked(revocation.user_id, revocation.before)

    # ------------------------------------------------------------ keeping up
    def _poll(self) -> None:
        self._scheduler.call_later(POLL_SECONDS, self._poll)
        try:
            self._load()
        except Unavailable as exc:
            if not self._is_blind:
                log.warning("whether tokens were revoked is not known until the store is back: %s", exc)
            self._is_blind = True
        else:
            self._is_blind = False

    def _load(self) -> None:
        version = self._store.version()
        if version == self._version:
            return
        for revocation in self._store.list_all():  # asked after the version: perhaps newer, then it is asked again
            self._learn(revocation)
        self._version = version

    def _sweep(self) -> None:
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep)
        useless = self._clock.now() - KEEP
        self._known = {user_id: before for user_id, before in self._known.items() if before > useless}
        try:
            self._store.forget(until=useless)
        except Unavailable as exc:
            log.warning("old revocations were not cleaned up: %s", exc)

"""The audit log: written before the deed, and checked from its first record to its last."""

from __future__ import annotations

import logging

from chatapp.domain.audit import AuditAction, AuditHead, AuditRecord, Chain, Detail, Flaw, make_draft
from chatapp.domain.models import Actor
from chatapp.ports import AuditLog, Clock

log = logging.getLogger(__name__)

PAGE = 500


class AuditService:
    def __init__(self, records: AuditLog, *, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def record(self, action: AuditAction, target: str, actor: Actor, **details: Detail) -> AuditRecord:
        """Call it when all is allowed and before anything is done: what cannot be recorded is not done. A record says
        that somebody set about it, not that it worked. Raises StoreUnavailable.

        The log gets the record's number and hash: kept elsewhere, it tells when the end of the chain is cut off.
        """
        draft = make_draft(action, target, actor, details, at=self._clock.now())
        record = self._records.append(draft)
        log.info("audit record %d %s: %s by %r on %r", record.seq, record.hash, action, record.actor, target)
        return record

    def page(self, *, after: int, limit: int) -> list[AuditRecord]:
        return self._records.records(after=after, limit=limit)

    def verify(self, *, noted: str | None = None) -> tuple[AuditHead, Flaw | None]:
        """How far the chain is good, and what is wrong after that. ``noted`` is the hash of a record that somebody
        once wrote down: a chain without it is not the one they saw."""
        chain = Chain(noted)
        flaw = self._follow(chain, after=None) or self._flaw_at_the_end(chain)
        return chain.head, flaw

    def _follow(self, chain: Chain, *, after: int | None) -> Flaw | None:
        while page := self._records.records(after=after, limit=PAGE):
            if flaw := chain.follow(page):
                return flaw
            after = chain.head.seq
        return None

    def _flaw_at_the_end(self, chain: Chain) -> Flaw | None:
        """The head is asked after the records: others append meanwhile, and it never stands before what was read."""
        while (head := self._records.head()).seq > (end := chain.head).seq:
            if flaw := self._follow(chain, after=end.seq):
                return flaw
            if chain.head == end:
                return Flaw(end.seq + 1, f"missing, like all up to {head.seq}: the end was cut off")
        if head != chain.head:
            return Flaw(chain.head.seq, f"the head says that the chain ends with {head.seq} {head.hash}")
        if not chain.remembers:
            return Flaw(chain.head.seq, "neither this nor one before it has the hash that was noted")
        return None

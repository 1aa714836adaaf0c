"""Webhook endpoints: made, changed, tested, told again. And the log that they are told from, to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from chatapp.domain.audit import AuditAction, Detail
from chatapp.domain.commands import ChangeWebhook, CreateWebhook, ListPage, ReadEvents, ReplayEvents
from chatapp.domain.errors import InvalidData, TooManyKeys, WebhookNotFound
from chatapp.domain.happenings import EventType, Happening
from chatapp.domain.models import Actor, Page, Scope
from chatapp.domain.webhooks import (
    REPLAY,
    ROTATION_OVERLAP,
    Backlog,
    Delivery,
    DisabledReason,
    Endpoint,
    EventPage,
    LoggedEvent,
    Outcome,
    SigningKeys,
)
from chatapp.ports import Clock, Ids, Jobs, SigningKeyMaker, Store, WebhookSender
from chatapp.services.actors import require_admin_or
from chatapp.services.audit import AuditService
from chatapp.services.journal import LEASE_SECONDS, Journal
from chatapp.services.webhook_registry import WebhookRegistry

REPLAY_MAX = 10_000
"""Events in one replay. Who needs more asks for a shorter time, several times."""

MAX_KEYS = 5
"""Pairs that sign at once; each takes some 150 bytes of the signatures' header."""

TEST_LANE = "test"


class WebhookService:
    def __init__(
        self,
        store: Store,
        journal: Journal,
        registry: WebhookRegistry,
        sender: WebhookSender,
        key_maker: SigningKeyMaker,
        jobs: Jobs,
        audit: AuditService,
        *,
        clock: Clock,
        ids: Ids,
        wait: Callable[[float], None],
        always_on: bool,
    ) -> None:
        """``wait`` is given seconds. ``always_on``: the log is kept whether or not there are endpoints."""
        self._store = store.webhooks
        self._events = store.events
        self._journal = journal
        self._registry = registry
        self._sender = sender
        self._key_maker = key_maker
        self._jobs = jobs
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._wait = wait
        self._always_on = always_on

    # ------------------------------------------------------------ making and changing
    def create(self, command: CreateWebhook, *, actor: Actor) -> Endpoint:
        """With its keys, whose secret nobody can be told again. Whatever happens from now on, it is told.

        Raises AdminOnly, ScopeMissing, InvalidData.
        """
        self._require_sendable(command.url, actor)
        now = self._clock.now()
        draft = Endpoint(
            id=self._ids.new(),
            url=command.url,
            description=command.description,
            event_types=command.event_types,
            keys=(self._key_maker.new(),),
            created_at=now,
            updated_at=now,
        )
        self._record(AuditAction.WEBHOOK_CREATE, draft.id, actor, host=_host(draft.url))
        endpoint = self._store.add(draft)
        self._wait_until_all_know(endpoint)
        return endpoint

    def change(self, command: ChangeWebhook, *, actor: Actor) -> Endpoint:
        """Enabled again, it goes on where it stopped. Raises AdminOnly, ScopeMissing, WebhookNotFound, InvalidData."""
        before = self.get(command.webhook_id, actor=actor)
        if command.url is not None:
            self._require_sendable(command.url, actor)
        now = self._clock.now()
        said: dict[str, Detail] = {"host": _host(command.url), "enabled": command.enabled}
        self._record(AuditAction.WEBHOOK_CHANGE, before.id, actor, **said)
        endpoint = self._change(before.id, lambda stored: _changed(stored, command, now))
        if endpoint.is_enabled and not before.is_enabled:
            self._wait_until_all_know(endpoint)
        self._registry.refresh()
        return endpoint

    def delete(self, webhook_id: str, *, actor: Actor) -> None:
        """With what it has not been told. Raises AdminOnly, ScopeMissing, WebhookNotFound."""
        endpoint = self.get(webhook_id, actor=actor)
        self._record(AuditAction.WEBHOOK_DELETE, webhook_id, actor, host=_host(endpoint.url))
        self._store.remove(webhook_id)
        self._registry.refresh()

    def rotate(self, webhook_id: str, *, actor: Actor) -> Endpoint:
        """New keys; the old ones sign beside them for a day. Raises AdminOnly, ScopeMissing, WebhookNotFound,
        TooManyKeys."""
        endpoint = self.get(webhook_id, actor=actor)
        now = self._clock.now()
        if len(endpoint.keys_at(now)) >= MAX_KEYS:
            raise TooManyKeys(webhookId=webhook_id)
        self._record(AuditAction.WEBHOOK_ROTATE, webhook_id, actor)
        new = self._key_maker.new()
        return self._change(webhook_id, lambda stored: _rotated(stored, new, now))

    def _require_sendable(self, url: str, actor: Actor) -> None:
        _require(actor)
        objection = self._sender.objection(url)
        if objection is not None:
            raise InvalidData({"url": [objection]})

    def _wait_until_all_know(self, endpoint: Endpoint) -> None:
        """Other workers write down nothing for as long as they believe that nobody wants to know."""
        self._registry.refresh()
        settled = self._clock.now() - timedelta(seconds=2 * LEASE_SECONDS)
        others = [other for other in self._registry.enabled() if other.id != endpoint.id]
        if not self._always_on and not any(other.updated_at < settled for other in others):
            self._wait(LEASE_SECONDS)

    def _change(self, webhook_id: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        endpoint = self._store.change(webhook_id, change)
        if endpoint is None:
            raise WebhookNotFound(webhookId=webhook_id)
        return endpoint

    def _record(self, action: AuditAction, webhook_id: str, actor: Actor, **details: Detail) -> None:
        self._audit.record(action, f"webhook:{webhook_id}", actor, **details)

    # ------------------------------------------------------------ reading
    def list_all(self, *, actor: Actor) -> list[Endpoint]:
        """Raises AdminOnly, ScopeMissing."""
        _require(actor)
        return self._store.list_all()

    def get(self, webhook_id: str, *, actor: Actor) -> Endpoint:
        """Raises AdminOnly, ScopeMissing, WebhookNotFound."""
        _require(actor)
        endpoint = self._store.get(webhook_id)
        if endpoint is None:
            raise WebhookNotFound(webhookId=webhook_id)
        return endpoint

    def backlog(self, endpoint: Endpoint) -> Backlog:
        return self._store.backlog(endpoint.id)

    def deliveries(self, webhook_id: str, query: ListPage, *, actor: Actor) -> Page[Delivery]:
        """Newest first. Raises AdminOnly, ScopeMissing, WebhookNotFound, InvalidData for a cursor it did not make."""
        self.get(webhook_id, actor=actor)
        return self._store.deliveries(webhook_id, limit=query.limit, cursor=query.cursor)

    def events(self, query: ReadEvents, *, actor: Actor) -> EventPage:
        """Every event once, for who goes on with the cursor. Raises AdminOnly, ScopeMissing, InvalidData."""
        _require(actor)
        return self._events.page(after=query.after, limit=query.limit)

    # ------------------------------------------------------------ telling
    def test(self, webhook_id: str, *, actor: Actor) -> Delivery:
        """One try at once, of an event that says nothing. Raises AdminOnly, ScopeMissing, WebhookNotFound."""
        endpoint = self.get(webhook_id, actor=actor)
        said = {"endpoint_id": endpoint.id, "url": endpoint.url}
        event = self._journal.entry(Happening(EventType.TEST, TEST_LANE, said))
        now = self._clock.now()
        answer = self._sender.post(endpoint, event, now=now)
        delivery = Delivery(
            id=self._ids.new(),
            endpoint_id=endpoint.id,
            event_id=event.id,
            event_type=event.type,
            lane=event.lane,
            attempt=1,
            at=now,
            outcome=Outcome.DELIVERED if answer.is_success else Outcome.EXHAUSTED,
            status=answer.status,
            error=answer.error,
            duration_ms=answer.duration_ms,
        )
        self._store.add_delivery(delivery)
        return delivery

    def replay(self, command: ReplayEvents, *, actor: Actor) -> int:
        """Tell these again, as they were, beside what goes on; how many, of those that are in the log.

        Raises AdminOnly, ScopeMissing, WebhookNotFound, InvalidData for too many.
        """
        endpoint = self.get(command.webhook_id, actor=actor)
        wanted = [event for event in self._find(command) if endpoint.wants(event.type)]
        self._record(AuditAction.WEBHOOK_REPLAY, endpoint.id, actor, events=len(wanted))
        if wanted:
            lane = f"{REPLAY}{self._ids.new()}"
            last = self._events.copy_to_lane(lane, wanted)
            self._store.make_due(endpoint, lane, position=last, now=self._clock.now())
            self._jobs.deliver(endpoint.id, lane)
        return len(wanted)

    def _find(self, command: ReplayEvents) -> list[LoggedEvent]:
        if command.event_ids is not None:
            return self._events.find(command.event_ids)
        last = command.last or self._clock.now()
        found = self._events.between(command.first or last, last, limit=REPLAY_MAX + 1)
        if len(found) > REPLAY_MAX:
            raise InvalidData({"from": ["too_many_events"]}, maxEvents=REPLAY_MAX)
        return found


def _require(actor: Actor) -> None:
    require_admin_or(actor, Scope.WEBHOOKS_MANAGE)


def _host(url: str | None) -> str | None:
    """For the record; the rest of a URL may be a secret."""
    return urlsplit(url).hostname if url else None


def _changed(stored: Endpoint, command: ChangeWebhook, now: datetime) -> Endpoint:
    disabled = stored.disabled
    if command.enabled is not None:
        disabled = None if command.enabled else stored.disabled or DisabledReason.BY_HAND
    return replace(
        stored,
        url=stored.url if command.url is None else command.url,
        description=stored.description if command.description is None else command.description,
        event_types=stored.event_types if command.event_types is None else command.event_types,
        disabled=disabled,
        updated_at=now,
    )


def _rotated(stored: Endpoint, new: SigningKeys, now: datetime) -> Endpoint:
    latest = now + ROTATION_OVERLAP
    old = tuple(replace(keys, expires_at=keys.expires_at or latest) for keys in stored.keys_at(now))
    return replace(stored, keys=(new, *old), updated_at=now)

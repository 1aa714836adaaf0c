"""Webhooks over a real store with time in the test's hand: an endpoint that answers as it is told, and jobs by the
scheduler of the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.standard_webhooks import StandardKeys
from chatapp.domain.commands import CreateWebhook
from chatapp.domain.models import OPERATOR, Message
from chatapp.domain.webhooks import Answer, Endpoint, LoggedEvent
from chatapp.ports import Store
from chatapp.protocol.event_bodies import render
from chatapp.services.audit import AuditService
from chatapp.services.journal import Journal
from chatapp.services.webhook_delivery import WebhookDelivery
from chatapp.services.webhook_outbox import WebhookOutbox
from chatapp.services.webhook_registry import WebhookRegistry
from chatapp.services.webhook_sweeping import WebhookSweeper
from chatapp.services.webhooks import WebhookService
from tests.contracts.builders import group, save_people, say
from tests.fakes import FakeClock, ManualScheduler, SequentialIds

SWEEP_SECONDS = 60.0
"""Hours pass in these tests, and each look costs as much as in a server."""
KEEP = timedelta(days=30)

OK = Answer(200, None, 5)
DOWN = Answer(None, "ConnectionRefusedError: nobody listens", 5)


def answers(status: int, retry_after: timedelta | None = None) -> Answer:
    return Answer(status, None, 5, retry_after)


class ScriptedEndpoint:
    """The sender's port, and the other side of it: ``answer`` decides; ``posts`` has every try."""

    def __init__(self, clock: FakeClock) -> None:
        self.posts: list[tuple[datetime, str, LoggedEvent]] = []
        """When, to which URL, what."""
        self.answer: Callable[[LoggedEvent], Answer] = lambda _event: OK
        self._clock = clock

    def objection(self, url: str) -> str | None:
        return None if url.startswith("https://") else "https_only"

    def post(self, endpoint: Endpoint, event: LoggedEvent, *, now: datetime) -> Answer:
        self.posts.append((self._clock.now(), endpoint.url, event))
        return self.answer(event)


class ScheduledJobs:
    """At once is at the next moment that the test lets pass."""

    def __init__(self, scheduler: ManualScheduler) -> None:
        self._scheduler = scheduler
        self._run: Callable[[str, str], None] | None = None
        self.lost = False
        """What is handed in is lost, as by a process that dies."""

    def deliver(self, endpoint_id: str, lane: str, *, at: datetime | None = None) -> None:
        if not self.lost:
            wait = max(0.0, (at - self._scheduler.clock.now()).total_seconds()) if at else 0.0
            self._scheduler.call_later(wait, self._do, endpoint_id, lane)

    def _do(self, endpoint_id: str, lane: str) -> None:
        if self._run and not self.lost:
            self._run(endpoint_id, lane)

    def start(self, run: Callable[[str, str], None]) -> None:
        self._run = run

    def stop(self) -> None:
        self._run = None


class Hooks:
    """One process; ``beside`` another it shares store, time and the other side."""

    _owners = itertools.count(1)

    def __init__(self, make_store: Callable[[Journal], Store], *, beside: Hooks | None = None) -> None:
        self.clock = beside.clock if beside else FakeClock()
        self.ids = beside.ids if beside else SequentialIds()
        self.scheduler = beside.scheduler if beside else ManualScheduler(self.clock)
        self.other_side = beside.other_side if beside else ScriptedEndpoint(self.clock)
        monotonic = lambda: self.clock.now().timestamp()  # noqa: E731 - one for all
        self.journal = Journal(render, clock=self.clock, ids=self.ids, now=monotonic, always=False)
        self.store = make_store(self.journal)
        self.jobs = ScheduledJobs(self.scheduler)
        self.audit = AuditService(self.store.audit, clock=self.clock)
        self.registry = WebhookRegistry(self.store.webhooks, self.journal, scheduler=self.scheduler, now=monotonic)
        self.waited: list[float] = []
        self.service = WebhookService(
            self.store,
            self.journal,
            self.registry,
            self.other_side,
            StandardKeys(),
            self.jobs,
            self.audit,
            clock=self.clock,
            ids=self.ids,
            wait=self.waited.append,
            always_on=False,
        )
        self.delivery = WebhookDelivery(
            self.store,
            self.registry,
            self.other_side,
            self.jobs,
            owner=f"process {next(self._owners)}",
            clock=self.clock,
            ids=self.ids,
            scheduler=self.scheduler,
            chance=lambda: 0.5,
        )
        self.sweeper = WebhookSweeper(
            self.store,
            self.registry,
            self.jobs,
            self.delivery.deliver,
            clock=self.clock,
            scheduler=self.scheduler,
            every_seconds=SWEEP_SECONDS,
            keep=KEEP,
        )
        self.outbox = WebhookOutbox(self.store.events, self.registry, self.jobs)
        self.registry.refresh()  # and no polling: three days of it take minutes
        self.sweeper.start()

    def subscribe(self, url: str = "https://example.com/hook", **fields: Any) -> Endpoint:
        return self.service.create(CreateWebhook(url=url, **fields), actor=OPERATOR)

    def say(self, content: str, *, to: str = "g1", by: str = "ana") -> Message:
        """Stored, and whoever delivers is woken."""
        message = say(self.store, content, to=to, by=by, seconds=0)
        self.outbox.wake(f"conversation:{to}")
        return message

    def pass_time(self, seconds: float = 0.001) -> None:
        self.scheduler.advance(seconds)

    def told(self, *kinds: str) -> list[LoggedEvent]:
        return [event for _, _, event in self.other_side.posts if not kinds or event.type.value in kinds]

    def close(self) -> None:
        self.sweeper.stop()
        self.store.close()


def peopled(hooks: Hooks, *groups: str) -> Hooks:
    save_people(hooks.store)
    for id_ in groups or ("g1",):
        hooks.store.conversations.create_group(group("ana", "bea", id=id_))
    return hooks


def over_sqlite(path: Any) -> Callable[[Journal], Store]:
    return lambda journal: SqliteStore(path, journal)

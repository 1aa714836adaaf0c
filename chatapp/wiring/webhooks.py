"""Webhooks, put together: in a worker, or in a process of their own."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

import gevent

from chatapp.adapters.huey_jobs import HueyJobs, NoJobs
from chatapp.adapters.redis_bus import redis_client
from chatapp.adapters.standard_webhooks import StandardKeys
from chatapp.adapters.system import GeventScheduler, SystemClock, TimeOrderedIds
from chatapp.adapters.webhook_sender import HttpSender
from chatapp.ports import Clock, Jobs, Scheduler, Store
from chatapp.protocol.event_bodies import render
from chatapp.services.audit import AuditService
from chatapp.services.journal import Journal
from chatapp.services.webhook_delivery import WebhookDelivery
from chatapp.services.webhook_outbox import WebhookOutbox
from chatapp.services.webhook_registry import WebhookRegistry
from chatapp.services.webhook_sweeping import WebhookSweeper
from chatapp.services.webhooks import WebhookService
from chatapp.settings import Settings
from chatapp.wiring.engines import build_audit, build_store

SWEEP_SECONDS = 10.0
"""How often webhooks are looked after by processes that hear of each other, as those do that share a queue."""

LONE_SWEEP_SECONDS = 1.0
"""By one that hears of nothing."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    service: WebhookService
    outbox: WebhookOutbox
    sweeper: WebhookSweeper


def build_journal(settings: Settings, clock: Clock) -> Journal:
    return Journal(render, clock=clock, ids=TimeOrderedIds(), now=time.monotonic, always=settings.event_log)


def build_webhooks(
    settings: Settings,
    store: Store,
    journal: Journal,
    audit: AuditService,
    *,
    clock: Clock,
    scheduler: Scheduler,
    works: bool,
    sweep_seconds: float = SWEEP_SECONDS,
) -> Webhooks:
    """``works``: this process delivers them. Raises StoreUnavailable."""
    ids = TimeOrderedIds()
    jobs, sender = build_jobs(settings, works=works), HttpSender(allow_private=settings.webhook_allow_private)
    registry = WebhookRegistry(store.webhooks, journal, scheduler=scheduler, now=time.monotonic)
    service = WebhookService(
        store,
        journal,
        registry,
        sender,
        StandardKeys(),
        jobs,
        audit,
        clock=clock,
        ids=ids,
        wait=gevent.sleep,
        always_on=settings.event_log,
    )
    delivery = WebhookDelivery(
        store,
        registry,
        sender,
        jobs,
        owner=uuid.uuid4().hex,
        clock=clock,
        ids=ids,
        scheduler=scheduler,
        chance=random.random,
    )
    sweeper = WebhookSweeper(
        store,
        registry,
        jobs,
        delivery.deliver,
        clock=clock,
        scheduler=scheduler,
        every_seconds=sweep_seconds,
        keep=timedelta(days=settings.event_log_days),
    )
    registry.start()
    if works:
        sweeper.start()
    return Webhooks(service, WebhookOutbox(store.events, registry, jobs), sweeper)


def build_deliverer(settings: Settings) -> tuple[Store, WebhookSweeper]:
    """For a process that only delivers webhooks, at work already. Raises StoreUnavailable."""
    clock = SystemClock()
    journal = build_journal(settings, clock)
    store = build_store(settings, journal)
    hooks = build_webhooks(
        settings,
        store,
        journal,
        build_audit(store),
        clock=clock,
        scheduler=GeventScheduler(),
        works=True,
        sweep_seconds=SWEEP_SECONDS if settings.redis else LONE_SWEEP_SECONDS,
    )
    return store, hooks.sweeper


def build_jobs(settings: Settings, *, works: bool) -> Jobs:
    """``works``: whether this process delivers webhooks itself."""
    if settings.redis:
        return HueyJobs(redis_client(settings.redis))
    return HueyJobs() if works else NoJobs()

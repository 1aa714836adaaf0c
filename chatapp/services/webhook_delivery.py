"""Telling one endpoint the events of one lane, one after the other.

Whoever has claimed the lane is alone with it. What is done is remembered before the next event is begun, so who dies
in between leaves at most one event that is told again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chatapp.domain.errors import Unavailable
from chatapp.domain.webhooks import (
    Answer,
    Claim,
    Delivery,
    DisabledReason,
    Endpoint,
    Lane,
    LoggedEvent,
    Outcome,
)
from chatapp.ports import Clock, Ids, Jobs, Scheduler, Store, WebhookSender
from chatapp.services.webhook_registry import WebhookRegistry
from chatapp.services.webhook_retries import after_failure, has_tries_left, past, start_again

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=6)
"""How long a lane stays with a process that has died."""

RENEW_SECONDS = 2.0

BUSY_PAUSE = timedelta(seconds=1)
"""Before another look at a lane that somebody else has, or at an endpoint that has enough to do."""

AT_ONCE = 8
"""Requests to one endpoint at the same time from a process: a slow one shall not take all that others need."""

TURN = 100
"""Events of a lane before others have their turn."""

PAGE = 20

NOTE_SUCCESS_EVERY = timedelta(minutes=1)

GONE = 410


@dataclass(frozen=True, slots=True)
class _Step:
    """The lane after a try; ``goes_on`` when the next event may follow at once."""

    lane: Lane
    outcome: Outcome
    goes_on: bool
    disabled: DisabledReason | None = None


class WebhookDelivery:
    def __init__(
        self,
        store: Store,
        registry: WebhookRegistry,
        sender: WebhookSender,
        jobs: Jobs,
        *,
        owner: str,
        clock: Clock,
        ids: Ids,
        scheduler: Scheduler,
        chance: Callable[[], float],
    ) -> None:
        """``owner`` names this process among all that ever deliver. ``chance`` is from 0 to 1."""
        self._webhooks = store.webhooks
        self._events = store.events
        self._registry = registry
        self._sender = sender
        self._jobs = jobs
        self._owner = owner
        self._clock = clock
        self._ids = ids
        self._scheduler = scheduler
        self._chance = chance
        self._at_work: set[tuple[str, str]] = set()
        self._under_way: Counter[str] = Counter()
        self._looking: dict[tuple[str, str], datetime] = {}  # lanes that are looked at again, and when
        self._noted: dict[str, datetime] = {}  # endpoint → when its last success was noted

    def deliver(self, endpoint_id: str, lane: str) -> None:
        """Tell what is due. Raises nothing: what fails is due again, or found by the next sweep."""
        key = (endpoint_id, lane)
        self._looking.pop(key, None)
        if key in self._at_work or self._under_way[endpoint_id] >= AT_ONCE:
            self._look_again(endpoint_id, lane)
            return
        self._at_work.add(key)
        self._under_way[endpoint_id] += 1
        try:
            self._take_turn(endpoint_id, lane)
        except Unavailable as exc:
            log.warning("a webhook's lane waits until the store is back: %s", exc)
        finally:
            self._under_way[endpoint_id] -= 1
            self._at_work.discard(key)

    def _take_turn(self, endpoint_id: str, name: str) -> None:
        endpoint = self._webhooks.get(endpoint_id)
        if endpoint is None or not endpoint.is_enabled:
            return
        if not self._has_something(endpoint, name):
            return
        now = self._clock.now()
        lane = self._webhooks.claim(endpoint, name, owner=self._owner, now=now, until=now + LEASE)
        if lane is Claim.BUSY:
            self._look_again(endpoint_id, name)
        elif isinstance(lane, Lane):
            self._tell(endpoint, lane)

    def _has_something(self, endpoint: Endpoint, name: str) -> bool:
        """Most who ask for a few kinds of events are woken for nothing, which shall not cost a write."""
        lane = self._webhooks.lane(endpoint, name)
        events = self._events.in_lane(name, after=lane.position, limit=PAGE)
        is_wanted = any(endpoint.wants(event.type) for event in events)
        return is_wanted or len(events) == PAGE or lane.due_at is not None

    def _look_again(self, endpoint_id: str, lane: str) -> None:
        """Once, however many ask for it meanwhile."""
        now = self._clock.now()
        if self._looking.get((endpoint_id, lane), now) <= now:
            at = self._looking[endpoint_id, lane] = now + BUSY_PAUSE
            self._jobs.deliver(endpoint_id, lane, at=at)

    def _tell(self, endpoint: Endpoint, lane: Lane) -> None:
        told = 0
        while events := self._events.in_lane(lane.name, after=lane.position, limit=PAGE):
            for event in events:
                if not endpoint.wants(event.type):
                    lane = replace(lane, position=event.position)
                    continue
                step = self._try(endpoint, lane, event)
                if step is None:
                    return
                told, lane = told + 1, step.lane
            if told >= TURN:
                self._yield(lane)
                return
        if not self._webhooks.rest(lane, owner=self._owner):
            self._yield(lane)

    def _yield(self, lane: Lane) -> None:
        """Others first; harmless when the lane is somebody else's by now."""
        now = self._clock.now()
        self._webhooks.settle(replace(lane, due_at=now), owner=self._owner, until=None, delivery=None)
        self._jobs.deliver(lane.endpoint_id, lane.name)

    def _try(self, endpoint: Endpoint, lane: Lane, event: LoggedEvent) -> _Step | None:
        """None when this is the end of it for now."""
        began = self._clock.now()
        answer = self._post(endpoint, lane, event, began)
        now = self._clock.now()
        step = self._judge(endpoint, lane, event, answer, now)
        delivery = self._delivery(step, lane, event, answer, began)
        until = now + LEASE if step.goes_on else None
        if not self._webhooks.settle(step.lane, owner=self._owner, until=until, delivery=delivery):
            return None  # another process took the lane while we were held up, and goes on with it
        if step.disabled:
            self._disable(endpoint, step.disabled)
            return None
        if step.outcome is Outcome.DELIVERED:
            self._note_success(endpoint, now)
        elif step.outcome is Outcome.FAILED:
            self._jobs.deliver(endpoint.id, lane.name, at=step.lane.due_at)
        return step if step.goes_on else None

    def _post(self, endpoint: Endpoint, lane: Lane, event: LoggedEvent, now: datetime) -> Answer:
        renewal = _Renewal(self._scheduler, lambda: self._extend(lane))
        try:
            return self._sender.post(endpoint, event, now=now)
        finally:
            renewal.stop()

    def _extend(self, lane: Lane) -> None:
        try:
            self._webhooks.extend(lane, owner=self._owner, until=self._clock.now() + LEASE)
        except Unavailable as exc:
            log.warning("a webhook's lane may be taken by another worker: %s", exc)

    def _judge(self, endpoint: Endpoint, lane: Lane, event: LoggedEvent, answer: Answer, now: datetime) -> _Step:
        if answer.is_success:
            return _Step(past(lane, event), Outcome.DELIVERED, goes_on=True)
        if answer.status == GONE:
            return _Step(start_again(lane, now), Outcome.EXHAUSTED, goes_on=False, disabled=DisabledReason.GONE)
        if has_tries_left(lane):
            return _Step(after_failure(lane, answer, now, self._chance), Outcome.FAILED, goes_on=False)
        if self._takes_nothing(endpoint, lane):
            return _Step(start_again(lane, now), Outcome.EXHAUSTED, goes_on=False, disabled=DisabledReason.FAILING)
        return _Step(past(lane, event), Outcome.EXHAUSTED, goes_on=True)

    def _takes_nothing(self, endpoint: Endpoint, lane: Lane) -> bool:
        """Whether it has not taken anything else either, for as long as this one was tried."""
        stored = self._webhooks.get(endpoint.id)
        latest = stored.last_success_at if stored else None
        return latest is None or lane.failing_since is None or latest < lane.failing_since

    def _delivery(self, step: _Step, lane: Lane, event: LoggedEvent, answer: Answer, at: datetime) -> Delivery:
        return Delivery(
            id=self._ids.new(),
            endpoint_id=lane.endpoint_id,
            event_id=event.id,
            event_type=event.type,
            lane=lane.name,
            attempt=lane.attempts + 1,
            at=at,
            outcome=step.outcome,
            status=answer.status,
            error=answer.error,
            duration_ms=answer.duration_ms,
            next_attempt_at=step.lane.due_at if step.outcome is Outcome.FAILED else None,
        )

    def _disable(self, endpoint: Endpoint, reason: DisabledReason) -> None:
        log.warning("the webhook endpoint %s is disabled: %s", endpoint.id, reason)
        self._webhooks.change(endpoint.id, lambda stored: replace(stored, disabled=stored.disabled or reason))
        self._registry.refresh()

    def _note_success(self, endpoint: Endpoint, now: datetime) -> None:
        latest = self._noted.get(endpoint.id)
        if latest is None or now - latest >= NOTE_SUCCESS_EVERY:
            self._noted[endpoint.id] = now
            self._webhooks.note_success(endpoint.id, at=now)


class _Renewal:
    """Calls ``extend`` again and again until it is stopped."""

    def __init__(self, scheduler: Scheduler, extend: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._extend = extend
        self._timer = scheduler.call_later(RENEW_SECONDS, self._renew)

    def _renew(self) -> None:
        self._timer = self._scheduler.call_later(RENEW_SECONDS, self._renew)
        self._extend()

    def stop(self) -> None:
        self._timer.cancel()

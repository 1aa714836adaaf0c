"""Ends what nobody ends: calls whose participants are gone, whose worker is dead, whose message is not written yet."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial

from chatapp.domain import calls
from chatapp.domain.calls import Call, CallState, Participant
from chatapp.domain.errors import CallNotFound, NotInCall, Unavailable
from chatapp.ports import CallStore, Clock, Scheduler
from chatapp.services.calls.closing import Closing
from chatapp.services.calls.leases import Leases
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.service import CallService
from chatapp.services.calls.signals import HOLD_SECONDS, Signals

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
"""One small read for each worker, while there is no call."""

HOLD = timedelta(seconds=HOLD_SECONDS)

PATIENCE = timedelta(seconds=2)
"""What the worker in charge does at once, another one does so much later."""


class CallSweeper:
    def __init__(
        self,
        store: CallStore,
        service: CallService,
        ledger: Ledger,
        leases: Leases,
        signals: Signals,
        closing: Closing,
        *,
        clock: Clock,
        scheduler: Scheduler,
    ) -> None:
        self._store = store
        self._service = service
        self._ledger = ledger
        self._leases = leases
        self._signals = signals
        self._closing = closing
        self._clock = clock
        self._scheduler = scheduler

    def start(self) -> None:
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep_forever)

    def _sweep_forever(self) -> None:
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep_forever)
        self.sweep()

    def sweep(self) -> None:
        """Never raises."""
        self._signals.sweep()
        try:
            if self._service.is_needed:
                self._leases.take()
            found = self._store.list_all()
            self._ledger.see_all(found)
            leases = self._leases.ends() if found else {}
        except Unavailable as exc:
            log.warning("calls were not swept: %s", exc)
            return
        for call in found:
            self._look_at(call, leases)

    def _look_at(self, call: Call, leases: dict[str, datetime]) -> None:
        now = self._clock.now()
        if call.ended_at is not None:
            if now - call.ended_at > PATIENCE:
                self._closing.close(call)
        elif call.state is CallState.RINGING and now - call.rings_until > PATIENCE:
            self._service.stop_ringing(call.id)
        else:
            for participant in call.participants:
                self._look_for(call, participant, leases.get(participant.worker, call.started_at))

    def _look_for(self, call: Call, participant: Participant, alive_until: datetime) -> None:
        """Whoever was lost with a worker that could not say so counts as lost since its lease."""
        now = self._clock.now()
        if participant.lost_at is not None:
            if now - participant.lost_at >= HOLD:
                self._service.drop(call.id, participant)
        elif alive_until < now:
            lose = partial(
                calls.lost, participant_id=participant.id, connections=participant.connections, now=alive_until
            )
            try:
                self._ledger.change(call.id, lose)
            except (CallNotFound, NotInCall, Unavailable) as exc:
                log.info("a participant of call %s is not lost: %s", call.id, exc)

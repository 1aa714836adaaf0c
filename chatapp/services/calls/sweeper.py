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
from chatapp.services.calls.endings import Endings
from chatapp.services.calls.hearing import CallHearing
from chatapp.services.calls.leases import Leases
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.seats import Seats
from chatapp.services.calls.signals import HOLD_SECONDS, Signals

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
"""One small read for each worker, while there is no call."""

HOLD = timedelta(seconds=HOLD_SECONDS)

PATIENCE = timedelta(seconds=2)
"""What the worker in charge does at once, another one does so much later."""

REMEMBERED = timedelta(minutes=1)
"""Who answers in the moment in which the other gives up is told why there is no call."""


class CallSweeper:
    def __init__(
        self,
        store: CallStore,
        ledger: Ledger,
        leases: Leases,
        signals: Signals,
        seats: Seats,
        hearing: CallHearing,
        endings: Endings,
        closing: Closing,
        *,
        clock: Clock,
        scheduler: Scheduler,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._leases = leases
        self._signals = signals
        self._seats = seats
        self._hearing = hearing
        self._endings = endings
        self._closing = closing
        self._clock = clock
        self._scheduler = scheduler
        self._is_stopped = False

    def start(self) -> None:
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep_forever)

    def stop(self) -> None:
        """Others look after the calls from now on. May be called twice."""
        self._is_stopped = True

    def _sweep_forever(self) -> None:
        if self._is_stopped:
            return
        self._scheduler.call_later(SWEEP_SECONDS, self._sweep_forever)
        self.sweep()

    def sweep(self) -> None:
        """Never raises."""
        self._signals.sweep()
        try:
            seats = self._seats.all()
            if seats:
                self._leases.take()
            found = self._store.list_all()
            self._hearing.reconcile(found, seats)
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
            self._clean_up(call, now - call.ended_at)
        elif call.state is CallState.RINGING and now - call.rings_until > PATIENCE:
            self._endings.stop_ringing(call.id)
        else:
            for participant in call.participants:
                self._look_for(call, participant, leases.get(participant.worker, now))

    def _clean_up(self, call: Call, over_for: timedelta) -> None:
        if not call.is_closed:
            if over_for > PATIENCE:
                self._closing.close(call)
        elif over_for > REMEMBERED:
            try:
                self._store.remove(call.id)
            except Unavailable as exc:
                log.warning("call %s was not forgotten: %s", call.id, exc)

    def _look_for(self, call: Call, participant: Participant, alive_until: datetime) -> None:
        """Whoever was lost with a worker that could not say so counts as lost since its lease ended; where it was
        released, since now."""
        now = self._clock.now()
        if participant.lost_at is not None:
            if now - participant.lost_at >= HOLD:
                self._endings.drop(call.id, participant)
        elif alive_until <= now:
            lose = partial(
                calls.lost, participant_id=participant.id, connections=participant.connections, now=alive_until
            )
            try:
                self._ledger.change(call.id, lose)
            except (CallNotFound, NotInCall, Unavailable) as exc:
                log.info("a participant of call %s is not lost: %s", call.id, exc)

"""All the parts of calls, put together: what the transports ask, what other workers tell, what sweeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatapp.ports import Clock, EventPublisher, Ids, MediaServer, Rooms, Scheduler, Store
from chatapp.services.audience import Audience
from chatapp.services.calls.closing import Closing
from chatapp.services.calls.endings import Endings
from chatapp.services.calls.hearing import CallHearing
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.leases import Leases
from chatapp.services.calls.ledger import Ledger
from chatapp.services.calls.ringing import Ringing
from chatapp.services.calls.seats import Seats
from chatapp.services.calls.service import CallService, Rules
from chatapp.services.calls.signals import Signals
from chatapp.services.calls.sweeper import CallSweeper
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.profiles import Profiles


@dataclass(frozen=True, slots=True)
class Calls:
    service: CallService
    ringing: Ringing
    hearing: CallHearing
    sweeper: CallSweeper
    endings: Endings
    ledger: Ledger
    leases: Leases
    signals: Signals
    seats: Seats


def assemble_calls(
    store: Store,
    audience: Audience,
    profiles: Profiles,
    rooms: Rooms,
    publisher: EventPublisher,
    deliveries: Deliveries,
    conversations: ConversationService,
    ice_servers: IceServers,
    media_server: MediaServer | None,
    *,
    speaks_for: Callable[[str], str | None],
    rules: Rules,
    clock: Clock,
    ids: Ids,
    scheduler: Scheduler,
    now: Callable[[], float],
) -> Calls:
    """``now`` is monotonic, in seconds. The sweeper is not started yet."""
    ledger, leases = Ledger(store.calls), Leases(store.calls, ids.new(), clock=clock)
    signals = Signals(publisher, scheduler=scheduler, now=now)
    seats = Seats(rooms, signals)
    closing = Closing(store, profiles, deliveries, conversations, clock=clock, ids=ids)
    endings = Endings(store.conversations, publisher, ledger, seats, closing, clock=clock)
    ringing = Ringing(store, audience, profiles, publisher, ledger, clock=clock, scheduler=scheduler)
    hearing = CallHearing(publisher, ledger, seats, signals)
    service = CallService(
        store,
        profiles,
        rooms,
        publisher,
        ledger,
        leases,
        signals,
        seats,
        ringing,
        endings,
        closing,
        ice_servers,
        media_server,
        speaks_for=speaks_for,
        rules=rules,
        clock=clock,
        ids=ids,
        scheduler=scheduler,
    )
    sweeper = CallSweeper(
        store.calls, ledger, leases, signals, seats, hearing, endings, closing, clock=clock, scheduler=scheduler
    )
    return Calls(service, ringing, hearing, sweeper, endings, ledger, leases, signals, seats)

"""Calls, put together."""

from __future__ import annotations

import time

from chatapp.adapters.livekit_rooms import LiveKitRooms
from chatapp.adapters.system import SystemClock
from chatapp.ports import Clock, EventPublisher, Ids, MediaServer, Rooms, Scheduler, Store
from chatapp.services.audience import Audience
from chatapp.services.calls.assembly import Calls, assemble_calls
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.service import Rules
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.presence import PresenceService
from chatapp.services.profiles import Profiles
from chatapp.services.telling import Teller
from chatapp.settings import Settings


def build_media_server(settings: Settings) -> MediaServer | None:
    if not (settings.livekit_url and settings.livekit_key and settings.livekit_secret):
        return None
    return LiveKitRooms(
        settings.livekit_url, key=settings.livekit_key, secret=settings.livekit_secret, clock=SystemClock()
    )


def build_calls(
    settings: Settings,
    store: Store,
    audience: Audience,
    profiles: Profiles,
    rooms: Rooms,
    publisher: EventPublisher,
    deliveries: Deliveries,
    teller: Teller,
    conversations: ConversationService,
    presence: PresenceService,
    *,
    clock: Clock,
    ids: Ids,
    scheduler: Scheduler,
) -> Calls:
    """Begins to sweep."""
    calls = assemble_calls(
        store,
        audience,
        profiles,
        rooms,
        publisher,
        deliveries,
        conversations,
        IceServers(settings.stun_urls, settings.turn_urls, secret=settings.turn_secret or "", clock=clock),
        build_media_server(settings),
        speaks_for=presence.user_of,
        rules=Rules(settings.call_ring_seconds, settings.call_mesh_max, settings.livekit_always),
        clock=clock,
        ids=ids,
        scheduler=scheduler,
        now=time.monotonic,
    )
    teller.on_departure = calls.service.expel
    conversations.on_close = calls.service.expel
    calls.sweeper.start()
    return calls

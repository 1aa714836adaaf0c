"""The chat, put together."""

from __future__ import annotations

import time

from chatapp.adapters.file_inspector import ContentInspector
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.shared_presence import SharedPresence
from chatapp.adapters.system import GeventScheduler, SystemClock, TimeOrderedIds
from chatapp.domain.events import ProfileChanged
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Bus, Clock, EventPublisher, Ids, Rooms, Scheduler
from chatapp.services.attachments import AttachmentSweeper
from chatapp.services.audience import Audience
from chatapp.services.catching_up import CatchUpService
from chatapp.services.chat import Chat
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.files import FileService
from chatapp.services.filials import Filials
from chatapp.services.following import Following
from chatapp.services.messages import MessageService
from chatapp.services.presence import PresenceService
from chatapp.services.profiles import Profiles
from chatapp.services.replay import Replay
from chatapp.services.replica import Replica
from chatapp.services.revocations import RevocationService
from chatapp.services.sessions import HereOrKept, NoSessions, Sessions
from chatapp.services.telling import Teller
from chatapp.services.typing import TypingService
from chatapp.services.users import UserService
from chatapp.settings import Settings
from chatapp.wiring.calls import build_calls
from chatapp.wiring.engines import (
    build_api_keys,
    build_audit,
    build_files,
    build_links,
    build_scanner,
    build_store,
)
from chatapp.wiring.webhooks import build_journal, build_webhooks


def build_chat(
    settings: Settings,
    publisher: EventPublisher,
    rooms: Rooms,
    bus: Bus,
    sessions: Sessions | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    scheduler: Scheduler | None = None,
) -> Chat:
    """Opens the engines. Clock, ids and scheduler are the machine's where none are given. Raises StoreUnavailable,
    FilesUnavailable."""
    clock, ids, scheduler = clock or SystemClock(), ids or TimeOrderedIds(), scheduler or GeventScheduler()
    journal = build_journal(settings, clock)
    store, files = build_store(settings, journal), build_files(settings)
    shared = SharedPresence(bus, now=time.monotonic) if settings.redis else None
    presence = shared or MemoryPresence()
    sessions = sessions or NoSessions()
    access = FileAccess(store, files)
    audience, sweeper = Audience(keeps=sessions.keeps), AttachmentSweeper(files)
    profiles = Profiles(
        store.users, changed=lambda user_id: publisher.relay(ProfileChanged(user_id), rooms=(EVERYONE,))
    )

    filials = Filials(store.users, isolated=settings.filial_isolation)
    audit = build_audit(store)
    works = settings.webhook_delivery == "web"
    hooks = build_webhooks(settings, store, journal, audit, clock=clock, scheduler=scheduler, works=works)
    outbox = hooks.outbox
    teller = Teller(audience, presence, rooms, publisher)
    deliveries = Deliveries(Replay(store, profiles), teller.tell, publisher, scheduler=scheduler, wake=outbox.wake)
    revocations = RevocationService(store.revocations, audit, publisher, clock=clock, scheduler=scheduler)
    if settings.auth_mode == "jwt":
        revocations.start()
    messages = MessageService(
        store, access, audience, profiles, deliveries, sweeper, publisher, audit, clock=clock, ids=ids
    )
    following = (
        Following(bus, audience, HereOrKept(shared, sessions), deliveries, clock=clock, scheduler=scheduler)
        if shared
        else None
    )
    conversations = ConversationService(
        store,
        presence,
        audience,
        profiles,
        filials,
        rooms,
        teller,
        deliveries,
        sweeper,
        publisher,
        audit,
        clock=clock,
        ids=ids,
        following=following,
        wake=outbox.wake,
    )
    users = UserService(
        store,
        presence,
        conversations,
        profiles,
        filials,
        rooms,
        publisher,
        revocations,
        audit,
        clock=clock,
        ids=ids,
        wake=outbox.wake,
    )
    typing = TypingService(store, presence, profiles, publisher, scheduler=scheduler)
    presences = PresenceService(
        store,
        presence,
        audience,
        profiles,
        filials,
        typing,
        rooms,
        publisher,
        clock=clock,
        scheduler=scheduler,
        grace_seconds=settings.presence_grace_seconds,
        following=following,
        wake=outbox.wake,
    )
    calls = build_calls(
        settings,
        store,
        audience,
        profiles,
        rooms,
        publisher,
        deliveries,
        teller,
        conversations,
        presences,
        clock=clock,
        ids=ids,
        scheduler=scheduler,
    )
    if shared and following:
        replica = Replica(
            bus,
            shared,
            audience,
            profiles,
            deliveries,
            rooms,
            publisher,
            conversations,
            messages,
            presences,
            revocations,
            calls.hearing,
            scheduler=scheduler,
            sessions=sessions,
        )
        replica.start()
        following.start()
    return Chat(
        users=users,
        conversations=conversations,
        messages=messages,
        catch_up=CatchUpService(store),
        deliveries=deliveries,
        files=FileService(
            files,
            ContentInspector(),
            build_scanner(settings),
            messages,
            conversations,
            users,
            sweeper,
            clock=clock,
            ids=ids,
            allowed_types=settings.allowed_types,
            max_bytes=settings.upload_max_bytes,
            publish=outbox.publish,
        ),
        file_access=access,
        file_links=build_links(settings, access, clock, revocations),
        calls=calls.service,
        call_sweeper=calls.sweeper,
        presence=presences,
        typing=typing,
        api_keys=build_api_keys(store, audit, scheduler),
        revocations=revocations,
        audit=audit,
        webhooks=hooks.service,
        outbox=outbox,
        webhook_sweeper=hooks.sweeper,
        store=store,
        file_store=files,
        bus=bus,
    )

"""The only place that picks adapters."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from chatapp.adapters.dynamodb_store import DynamoStore
from chatapp.adapters.file_inspector import ContentInspector
from chatapp.adapters.local_bus import LocalBus
from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.redis_bus import RedisBus
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.shared_presence import SharedPresence
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.system import GeventScheduler, SystemClock, TimeOrderedIds
from chatapp.domain.events import ProfileChanged
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import Bus, EventPublisher, FileStore, Rooms, Store
from chatapp.services.api_keys import ApiKeyService
from chatapp.services.attachments import AttachmentSweeper
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.catching_up import CatchUpService
from chatapp.services.chat import Chat
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.files import FileService
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


def build_store(settings: Settings) -> Store:
    """SQLite makes what it needs as it opens; DynamoDB's tables are made by ``chatapp init``, and outside production
    here."""
    if settings.store_engine == "sqlite":
        return SqliteStore(settings.sqlite_path)
    store = DynamoStore(
        endpoint=settings.dynamodb_endpoint,
        region=settings.aws_region,
        prefix=settings.dynamodb_table_prefix,
        access_key=settings.aws_access_key_id,
        secret_key=settings.aws_secret_access_key,
    )
    if not settings.is_production:
        store.create_tables()
    return store


def create_tables(settings: Settings) -> None:
    """Whatever the store needs; again is harmless. Raises StoreUnavailable."""
    build_store(replace(settings, environment="development")).close()


def build_files(settings: Settings) -> FileStore:
    if settings.file_engine == "local":
        return LocalFiles(settings.upload_path)
    return S3Files(
        bucket=settings.s3_bucket,
        region=settings.s3_region,
        endpoint=settings.s3_endpoint,
        access_key=settings.aws_access_key_id,
        secret_key=settings.aws_secret_access_key,
        staging=settings.upload_path / ".staging",
        clock=SystemClock(),
    )


def build_bus(settings: Settings) -> Bus:
    return RedisBus(settings.redis, worker_id=uuid.uuid4().hex) if settings.redis else LocalBus()


def build_audit(store: Store) -> AuditService:
    return AuditService(store.audit, clock=SystemClock())


def build_api_keys(store: Store, audit: AuditService) -> ApiKeyService:
    return ApiKeyService(store.api_keys, audit, clock=SystemClock(), scheduler=GeventScheduler(), now=time.monotonic)


def build_chat(
    settings: Settings, publisher: EventPublisher, rooms: Rooms, bus: Bus, sessions: Sessions | None = None
) -> Chat:
    """Opens the engines. Raises StoreUnavailable, FilesUnavailable."""
    clock, ids, scheduler = SystemClock(), TimeOrderedIds(), GeventScheduler()
    store, files = build_store(settings), build_files(settings)
    shared = SharedPresence(bus, now=time.monotonic) if settings.redis else None
    presence = shared or MemoryPresence()
    sessions = sessions or NoSessions()
    audience, sweeper = Audience(keeps=sessions.keeps), AttachmentSweeper(files)
    profiles = Profiles(
        store.users, changed=lambda user_id: publisher.relay(ProfileChanged(user_id), rooms=(EVERYONE,))
    )

    teller = Teller(audience, presence, rooms, publisher)
    deliveries = Deliveries(Replay(store, profiles), teller.tell, publisher, scheduler=scheduler)
    messages = MessageService(store, files, audience, profiles, deliveries, sweeper, publisher, clock=clock, ids=ids)
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
        rooms,
        teller,
        deliveries,
        sweeper,
        publisher,
        clock=clock,
        ids=ids,
        following=following,
    )
    users = UserService(store, presence, conversations, profiles, rooms, publisher, clock=clock, ids=ids)
    typing = TypingService(store, presence, profiles, publisher, scheduler=scheduler)
    presences = PresenceService(
        store,
        presence,
        audience,
        profiles,
        typing,
        rooms,
        publisher,
        clock=clock,
        scheduler=scheduler,
        grace_seconds=settings.presence_grace_seconds,
        following=following,
    )
    audit = build_audit(store)
    revocations = RevocationService(store.revocations, audit, publisher, clock=clock, scheduler=scheduler)
    revocations.start()
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
            messages,
            conversations,
            users,
            sweeper,
            clock=clock,
            ids=ids,
            allowed_types=settings.allowed_types,
            max_bytes=settings.upload_max_bytes,
        ),
        presence=presences,
        typing=typing,
        api_keys=build_api_keys(store, audit),
        revocations=revocations,
        audit=audit,
        store=store,
        file_store=files,
        bus=bus,
    )

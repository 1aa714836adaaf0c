"""The only place that picks adapters."""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_bytes

import gevent

from chatapp.adapters.clamd import ClamdScanner
from chatapp.adapters.dynamodb_store import DynamoStore
from chatapp.adapters.file_inspector import ContentInspector
from chatapp.adapters.huey_jobs import HueyJobs, NoJobs
from chatapp.adapters.jwt_tokens import FixedKeys, JwksFile, JwksUrl, JwtVerifier, KeysUnusable, TokenMinter, secret_key
from chatapp.adapters.jwt_tokens.keys import KeySource
from chatapp.adapters.livekit_rooms import LiveKitRooms
from chatapp.adapters.local_bus import LocalBus
from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.no_scanner import NoScanner
from chatapp.adapters.redis_bus import RedisBus, redis_client
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.shared_presence import SharedPresence
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.standard_webhooks import StandardKeys
from chatapp.adapters.system import GeventScheduler, SystemClock, TimeOrderedIds
from chatapp.adapters.webhook_sender import HttpSender
from chatapp.domain.events import ProfileChanged
from chatapp.domain.rooms import EVERYONE
from chatapp.ports import (
    Bus,
    Clock,
    EventPublisher,
    FileStore,
    Ids,
    Jobs,
    MediaServer,
    Rooms,
    Store,
    TokenVerifier,
    VirusScanner,
)
from chatapp.ports import Journal as JournalPort
from chatapp.protocol.event_bodies import render
from chatapp.services.api_keys import ApiKeyService
from chatapp.services.attachments import AttachmentSweeper
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.calls.assembly import Calls, assemble_calls
from chatapp.services.calls.ice import IceServers
from chatapp.services.calls.service import Rules
from chatapp.services.catching_up import CatchUpService
from chatapp.services.chat import Chat
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.file_links import FileLinks, link_key
from chatapp.services.files import FileService
from chatapp.services.filials import Filials
from chatapp.services.following import Following
from chatapp.services.journal import Journal
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
from chatapp.services.webhook_delivery import WebhookDelivery
from chatapp.services.webhook_outbox import WebhookOutbox
from chatapp.services.webhook_registry import WebhookRegistry
from chatapp.services.webhook_sweeping import WebhookSweeper
from chatapp.services.webhooks import WebhookService
from chatapp.settings import Settings, SettingsError

SWEEP_SECONDS = 10.0
"""How often webhooks are looked after by processes that hear of each other, as those do that share a queue."""

LONE_SWEEP_SECONDS = 1.0
"""By one that hears of nothing."""


def build_store(settings: Settings, journal: JournalPort | None = None) -> Store:
    """SQLite makes what it needs as it opens; DynamoDB's tables are made by ``chatapp init``, and outside production
    here."""
    if settings.store_engine == "sqlite":
        return SqliteStore(settings.sqlite_path, journal)
    store = DynamoStore(
        endpoint=settings.dynamodb_endpoint,
        region=settings.aws_region,
        prefix=settings.dynamodb_table_prefix,
        access_key=settings.aws_access_key_id,
        secret_key=settings.aws_secret_access_key,
        journal=journal,
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


def build_scanner(settings: Settings) -> VirusScanner:
    return ClamdScanner(settings.clamd_url) if settings.clamd_url else NoScanner()


def build_bus(settings: Settings) -> Bus:
    return RedisBus(settings.redis, worker_id=uuid.uuid4().hex) if settings.redis else LocalBus()


def build_tokens(settings: Settings) -> TokenVerifier | None:
    """None in open mode. Raises SettingsError for a key set file that cannot be used."""
    if settings.auth_mode != "jwt":
        return None
    return JwtVerifier(
        _key_sources(settings),
        clock=SystemClock(),
        audience=settings.auth_jwt_audience,
        issuer=settings.auth_jwt_issuer,
    )


def _key_sources(settings: Settings) -> list[KeySource]:
    """What costs nothing to ask comes first."""
    sources: list[KeySource] = [FixedKeys([secret_key(kid, secret) for kid, secret in settings.auth_jwt_secret])]
    if settings.auth_jwks_file:
        try:
            sources.append(JwksFile(settings.auth_jwks_file))
        except KeysUnusable as exc:
            path = str(settings.auth_jwks_file)
            raise SettingsError(f"AUTH_JWKS_FILE must be a JSON Web Key Set, got {path!r}: {exc}") from exc
    if settings.auth_jwks_url:
        sources.append(JwksUrl(settings.auth_jwks_url))
    return sources


def build_minter(settings: Settings) -> TokenMinter:
    """Raises SettingsError without a secret to sign with."""
    if not settings.auth_jwt_secret:
        raise SettingsError(
            "AUTH_JWT_SECRET must be set to mint tokens. "
            "The private keys to AUTH_JWKS_FILE and AUTH_JWKS_URL are with the issuer."
        )
    return TokenMinter(
        settings.auth_jwt_secret,
        clock=SystemClock(),
        audience=settings.auth_jwt_audience,
        issuer=settings.auth_jwt_issuer,
    )


def build_links(settings: Settings, access: FileAccess, clock: Clock, revocations: RevocationService) -> FileLinks:
    """Signed alike in all workers. Open mode asks nobody for proof, and so a key that everybody knows will do."""
    secret = settings.file_url_secret or next((secret for _, secret in settings.auth_jwt_secret), None)
    key = token_bytes(32) if secret is None and settings.auth_mode == "jwt" else link_key(secret or "")
    return FileLinks(access, key=key, clock=clock, is_revoked=revocations.is_revoked)


def build_audit(store: Store) -> AuditService:
    return AuditService(store.audit, clock=SystemClock())


def build_api_keys(store: Store, audit: AuditService) -> ApiKeyService:
    return ApiKeyService(store.api_keys, audit, clock=SystemClock(), scheduler=GeventScheduler(), now=time.monotonic)


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
        scheduler=GeventScheduler(),
        now=time.monotonic,
    )
    teller.on_departure = calls.service.expel
    conversations.on_close = calls.service.expel
    calls.sweeper.start()
    return calls


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
    works: bool,
    sweep_seconds: float = SWEEP_SECONDS,
) -> Webhooks:
    """``works``: this process delivers them. Raises StoreUnavailable."""
    clock, ids, scheduler = SystemClock(), TimeOrderedIds(), GeventScheduler()
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
    journal = build_journal(settings, SystemClock())
    store = build_store(settings, journal)
    seconds = SWEEP_SECONDS if settings.redis else LONE_SWEEP_SECONDS
    hooks = build_webhooks(settings, store, journal, build_audit(store), works=True, sweep_seconds=seconds)
    return store, hooks.sweeper


def build_jobs(settings: Settings, *, works: bool) -> Jobs:
    """``works``: whether this process delivers webhooks itself."""
    if settings.redis:
        return HueyJobs(redis_client(settings.redis))
    return HueyJobs() if works else NoJobs()


def build_chat(
    settings: Settings,
    publisher: EventPublisher,
    rooms: Rooms,
    bus: Bus,
    sessions: Sessions | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> Chat:
    """Opens the engines. ``clock`` and ``ids`` are the machine's where none are given. Raises StoreUnavailable,
    FilesUnavailable."""
    clock, ids, scheduler = clock or SystemClock(), ids or TimeOrderedIds(), GeventScheduler()
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
    hooks = build_webhooks(settings, store, journal, audit, works=settings.webhook_delivery == "web")
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
        presence=presences,
        typing=typing,
        api_keys=build_api_keys(store, audit),
        revocations=revocations,
        audit=audit,
        webhooks=hooks.service,
        outbox=outbox,
        webhook_sweeper=hooks.sweeper,
        store=store,
        file_store=files,
        bus=bus,
    )

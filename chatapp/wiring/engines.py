"""What the settings choose: stores, files, the bus, tokens."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from secrets import token_bytes

from chatapp.adapters.clamd import ClamdScanner
from chatapp.adapters.dynamodb_store import DynamoStore
from chatapp.adapters.jwt_tokens import FixedKeys, JwksFile, JwksUrl, JwtVerifier, KeysUnusable, TokenMinter, secret_key
from chatapp.adapters.jwt_tokens.keys import KeySource
from chatapp.adapters.local_bus import LocalBus
from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.no_scanner import NoScanner
from chatapp.adapters.redis_bus import RedisBus
from chatapp.adapters.s3_files import S3Files
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.system import GeventScheduler, SystemClock
from chatapp.ports import Bus, Clock, FileStore, Scheduler, Store, TokenVerifier, VirusScanner
from chatapp.ports import Journal as JournalPort
from chatapp.services.api_keys import ApiKeyService
from chatapp.services.audit import AuditService
from chatapp.services.file_access import FileAccess
from chatapp.services.file_links import FileLinks, link_key
from chatapp.services.revocations import RevocationService
from chatapp.settings import Settings, SettingsError


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


def build_api_keys(store: Store, audit: AuditService, scheduler: Scheduler | None = None) -> ApiKeyService:
    scheduler = scheduler or GeventScheduler()
    return ApiKeyService(store.api_keys, audit, clock=SystemClock(), scheduler=scheduler, now=time.monotonic)

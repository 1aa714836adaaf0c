"""Every setting: its variable, its default, what it means. The only reader of the environment.

An empty variable counts as absent. A wrong one stops the start with its name, what was expected and its value, which is
left out where it may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chatapp.token_settings import key_set_url, token_secrets

DOCUMENTED_TYPES = (
    "image/jpeg,image/png,image/gif,image/webp,application/pdf,application/msword,"
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document,text/plain,audio/mpeg,audio/mp3,"
    "audio/wav,audio/ogg,audio/m4a,audio/webm,audio/wave,audio/x-wav,audio/x-pn-wav,audio/vnd.wave"
)
RATE = re.compile(r"([1-9][0-9]{0,8})\s*(?:/|per)\s*([1-9][0-9]{0,8})?\s*(second|minute|hour|day)s?")


SECRET_MIN_CHARS = 32
"""As many as SHA-256 has bytes."""

NO_LIMIT = "off"
"""In place of a rate."""


class SettingsError(Exception):
    """A variable that cannot be used; the text is meant for the operator."""


# ---------------------------------------------------------------- how values are read
def _text(value: str) -> str:
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value.lower()

    return read


def _switch(value: str) -> bool:
    known = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    if value.lower() not in known:
        raise ValueError("on or off")
    return known[value.lower()]


def _whole(minimum: int, maximum: int, what: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", value) or not minimum <= int(value) <= maximum:
            raise ValueError(f"{what} from {minimum} to {maximum}")
        return int(value)

    return read


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", value):
        raise ValueError("a number of seconds")
    return float(value)


def _rate(value: str) -> str:
    rate = value.strip().lower()
    if rate != NO_LIMIT and not RATE.fullmatch(rate):
        raise ValueError('a rate like "10/minute", or off')
    return rate


def _words(value: str) -> tuple[str, ...]:
    words = tuple(part.strip() for part in value.split(",") if part.strip())
    if not words:
        raise ValueError("words separated by commas")
    return words


def _types(value: str) -> tuple[str, ...]:
    types = tuple(part.strip().lower() for part in value.split(",") if part.strip())
    if not types or not all(re.fullmatch(r"[\w.+-]+/[\w.+*-]+", kind) for kind in types):
        raise ValueError("media types separated by commas")
    return types


def _origins(value: str) -> str | tuple[str, ...]:
    """As browsers write them: in small letters, and without the port that goes without saying."""
    origins = tuple(part.strip().lower().rstrip("/") for part in value.split(",") if part.strip())
    if origins == ("*",):
        return "*"
    if not origins or not all(re.fullmatch(r"https?://[^/\s*?#@]+", origin) for origin in origins):
        raise ValueError("* or origins like https://app.example.com, separated by commas")
    return tuple(re.sub(r"(?<=^http:)(.*):80$|(?<=^https:)(.*):443$", r"\1\2", origin) for origin in origins)


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(rf"({'|'.join(map(re.escape, schemes))})://\S+", value):
            raise ValueError(f"a URL beginning with {' or '.join(scheme + '://' for scheme in schemes)}")
        return value

    return read


def _ice_urls(*schemes: str) -> Callable[[str], tuple[str, ...]]:
    """RFC 7064 and 7065."""
    wanted = re.compile(rf"({'|'.join(schemes)}):[^\s/?@]+(\?transport=(udp|tcp))?")

    def read(value: str) -> tuple[str, ...]:
        urls = tuple(part.strip() for part in value.split(",") if part.strip())
        if not urls or not all(wanted.fullmatch(url) for url in urls):
            raise ValueError(f"URLs like {schemes[0]}:host:3478, separated by commas")
        return urls

    return read


def _secret(value: str) -> str:
    if len(value) < SECRET_MIN_CHARS:
        raise ValueError(f"a secret of at least {SECRET_MIN_CHARS} characters")
    return value


def _endpoint(value: str) -> str:
    """Of AWS's like, which take keys and no password; engines quote the URL in what they say of their failures."""
    if not re.fullmatch(r"https?://[^\s@]+", value):
        raise ValueError("a URL beginning with http:// or https://, without user and password")
    return value


def _clamd(value: str) -> str:
    if not re.fullmatch(r"unix:///\S+|tcp://[^/\s]+:[0-9]{1,5}", value):
        raise ValueError("tcp://host:port or unix:///path")
    return value


def _socket_path(value: str) -> str:
    if not re.fullmatch(r"(?!/client(/|$))(/[\w.-]+)+/?", value):  # /client is the web client's, for every origin
        raise ValueError("a path like /socket.io, and not below /client")
    return value.rstrip("/")


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """``hops``: how many proxies stand in front; ``networks``: or which addresses they have."""

    hops: int = 0
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


def _proxies(value: str) -> TrustedProxies:
    if value.isdigit():
        return TrustedProxies(hops=_whole(0, 10, "a number of proxies")(value))
    try:
        return TrustedProxies(networks=tuple(ip_network(part.strip()) for part in value.split(",")))
    except ValueError as exc:
        raise ValueError("the number of proxies in front, or their addresses like 10.0.0.0/8,127.0.0.1") from exc


def _setting(
    env: str,
    read: Callable[[str], Any],
    default: Any,
    doc: str,
    *,
    shown: str | None = None,
    secret: Callable[[Any], Collection[str]] | None = None,
) -> Any:
    """A field; ``shown`` is how the default is written in ``.env.example``, ``secret`` finds in a value what nobody may
    read."""
    metadata = {"env": env, "read": read, "doc": doc, "shown": shown, "secret": secret}
    return field(default=default, repr=secret is None, metadata=metadata)


def _itself(value: str) -> tuple[str, ...]:
    return (value,)


def _password(url: str) -> tuple[str, ...]:
    """As it stands in the URL."""
    found = re.search(r"://[^/@]*?:(.+)@", url)
    return (found[1],) if found else ()


def _each_secret(named: tuple[tuple[str | None, str], ...]) -> tuple[str, ...]:
    return tuple(secret for _, secret in named)


@dataclass(frozen=True, slots=True)
class Settings:
    # The process
    host: str = _setting("HOST", _text, "0.0.0.0", "Address to listen on")  # noqa: S104 - a server's purpose
    port: int = _setting("PORT", _whole(1, 65535, "a port"), 3000, "Port to listen on")
    environment: str = _setting(
        "NODE_ENV", _choice("development", "production", "test"), "development", "development, production or test"
    )
    web_concurrency: int = _setting(
        "WEB_CONCURRENCY", _whole(1, 64, "a number of workers"), 1, "Workers; more than one needs Redis"
    )
    log_level: str = _setting(
        "LOG_LEVEL", _choice("debug", "info", "warning", "error"), "info", "debug, info, warning or error"
    )
    log_format: str | None = _setting(
        "LOG_FORMAT", _choice("json", "text"), None, "json or text; by default json in production", shown=""
    )

    # Identity
    auth_mode: str = _setting(
        "AUTH_MODE", _choice("open", "jwt"), "open", "open: a client is whoever it says (development); jwt: tokens"
    )
    filial_isolation: bool = _setting(
        "FILIAL_ISOLATION",
        _switch,
        False,
        "on: users with filials find and write to those who share one, or have none; needs AUTH_MODE=jwt",
        shown="off",
    )
    auth_jwt_secret: tuple[tuple[str | None, str], ...] = _setting(
        "AUTH_JWT_SECRET",
        token_secrets,
        (),
        "For HS256 tokens: one secret, or kid:secret pairs separated by commas, the newest first",
        shown="",
        secret=_each_secret,
    )
    auth_jwks_file: Path | None = _setting(
        "AUTH_JWKS_FILE", Path, None, "For RS256, ES256 and EdDSA tokens: a file with the issuer's key set", shown=""
    )
    auth_jwks_url: str | None = _setting(
        "AUTH_JWKS_URL", key_set_url, None, "For RS256, ES256 and EdDSA tokens: where the issuer's key set is", shown=""
    )
    auth_jwt_audience: str | None = _setting(
        "AUTH_JWT_AUDIENCE", _text, None, "What a token's aud must be, or contain; by default anything", shown=""
    )
    auth_jwt_issuer: str | None = _setting(
        "AUTH_JWT_ISSUER", _text, None, "What a token's iss must be; by default anything", shown=""
    )
    auth_admin_roles: tuple[str, ...] = _setting(
        "AUTH_ADMIN_ROLES", _words, ("admin",), "A token's roles that make an administrator", shown="admin"
    )
    allow_open: bool = _setting(
        "AUTH_ALLOW_OPEN",
        _switch,
        False,
        "yes: AUTH_MODE=open in production too, where others keep strangers out",
        shown="no",
    )
    demo: bool = _setting(
        "DEMO",
        _switch,
        False,
        "on: the sign-in page offers everybody in the directory; chatapp demo sets it",
        shown="off",
    )
    legacy_front_end: bool = _setting(
        "LEGACY_FRONT_END", _switch, False, "on: bare arrays for the first front end", shown="off"
    )

    # Sockets
    socket_path: str = _setting("SOCKET_PATH", _socket_path, "/socket.io", "Path of the Socket.IO endpoint")
    cors_origins: str | tuple[str, ...] = _setting(
        "SOCKET_CORS_ORIGIN", _origins, "*", "Origins that browsers may connect from, or *"
    )
    presence_grace_seconds: float = _setting(
        "PRESENCE_GRACE_SECONDS", _seconds, 2.0, "How long a user without sockets still counts as online", shown="2"
    )
    recovery_seconds: int = _setting(
        "CONNECTION_STATE_RECOVERY_SECONDS",
        _whole(0, 3600, "a number of seconds"),
        120,
        "How long a lost connection can be taken up again with all it has missed; 0: not at all",
    )
    trusted_proxies: TrustedProxies = _setting(
        "TRUSTED_PROXIES",
        _proxies,
        TrustedProxies(),
        "Whose X-Forwarded-For counts: a number of proxies, or their networks",
        shown="0",
    )

    # Store
    storage_backend: str | None = _setting(
        "STORAGE_BACKEND",
        _choice("sqlite", "dynamodb"),
        None,
        "sqlite or dynamodb; by default dynamodb where DYNAMODB_ENDPOINT is set",
        shown="",
    )
    sqlite_path: Path = _setting(
        "SQLITE_PATH", Path, Path("data/chat.db"), "The embedded store's file", shown="./data/chat.db"
    )
    dynamodb_endpoint: str | None = _setting(
        "DYNAMODB_ENDPOINT",
        _endpoint,
        None,
        "DynamoDB's URL; selects DynamoDB",
        shown="",
        secret=_password,
    )
    dynamodb_table_prefix: str = _setting("DYNAMODB_TABLE_PREFIX", _text, "", "Put before each table's name")
    aws_access_key_id: str | None = _setting("AWS_ACCESS_KEY_ID", _text, None, "For DynamoDB and S3", shown="")
    aws_secret_access_key: str | None = _setting(
        "AWS_SECRET_ACCESS_KEY", _text, None, "For DynamoDB and S3", shown="", secret=_itself
    )
    aws_region: str = _setting("AWS_REGION", _text, "us-east-1", "For DynamoDB and S3")

    # Redis
    redis_url: str | None = _setting(
        "REDIS_URL",
        _url("redis", "rediss", "redis+sentinel"),
        None,
        "Redis for several workers",
        shown="",
        secret=_password,
    )
    redis_host: str | None = _setting("REDIS_HOST", _text, None, "Redis by its parts, without REDIS_URL", shown="")
    redis_port: int = _setting("REDIS_PORT", _whole(1, 65535, "a port"), 6379, "Beside REDIS_HOST")
    redis_password: str | None = _setting("REDIS_PASSWORD", _text, None, "Beside REDIS_HOST", shown="", secret=_itself)

    # Files
    file_storage: str = _setting(
        "FILE_STORAGE_TYPE", _choice("local", "s3", "aws"), "local", "local or s3 (aws is the older word for s3)"
    )
    upload_max_bytes: int = _setting(
        "FILE_UPLOAD_MAX_SIZE", _whole(1, 5 * 2**30, "a number of bytes"), 10485760, "Largest upload, in bytes"
    )
    allowed_types: tuple[str, ...] = _setting(
        "FILE_ALLOWED_TYPES",
        _types,
        _types(DOCUMENTED_TYPES),
        "Media types that may be uploaded; decided by content",
        shown=DOCUMENTED_TYPES,
    )
    upload_path: Path = _setting(
        "FILE_STORAGE_LOCAL_PATH", Path, Path("uploads"), "Folder of local files", shown="./uploads"
    )
    file_url_secret: str | None = _setting(
        "FILE_URL_SECRET",
        _secret,
        None,
        "Signs the URLs of files, alike in all workers; by default AUTH_JWT_SECRET does",
        shown="",
        secret=_itself,
    )
    clamd_url: str | None = _setting(
        "CLAMD_URL",
        _clamd,
        None,
        "clamd that scans uploads: tcp://host:3310 or unix:///path; by default none",
        shown="",
    )
    s3_bucket: str = _setting("FILE_STORAGE_S3_BUCKET", _text, "chat-files", "Bucket of s3 files; stays private")
    s3_endpoint: str | None = _setting(
        "FILE_STORAGE_S3_ENDPOINT",
        _endpoint,
        None,
        "Another S3 than AWS's",
        shown="",
        secret=_password,
    )
    s3_region: str = _setting("FILE_STORAGE_S3_REGION", _text, "us-east-1", "The bucket's region")

    # Calls
    call_ring_seconds: float = _setting(
        "CALL_RING_SECONDS", _seconds, 30.0, "How long a call rings before it is missed", shown="30"
    )
    call_mesh_max: int = _setting(
        "CALL_MESH_MAX", _whole(2, 12, "a number of participants"), 6, "Participants who send to each other at most"
    )
    stun_urls: tuple[str, ...] = _setting(
        "STUN_URLS", _ice_urls("stun", "stuns"), (), "STUN servers like stun:host:3478, separated by commas", shown=""
    )
    turn_urls: tuple[str, ...] = _setting(
        "TURN_URLS", _ice_urls("turn", "turns"), (), "TURN servers like turn:host:3478?transport=udp", shown=""
    )
    turn_secret: str | None = _setting(
        "TURN_SECRET", _text, None, "coturn's static-auth-secret; beside TURN_URLS", shown="", secret=_itself
    )
    livekit_url: str | None = _setting(
        "LIVEKIT_URL", _url("ws", "wss"), None, "LiveKit server for calls of more than CALL_MESH_MAX", shown=""
    )
    livekit_key: str | None = _setting("LIVEKIT_KEY", _text, None, "API key, beside LIVEKIT_URL", shown="")
    livekit_secret: str | None = _setting(
        "LIVEKIT_SECRET", _text, None, "API secret, beside LIVEKIT_URL", shown="", secret=_itself
    )
    livekit_always: bool = _setting(
        "LIVEKIT_ALWAYS", _switch, False, "on: all calls through LiveKit, small ones too", shown="off"
    )

    # Webhooks
    webhook_allow_private: bool = _setting(
        "WEBHOOK_ALLOW_PRIVATE",
        _switch,
        False,
        "yes: webhooks may go to private addresses, and without TLS",
        shown="no",
    )
    webhook_delivery: str = _setting(
        "WEBHOOK_DELIVERY",
        _choice("web", "apart"),
        "web",
        "web: the workers deliver webhooks themselves; apart: `chatapp webhook deliver` does",
    )
    event_log: bool = _setting(
        "EVENT_LOG", _switch, False, "on: events are kept for GET /api/events without any webhook, too", shown="off"
    )
    event_log_days: int = _setting(
        "EVENT_LOG_DAYS", _whole(7, 3650, "a number of days, at least 7"), 30, "How long events and tries are kept"
    )

    # Limits
    rate_limit_enabled: bool = _setting("RATE_LIMIT_ENABLED", _switch, True, "off: no limits at all", shown="on")
    rate_limit_messages: str = _setting("RATE_LIMIT_MESSAGES", _rate, "10/minute", "Messages, per user")
    rate_limit_files: str = _setting("RATE_LIMIT_FILES", _rate, "5/minute", "Uploads, per user")
    rate_limit_connections: str = _setting(
        "RATE_LIMIT_CONNECTIONS", _rate, "100/minute", "Socket connections, per address"
    )
    rate_limit_calls: str = _setting("RATE_LIMIT_CALLS", _rate, "20/minute", "Calls started and answered, per user")
    rate_limit_call_signals: str = _setting(
        "RATE_LIMIT_CALL_SIGNALS", _rate, "1200/minute", "Signals between participants of calls, per user"
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises SettingsError."""
        values = {}
        for spec in fields(cls):
            name, given = spec.metadata["env"], env.get(spec.metadata["env"], "").strip()
            if not given:
                continue
            try:
                values[spec.name] = spec.metadata["read"](given)
            except ValueError as exc:
                got = "what it is stays secret" if spec.metadata["secret"] else f"got {given!r}"
                raise SettingsError(f"{name} must be {exc}, {got}") from None
        settings = cls(**values)
        settings.require_sense()
        return settings

    def require_sense(self) -> None:
        """Raises SettingsError where settings contradict each other or ask for what is not there."""
        if self.web_concurrency > 1 and self.redis is None:
            raise SettingsError(
                f"WEB_CONCURRENCY must be 1 without Redis, got '{self.web_concurrency}': one process keeps presence, "
                "limits and fan-out in its memory. Set REDIS_URL to run several workers."
            )
        if self.filial_isolation and self.auth_mode == "open":
            raise SettingsError(
                "FILIAL_ISOLATION=on needs AUTH_MODE=jwt: in open mode nobody's filial is known for sure."
            )
        if self.demo and (self.auth_mode == "jwt" or self.is_production):
            raise SettingsError(
                "DEMO=on needs AUTH_MODE=open, and is not for production: it lets everybody in as anybody."
            )
        if self.auth_mode == "jwt" and not (self.auth_jwt_secret or self.auth_jwks_file or self.auth_jwks_url):
            raise SettingsError(
                "AUTH_MODE=jwt needs something to verify tokens with: "
                "set AUTH_JWT_SECRET, AUTH_JWKS_FILE or AUTH_JWKS_URL."
            )
        if self.is_production and self.auth_mode == "open" and not self.allow_open:
            raise SettingsError(
                "AUTH_MODE must not be 'open' with NODE_ENV=production: everybody would be whoever they say. "
                "Set AUTH_MODE=jwt, or AUTH_ALLOW_OPEN=yes where something in front lets nobody in but your own."
            )
        if self.auth_mode == "jwt" and self.redis is not None and not (self.file_url_secret or self.auth_jwt_secret):
            raise SettingsError(
                "FILE_URL_SECRET must be set beside REDIS_URL: a file's URL signed by one worker is opened at another."
            )

        if bool(self.turn_urls) != bool(self.turn_secret):
            raise SettingsError("TURN_URLS and TURN_SECRET must be set together: without one the other is of no use.")
        livekit = [bool(value) for value in (self.livekit_url, self.livekit_key, self.livekit_secret)]
        if any(livekit) != all(livekit) or (self.livekit_always and not all(livekit)):
            raise SettingsError(
                "LIVEKIT_URL, LIVEKIT_KEY and LIVEKIT_SECRET must be set together, and all three beside "
                "LIVEKIT_ALWAYS=on."
            )

    def secrets(self) -> tuple[str, ...]:
        """What must stand in no log and no answer, wherever it was set."""
        found: list[str] = []
        for spec in fields(self):
            find, value = spec.metadata["secret"], getattr(self, spec.name)
            if find is not None and value:
                found += find(value)
        return tuple(found)

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def logs_json(self) -> bool:
        return self.log_format == "json" or (self.log_format is None and self.is_production)

    @property
    def store_engine(self) -> str:
        return self.storage_backend or ("dynamodb" if self.dynamodb_endpoint else "sqlite")

    @property
    def file_engine(self) -> str:
        return "s3" if self.file_storage == "aws" else self.file_storage

    @property
    def redis(self) -> str | None:
        """The Redis URL, however it was given; None for one process alone."""
        if self.redis_url or not self.redis_host:
            return self.redis_url
        secret = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        return f"redis://{secret}{host}:{self.redis_port}"

"""The environment: what each variable does, and that a wrong one stops the start with a sentence."""

from __future__ import annotations

import re
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from chatapp.settings import DOCUMENTED_TYPES, Settings, SettingsError, TrustedProxies

EXAMPLE = Path(__file__).parents[1] / "config" / ".env.example"

LONG_SECRET = "a secret of 32 bytes or somewhat more"

READ: list[tuple[str, str, str, Any]] = [
    ("HOST", "127.0.0.1", "host", "127.0.0.1"),
    ("PORT", "8080", "port", 8080),
    ("NODE_ENV", "test", "environment", "test"),
    ("WEB_CONCURRENCY", "1", "web_concurrency", 1),
    ("LOG_LEVEL", "debug", "log_level", "debug"),
    ("LOG_FORMAT", "json", "log_format", "json"),
    ("AUTH_MODE", "open", "auth_mode", "open"),
    ("FILIAL_ISOLATION", "off", "filial_isolation", False),
    ("AUTH_JWT_SECRET", LONG_SECRET, "auth_jwt_secret", ((None, LONG_SECRET),)),
    ("AUTH_JWKS_FILE", "/srv/jwks.json", "auth_jwks_file", Path("/srv/jwks.json")),
    ("AUTH_JWKS_URL", "https://id.example/jwks", "auth_jwks_url", "https://id.example/jwks"),
    ("AUTH_JWT_AUDIENCE", "chat", "auth_jwt_audience", "chat"),
    ("AUTH_JWT_ISSUER", "https://id.example", "auth_jwt_issuer", "https://id.example"),
    ("AUTH_ADMIN_ROLES", "admin, Jefe de área,", "auth_admin_roles", ("admin", "Jefe de área")),
    ("AUTH_ALLOW_OPEN", "yes", "allow_open", True),
    ("DEMO", "on", "demo", True),
    ("LEGACY_FRONT_END", "on", "legacy_front_end", True),
    ("SOCKET_PATH", "/ws/", "socket_path", "/ws"),
    ("SOCKET_CORS_ORIGIN", "https://a.example/, http://b:1", "cors_origins", ("https://a.example", "http://b:1")),
    ("PRESENCE_GRACE_SECONDS", "0.5", "presence_grace_seconds", 0.5),
    ("CONNECTION_STATE_RECOVERY_SECONDS", "0", "recovery_seconds", 0),
    ("TRUSTED_PROXIES", "2", "trusted_proxies", TrustedProxies(hops=2)),
    ("STORAGE_BACKEND", "sqlite", "storage_backend", "sqlite"),
    ("SQLITE_PATH", "/srv/chat.db", "sqlite_path", Path("/srv/chat.db")),
    ("DYNAMODB_TABLE_PREFIX", "test-", "dynamodb_table_prefix", "test-"),
    ("AWS_ACCESS_KEY_ID", "key", "aws_access_key_id", "key"),
    ("AWS_SECRET_ACCESS_KEY", "secret", "aws_secret_access_key", "secret"),
    ("AWS_REGION", "eu-west-1", "aws_region", "eu-west-1"),
    ("REDIS_PORT", "6380", "redis_port", 6380),
    ("REDIS_PASSWORD", "secret", "redis_password", "secret"),
    ("FILE_STORAGE_TYPE", "local", "file_storage", "local"),
    ("FILE_UPLOAD_MAX_SIZE", "1024", "upload_max_bytes", 1024),
    ("FILE_ALLOWED_TYPES", "image/png, Audio/*,", "allowed_types", ("image/png", "audio/*")),
    ("FILE_STORAGE_LOCAL_PATH", "/srv/uploads", "upload_path", Path("/srv/uploads")),
    ("FILE_URL_SECRET", "s" * 32, "file_url_secret", "s" * 32),
    ("CLAMD_URL", "unix:///run/clamav/clamd.ctl", "clamd_url", "unix:///run/clamav/clamd.ctl"),
    ("FILE_STORAGE_S3_BUCKET", "bucket", "s3_bucket", "bucket"),
    ("FILE_STORAGE_S3_REGION", "eu-west-1", "s3_region", "eu-west-1"),
    ("FILE_STORAGE_S3_ENDPOINT", "http://s3.local:8333", "s3_endpoint", "http://s3.local:8333"),
    ("WEBHOOK_ALLOW_PRIVATE", "yes", "webhook_allow_private", True),
    ("WEBHOOK_DELIVERY", "apart", "webhook_delivery", "apart"),
    ("EVENT_LOG", "on", "event_log", True),
    ("EVENT_LOG_DAYS", "90", "event_log_days", 90),
    ("RATE_LIMIT_ENABLED", "off", "rate_limit_enabled", False),
    ("RATE_LIMIT_MESSAGES", "20 per 2 Minutes", "rate_limit_messages", "20 per 2 minutes"),
    ("RATE_LIMIT_FILES", "1/hour", "rate_limit_files", "1/hour"),
    ("RATE_LIMIT_CONNECTIONS", "5/second", "rate_limit_connections", "5/second"),
    ("RATE_LIMIT_CALLS", "off", "rate_limit_calls", "off"),
    ("RATE_LIMIT_CALL_SIGNALS", "100/second", "rate_limit_call_signals", "100/second"),
    ("CALL_RING_SECONDS", "0.5", "call_ring_seconds", 0.5),
    ("CALL_MESH_MAX", "4", "call_mesh_max", 4),
    ("STUN_URLS", "stun:a.example:3478, stuns:b.example,", "stun_urls", ("stun:a.example:3478", "stuns:b.example")),
    ("LIVEKIT_ALWAYS", "off", "livekit_always", False),
]
TURN = {"TURN_URLS": "turn:a.example:3478?transport=udp, turns:[2001:db8::1]", "TURN_SECRET": "s3cret"}
LIVEKIT = {"LIVEKIT_URL": "wss://sfu.example", "LIVEKIT_KEY": "key", "LIVEKIT_SECRET": "s3cret"}
NEED_EACH_OTHER = TURN | LIVEKIT
CHOOSES_AN_ENGINE = {"DYNAMODB_ENDPOINT", "REDIS_URL", "REDIS_HOST"}
"""Read by tests of their own below: what they choose may be missing from a version."""


def readers() -> dict[str, Any]:
    return {spec.metadata["env"]: spec.metadata["read"] for spec in fields(Settings)}


@pytest.mark.parametrize(("variable", "given", "name", "value"), READ, ids=[row[0] for row in READ])
def test_variable_is_read(variable: str, given: str, name: str, value: Any) -> None:
    assert getattr(Settings.from_env({variable: given}), name) == value


def test_every_variable_has_a_test() -> None:
    assert {row[0] for row in READ} | CHOOSES_AN_ENGINE | set(NEED_EACH_OTHER) == set(readers())


def test_turn_and_its_secret_need_each_other() -> None:
    settings = Settings.from_env(TURN)
    assert settings.turn_urls == ("turn:a.example:3478?transport=udp", "turns:[2001:db8::1]")
    assert settings.secrets() == (settings.turn_secret,) == ("s3cret",)
    for name, value in TURN.items():
        with pytest.raises(SettingsError, match="TURN_URLS and TURN_SECRET must be set together"):
            Settings.from_env({name: value})


def test_livekit_needs_all_of_its_settings() -> None:
    settings = Settings.from_env({**LIVEKIT, "LIVEKIT_ALWAYS": "on"})
    assert (settings.livekit_url, settings.livekit_key, settings.livekit_always) == ("wss://sfu.example", "key", True)
    assert settings.secrets() == (settings.livekit_secret,) == ("s3cret",)
    incomplete: list[dict[str, str]] = [{"LIVEKIT_ALWAYS": "on"}]
    incomplete += [{other: LIVEKIT[other] for other in LIVEKIT if other != name} for name in LIVEKIT]
    for env in incomplete:
        with pytest.raises(SettingsError, match="LIVEKIT_URL, LIVEKIT_KEY and LIVEKIT_SECRET must be set together"):
            Settings.from_env(env)


def test_defaults_are_the_documents() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.port == 3000
    assert settings.environment == "development"
    assert settings.cors_origins == "*"
    assert settings.file_storage == "local"
    assert settings.upload_max_bytes == 10485760
    assert settings.allowed_types == tuple(DOCUMENTED_TYPES.split(","))
    assert len(settings.allowed_types) == 18
    assert settings.upload_path == Path("uploads")
    assert settings.s3_bucket == "chat-files"
    assert settings.s3_region == "us-east-1"
    assert settings.aws_region == "us-east-1"
    assert settings.redis_port == 6379
    assert settings.redis is None
    assert settings.sqlite_path == Path("data/chat.db")
    assert settings.store_engine == "sqlite"
    assert settings.socket_path == "/socket.io"
    assert settings.presence_grace_seconds == 2.0
    assert (settings.rate_limit_messages, settings.rate_limit_files) == ("10/minute", "5/minute")
    assert settings.rate_limit_connections == "100/minute"
    assert settings.rate_limit_enabled is True
    assert settings.web_concurrency == 1
    assert settings.auth_mode == "open"
    assert settings.auth_admin_roles == ("admin",)
    assert settings.legacy_front_end is False


def test_empty_and_blank_variables_count_as_absent() -> None:
    assert Settings.from_env(dict.fromkeys(readers(), "  ")) == Settings()


def test_other_variables_are_not_looked_at() -> None:
    assert Settings.from_env({"PATH": "/bin", "port": "x"}) == Settings()


WRONG = [
    ("PORT", "http", "a port from 1 to 65535"),
    ("PORT", "0", "a port from 1 to 65535"),
    ("PORT", "65536", "a port from 1 to 65535"),
    ("PORT", "-1", "a port from 1 to 65535"),
    ("PORT", "٣٠٠٠", "a port from 1 to 65535"),
    ("PORT", "9" * 5000, "a port from 1 to 65535"),
    ("REDIS_PORT", "x", "a port from 1 to 65535"),
    ("NODE_ENV", "prod", "one of development, production, test"),
    ("WEB_CONCURRENCY", "0", "a number of workers from 1 to 64"),
    ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "one of json, text"),
    ("AUTH_MODE", "none", "one of open, jwt"),
    ("AUTH_JWKS_URL", "id.example/jwks", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "http://id.example/jwks", "http:// only to this machine"),
    ("AUTH_JWKS_URL", "http://10.0.0.1/jwks", "http:// only to this machine"),
    ("AUTH_JWKS_URL", "http://127.0.0.1.evil.example/jwks", "http:// only to this machine"),
    ("AUTH_JWKS_URL", "file:///etc/jwks.json", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "https:///jwks", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "https://id.example:99999/jwks", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "https://[id.example/jwks", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "https://id.example/jw ks", "a URL beginning with https://"),
    ("AUTH_JWKS_URL", "https://user@id.example/jwks", "without user and password"),
    ("AUTH_ADMIN_ROLES", ",", "words separated by commas"),
    ("AUTH_ALLOW_OPEN", "maybe", "on or off"),
    ("LEGACY_FRONT_END", "maybe", "on or off"),
    ("RATE_LIMIT_ENABLED", "2", "on or off"),
    ("SOCKET_PATH", "socket.io", "a path like /socket.io"),
    ("SOCKET_PATH", "/", "a path like /socket.io"),
    ("SOCKET_PATH", "/a b", "a path like /socket.io"),
    ("SOCKET_PATH", "/client/ws", "not below /client"),
    ("SOCKET_CORS_ORIGIN", "app.example.com", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "https://a.example,*", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "https://*.example.com", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "https://a.example/path", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "https://a.example?x", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "https://ana@a.example", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", "null", "origins like https://app.example.com"),
    ("SOCKET_CORS_ORIGIN", ",", "origins like https://app.example.com"),
    ("PRESENCE_GRACE_SECONDS", "-1", "a number of seconds"),
    ("PRESENCE_GRACE_SECONDS", "nan", "a number of seconds"),
    ("PRESENCE_GRACE_SECONDS", "2s", "a number of seconds"),
    ("CONNECTION_STATE_RECOVERY_SECONDS", "3601", "a number of seconds from 0 to 3600"),
    ("TRUSTED_PROXIES", "11", "a number of proxies from 0 to 10"),
    ("TRUSTED_PROXIES", "loopback", "the number of proxies in front, or their addresses"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "the number of proxies in front, or their addresses"),
    ("STORAGE_BACKEND", "mysql", "one of sqlite, dynamodb"),
    ("FILE_STORAGE_TYPE", "ftp", "one of local, s3, aws"),
    ("FILE_UPLOAD_MAX_SIZE", "10MB", "a number of bytes"),
    ("FILE_UPLOAD_MAX_SIZE", "0", "a number of bytes"),
    ("FILE_ALLOWED_TYPES", "png", "media types separated by commas"),
    ("FILE_ALLOWED_TYPES", "image/png,exe", "media types separated by commas"),
    ("FILE_ALLOWED_TYPES", ",", "media types separated by commas"),
    ("RATE_LIMIT_MESSAGES", "ten/minute", 'a rate like "10/minute"'),
    ("RATE_LIMIT_MESSAGES", "0/minute", 'a rate like "10/minute"'),
    ("RATE_LIMIT_FILES", "5", 'a rate like "10/minute"'),
    ("RATE_LIMIT_FILES", "9" * 5000 + "/minute", 'a rate like "10/minute"'),
    ("RATE_LIMIT_CONNECTIONS", "100/fortnight", 'a rate like "10/minute"'),
    ("CALL_MESH_MAX", "1", "a number of participants from 2 to 12"),
    ("STUN_URLS", "a.example:3478", "URLs like stun:host:3478"),
    ("STUN_URLS", "turn:a.example", "URLs like stun:host:3478"),
    ("STUN_URLS", ",", "URLs like stun:host:3478"),
    ("TURN_URLS", "turn://a.example", "URLs like turn:host:3478"),
    ("TURN_URLS", "turn:user@a.example", "URLs like turn:host:3478"),
    ("LIVEKIT_URL", "https://sfu.example", "a URL beginning with ws:// or wss://"),
]


@pytest.mark.parametrize(("variable", "given", "expected"), WRONG, ids=[f"{row[0]}-{row[1][:20]}" for row in WRONG])
def test_wrong_value_stops_with_its_name_the_value_and_what_was_expected(
    variable: str, given: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as stopped:
        Settings.from_env({variable: given})
    text = str(stopped.value)
    assert text.startswith(f"{variable} must be ")
    assert expected in text
    assert text.endswith(f"got {given!r}")


SECRET = "s3cret-8141"
ENDPOINT = "a URL beginning with http:// or https://, without user and password"


@pytest.mark.parametrize(
    ("variable", "given", "expected"),
    [
        ("REDIS_URL", SECRET, "a URL beginning with redis:// or rediss://"),
        ("REDIS_URL", f"http://:{SECRET}@cache:6379", "a URL beginning with redis:// or rediss://"),
        ("REDIS_URL", f"redis://:{SECRET} @cache:6379", "a URL beginning with redis:// or rediss://"),
        (
            "DYNAMODB_ENDPOINT",
            f"ana:{SECRET}@localhost:8000",
            ENDPOINT,
        ),
        (
            "DYNAMODB_ENDPOINT",
            f"http://ana:{SECRET}@localhost:8000",
            ENDPOINT,
        ),
        (
            "FILE_STORAGE_S3_ENDPOINT",
            f"s3://ana:{SECRET}@localhost",
            ENDPOINT,
        ),
    ],
)
def test_a_wrong_value_that_may_hold_a_secret_is_not_shown(variable: str, given: str, expected: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        Settings.from_env({variable: given})
    assert str(stopped.value) == f"{variable} must be {expected_whole(expected)}, what it is stays secret"
    assert stopped.value.__cause__ is None
    assert stopped.value.__suppress_context__


def expected_whole(expected: str) -> str:
    return expected + " or redis+sentinel://" if "redis" in expected else expected


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ({}, ()),
        ({"redis_url": "redis://cache:6379/0"}, ()),
        ({"redis_url": f"rediss://ana:{SECRET}@cache:6379/0"}, (SECRET,)),
        ({"redis_url": f"redis+sentinel://:{SECRET}@one:1,two:2/main"}, (SECRET,)),
        ({"redis_password": SECRET, "aws_secret_access_key": "other"}, ("other", SECRET)),
    ],
)
def test_settings_know_what_must_stay_secret(given: dict[str, Any], secrets: tuple[str, ...]) -> None:
    assert Settings(**given).secrets() == secrets


SECRET_BEARING = {
    "DYNAMODB_ENDPOINT",
    "AWS_SECRET_ACCESS_KEY",
    "REDIS_URL",
    "REDIS_PASSWORD",
    "FILE_STORAGE_S3_ENDPOINT",
}


def test_variables_that_sound_like_secrets_are_secret() -> None:
    secret = {spec.metadata["env"] for spec in fields(Settings) if spec.metadata["secret"]}
    sounding = {name for name in readers() if re.search("SECRET|PASSWORD|PRIVATE_KEY", name)}
    assert secret >= SECRET_BEARING | sounding


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origins_are_read_as_browsers_write_them(given: str, read: str) -> None:
    assert Settings.from_env({"SOCKET_CORS_ORIGIN": given}).cors_origins == (read,)


@pytest.mark.parametrize("word", ["on", "ON", "true", "1", "yes"])
def test_switches_know_the_usual_words_for_on(word: str) -> None:
    assert Settings.from_env({"LEGACY_FRONT_END": word}).legacy_front_end is True


@pytest.mark.parametrize("word", ["off", "Off", "false", "0", "no"])
def test_switches_know_the_usual_words_for_off(word: str) -> None:
    assert Settings.from_env({"RATE_LIMIT_ENABLED": word}).rate_limit_enabled is False


def test_trusted_proxies_may_be_networks() -> None:
    settings = Settings.from_env({"TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1, ::1"})
    networks = tuple(ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1", "::1"))
    assert settings.trusted_proxies == TrustedProxies(networks=networks)


# ---------------------------------------------------------------- who may be trusted
def test_production_does_not_believe_everybody_unless_told_twice() -> None:
    with pytest.raises(
        SettingsError, match=r"^AUTH_MODE must not be 'open'.*Set AUTH_MODE=jwt, or AUTH_ALLOW_OPEN=yes"
    ):
        Settings.from_env({"NODE_ENV": "production"})
    told = Settings.from_env({"NODE_ENV": "production", "AUTH_ALLOW_OPEN": "yes"})
    assert (told.auth_mode, told.is_production) == ("open", True)
    assert Settings.from_env({"NODE_ENV": "test"}).auth_mode == "open"


# ---------------------------------------------------------------- engines
def test_several_workers_need_redis() -> None:
    with pytest.raises(SettingsError, match=r"^WEB_CONCURRENCY must be 1 without Redis, got '2'.*Set REDIS_URL"):
        Settings.from_env({"WEB_CONCURRENCY": "2"})


def test_redis_url_wins_over_its_parts() -> None:
    settings = Settings(redis_url="rediss://cache:1/2", redis_host="other", redis_password="secret")
    assert settings.redis == "rediss://cache:1/2"


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ({"redis_host": "localhost"}, "redis://localhost:6379"),
        ({"redis_host": "cache", "redis_port": 6380}, "redis://cache:6380"),
        ({"redis_host": "cache", "redis_password": "p@ss/w:rd#"}, "redis://:p%40ss%2Fw%3Ard%23@cache:6379"),
        ({"redis_host": "::1"}, "redis://[::1]:6379"),
        ({"redis_port": 6380, "redis_password": "secret"}, None),
    ],
)
def test_redis_by_its_parts(parts: dict[str, Any], url: str | None) -> None:
    assert Settings(**parts).redis == url


@pytest.mark.parametrize(("variable", "given"), [("REDIS_URL", "redis://localhost:6379"), ("REDIS_HOST", "localhost")])
def test_redis_variables_are_read(variable: str, given: str) -> None:
    read = readers()[variable](given)
    assert Settings(**{variable.lower(): read}).redis == "redis://localhost:6379"


def test_dynamodb_endpoint_selects_dynamodb() -> None:
    endpoint = readers()["DYNAMODB_ENDPOINT"]("http://localhost:8000")
    assert Settings(dynamodb_endpoint=endpoint).store_engine == "dynamodb"
    assert Settings(dynamodb_endpoint=endpoint, storage_backend="sqlite").store_engine == "sqlite"
    assert Settings(storage_backend="dynamodb").store_engine == "dynamodb"


def test_aws_is_the_older_word_for_s3() -> None:
    assert [Settings(file_storage=word).file_engine for word in ("local", "s3", "aws")] == ["local", "s3", "s3"]


def test_branches_are_kept_apart_only_where_they_are_known_for_sure() -> None:
    with pytest.raises(SettingsError, match="FILIAL_ISOLATION=on needs AUTH_MODE=jwt"):
        Settings.from_env({"FILIAL_ISOLATION": "on"})
    jwt = {"AUTH_MODE": "jwt", "AUTH_JWT_SECRET": LONG_SECRET}
    assert Settings.from_env({**jwt, "FILIAL_ISOLATION": "on"}).filial_isolation is True


def test_a_demo_lets_nobody_into_a_server_that_asks_for_proof() -> None:
    for real in ({"AUTH_MODE": "jwt", "AUTH_JWT_SECRET": LONG_SECRET}, {"NODE_ENV": "production"}):
        with pytest.raises(SettingsError, match="DEMO=on needs AUTH_MODE=open"):
            Settings.from_env({"DEMO": "on", "AUTH_ALLOW_OPEN": "yes", **real})


# ---------------------------------------------------------------- tokens
def test_jwt_mode_needs_something_to_verify_tokens_with() -> None:
    with pytest.raises(SettingsError, match=r"^AUTH_MODE=jwt needs .*AUTH_JWT_SECRET, AUTH_JWKS_FILE or AUTH_JWKS_URL"):
        Settings.from_env({"AUTH_MODE": "jwt"})


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("AUTH_JWT_SECRET", LONG_SECRET),
        ("AUTH_JWKS_FILE", "jwks.json"),
        ("AUTH_JWKS_URL", "https://id.example/jwks"),
    ],
)
def test_jwt_mode_with_any_of_them_starts(variable: str, given: str) -> None:
    assert Settings.from_env({"AUTH_MODE": "jwt", variable: given}).auth_mode == "jwt"


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.8.0.1:1", "[::1]:8080"])
def test_key_set_may_come_without_tls_from_this_machine(host: str) -> None:
    url = f"http://{host}/jwks.json?tenant=1"
    assert Settings.from_env({"AUTH_JWKS_URL": url}).auth_jwks_url == url


def test_secrets_may_have_names_for_their_rotation() -> None:
    other = LONG_SECRET[::-1]
    settings = Settings.from_env({"AUTH_JWT_SECRET": f"2026-11:{LONG_SECRET}, old_1.b:{other}"})
    assert settings.auth_jwt_secret == (("2026-11", LONG_SECRET), ("old_1.b", other))


SHORT_SECRET = "x" * 31
WRONG_SECRETS = [
    (SHORT_SECRET, "at least 32 bytes long, each secret"),
    (f"kid:{SHORT_SECRET}", "at least 32 bytes long, each secret"),
    (f"new:{LONG_SECRET},old:{SHORT_SECRET}", "at least 32 bytes long, each secret"),
    (f"a:{LONG_SECRET},a:{LONG_SECRET}x", "each kid once"),
    (f"a:{LONG_SECRET},{LONG_SECRET}", "kid:secret pairs"),
    (f"a:{LONG_SECRET},", "kid:secret pairs"),
    (f":{LONG_SECRET}", "kid:secret pairs"),
    (f"k d:{LONG_SECRET}", "kid:secret pairs"),
    (f"a:{LONG_SECRET}:{LONG_SECRET}", "kid:secret pairs"),
    (f"{LONG_SECRET},{LONG_SECRET}", "without commas and colons"),
    (f"-----BEGIN PUBLIC KEY-----{LONG_SECRET}", "not a key file"),
    (f"ssh-ed25519 {LONG_SECRET}", "not a key file"),
]


@pytest.mark.parametrize(("given", "expected"), WRONG_SECRETS, ids=[row[0][:20] for row in WRONG_SECRETS])
def test_wrong_secret_stops_the_start_and_is_not_shown(given: str, expected: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        Settings.from_env({"AUTH_JWT_SECRET": given})
    text = str(stopped.value)
    assert text.startswith("AUTH_JWT_SECRET must be ")
    assert expected in text
    assert "got" not in text
    assert SHORT_SECRET not in text
    assert LONG_SECRET not in text


def test_a_secrets_length_is_counted_in_bytes() -> None:
    assert Settings.from_env({"AUTH_JWT_SECRET": "é" * 16}).auth_jwt_secret == ((None, "é" * 16),)


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("AUTH_JWT_SECRET", "s3cret" * 8),
        ("AUTH_JWT_SECRET", "kid:" + "s3cret" * 8),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("REDIS_PASSWORD", "s3cret"),
        ("REDIS_URL", "redis://:s3cret@cache:6379"),
    ],
)
def test_settings_show_no_secret(variable: str, given: str) -> None:
    settings = Settings.from_env({variable: given})
    assert settings != Settings()
    assert "s3cret" not in repr(settings)
    assert "port=3000" in repr(settings)


# ---------------------------------------------------------------- logs
@pytest.mark.parametrize(
    ("env", "is_json"),
    [
        ({}, False),
        ({"NODE_ENV": "production"}, True),
        ({"NODE_ENV": "production", "LOG_FORMAT": "text"}, False),
        ({"LOG_FORMAT": "json"}, True),
        ({"NODE_ENV": "test"}, False),
    ],
)
def test_logs_are_json_in_production_unless_told_otherwise(env: dict[str, str], is_json: bool) -> None:
    settings = Settings.from_env({"AUTH_ALLOW_OPEN": "yes", **env})
    assert settings.logs_json is is_json
    assert settings.is_production is (env.get("NODE_ENV") == "production")


# ---------------------------------------------------------------- .env.example
def example() -> dict[str, str]:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    shown = {name: value for name, _, value in (line.partition("=") for line in lines)}
    assert len(shown) == len(lines), "a variable stands twice"
    return shown


def test_env_example_names_every_variable_and_no_other() -> None:
    assert list(example()) == list(readers())


def test_env_example_shows_the_defaults() -> None:
    shown = example()
    assert Settings.from_env(shown) == Settings()
    for spec in fields(Settings):
        written, variable = spec.metadata["shown"], spec.metadata["env"]
        assert shown[variable] == (str(spec.default) if written is None else written), variable


def test_env_example_explains_each_variable() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for spec in fields(Settings):
        at = next(i for i, line in enumerate(lines) if line.startswith(spec.metadata["env"] + "="))
        assert lines[at - 1] == f"# {spec.metadata['doc']}"


def test_env_example_has_no_secrets() -> None:
    shown = example()
    for variable in ("AUTH_JWT_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "REDIS_PASSWORD"):
        assert shown[variable] == ""


def test_one_limit_alone_can_be_switched_off() -> None:
    settings = Settings.from_env({"RATE_LIMIT_FILES": "off"})
    assert (settings.rate_limit_files, settings.rate_limit_messages) == ("off", "10/minute")


def test_words_may_be_written_in_capitals() -> None:
    assert Settings.from_env({"LOG_LEVEL": "INFO"}).log_level == "info"

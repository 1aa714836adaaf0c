"""The table of policies: what each part of the site may do, and that nothing allows inline code."""

from __future__ import annotations

import re

import pytest

from chatapp.settings import Settings
from chatapp.transport.gate import file_hosts, media_hosts
from chatapp.transport.security_headers import policies, policy_of

TABLE = policies("/socket.io", ())
LIVEKIT = "ws://sfu.local:7880/livekit", "wss://chat.livekit.cloud"


def told(path: str) -> dict[str, str]:
    return dict(policy_of(path, TABLE))


def directives(path: str) -> dict[str, list[str]]:
    parts = [part.split() for part in told(path)["Content-Security-Policy"].split(";")]
    assert len({part[0] for part in parts}) == len(parts), "browsers look at the first of a name only"
    return {name: sources for name, *sources in parts}


PATHS = [
    "/",
    "/client/assets/app.js",
    "/client/config.json",
    "/api/users",
    "/api/docs/",
    "/api/files/x",
    "/uploads/x",
    "/socket.io/",
    "/healthz",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_part_forbids_what_it_does_not_name(path: str) -> None:
    headers, policy = told(path), directives(path)
    assert policy["default-src"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"} & {s for d in policy.values() for s in d}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    framed = {"'none'": "DENY", "'self'": "SAMEORIGIN"}
    assert headers["X-Frame-Options"] == framed[policy["frame-ancestors"][0]]


@pytest.mark.parametrize(
    ("path", "used_by"),
    [
        ("/api/files/x", "cross-origin"),
        ("/uploads/x", "cross-origin"),
        ("/client/embed.js", "cross-origin"),
        ("/client/assets/x.js", "cross-origin"),
        ("/client/config.json", "same-origin"),
        ("/api/users", "same-origin"),
        ("/", "same-origin"),
    ],
)
def test_only_files_and_the_widget_may_stand_in_other_pages(path: str, used_by: str) -> None:
    assert told(path)["Cross-Origin-Resource-Policy"] == used_by


def test_only_the_web_client_gets_camera_and_microphone() -> None:
    assert re.search(r"camera=\(self\).*microphone=\(self\)", told("/")["Permissions-Policy"])
    assert re.search(r"camera=\(\).*microphone=\(\)", told("/api/docs/")["Permissions-Policy"])


def test_the_web_client_may_show_files_where_they_are_kept() -> None:
    s3 = Settings(file_storage="s3", s3_bucket="files", s3_endpoint="http://s3.local:8333/x")
    assert file_hosts(s3) == ("http://s3.local:8333", "http://files.s3.local:8333")
    assert "https://chat-files.s3.us-east-1.amazonaws.com" in file_hosts(Settings(file_storage="aws"))
    assert file_hosts(Settings()) == ()
    policy = dict(policy_of("/", policies("/socket.io", file_hosts(s3))))["Content-Security-Policy"]
    assert "img-src 'self' http://s3.local:8333 http://files.s3.local:8333 blob: data:;" in policy


def test_the_web_client_may_speak_to_the_media_server() -> None:
    assert media_hosts(Settings()) == ()
    own, cloud = (Settings(livekit_url=url, livekit_key="key", livekit_secret="secret") for url in LIVEKIT)
    assert media_hosts(own) == ("ws://sfu.local:7880", "http://sfu.local:7880")
    assert media_hosts(cloud)[1:] == ("https://chat.livekit.cloud", "wss://*.livekit.cloud", "https://*.livekit.cloud")
    policy = dict(policy_of("/", policies("/socket.io", (), media_hosts(own))))["Content-Security-Policy"]
    assert "connect-src 'self' ws://sfu.local:7880 http://sfu.local:7880;" in policy


def test_another_socket_path_is_data_too() -> None:
    assert policy_of("/ws/", policies("/ws", ())) == policy_of("/api/users", TABLE)

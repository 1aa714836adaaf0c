"""``chatapp apikey`` and ``chatapp audit``, as an operator types them, over both engines."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatapp.administration.output import print_line
from chatapp.cli import main
from chatapp.domain.audit import AuditAction
from chatapp.domain.models import Actor, Scope, Standing
from chatapp.ports import Store
from chatapp.services.audit import AuditService
from chatapp.settings import Settings
from chatapp.wiring import build_api_keys, build_audit, build_store
from tests.engines.dynamodb import DynamoEngine
from tests.fakes import FakeClock

Run = Callable[..., tuple[int, str, str]]
"""Exit status, standard output, standard error."""


@pytest.fixture(scope="module")
def engine() -> Iterator[DynamoEngine]:
    started = DynamoEngine()
    yield started
    started.stop()


@pytest.fixture(params=["sqlite", "dynamodb"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param == "sqlite":
        return {"SQLITE_PATH": str(tmp_path / "chat.db")}
    engine: DynamoEngine = request.getfixturevalue("engine")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return {"DYNAMODB_ENDPOINT": engine.endpoint, "DYNAMODB_TABLE_PREFIX": engine.new_prefix(), **keys}


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as exc:  # wrong usage
            status = int(exc.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def store(environment: dict[str, str], run: Run) -> Iterator[Store]:
    """The server's own, beside the commands."""
    opened = build_store(Settings.from_env(environment))
    yield opened
    opened.close()


def created(run: Run, *scopes: str) -> tuple[str, str]:
    """Id and secret."""
    status, secret, note = run("apikey", "create", "--name", "Nómina", *(f"--scope={scope}" for scope in scopes))
    assert status == 0
    found = re.search(r"made the key ([0-9a-f]{16})\.", note)
    assert found
    return found[1], secret.removesuffix("\n")


# ---------------------------------------------------------------- keys
def test_a_secret_is_printed_alone_and_opens_the_server(run: Run, store: Store) -> None:
    key_id, secret = created(run, "users:write", "messages:send")
    key = build_api_keys(store, build_audit(store)).authenticate(secret)
    assert key.id == key_id
    assert key.scopes == {Scope.USERS_WRITE, Scope.MESSAGES_SEND}


def test_keys_are_listed_without_their_secrets(run: Run) -> None:
    (first, secret), (second, _) = created(run, "admin"), created(run, "messages:send", "users:write")
    status, out, err = run("apikey", "list")
    lines = out.splitlines()
    assert (status, err, len(lines)) == (0, "", 2)
    assert re.fullmatch(rf"{first}  admin  made \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  never used  Nómina", lines[0])
    assert lines[1].startswith(f"{second}  messages:send users:write  made ")
    assert secret not in out


def test_a_revoked_key_is_refused_and_listed_as_such(run: Run, store: Store) -> None:
    key_id, _ = created(run, "admin")
    status, out, _ = run("apikey", "revoke", key_id)
    assert status == 0
    assert "REVOKED" in out
    assert run("apikey", "list")[1] == out
    key = store.api_keys.get(key_id)
    assert key is not None
    assert key.is_revoked


def test_an_unknown_key_is_said(run: Run) -> None:
    assert run("apikey", "revoke", "0" * 16) == (1, "", "chatapp: there is no key '0000000000000000'\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create"],
        ["create", "--name", "x"],
        ["create", "--scope", "admin"],
        ["create", "--name", "x", "--scope", "everything"],
        ["create", "--name", " ", "--scope", "admin"],
        ["create", "--name", "a\nb", "--scope", "admin"],
        ["create", "--name", "x" * 101, "--scope", "admin"],
        ["revoke"],
    ],
    ids=" ".join,
)
def test_a_key_that_is_not_well_asked_for_is_not_made(run: Run, arguments: list[str]) -> None:
    assert run("apikey", *arguments)[0] == 2
    assert run("apikey", "list") == (0, "", "")


# ---------------------------------------------------------------- audit
def test_what_the_commands_do_is_in_the_audit_log(run: Run) -> None:
    key_id, _ = created(run, "admin")
    run("apikey", "revoke", key_id)
    status, out, _ = run("audit", "list")
    records = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(record["seq"], record["action"], record["actor"], record["target"]) for record in records] == [
        (1, "apikey.create", "operator", f"apikey:{key_id}"),
        (2, "apikey.revoke", "operator", f"apikey:{key_id}"),
    ]


def fill(store: Store, count: int = 5) -> list[str]:
    """The records' hashes."""
    service = AuditService(store.audit, clock=FakeClock())
    actor = Actor("root", Standing.ADMIN)
    return [service.record(AuditAction.USER_DELETE, f"user:{number}", actor).hash for number in range(count)]


def test_records_are_listed_in_pages(run: Run, store: Store) -> None:
    hashes = fill(store)
    _, out, _ = run("audit", "list", "--after", "1", "--limit", "2")
    assert [json.loads(line)["hash"] for line in out.splitlines()] == hashes[1:3]


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 30])
def test_what_is_no_number_is_wrong_usage(run: Run, number: str) -> None:
    assert run("audit", "list", f"--after={number}")[0] == 2
    assert run("audit", "list", f"--limit={number}")[0] == 2


def test_a_good_log_says_how_far_it_goes(run: Run, store: Store) -> None:
    assert run("audit", "verify") == (0, "there is no record yet\n", "")
    hashes = fill(store)
    good = f"good up to record 5 {hashes[4]}\n"
    assert run("audit", "verify") == (0, good, "")
    assert run("audit", "verify", "--head", hashes[2]) == (0, good, "")


def test_a_hash_that_is_not_there_is_a_failure(run: Run, store: Store) -> None:
    hashes = fill(store)
    status, out, _ = run("audit", "verify", "--head", "0" * 64)
    assert status == 1
    assert out.splitlines() == [
        "record 5: neither this nor one before it has the hash that was noted",
        f"good up to record 5 {hashes[4]}",
    ]


@pytest.mark.parametrize("head", ["", "abc", "0" * 63, "G" * 64, "0" * 65])
def test_what_is_no_hash_is_wrong_usage(run: Run, head: str) -> None:
    assert run("audit", "verify", "--head", head)[0] == 2


def test_the_first_bad_record_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every way to tamper is in tests/services/test_audit.py; here that the command says so."""
    path = tmp_path / "chat.db"
    monkeypatch.setenv("SQLITE_PATH", str(path))
    store = build_store(Settings.from_env({"SQLITE_PATH": str(path)}))
    hashes = fill(store)
    store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DROP TRIGGER audit_log_is_not_changed")
        connection.execute("UPDATE audit_log SET target = 'user:x' WHERE seq IN (3, 4)")
    connection.close()
    assert main(["audit", "verify"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "record 3: is not what was written",
        f"good up to record 2 {hashes[1]}",
    ]


def test_a_store_that_is_away_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SQLITE_PATH", str(tmp_path))
    for arguments in (["apikey", "list"], ["audit", "verify"]):
        assert main(arguments) == 1
        assert "store_unavailable" in capsys.readouterr().err


def test_what_strangers_wrote_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("a\x1b[31m\r\n\u202eb\x9b Ñ🎸")
    assert capsys.readouterr().out == "a\\u001b[31m\\r\\n\\u202eb\\u009b Ñ🎸\n"

"""The stock JavaScript clients, over every transport; and all they heard, against what the server declares."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from chatapp.protocol import incoming, outgoing
from tests.e2e.clients_run import TEST_FILES, TRANSPORTS, ClientRuns, Entry, Run
from tests.e2e.declared import DeclaredAnswers, DeclaredEvents

EXPECTED = {
    "websocket": {"first": {"websocket"}, "kept": {"websocket"}, "last": {"websocket"}},
    "polling": {"first": {"polling"}, "kept": {"polling"}, "last": {"polling"}},
    "default": {"first": {"polling"}, "kept": {"websocket"}, "last": {"websocket"}},
}
"""Begins with, goes on with, and ends with."""

SUCCESSES = {200, 201, 202, 204}


@pytest.mark.parametrize("file", TEST_FILES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_stock_client_sees_the_documented_server(client_runs: ClientRuns, file: str, transport: str) -> None:
    run = client_runs.run(file, transport)
    if run.status != 0:
        pytest.fail(f"{run.output}\n\nthe server's log ends:\n{client_runs.server(file).log()[-3000:]}", pytrace=False)
    assert "ℹ pass 0" not in run.output, "no test ran"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_transport_is_what_was_asked_for(client_runs: ClientRuns, transport: str) -> None:
    seen: dict[str, set[str]] = {}
    for run in client_runs.all(transports=(transport,)):
        for entry in run.of("transport"):
            seen.setdefault(entry["when"], set()).add(entry["name"])
    assert seen == EXPECTED[transport]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_outgoing_event_was_heard(client_runs: ClientRuns, transport: str) -> None:
    declared = {row.name for row in (*outgoing.ROWS, *outgoing.DIRECT)}
    heard = {entry["name"] for run in client_runs.all(transports=(transport,)) for entry in run.of("event")}
    assert heard == declared


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_incoming_event_was_carried_out_and_refused(client_runs: ClientRuns, transport: str) -> None:
    declared = {row.name for row in incoming.ROWS}
    acks = [entry for run in client_runs.all(transports=(transport,)) for entry in run.of("ack")]
    assert declared <= {entry["name"] for entry in acks if entry["ack"]["ok"]}
    assert declared <= {entry["name"] for entry in acks if not entry["ack"]["ok"]}


def test_every_event_and_acknowledgement_is_as_declared(client_runs: ClientRuns) -> None:
    declared = DeclaredEvents(client_runs.server("").get("/api/asyncapi.json").json())
    entries = [(run, entry) for run in client_runs.all() for entry in (*run.of("event"), *run.of("ack"))]
    assert entries
    assert_fine((run, entry, declared.complaints(entry)) for run, entry in entries)


def test_every_answer_is_as_declared(client_runs: ClientRuns) -> None:
    for file in TEST_FILES:
        openapi = client_runs.server(file).get("/api/openapi.json").json()
        declared = DeclaredAnswers(openapi, legacy=file == "legacy.test.mjs")
        runs = [client_runs.run(file, transport) for transport in TRANSPORTS]
        assert_fine((run, entry, declared.complaints(entry)) for run in runs for entry in run.of("answer"))


def test_every_operation_succeeded_and_was_refused(client_runs: ClientRuns) -> None:
    declared = DeclaredAnswers(client_runs.server("").get("/api/openapi.json").json())
    answers = [entry for run in client_runs.all() for entry in run.of("answer")]

    def seen(entries: Iterable[Entry]) -> set[tuple[str, str | None]]:
        return {(entry["method"], declared.template(entry["path"])) for entry in entries}

    cannot_fail = {("DELETE", "/api/messages"), ("GET", "/healthz"), ("GET", "/readyz")}
    assert declared.operations - seen(entry for entry in answers if entry["status"] in SUCCESSES) == set()
    assert declared.operations - seen(entry for entry in answers if entry["status"] >= 400) <= cannot_fail


def test_no_server_met_an_unexpected_exception(client_runs: ClientRuns) -> None:
    client_runs.all()
    lines = [line for server in client_runs.servers() for line in server.log().splitlines()]
    assert [line for line in lines if "Traceback" in line or '"exception"' in line] == []


# ---------------------------------------------------------------- the checks themselves
def test_checks_reject_what_is_not_declared(client_runs: ClientRuns) -> None:
    server = client_runs.server("")
    events = DeclaredEvents(server.get("/api/asyncapi.json").json())
    answers = DeclaredAnswers(server.get("/api/openapi.json").json())
    good = {"messageId": "m", "conversationId": "c", "timestamp": "2025-01-27T10:00:00.000Z"}

    def event(body: Entry, name: str = "reply_sent_success") -> list[str]:
        return events.complaints({"kind": "event", "name": name, "args": [body, "a1b2c3d4.17"]})

    assert event(good) == []
    assert event({**good, "extra": 1})
    assert event({key: good[key] for key in good if key != "messageId"})
    assert event({**good, "timestamp": "2025-01-27T10:00:00Z"})
    assert event({**good, "messageId": None})
    assert event(good, name="reply_sent")
    assert events.complaints({"kind": "event", "name": "reply_sent_success", "args": [good]})

    def answer(status: int, body: Entry, path: str = "/api/users/x", method: str = "DELETE") -> list[str]:
        said = {"method": method, "path": path, "status": status, "type": "application/json", "body": body}
        return answers.complaints(said)

    assert answer(200, {"message": "Usuario eliminado correctamente"}) == []
    assert answer(200, {"message": "Usuario eliminado correctamente", "extra": 1})
    assert answer(202, {"message": "Usuario eliminado correctamente"})
    assert answer(404, {"message": "not found"})
    assert answer(200, {"message": "x"}, path="/api/persons/x")


def assert_fine(checked: Iterable[tuple[Run, Entry, list[str]]]) -> None:
    wrong = [f"{run.file} ({run.transport}): {found}\n    {_brief(entry)}" for run, entry, found in checked if found]
    if wrong:
        pytest.fail(f"{len(wrong)} are not as declared:\n" + "\n".join(wrong[:20]), pytrace=False)


def _brief(entry: Entry) -> str:
    return json.dumps(entry, ensure_ascii=False)[:500]

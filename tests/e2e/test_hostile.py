"""Whatever a client sends, it gets a clear error, its connection and all others go on, and the log has one line."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from marshmallow import fields

from chatapp.protocol.examples import EVENT_EXAMPLES
from chatapp.protocol.fields import CONTENT_MAX_BYTES, Count
from chatapp.protocol.incoming import BY_NAME, ROWS
from chatapp.transport.errors import ERRORS
from chatapp.transport.sockets import FRAME_MAX_BYTES
from chatapp.transport.sockets.packets import EVENT_MAX_BYTES
from tests.e2e.server import Server, running
from tests.e2e.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    PONG,
    SEPARATOR,
    TEXT,
    Client,
    Gone,
    RawWebSocket,
    Refused,
    client_frame,
    clients,
    log_lines,
    make_conversation,
    person,
    save_users,
    text_message,
)

SECRET = "SECRETO-8141"
"""Stands in everything hostile that is sent; the log must not know it."""

TRANSPORTS = ["websocket", "polling"]
EVENTS = [row.name for row in ROWS]

ROUND_TRIP_SECONDS = 1.0
"""What another client may wait for an answer while somebody sends megabytes; it is some milliseconds."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("hostile") / "server") as started:
        save_users(started.url, "ana", "luis", "eva")
        yield started
        assert "Traceback" not in started.log()
        assert SECRET not in started.log()
        assert all(isinstance(line, dict) for line in log_lines(started.log()))


@pytest.fixture(scope="module")
def conversation(server: Server) -> str:
    return make_conversation(server.url, "ana", "luis")


class Pair:
    """``villain`` is the one who sends rubbish, ``witness`` somebody else."""

    def __init__(self, server: Server, conversation: str, villain: Client, witness: Client) -> None:
        self.server, self.conversation, self.villain, self.witness = server, conversation, villain, witness
        self._read = len(server.log())
        for client, user_id in ((villain, "ana"), (witness, "luis")):
            client.ok("join_room", {"conversationId": conversation, "userId": user_id})

    def news(self) -> list[dict[str, Any]]:
        """What the log says since it was last asked."""
        log = self.server.log()
        fresh, self._read = log[self._read :], len(log)
        assert "Traceback" not in fresh
        assert SECRET not in fresh
        return log_lines(fresh)

    def refusals(self) -> list[dict[str, Any]]:
        lines = [line for line in self.news() if line.get("connection_id") == self.villain.sid]
        return [line for line in lines if line["event"] in ("event refused", "event failed")]

    def all_is_well(self) -> None:
        """The same connection still sends, and the other client still receives."""
        self.villain.ok("user_join", person("ana"))  # who speaks here may have been taken away by user_leave
        self.villain.ok("join_room", {"conversationId": self.conversation, "userId": "ana"})
        sent = self.villain.ok("send_message", text_message(self.conversation, "ana", "sigo aquí"))
        self.witness.expect("message_received", lambda message: message["id"] == sent["id"])


@pytest.fixture(params=TRANSPORTS)
def pair(server: Server, conversation: str, request: pytest.FixtureRequest) -> Iterator[Pair]:
    with clients(server.url, "ana", transport=request.param) as (villain,), clients(server.url, "luis") as (witness,):
        yield Pair(server, conversation, villain, witness)


# ---------------------------------------------------------------- every event
def hostile_packets(event: str) -> list[str]:
    """JSON texts of whole events: no client's library would send them."""
    name, valid = json.dumps(event), EVENT_EXAMPLES[event]
    deep = "[" * 5000 + "]" * 5000
    packets = [f"[{name},{value}]" for value in ("null", "7", "true", f'"{SECRET}"', "[]", f'[["{SECRET}"]]')]
    packets += [
        f'[{name},{json.dumps(valid)},"{SECRET}"]',
        f'[{name},{{"unheard_of":"{SECRET}"}}]',
        f"[{name},{deep}]",
        f'[{name},{{"userId":{deep}}}]',
        f'[{name},{{"userId":"\\ud800{SECRET}"}}]',
        f'[{name},{{"userId":NaN}}]',
        f'[{name},{{"userId":"{SECRET}',
    ]
    schema = BY_NAME[event].schema
    for field in schema.fields.values():
        values: list[Any] = [{"x": SECRET}, [[SECRET]], f"{SECRET}\0"]
        values += [] if isinstance(field, Count) else [7]
        values += [None, "<missing>"] if field.required else []
        for value in values:
            body = {**valid, field.data_key: value}
            if value == "<missing>":
                del body[field.data_key]
            packets.append(f"[{name},{json.dumps(body)}]")
        if isinstance(field, fields.String):
            packets.append(f"[{name},{json.dumps({**valid, field.data_key: 'x' * 20_000 + SECRET})}]")
    return packets


@pytest.mark.parametrize("event", EVENTS)
def test_no_payload_of_an_event_does_harm(pair: Pair, event: str) -> None:
    packets = hostile_packets(event)
    for packet in packets:
        answer = pair.villain.call(event, raw=packet)
        assert answer["ok"] is False, packet[:300]
        error = answer["error"]
        assert error["code"] in ("invalid_data", "malformed_payload", "too_large"), packet[:300]
        assert error["message"] == ERRORS[error["code"]][1][0]
        assert SECRET not in json.dumps(answer), "echoes what was sent"
        assert "Traceback" not in json.dumps(answer)
    assert len(pair.refusals()) == len(packets)
    pair.all_is_well()


@pytest.mark.parametrize("event", EVENTS)
def test_a_failure_without_acknowledgement_is_an_error_event(pair: Pair, event: str) -> None:
    pair.villain.emit(event, SECRET)
    error = pair.villain.expect("error")
    assert (error["event"], error["code"]) == (event, "invalid_data")
    (line,) = pair.refusals()
    assert (line["event_name"], line["code"]) == (event, "invalid_data")
    pair.all_is_well()


@pytest.mark.parametrize("event", EVENTS)
def test_binary_attachments_are_refused(pair: Pair, event: str) -> None:
    packet = json.dumps([event, {"userId": {"_placeholder": True, "num": 0}}])
    pair.villain.send(f"451-{packet}", SECRET.encode())
    error = pair.villain.expect("error")
    assert (error["event"], error["code"]) == (event, "binary_not_supported")
    assert len(pair.refusals()) == 1
    pair.all_is_well()


@pytest.mark.parametrize(
    "name", ["no_such_event", "connect", "disconnect", "message", "", "__class__", "ñ" * 100, "constructor"]
)
def test_an_unknown_event_is_acknowledged_as_such(pair: Pair, name: str) -> None:
    answer = pair.villain.call(name, {"content": SECRET})
    assert answer["error"]["code"] == "unknown_event"
    assert answer["error"]["details"] == {"event": name}
    (line,) = pair.refusals()
    assert (line["event_name"], line["code"]) == ("unknown", "unknown_event")
    pair.all_is_well()


@pytest.mark.parametrize("event", [name for name in EVENTS if not BY_NAME[name].identifies])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nothing_comes_before_user_join(server: Server, transport: str, event: str) -> None:
    client = Client(server.url, transport)
    try:
        assert client.call(event, EVENT_EXAMPLES[event])["error"]["code"] == "not_identified"
        client.ok("user_join", person("eva"))
        body = json.loads(json.dumps(EVENT_EXAMPLES[event]).replace("user123", "eva"))
        assert client.call(event, body).get("error", {}).get("code") != "not_identified"
    finally:
        client.close()


NAMELESS = [
    f'2["{SECRET}"',
    "2",
    "2[]",
    "2[7]",
    '2[null,"x"]',
    '2{"event":"x"}',
    "2²[]",
    "5",
    "5x",
    "51-",
    '5999-["send_message",{"_placeholder":true,"num":998}]',
    "7",
    "9[]",
    "x",
    "²",
]


def test_a_number_without_end_is_acknowledged_as_far_as_it_goes(pair: Pair) -> None:
    pair.villain.send("42" + "9" * 200 + '["x"]')
    pair.all_is_well()
    (answer,) = [packet for packet in pair.villain.packets if str(packet).startswith("43999")]
    assert '"malformed_payload"' in str(answer)


@pytest.mark.parametrize("packet", NAMELESS)
def test_a_packet_that_is_none_is_an_error_event(pair: Pair, packet: str) -> None:
    pair.villain.send("4" + packet)
    assert pair.villain.expect("error")["code"] in ("malformed_payload", "binary_not_supported")
    assert len(pair.refusals()) == 1
    pair.all_is_well()


SILENT = ["", "3", "31[]", "3999999999[1]", "3[", "6", "61-1[]", '4{"message":"x"}', "1/other,", "2/other,[1]", "²"]
"""Acknowledgements nobody asked for and the like. ``²`` after an Engine.IO type: a digit to Python, not a number."""


@pytest.mark.parametrize("packet", SILENT)
def test_a_packet_that_means_nothing_does_nothing(pair: Pair, packet: str) -> None:
    pair.villain.send("4" + packet)
    pair.all_is_well()
    pair.news()


# ---------------------------------------------------------------- sizes
def padded(event: str, body: dict[str, Any], field: str, size: int) -> str:
    """The JSON of an event that fills ``size`` bytes of packet together with its acknowledgement number."""
    empty = json.dumps([event, {**body, field: ""}])
    return json.dumps([event, {**body, field: "a" * (size - len("20") - len(empty))}])


def test_an_event_at_the_limit_is_read_and_one_over_it_is_not(pair: Pair) -> None:
    body = text_message(pair.conversation, "ana")
    for size, code in ((EVENT_MAX_BYTES - 10, "maxBytes"), (EVENT_MAX_BYTES + 10, "maxBytes")):
        answer = pair.villain.call("send_message", raw=padded("send_message", body, "content", size))
        assert answer["error"]["code"] == "too_large"
        limit = CONTENT_MAX_BYTES if size < EVENT_MAX_BYTES else EVENT_MAX_BYTES
        assert answer["error"]["details"][code] == limit
    assert [line["code"] for line in pair.refusals()] == ["too_large"] * 2
    pair.all_is_well()


@pytest.mark.parametrize("character", ["a", "ñ", "€", "🙂"])
def test_content_at_the_limit_passes_and_one_byte_more_does_not(pair: Pair, character: str) -> None:
    room = CONTENT_MAX_BYTES // len(character.encode())
    content = character * room + "a" * (CONTENT_MAX_BYTES - room * len(character.encode()))
    raw = json.dumps(["send_message", text_message(pair.conversation, "ana", content)], ensure_ascii=False)
    sent = pair.villain.call("send_message", raw=raw)
    assert sent["ok"], sent
    message = pair.witness.expect("message_received", lambda message: message["id"] == sent["data"]["id"])
    assert message["content"] == content
    longer = json.dumps(["send_message", text_message(pair.conversation, "ana", content + "a")], ensure_ascii=False)
    answer = pair.villain.call("send_message", raw=longer)
    assert answer["error"]["code"] == "too_large"
    pair.all_is_well()


class RoundTrips:
    """How long another client waits, measured all the time."""

    def __init__(self, client: Client, conversation: str) -> None:
        self._client, self._conversation = client, conversation
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self.worst, self.count = 0.0, 0

    def __enter__(self) -> RoundTrips:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(PATIENCE)
        assert self.count

    def _measure(self) -> None:
        while True:
            began = time.perf_counter()
            self._client.ok("mark_messages_as_read", {"conversationId": self._conversation, "userId": "luis"})
            self.worst = max(self.worst, time.perf_counter() - began)
            self.count += 1
            if self._end.wait(0.002):
                return


@pytest.mark.parametrize("event", ["send_message", "user_join", "no_such_event"])
def test_ten_megabytes_of_text_hold_nobody_up(pair: Pair, event: str) -> None:
    huge = json.dumps([event, {"content": "x" * 10_000_000 + SECRET}])
    worst = []
    for _ in range(3):
        with RoundTrips(pair.witness, pair.conversation) as others:
            assert pair.villain.call(event, raw=huge)["error"]["code"] == "too_large"
        worst.append(others.worst)
    assert min(worst) < ROUND_TRIP_SECONDS, worst  # a busy machine may slow one down, but not every one
    pair.all_is_well()


def test_more_than_a_frame_may_have_ends_the_websocket(server: Server, conversation: str) -> None:
    with clients(server.url, "ana", "luis") as (villain, witness):
        pair = Pair(server, conversation, villain, witness)
        villain.send("4" + "x" * (FRAME_MAX_BYTES - 1))  # is still read
        assert villain.expect("error")["code"] == "too_large"
        with RoundTrips(witness, conversation) as others:
            with suppress(Gone):  # it may be cut off while it still writes
                villain.send("4" + "x" * FRAME_MAX_BYTES)
            villain.wait_until_ended()
        assert villain.transport.close_code in (1009, None)
        assert others.worst < ROUND_TRIP_SECONDS
        pair.news()


def test_more_than_a_frame_may_have_ends_a_polling_session(server: Server, conversation: str) -> None:
    with clients(server.url, "ana", transport="polling") as (villain,), clients(server.url, "luis") as (witness,):
        Pair(server, conversation, villain, witness).news()
        with RoundTrips(witness, conversation) as others:
            answer = villain.transport.post(b"4" + b"x" * FRAME_MAX_BYTES)
            assert answer.status_code == 400
            villain.wait_until_ended()
        assert others.worst < ROUND_TRIP_SECONDS


def test_a_body_over_the_limit_is_answered_also_when_nobody_polls(server: Server) -> None:
    opened = requests.get(f"{server.url}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE).text
    url = f"{server.url}/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    assert requests.post(url, data=b"4" + b"x" * FRAME_MAX_BYTES, timeout=PATIENCE).status_code == 400
    assert requests.get(url, timeout=PATIENCE).status_code == 400


# ---------------------------------------------------------------- Engine.IO
JUNK = [
    "",
    "7",
    "8",
    "9",
    "x",
    "²",
    "é",
    "b",
    "bA",
    "b!",
    "0",
    '0{"sid":"x"}',
    "2",
    "2probe",
    "3",
    "3x",
    "5",
    "6",
    "\0",
    "42",
]


@pytest.mark.parametrize("packet", JUNK)
@pytest.mark.parametrize("connected", [True, False])
def test_junk_on_a_websocket_ends_it_or_does_nothing(
    server: Server, conversation: str, packet: str, connected: bool
) -> None:
    with clients(server.url, "ana", "luis") as (witness, other):
        pair = Pair(server, conversation, witness, other)
        stranger = Client(server.url, connect=connected)
        try:
            stranger.send(packet)
            still_there(stranger, connected)
        finally:
            stranger.close()
        pair.all_is_well()
        pair.news()


def still_there(client: Client, connected: bool) -> None:
    """Either the connection works, or it has ended: it does not hang."""
    try:
        if connected:
            client.ok("user_join", person("eva"))
        else:
            client.connect()
    except Gone:
        client.wait_until_ended()


@pytest.mark.parametrize(
    "body",
    [
        *(packet.encode() for packet in JUNK),
        b"\xff\xfe",
        f"4{SECRET}".encode() + b"\xff",
        b"4",
        SEPARATOR.encode() * 3,
        b"42" + SEPARATOR.encode() + b"7",
        b"d=42",
        SEPARATOR.encode().join([b"3"] * 20_000),
    ],
)
def test_junk_in_a_polling_body_ends_the_session_or_does_nothing(
    server: Server, conversation: str, body: bytes
) -> None:
    with clients(server.url, "ana", "luis") as (witness, other):
        pair = Pair(server, conversation, witness, other)
        stranger = Client(server.url, "polling")
        try:
            assert stranger.transport.post(body).status_code in (200, 400)
            still_there(stranger, connected=True)
        finally:
            stranger.close()
        pair.all_is_well()
        pair.news()


BAD_QUERIES = [
    ("GET", "", 400),
    ("GET", "EIO=4&transport=carrier-pigeon", 400),
    ("GET", "EIO=3&transport=polling", 400),
    ("GET", "EIO=4&transport=websocket", 400),
    ("GET", f"EIO=4&transport=polling&sid={SECRET}", 400),
    ("POST", "EIO=4&transport=polling", 400),
    ("POST", f"EIO=4&transport=polling&sid={SECRET}", 400),
    ("GET", "EIO=4&transport=polling&j=x", 400),
    ("PUT", "EIO=4&transport=polling", 405),
    ("DELETE", "EIO=4&transport=polling", 405),
    ("GET", "EIO=4&transport=polling&sid=%00%ff%ed%a0%80", 400),
]


@pytest.mark.parametrize(("method", "query", "status"), BAD_QUERIES)
def test_wrong_methods_and_transports_are_refused(server: Server, method: str, query: str, status: int) -> None:
    answer = requests.request(method, f"{server.url}/socket.io/?{query}", timeout=PATIENCE)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_a_second_connect_changes_nothing(pair: Pair) -> None:
    pair.villain.send("40")
    pair.all_is_well()
    pair.villain.close()
    pair.witness.expect("user_disconnected", lambda gone: gone["userId"] == "ana")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_event_before_connect_is_not_carried_out(server: Server, transport: str) -> None:
    client = Client(server.url, transport, connect=False)
    try:
        client.send("420" + json.dumps(["user_join", person("eva")]))
        client.connect()
        assert client.call("typing_stop", {"conversationId": "x"})["error"]["code"] == "not_identified"
    finally:
        client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("namespace", ["/admin", "/" + "x" * 1000, "/ñ"])
def test_an_unknown_namespace_is_refused_and_ours_still_opens(server: Server, transport: str, namespace: str) -> None:
    client = Client(server.url, transport, connect=False)
    try:
        client.send(f"40{namespace},")
        client.connect()
        refusal = next(packet for packet in client.packets if isinstance(packet, str) and packet.startswith("44/"))
        assert refusal.startswith("44" + namespace.partition("?")[0])
    finally:
        client.close()


@pytest.mark.parametrize("auth", ['"x"', "[1]", '{"userId":7}', '{"userId":"\\ud800"}', '{"userId":"\\u0000"}', "{"])
def test_a_handshake_that_cannot_be_read_is_refused(server: Server, auth: str) -> None:
    client = Client(server.url, connect=False)
    try:
        client.send("40" + auth)
        with pytest.raises(Refused) as refused:
            client.connected()
        assert refused.value.data["data"]["code"] in ("invalid_data", "malformed_payload")
    finally:
        client.close()


# ---------------------------------------------------------------- WebSocket frames
OPEN = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
def raw(server: Server) -> Iterator[RawWebSocket]:
    """Connected, and everything read."""
    websocket = RawWebSocket(server.url, OPEN)
    websocket.message()
    websocket.send("40")
    websocket.message()
    yield websocket
    websocket.close()


def asks(number: int) -> bytes:
    return f'42{number}["no_such_event"]'.encode()


def answered(websocket: RawWebSocket, number: int) -> bool:
    message = websocket.message()
    assert isinstance(message, str)
    return message.startswith(f'43{number}[{{"ok":false')


def test_fragments_with_a_ping_between_them_are_one_message(raw: RawWebSocket) -> None:
    message = asks(1)
    raw.raw(client_frame(TEXT, message[:3], last=False))
    raw.raw(client_frame(PING, b"hola"))
    assert raw.frame() == (PONG, b"hola")
    for byte in message[3:]:
        raw.raw(client_frame(CONTINUATION, bytes([byte]), last=False))
    raw.raw(client_frame(CONTINUATION, b""))
    assert answered(raw, 1)


def test_a_frame_may_come_byte_by_byte(raw: RawWebSocket) -> None:
    for byte in client_frame(TEXT, asks(2)):
        raw.raw(bytes([byte]))
    assert answered(raw, 2)


def test_many_frames_may_come_at_once(raw: RawWebSocket) -> None:
    raw.raw(b"".join(client_frame(TEXT, asks(number)) for number in range(50)))
    assert all(answered(raw, number) for number in range(50))


VIOLATIONS = {
    "no mask": client_frame(TEXT, b"42", key=None),
    "a reserved bit": client_frame(TEXT, b"42", rsv=4),
    "an unknown opcode": client_frame(3, b"42"),
    "an unknown control opcode": client_frame(11),
    "a long ping": client_frame(PING, b"x" * 126),
    "a ping in fragments": client_frame(PING, b"x", last=False),
    "a continuation of nothing": client_frame(CONTINUATION, b"42"),
    "a message inside a message": client_frame(TEXT, b"4", last=False) + client_frame(TEXT, b"2"),
}


@pytest.mark.parametrize("frames", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_of_the_protocol_is_told_and_ends(raw: RawWebSocket, frames: bytes) -> None:
    raw.raw(frames)
    assert raw.closing() == 1002


def test_text_that_is_none_is_told_and_ends(raw: RawWebSocket) -> None:
    raw.raw(client_frame(TEXT, b"42\xff"))
    assert raw.closing() == 1007


@pytest.mark.parametrize("size", [FRAME_MAX_BYTES + 1, 2**40, 2**63])
def test_a_frame_that_announces_too_much_is_refused_at_its_head(raw: RawWebSocket, size: int) -> None:
    raw.raw(bytes([0x81, 0xFF]) + size.to_bytes(8, "big"))
    assert raw.closing() == 1009


def test_fragments_may_not_add_up_to_too_much(raw: RawWebSocket) -> None:
    raw.raw(client_frame(BINARY, b"x" * (FRAME_MAX_BYTES - 5), last=False))
    raw.raw(client_frame(CONTINUATION, b"123456"))
    assert raw.closing() == 1009


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 1000),
        (b"\x03\xe8", 1000),
        (b"\x03\xe9bye", 1001),
        (b"\x0f\xa0", 4000),
        (b"\x03", 1002),
        (b"\x03\xed", 1002),  # 1005 must not be sent
        (b"\x00\x00", 1002),
        (b"\xff\xff", 1002),
    ],
)
def test_a_goodbye_is_answered(raw: RawWebSocket, payload: bytes, code: int) -> None:
    raw.raw(client_frame(CLOSE, payload))
    assert raw.closing() == code


def test_silence_after_half_a_frame_harms_nobody(server: Server, conversation: str) -> None:
    halves = [RawWebSocket(server.url, OPEN) for _ in range(20)]
    try:
        for half in halves:
            half.raw(client_frame(TEXT, b"42" + b"x" * 1000)[:100])
        with clients(server.url, "ana", "luis") as (one, other):
            Pair(server, conversation, one, other).all_is_well()
    finally:
        for half in halves:
            half.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Version": "99"},
        {"Sec-WebSocket-Key": "x"},
        {"Upgrade": "h2c"},
        {"Connection": "close"},
        {"Sec-WebSocket-Key": ""},
    ],
)
def test_a_wrong_handshake_is_refused(server: Server, headers: dict[str, str]) -> None:
    websocket = RawWebSocket(server.url, OPEN, **headers)
    assert 400 <= websocket.status < 500
    websocket.close()


def test_a_second_websocket_for_one_session_is_refused_and_the_first_goes_on(server: Server) -> None:
    websocket = RawWebSocket(server.url, OPEN)
    opened = websocket.message()
    assert isinstance(opened, str)
    second = RawWebSocket(server.url, f"{OPEN}&sid={json.loads(opened[1:])['sid']}")
    assert second.status == 400
    second.close()
    websocket.send("40")
    assert str(websocket.message()).startswith("40")
    websocket.close()


def test_who_has_said_goodbye_is_not_answered_until_they_connect_again(server: Server) -> None:
    websocket = RawWebSocket(server.url, OPEN)
    websocket.message()
    websocket.send("40")
    assert str(websocket.message()).startswith("40")
    for packet in ("41", '421["set_status",{"status":"away"}]', "40"):
        websocket.send(packet)
    assert str(websocket.message()).startswith("40")
    websocket.close()


# ---------------------------------------------------------------- REST
class Rest:
    def __init__(self, server: Server) -> None:
        self.server = server

    def refused(self, method: str, path: str, statuses: tuple[int, ...], **kwargs: Any) -> dict[str, Any]:
        """The error, which has the ruled shape; the log has one line with the request's id."""
        before = len(self.server.log())
        answer = requests.request(method, self.server.url + path, timeout=PATIENCE, **kwargs)
        assert answer.status_code in statuses, (method, path, answer.status_code, answer.text[:300])
        error: dict[str, Any] = answer.json()
        assert set(error) == {"statusCode", "error", "code", "message", "details", "requestId"}
        assert error["requestId"] == answer.headers["X-Request-Id"]
        lines = [line for line in log_lines(self.server.log()[before:]) if line.get("request_id") == error["requestId"]]
        assert len(lines) == 1, lines
        return error


@pytest.fixture
def rest(server: Server) -> Rest:
    return Rest(server)


JSON_ROUTES = [
    ("/api/users", {"id": "ana", "name": "Ana", "email": "ana@example.com"}),
    ("/api/conversations", {"type": "group", "name": "G", "participants": ["luis"], "createdBy": "ana"}),
    ("/api/conversations/{conversation}/participants", {"participants": ["eva"], "addedBy": "ana"}),
    ("/api/conversations/{conversation}/mark-as-read", {"userId": "ana"}),
]

BROKEN_JSON: list[bytes] = [
    b"",
    b"{",
    b'"' + SECRET.encode() + b'"',
    b"null",
    b"7",
    b"[]",
    b"[" * 5000 + b"]" * 5000,
    b'{"name":"\\ud800"}',
    b'{"name":NaN}',
    b"\xff\xfe\x00",
    b'{"unheard_of":"' + SECRET.encode() + b'"}',
]


@pytest.mark.parametrize(("path", "valid"), JSON_ROUTES)
def test_no_json_body_does_harm(rest: Rest, conversation: str, path: str, valid: dict[str, Any]) -> None:
    path = path.format(conversation=conversation)
    sent_as_json = {"Content-Type": "application/json"}
    for body in BROKEN_JSON:
        error = rest.refused("POST", path, (400,), data=body, headers=sent_as_json)
        assert error["code"] in ("malformed_payload", "invalid_data"), body[:50]
        assert SECRET not in json.dumps(error)
    for name in valid:
        for value in (None, 7, {"x": SECRET}, [[SECRET]], "a\0b", "", "x" * 100_000):
            if name == "id" and value is None:
                continue  # the server makes one
            error = rest.refused("POST", path, (400, 413), json={**valid, name: value})
            assert SECRET not in json.dumps(error)
    assert (
        rest.refused("POST", path, (413,), data=b"[" + b" " * 10_000_000, headers=sent_as_json)["code"] == "too_large"
    )
    for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
        assert rest.refused("POST", path, (415,), data=b"x=1", headers={"Content-Type": kind})["statusCode"] == 415


IN_PATHS = ["no-such-id", "%00", "%ed%a0%80", "%ff", "x" * 3000, "..%2f..%2fetc%2fpasswd", "'%20OR%201=1", "🙂"]
GET_ROUTES = [
    "/api/users/{}",
    "/api/conversations/{}",
    "/api/conversations/user/{}",
    "/api/messages/{}",
    "/api/messages/{}/replies",
    "/api/messages/{}/with-replies",
    "/api/files/{}",
    "/uploads/{}",
]
DELETE_ROUTES = [
    "/api/users/{}",
    "/api/users/{}/avatar",
    "/api/conversations/{}",
    "/api/conversations/{}/participants/ana",
    "/api/messages/{}",
]


@pytest.mark.parametrize("part", IN_PATHS)
def test_nothing_in_a_path_does_harm(rest: Rest, part: str) -> None:
    for path in GET_ROUTES:
        rest.refused("GET", path.format(part), (400, 404))
    for path in DELETE_ROUTES:
        rest.refused("DELETE", path.format(part), (400, 404))
    rest.refused("DELETE", f"/api/messages/batch/{part}", (400, 404))
    rest.refused("POST", f"/api/conversations/{part}/participants", (400, 404), json={"participants": ["ana"]})
    rest.refused("POST", f"/api/conversations/{part}/mark-as-read", (400, 403, 404), json={"userId": "ana"})


BAD_PARAMETERS = ["", "-1", "0", "x", "1e3", "999999999999999999999999", "%00", "1.5", "NaN"]


@pytest.mark.parametrize("value", BAD_PARAMETERS)
def test_nothing_in_a_query_does_harm(rest: Rest, conversation: str, value: str) -> None:
    for path in ("/api/users", "/api/messages", "/api/conversations", f"/api/messages/{conversation}"):
        assert rest.refused("GET", f"{path}?limit={value}", (400,))["code"] == "invalid_data"
    for path in ("/api/users", "/api/messages", "/api/conversations"):
        assert rest.refused("GET", f"{path}?cursor={value}", (400,))["code"] == "invalid_data"
    rest.refused("DELETE", f"/api/messages/batch/{value or 'x'}", (400,))


@pytest.mark.parametrize("path", ["/api/upload", "/api/users/ana/avatar"])
def test_no_form_does_harm(rest: Rest, path: str) -> None:
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    for body, headers in (
        (b"", {}),
        (b"{}", {"Content-Type": "application/json"}),
        (b"file=x&avatar=x", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"", multipart),
        (b"--b--\r\n", multipart),
        (b"--b\r\n\r\n--b--\r\n", multipart),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n', multipart),
        (b"x", {"Content-Type": "multipart/form-data"}),
        (b"--b\r\n" + b"x" * 500_000, multipart),
    ):
        error = rest.refused("POST", path, (400, 413, 415), data=body, headers=headers)
        assert SECRET not in json.dumps(error)
    many = [("f" + str(number), ("x.txt", b"x")) for number in range(100)]
    rest.refused("POST", path, (400, 413), files=many)


def test_an_upload_over_the_limit_is_refused_without_being_kept(rest: Rest, server: Server) -> None:
    size = 10 * 1024 * 1024
    for extra in (1, 5 * 1024 * 1024):
        error = rest.refused("POST", "/api/upload", (413,), files={"file": ("a.txt", b"x" * (size + extra))})
        assert error["code"] == "too_large"
    assert [path for path in (server.folder / "uploads").rglob("*") if path.is_file()] == []


def test_form_fields_are_checked(rest: Rest, conversation: str) -> None:
    valid = {"conversationId": conversation, "senderId": "ana"}
    for name in (*valid, "replyTo", "content", "clientMessageId", "unheard_of"):
        form = {**valid, name: f"{SECRET}\0"}
        error = rest.refused("POST", "/api/upload", (400,), data=form, files={"file": ("a.txt", b"hola")})
        assert error["code"] == "invalid_data"
    form = {**valid, "content": "x" * (CONTENT_MAX_BYTES + 1)}
    error = rest.refused("POST", "/api/upload", (413,), data=form, files={"file": ("a.txt", b"hola")})
    assert error["code"] == "too_large"


BAD_HTTP = [
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"GET\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: x\r\n\r\n{}",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n{}",
    b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n4",
]


@pytest.mark.parametrize("request_bytes", BAD_HTTP)
def test_what_is_no_http_is_refused_and_harms_nobody(server: Server, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer == b"" or answer.split(b" ")[1][:1] in (b"4", b"2")
    assert server.get("/healthz").status_code == 200

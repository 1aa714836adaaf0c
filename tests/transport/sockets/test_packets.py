"""Nothing that a client writes makes the packet reader raise, wait or believe."""

from __future__ import annotations

import pytest
from socketio.packet import ACK, CONNECT, EVENT

from chatapp.domain.errors import BinaryNotSupported, MalformedPayload, TooLarge
from chatapp.protocol.wire_json import WireJson
from chatapp.transport.sockets.packets import EVENT_MAX_BYTES, Call, ChatPacket


@pytest.fixture(autouse=True)
def strict_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatPacket, "json", WireJson)


def read(text: object) -> ChatPacket:
    return ChatPacket(encoded_packet=text)


def call(text: object) -> Call:
    packet = read(text)
    assert packet.packet_type == EVENT
    (only,) = packet.data
    assert isinstance(only, Call)
    return only


def test_an_event_becomes_a_call() -> None:
    assert call('2["send_message",{"content":"hola"}]') == Call("send_message", ({"content": "hola"},), False)


def test_an_acknowledgement_number_is_an_awaited_acknowledgement() -> None:
    packet = read('212["send_message",{}]')
    assert packet.id == 12
    assert packet.data[0].wants_ack


@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error"])
def test_the_library_s_own_events_cannot_be_forged(name: str) -> None:
    packet = read(f'2["{name}","x"]')
    assert [type(part) for part in packet.data] == [Call]


MALFORMED = [
    "2",
    "2[",
    "2{}",
    "2[]",
    "2[7]",
    '2[null,{"a":1}]',
    '2{"0":"send_message"}',
    '2"send_message"',
    "2[" + "[" * 3000 + "]" * 3000 + "]",
    '2["send_message",{"content":"\\ud800"}]',
    '2["send_message",NaN]',
    "2" + "1" * 101 + '["a"]',
    "2²[]",
    '29999999999999-["a"]',
    "4",
    "7[]",
    "9",
    "x",
    "-",
    ["send_message"],
    {"a": 1},
    7,
]


@pytest.mark.parametrize("text", MALFORMED, ids=[str(text)[:20] for text in MALFORMED])
def test_what_cannot_be_read_is_refused_and_not_raised(text: object) -> None:
    refusal = call(text).refusal
    assert isinstance(refusal, MalformedPayload)


def test_a_refused_event_keeps_its_acknowledgement_number() -> None:
    packet = read('25["send_message",')
    assert packet.id == 5
    assert packet.data[0].wants_ack


@pytest.mark.parametrize("count", ["0", "1", "9999"])
def test_an_event_with_attachments_is_refused_at_once_whatever_it_announces(count: str) -> None:
    packet = read(f'5{count}-3["send_message",{{"_placeholder":true,"num":0}}]')
    assert packet.attachment_count == 0
    assert packet.packet_type == EVENT
    assert packet.data == [Call("send_message", (), True, packet.data[0].refusal)]
    assert isinstance(packet.data[0].refusal, BinaryNotSupported)


def test_the_attachment_that_follows_is_ignored() -> None:
    packet = read(b"\x00\xff" * 10)
    assert (packet.packet_type, packet.attachment_count) == (ACK, 0)


def test_an_event_of_64_kb_is_read() -> None:
    head, tail = '2["send_message","', '"]'
    text = head + "a" * (EVENT_MAX_BYTES - len(head + tail)) + tail
    assert call(text).refusal is None


def test_a_larger_one_is_refused_by_name_and_number_without_being_read() -> None:
    packet = read('27["send_message",{"content":"' + "a" * EVENT_MAX_BYTES)
    assert packet.id == 7
    refused = packet.data[0]
    assert (refused.event, refused.wants_ack) == ("send_message", True)
    assert isinstance(refused.refusal, TooLarge)
    assert refused.refusal.details == {"maxBytes": EVENT_MAX_BYTES}


def test_size_counts_in_bytes() -> None:
    assert isinstance(call('2["a","' + "ñ" * (EVENT_MAX_BYTES // 2) + '"]').refusal, TooLarge)
    assert call('2["a","' + "ñ" * (EVENT_MAX_BYTES // 2 - 10) + '"]').refusal is None


@pytest.mark.parametrize("text", ["a" * 100_000, "[" * 100_000, "2" * 100_000, "²" * 100_000])
def test_large_junk_is_refused(text: str) -> None:
    assert call(text).refusal is not None


def test_the_rest_of_a_large_packet_is_never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoJson:
        @staticmethod
        def loads(text: str) -> object:
            raise AssertionError("parsed")

    monkeypatch.setattr(ChatPacket, "json", NoJson)
    assert isinstance(call('2["send_message",' + "1," * 100_000).refusal, TooLarge)


@pytest.mark.parametrize("text", ["0", '0{"userId":"ana"}'])
def test_a_connect_is_left_to_the_library(text: str) -> None:
    assert read(text).packet_type == CONNECT


def test_a_connect_that_cannot_be_read_carries_its_refusal() -> None:
    packet = read('0{"userId":')
    assert packet.packet_type == CONNECT
    assert isinstance(packet.data, Call)

"""A broadcast is written to every socket directly: what one client does with its end is nobody else's business."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatapp.protocol.fields import CONTENT_MAX_BYTES
from chatapp.transport.sockets.websocket import BACKLOG_MAX_BYTES
from tests.e2e.server import Server, running
from tests.e2e.wire import (
    CLOSE,
    CONTINUATION,
    PATIENCE,
    TEXT,
    Client,
    Gone,
    RawWebSocket,
    client_frame,
    clients,
    make_conversation,
    person,
    save_users,
    text_message,
)

OPEN = "/socket.io/?EIO=4&transport=websocket"
KERNEL_BYTES = 16 * 1024 * 1024
"""More than two sockets on loopback buffer between them (tcp_wmem and tcp_rmem end at 4 and 6 MB)."""
SPARE_KB = 40 * 1024  # SQLite's page caches fill meanwhile
"""What the worker may have grown by while somebody did not read: the backlog, and what a burst takes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    nothing_kept = {"PRESENCE_GRACE_SECONDS": "0", "CONNECTION_STATE_RECOVERY_SECONDS": "0"}
    with running(tmp_path_factory.mktemp("fast") / "server", **nothing_kept) as started:
        save_users(started.url, "ana", "luis", "eva", "sordo")
        yield started
        assert "Traceback" not in started.log()


@contextmanager
def bare(server: Server, user_id: str, conversation_id: str, **headers: str) -> Iterator[RawWebSocket]:
    """A joined user in the room, over a WebSocket that only does what a test does with it."""
    raw = RawWebSocket(server.url, OPEN, **headers)
    try:
        raw.send("40")
        ask(raw, "user_join", person(user_id))
        ask(raw, "join_room", {"conversationId": conversation_id, "userId": user_id})
        yield raw
    finally:
        raw.close()


def ask(raw: RawWebSocket, event: str, body: object) -> None:
    raw.send("421" + json.dumps([event, body]))
    assert wait_for(raw, "431").startswith('431[{"ok":true')


def wait_for(raw: RawWebSocket, beginning: str) -> str:
    while True:
        message = raw.message()
        assert isinstance(message, str)
        if message.startswith(beginning):
            return message


@contextmanager
def talk(server: Server) -> Iterator[tuple[str, Client, Client]]:
    """A group of four, two of whom are well-behaved and in its room."""
    conversation_id = make_conversation(server.url, "ana", "luis", "eva", "sordo", group=True)
    with clients(server.url, "ana", "luis") as (ana, luis):
        for client, user_id in ((ana, "ana"), (luis, "luis")):
            client.ok("join_room", {"conversationId": conversation_id, "userId": user_id})
        yield conversation_id, ana, luis


def hears_of(listener: Client, sent: dict[str, str]) -> None:
    listener.expect("message_received", lambda message: message["id"] == sent["id"])


def resident_kb(server: Server) -> int:
    (worker,) = server.workers()
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())
    assert found
    return int(found[1])


def test_who_does_not_read_is_dropped_and_the_others_hear_everything(server: Server) -> None:
    content = "x" * CONTENT_MAX_BYTES
    with talk(server) as (conversation_id, ana, luis), bare(server, "sordo", conversation_id) as deaf:
        before = resident_kb(server)
        for _ in range((BACKLOG_MAX_BYTES + KERNEL_BYTES) // CONTENT_MAX_BYTES):
            hears_of(luis, ana.ok("send_message", text_message(conversation_id, "ana", content)))
        luis.expect("user_disconnected", lambda gone: gone["userId"] == "sordo")
        assert resident_kb(server) - before < SPARE_KB
        sent = ana.ok("send_message", text_message(conversation_id, "ana", "sin sordo"))
        hears_of(luis, sent)
        with pytest.raises(Gone):
            wait_for(deaf, f"no message: {sent['id']}")


def test_what_came_before_half_an_end_is_done_and_then_it_ends(server: Server) -> None:
    with talk(server) as (conversation_id, ana, _), bare(server, "eva", conversation_id) as half:
        half.send("422" + json.dumps(["send_message", text_message(conversation_id, "eva", "adiós")]))
        half.sock.shutdown(socket.SHUT_WR)
        ana.expect("message_received", lambda message: message["content"] == "adiós")
        ana.expect("user_disconnected", lambda gone: gone["userId"] == "eva")
        assert half.closing() is None, "there is nobody to say goodbye to"


@pytest.mark.parametrize("how", ["reset", "silence"])
def test_who_breaks_off_in_the_middle_of_a_broadcast_harms_nobody(server: Server, how: str) -> None:
    with talk(server) as (conversation_id, ana, luis), bare(server, "eva", conversation_id) as broken:
        started = [ana.begin("send_message", text_message(conversation_id, "ana", f"{how} {n}")) for n in range(20)]
        if how == "reset":
            broken.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        broken.sock.close()
        for answer in started:
            hears_of(luis, answer.get(timeout=PATIENCE)["data"])
        luis.expect("user_disconnected", lambda gone: gone["userId"] == "eva")


def test_a_message_at_its_limit_arrives_whole_in_a_thousand_fragments(server: Server) -> None:
    content = "ñ" * (CONTENT_MAX_BYTES // 2)  # most characters are cut in two
    with talk(server) as (conversation_id, ana, _), bare(server, "eva", conversation_id) as raw:
        packet = (
            "423" + json.dumps(["send_message", text_message(conversation_id, "eva", content)], ensure_ascii=False)
        ).encode()
        pieces = [packet[start : start + 17] for start in range(0, len(packet), 17)]
        opcodes = [TEXT, *[CONTINUATION] * (len(pieces) - 1)]
        for opcode, piece, left in zip(opcodes, pieces, reversed(range(len(pieces))), strict=True):
            raw.raw(client_frame(opcode, piece, last=not left))
        assert wait_for(raw, "433").startswith('433[{"ok":true')
        assert ana.expect("message_received")["content"] == content


OFFERS = (
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover, permessage-deflate, x-webkit-deflate-frame",
)


@pytest.mark.parametrize("offer", OFFERS)
def test_compression_is_answered_without_it(server: Server, offer: str) -> None:
    """Every browser offers it; per client it would cost a buffer and, per broadcast, a compression."""
    with (
        talk(server) as (conversation_id, ana, _),
        bare(server, "eva", conversation_id, **{"Sec-WebSocket-Extensions": offer}) as offering,
    ):
        assert "sec-websocket-extensions" not in offering.head
        ana.ok("send_message", text_message(conversation_id, "ana", "a" * 2000))
        assert '"content":"' + "a" * 2000 + '"' in wait_for(offering, '42["message_received"')
        offering.raw(client_frame(TEXT, b"\x32\x02\x00", rsv=4))
        assert offering.closing() == 1002, "what was not agreed upon is a violation"


def test_goodbye_in_the_middle_of_a_broadcast_comes_after_what_was_told(server: Server) -> None:
    with talk(server) as (conversation_id, ana, _), bare(server, "eva", conversation_id) as leaving:
        sent = ana.ok("send_message", text_message(conversation_id, "ana", "antes"))
        leaving.raw(client_frame(CLOSE, b"\x03\xe8"))
        assert sent["id"] in wait_for(leaving, '42["message_received"')
        assert leaving.closing() == 1000

"""Every event over the bus and back; nothing else comes through."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.adapters.event_codec import KINDS, decode, encode
from chatapp.domain import events
from chatapp.domain.events import Event
from chatapp.domain.models import Status
from tests.fakes import START
from tests.protocol.test_outgoing import CASES, FILE_REPLY, GROUP, LAST, LEFT, MARIA, PAIR

SIGNAL = events.CallSignalled("call1", "p1", "p2", "maria", 7, {"description": {"type": "offer", "sdp": "v=0"}})
EVENTS: list[Event] = [
    *(case.event for case in CASES.values()),
    events.MessageSent(FILE_REPLY, dataclasses.replace(PAIR, last=LAST, last_seq=2)),
    dataclasses.replace(LEFT, new_owner=MARIA, group_deleted=True, deleted_messages_count=3),
    events.UserArrived("ana", Status.AWAY, 2),
    events.UserDeparted("ana"),
    events.StatusShown("ana", Status.OFFLINE, 3),
    events.ViewerEntered("g1", "ana"),
    events.ViewerLeft("g1", "ana"),
    events.WorkerBeat(),
    events.WorkerLeft(),
    events.WorkerReported({"ana": (Status.BUSY, 1), "🎸": (Status.ONLINE, 0)}, asks=True),
    events.WorkerReported({}, asks=False),
    events.PrivateOpened(PAIR),
    events.ConversationClosed(GROUP.id),
    events.ProfileChanged("ana"),
    events.UserDeleted("ana"),
    events.TokensRevoked(None, START),
    events.TokensRevoked("ana", START),
    events.MessagesPurged(),
    events.ResyncNeeded(),
    events.SessionSought("r1", "one", "two.secret", None),
    events.SessionSought("r1", "one", "two.secret", "two.17"),
    events.SessionFound("r1", "s1", None, ("s1",)),
    events.SessionFound("r1", "s1", "ana", ("s1", "everyone")),
    events.SessionClaimed("r2", "one", "two.secret", "two.17", ("s1", "everyone"), {"g1": 3}),
    events.SessionHandedOver("r2", ('2["message_edited",{}]',), {"g1": 4}),
    events.SignalPassed(SIGNAL),
    events.SignalsWanted("call1", "p2", "maria", 2),
    events.SignalsHeld("p1", "p2", (SIGNAL, dataclasses.replace(SIGNAL, seq=8, signal={"candidate": None}))),
    events.SessionRefused("r2"),
    events.SessionRefused("r2", moved_to="three"),
]


def parts(event: Event) -> tuple[type[Event], list[Any]]:
    """All of it, also what two equal events may differ in."""
    return type(event), [getattr(event, field.name) for field in dataclasses.fields(event)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_the_same_after_the_journey(event: Event) -> None:
    origin, arrived = decode(encode(event, origin="one"))
    assert origin == "one"
    assert parts(arrived) == parts(event)
    assert repr(arrived) == repr(event), "the same types all the way down"


def test_every_kind_of_event_has_a_case() -> None:
    assert {type(event) for event in EVENTS} == set(KINDS.values())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"kind":"UserArrived","origin":"one","event":' + b"[" * 100_000 + b"}",
        b'{"kind":"Nothing","origin":"one","event":{}}',
        b'{"kind":"Event","origin":"one","event":{}}',
        b'{"kind":"UserDeparted","origin":7,"event":{"user_id":"ana"}}',
        b'{"kind":"UserDeparted","origin":"one","event":{}}',
        b'{"kind":"UserDeparted","origin":"one","event":{"user_id":7}}',
        b'{"kind":"UserDeparted","origin":"one","event":null}',
        b'{"kind":"UserDeparted","origin":"one"}',
        b'{"kind":"UserArrived","origin":"one","event":{"user_id":"ana","status":"asleep","changes":0}}',
        b'{"kind":"UserDisconnected","origin":"one","event":{"user_id":"ana","last_seen":"yesterday"}}',
        encode(events.UserDeparted("ana"), origin="one")[:-1],
    ],
    ids=lambda payload: repr(payload[:40]),
)
def test_junk_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match="not an event"):
        decode(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["user_id", "statuses"]), inner),
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.binary()
    | st.builds(
        lambda kind, event: json.dumps({"kind": kind, "origin": "one", "event": event}).encode(),
        st.sampled_from(sorted(KINDS)),
        JSON,
    )
)
def test_any_bytes_are_an_event_or_a_value_error(payload: bytes) -> None:
    try:
        _, event = decode(payload)
    except ValueError:
        return
    assert type(event) in KINDS.values()

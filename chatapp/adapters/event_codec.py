"""Events as bytes for the bus: JSON that makes the same event again, and nothing else than an event of ours."""

from __future__ import annotations

import inspect

import msgspec

from chatapp.domain import events
from chatapp.domain.events import Event

KINDS: dict[str, type[Event]] = {
    name: kind
    for name, kind in vars(events).items()
    if inspect.isclass(kind) and issubclass(kind, Event) and not kind.__subclasses__()
}


class Envelope(msgspec.Struct, frozen=True):
    """``origin`` is the worker it comes from."""

    kind: str
    origin: str
    event: msgspec.Raw


_ENCODER = msgspec.json.Encoder()
_ENVELOPES = msgspec.json.Decoder(Envelope)
_EVENTS = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}


def encode(event: Event, *, origin: str) -> bytes:
    return _ENCODER.encode(Envelope(type(event).__name__, origin, msgspec.Raw(_ENCODER.encode(event))))


def decode(payload: bytes) -> tuple[str, Event]:
    """The origin and the event. Raises ValueError for anything that ``encode`` would not have made."""
    try:
        envelope = _ENVELOPES.decode(payload)
        return envelope.origin, _EVENTS[envelope.kind].decode(envelope.event)
    except (msgspec.MsgspecError, KeyError, RecursionError) as exc:
        raise ValueError(f"not an event: {payload[:80]!r}") from exc

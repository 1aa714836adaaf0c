"""A call as one text, as the stores keep it: it is read and replaced whole, and nobody asks for a part of it. And what
its message says of it."""

from __future__ import annotations

import msgspec

from chatapp.domain.calls import Call, CallSummary

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Call)
_SUMMARIES = msgspec.json.Decoder(CallSummary)


def encode_call(call: Call) -> str:
    return _ENCODER.encode(call).decode()


def decode_call(text: str) -> Call:
    return _DECODER.decode(text)


def encode_summary(summary: CallSummary | None) -> str | None:
    return None if summary is None else _ENCODER.encode(summary).decode()


def decode_summary(text: str | None) -> CallSummary | None:
    return None if text is None else _SUMMARIES.decode(text)

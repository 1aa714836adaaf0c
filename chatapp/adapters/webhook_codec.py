"""Endpoints and tries as text for a store, and back."""

from __future__ import annotations

import msgspec

from chatapp.domain.webhooks import Delivery, Endpoint

_ENCODER = msgspec.json.Encoder()
_ENDPOINTS = msgspec.json.Decoder(Endpoint)
_DELIVERIES = msgspec.json.Decoder(Delivery)


def from_endpoint(endpoint: Endpoint) -> str:
    return _ENCODER.encode(endpoint).decode()


def to_endpoint(text: str) -> Endpoint:
    return _ENDPOINTS.decode(text)


def from_delivery(delivery: Delivery) -> str:
    return _ENCODER.encode(delivery).decode()


def to_delivery(text: str) -> Delivery:
    return _DELIVERIES.decode(text)

"""The only place that picks adapters."""

from chatapp.wiring.chat import build_chat
from chatapp.wiring.engines import (
    build_api_keys,
    build_audit,
    build_bus,
    build_minter,
    build_store,
    build_tokens,
    create_tables,
)
from chatapp.wiring.webhooks import build_deliverer

__all__ = [
    "build_api_keys",
    "build_audit",
    "build_bus",
    "build_chat",
    "build_deliverer",
    "build_minter",
    "build_store",
    "build_tokens",
    "create_tables",
]

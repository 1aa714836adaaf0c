"""The server's services over its store, without the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chatapp.ports import Store
from chatapp.services.api_keys import ApiKeyService
from chatapp.services.audit import AuditService
from chatapp.settings import Settings


@contextmanager
def opened_api_keys(settings: Settings) -> Iterator[ApiKeyService]:
    """Raises StoreUnavailable."""
    from chatapp.wiring import build_api_keys, build_audit  # noqa: PLC0415 - `chatapp --help` needs none of it

    with _opened(settings) as store:
        yield build_api_keys(store, build_audit(store))


@contextmanager
def opened_audit(settings: Settings) -> Iterator[AuditService]:
    """Raises StoreUnavailable."""
    from chatapp.wiring import build_audit  # noqa: PLC0415 - as above

    with _opened(settings) as store:
        yield build_audit(store)


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    from chatapp.wiring import build_store  # noqa: PLC0415 - as above

    store = build_store(settings)
    try:
        yield store
    finally:
        store.close()

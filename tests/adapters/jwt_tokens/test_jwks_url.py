"""A key set that is fetched: what must be known before anybody asks."""

from __future__ import annotations

from tests.adapters.patched import run_patched


def test_over_a_real_server() -> None:
    """In a process of its own: here a fetch would stop us all."""
    run_patched("tests/adapters/jwt_tokens/jwks_url_run.py")

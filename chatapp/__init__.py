"""A chat server that a company embeds: Socket.IO and REST over Flask and gevent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from chatapp.settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None, **overrides: Any) -> Flask:
    """See ``chatapp.application.create_app``; imported late so that the rules can be used without the frame."""
    from chatapp.application import create_app as create  # noqa: PLC0415

    return create(settings, **overrides)

"""``/healthz`` says that the process answers, ``/readyz`` that it can do its work."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from chatapp.transport.rest.resource import extension

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Any:
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> Any:
    checks = extension().chat.check()
    ready = all(said == "ok" for said in checks.values())
    return {"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503

"""``/healthz`` says that the process answers, ``/readyz`` that it can do its work."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from chatapp.protocol.schemas import HealthSchema, ReadinessSchema
from chatapp.transport.rest.resource import Resource, extension

blueprint = Resource(
    "health", __name__, url_prefix="/", description="For whoever watches over the server", is_public=True
)


@blueprint.route("healthz")
class Health(MethodView):
    @blueprint.doc(security=[])
    @blueprint.response(200, HealthSchema, example={"status": "ok"})
    def get(self) -> Any:
        """The process answers"""
        return {"status": "ok"}


@blueprint.route("readyz")
class Readiness(MethodView):
    @blueprint.doc(security=[])
    @blueprint.response(200, ReadinessSchema, example={"status": "ok", "checks": {"store": "ok", "files": "ok"}})
    @blueprint.alt_response(503, schema=ReadinessSchema, description="Something it needs does not work")
    def get(self) -> Any:
        """The store, the files and the bus work"""
        checks = extension().chat.check()
        ready = all(said == "ok" for said in checks.values())
        return {"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503

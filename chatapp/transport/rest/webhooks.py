"""``/api/webhooks`` and ``/api/events``"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask.views import MethodView

from chatapp.domain.commands import ChangeWebhook, CreateWebhook, ListPage, ReadEvents, ReplayEvents
from chatapp.protocol import webhook_examples as examples
from chatapp.protocol.requests import PageSchema
from chatapp.protocol.webhook_schemas import (
    ChangeWebhookSchema,
    CreateWebhookSchema,
    DeliveriesSchema,
    DeliverySchema,
    EventsQuerySchema,
    EventsSchema,
    ReplayedSchema,
    ReplaySchema,
    WebhookDetailsSchema,
    WebhookSchema,
    WebhooksSchema,
    WebhookWithSecretSchema,
    details_view,
    events_view,
    secret_view,
    webhook_view,
)
from chatapp.transport.rest.resource import Resource, actor, extension, next_link

blueprint = Resource(
    "webhooks", __name__, url_prefix="/api/webhooks", description="Who is told of what happens, and the tries"
)
log = Resource("events", __name__, url_prefix="/api/events", description="What has happened, to be read")


@blueprint.route("")
class Webhooks(MethodView):
    @blueprint.response(200, WebhooksSchema, example={"webhooks": [examples.WEBHOOK]})
    @blueprint.fails(403)
    def get(self) -> Any:
        """All webhook endpoints, in the order they were made"""
        return {"webhooks": [webhook_view(endpoint) for endpoint in extension().chat.webhooks.list_all(actor=actor())]}

    @blueprint.arguments(CreateWebhookSchema, example=examples.CREATE)
    @blueprint.response(201, WebhookWithSecretSchema, example=examples.CREATED)
    @blueprint.fails(403, 413, 415)
    def post(self, command: CreateWebhook) -> Any:
        """Have all that happens from now on told to a URL; the answer alone has the secret"""
        return secret_view(extension().chat.webhooks.create(command, actor=actor()))


@blueprint.route("/<webhook_id>")
class Webhook(MethodView):
    @blueprint.response(200, WebhookDetailsSchema, example=examples.DETAILS)
    @blueprint.fails(403, 404)
    def get(self, webhook_id: str) -> Any:
        """One webhook endpoint, and how much waits for it"""
        webhooks = extension().chat.webhooks
        endpoint = webhooks.get(webhook_id, actor=actor())
        return details_view(endpoint, webhooks.backlog(endpoint))

    @blueprint.arguments(ChangeWebhookSchema, example={"enabled": True})
    @blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
    @blueprint.fails(403, 404, 413, 415)
    def patch(self, command: ChangeWebhook, webhook_id: str) -> Any:
        """Change it; enabled again, it goes on where it stopped"""
        named = replace(command, webhook_id=webhook_id)
        return webhook_view(extension().chat.webhooks.change(named, actor=actor()))

    @blueprint.response(204)
    @blueprint.fails(403, 404)
    def delete(self, webhook_id: str) -> None:
        """Delete it, with what it has not been told"""
        extension().chat.webhooks.delete(webhook_id, actor=actor())


@blueprint.route("/<webhook_id>/test")
class Test(MethodView):
    @blueprint.response(200, DeliverySchema, example=examples.TESTED)
    @blueprint.fails(403, 404)
    def post(self, webhook_id: str) -> Any:
        """Send it `webhook.test` now, once, and say what it answered"""
        return extension().chat.webhooks.test(webhook_id, actor=actor())


@blueprint.route("/<webhook_id>/deliveries")
class Deliveries(MethodView):
    @blueprint.arguments(PageSchema, location="query")
    @blueprint.response(200, DeliveriesSchema, example={"deliveries": [examples.DELIVERY]})
    @blueprint.fails(403, 404)
    def get(self, query: ListPage, webhook_id: str) -> Any:
        """Its tries, the newest first, page by page"""
        page = extension().chat.webhooks.deliveries(webhook_id, query, actor=actor())
        return {"deliveries": page.items}, 200, next_link(page.next_cursor)


@blueprint.route("/<webhook_id>/replay")
class Replay(MethodView):
    @blueprint.arguments(ReplaySchema, example=examples.REPLAY)
    @blueprint.response(202, ReplayedSchema, example={"events": 12})
    @blueprint.fails(403, 404, 413, 415)
    def post(self, command: ReplayEvents, webhook_id: str) -> Any:
        """Tell it events again, with the ids and bodies they had"""
        named = replace(command, webhook_id=webhook_id)
        return {"events": extension().chat.webhooks.replay(named, actor=actor())}


@blueprint.route("/<webhook_id>/rotate")
class Rotate(MethodView):
    @blueprint.response(200, WebhookWithSecretSchema, example=examples.CREATED)
    @blueprint.fails(403, 404, 409)
    def post(self, webhook_id: str) -> Any:
        """Make new keys; for 24 hours the old ones sign beside them"""
        return secret_view(extension().chat.webhooks.rotate(webhook_id, actor=actor()))


@log.route("")
class Events(MethodView):
    @log.arguments(EventsQuerySchema, location="query")
    @log.response(200, EventsSchema, example=examples.EVENTS)
    @log.fails(403)
    def get(self, query: ReadEvents) -> Any:
        """What has happened after a cursor; go on with the answer's. None is skipped, whatever goes on meanwhile"""
        return events_view(extension().chat.webhooks.events(query, actor=actor()))

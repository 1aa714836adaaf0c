"""The whole application, which kills itself as ``kill -9`` would, once, where ``DIE_AT`` says.

``DIE_AT`` names one of ``dying_points``; ``DIED`` is a file that is there once it has died, and then it lives.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - patch first
import signal  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import wraps  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from chatapp.adapters import webhook_sender  # noqa: E402
from chatapp.adapters.dynamodb_store.events import DynamoEvents  # noqa: E402
from chatapp.adapters.dynamodb_store.messages import DynamoMessages  # noqa: E402
from chatapp.adapters.dynamodb_store.webhooks import DynamoWebhooks  # noqa: E402
from chatapp.adapters.huey_jobs import HueyJobs  # noqa: E402
from chatapp.adapters.sqlite_store.events import SqliteEvents  # noqa: E402
from chatapp.adapters.sqlite_store.messages import SqliteMessages  # noqa: E402
from chatapp.adapters.sqlite_store.webhooks import SqliteWebhooks  # noqa: E402
from chatapp.adapters.webhook_sender import HttpSender  # noqa: E402
from chatapp.services.webhook_delivery import WebhookDelivery  # noqa: E402
from chatapp.services.webhook_outbox import WebhookOutbox  # noqa: E402
from chatapp.services.webhook_sweeping import WebhookSweeper  # noqa: E402
from tests.e2e.dying_points import POINTS  # noqa: E402

NTH = 5
"""By then the endpoint has been told something, and there is more to come."""

TURN = 2
"""Of what happens once for all that a lane has to tell: where deliveries are slow, each of the two has one turn."""

Place = tuple[tuple[Any, ...], str]
"""Whose, and which."""

APPEND: Place = (SqliteMessages, DynamoMessages), "append"
LOOK: Place = (SqliteWebhooks, DynamoWebhooks), "get"
CLAIM: Place = (SqliteWebhooks, DynamoWebhooks), "claim"
IN_LANE: Place = (SqliteEvents, DynamoEvents), "in_lane"
SETTLE: Place = (SqliteWebhooks, DynamoWebhooks), "settle"
REST: Place = (SqliteWebhooks, DynamoWebhooks), "rest"
WAKE: Place = (WebhookOutbox,), "wake"
ENQUEUE: Place = (HueyJobs,), "_enqueue"
RUN: Place = (HueyJobs,), "_run"
DELIVER: Place = (WebhookDelivery,), "deliver"
TELL: Place = (WebhookDelivery,), "_tell"
TRY: Place = (WebhookDelivery,), "_try"
POST: Place = (HttpSender,), "post"
EXCHANGE: Place = (HttpSender,), "_exchange"
SIGN: Place = (webhook_sender,), "headers_of"
CONNECT: Place = (webhook_sender,), "connect"
SWEEP: Place = (WebhookSweeper,), "sweep"

PLACES: dict[str, tuple[Place, str, int]] = {
    "the message is committed": (APPEND, "after", NTH),
    "before anybody is woken": (WAKE, "before", NTH),
    "after somebody is woken": (WAKE, "after", NTH),
    "before the job is queued": (ENQUEUE, "before", TURN),
    "after the job is queued": (ENQUEUE, "after", TURN),
    "before the job is run": (RUN, "before", TURN),
    "before the lane is looked after": (DELIVER, "before", TURN),
    "the endpoint is known": (LOOK, "after", TURN),
    "before the lane is claimed": (CLAIM, "before", TURN),
    "after the lane is claimed": (CLAIM, "after", TURN),
    "before it is told": (TELL, "before", TURN),
    "its events are known": (IN_LANE, "after", TURN),
    "before the event is tried": (TRY, "before", NTH),
    "before it is posted": (POST, "before", NTH),
    "before the exchange": (EXCHANGE, "before", NTH),
    "it is signed": (SIGN, "after", NTH),
    "before it is connected": (CONNECT, "before", NTH),
    "after it is connected": (CONNECT, "after", NTH),
    "it is posted and not remembered": (EXCHANGE, "after", NTH),
    "before it is remembered": (SETTLE, "before", NTH),
    "after it is remembered": (SETTLE, "after", NTH),
    "before the lane is given back": (REST, "before", TURN),
    "after the lane is given back": (REST, "after", TURN),
    "the first sweep is done": (SWEEP, "after", 1),
}


def arm(place: Place, when: str, nth: int, died: Path) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    owners, name = place
    for owner in owners:
        setattr(owner, name, _deadly(getattr(owner, name), count, when))


def _deadly(real: Callable[..., Any], count: Callable[[], None], when: str) -> Callable[..., Any]:
    @wraps(real)
    def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            count()
        result = real(*args, **kwargs)
        if when == "after":
            count()
        return result

    return deadly


if not (marker := Path(os.environ["DIED"])).exists():
    assert tuple(PLACES) == POINTS
    arm(*PLACES[os.environ["DIE_AT"]], marker)

from chatapp.application import create_app  # noqa: E402 - what it calls is armed by now

app = create_app()

"""What becomes of one POST, in a process as gunicorn's are: gevent has patched it. Prints the answer as JSON.

``python -m tests.adapters.webhook_sender_run URL [allow]``
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patch, as in wsgi.py
import sys  # noqa: E402
from dataclasses import asdict  # noqa: E402
from datetime import UTC, datetime  # noqa: E402

from chatapp.adapters import webhook_sender  # noqa: E402
from chatapp.adapters.standard_webhooks import StandardKeys  # noqa: E402
from chatapp.domain.happenings import EventType  # noqa: E402
from chatapp.domain.webhooks import Endpoint, LoggedEvent  # noqa: E402

NOW = datetime.now(UTC)

if len(sys.argv) > 3:
    webhook_sender.EXCHANGE_SECONDS = float(sys.argv[3])
endpoint = Endpoint("1", sys.argv[1], "", (), (StandardKeys().new(),), NOW, NOW)
event = LoggedEvent("evt_1", EventType.TEST, "test", NOW, '{"event":"webhook.test"}')
sender = webhook_sender.HttpSender(allow_private=sys.argv[2] == "allow")
answer = sender.post(endpoint, event, now=NOW)
print(json.dumps({**asdict(answer), "retry_after": answer.retry_after and answer.retry_after.total_seconds()}))

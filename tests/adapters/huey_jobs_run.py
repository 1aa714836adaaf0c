"""Jobs in a process as gunicorn's are: gevent has patched it. Prints what was run, as JSON, one to a line.

``python -m tests.adapters.huey_jobs_run memory`` or with the URL of a Redis, and ``give`` or ``take``.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patch, as in wsgi.py
import sys  # noqa: E402
import time  # noqa: E402
from datetime import UTC, datetime, timedelta  # noqa: E402

import gevent  # noqa: E402

from chatapp.adapters.huey_jobs import HueyJobs  # noqa: E402
from chatapp.adapters.redis_bus import redis_client  # noqa: E402

where, does = sys.argv[1], sys.argv[2:]
jobs = HueyJobs() if where == "memory" else HueyJobs(redis_client(where))
began = time.monotonic()


def run(endpoint_id: str, lane: str) -> None:
    print(json.dumps([endpoint_id, lane, round(time.monotonic() - began, 2)]), flush=True)
    if endpoint_id == "fails":
        raise RuntimeError("as a job may")


if "take" in does:
    jobs.start(run)
    jobs.start(run)  # again is harmless
if "give" in does:
    jobs.deliver("fails", "ñ")
    for _ in range(3):  # as long as it waits, once is enough
        jobs.deliver("now", "lane:1")
    jobs.deliver("later", "lane:2", at=datetime.now(UTC) + timedelta(seconds=1))
    jobs.deliver("past", "lane:3", at=datetime.now(UTC) - timedelta(seconds=60))
gevent.sleep(4 if "take" in does else 1)
stopping = time.monotonic()
jobs.stop()
jobs.stop()
print(json.dumps(["stopped", "", round(time.monotonic() - stopping, 2)]), flush=True)

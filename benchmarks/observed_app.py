"""The whole application, and ``GET /observed``: what its process holds, counted after a full garbage collection.

For gunicorn in place of ``wsgi:app``. It is not for production: anybody may ask, and asking stops the process.
"""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402 - patch first
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from chatapp import create_app  # noqa: E402

MEMORY = {"rss": "VmRSS", "anonymous": "RssAnon", "file": "RssFile"}
TYPES_SHOWN = 20

app = create_app()


@app.get("/observed")
def observed() -> dict[str, Any]:
    """``blocks`` are pymalloc's, ``objects`` those that the collector knows, by type the most frequent ones."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    objects = gc.get_objects()
    types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    return {
        "sockets": len(app.extensions["chatapp"].socketio.server.eio.sockets),
        "blocks": sys.getallocatedblocks(),
        "objects": len(objects),
        "types": dict(types.most_common(TYPES_SHOWN)),
        **{f"{kind}_kb": int(status.partition(f"{name}:")[2].split()[0]) for kind, name in MEMORY.items()},
    }

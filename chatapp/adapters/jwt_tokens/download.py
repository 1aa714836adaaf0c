"""Fetches a key set. The library's own client has no limit for the whole, and none for the size."""

from __future__ import annotations

import gevent
import urllib3

from chatapp.adapters.jwt_tokens.keys import JWKS_MAX_BYTES

FETCH_SECONDS = 5.0
"""For all of it. A server that drips keeps within any limit for its next move."""

CHUNK_BYTES = 16 * 1024


class DownloadFailed(Exception):
    """Why, in words for the log."""


def download(url: str) -> bytes:
    """What the URL itself answers: redirects are not followed. At most FETCH_SECONDS; raises DownloadFailed."""
    try:
        with gevent.Timeout(FETCH_SECONDS):
            return _body(url)
    except gevent.Timeout:
        raise DownloadFailed(f"it took longer than {FETCH_SECONDS} s") from None
    except (urllib3.exceptions.HTTPError, OSError) as exc:
        raise DownloadFailed(str(exc)) from exc


def _body(url: str) -> bytes:
    with urllib3.PoolManager(timeout=FETCH_SECONDS, retries=False) as http:
        answer = http.request("GET", url, headers={"Accept": "application/json"}, redirect=False, preload_content=False)
        try:
            return _bounded(answer)
        finally:
            answer.close()


def _bounded(answer: urllib3.BaseHTTPResponse) -> bytes:
    if answer.status != 200:
        raise DownloadFailed(f"it answered {answer.status}")
    body = bytearray()
    for chunk in answer.stream(CHUNK_BYTES, decode_content=False):  # nothing unpacks itself here
        body += chunk
        if len(body) > JWKS_MAX_BYTES:
            raise DownloadFailed(f"it is larger than {JWKS_MAX_BYTES} bytes")
    return bytes(body)

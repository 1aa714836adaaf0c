"""What every HTTP request goes through: an id, one log line, strict JSON, one shape for all errors."""

from __future__ import annotations

import time
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from chatapp.domain.errors import ChatError, TooLarge
from chatapp.protocol.wire_json import WireJson
from chatapp.transport.errors import Failure, describe, error_text, language_of, reason_of
from chatapp.transport.gate import request_id_of

log = structlog.get_logger(__name__)

BODY_MAX_BYTES = 1024 * 1024
"""Of any request but an upload: 5,000 participants with the longest ids fit in."""

HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}


class StrictJson(DefaultJSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return WireJson.dumps(obj)

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return WireJson.loads(s)


def prepare(app: Flask) -> None:
    app.json = StrictJson(app)
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX_BYTES
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(ChatError, _chat_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def language() -> str:
    return language_of(request.headers.get("Accept-Language", ""))


def _begin() -> None:
    g.request_id = request_id_of(request.environ)
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    log.info(
        "request",
        request_id=g.request_id,
        method=request.method,
        path=request.path,
        status=response.status_code,
        code=g.get("error_code"),
        **({"reason": g.reason} if "reason" in g else {}),
        duration_ms=round((time.perf_counter() - g.began) * 1000, 1),
    )
    return response


# ---------------------------------------------------------------- errors
def _chat_error(error: ChatError) -> Response:
    if error.__cause__ is not None and describe(error, "en").status >= 500:
        log.error("engine failed", request_id=g.request_id, error=str(error), cause=repr(error.__cause__))
    if reason := reason_of(error):
        g.reason = reason
    return _respond(describe(error, language()))


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        return _chat_error(TooLarge(maxBytes=request.max_content_length))
    if error.code is None or error.code < 400:  # a redirect is an exception too
        return error.get_response()  # type: ignore[return-value]
    code = HTTP_CODES.get(error.code)
    if code is None:
        code = "bad_request" if error.code < 500 else "internal_error"
    response = _respond(describe(code, language()))
    response.headers.extend((name, value) for name, value in error.get_headers() if name in ("Allow", "Content-Range"))
    return response


def _unexpected(error: Exception) -> Response:
    log.error("request failed", request_id=g.request_id, exc_info=error)
    return _respond(describe("internal_error", language()))


def _respond(failure: Failure) -> Response:
    g.error_code = failure.code
    response = Response(error_text(failure, g.request_id), status=failure.status, mimetype="application/json")
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if failure.retry_after_ms is not None:
        response.headers["Retry-After"] = str(-(-failure.retry_after_ms // 1000))
    return response

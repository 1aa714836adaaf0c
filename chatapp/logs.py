"""Structured logs: JSON in production, readable in development; never a message's content and never a token."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.processors import CallsiteParameter

from chatapp.redaction import Redactor
from chatapp.settings import Settings

LIBRARY = "chatapp.library"
"""Loggers of this name's family are handed to libraries. At INFO they would log every packet with its content."""


def configure_logs(settings: Settings) -> None:
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if settings.web_concurrency > 1:
        shared.append(structlog.processors.CallsiteParameterAdder([CallsiteParameter.PROCESS]))  # which worker it was
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        RedactingFormatter(
            Redactor(settings.secrets()),
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json=settings.logs_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    handler.addFilter(_ours_or_a_warning)
    handler.addFilter(_one_line)  # of the handler: a logger's own filters do not see what its children log
    logging.getLogger(LIBRARY).setLevel(logging.WARNING)
    logging.getLogger("geventwebsocket").setLevel(logging.WARNING)  # its access log; ours has the request's id


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """The very last step: tracebacks and what libraries say are text by then too."""

    def __init__(self, redact: Redactor, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def _renderers(*, as_json: bool) -> list[Any]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    ]


def _ours_or_a_warning(record: logging.LogRecord) -> bool:
    """At DEBUG boto logs each request, with its body and what signs it."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] == "chatapp"


def _one_line(record: logging.LogRecord) -> bool:
    """What a client sent made the library stumble: that is worth a line, not a traceback for each packet.

    The exception's text stays out of it: a UnicodeDecodeError quotes all that could not be decoded.
    """
    if record.name.startswith(f"{LIBRARY}.") and record.exc_info and record.exc_info[0] is not None:
        record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", None
        record.exc_info = None
    return True

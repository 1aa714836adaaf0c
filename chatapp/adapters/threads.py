"""Blocking calls leave gevent's hub by these threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from gevent.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


def in_thread(pool: ThreadPool, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The call's result, or its exception, from one of the pool's threads."""
    outcome = pool.apply(_outcome, (call, args, kwargs))
    if isinstance(outcome, Exception):
        raise outcome
    return cast(T, outcome)


def _outcome(call: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T | Exception:
    """As a value, because gevent prints the traceback of whatever a pool's thread raises, expected or not."""
    try:
        return call(*args, **kwargs)
    except Exception as exc:
        return exc

"""No bus at all: one process alone has nobody to tell."""

from __future__ import annotations

from collections.abc import Callable, Collection

from chatapp.domain.events import Event


class LocalBus:
    worker_id = "alone"
    is_alone = True
    hears = True

    def start(self, receive: Callable[[str, str, Event], None], *, recovered: Callable[[], None]) -> None: ...

    def subscribe(self, rooms: Collection[str]) -> None: ...

    def unsubscribe(self, rooms: Collection[str]) -> None: ...

    def publish(self, rooms: Collection[str], event: Event) -> None: ...

    def check(self) -> None: ...

    def close(self) -> None: ...

"""The calls as the store has them, and as this worker saw them last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chatapp.domain.calls import Call
from chatapp.domain.errors import CallNotFound
from chatapp.ports import CallStore

Step = Callable[[Call], Call]


class Ledger:
    def __init__(self, store: CallStore) -> None:
        self._store = store
        self._seen: dict[str, Call] = {}

    # ------------------------------------------------------------ the store
    def get(self, call_id: str) -> Call:
        """Raises CallNotFound."""
        call = self._store.get(call_id)
        if call is None:
            raise CallNotFound(callId=call_id)
        self.see(call)
        return call

    def begin(self, call: Call) -> tuple[Call, bool]:
        """As ``CallStore.begin``."""
        begun, is_new = self._store.begin(call)
        self.see(begun)
        return begun, is_new

    def change(self, call_id: str, step: Step) -> tuple[Call, Call]:
        """The call before and after ``step``, which is asked again when somebody else was quicker. What it raises has
        changed nothing. Raises CallNotFound, InAnotherCall."""
        while True:
            before = self.get(call_id)
            after = step(before)
            if after == before:
                return before, before
            after = replace(after, version=before.version + 1)
            if self._store.replace(after):
                self.see(after)
                return before, after

    # ------------------------------------------------------------ memory
    def see(self, call: Call) -> None:
        """Somebody tells of it; what is older than what is known is not news."""
        known = self._seen.get(call.id)
        if known is None or known.version <= call.version:
            self._seen[call.id] = call
        if call.is_over:
            self.forget(call.id)

    def see_all(self, calls: Iterable[Call]) -> None:
        """All there are: those that are not among them are gone."""
        seen = {call.id: call for call in calls}
        for call_id in set(self._seen).difference(seen):
            self.forget(call_id)
        for call in seen.values():
            self.see(call)

    def forget(self, call_id: str) -> None:
        self._seen.pop(call_id, None)

    def seen(self, call_id: str) -> Call | None:
        return self._seen.get(call_id)

    def going_on(self) -> list[Call]:
        return list(self._seen.values())

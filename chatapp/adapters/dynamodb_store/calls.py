"""Calls and the leases of workers in DynamoDB.

The call is one item. Beside it stand what must be unique, each under a key of its own and written in the same
transaction: the conversation's call while it is going on, and the call of each user who takes part in one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from chatapp.adapters.call_codec import decode_call, encode_call
from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import ABSENT, Action, Delete, Item, Put, Update
from chatapp.adapters.dynamodb_store.client import Dynamo, LostRace
from chatapp.adapters.times import from_ms, to_ms
from chatapp.domain.calls import Call
from chatapp.domain.errors import InAnotherCall


class DynamoCalls:
    def __init__(self, db: Dynamo) -> None:
        self._db = db

    # ------------------------------------------------------------ calls
    def begin(self, call: Call) -> tuple[Call, bool]:
        def work() -> tuple[Call, bool]:
            known = self._find(call.id)
            if known is not None:  # also our own, whose answer was lost
                return known, known == call
            slot = self._db.get(keys.call_of(call.conversation_id))
            if slot is not None:
                other = self._find(slot["call_id"])
                if other is None:
                    raise LostRace(doubt=False)  # it has just gone
                return other, False
            self._require_free(call)
            self._db.write(
                Put(keys.call(call.id), _item(call), ABSENT),
                Put(keys.call_of(call.conversation_id), {"call_id": call.id}, ABSENT),
                *(_taking_part(call, user_id) for user_id in _users(call)),
            )
            return call, True

        return self._db.run(work)

    def get(self, call_id: str) -> Call | None:
        return self._db.run(lambda: self._find(call_id))

    def replace(self, call: Call) -> bool:
        def work() -> bool:
            known = self._find(call.id)
            if known == call:  # our own, whose answer was lost
                return True
            if known is None or known.version != call.version - 1:
                return False
            self._require_free(call)
            self._db.write(*_replacing(known, call))
            return True

        return self._db.run(work)

    def remove(self, call_id: str) -> None:
        self._db.run(lambda: self._db.write(Delete(keys.call(call_id))))

    def list_all(self) -> list[Call]:
        items = self._db.run(lambda: list(self._db.query(keys.CONVERSATIONS, keys.CALLS, keys.FIRST, keys.LAST)))
        return [decode_call(item["document"]) for item in items]

    def busy(self, user_ids: Collection[str]) -> dict[str, str]:
        return self._db.run(lambda: self._busy(user_ids))

    def _find(self, call_id: str) -> Call | None:
        item = self._db.get(keys.call(call_id))
        return decode_call(item["document"]) if item else None

    def _busy(self, user_ids: Collection[str]) -> dict[str, str]:
        wanted = {keys.call_with(user_id): user_id for user_id in user_ids}
        return {wanted[key]: item["call_id"] for key, item in self._db.get_many(wanted).items()}

    def _require_free(self, call: Call) -> None:
        for user_id, other in self._busy(_users(call)).items():
            if other != call.id:
                raise InAnotherCall(callId=other, userId=user_id)

    # ------------------------------------------------------------ leases
    def renew(self, worker: str, *, until: datetime) -> None:
        lease: Item = {"worker": worker, "until": to_ms(until)}
        self._db.run(lambda: self._db.write(Put(keys.call_worker(worker), lease)))

    def leases(self) -> dict[str, datetime]:
        items = self._db.run(lambda: list(self._db.query(keys.CONVERSATIONS, keys.CALL_WORKERS, keys.FIRST, keys.LAST)))
        return {item["worker"]: from_ms(item["until"]) for item in items}

    def release(self, worker: str) -> None:
        self._db.run(lambda: self._db.write(Delete(keys.call_worker(worker))))


def _item(call: Call) -> Item:
    return {"version": call.version, "document": encode_call(call)}


def _users(call: Call) -> list[str]:
    return [each.user_id for each in call.participants]


def _replacing(before: Call, call: Call) -> list[Action]:
    was, now = set(_users(before)), set(_users(call))
    actions: list[Action] = [
        Update(keys.call(call.id), _item(call), "#version = :before", {"before": before.version}),
        *(_taking_part(call, user_id) for user_id in now - was),
        *(Delete(keys.call_with(user_id)) for user_id in was - now),
    ]
    if call.is_over and not before.is_over:
        actions.append(Delete(keys.call_of(call.conversation_id)))
    return actions


def _taking_part(call: Call, user_id: str) -> Put:
    return Put(keys.call_with(user_id), {"call_id": call.id}, ABSENT)

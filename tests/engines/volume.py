"""How much a DynamoDB conversation holds, and what the calls upon it cost by AWS's price list.

moto counts no capacity for transactions, so it is counted here as AWS does: a consistent read takes a unit for each
4 kB of each item, and one where there is none; a write one for each kB, the larger of before and after; in a
transaction two.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chatapp.adapters.dynamodb_store import DynamoStore, keys
from chatapp.adapters.dynamodb_store.actions import render_key
from chatapp.domain.models import Message
from tests.engines.dynamodb import DynamoEngine

RawItem = dict[str, dict[str, Any]]
READ_UNIT, WRITE_UNIT = 4096, 1024


def fill(engine: DynamoEngine, store: DynamoStore, draft: Message, count: int) -> None:
    """Send the draft, which must have a key, and put ``count`` like it before it, each with all that a send stores."""
    db = store._db
    db.client.update_item(
        TableName=db.table(keys.CONVERSATIONS),
        Key=render_key(keys.head(draft.conversation_id)),
        UpdateExpression="SET last_seq = :count, last_rev = :count",
        ExpressionAttributeValues={":count": {"N": str(count)}},
    )
    engine.be()
    sent = store.messages.append(draft, fingerprint=draft.content).message
    assert sent.seq == count + 1
    key = keys.sent(draft.conversation_id, draft.sender_id, draft.client_message_id or "")
    texts = {
        sent.id: "{n:08}-0000-4000-8000-000000000000",
        key.sk: "key#{n:064}",
        keys.numbered(sent.seq): "seq#{n:019}",
        str(draft.client_message_id): "{n:08}",
    }
    for call in engine.log():
        for put in (action["Put"] for action in call["request"].get("TransactItems", []) if "Put" in action):
            engine.fill(put["TableName"], put["Item"], texts=texts, number=str(sent.seq), count=count)


# ---------------------------------------------------------------- what it costs
@dataclass(frozen=True, slots=True)
class Cost:
    """Of some calls: the requests with how many items each names, bytes of JSON with every number as one digit, and
    capacity units."""

    requests: tuple[str, ...]
    bytes_sent: int
    bytes_received: int
    read_units: int
    write_units: int


def cost_of(log: list[dict[str, Any]]) -> Cost:
    """Of what an engine's log tells; updates must have read before what they change."""
    known: dict[tuple[str, str, str], RawItem] = {}
    reads = writes = 0
    requests: list[str] = []
    for call in log:
        request, answer = call["request"], call["answer"]
        match call["operation"]:
            case "BatchGetItem":
                wanted = [(table, key) for table, given in request["RequestItems"].items() for key in given["Keys"]]
                found = {_place(table, item): item for table, got in answer["Responses"].items() for item in got}
                known |= found
                reads += sum(_units(found.get(_place(table, key), {}), READ_UNIT) for table, key in wanted)
                requests.append(f"BatchGetItem of {len(wanted)}")
            case "TransactWriteItems":
                actions = [next(iter(action.values())) for action in request["TransactItems"]]
                writes += sum(2 * _units(_afterwards(action, known), WRITE_UNIT) for action in actions)
                requests.append(f"TransactWriteItems of {len(actions)}")
            case other:
                raise AssertionError(f"what does {other} cost?")
    return Cost(
        tuple(requests),
        sum(_bytes(call["request"]) for call in log),
        sum(_bytes(call["answer"]) for call in log),
        reads,
        writes,
    )


def _place(table: str, item: RawItem) -> tuple[str, str, str]:
    return table, item["pk"]["S"], item["sk"]["S"]


def _afterwards(action: dict[str, Any], known: dict[tuple[str, str, str], RawItem]) -> RawItem:
    """Nothing that a send updates gets smaller."""
    if "Item" in action:
        item: RawItem = action["Item"]
        return item
    before = known[_place(action["TableName"], action["Key"])]
    values: RawItem = action["ExpressionAttributeValues"]
    changes = {name.removeprefix(":new_"): value for name, value in values.items() if name.startswith(":new_")}
    return before | changes


def _units(item: RawItem, unit: int) -> int:
    return max(1, -(-sum(len(name.encode()) + _size(value) for name, value in item.items()) // unit))


def _size(value: dict[str, Any]) -> int:
    ((kind, given),) = value.items()
    match kind:
        case "S":
            return len(given.encode())
        case "N":
            return len(given) // 2 + 2
        case "L":
            return 3 + sum(1 + _size(part) for part in given)
        case _:
            return 1


def _bytes(body: dict[str, Any]) -> int:
    return len(re.sub(r'{"N": "\d+"}', '{"N": "0"}', json.dumps(body, ensure_ascii=False)).encode())

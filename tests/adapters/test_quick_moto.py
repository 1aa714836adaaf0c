"""The engine that tests run on answers as moto does, and keeps what moto keeps; only sooner."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.engines.dynamodb import DynamoEngine

ROUNDS = 150
TABLES = ("left", "right")
UPDATES = (
    *["SET #n = :new, #more = :new REMOVE #text"] * 6,
    *["SET #n = :new", "REMOVE #text, #more", "SET #more = :new, #text = :new"] * 2,
    "SET #n = :new, #n = :new",
    "SET #n = :new REMOVE #n",
    "SET #n = :new, #pk = :new",
    "SET #n = :other",
    "SET #n = #n + :new",
    "ADD #n :new",
    "SET more = :new",
    "REMOVE #sk",
)
NAMES = {f"#{name}": name for name in ("pk", "sk", "n", "text", "more")}


@pytest.fixture(scope="module")
def engines() -> Iterator[list[Any]]:
    started = [DynamoEngine(), DynamoEngine(slow=True)]
    yield [connect(engine.endpoint) for engine in started]
    for engine in started:
        engine.stop()


def connect(endpoint: str) -> Any:
    client = boto3.session.Session().client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    for name in TABLES:
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
    return client


def asked(client: Any, operation: str, request: dict[str, Any]) -> Any:
    """What it answers or refuses, without what is different each time."""
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as exc:
        return exc.response["Error"], exc.response.get("CancellationReasons")
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


# ---------------------------------------------------------------- random requests
class Asking:
    """Few items and many conditions, so that about half of the transactions are cancelled."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def transaction(self) -> dict[str, Any]:
        return {"TransactItems": [self._action() for _ in range(self._random.randint(1, 6))]}

    def _action(self) -> dict[str, Any]:
        kind = self._random.choice(["Put", "Put", "Update", "Update", "Update", "Delete", "ConditionCheck"])
        key, number = self.key(), {"N": str(self._random.randint(0, 3))}
        names, values, action = set[str](), dict[str, Any](), dict[str, Any]()
        if kind == "Put":
            action["Item"] = {**key, "n": number, "text": {"S": "x" * self._random.choice([1, 1, 100])}}
            if self._random.random() < 0.02:
                action["Item"]["text"] = {"S": "x" * 500_000}
        else:
            action["Key"] = key
        if kind == "Update":
            action["UpdateExpression"], values[":new"] = self._random.choice(UPDATES), number
            names |= set(re.findall(r"#\w+", action["UpdateExpression"]))
        condition = self._random.choice(["", "exists", "absent", "number"])
        if condition == "number":
            action["ConditionExpression"], values[":old"] = "#n = :old AND attribute_exists(#pk)", number
            names |= {"#n", "#pk"}
        elif condition or kind == "ConditionCheck":
            test = "attribute_not_exists" if condition == "absent" else "attribute_exists"
            action["ConditionExpression"] = f"{test}(#pk)"
            names.add("#pk")
        if names:
            action["ExpressionAttributeNames"] = {name: NAMES[name] for name in sorted(names)}
        if values:
            action["ExpressionAttributeValues"] = values
        return {kind: {"TableName": self._random.choice(TABLES), **action}}

    def key(self) -> dict[str, Any]:
        return {"pk": {"S": self._random.choice("abc")}, "sk": {"S": f"{self._random.randint(1, 3)}"}}

    def query(self) -> dict[str, Any]:
        low, high = sorted(str(self._random.randint(0, 4)) for _ in range(2))
        values = {":pk": self.key()["pk"], ":low": {"S": low}, ":high": {"S": high}}
        return {
            "TableName": self._random.choice(TABLES),
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": self._random.random() < 0.5,
            "Limit": self._random.randint(1, 4),
        }


@pytest.mark.parametrize("seed", [1, 2])
def test_transactions_queries_and_reads_are_as_moto_does_them(engines: list[Any], seed: int) -> None:
    asking, seen = Asking(seed), {"done": 0, "cancelled": 0, "other": 0}
    for _ in range(ROUNDS):
        transaction = asking.transaction()
        quick, slow = (asked(client, "transact_write_items", transaction) for client in engines)
        assert quick == slow, transaction
        cancelled = isinstance(quick, tuple) and quick[0]["Code"] == "TransactionCanceledException"
        seen["done" if isinstance(quick, dict) else "cancelled" if cancelled else "other"] += 1
        for operation, request in (
            ("query", asking.query()),
            ("get_item", {"TableName": TABLES[0], "Key": asking.key()}),
            ("update_item", {"TableName": TABLES[1], "Key": asking.key(), "UpdateExpression": "REMOVE more"}),
        ):
            quick, slow = (asked(client, operation, request) for client in engines)
            assert quick == slow, request
        quick, slow = ([asked(client, "scan", {"TableName": name}) for name in TABLES] for client in engines)
        assert quick == slow, transaction
    assert min(seen.values()) > 10, seen

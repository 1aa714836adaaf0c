"""The four tables, all alike: a partition key, a sort key, no index (indexes lag), paid per request."""

from __future__ import annotations

from time import monotonic

import gevent

from chatapp.adapters.dynamodb_store.client import Dynamo, RequestRefused
from chatapp.adapters.dynamodb_store.keys import TABLES
from chatapp.domain.errors import StoreUnavailable

CREATION_SECONDS = 120.0
"""AWS makes a table in some seconds."""


def create_tables(db: Dynamo) -> None:
    """Make those that are missing and wait until all can be used; several processes may do so at once."""
    give_up_at = monotonic() + CREATION_SECONDS
    for name in TABLES:
        _create(db, name)
    for name in TABLES:
        while _status(db, name) != "ACTIVE":
            if monotonic() > give_up_at:
                raise StoreUnavailable(engine="dynamodb", reason=f"table {db.table(name)} is not active")
            gevent.sleep(0.2)


def _create(db: Dynamo, name: str) -> None:
    if _status(db, name) is not None:
        return
    try:
        db.call(
            "CreateTable",
            TableName=db.table(name),
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
    except RequestRefused as exc:
        if exc.aws_code != "ResourceInUseException":  # another process was quicker, or an answer was lost
            raise


def _status(db: Dynamo, name: str) -> str | None:
    try:
        status: str = db.call("DescribeTable", TableName=db.table(name))["Table"]["TableStatus"]
    except RequestRefused as exc:
        if exc.aws_code != "ResourceNotFoundException":
            raise
        return None
    return status

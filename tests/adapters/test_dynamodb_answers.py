"""A message of a history is the same as one that comes among other things."""

from __future__ import annotations

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.adapters.dynamodb_store import keys
from chatapp.adapters.dynamodb_store.actions import Item, from_item, render_item, render_key
from chatapp.adapters.dynamodb_store.answers import read_items, read_messages
from chatapp.adapters.dynamodb_store.items import from_message, to_message
from chatapp.adapters.times import from_ms
from chatapp.domain.calls import CallEnd, CallKind, CallSummary
from chatapp.domain.models import Attachment, Message, MessageType, Sender

ANA = Sender("ana", "Ana", None)

texts = st.text(st.characters(exclude_categories=["Cs"]))
maybe = st.none() | texts
numbers = st.integers(0, 2**63 - 1)
times = st.integers(0, 4_000_000_000_000)
attachments = st.builds(Attachment, texts, maybe, st.none() | numbers, maybe, maybe)
people = st.lists(texts, max_size=3).map(tuple)
calls = st.builds(CallSummary, texts, st.sampled_from(CallEnd), numbers, st.sampled_from(CallKind), people)
messages = st.builds(
    Message,
    id=texts,
    conversation_id=texts,
    seq=numbers,
    sender=st.just(ANA),
    recipient_id=maybe,
    content=texts,
    message_type=st.sampled_from(MessageType),
    timestamp=times.map(from_ms),
    attachment=st.none() | attachments,
    reply_to=maybe,
    reply_preview=maybe,
    client_message_id=maybe,
    rev=numbers,
    call=st.none() | calls,
)
later: st.SearchStrategy[Item] = st.fixed_dictionaries({
    "edited_at": st.none() | times,
    "is_deleted": st.booleans(),
})  # fmt: skip


def answer(*items: Item) -> bytes:
    """As DynamoDB writes it, with the keys that every item has."""
    key = render_key(keys.message("g1", 1))
    return orjson.dumps({"Items": [key | render_item(item) for item in items], "Count": len(items)})


@given(st.lists(st.tuples(messages, later, st.booleans()), max_size=3))
def test_a_message_of_a_page_is_as_if_it_came_alone(given: list[tuple[Message, Item, bool]]) -> None:
    items = []
    for message, changes, is_old in given:
        item = from_message(message) | changes
        items.append({name: value for name, value in item.items() if name != "rev" or not is_old})
    page = read_messages(answer(*items)).items
    alone = map(from_item, read_items(answer(*items)).items)
    assert [each.shown(ANA) for each in page] == [to_message(item, ANA) for item in alone]
    assert [(each.sender_id.S, each.seq.N) for each in page] == [(item["sender_id"], item["seq"]) for item in items]


def test_what_was_not_asked_for_all_at_once_tells_where_it_goes_on() -> None:
    told = b'{"Items": [], "LastEvaluatedKey": {"pk": {"S": "a"}, "sk": {"S": "b"}}}'
    assert read_messages(told).last_evaluated_key == {"pk": {"S": "a"}, "sk": {"S": "b"}}
    assert read_messages(b'{"Items": []}').last_evaluated_key is None


def test_what_is_no_message_is_not_taken_for_one() -> None:
    with pytest.raises(msgspec.ValidationError, match="conversation_id"):
        read_messages(answer({"id": "m1"}))

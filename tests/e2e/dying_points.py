"""Where ``dying_app`` may kill itself, in the order of an event's way."""

from __future__ import annotations

POINTS = (
    "the message is committed",
    "before anybody is woken",
    "after somebody is woken",
    "before the job is queued",
    "after the job is queued",
    "before the job is run",
    "before the lane is looked after",
    "the endpoint is known",
    "before the lane is claimed",
    "after the lane is claimed",
    "before it is told",
    "its events are known",
    "before the event is tried",
    "before it is posted",
    "before the exchange",
    "it is signed",
    "before it is connected",
    "after it is connected",
    "it is posted and not remembered",
    "before it is remembered",
    "after it is remembered",
    "before the lane is given back",
    "after the lane is given back",
    "the first sweep is done",
)

"""A call as the device that asks is told of it: what ``CallSchema`` dumps."""

from __future__ import annotations

from typing import Any

from chatapp.protocol.outgoing import call_participant
from chatapp.services.calls.service import Joined


def call_view(joined: Joined) -> dict[str, Any]:
    call, me = joined.call, joined.participant
    others = [each for each in call.participants if me is not None and each.id != me.id]
    server = joined.media_server
    return {
        "call_id": call.id,
        "conversation_id": call.conversation_id,
        "state": call.state,
        "reason": call.end,
        "media": call.kind,
        "started_by": call.started_by,
        "started_at": call.started_at,
        "rings_until": call.rings_until,
        "answered_at": call.answered_at,
        "participant_id": me.id if me else None,
        "polite": bool(me and others) and all(me.is_polite_to(other) for other in others if me),
        "participants": [call_participant(other, polite=me is not None and me.is_polite_to(other)) for other in others],
        "ice_servers": joined.ice_servers,
        "media_server": {"url": server[0], "token": server[1]} if server else None,
    }

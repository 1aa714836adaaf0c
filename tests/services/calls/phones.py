"""Devices that call each other, over the services alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from chatapp.domain.calls import CallKind, Media
from chatapp.domain.commands import AcceptCall, DeclineCall, HangUp, LeaveChat, SendSignal, ShowMedia, StartCall
from chatapp.domain.events import CallSignalled
from chatapp.domain.models import Actor, Conversation, Message
from chatapp.services.calls.service import Joined
from tests.services.conftest import World

_numbers = itertools.count(1)


@dataclass
class Phone:
    """One device of one user, connected to one worker at a time."""

    world: World
    user_id: str
    name: str = "phone"
    socket_id: str = field(init=False)
    joined: Joined | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.connect()

    # ------------------------------------------------------------ connecting
    def connect(self, world: World | None = None) -> None:
        """With a new connection."""
        self.world = world or self.world
        self.socket_id = f"{self.user_id}-{self.name}-{next(_numbers)}"
        self.world.join(self.user_id, self.socket_id)

    def disconnect(self) -> None:
        """The connection is lost without a word."""
        self.world.calls.disconnect(self.socket_id)
        self.world.presence.disconnect(self.user_id, self.socket_id)
        self.world.scheduler.advance(0)

    def log_out(self) -> None:
        self.world.calls.forsake(self.socket_id)
        self.world.presence.leave(LeaveChat(), actor=self.actor, socket_id=self.socket_id)
        self.world.scheduler.advance(0)

    # ------------------------------------------------------------ calling
    @property
    def actor(self) -> Actor:
        return Actor(self.user_id)

    @property
    def call_id(self) -> str:
        assert self.joined is not None
        return self.joined.call.id

    @property
    def id(self) -> str:
        assert self.joined is not None
        assert self.joined.participant is not None
        return self.joined.participant.id

    def start(self, conversation: Conversation, key: str | None = None, kind: CallKind = CallKind.AUDIO) -> Joined:
        command = StartCall(
            conversation_id=conversation.id,
            client_call_id=key or f"key-{next(_numbers)}",
            media=kind,
            device_id=self.name,
        )
        self.joined = self.world.calls.start(command, actor=self.actor, socket_id=self.socket_id)
        return self.joined

    def accept(self, call_id: str) -> Joined:
        command = AcceptCall(call_id=call_id, device_id=self.name)
        self.joined = self.world.calls.accept(command, actor=self.actor, socket_id=self.socket_id)
        return self.joined

    def decline(self, call_id: str) -> None:
        self.world.calls.decline(DeclineCall(call_id=call_id), actor=self.actor, socket_id=self.socket_id)

    def show(self, media: Media) -> None:
        command = ShowMedia(call_id=self.call_id, media=media)
        self.world.calls.show(command, actor=self.actor, socket_id=self.socket_id)

    def hang_up(self, call_id: str | None = None) -> None:
        command = HangUp(call_id=call_id or self.call_id)
        self.world.calls.hang_up(command, actor=self.actor, socket_id=self.socket_id)

    def signal(self, to: Phone | str, what: Any) -> int:
        """``what`` stands for an SDP."""
        to_id = to if isinstance(to, str) else to.id
        signal = {"description": {"type": "offer", "sdp": str(what)}}
        command = SendSignal(call_id=self.call_id, to=to_id, signal=signal)
        return self.world.calls.signal(command, actor=self.actor, socket_id=self.socket_id)

    def heard(self) -> list[str]:
        """The signals told here for it so far, as a client takes them: none twice."""
        highest: dict[str, int] = {}
        taken = []
        for event in self.world.published.of(CallSignalled):
            if event.to_id == self.id and event.seq > highest.get(event.sender_id, 0):
                highest[event.sender_id] = event.seq
                taken.append(event.signal["description"]["sdp"])
        return taken


def call_message(world: World, conversation: Conversation) -> Message:
    """The only message there."""
    (message,) = world.store.messages.history(conversation.id, limit=10)
    return message


def unread(world: World, conversation: Conversation) -> dict[str, int]:
    return {
        user_id: world.store.conversations.entry(conversation.id, user_id).unread_count
        for user_id in conversation.participants
    }

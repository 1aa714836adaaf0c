"""What each client does all the time, one thread each: members write and come and go, rovers lose and regain their
membership, outsiders try what they must not."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatapp.torture.client import RETRY_SECONDS, Client, Unusable, usable
from chatapp.torture.connection import Refused
from chatapp.torture.recorder import Recorder
from chatapp.torture.transports import Gone, Rest
from chatapp.torture.world import Group, World, insist

Action = Callable[[], None]

AWAY_SECONDS = 1.5
"""How long a member stays out of a room that it has closed."""


LOOK_SECONDS = 0.1
"""How often somebody who has nothing more to do looks whether the connection is still there."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``rate`` is actions in a second. ``until`` ends the acting, ``answered_by`` the waiting for what it began."""

    rate: float
    until: float
    answered_by: float
    dice: random.Random


class Driver:
    """Acts until its time has come, and then stays at home, connected and in all its rooms, until it is stopped."""

    def __init__(self, client: Client, recorder: Recorder, pace: Pace) -> None:
        self.client = client
        self.problem: Unusable | None = None
        self.is_home = threading.Event()
        """Set when it has nothing more to do, and is back or has failed."""
        self._recorder, self._pace, self._dice = recorder, pace, pace.dice
        self._sent = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """At once, whatever it had to do."""
        self._stopping.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._recorder.now() < self._pace.until and not self._stopping.is_set():
                self._attempt(self._act)
            self._go_home()
            while not self._stopping.is_set():
                self._attempt(self._be_home)
        except Unusable as problem:
            self.problem = problem
        except Exception as exc:  # an answer that nobody can read, for example; without this client nothing is proved
            self.problem = Unusable(f"{self.client.user_id} could not go on: {exc!r}")
        finally:
            self.is_home.set()

    def _attempt(self, act: Action) -> None:
        """A lost connection is what it is all about."""
        try:
            act()
        except Gone:
            self._stopping.wait(RETRY_SECONDS)

    def _act(self) -> None:
        left = self._pace.until - self._recorder.now()
        self._stopping.wait(max(0.0, min(self._dice.expovariate(self._pace.rate), left)))
        if self._recorder.now() < self._pace.until:
            actions = self._actions()
            self._dice.choices([action for action, _ in actions], [weight for _, weight in actions])[0]()

    def _actions(self) -> tuple[tuple[Action, int], ...]:
        raise NotImplementedError

    def _go_home(self) -> None: ...

    def _be_home(self) -> None:
        self.client.come()
        self.is_home.set()
        self._stopping.wait(LOOK_SECONDS)

    def _next_message(self, conversation: str) -> dict[str, Any]:
        self._sent += 1
        key = f"{self.client.user_id}-{self._sent}"
        return self.client.begin_send(key, conversation, f"{key} says “hola” to {conversation}")

    def _write(self, conversation: str) -> dict[str, Any]:
        message = self._next_message(conversation)
        self.client.send(message, until=self._pace.answered_by)
        return message


class MemberDriver(Driver):
    def __init__(self, client: Client, recorder: Recorder, rest: Rest, world: World, pace: Pace) -> None:
        super().__init__(client, recorder, pace)
        self._rest = rest
        self._rooms = world.rooms[client.user_id]
        self._rovings = [_Roving(group, client, recorder, rest) for group in world.roves_in(client.user_id)]
        self._away: dict[str, float] = {}
        client.rooms.update(self._rooms)

    def _actions(self) -> tuple[tuple[Action, int], ...]:
        self._return()
        self.client.come()
        return (
            (self._send, 64),
            (self._send_twice, 10),
            (self._send_and_cut, 3),
            (self._mark, 8),
            (self._leave_room, 7),
            (self.client.cut, 2),
            (self._rove, 40 if self._rovings else 0),
        )

    def _any_room(self) -> str:
        roving = [roving.group.id for roving in self._rovings if roving.is_in]
        return self._dice.choice([*self._rooms, *roving])

    def _send(self) -> None:
        self._write(self._any_room())

    def _send_twice(self) -> None:
        """As somebody does who does not trust the acknowledgement."""
        self.client.send(self._write(self._any_room()), until=self._pace.answered_by)

    def _send_and_cut(self) -> None:
        """And once more, not knowing what has become of it."""
        message = self._next_message(self._any_room())
        try:
            self.client.fling(message)
        finally:
            self.client.send(message, until=self._pace.answered_by, is_first=False)

    def _mark(self) -> None:
        self.client.mark_as_read(self._any_room())

    def _leave_room(self) -> None:
        room = self._dice.choice(self._rooms)
        self._away[room] = self._recorder.now() + AWAY_SECONDS
        self.client.leave_room(room)

    def _return(self, *, at_once: bool = False) -> None:
        back = [room for room, until in self._away.items() if at_once or until <= self._recorder.now()]
        for room in back:
            del self._away[room]
            self.client.rooms.add(room)

    def _rove(self) -> None:
        self._dice.choice(self._rovings).turn(self._dice)

    def _go_home(self) -> None:
        self._return(at_once=True)


class _Roving:
    """One membership that comes and goes."""

    def __init__(self, group: Group, client: Client, recorder: Recorder, rest: Rest) -> None:
        self.group = group
        self.is_in = False
        self._client, self._recorder, self._rest = client, recorder, rest
        self._number = 0

    def turn(self, dice: random.Random) -> None:
        if self.is_in:
            self._leave(by_oneself=dice.random() < 0.5)
        else:
            self._come()

    def _come(self) -> None:
        self._number = self._recorder.begin_membership(self._client.user_id, self.group.id, certain=False)
        body = {"participants": [self._client.user_id], "addedBy": self.group.owner}
        answer = insist(self._rest, "POST", f"/api/conversations/{self.group.id}/participants", body)
        # When the answer to a first try was lost, it was added earlier than this one says.
        read_from = answer["lastSeq"] if answer["addedUsers"] else 0
        self._recorder.confirm(self._number, read_from=read_from, read_to=answer["lastSeq"])
        self.is_in = True
        self._client.rooms.add(self.group.id)

    def _leave(self, *, by_oneself: bool) -> None:
        """Raises Gone; then it is tried again at its next turn."""
        self._recorder.doubt(self._number)
        try:
            if by_oneself:
                self._client.come().call("leave_group", {"conversationId": self.group.id})
            else:
                path = f"/api/conversations/{self.group.id}/participants/{self._client.user_id}"
                insist(self._rest, "DELETE", f"{path}?removedBy={self.group.owner}")
        except Refused as refusal:
            if not usable(refusal):
                return
            if refusal.code != "not_a_participant":  # which is what an earlier try has done
                raise
        self._recorder.end_membership(self._number)
        self.is_in = False
        self._client.forget_room(self.group.id)


class OutsiderDriver(Driver):
    def __init__(self, client: Client, recorder: Recorder, world: World, pace: Pace) -> None:
        super().__init__(client, recorder, pace)
        self._conversations = world.conversations

    def _actions(self) -> tuple[tuple[Action, int], ...]:
        self.client.come()
        return ((self._sneak_in, 5), (self._send, 1))

    def _sneak_in(self) -> None:
        try:
            self.client.enter(self.client.come(), self._dice.choice(self._conversations))
        except Refused as refusal:
            usable(refusal)

    def _send(self) -> None:
        self._write(self._dice.choice(self._conversations))

"""The sockets' side of membership, kept in the Socket.IO server's rooms."""

from __future__ import annotations

from collections.abc import Collection

import socketio

from chatapp.domain.rooms import EVERYONE, conversation_room, device_room, is_part, user_room
from chatapp.transport.sockets.lost_sessions import LostSessions

NAMESPACE = "/"


class SocketRooms:
    """Lost sessions are in rooms as their sockets were, and leave them on the same occasions."""

    def __init__(self, server: socketio.Server, lost: LostSessions) -> None:
        self._server = server
        self._lost = lost

    def admit(self, socket_id: str, user_id: str, *, parts: Collection[str] = ()) -> None:
        self._enter(socket_id, EVERYONE)
        self._enter(socket_id, user_room(user_id))
        self.set_parts(socket_id, parts)

    def set_parts(self, socket_id: str, parts: Collection[str]) -> None:
        rooms = self._server.rooms(socket_id, namespace=NAMESPACE)
        if EVERYONE not in rooms:
            return
        for room in filter(is_part, set(rooms).difference(parts)):
            self._server.leave_room(socket_id, room, namespace=NAMESPACE)
        for room in parts:
            self._enter(socket_id, room)

    def dismiss(self, socket_id: str, user_id: str) -> None:
        for room in list(self._server.rooms(socket_id, namespace=NAMESPACE)):
            if room != socket_id:
                self._server.leave_room(socket_id, room, namespace=NAMESPACE)

    def enter(self, socket_id: str, conversation_id: str) -> None:
        self._enter(socket_id, conversation_room(conversation_id))

    def leave(self, socket_id: str, conversation_id: str) -> None:
        self._server.leave_room(socket_id, conversation_room(conversation_id), namespace=NAMESPACE)

    def evict(self, user_id: str, conversation_id: str) -> None:
        for socket_id in self._live_sockets_of(user_id):
            self.leave(socket_id, conversation_id)
        self._lost.evict(user_id, conversation_room(conversation_id))

    def close(self, conversation_id: str) -> None:
        self._server.close_room(conversation_room(conversation_id), namespace=NAMESPACE)
        self._lost.close(conversation_room(conversation_id))

    def disconnect(self, user_id: str) -> None:
        for socket_id in self._live_sockets_of(user_id):
            self._server.disconnect(socket_id, namespace=NAMESPACE)
        self._lost.drop(user_id)

    def take_part(self, socket_id: str, participant_id: str, user_id: str) -> None:
        self._enter(socket_id, device_room(participant_id, user_id))

    def part(self, participant_id: str, user_id: str) -> None:
        room = device_room(participant_id, user_id)
        self._server.close_room(room, namespace=NAMESPACE)
        self._lost.close(room)

    def sockets_of(self, user_id: str) -> list[str]:
        """The ids of a user's sockets here, and of those whose connection is lost."""
        return self._live_sockets_of(user_id) + self._lost.sockets_of(user_id)

    def lost(self, room: str | None, user_id: str | None) -> list[str]:
        """The ids of the sockets whose connection is lost, in this room or of this user."""
        return self._lost.sockets_in(room or "") + self._lost.sockets_of(user_id or "")

    def _live_sockets_of(self, user_id: str) -> list[str]:
        participants = self._server.manager.get_participants(NAMESPACE, user_room(user_id))
        return [socket_id for socket_id, _ in participants]

    def _enter(self, socket_id: str, room: str) -> None:
        if self._server.manager.is_connected(socket_id, NAMESPACE):
            self._server.enter_room(socket_id, room, namespace=NAMESPACE)

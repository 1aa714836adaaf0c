"""The sockets' side of membership, kept in the Socket.IO server's rooms."""

from __future__ import annotations

import socketio

from chatapp.domain.rooms import EVERYONE, conversation_room, user_room

NAMESPACE = "/"


class SocketRooms:
    def __init__(self, server: socketio.Server) -> None:
        self._server = server

    def admit(self, socket_id: str, user_id: str) -> None:
        self._enter(socket_id, EVERYONE)
        self._enter(socket_id, user_room(user_id))

    def dismiss(self, socket_id: str, user_id: str) -> None:
        for room in list(self._server.rooms(socket_id, namespace=NAMESPACE)):
            if room != socket_id:
                self._server.leave_room(socket_id, room, namespace=NAMESPACE)

    def enter(self, socket_id: str, conversation_id: str) -> None:
        self._enter(socket_id, conversation_room(conversation_id))

    def leave(self, socket_id: str, conversation_id: str) -> None:
        self._server.leave_room(socket_id, conversation_room(conversation_id), namespace=NAMESPACE)

    def evict(self, user_id: str, conversation_id: str) -> None:
        for socket_id in self.sockets_of(user_id):
            self.leave(socket_id, conversation_id)

    def close(self, conversation_id: str) -> None:
        self._server.close_room(conversation_room(conversation_id), namespace=NAMESPACE)

    def disconnect(self, user_id: str) -> None:
        for socket_id in self.sockets_of(user_id):
            self._server.disconnect(socket_id, namespace=NAMESPACE)

    def sockets_of(self, user_id: str) -> list[str]:
        """The ids of a user's sockets here."""
        participants = self._server.manager.get_participants(NAMESPACE, user_room(user_id))
        return [socket_id for socket_id, _ in participants]

    def _enter(self, socket_id: str, room: str) -> None:
        if self._server.manager.is_connected(socket_id, NAMESPACE):
            self._server.enter_room(socket_id, room, namespace=NAMESPACE)

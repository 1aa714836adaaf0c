"""What each command of a socket does: one call of a service. What it returns is the acknowledgement's ``data``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatapp.domain import commands
from chatapp.domain.models import Actor
from chatapp.protocol.outgoing import user_left
from chatapp.protocol.views import changes_view, conversation_view
from chatapp.services.catching_up import Synced
from chatapp.services.chat import Chat
from chatapp.transport.errors import describe
from chatapp.transport.sockets.call_view import call_view
from chatapp.transport.sockets.connections import Connection

Handler = Callable[[Chat, Connection, Any, Actor], Any]


def _join_chat(chat: Chat, connection: Connection, command: commands.JoinChat, actor: Actor) -> Any:
    if connection.user_id not in (None, actor.user_id):
        chat.calls.forsake(connection.socket_id)
    user = chat.presence.join(command, actor=actor, socket_id=connection.socket_id)
    connection.user_id = user.id
    chat.calls.ring_late(user.id, connection.socket_id)
    return user


def _leave_chat(chat: Chat, connection: Connection, command: commands.LeaveChat, actor: Actor) -> None:
    chat.calls.forsake(connection.socket_id)
    chat.presence.leave(command, actor=actor, socket_id=connection.socket_id)
    connection.user_id = connection.caller.user_id


def _renew(chat: Chat, connection: Connection, command: commands.RefreshToken, actor: Actor) -> Any:
    expires_at = connection.renew(command.token)
    renewed = connection.caller.acting_for(None, known=actor.user_id)
    chat.presence.renew(actor=renewed, socket_id=connection.socket_id)
    return {"expires_at": expires_at}


def _join_room(chat: Chat, connection: Connection, command: commands.JoinRoom, actor: Actor) -> Any:
    entry = chat.conversations.join_room(command, actor=actor, socket_id=connection.socket_id)
    return {
        "conversation_id": entry.conversation.id,
        "last_seq": entry.conversation.last_seq,
        "rev": entry.conversation.rev,
        "last_read_seq": entry.last_read_seq,
        "unread_count": entry.unread_count,
    }


def _leave_room(chat: Chat, connection: Connection, command: commands.LeaveRoom, actor: Actor) -> None:
    chat.conversations.leave_room(command, actor=actor, socket_id=connection.socket_id)


def _send_message(chat: Chat, _: Connection, command: commands.SendMessage, actor: Actor) -> Any:
    return chat.messages.send(command, actor=actor)


def _edit_message(chat: Chat, _: Connection, command: commands.EditMessage, actor: Actor) -> Any:
    return chat.messages.edit(command, actor=actor)


def _delete_message(chat: Chat, _: Connection, command: commands.DeleteMessage, actor: Actor) -> Any:
    gone = chat.messages.delete_own(command, actor=actor)
    return {"message_id": gone.id, "conversation_id": gone.conversation_id, "seq": gone.seq}


def _start_typing(chat: Chat, connection: Connection, command: commands.StartTyping, actor: Actor) -> None:
    chat.typing.start(command, actor=actor, socket_id=connection.socket_id)


def _stop_typing(chat: Chat, _: Connection, command: commands.StopTyping, actor: Actor) -> None:
    chat.typing.stop(command, actor=actor)


def _set_status(chat: Chat, _: Connection, command: commands.SetStatus, actor: Actor) -> Any:
    return chat.presence.set_status(command, actor=actor)


def _mark_as_read(chat: Chat, _: Connection, command: commands.MarkAsRead, actor: Actor) -> Any:
    mark = chat.conversations.mark_as_read(command, actor=actor)
    return {
        "conversation_id": command.conversation_id,
        "user_id": actor.user_id,
        "timestamp": mark.at,
        "last_read_seq": mark.seq,
    }


def _create_group(chat: Chat, _: Connection, command: commands.CreateConversation, actor: Actor) -> Any:
    group, _created = chat.conversations.create(command, actor=actor)
    return group


def _add_participants(chat: Chat, _: Connection, command: commands.AddParticipants, actor: Actor) -> Any:
    group, added = chat.conversations.add_participants(command, actor=actor)
    return conversation_view(group, added_users=added)


def _update_group(chat: Chat, _: Connection, command: commands.UpdateGroup, actor: Actor) -> Any:
    return chat.conversations.update_group(command, actor=actor)


def _sync(chat: Chat, connection: Connection, command: commands.Sync, actor: Actor) -> Any:
    answers = chat.catch_up.sync(command, actor=actor)
    return {
        "conversations": [
            changes_view(answer.conversation_id, answer.changes, error=_refusal(answer, connection.language))
            for answer in answers
        ]
    }


def _refusal(answer: Synced, language: str) -> dict[str, Any] | None:
    if answer.error is None:
        return None
    failure = describe(answer.error, language)
    return {"code": failure.code, "message": failure.message, "details": failure.details}


def _leave_group(chat: Chat, _: Connection, command: commands.LeaveGroup, actor: Actor) -> Any:
    return user_left(chat.conversations.leave_group(command, actor=actor))


def _start_call(chat: Chat, connection: Connection, command: commands.StartCall, actor: Actor) -> Any:
    return call_view(chat.calls.start(command, actor=actor, socket_id=connection.socket_id))


def _accept_call(chat: Chat, connection: Connection, command: commands.AcceptCall, actor: Actor) -> Any:
    return call_view(chat.calls.accept(command, actor=actor, socket_id=connection.socket_id))


def _decline_call(chat: Chat, connection: Connection, command: commands.DeclineCall, actor: Actor) -> None:
    chat.calls.decline(command, actor=actor, socket_id=connection.socket_id)


def _send_signal(chat: Chat, connection: Connection, command: commands.SendSignal, actor: Actor) -> Any:
    return {"seq": chat.calls.signal(command, actor=actor, socket_id=connection.socket_id)}


def _show_media(chat: Chat, connection: Connection, command: commands.ShowMedia, actor: Actor) -> None:
    chat.calls.show(command, actor=actor, socket_id=connection.socket_id)


def _hang_up(chat: Chat, connection: Connection, command: commands.HangUp, actor: Actor) -> None:
    chat.calls.hang_up(command, actor=actor, socket_id=connection.socket_id)


HANDLERS: dict[type[commands.Command], Handler] = {
    commands.JoinChat: _join_chat,
    commands.LeaveChat: _leave_chat,
    commands.RefreshToken: _renew,
    commands.JoinRoom: _join_room,
    commands.LeaveRoom: _leave_room,
    commands.SendMessage: _send_message,
    commands.SendReply: _send_message,
    commands.EditMessage: _edit_message,
    commands.DeleteMessage: _delete_message,
    commands.StartTyping: _start_typing,
    commands.StopTyping: _stop_typing,
    commands.SetStatus: _set_status,
    commands.MarkAsRead: _mark_as_read,
    commands.CreateConversation: _create_group,
    commands.AddParticipants: _add_participants,
    commands.UpdateGroup: _update_group,
    commands.LeaveGroup: _leave_group,
    commands.Sync: _sync,
    commands.StartCall: _start_call,
    commands.AcceptCall: _accept_call,
    commands.DeclineCall: _decline_call,
    commands.SendSignal: _send_signal,
    commands.ShowMedia: _show_media,
    commands.HangUp: _hang_up,
}

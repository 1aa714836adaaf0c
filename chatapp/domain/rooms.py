"""The rooms in which things are told, and under which workers pass them on to each other."""

EVERYONE = "everyone"
"""Every socket that has joined the chat."""


def user_room(user_id: str) -> str:
    return f"user:{user_id}"


def conversation_room(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


def conversation_of(room: str) -> str | None:
    """The conversation whose room it is."""
    kind, _, conversation_id = room.partition(":")
    return conversation_id if kind == "conversation" else None


def worker_room(worker: str) -> str:
    """Of one worker alone, by the name that its sessions carry."""
    return f"worker-of:{worker}"

"""The rooms in which things are told, and under which workers pass them on to each other."""

EVERYONE = "everyone"
"""Every socket that has joined the chat."""


def user_room(user_id: str) -> str:
    return f"user:{user_id}"


def conversation_room(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"

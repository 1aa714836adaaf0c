"""The rooms in which things are told, and under which workers pass them on to each other."""

EVERYONE = "everyone"
"""Every socket that has joined the chat."""


UNBOUNDED = "unbounded"
"""Those of everyone who see people of every branch."""

FILIAL = "filial:"


def filial_room(filial: str) -> str:
    """Those of everyone who see people of this branch."""
    return FILIAL + filial


def is_part(room: str) -> bool:
    """Whether only some of everyone are in it."""
    return room == UNBOUNDED or room.startswith(FILIAL)


DEVICE = "device:"


def device_room(participant_id: str, user_id: str) -> str:
    """The one socket with which this participant is in a call. Ids of participants have no colon."""
    return f"{DEVICE}{participant_id}:{user_id}"


def is_device(room: str) -> bool:
    return room.startswith(DEVICE)


def device_of(room: str) -> tuple[str, str] | None:
    """The participant whose room it is, and their user."""
    if not is_device(room):
        return None
    participant_id, _, user_id = room.removeprefix(DEVICE).partition(":")
    return participant_id, user_id


def channel_of(room: str) -> str:
    """The room under which workers tell each other what is told in this one: parts of everyone, and one of a user's
    sockets, are no rooms of the bus."""
    if is_part(room):
        return EVERYONE
    device = device_of(room)
    return user_room(device[1]) if device else room


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

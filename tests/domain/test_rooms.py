"""Rooms, and under which of them workers tell each other."""

from __future__ import annotations

import pytest

from chatapp.domain.rooms import (
    EVERYONE,
    UNBOUNDED,
    channel_of,
    conversation_room,
    device_of,
    device_room,
    filial_room,
    user_room,
)


@pytest.mark.parametrize("user_id", ["ana", "ana:bea", "device:x:ana", "🎸"])
def test_a_devices_room_says_whose_it_is_and_is_told_under_their_user(user_id: str) -> None:
    room = device_room("p-1", user_id)
    assert device_of(room) == ("p-1", user_id)
    assert channel_of(room) == user_room(user_id)


@pytest.mark.parametrize("room", [EVERYONE, user_room("ana"), conversation_room("device:c1:x"), "socket-1"])
def test_other_rooms_are_nobodys_device_and_channels_of_their_own(room: str) -> None:
    assert device_of(room) is None
    assert channel_of(room) == room


def test_parts_of_everyone_are_told_under_everyone() -> None:
    assert {channel_of(UNBOUNDED), channel_of(filial_room("lima"))} == {EVERYONE}

"""What somebody knows of a group who was told its changes and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chatapp.domain.changes import (
    Change,
    DetailsChanged,
    MarkMoved,
    MembersAction,
    MembersChanged,
    MessageAppended,
    MessageRetracted,
    MessageRevised,
    MessagesRemoved,
)
from chatapp.domain.models import Message


@dataclass
class Known:
    name: str | None
    description: str | None
    owner: str
    marks: dict[str, int]  # longest-standing first
    last_seq: int
    messages: dict[int, Message]

    def copy(self) -> Known:
        return replace(self, marks=dict(self.marks), messages=dict(self.messages))

    def apply(self, change: Change) -> None:
        match change:
            case MessageAppended(message=message):
                self.messages[message.seq] = message
                self.last_seq = message.seq
                self.read(message.sender_id, message.seq)
            case MessageRevised(message=message):
                self.messages[message.seq] = message
            case MessageRetracted(message=tombstone):
                self.messages[tombstone.seq] = tombstone
                for seq, message in self.messages.items():
                    if message.reply_to == tombstone.id:
                        self.messages[seq] = replace(message, reply_preview="")
            case MarkMoved(user_id=user_id, last_read_seq=seq):
                self.read(user_id, seq)
            case MembersChanged():
                self.change_members(change)
            case DetailsChanged(name=name, description=description):
                self.name, self.description = name, description
            case MessagesRemoved(through_seq=through):
                self.messages = {seq: message for seq, message in self.messages.items() if seq > through}
                self.last_seq = max(self.last_seq, through)
                for user_id in self.marks:
                    self.read(user_id, through)
            case _:
                raise AssertionError(f"nobody told us of {change}")

    def read(self, user_id: str, seq: int) -> None:
        if user_id in self.marks:  # a mark is told as it is now, and who set it may be gone at this change
            self.marks[user_id] = max(self.marks[user_id], seq)

    def change_members(self, change: MembersChanged) -> None:
        for user_id in change.user_ids:
            if change.action is MembersAction.ADD:
                self.marks[user_id] = self.last_seq
            else:
                del self.marks[user_id]
        self.owner = change.new_owner_id or self.owner

"""Sending, correcting, taking back and reading again."""

from __future__ import annotations

import gevent
import pytest

from chatapp.domain.commands import (
    DeleteMessage,
    EditMessage,
    LeaveGroup,
    ListPage,
    MarkAsRead,
    ReadHistory,
    RemoveParticipant,
    SendMessage,
)
from chatapp.domain.errors import (
    ConversationNotFound,
    EditWindowClosed,
    FileNotStored,
    FilesUnavailable,
    IdempotencyKeyReused,
    InvalidData,
    MessageDeletedAlready,
    MessageNotFound,
    NotAParticipant,
    NotATextMessage,
    NotIdentified,
    NotMessageSender,
    ReplyTargetMissing,
    ReplyToOtherConversation,
    StoreUnavailable,
    UnknownFile,
    UnknownUsers,
)
from chatapp.domain.events import Event, MessageDeleted, MessageEdited, MessageSent, MessageUnread
from chatapp.domain.models import OPERATOR, Actor, Attachment, Message, MessageType, Sender
from tests.contracts.builders import NAMES, at, together
from tests.services.conftest import Overtake, World, store_down


def _unavailable() -> None:
    raise StoreUnavailable(engine="test")


def edit(world: World, message: Message, content: str = "corrected", *, by: str = "ana") -> Message:
    return world.messages.edit(EditMessage(message_id=message.id, new_content=content), actor=Actor(by))


def page(world: World, message: Message, **query: int) -> tuple[list[int], bool, bool]:
    found = world.messages.history(ReadHistory(conversation_id=message.conversation_id, **query), actor=OPERATOR)
    return [each.seq for each in found.messages], found.has_older, found.has_newer


# ---------------------------------------------------------------- sending
def test_a_sent_message_is_numbered_signed_and_dated(world: World) -> None:
    group = world.group("ana", "bea")
    world.clock.advance(5)
    message = world.say(group, "hello", client_message_id="k1")
    assert message.seq == 1
    assert message.sender == Sender("ana", NAMES["ana"], None)
    assert (message.content, message.message_type) == ("hello", MessageType.TEXT)
    assert message.timestamp == message.created_at == at(5)
    assert message.client_message_id == "k1"
    assert (message.recipient_id, message.attachment, message.is_reply) == (None, None, False)


def test_a_message_is_durable_before_it_is_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    group = world.group("ana", "bea")
    stored: list[Message | None] = []

    def deliver(event: Event) -> None:
        stored.extend([world.store.messages.get(event.message.id)] if isinstance(event, MessageSent) else [])

    monkeypatch.setattr(world.published, "deliver", deliver)
    message = world.say(group)
    assert stored == [message]


def test_a_message_that_was_not_stored_is_told_to_nobody(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.events()
    with store_down(world.store.messages, "append"), pytest.raises(Exception, match="unavailable"):
        world.say(group)
    assert world.events() == []


def test_messages_are_published_in_the_order_of_their_numbers(world: World) -> None:
    group = world.group("ana", "bea", "carlos")
    world.online("bea", "carlos")
    world.events()
    sends = [
        (lambda by=by, number=number: world.say(group, f"{number}", by=by))
        for number in range(20)
        for by in ("ana", "bea", "carlos")
    ]
    sent = together(sends)
    told = [event.message for event in world.published.of(MessageSent)]
    assert [message.seq for message in told] == list(range(1, 61))
    assert sorted(sent, key=lambda message: message.seq) == told


def test_nobody_sends_without_a_name(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(NotIdentified):
        world.messages.send(SendMessage(conversation_id=group.id, content="x"), actor=Actor())


def test_an_unknown_sender_is_refused(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(UnknownUsers) as refused:
        world.say(group, by="stranger")
    assert refused.value.details == {"userIds": ["stranger"]}


def test_only_participants_send(world: World) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(NotAParticipant):
        world.say(group, by="carlos")
    assert world.published.of(MessageSent) == []


def test_nobody_sends_to_an_unknown_conversation(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.messages.send(SendMessage(conversation_id="none", content="x"), actor=Actor("ana"))


# ---------------------------------------------------------------- recipients
@pytest.mark.parametrize("recipient_id", [None, "bea"])
def test_a_private_message_names_the_other_side(world: World, recipient_id: str | None) -> None:
    message = world.say(world.private("ana", "bea"), recipient_id=recipient_id)
    assert message.recipient_id == "bea"


@pytest.mark.parametrize("recipient_id", ["ana", "carlos", "stranger"])
def test_a_private_message_to_somebody_else_is_refused(world: World, recipient_id: str) -> None:
    private = world.private("ana", "bea")
    with pytest.raises(InvalidData) as refused:
        world.say(private, recipient_id=recipient_id)
    assert refused.value.details == {"fields": {"recipientId": ["not_in_conversation"]}}
    assert world.published.of(MessageSent) == []


def test_a_group_message_has_no_recipient(world: World) -> None:
    assert world.say(world.group("ana", "bea"), recipient_id="bea").recipient_id is None


# ---------------------------------------------------------------- idempotency
def test_a_repeated_send_returns_the_first_message_and_tells_nobody_again(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.events()
    first = world.say(group, "once", client_message_id="k1")
    told = world.events()
    assert [type(event) for event in told] == [MessageSent, MessageUnread]
    world.clock.advance(60)
    assert world.say(group, "once", client_message_id="k1") == first
    assert world.events() == []
    assert page(world, first)[0] == [1]


def test_repeats_at_once_make_one_message(world: World) -> None:
    group = world.group("ana", "bea")
    sent = together([lambda: world.say(group, "once", client_message_id="k1")] * 20)
    assert len({message.id for message in sent}) == 1
    assert len(world.published.of(MessageSent)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"content": "else"},
        {"reply_to": True},
        {"message_type": MessageType.AUDIO},
        {"attachment": Attachment("https://elsewhere.example/b.png")},
    ],
    ids=str,
)
def test_a_key_used_for_other_content_is_refused(world: World, other: dict[str, object]) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, "target")
    sent = {"content": "once", "client_message_id": "k1", "message_type": MessageType.FILE}
    world.say(group, attachment=Attachment("https://elsewhere.example/a.png"), **sent)
    world.events()
    if "reply_to" in other:
        other = {"reply_to": target.id}
    with pytest.raises(IdempotencyKeyReused):
        world.say(group, **({"attachment": Attachment("https://elsewhere.example/a.png")} | sent | other))
    assert world.events() == []


def test_the_caller_may_say_what_counts_as_the_same_content(world: World) -> None:
    group = world.group("ana", "bea")

    def send(content: str) -> Message:
        command = SendMessage(conversation_id=group.id, content=content, client_message_id="k1")
        return world.messages.send(command, actor=Actor("ana"), fingerprint="same bytes")

    assert send("first try") == send("second try")


# ---------------------------------------------------------------- replies
def test_a_reply_quotes_its_target(world: World) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, "How are you?")
    reply = world.say(group, "Fine", by="bea", reply_to=target.id)
    assert (reply.is_reply, reply.reply_to, reply.reply_preview) == (True, target.id, "How are you?")


@pytest.mark.parametrize(
    ("content", "quoted"), [("x" * 100, "x" * 100), ("x" * 101, "x" * 99 + "…"), ("ñ🎸" * 500, "ñ🎸" * 49 + "ñ…")]
)
def test_a_quote_has_at_most_100_characters(world: World, content: str, quoted: str) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, content)
    assert world.say(group, reply_to=target.id).reply_preview == quoted
    assert len(quoted) == 100


@pytest.mark.parametrize(
    ("kind", "name", "quoted"),
    [
        (MessageType.FILE, "plan.pdf", "Archivo: plan.pdf"),
        (MessageType.AUDIO, "note.wav", "Audio: note.wav"),
        (MessageType.FILE, None, "Archivo: x.bin"),
        (MessageType.FILE, "p" * 200, "Archivo: " + "p" * 90 + "…"),
    ],
)
def test_a_quoted_file_is_named_not_shown(world: World, kind: MessageType, name: str | None, quoted: str) -> None:
    group = world.group("ana", "bea")
    file = Attachment("https://elsewhere.example/x.bin", name)
    target = world.say(group, '{"fileUrl": "x"}', message_type=kind, attachment=file)
    assert world.say(group, reply_to=target.id).reply_preview == quoted


def test_reply_to_another_conversation_is_refused(world: World) -> None:
    target = world.say(world.group("ana", "bea"))
    with pytest.raises(ReplyToOtherConversation):
        world.say(world.group("ana", "carlos"), reply_to=target.id)


def test_reply_to_nothing_is_refused(world: World) -> None:
    with pytest.raises(ReplyTargetMissing):
        world.say(world.group("ana", "bea"), reply_to="none")


def test_a_reply_to_a_deleted_message_quotes_nothing_of_it(world: World) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, "secret", message_type=MessageType.FILE, attachment=Attachment("https://e.example/s"))
    world.messages.delete(target.id, actor=OPERATOR)
    reply = world.say(group, reply_to=target.id)
    assert (reply.reply_to, reply.reply_preview) == (target.id, "")


def test_replies_are_listed_oldest_first(world: World) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, "?")
    replies = [world.say(group, text, by="bea", reply_to=target.id) for text in ("one", "two")]
    assert world.messages.replies(target.id, actor=OPERATOR) == replies
    assert world.messages.with_replies(target.id, actor=OPERATOR) == (target, replies)
    assert world.messages.replies(replies[0].id, actor=OPERATOR) == []


@pytest.mark.parametrize("ask", ["replies", "with_replies", "delete"])
def test_an_unknown_message_is_not_found(world: World, ask: str) -> None:
    with pytest.raises(MessageNotFound):
        getattr(world.messages, ask)("none", actor=OPERATOR)


# ---------------------------------------------------------------- files
@pytest.mark.parametrize("prefix", ["/api/files/", "/uploads/"])
def test_what_is_known_of_a_file_wins_over_what_the_client_says(world: World, prefix: str) -> None:
    world.store_file("photo.png", thumbnail=True)
    claimed = Attachment(f"{prefix}photo.png", None, 999_999, "application/x-evil", "https://evil.example/t.png")
    message = world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=claimed)
    assert message.attachment == Attachment(
        "/api/files/photo.png", "Holiday.png", 3, "image/png", "/api/files/photo-thumb.webp"
    )


def test_the_client_may_give_a_file_another_name(world: World) -> None:
    world.store_file("photo.png")
    claimed = Attachment("/api/files/photo.png", "Beach.png")
    message = world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=claimed)
    assert message.attachment == Attachment("/api/files/photo.png", "Beach.png", 3, "image/png", None)


@pytest.mark.parametrize("url", ["/api/files/none.png", "/uploads/none.png", "/api/files/../chat.db", "/api/files/"])
def test_a_file_of_ours_that_is_not_there_is_refused(world: World, url: str) -> None:
    group = world.group("ana", "bea")
    with pytest.raises(UnknownFile) as refused:
        world.say(group, message_type=MessageType.FILE, attachment=Attachment(url))
    assert refused.value.details == {"fileUrl": url}
    assert world.published.of(MessageSent) == []


def test_an_avatar_cannot_be_sent_and_so_not_be_deleted_with_a_message(world: World) -> None:
    world.store_file("avatar-1.png")
    group = world.group("ana", "bea")
    with pytest.raises(UnknownFile):
        world.say(group, message_type=MessageType.FILE, attachment=Attachment("/api/files/avatar-1.png"))
    assert world.files.open("avatar-1.png")


def test_a_file_elsewhere_is_taken_as_the_client_describes_it(world: World) -> None:
    file = Attachment("https://elsewhere.example/a.png", "a.png", 5, "image/png", None)
    assert world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=file).attachment == file


# ---------------------------------------------------------------- unread notices
def test_online_participants_outside_the_room_get_a_notice_each(world: World) -> None:
    group = world.group("ana", "bea", "carlos", "dora")
    world.online("ana", "bea", "carlos")  # dora is not here
    world.enter(group, "carlos")
    world.events()
    message = world.say(group, "news")
    sent, notice = world.events()
    assert sent == MessageSent(message)
    assert isinstance(notice, MessageUnread)
    assert (notice.user_id, notice.unread_count, notice.socket_id) == ("bea", 1, None)
    assert notice.sender == message.sender
    assert (notice.last.id, notice.last.preview, notice.last.at) == (message.id, "news", message.timestamp)
    assert (notice.conversation.id, notice.conversation.name, notice.conversation.is_group) == (group.id, "Team", True)


def test_a_notice_counts_what_was_missed_since_the_last_reading(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana", "bea")
    for _ in range(3):
        world.say(group)
    world.conversations.mark_as_read(MarkAsRead(conversation_id=group.id), actor=Actor("bea"))
    for _ in range(2):
        world.say(group)
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [1, 2, 3, 1, 2]


def test_who_writes_has_read_everything_before(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("ana", "bea")
    world.say(group)
    world.say(group, by="bea")
    world.say(group)
    counts = [(event.user_id, event.unread_count) for event in world.published.of(MessageUnread)]
    assert counts == [("bea", 1), ("ana", 1), ("bea", 1)]


def test_the_senders_other_devices_get_no_notice(world: World) -> None:
    private = world.private("ana", "bea")
    world.online("ana")
    world.join("ana", "ana-2")
    world.say(private)
    assert world.published.of(MessageUnread) == []


def test_a_notice_never_shows_the_json_of_a_file(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    file = Attachment("https://elsewhere.example/a.png", "a.png")
    world.say(group, '{"fileUrl": "…"}', message_type=MessageType.FILE, attachment=file)
    assert [event.last.preview for event in world.published.of(MessageUnread)] == ["Archivo: a.png"]


def test_who_has_been_taken_out_gets_no_notice(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))
    world.say(group)
    assert world.published.of(MessageUnread) == []


@pytest.mark.parametrize("leaving", [True, False])
def test_nothing_said_after_a_removal_reaches_the_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, leaving: bool
) -> None:
    """Somebody writes between the removal and whatever the remover still has to look up."""
    group = world.group("bea", "carlos", "ana")
    world.online("bea")
    world.enter(group, "bea")
    world.profiles.require("ana")
    world.profiles.forget("bea")
    heard: list[bool] = []
    said: list[gevent.Greenlet] = []
    remove, get, deliver = world.store.conversations.remove_participant, world.store.users.get, world.published.deliver

    def remove_and_let_others_speak(*args: object, **kwargs: object) -> object:
        departure = remove(*args, **kwargs)  # type: ignore[arg-type]
        said.append(gevent.spawn(world.say, group))
        return departure

    def get_after_others(user_id: str) -> object:
        gevent.joinall(said, timeout=10)
        return get(user_id)

    def record(event: Event, **kwargs: object) -> None:
        heard.extend([world.rooms.hears("bea-1", group.id)] if isinstance(event, MessageSent) else [])
        deliver(event, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store.conversations, "remove_participant", remove_and_let_others_speak)
    monkeypatch.setattr(world.store.users, "get", get_after_others)
    monkeypatch.setattr(world.published, "deliver", record)
    if leaving:
        world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))
    else:
        command = RemoveParticipant(conversation_id=group.id, user_id="bea")
        world.conversations.remove_participant(command, actor=Actor())
    gevent.joinall(said, timeout=10, raise_error=True)
    assert heard == [False]
    assert [event.user_id for event in world.published.of(MessageUnread)] == []


# ---------------------------------------------------------------- editing
def test_an_edited_message_is_told_to_the_room(world: World) -> None:
    message = world.say(world.group("ana", "bea"), "helo")
    world.events()
    world.clock.advance(60)
    edited = edit(world, message, "hello")
    assert (edited.content, edited.is_edited, edited.edited_at, edited.seq) == ("hello", True, at(60), message.seq)
    assert world.events() == [MessageEdited(edited, 2)]
    assert world.store.messages.get(message.id) == edited


@pytest.mark.parametrize("by", ["bea", None])
def test_only_the_sender_edits(world: World, by: str | None) -> None:
    message = world.say(world.group("ana", "bea"))
    with pytest.raises(NotMessageSender):
        world.messages.edit(EditMessage(message_id=message.id, new_content="x"), actor=Actor(by))


def test_an_unknown_message_cannot_be_edited(world: World) -> None:
    with pytest.raises(MessageNotFound):
        world.messages.edit(EditMessage(message_id="none", new_content="x"), actor=Actor("ana"))


def test_only_text_is_edited(world: World) -> None:
    file = Attachment("https://elsewhere.example/a.png")
    message = world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=file)
    with pytest.raises(NotATextMessage):
        edit(world, message)


def test_a_message_is_editable_for_fifteen_minutes_and_not_longer(world: World) -> None:
    message = world.say(world.group("ana", "bea"))
    world.clock.advance(15 * 60)
    edit(world, message, "just in time")
    world.events()
    world.clock.advance(0.001)
    with pytest.raises(EditWindowClosed) as refused:
        edit(world, message, "too late")
    assert refused.value.details == {"messageId": message.id, "windowSeconds": 900}
    assert world.events() == []
    assert world.store.messages.get(message.id).content == "just in time"  # type: ignore[union-attr]


def test_a_deleted_message_cannot_be_edited(world: World) -> None:
    message = world.say(world.group("ana", "bea"))
    world.messages.delete(message.id, actor=OPERATOR)
    with pytest.raises(MessageDeletedAlready):
        edit(world, message)


def test_a_message_deleted_while_its_edit_is_on_the_way_stays_deleted(world: World, overtake: Overtake) -> None:
    message = world.say(world.group("ana", "bea"), "secret")
    with pytest.raises(MessageDeletedAlready):
        overtake(
            lambda: edit(world, message),
            world.store.messages,
            "get",
            meanwhile=lambda: world.messages.delete(message.id, actor=OPERATOR),
        )
    assert world.published.of(MessageEdited) == []


def test_who_has_left_a_group_edits_nothing_there(world: World) -> None:
    group = world.group("ana", "bea")
    message = world.say(group, by="bea")
    world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))
    with pytest.raises(NotAParticipant):
        edit(world, message, by="bea")
    assert world.published.of(MessageEdited) == []


# ---------------------------------------------------------------- deleting
def test_a_deleted_message_leaves_a_tombstone_and_its_file_goes(world: World) -> None:
    group = world.group("ana", "bea")
    file = world.store_file("photo.png", thumbnail=True)
    message = world.say(group, "{}", message_type=MessageType.FILE, attachment=file)
    world.events()
    tombstone = world.messages.delete_own(DeleteMessage(message_id=message.id), actor=Actor("ana"))
    assert (tombstone.is_deleted, tombstone.content, tombstone.attachment) == (True, "", None)
    assert world.events() == [MessageDeleted(message.id, group.id, 1, 2)]
    for name in ("photo.png", "photo-thumb.webp"):
        with pytest.raises(FileNotStored):
            world.files.open(name)


def test_deleting_twice_is_fine_and_told_once(world: World) -> None:
    message = world.say(world.group("ana", "bea"))
    tombstone = world.messages.delete(message.id, actor=OPERATOR)
    world.events()
    assert world.messages.delete(message.id, actor=OPERATOR) == tombstone
    assert world.events() == []


def test_only_the_sender_deletes_by_socket(world: World) -> None:
    message = world.say(world.group("ana", "bea"))
    with pytest.raises(NotMessageSender):
        world.messages.delete_own(DeleteMessage(message_id=message.id), actor=Actor("bea"))
    assert not world.store.messages.get(message.id).is_deleted  # type: ignore[union-attr]


def test_a_file_that_another_message_carries_stays(world: World) -> None:
    group = world.group("ana", "bea")
    file = world.store_file()
    first, second = (world.say(group, message_type=MessageType.FILE, attachment=file) for _ in range(2))
    world.messages.delete(first.id, actor=OPERATOR)
    assert world.files.open("photo.png").file.size == 3
    world.messages.delete(second.id, actor=OPERATOR)
    with pytest.raises(FileNotStored):
        world.files.open("photo.png")


def test_the_room_learns_of_a_deletion_even_when_the_file_cannot_be_removed(world: World) -> None:
    message = world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=world.store_file())
    world.files.close()
    world.messages.delete(message.id, actor=OPERATOR)
    assert world.published.of(MessageDeleted) == [MessageDeleted(message.id, message.conversation_id, 1, 2)]


def test_a_file_elsewhere_is_left_alone(world: World) -> None:
    file = Attachment("https://elsewhere.example/a.png")
    message = world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=file)
    assert world.messages.delete(message.id, actor=OPERATOR).attachment is None


# ---------------------------------------------------------------- purging
@pytest.mark.parametrize(("count", "batch_size"), [(0, 3), (2, 3), (3, 3), (7, 3), (7, 1), (7, 25)])
def test_a_purge_removes_every_message_batch_by_batch(world: World, count: int, batch_size: int) -> None:
    group, private = world.group("ana", "bea"), world.private("ana", "bea")
    for number in range(count):
        world.say(group if number % 2 else private)
    assert world.messages.purge(batch_size=batch_size, actor=OPERATOR) == count
    assert world.messages.list_all(ListPage(), actor=OPERATOR).items == []


def test_after_a_purge_numbering_goes_on_and_nothing_is_unread(world: World) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    for _ in range(5):
        world.say(group)
    world.messages.purge(batch_size=2, actor=OPERATOR)
    assert [entry.unread_count for entry in world.conversations.inbox("bea", actor=OPERATOR)] == [0]
    world.events()
    assert world.say(group).seq == 6
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [1]


def test_a_purge_takes_the_files_along(world: World) -> None:
    world.say(world.group("ana", "bea"), message_type=MessageType.FILE, attachment=world.store_file())
    world.messages.purge(batch_size=25, actor=OPERATOR)
    with pytest.raises(FileNotStored):
        world.files.open("photo.png")


def test_who_goes_offline_during_a_purge_stays_offline(world: World, overtake: Overtake) -> None:
    world.group("ana", "bea")
    world.online("bea")

    def go_offline() -> None:
        world.presence.disconnect("bea", "bea-1")
        world.scheduler.advance(2)

    overtake(
        lambda: world.messages.purge(batch_size=5, actor=OPERATOR),
        world.store.conversations,
        "marks",
        meanwhile=go_offline,
    )
    assert world.audience.present() == ()


def test_who_is_taken_out_during_a_purge_stays_out(world: World, overtake: Overtake) -> None:
    group = world.group("ana", "bea")
    world.online("bea")

    def leave() -> None:
        world.conversations.leave_group(LeaveGroup(conversation_id=group.id), actor=Actor("bea"))

    overtake(
        lambda: world.messages.purge(batch_size=5, actor=OPERATOR), world.store.conversations, "marks", meanwhile=leave
    )
    assert world.audience.members(group.id) == ()


def test_counts_are_right_even_when_a_purge_stops_half_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    group = world.group("ana", "bea")
    world.online("bea")
    world.say(group)
    store = world.store.messages
    answers = iter([store.purge(limit=1)])  # then the store is down
    monkeypatch.setattr(store, "purge", lambda *, limit: next(answers, None) or _unavailable())
    with pytest.raises(StoreUnavailable):
        world.messages.purge(batch_size=1, actor=OPERATOR)
    world.events()
    world.say(group)
    assert [event.unread_count for event in world.published.of(MessageUnread)] == [1]


# ---------------------------------------------------------------- reading
def test_history_is_paged_in_both_directions(world: World) -> None:
    group = world.group("ana", "bea")
    last = [world.say(group, str(number)) for number in range(1, 8)][-1]
    assert page(world, last, limit=7) == ([1, 2, 3, 4, 5, 6, 7], False, False)
    assert page(world, last, limit=3) == ([5, 6, 7], True, False)
    assert page(world, last, limit=3, before=5) == ([2, 3, 4], True, True)
    assert page(world, last, limit=3, before=4) == ([1, 2, 3], False, True)
    assert page(world, last, limit=3, before=2) == ([1], False, True)
    assert page(world, last, limit=3, before=1) == ([], False, True)
    assert page(world, last, limit=3, after=0) == ([1, 2, 3], False, True)
    assert page(world, last, limit=3, after=3) == ([4, 5, 6], True, True)
    assert page(world, last, limit=3, after=4) == ([5, 6, 7], True, False)
    assert page(world, last, limit=3, after=7) == ([], True, False)


def test_a_new_conversation_has_an_empty_history(world: World) -> None:
    found = world.messages.history(ReadHistory(conversation_id=world.group("ana", "bea").id), actor=OPERATOR)
    assert (found.messages, found.has_older, found.has_newer) == ([], False, False)


def test_the_history_of_an_unknown_conversation_is_not_found(world: World) -> None:
    with pytest.raises(ConversationNotFound):
        world.messages.history(ReadHistory(conversation_id="none"), actor=OPERATOR)


def test_the_operator_pages_through_every_message(world: World) -> None:
    group, private = world.group("ana", "bea"), world.private("ana", "bea")
    sent = {world.say(conversation).id for conversation in (group, private, group)}
    first = world.messages.list_all(ListPage(limit=2), actor=OPERATOR)
    second = world.messages.list_all(ListPage(limit=2, cursor=first.next_cursor), actor=OPERATOR)
    assert {message.id for message in (*first.items, *second.items)} == sent
    assert (len(first.items), len(second.items), second.next_cursor) == (2, 1, None)


@pytest.mark.parametrize("by_purge", [True, False])
def test_a_repeated_reply_is_answered_although_what_it_quotes_is_gone(world: World, by_purge: bool) -> None:
    group = world.group("ana", "bea")
    target = world.say(group, "original")
    first = world.say(group, "reply", reply_to=target.id, client_message_id="k")
    if by_purge:
        world.messages.purge(batch_size=25, actor=OPERATOR)
    world.events()
    again = world.say(group, "reply", reply_to=target.id, client_message_id="k")
    assert (again.id, again.seq) == (first.id, first.seq)
    assert world.events() == []


def test_a_repeated_file_message_is_answered_although_its_file_is_gone(world: World) -> None:
    file, group = world.store_file("photo.png"), world.group("ana", "bea")
    first = world.say(group, "", message_type=MessageType.FILE, attachment=file, client_message_id="k")
    world.messages.delete(first.id, actor=OPERATOR)
    again = world.say(group, "", message_type=MessageType.FILE, attachment=file, client_message_id="k")
    assert (again.id, again.is_deleted) == (first.id, True)
    with pytest.raises(UnknownFile):
        world.say(group, "", message_type=MessageType.FILE, attachment=file, client_message_id="other")


def test_a_file_store_that_is_down_does_not_undo_a_deletion(world: World, caplog: pytest.LogCaptureFixture) -> None:
    file, group = world.store_file("photo.png"), world.group("ana", "bea")
    sent = world.say(group, "", message_type=MessageType.FILE, attachment=file)
    with store_down(world.files, "delete", error=FilesUnavailable):
        assert world.messages.delete(sent.id, actor=OPERATOR).is_deleted
    assert "photo.png" in caplog.text

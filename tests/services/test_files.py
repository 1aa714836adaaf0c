"""Uploads, avatars and downloads, over a real folder, a real inspector and a real store."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from PIL import Image

from chatapp.adapters.file_inspector import ContentInspector
from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.no_scanner import NoScanner
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.domain.commands import DeleteMessage, UploadFile
from chatapp.domain.errors import (
    ConversationNotFound,
    FileNotStored,
    FilesUnavailable,
    FileTypeNotAllowed,
    IdempotencyKeyReused,
    InvalidData,
    NotAParticipant,
    NotIdentified,
    ReplyTargetMissing,
    StoreUnavailable,
    TooLarge,
    UserNotFound,
)
from chatapp.domain.events import MessageSent
from chatapp.domain.happenings import Happening
from chatapp.domain.models import OPERATOR, Actor, Message, MessageType, Scope, Standing, StoredFile
from chatapp.ports import Appended, LocalDownload, VirusScanner
from chatapp.services.attachments import AttachmentSweeper, file_name_in
from chatapp.services.audience import Audience
from chatapp.services.audit import AuditService
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.files import AVATAR_MAX_BYTES, FileService, IncomingFile, Uploaded
from chatapp.services.filials import Filials
from chatapp.services.messages import MessageService
from chatapp.services.profiles import Profiles
from chatapp.services.replay import Replay
from chatapp.services.revocations import RevocationService
from chatapp.services.telling import Teller
from chatapp.services.users import UserService
from chatapp.settings import Settings
from tests.contracts.builders import group, save_people, say
from tests.fakes import FakeClock, ManualScheduler, RecordingPublisher, RecordingRooms, SequentialIds

MAX_BYTES = 10 * 1024 * 1024
ANA, CARLOS = Actor("ana"), Actor("carlos")
TEXT = "Acta de la reunión\n".encode()


class House:
    """The services around ``FileService``, on real adapters in one folder."""

    def __init__(self, tmp_path: Path, scanner: VirusScanner | None = None) -> None:
        self.scanner = scanner or NoScanner()
        self.folder = tmp_path / "uploads"
        self.store = SqliteStore(tmp_path / "chat.db")
        self.file_store = LocalFiles(self.folder)
        self.inspector = ContentInspector()
        self.publisher, self.clock, self.ids = RecordingPublisher(), FakeClock(), SequentialIds()
        self.presence, self.rooms, self.audience = MemoryPresence(), RecordingRooms(), Audience()
        self.profiles, self.sweeper = Profiles(self.store.users), AttachmentSweeper(self.file_store)
        teller = Teller(self.audience, self.presence, self.rooms, self.publisher)
        deliveries = Deliveries(
            Replay(self.store, self.profiles), teller.tell, self.publisher, scheduler=ManualScheduler(self.clock)
        )
        filials = Filials(self.store.users, isolated=False)
        audit, scheduler = AuditService(self.store.audit, clock=self.clock), ManualScheduler(self.clock)
        revocations = RevocationService(
            self.store.revocations, audit, self.publisher, clock=self.clock, scheduler=scheduler
        )
        self.conversations = ConversationService(
            self.store,
            self.presence,
            self.audience,
            self.profiles,
            filials,
            self.rooms,
            teller,
            deliveries,
            self.sweeper,
            self.publisher,
            audit,
            clock=self.clock,
            ids=self.ids,
        )
        self.access = FileAccess(self.store, self.file_store)
        self.messages = MessageService(
            self.store,
            self.access,
            self.audience,
            self.profiles,
            deliveries,
            self.sweeper,
            self.publisher,
            audit,
            clock=self.clock,
            ids=self.ids,
        )
        self.users = UserService(
            self.store,
            self.presence,
            self.conversations,
            self.profiles,
            filials,
            self.rooms,
            self.publisher,
            revocations,
            audit,
            clock=self.clock,
            ids=self.ids,
        )
        self.files = self.service()
        save_people(self.store)
        self.store.conversations.create_group(group("ana", "bea"))

    def service(self, **changes: Any) -> FileService:
        limits = {"allowed_types": Settings().allowed_types, "max_bytes": MAX_BYTES, **changes}
        return FileService(
            self.file_store,
            self.inspector,
            self.scanner,
            self.messages,
            self.conversations,
            self.users,
            self.sweeper,
            clock=self.clock,
            ids=self.ids,
            **limits,
        )

    def close(self) -> None:
        self.inspector.close()
        self.file_store.close()
        self.store.close()

    # ------------------------------------------------------------ what a test does and sees
    def incoming(self, data: bytes, name: str = "acta.txt") -> IncomingFile:
        path = self.file_store.staging() / self.ids.new()
        path.write_bytes(data)
        return IncomingFile(path, name, len(data), hashlib.sha256(data).hexdigest())

    def send(
        self, data: bytes = TEXT, *, name: str = "acta.txt", actor: Actor = ANA, to: str = "g1", **more: Any
    ) -> Uploaded:
        return self.files.upload(UploadFile(conversation_id=to, **more), self.incoming(data, name), actor=actor)

    def stored(self) -> set[str]:
        """Names of the files at rest."""
        return {path.name for path in self.folder.iterdir() if path.is_file()}

    def bytes_of(self, url: str | None) -> bytes:
        return self.download(url).path.read_bytes()

    def download(self, url: str | None) -> LocalDownload:
        found = self.access.open(file_name_in(url or "") or "", actor=Actor())
        assert isinstance(found, LocalDownload)
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = House(tmp_path)
    yield opened
    opened.close()


def picture(kind: str = "PNG", size: tuple[int, int] = (640, 480)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind)
    return written.getvalue()


def wave() -> bytes:
    samples = bytes(800)
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"".join(n.to_bytes(size, "little") for n, size in ((1, 2), (1, 2), (8000, 4), (8000, 4), (1, 2), (8, 2)))
    return head + form + b"data" + len(samples).to_bytes(4, "little") + samples


# ---------------------------------------------------------------- an upload becomes a message
def test_an_upload_becomes_a_file_message(house: House) -> None:
    uploaded = house.send()
    message = uploaded.message
    assert message is not None
    assert (message.message_type, message.seq, message.sender_id) == (MessageType.FILE, 1, "ana")
    assert (message.file_name, message.file_size, message.file_type) == ("acta.txt", len(TEXT), "text/plain")
    assert message.thumbnail_url is None
    assert message.attachment == uploaded.attachment
    assert house.bytes_of(message.file_url) == TEXT
    assert house.publisher.of(MessageSent) == [MessageSent(message)]
    assert house.store.messages.history("g1", limit=10) == [message]


def test_sound_becomes_an_audio_message_whatever_its_name_says(house: House) -> None:
    message = house.send(wave(), name="nota.txt").message
    assert message is not None
    assert (message.message_type, message.file_type, message.file_name) == (MessageType.AUDIO, "audio/wav", "nota.txt")


def test_names_are_an_id_and_the_time_and_end_as_the_bytes_are(house: House) -> None:
    url = house.send(picture(), name="evil.html").attachment.url
    name = file_name_in(url)
    assert name is not None
    assert name.endswith("-1737972000000.png")
    assert url.startswith("/api/files/00000000-0000-4000-8000-")


def test_what_is_known_of_a_file_is_kept_with_it(house: House) -> None:
    uploaded = house.send()
    name = file_name_in(uploaded.attachment.url) or ""
    expected = StoredFile(name, "acta.txt", "text/plain", len(TEXT), house.clock.now(), "ana")
    assert house.download(uploaded.attachment.url).file == expected


def test_a_picture_gets_a_thumbnail(house: House) -> None:
    uploaded = house.send(picture("JPEG"), name="foto.jpg")
    assert uploaded.message is not None
    assert uploaded.message.thumbnail_url == uploaded.attachment.thumbnail_url
    small = house.download(uploaded.attachment.thumbnail_url)
    assert small.file.media_type == "image/webp"
    assert small.file.size == len(small.path.read_bytes())
    assert Image.open(io.BytesIO(small.path.read_bytes())).size == (320, 240)
    assert list(house.file_store.staging().iterdir()) == []


def test_a_picture_that_cannot_be_read_is_sent_without_a_thumbnail(house: House) -> None:
    noise = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(noise, "PNG")
    uploaded = house.send(noise.getvalue()[:5000], name="foto.png")
    assert (uploaded.attachment.type, uploaded.attachment.thumbnail_url) == ("image/png", None)
    assert len(house.stored()) == 1


def test_without_a_caption_the_content_is_the_files_description(house: House) -> None:
    message = house.send(name='Señal "final".txt').message
    assert message is not None
    assert json.loads(message.content) == {
        "fileUrl": message.file_url,
        "fileName": 'Señal "final".txt',
        "fileSize": len(TEXT),
        "fileType": "text/plain",
    }
    assert "Señal" in message.content


def test_a_caption_is_the_content(house: House) -> None:
    message = house.send(content="Mira").message
    assert message is not None
    assert (message.content, message.message_type) == ("Mira", MessageType.FILE)


def test_an_upload_may_reply(house: House) -> None:
    original = say(house.store, "¿Y el acta?", by="bea")
    message = house.send(reply_to=original.id).message
    assert message is not None
    assert (message.is_reply, message.reply_to, message.reply_preview) == (True, original.id, "¿Y el acta?")


def test_a_quoted_file_shows_its_name_and_never_its_json(house: House) -> None:
    file, sound = house.send().message, house.send(wave(), name="nota.wav").message
    assert file is not None
    assert sound is not None
    quotes = [house.send(reply_to=quoted.id).message for quoted in (file, sound)]
    assert [quote.reply_preview for quote in quotes if quote] == ["Archivo: acta.txt", "Audio: nota.wav"]


# ---------------------------------------------------------------- only stored
def test_with_neither_conversation_nor_sender_a_file_is_only_stored(house: House) -> None:
    uploaded = house.files.upload(UploadFile(), house.incoming(TEXT), actor=Actor())
    assert uploaded.message is None
    assert house.bytes_of(uploaded.attachment.url) == TEXT
    assert house.publisher.events == []
    assert house.store.messages.history("g1", limit=10) == []


@pytest.mark.parametrize(
    ("conversation_id", "actor", "missing"), [("g1", Actor(), "senderId"), (None, ANA, "conversationId")]
)
def test_one_of_conversation_and_sender_is_not_enough(
    house: House, conversation_id: str | None, actor: Actor, missing: str
) -> None:
    with pytest.raises(InvalidData) as caught:
        house.files.upload(UploadFile(conversation_id=conversation_id), house.incoming(TEXT), actor=actor)
    assert caught.value.details == {"fields": {missing: ["required"]}}
    assert house.stored() == set()


def test_who_is_known_by_a_token_may_only_store_a_file_and_it_is_theirs(house: House) -> None:
    uploaded = house.files.upload(UploadFile(), house.incoming(TEXT), actor=Actor("ana", Standing.USER))
    assert uploaded.message is None
    assert house.download(uploaded.attachment.url).file.uploader_id == "ana"


def test_a_file_cannot_be_sent_in_nobodys_name(house: House) -> None:
    nobody = Actor(standing=Standing.KEY, scopes=frozenset({Scope.ADMIN}))
    with pytest.raises(NotIdentified):
        house.send(actor=nobody)
    assert house.stored() == set()


# ---------------------------------------------------------------- refused
def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not(house: House) -> None:
    house.files = house.service(max_bytes=len(TEXT))
    assert house.send().message is not None
    with pytest.raises(TooLarge) as caught:
        house.send(TEXT + b"!")
    assert caught.value.details == {"maxBytes": len(TEXT)}
    assert len(house.stored()) == 1


def test_an_empty_file_is_refused(house: House) -> None:
    with pytest.raises(InvalidData) as caught:
        house.send(b"")
    assert caught.value.details == {"fields": {"file": ["empty"]}}
    assert house.stored() == set()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!DOCTYPE html><html></html>", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"#!/bin/sh\nrm -rf /\n", "text/x-shellscript"),
        (bytes(100), "application/octet-stream"),
    ],
)
def test_a_type_that_is_not_allowed_is_refused_whatever_its_name(house: House, data: bytes, kind: str) -> None:
    with pytest.raises(FileTypeNotAllowed) as caught:
        house.send(data, name="foto.png")
    assert caught.value.details == {"fileType": kind, "allowedTypes": sorted(Settings().allowed_types)}
    assert house.stored() == set()


def test_a_stranger_is_refused_before_anything_is_stored(house: House) -> None:
    house.file_store.put = _failing(AssertionError("stored"))  # type: ignore[method-assign]
    with pytest.raises(NotAParticipant):
        house.send(actor=CARLOS)
    with pytest.raises(ConversationNotFound):
        house.send(to="nowhere")
    assert house.stored() == set()


def test_a_send_that_fails_leaves_no_bytes(house: House) -> None:
    with pytest.raises(ReplyTargetMissing):
        house.send(picture(), reply_to="nothing")
    assert house.stored() == set()
    assert house.publisher.events == []


def test_a_store_that_fails_leaves_no_bytes(house: House) -> None:
    house.store.messages.append = _failing(StoreUnavailable(engine="sqlite"))  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        house.send(picture())
    assert house.stored() == set()


def test_a_picture_that_cannot_be_stored_leaves_no_thumbnail(house: House) -> None:
    put = house.file_store.put

    def only_small(file: StoredFile, source: Path) -> None:
        if file.media_type != "image/webp":
            raise FilesUnavailable(engine="local")
        put(file, source)

    house.file_store.put = only_small  # type: ignore[method-assign]
    with pytest.raises(FilesUnavailable):
        house.send(picture())
    assert house.stored() == set()


def test_a_file_that_cannot_be_stored_is_not_sent(house: House) -> None:
    house.file_store.put = _failing(FilesUnavailable(engine="local"))  # type: ignore[method-assign]
    for data in (TEXT, picture()):
        with pytest.raises(FilesUnavailable):
            house.send(data)
    assert house.publisher.events == []
    assert not list(house.file_store.staging().glob("*.thumb"))


def test_bytes_of_an_upload_that_is_killed_half_way_stay_with_its_message(house: House) -> None:
    append = house.store.messages.append

    def killed(draft: Message, *, fingerprint: str, along: Sequence[Happening]) -> Appended:
        append(draft, fingerprint=fingerprint, along=along)
        raise gevent.GreenletExit  # the write was on its way, and nobody waits for its end any more

    house.store.messages.append = killed  # type: ignore[method-assign]
    with pytest.raises(gevent.GreenletExit):
        house.send()
    assert house.bytes_of(house.store.messages.history("g1", limit=10)[0].file_url) == TEXT


def _failing(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# ---------------------------------------------------------------- repeated
def test_a_repeated_upload_keeps_the_first_bytes_and_drops_the_second(house: House) -> None:
    first = house.send(picture(), client_message_id="c1")
    at_rest = house.stored()
    house.clock.advance(5)
    second = house.send(picture(), client_message_id="c1")
    assert second == first
    assert house.stored() == at_rest
    assert house.bytes_of(second.attachment.url) == picture()
    assert len(house.publisher.of(MessageSent)) == 1


@pytest.mark.parametrize("change", [{"data": b"otra cosa\n"}, {"name": "otra.txt"}, {"content": "Mira"}])
def test_a_key_with_another_file_is_refused_and_the_first_stays(house: House, change: dict[str, Any]) -> None:
    first = house.send(client_message_id="c1")
    with pytest.raises(IdempotencyKeyReused):
        house.send(**{"client_message_id": "c1", **change})
    assert house.stored() == {file_name_in(first.attachment.url)}


def test_two_uploads_without_a_key_are_two_messages(house: House) -> None:
    first, second = house.send(), house.send()
    assert first.attachment.url != second.attachment.url
    assert len(house.stored()) == 2


def test_deleting_the_message_deletes_bytes_and_thumbnail(house: House) -> None:
    message = house.send(picture()).message
    assert message is not None
    assert len(house.stored()) == 2
    house.messages.delete_own(DeleteMessage(message_id=message.id), actor=ANA)
    assert house.stored() == set()
    with pytest.raises(FileNotStored):
        house.download(message.file_url)


# ---------------------------------------------------------------- avatars
def test_an_avatar_is_stored_and_shown(house: House) -> None:
    user = house.files.set_avatar("ana", house.incoming(picture(), "yo.png"), actor=OPERATOR)
    assert house.users.get("ana", actor=OPERATOR) == user
    assert house.bytes_of(user.avatar) == picture()
    assert house.download(user.avatar).file.uploader_id == "ana"


def test_a_new_avatar_sweeps_the_old_one(house: House) -> None:
    before = house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR)
    after = house.files.set_avatar("ana", house.incoming(picture("JPEG")), actor=OPERATOR)
    assert after.avatar != before.avatar
    assert len(house.stored()) == 2  # the picture and its thumbnail
    assert house.bytes_of(after.avatar) == picture("JPEG")


def test_a_removed_avatar_is_swept(house: House) -> None:
    house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR)
    assert house.files.remove_avatar("ana", actor=OPERATOR).avatar is None
    assert house.users.get("ana", actor=OPERATOR).avatar is None
    assert house.stored() == set()
    assert house.files.remove_avatar("ana", actor=OPERATOR).avatar is None


def test_an_avatar_elsewhere_is_left_alone(house: House) -> None:
    house.users.set_avatar("ana", "https://example.com/ana.png")
    user = house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR)
    assert house.bytes_of(user.avatar) == picture()


@pytest.mark.parametrize("prefix", ["/api/files/", "/uploads/"])
def test_a_file_that_a_profile_only_names_is_left_alone(house: House, prefix: str) -> None:
    sent = house.send(picture()).attachment
    house.users.set_avatar("ana", prefix + (file_name_in(sent.url) or ""))
    house.files.remove_avatar("ana", actor=OPERATOR)
    assert house.bytes_of(sent.url) == picture()
    house.users.set_avatar("ana", sent.url)
    house.files.set_avatar("ana", house.incoming(picture("JPEG")), actor=OPERATOR)
    assert house.bytes_of(sent.url) == picture()


def test_another_users_avatar_is_left_alone(house: House) -> None:
    hers = house.files.set_avatar("bea", house.incoming(picture()), actor=OPERATOR).avatar
    house.users.set_avatar("ana", hers)
    house.files.remove_avatar("ana", actor=OPERATOR)
    assert house.bytes_of(hers) == picture()


def test_an_avatar_whose_bytes_are_gone_can_be_removed(house: House) -> None:
    gone = house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR).avatar
    house.file_store.delete(file_name_in(gone or "") or "")
    assert house.files.remove_avatar("ana", actor=OPERATOR).avatar is None


@pytest.mark.parametrize("data", [TEXT, wave(), b'<svg xmlns="http://www.w3.org/2000/svg"/>'])
def test_an_avatar_must_be_a_picture(house: House, data: bytes) -> None:
    house.files = house.service(allowed_types=["*/*"])
    with pytest.raises(FileTypeNotAllowed) as caught:
        house.files.set_avatar("ana", house.incoming(data), actor=OPERATOR)
    assert caught.value.details["allowedTypes"] == ["image/*"]
    assert house.stored() == set()


def test_an_avatar_has_a_limit_of_its_own(house: House) -> None:
    large = replace(house.incoming(picture()), size=AVATAR_MAX_BYTES + 1)
    with pytest.raises(TooLarge) as caught:
        house.files.set_avatar("ana", large, actor=OPERATOR)
    assert caught.value.details == {"maxBytes": AVATAR_MAX_BYTES}
    house.files = house.service(max_bytes=10)
    with pytest.raises(TooLarge) as caught:
        house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR)
    assert caught.value.details == {"maxBytes": 10}


def test_an_empty_avatar_is_refused(house: House) -> None:
    with pytest.raises(InvalidData) as caught:
        house.files.set_avatar("ana", house.incoming(b""), actor=OPERATOR)
    assert caught.value.details == {"fields": {"avatar": ["empty"]}}


def test_an_avatar_of_nobody_stores_nothing(house: House) -> None:
    house.file_store.put = _failing(AssertionError("stored"))  # type: ignore[method-assign]
    with pytest.raises(UserNotFound):
        house.files.set_avatar("nobody", house.incoming(picture()), actor=OPERATOR)
    with pytest.raises(UserNotFound):
        house.files.remove_avatar("nobody", actor=OPERATOR)
    assert house.stored() == set()


def test_an_avatar_that_cannot_be_saved_leaves_no_bytes(house: House) -> None:
    house.store.users.set_avatar = _failing(StoreUnavailable(engine="sqlite"))  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        house.files.set_avatar("ana", house.incoming(picture()), actor=OPERATOR)
    assert house.stored() == set()


# ---------------------------------------------------------------- downloads
@pytest.mark.parametrize("name", ["missing.png", "../chat.db", ".meta", "", "a/b"])
def test_a_name_that_is_not_stored_is_not_found(house: House, name: str) -> None:
    with pytest.raises(FileNotStored):
        house.access.open(name, actor=Actor())

"""The only place that picks adapters."""

from __future__ import annotations

from chatapp.adapters.file_inspector import ContentInspector
from chatapp.adapters.local_files import LocalFiles
from chatapp.adapters.memory_presence import MemoryPresence
from chatapp.adapters.sqlite_store import SqliteStore
from chatapp.adapters.system import GeventScheduler, RandomIds, SystemClock
from chatapp.ports import EventPublisher, Rooms
from chatapp.services.attachments import AttachmentSweeper
from chatapp.services.audience import Audience
from chatapp.services.chat import Chat
from chatapp.services.conversations import ConversationService
from chatapp.services.files import FileService
from chatapp.services.messages import MessageService
from chatapp.services.presence import PresenceService
from chatapp.services.profiles import Profiles
from chatapp.services.typing import TypingService
from chatapp.services.users import UserService
from chatapp.settings import Settings


def build_chat(settings: Settings, publisher: EventPublisher, rooms: Rooms) -> Chat:
    """Opens the engines. Raises StoreUnavailable, FilesUnavailable."""
    clock, ids, scheduler = SystemClock(), RandomIds(), GeventScheduler()
    store = SqliteStore(settings.sqlite_path)
    files = LocalFiles(settings.upload_path)
    presence, audience = MemoryPresence(), Audience()
    profiles, sweeper = Profiles(store.users), AttachmentSweeper(files)

    conversations = ConversationService(
        store, presence, audience, profiles, rooms, sweeper, publisher, clock=clock, ids=ids
    )
    messages = MessageService(store, files, presence, audience, profiles, sweeper, publisher, clock=clock, ids=ids)
    users = UserService(store, presence, conversations, profiles, rooms, clock=clock, ids=ids)
    typing = TypingService(store, presence, profiles, publisher, scheduler=scheduler)
    return Chat(
        users=users,
        conversations=conversations,
        messages=messages,
        files=FileService(
            files,
            ContentInspector(),
            messages,
            conversations,
            users,
            sweeper,
            clock=clock,
            ids=ids,
            allowed_types=settings.allowed_types,
            max_bytes=settings.upload_max_bytes,
        ),
        presence=PresenceService(
            store,
            presence,
            audience,
            profiles,
            typing,
            rooms,
            publisher,
            clock=clock,
            scheduler=scheduler,
            grace_seconds=settings.presence_grace_seconds,
        ),
        typing=typing,
        store=store,
        file_store=files,
    )

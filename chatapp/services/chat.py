"""The whole chat in one hand: what the transports are given."""

from __future__ import annotations

from dataclasses import dataclass

from chatapp.domain.errors import Unavailable
from chatapp.ports import Bus, FileStore, Store
from chatapp.services.api_keys import ApiKeyService
from chatapp.services.audit import AuditService
from chatapp.services.calls.service import CallService
from chatapp.services.calls.sweeper import CallSweeper
from chatapp.services.catching_up import CatchUpService
from chatapp.services.conversations import ConversationService
from chatapp.services.deliveries import Deliveries
from chatapp.services.file_access import FileAccess
from chatapp.services.file_links import FileLinks
from chatapp.services.files import FileService
from chatapp.services.messages import MessageService
from chatapp.services.presence import PresenceService
from chatapp.services.revocations import RevocationService
from chatapp.services.typing import TypingService
from chatapp.services.users import UserService
from chatapp.services.webhook_outbox import WebhookOutbox
from chatapp.services.webhook_sweeping import WebhookSweeper
from chatapp.services.webhooks import WebhookService


@dataclass(frozen=True, slots=True)
class Chat:
    users: UserService
    conversations: ConversationService
    messages: MessageService
    catch_up: CatchUpService
    deliveries: Deliveries
    files: FileService
    file_access: FileAccess
    file_links: FileLinks
    calls: CallService
    call_sweeper: CallSweeper
    presence: PresenceService
    typing: TypingService
    api_keys: ApiKeyService
    revocations: RevocationService
    audit: AuditService
    webhooks: WebhookService
    outbox: WebhookOutbox
    webhook_sweeper: WebhookSweeper
    store: Store
    file_store: FileStore
    bus: Bus

    def check(self) -> dict[str, str]:
        """What each engine says of itself: ``ok``, or a sentence. Raises nothing."""
        return {"store": _ask(self.store), "files": _ask(self.file_store), "bus": _ask(self.bus)}

    def close(self) -> None:
        """Finish what was accepted and let go of the engines."""
        self.presence.close()
        self.call_sweeper.stop()
        self.calls.close()
        self.webhook_sweeper.stop()
        self.bus.close()
        self.store.close()
        self.file_store.close()


def _ask(engine: Store | FileStore | Bus) -> str:
    try:
        engine.check()
    except Unavailable as exc:
        return str(exc)
    return "ok"

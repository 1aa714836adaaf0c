"""URLs that carry their own proof, for what can send no token: ``<img>``, ``<audio>``.

A link is good for one file, in one user's name and for ``LIFETIME``. What it proves is who asks, nothing more: whether
that user may have the file is asked when the link is used, as with a token. It ends with their membership.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from chatapp.domain.errors import FileNotStored, LinkExpired, LinkInvalid
from chatapp.domain.models import Actor, Scope, Standing
from chatapp.ports import Clock
from chatapp.services.actors import require_name, require_scope
from chatapp.services.attachments import file_name_in
from chatapp.services.file_access import FileAccess

LIFETIME = timedelta(minutes=15)
"""Of every link; when one was signed follows from when it ends."""

PURPOSE = b"chatapp file links 1"
"""The secret may be good for other things too; what is signed here is good for nothing else."""

USER, SEES_ALL, EXPIRES, SIGNATURE = "u", "all", "ex", "sig"
"""What stands in the query."""

IsRevoked = Callable[[str, datetime], bool]
"""Whether what was issued to this user at that time counts no more."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """``code`` says why there is none."""

    url: str
    signed_url: str | None = None
    expires_at: datetime | None = None
    code: str | None = None


def link_key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), PURPOSE, hashlib.sha256)


class FileLinks:
    def __init__(self, access: FileAccess, *, key: bytes, clock: Clock, is_revoked: IsRevoked) -> None:
        self._access = access
        self._key = key
        self._clock = clock
        self._is_revoked = is_revoked

    # ------------------------------------------------------------ signing
    def sign(self, urls: Iterable[str], *, actor: Actor) -> list[FileLink]:
        """One for each URL, in their order.

        Raises NotIdentified, ScopeMissing, and whatever engine fails.
        """
        holder = _holder(actor)
        expires_at = self._clock.now().replace(microsecond=0) + LIFETIME
        return [self._sign(url, holder, expires_at) for url in urls]

    def _sign(self, url: str, holder: Actor, expires_at: datetime) -> FileLink:
        name = file_name_in(url)
        try:
            if name is None:
                raise FileNotStored(name=url)
            self._access.open(name, actor=holder)
        except FileNotStored as refusal:
            return FileLink(url, code=refusal.code)
        return FileLink(url, f"{url}?{urlencode(self._query(name, holder, expires_at))}", expires_at)

    def _query(self, name: str, holder: Actor, expires_at: datetime) -> dict[str, str]:
        query = {EXPIRES: str(int(expires_at.timestamp()))}
        if holder.user_id is not None:
            query[USER] = holder.user_id
        if holder.is_admin:
            query[SEES_ALL] = "1"
        return query | {SIGNATURE: self._signature(name, query)}

    def _signature(self, name: str, query: Mapping[str, str]) -> str:
        said = json.dumps([name, *(query.get(part) for part in (EXPIRES, USER, SEES_ALL))])
        return urlsafe_b64encode(hmac.digest(self._key, said.encode(), hashlib.sha256)).rstrip(b"=").decode()

    # ------------------------------------------------------------ believing
    def holder_of(self, name: str, query: Mapping[str, str]) -> Actor:
        """In whose name a link to this file was signed. Raises LinkInvalid, LinkExpired."""
        given = query.get(SIGNATURE, "").encode(errors="replace")
        if not hmac.compare_digest(self._signature(name, query).encode(), given):
            raise LinkInvalid(name=name)
        expires_at = datetime.fromtimestamp(int(query[EXPIRES]), UTC)  # signed, and so written by us
        if expires_at <= self._clock.now():
            raise LinkExpired(name=name)
        user_id = query.get(USER)
        if user_id is not None and self._is_revoked(user_id, expires_at - LIFETIME):
            raise LinkInvalid(name=name)
        return Actor(user_id, Standing.ADMIN if SEES_ALL in query else Standing.USER)


def _holder(actor: Actor) -> Actor:
    """Whoever will use the link: a user, or somebody who sees all."""
    if actor.is_admin:
        return Actor(actor.user_id, Standing.ADMIN)
    require_scope(actor, Scope.ADMIN)
    return Actor(require_name(actor), Standing.USER)

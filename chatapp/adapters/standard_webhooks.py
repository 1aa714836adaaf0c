"""Keys and signatures as Standard Webhooks 1.0 has them (standardwebhooks.com).

What is signed is ``id.timestamp.body``. ``v1`` is HMAC-SHA256 with a secret that both sides know, ``v1a`` ed25519: who
verifies that one cannot sign. Every request has both, once for each pair of keys that is good.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from time import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from chatapp.domain.webhooks import Endpoint, LoggedEvent, SigningKeys

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"

SECRET_BYTES = 32
"""The standard asks for 24 to 64."""


TOLERANCE_SECONDS = 300
"""How old or how young a request may be, in the standard's own library too."""


class StandardKeys:
    def new(self) -> SigningKeys:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        return SigningKeys(
            secret=SECRET + _encode(secrets.token_bytes(SECRET_BYTES)),
            private_key=PRIVATE + _encode(private.private_bytes_raw()),
            public_key=PUBLIC + _encode(public),
        )


def headers_of(endpoint: Endpoint, event: LoggedEvent, now: datetime) -> dict[str, str]:
    signatures = [signature for keys in endpoint.keys_at(now) for signature in _signatures(keys, event, now)]
    return {
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


Verify = Callable[[Mapping[str, str], bytes], str | None]
"""Of a request's headers and body: why it is not good, None when it is."""


def verify_with(key: str) -> Verify:
    """``key``: whsec_… or whpk_…. Raises ValueError for anything else."""
    if key.startswith(SECRET):
        secret = b64decode(key.removeprefix(SECRET), validate=True)
        if secret:
            return lambda headers, body: _objection_of(Webhook(secret), headers, body)
    elif key.startswith(PUBLIC):
        public = Ed25519PublicKey.from_public_bytes(b64decode(key.removeprefix(PUBLIC), validate=True))
        return lambda headers, body: _objection_to(public, headers, body)
    raise ValueError("a key begins with whsec_ or whpk_")


def _objection_of(secret: Webhook, headers: Mapping[str, str], body: bytes) -> str | None:
    try:
        secret.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as exc:
        return str(exc)
    return None


def _objection_to(public: Ed25519PublicKey, headers: Mapping[str, str], body: bytes) -> str | None:
    """The standard's own library knows no ``v1a``."""
    said = {name.lower(): value for name, value in headers.items()}
    id_, at, signatures = (said.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (id_ and at and signatures):
        return "Missing required headers"
    if not at.isdigit() or abs(time() - int(at)) > TOLERANCE_SECONDS:
        return "Message timestamp too old or too new"
    signed = f"{id_}.{at}.".encode() + body
    good = [part for part in signatures.split() if part.startswith("v1a,") and _verifies(public, signed, part[4:])]
    return None if good else "No matching signature found"


def _verifies(public: Ed25519PublicKey, signed: bytes, signature: str) -> bool:
    try:
        public.verify(b64decode(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signatures(keys: SigningKeys, event: LoggedEvent, now: datetime) -> list[str]:
    private = Ed25519PrivateKey.from_private_bytes(b64decode(keys.private_key.removeprefix(PRIVATE)))
    signed = f"{event.id}.{int(now.timestamp())}.{event.body}".encode()
    return [Webhook(keys.secret).sign(event.id, now, event.body), f"v1a,{_encode(private.sign(signed))}"]


def _encode(data: bytes) -> str:
    return b64encode(data).decode()

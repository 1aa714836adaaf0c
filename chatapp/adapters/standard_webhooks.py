"""Keys and signatures as Standard Webhooks 1.0 has them (standardwebhooks.com).

What is signed is ``id.timestamp.body``. ``v1`` is HMAC-SHA256 with a secret that both sides know, ``v1a`` ed25519: who
verifies that one cannot sign. Every request has both, once for each pair of keys that is good.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook

from chatapp.domain.webhooks import Endpoint, LoggedEvent, SigningKeys

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"

SECRET_BYTES = 32
"""The standard asks for 24 to 64."""


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


def verifies(public_key: str, signed: bytes, signature: str) -> bool:
    """Whether a ``v1a`` signature (what follows the comma) is good."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix(PUBLIC)))
    try:
        key.verify(base64.b64decode(signature), signed)
    except Exception:
        return False
    return True


def _signatures(keys: SigningKeys, event: LoggedEvent, now: datetime) -> list[str]:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(keys.private_key.removeprefix(PRIVATE)))
    signed = f"{event.id}.{int(now.timestamp())}.{event.body}".encode()
    return [Webhook(keys.secret).sign(event.id, now, event.body), f"v1a,{_encode(private.sign(signed))}"]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()

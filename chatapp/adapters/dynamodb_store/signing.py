"""Who asks, in the headers of a POST to one URL: AWS's Signature Version 4.

botocore's signer reads the URL anew for each request, keeps the headers as those of an e-mail and derives the day's key
each time, which takes five times as long (docs/decisions/0011). ``tests/adapters/test_dynamodb_signing.py`` holds this
one equal to it.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import digest
from time import gmtime, strftime
from urllib.parse import quote, urlsplit

from botocore.credentials import ReadOnlyCredentials
from botocore.utils import normalize_url_path

from chatapp.adapters.dynamodb_store.http import host_of

SERVICE = "dynamodb"
ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.0"


class Signer:
    """``agent`` says what asks; it is not signed, since proxies may change it."""

    def __init__(self, url: str, *, region: str, agent: str) -> None:
        path = quote(normalize_url_path(urlsplit(url).path), safe="/~")
        self._start = f"POST\n{path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{host_of(url)}\nx-amz-date:"
        self._region = region
        self._agent = agent
        self._key = "", "", b""

    def headers(self, credentials: ReadOnlyCredentials, target: str, body: bytes) -> dict[str, str]:
        now = strftime("%Y%m%dT%H%M%SZ", gmtime())
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": self._agent, "X-Amz-Date": now, "X-Amz-Target": target}
        given, names = f"{now}\n", "content-type;host;x-amz-date;x-amz-target"
        if credentials.token:
            headers["X-Amz-Security-Token"] = token = " ".join(credentials.token.split())
            given += f"x-amz-security-token:{token}\n"
            names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
        asked = f"{self._start}{given}x-amz-target:{target}\n\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self._region}/{SERVICE}/aws4_request"
        said = f"{ALGORITHM}\n{now}\n{scope}\n{sha256(asked.encode()).hexdigest()}"
        signature = digest(self._key_of(credentials.secret_key, now[:8]), said.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _key_of(self, secret: str, day: str) -> bytes:
        """It is the same for a day, as long as the credentials are."""
        known_secret, known_day, key = self._key
        if (secret, day) != (known_secret, known_day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, SERVICE, "aws4_request"):
                key = digest(key, part.encode(), "sha256")
            self._key = secret, day, key
        return key

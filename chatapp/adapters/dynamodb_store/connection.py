"""One request to DynamoDB, and its answer.

Sessions and credentials are botocore's, and so is the way through a proxy. Its client is not asked: it walks a model
of the API along every value of a request and an answer, and takes most of what a request costs (docs/decisions/0011).
The API is JSON, and ours is written and read as it stands.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import botocore.session
import msgspec
import orjson
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import HTTPClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session, get_cert_path
from botocore.utils import get_environ_proxies

from chatapp.adapters.dynamodb_store.http import HttpServer
from chatapp.adapters.dynamodb_store.signing import Signer

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 2.0
"""Leaves room for a second attempt. DynamoDB answers in milliseconds; what takes two seconds is lost."""

CONNECTIONS = 200
"""Requests under way at once in a process; more than these open a connection each and close it again."""

API = "DynamoDB_20120810"

SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


class Refused(Exception):
    """DynamoDB's answer is an error. ``reasons``: of a cancelled transaction, a code for each action."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(answer.get("__type", status)).rpartition("#")[2]
        self.reasons = [str(reason.get("Code", "None")) for reason in answer.get("CancellationReasons") or []]
        super().__init__(f"{self.code}: {answer.get('message') or answer.get('Message')}")


class _Server(Protocol):
    """As ``HttpServer``, to which there is a way through a proxy too."""

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]: ...

    def close(self) -> None: ...


class _BehindProxy:
    """Proxies have ways of their own (a tunnel, TLS to them, names and passwords), which botocore's session knows."""

    def __init__(self, url: str, verify: str | bool, proxies: Mapping[str, str]) -> None:
        self._url = url
        self._session = URLLib3Session(
            verify=verify,
            proxies=proxies,
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            max_pool_connections=CONNECTIONS,
            socket_options=SOCKET_OPTIONS,
        )

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        answer = self._session.send(AWSRequest("POST", self._url, headers=headers, data=body).prepare())
        return answer.status_code, answer.content

    def close(self) -> None:
        self._session.close()


class Connection:
    """Without an endpoint it is AWS; without keys the usual chain finds them, and renews them when they expire."""

    def __init__(self, *, endpoint: str | None, region: str, access_key: str | None, secret_key: str | None) -> None:
        self._session = botocore.session.get_session()
        if access_key is not None:
            self._session.set_credentials(access_key, secret_key)
        self.client = self._session.create_client(
            "dynamodb", endpoint_url=endpoint, region_name=region, config=Config(retries={"total_max_attempts": 1})
        )
        """For what is asked by hand, and to tell the endpoint."""
        self._url = f"{self.client.meta.endpoint_url.rstrip('/')}/"
        self._signer = Signer(self._url, region=region, agent=self.client.meta.config.user_agent)
        verify = self._session.get_config_variable("ca_bundle") or True
        proxies = get_environ_proxies(self._url)
        self._server: _Server = (
            _BehindProxy(self._url, verify, proxies)
            if proxies
            else HttpServer(
                self._url,
                ca_file=get_cert_path(verify),
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                kept=CONNECTIONS,
            )
        )

    def ask(self, operation: str, request: Mapping[str, Any], read: Callable[[bytes], T]) -> T:
        """One attempt; ``read`` is given the answer's JSON. Raises Refused; HTTPClientError when there is no answer;
        BotoCoreError without credentials."""
        body = orjson.dumps(request)
        headers = self._signer.headers(self._credentials(), f"{API}.{operation}", body)
        status, answer = self._server.post(headers, body)
        if status != 200:
            raise Refused(status, _error(answer))
        try:
            return read(answer or b"{}")
        except msgspec.ValidationError:  # whole, and not what we have stored
            raise
        except ValueError as exc:  # cut off
            raise HTTPClientError(error=exc) from exc

    def _credentials(self) -> ReadOnlyCredentials:
        """Those of now: what expires is renewed here, and a request has a key and a token that belong together."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen: ReadOnlyCredentials = credentials.get_frozen_credentials()
        return frozen

    def close(self) -> None:
        self._server.close()
        self.client.close()


def _error(answer: bytes) -> dict[str, Any]:
    """What DynamoDB says of it, which is nothing when it was something in between that answered."""
    try:
        found: dict[str, Any] = orjson.loads(answer)
    except orjson.JSONDecodeError:
        found = {}
    return found

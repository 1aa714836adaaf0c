"""One request to DynamoDB, and its answer.

Sessions, credentials and signatures are botocore's, and so is the way through a proxy. Its client is not asked: it
walks a model of the API along every value of a request and an answer, and takes most of what a request costs
(docs/decisions/0011). The API is JSON, and ours is written and read as it stands.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Protocol

import botocore.session
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import HTTPClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session, get_cert_path
from botocore.utils import get_environ_proxies

from chatapp.adapters.dynamodb_store.http import HttpServer

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
        self._region = region
        self._session = botocore.session.get_session()
        if access_key is not None:
            self._session.set_credentials(access_key, secret_key)
        self.client = self._session.create_client(
            "dynamodb", endpoint_url=endpoint, region_name=region, config=Config(retries={"total_max_attempts": 1})
        )
        """For what is asked by hand, and to tell the endpoint."""
        self._url = f"{self.client.meta.endpoint_url.rstrip('/')}/"
        self._agent = self.client.meta.config.user_agent
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

    def ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One attempt. Raises Refused; HTTPClientError when there is no answer; BotoCoreError without credentials."""
        body = orjson.dumps(request)
        status, answer = self._server.post(self._signed(operation, body), body)
        try:
            found: dict[str, Any] = orjson.loads(answer or b"{}")
        except orjson.JSONDecodeError as exc:
            if status == 200:  # cut off
                raise HTTPClientError(error=exc) from exc
            found = {}
        if status != 200:
            raise Refused(status, found)
        return found

    def _signed(self, operation: str, body: bytes) -> Mapping[str, str]:
        """The headers."""
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "User-Agent": self._agent,
            "X-Amz-Target": f"{API}.{operation}",
        }
        request = AWSRequest("POST", self._url, headers=headers, data=body)
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        SigV4Auth(credentials.get_frozen_credentials(), "dynamodb", self._region).add_auth(request)
        signed: Mapping[str, str] = request.headers
        return signed

    def close(self) -> None:
        self._server.close()
        self.client.close()

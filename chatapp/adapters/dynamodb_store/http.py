"""POST requests of HTTP/1.1 to one server, over connections that are kept: one write, and an answer read by llhttp.

Opening a connection is ``http.client``'s, with TLS. Its exchange of messages is not used, nor is urllib3's: they read
headers as those of e-mails, and took more than half of what a request to DynamoDB costs (docs/decisions/0011).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from urllib.parse import urlsplit

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, HTTPClientError, SSLError
from httptools import HttpParserError, HttpResponseParser

BLOCK_BYTES = 65_536

IDLE_SECONDS = 20.0
"""What has been idle for longer is closed and not used again: servers close such connections, and who writes into one
that is being closed does not know whether it was read."""

PORTS = {"http": 80, "https": 443}


def host_of(url: str) -> str:
    """As the header says it: without a name and password, and without the port that is meant anyway."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower().removesuffix(f":{PORTS[parts.scheme]}")


class _Answer:
    """One, as far as it has come."""

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.status = 0
        self.complete = self.keeps_alive = False

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, block: bytes) -> None:
        if self._parser:
            self._parser.feed_data(block)

    # ---- called by the parser
    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The parser forgets what it knows afterwards; and as each knows the other, nobody else would part them."""
        if self._parser:
            self.status, self.keeps_alive = self._parser.get_status_code(), self._parser.should_keep_alive()
        self.complete, self._parser = True, None


class HttpServer:
    """``url``: of the server, whose path all requests are for. Times in seconds; reading is timed for each piece."""

    def __init__(self, url: str, *, ca_file: str, connect_timeout: float, read_timeout: float, kept: int) -> None:
        self._url = url
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._start = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {host_of(url)}\r\n"
        self._kept = kept
        self._idle: list[tuple[float, socket.socket]] = []  # the newest last, with when they became idle

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer.

        Raises ConnectTimeoutError, SSLError and EndpointConnectionError when nothing was sent; HTTPClientError when
        nothing came back in time, or no whole answer, or none that is HTTP: the request may have been carried out.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{self._start}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        connection = self._take() or self._open()
        try:
            answer = _exchange(connection, request)
        except (OSError, HttpParserError) as exc:
            connection.close()
            self.close()  # what ended this one may have ended the idle ones
            raise HTTPClientError(error=exc) from exc
        except BaseException:
            connection.close()
            raise
        if answer.keeps_alive and len(self._idle) < self._kept:
            self._idle.append((monotonic(), connection))
        else:
            connection.close()
        return answer.status, answer.body

    def close(self) -> None:
        """Those that are idle. What is under way goes on."""
        while self._idle:
            self._idle.pop()[1].close()

    def _take(self) -> socket.socket | None:
        if self._idle and monotonic() - self._idle[-1][0] > IDLE_SECONDS:
            self.close()
        return self._idle.pop()[1] if self._idle else None

    def _open(self) -> socket.socket:
        timeout = self._connect_timeout
        connection = (
            HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
            if self._tls
            else HTTPConnection(self._host, self._port, timeout=timeout)
        )
        try:
            connection.connect()
        except TimeoutError as exc:
            raise ConnectTimeoutError(endpoint_url=self._url, error=exc) from exc
        except ssl.SSLError as exc:
            raise SSLError(endpoint_url=self._url, error=exc) from exc
        except (OSError, HTTPException) as exc:
            raise EndpointConnectionError(endpoint_url=self._url, error=exc) from exc
        opened: socket.socket = connection.sock
        opened.settimeout(self._read_timeout)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return opened


def _exchange(connection: socket.socket, request: bytes) -> _Answer:
    connection.sendall(request)
    answer = _Answer()
    while not answer.complete:
        block = connection.recv(BLOCK_BYTES)
        if not block:
            raise ConnectionResetError("closed before the answer was complete")
        answer.feed(block)
    return answer
